/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "acpi_pm.h"

#include <string.h>

#include "trace.h"

/* clang-format off */
enum {
	REG_STS       = 0x00, /* PMSTS, PMEN, PMCNTRL: 16 bits; PMTMR: 32 */
	REG_EN        = 0x02,
	REG_CNT       = 0x04,
	REG_TMR       = 0x08,

	PM1_TMR       = 0x0001,
	PM1_GBL       = 0x0020,
	PM1_PWRBTN    = 0x0100,
	PM1_RTC       = 0x0400,
	PM1_WAK       = 0x8000,
	PM1_EVENTS    = PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_RTC, /* those that raise SCI */
	PM1_WAKES     = PM1_PWRBTN | PM1_RTC,                     /* those that end S3 */

	CNT_SCI_EN    = 0x0001,
	CNT_SLP_EN    = 0x2000,
	CNT_WRITABLE  = 0x1c07, /* SLP_TYP, GBL_RLS, BRLD_EN, SCI_EN (ACPI wants it left alone; Linux sets it) */

	SLP_S5        = 0, /* SLP_TYP as in the reference board's DSDT */
	SLP_S3        = 1,
	SLP_S4        = 2,

	TMR_BITS      = 24,
};
/* clang-format on */

static uint64_t ticks_now(const struct acpi_pm *pm)
{
	return muldiv64(clock_now(pm->cfg.clock), ACPI_PM_TIMER_HZ, NS_PER_SEC);
}

uint32_t acpi_pm_timer(const struct acpi_pm *pm)
{
	return ticks_now(pm) & (BIT(TMR_BITS) - 1);
}

/* TMR_STS is set whenever bit 23 of the timer changes. */
static void update_overflow(struct acpi_pm *pm)
{
	uint64_t now = ticks_now(pm);

	if (now >> (TMR_BITS - 1) != pm->overflow_seen >> (TMR_BITS - 1))
		pm->pm1_sts |= PM1_TMR;
	pm->overflow_seen = now;
}

static void update(struct acpi_pm *pm)
{
	update_overflow(pm);
	bool event = pm->pm1_sts & pm->pm1_en & PM1_EVENTS || pm->gpe_sts & pm->gpe_en;
	irq_set(&pm->cfg.sci, event && pm->pm1_cnt & CNT_SCI_EN);
	if (pm->asleep && (pm->pm1_sts & pm->pm1_en & PM1_WAKES || pm->gpe_sts & pm->gpe_en))
		pm->cfg.wake(pm->cfg.arg);

	if (pm->pm1_en & PM1_TMR && !(pm->pm1_sts & PM1_TMR)) {
		uint64_t next = ((pm->overflow_seen >> (TMR_BITS - 1)) + 1) << (TMR_BITS - 1);
		timer_arm(&pm->overflow, muldiv64(next, NS_PER_SEC, ACPI_PM_TIMER_HZ) + 1);
	} else {
		timer_cancel(&pm->overflow);
	}
}

static void overflow(void *arg)
{
	update(arg);
}

void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_config *cfg)
{
	memset(pm, 0, sizeof(*pm));
	pm->cfg = *cfg;
	timer_init(&pm->overflow, cfg->clock, overflow, pm);
	acpi_pm_reset(pm);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
	pm->pm1_sts = pm->pm1_en = pm->pm1_cnt = 0;
	pm->gpe_sts = pm->gpe_en = 0;
	pm->apm_control = pm->apm_status = 0;
	pm->asleep = false;
	pm->overflow_seen = ticks_now(pm);
	update(pm);
}

void acpi_pm_power_button(struct acpi_pm *pm)
{
	pm->pm1_sts |= PM1_PWRBTN;
	update(pm);
	if (pm->asleep) /* whether or not it is enabled, or nothing else might be left to wake it */
		pm->cfg.wake(pm->cfg.arg);
}

void acpi_pm_rtc_alarm(struct acpi_pm *pm)
{
	pm->pm1_sts |= PM1_RTC;
	update(pm);
}

void acpi_pm_gpe(struct acpi_pm *pm, unsigned n)
{
	pm->gpe_sts |= (uint16_t)(1u << (n & 15));
	update(pm);
}

void acpi_pm_wake(struct acpi_pm *pm)
{
	uint16_t sts = pm->pm1_sts, gpe_sts = pm->gpe_sts, sci_en = pm->pm1_cnt & CNT_SCI_EN;

	acpi_pm_reset(pm);
	pm->pm1_sts = sts | PM1_WAK;
	pm->gpe_sts = gpe_sts;
	/* Firmware has to give the machine back in ACPI mode. SeaBIOS leaves that to the hardware, as that mode's SMI.
	 */
	pm->pm1_cnt = sci_en;
}

