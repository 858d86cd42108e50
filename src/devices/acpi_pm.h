/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PIIX4 power management: ACPI fixed hardware (PM1 event and control, PM timer), a GPE0 block, the SMI command ports.
 * PIIX4 datasheet 7.2; ACPI 6.4, 4.8.3.
 *
 * Wiring: bus_add ACPI_GPE_BASE len 4 with acpi_gpe_io_ops and 0xb2 len 2 with acpi_smi_io_ops, for good; and
 * ACPI_PM_LEN ports with acpi_pm_io_ops wherever the guest puts PMBASE (PCI function 3, config 40h, enabled by bit 0 of
 * 80h).
 */
#ifndef GNOMON_ACPI_PM_H
#define GNOMON_ACPI_PM_H

#include "../clock.h"
#include "../io.h"

#define ACPI_PM_TIMER_HZ 3579545ull

enum {
	ACPI_PM_LEN = 0x40,
	ACPI_GPE_BASE = 0xafe0, /* as on QEMU's board; the FADT says so */
	ACPI_GPE_LEN = 4,
	ACPI_SMI_ENABLE = 0xf1, /* values of port b2 */
	ACPI_SMI_DISABLE = 0xf0,
};

struct acpi_pm_config {
	struct clock *clock;
	struct irq_line sci; /* ISA interrupt 9, level, active high as seen by the PIC */
	struct irq_line smi; /* raised by a write to port b2 while smi_on_apmc; may be unconnected */
	void *arg;
	void (*power_off)(void *arg); /* S5, or S4 */
	void (*suspend)(void *arg);   /* S3: to be called off by wake; NULL: ignored */
	void (*wake)(void *arg);      /* something wakes the machine; may be called again until acpi_pm_wake() */
};

struct acpi_pm {
	struct acpi_pm_config cfg;
	struct timer overflow;	/* PM timer carries out of its bit 23, while that interrupt is enabled */
	uint64_t overflow_seen; /* ticks of the timer at which TMR_STS was last brought up to date */
	uint16_t pm1_sts, pm1_en, pm1_cnt;
	uint16_t gpe_sts, gpe_en;
	uint8_t apm_control, apm_status; /* ports b2, b3 */
	bool smi_on_apmc;		 /* DEVACTB.APMC_EN: kept by the PCI function */
	bool asleep;			 /* in S3 */
};

void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_config *cfg);
void acpi_pm_reset(struct acpi_pm *pm);

/* The power button (QMP system_powerdown). The guest sees it if it has enabled ACPI. Wakes a sleeping machine. */
void acpi_pm_power_button(struct acpi_pm *pm);

/* Raises general purpose event n (0-15). */
void acpi_pm_gpe(struct acpi_pm *pm, unsigned n);

/* The RTC's alarm goes off (ACPI 6.4, 4.8.2.4): RTC_STS, and the end of S3 if RTC_EN is set. */
void acpi_pm_rtc_alarm(struct acpi_pm *pm);

/* In place of the reset at the end of S3: the status bits are kept (they tell what woke the machine), WAK_STS is added;
 * SCI_EN is kept. */
void acpi_pm_wake(struct acpi_pm *pm);

/* The 24-bit PM timer now. */
uint32_t acpi_pm_timer(const struct acpi_pm *pm);

uint64_t acpi_pm_read(void *pm, uint64_t offset, unsigned size);
void acpi_pm_write(void *pm, uint64_t offset, unsigned size, uint64_t value);
uint64_t acpi_gpe_read(void *pm, uint64_t offset, unsigned size);
void acpi_gpe_write(void *pm, uint64_t offset, unsigned size, uint64_t value);
uint64_t acpi_smi_read(void *pm, uint64_t offset, unsigned size);
void acpi_smi_write(void *pm, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops acpi_pm_io_ops, acpi_gpe_io_ops, acpi_smi_io_ops;

#endif
