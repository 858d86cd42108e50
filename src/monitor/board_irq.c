/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How interrupts find the CPU: ISA lines to the 8259s and the I/O APIC, the 8259s' INTR and the local APIC to the CPU,
 * and back with the acknowledge.
 */
#include "board.h"

#include "cpu/x86.h"
#include "trace.h"

enum {
	IRQ_FPU = 13,
	MSR_X2APIC_LAST = 0x8ff,
	IOAPIC_TIMER_PIN = 2,
	MSI_WINDOW = 0xfee, /* bits 31-20 of the addresses that reach local APICs */
};

static bool extint_pending(const struct board *b)
{
	return pic_pending(&b->pic) && lapic_accepts_extint(&b->lapic);
}

void board_update_intr(struct board *b)
{
	b->cpu.intr(b->cpu.arg, lapic_pending(&b->lapic) || extint_pending(b));
}

/* The CPU has taken an interrupt of line n: timers that owe it ticks may want to know. */
static void acked(struct board *b, unsigned n)
{
	if (n == HPET_IRQ_TIMER && !hpet_legacy(&b->hpet))
		pit_irq0_acked(&b->pit);
	else
		hpet_acked(&b->hpet, n);
}

static void vector_acked(struct board *b, uint8_t vector)
{
	int pin = ioapic_edge_pin(&b->ioapic, vector);

	if (pin >= 0)
		acked(b, pin == IOAPIC_TIMER_PIN ? HPET_IRQ_TIMER : (unsigned)pin);
}

int board_intr_ack(struct board *b)
{
	int vector = -1;

	if (lapic_pending(&b->lapic)) {
		vector = lapic_ack(&b->lapic);
		vector_acked(b, (uint8_t)vector);
	} else if (extint_pending(b)) {
		vector = pic_ack(&b->pic);
		if (vector == b->pic.chip[0].base)
			acked(b, HPET_IRQ_TIMER);
		else if (vector == b->pic.chip[1].base)
			acked(b, HPET_IRQ_RTC);
	}
	board_update_intr(b);
	trace(irq, "acknowledged: vector %d", vector);
	return vector;
}

static void drive_line(struct board *b, int n)
{
	bool level = (b->isa_lines | b->testdev.lines) & BIT(n);

	trace(irq, "line %d %s", n, level ? "up" : "down");
	pic_set_irq(&b->pic, n, level);
	/* The timer is on pin 2 of the I/O APIC (fw_cfg's IRQ0 override says so); pin 0 is the 8259s' INTR. */
	ioapic_set_irq(&b->ioapic, n == 0 ? IOAPIC_TIMER_PIN : n, level);
}

/* An ISA line, after PCI interrupts have been or-ed in. */
static void set_line(void *to, int n, bool level)
{
	struct board *b = to;

	b->isa_lines = (uint16_t)((b->isa_lines & ~BIT(n)) | (level ? BIT(n) : 0));
	drive_line(b, n);
}

void board_test_line(void *board, unsigned n, bool level)
{
	struct board *b = board;

	if (n < ISA_IRQS)
		drive_line(b, (int)n);
	else
		ioapic_set_irq(&b->ioapic, (int)n, level);
}

/* Interrupts 0 and 8 have two sources each; legacy replacement selects the HPET's. */
static void update_timer_line(struct board *b, unsigned irq)
{
	struct irq_line line = piix3_isa_irq(&b->piix3, irq);
	uint16_t from = hpet_legacy(&b->hpet) ? b->hpet_lines : b->timer_lines;

	irq_set(&line, from & BIT(irq));
}

/* A tick on an ISA line that neither controller passes on: nobody counts it. */
static bool goes_nowhere(const struct board *b, unsigned irq)
{
	return pic_masked(&b->pic, irq) && ioapic_masked(&b->ioapic, irq ? irq : IOAPIC_TIMER_PIN);
}