static void sleep_now(struct acpi_pm *pm, unsigned type)
{
	trace(dev, "acpi: sleep type %u", type);
	if ((type == SLP_S5 || type == SLP_S4) && pm->cfg.power_off) {
		pm->cfg.power_off(pm->cfg.arg);
	} else if (type == SLP_S3 && pm->cfg.suspend) {
		pm->asleep = true; /* the write's update() wakes at once if a cause is pending */
		pm->cfg.suspend(pm->cfg.arg);
	}
}

static uint8_t read_byte(const struct acpi_pm *pm, uint64_t offset)
{
	switch (offset) {
	case REG_STS:
	case REG_STS + 1:
		return (uint8_t)(pm->pm1_sts >> (offset & 1) * 8);
	case REG_EN:
	case REG_EN + 1:
		return (uint8_t)(pm->pm1_en >> (offset & 1) * 8);
	case REG_CNT:
	case REG_CNT + 1:
		return (uint8_t)(pm->pm1_cnt >> (offset & 1) * 8);
	case REG_TMR ... REG_TMR + 3:
		return (uint8_t)(acpi_pm_timer(pm) >> (offset & 3) * 8);
	default:
		return 0;
	}
}

uint64_t acpi_pm_read(void *dev, uint64_t offset, unsigned size)
{
	struct acpi_pm *pm = dev;
	uint64_t v = 0;

	if (offset == REG_TMR && size == 4) /* by far the most frequent, and in one piece */
		return acpi_pm_timer(pm);
	update_overflow(pm);
	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)read_byte(pm, offset + i) << (i * 8);
	return v;
}

/* A byte into half of a 16-bit register. */
static uint16_t merge(uint16_t old, uint64_t offset, uint8_t v)
{
	return offset & 1 ? (uint16_t)((old & 0x00ff) | v << 8) : (uint16_t)((old & 0xff00) | v);
}

static void write_control(struct acpi_pm *pm, uint64_t offset, uint8_t v)
{
	uint16_t new = merge(pm->pm1_cnt, offset, v);

	pm->pm1_cnt = new &CNT_WRITABLE;
	if (offset & 1 && new &CNT_SLP_EN)
		sleep_now(pm, new >> 10 & 7);
}

static void write_byte(struct acpi_pm *pm, uint64_t offset, uint8_t v)
{
	switch (offset) {
	case REG_STS:
	case REG_STS + 1: /* ones clear */
		pm->pm1_sts &= (uint16_t) ~(v << (offset & 1) * 8);
		break;
	case REG_EN:
	case REG_EN + 1:
		pm->pm1_en = merge(pm->pm1_en, offset, v) & PM1_EVENTS;
		break;
	case REG_CNT:
	case REG_CNT + 1:
		write_control(pm, offset, v);
		break;
	}
}

void acpi_pm_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = dev;

	update_overflow(pm);
	for (unsigned i = 0; i < size; i++)
		write_byte(pm, offset + i, (uint8_t)(value >> (i * 8)));
	update(pm);
}

const struct io_ops acpi_pm_io_ops = {"acpi-pm", acpi_pm_read, acpi_pm_write, IO_8 | IO_16 | IO_32};

uint64_t acpi_gpe_read(void *dev, uint64_t offset, unsigned size)
{
	struct acpi_pm *pm = dev;
	uint16_t v = offset & 2 ? pm->gpe_en : pm->gpe_sts;

	return v >> (offset & 1) * 8 & 0xff;
}

void acpi_gpe_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = dev;

	if (offset & 2)
		pm->gpe_en = merge(pm->gpe_en, offset, (uint8_t)value);
	else
		pm->gpe_sts &= (uint16_t) ~((value & 0xff) << (offset & 1) * 8);
	update(pm);
}

const struct io_ops acpi_gpe_io_ops = {"acpi-gpe", acpi_gpe_read, acpi_gpe_write, IO_8};

uint64_t acpi_smi_read(void *dev, uint64_t offset, unsigned size)
{
	struct acpi_pm *pm = dev;

	return offset & 1 ? pm->apm_status : pm->apm_control;
}

void acpi_smi_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = dev;
	uint8_t v = (uint8_t)value;

	if (offset & 1) {
		pm->apm_status = v;
		return;
	}
	pm->apm_control = v;
	/* Firmware's SMI handler would do this; the reference board does it in hardware, and so needs none. */
	if (v == ACPI_SMI_ENABLE)
		pm->pm1_cnt |= CNT_SCI_EN;
	else if (v == ACPI_SMI_DISABLE)
		pm->pm1_cnt &= (uint16_t)~CNT_SCI_EN;
	if (pm->smi_on_apmc)
		irq_set(&pm->cfg.smi, true);
	update(pm);
}

const struct io_ops acpi_smi_io_ops = {"acpi-smi", acpi_smi_read, acpi_smi_write, IO_8};
