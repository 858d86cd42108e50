/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * High precision event timers: IA-PC HPET Specification 1.0a. A 64-bit counter of 10 ns and three comparators, each
 * one-shot or periodic, edge or level.
 *
 * Wiring: a region of 1 KiB at HPET_BASE (a page) with hpet_io_ops; irq.n selects the line, see struct hpet_config.
 *
 * Edges of a periodic comparator that the guest did not see are made up for (catchup.h), if the board calls
 * hpet_acked(). Periods are no shorter than HPET_MIN_PERIOD_NS; what is asked for in between is lost.
 */
#ifndef GNOMON_HPET_H
#define GNOMON_HPET_H

#include "../clock.h"
#include "../io.h"
#include "catchup.h"

#define HPET_BASE	   0xfed00000ull
#define HPET_LEN	   0x400
#define HPET_TICK_NS	   10
#define HPET_MIN_PERIOD_NS (50 * NS_PER_US)

enum {
	HPET_TIMERS = 3,
	HPET_ROUTES = 0x00ff0000, /* I/O APIC inputs that comparators can be routed to: those that nobody else has */
	HPET_IRQ_TIMER = 0,	  /* legacy replacement: comparator 0 in place of the PIT ... */
	HPET_IRQ_RTC = 8,	  /* ... and 1 in place of the RTC */
};

struct hpet_config {
	struct clock *clock;
	/*
	 * An interrupt line: n is HPET_IRQ_TIMER or HPET_IRQ_RTC (ISA interrupts, legacy replacement only), or an
	 * input of the I/O APIC within HPET_ROUTES.
	 */
	void (*irq)(void *arg, unsigned n, bool level);
	/* Legacy replacement is on: the PIT's and the RTC's outputs reach nobody. */
	void (*legacy)(void *arg, bool on);
	void *arg;
};

struct hpet_timer {
	struct hpet *hpet;
	uint32_t config;     /* the bits that software sets */
	uint64_t comparator; /* counter value of the next match */
	uint64_t period;     /* ticks; periodic mode */
	bool set_value;	     /* VAL_SET: the next write of the comparator sets it and not just the period */
	uint64_t fsb;	     /* FSB route register: kept, without effect */
	struct timer timer;
	uint64_t target; /* counter value at the next match; while the counter runs */
	int line;	 /* that it is routed to, or -1 */
	bool level;	 /* what it drives there */
	struct catchup catchup;
};

struct hpet {
	struct hpet_config cfg;
	uint32_t config;  /* general configuration */
	uint32_t status;  /* level interrupts pending */
	uint64_t counter; /* while stopped: its value; else what it was at virtual time `origin` */
	uint64_t origin;
	struct hpet_timer timer[HPET_TIMERS];
};

void hpet_init(struct hpet *h, const struct hpet_config *cfg);
void hpet_reset(struct hpet *h);

/* Whether legacy replacement is on. */
bool hpet_legacy(const struct hpet *h);

/* The CPU has acknowledged the interrupt of line n (as given to cfg.irq). */
void hpet_acked(struct hpet *h, unsigned n);

/* Line n has just risen, and is masked. */
void hpet_unwanted(struct hpet *h, unsigned n);

uint64_t hpet_read(void *hpet, uint64_t offset, unsigned size);
void hpet_write(void *hpet, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops hpet_io_ops;

#endif