static void set_timer_line(void *to, int irq, bool level)
{
	struct board *b = to;

	b->timer_lines = (uint16_t)((b->timer_lines & ~BIT(irq)) | (level ? BIT(irq) : 0));
	if (!hpet_legacy(&b->hpet))
		update_timer_line(b, (unsigned)irq);
	if (!level || (!hpet_legacy(&b->hpet) && !goes_nowhere(b, (unsigned)irq)))
		return;
	if (irq == HPET_IRQ_TIMER)
		pit_irq0_unwanted(&b->pit);
	else
		rtc_unwanted(&b->rtc);
}

struct irq_line board_timer_line(struct board *b, unsigned irq)
{
	return (struct irq_line){set_timer_line, b, (int)irq};
}

static void hpet_irq(void *arg, unsigned n, bool level)
{
	struct board *b = arg;

	if (n >= ISA_IRQS) {
		ioapic_set_irq(&b->ioapic, (int)n, level);
		return;
	}
	b->hpet_lines = (uint16_t)((b->hpet_lines & ~BIT(n)) | (level ? BIT(n) : 0));
	if (hpet_legacy(&b->hpet))
		update_timer_line(b, n);
	if (level && goes_nowhere(b, n))
		hpet_unwanted(&b->hpet, n);
}

static void hpet_legacy_changed(void *arg, bool on)
{
	struct board *b = arg;

	trace(irq, "HPET %s PIT and RTC", on ? "replaces" : "makes room for");
	update_timer_line(b, HPET_IRQ_TIMER);
	update_timer_line(b, HPET_IRQ_RTC);
}

void board_init_hpet(struct board *b)
{
	hpet_init(&b->hpet,
		  &(struct hpet_config){.clock = b->clock, .irq = hpet_irq, .legacy = hpet_legacy_changed, .arg = b});
	b->hpet_window = (struct pm_region){.name = "hpet",
					    .kind = PM_IO,
					    .base = HPET_BASE,
					    .len = PAGE_SIZE,
					    .priority = PM_PRIO_CHIP,
					    .enabled = true,
					    .ops = &hpet_io_ops,
					    .dev = &b->hpet};
	physmem_add(b->pm, &b->hpet_window);
}

static void deliver_msi(void *arg, uint64_t address, uint32_t data)
{
	struct board *b = arg;

	if (address >> 20 == MSI_WINDOW)
		apic_bus_msi(&b->apics, address, data);
}

static void pic_intr(void *to, int n, bool level)
{
	struct board *b = to;

	lapic_set_lint(&b->lapic, 0, level);
	ioapic_set_irq(&b->ioapic, 0, level);
	board_update_intr(b);
}

static void lapic_intr(void *to, int n, bool level)
{
	board_update_intr(to);
}

static void lapic_nmi(void *arg)
{
	struct board *b = arg;
	b->cpu.nmi(b->cpu.arg);
}

static void lapic_init_message(void *arg)
{
	struct board *b = arg;
	b->cpu.init(b->cpu.arg);
}

static uint64_t lapic_tsc_to_ns(void *arg, uint64_t tsc)
{
	struct board *b = arg;
	return b->cpu.tsc_to_ns(b->cpu.arg, tsc);
}

static uint64_t lapic_tsc_now(void *arg)
{
	struct board *b = arg;
	return b->cpu.tsc_now(b->cpu.arg);
}

/* The local APIC's page: a write may change whether the 8259s' INTR passes. */
static uint64_t lapic_page_read(void *dev, uint64_t offset, unsigned size)
{
	struct board *b = dev;
	return lapic_io_ops.read(&b->lapic, offset, size);
}

static void lapic_page_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct board *b = dev;

	lapic_io_ops.write(&b->lapic, offset, size, value);
	board_update_intr(b);
}

static const struct io_ops lapic_page_ops = {
    .name = "lapic",
    .read = lapic_page_read,
    .write = lapic_page_write,
    .widths = IO_32,
};

/* Ports F0 and F1: clear and reset of the coprocessor. Either drops interrupt 13. */
static uint64_t fpu_read(void *dev, uint64_t offset, unsigned size)
{
	return 0xff;
}

static void fpu_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	board_ferr(dev, false);
}

static const struct io_ops fpu_ops = {
    .name = "fpu-error",
    .read = fpu_read,
    .write = fpu_write,
    .widths = IO_8,
};

void board_ferr(struct board *b, bool level)
{
	struct irq_line line = piix3_isa_irq(&b->piix3, IRQ_FPU);
	irq_set(&line, level);
}

static void place_lapic_page(struct board *b)
{
	physmem_move(b->pm, &b->lapic_window, ALIGN_DOWN(lapic_base(&b->lapic), PAGE_SIZE),
		     lapic_mmio_enabled(&b->lapic));
}

bool board_apic_msr_read(struct board *b, uint32_t index, uint64_t *value)
{
	switch (index) {
	case MSR_APIC_BASE:
		*value = lapic_base_msr_read(&b->lapic);
		return true;
	case MSR_TSC_DEADLINE:
		*value = lapic_tsc_deadline_read(&b->lapic);
		return b->cpu.tsc_deadline;
	default:
		return index >= MSR_X2APIC_BASE && index <= MSR_X2APIC_LAST && lapic_msr_read(&b->lapic, index, value);
	}
}

bool board_apic_msr_write(struct board *b, uint32_t index, uint64_t value)
{
	bool ok = true;

	switch (index) {
	case MSR_APIC_BASE:
		ok = lapic_base_msr_write(&b->lapic, value);
		if (ok)
			place_lapic_page(b);
		break;
	case MSR_TSC_DEADLINE:
		ok = b->cpu.tsc_deadline;
		if (ok)
			lapic_tsc_deadline_write(&b->lapic, value);
		break;
	default:
		ok = index >= MSR_X2APIC_BASE && index <= MSR_X2APIC_LAST && lapic_msr_write(&b->lapic, index, value);
		break;
	}
	board_update_intr(b);
	return ok;
}

void board_cr8_write(struct board *b, uint64_t value)
{
	lapic_cr8_write(&b->lapic, value);
	board_update_intr(b);
}

void board_reset_interrupts(struct board *b)
{
	pic_reset(&b->pic);
	ioapic_reset(&b->ioapic);
	lapic_reset(&b->lapic);
	place_lapic_page(b);
	board_update_intr(b);
}

void board_init_interrupts(struct board *b)
{
	struct lapic_config lapic = {
	    .clock = b->clock,
	    .bsp = true,
	    .x2apic = b->cpu.x2apic,
	    .tsc_deadline = b->cpu.tsc_deadline,
	    .intr = {lapic_intr, b, 0},
	    .arg = b,
	    .nmi = lapic_nmi,
	    .init = lapic_init_message,
	    .ipi = apic_bus_deliver,
	    .ipi_arg = &b->apics,
	    .eoi = ioapic_eoi,
	    .eoi_arg = &b->ioapic,
	    .tsc_to_ns = lapic_tsc_to_ns,
	    .tsc_now = lapic_tsc_now,
	};

	for (int n = 0; n < ISA_IRQS; n++)
		b->piix3.out[n] = (struct irq_line){set_line, b, n};
	pic_init(&b->pic, (struct irq_line){pic_intr, b, 0});
	apic_bus_init(&b->apics);
	b->pci.msi = deliver_msi;
	b->pci.msi_arg = b;
	lapic_init(&b->lapic, &lapic);
	apic_bus_add(&b->apics, &b->lapic);
	ioapic_init(&b->ioapic, 0x11, apic_bus_deliver, &b->apics);
	ASSERT(bus_add(&b->ports, 0xf0, 2, &fpu_ops, b, 0) == 0);

	b->ioapic_window = (struct pm_region){.name = "ioapic",
					      .kind = PM_IO,
					      .base = IOAPIC_BASE,
					      .len = PAGE_SIZE,
					      .priority = PM_PRIO_CHIP,
					      .enabled = true,
					      .ops = &ioapic_io_ops,
					      .dev = &b->ioapic};
	b->lapic_window = (struct pm_region){.name = "lapic",
					     .kind = PM_IO,
					     .base = LAPIC_DEFAULT_BASE,
					     .len = PAGE_SIZE,
					     .priority = PM_PRIO_CHIP,
					     .enabled = true,
					     .ops = &lapic_page_ops,
					     .dev = b};
	physmem_add(b->pm, &b->ioapic_window);
	physmem_add(b->pm, &b->lapic_window);
}
