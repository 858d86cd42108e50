/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtual clock: nanoseconds since power-on that stop while the VM is stopped, and timers on it. All guest time
 * derives from it.
 */
#ifndef GNOMON_CLOCK_H
#define GNOMON_CLOCK_H

#include "base.h"

#define CLOCK_NEVER UINT64_MAX

struct clock;

/* Embedded in its device. Armed at most once; fires once. */
struct timer {
	void (*fire)(void *arg);
	void *arg;
	uint64_t deadline; /* ns of virtual time; CLOCK_NEVER: not armed */
	struct clock *clock;
	struct timer *next; /* armed timers, by deadline */
};

struct clock {
	bool running;
	bool manual;	    /* tests: only clock_advance moves it */
	uint64_t base;	    /* virtual time at the last start or stop */
	uint64_t host_base; /* host time then */
	/* Time by what is counted, not by the host: NULL, or the counter; what it was at the last start; ns of each. */
	const uint64_t *counter;
	uint64_t counter_base;
	unsigned count_ns;
	struct timer *timers; /* armed, earliest first */
	/* Told when the earliest deadline has changed; may be NULL. */
	void (*rearm)(void *arg, uint64_t deadline);
	void *rearm_arg;
};

/* A stopped clock at 0. manual: time moves by clock_advance only (tests). */
void clock_init(struct clock *c, bool manual);
/* Of a stopped clock: from its next start on time passes by *counter, ns for each of what it counts, and with
 * clock_skip(). */
void clock_count(struct clock *c, const uint64_t *counter, unsigned ns);
void clock_start(struct clock *c);
void clock_stop(struct clock *c);

/* Virtual time in ns. */
uint64_t clock_now(const struct clock *c);

/* Earliest armed deadline, or CLOCK_NEVER. */
uint64_t clock_next(const struct clock *c);

/* What the counter must reach for the earliest deadline; UINT64_MAX: there is none, or the clock goes by the host's. */
uint64_t clock_next_count(const struct clock *c);
/* A clock that counts: ns pass beside. */
void clock_skip(struct clock *c, uint64_t ns);

/* Fires every timer that is due, in order of deadline. */
void clock_run(struct clock *c);

/* Manual clocks: moves time on, firing timers at their own deadlines on the way. */
void clock_advance(struct clock *c, uint64_t ns);

void timer_init(struct timer *t, struct clock *c, void (*fire)(void *arg), void *arg);
/* Arms (or rearms) the timer for the absolute virtual time `deadline` (ns). */
void timer_arm(struct timer *t, uint64_t deadline);
void timer_cancel(struct timer *t);

static inline bool timer_armed(const struct timer *t)
{
	return t->deadline != CLOCK_NEVER;
}

/* a * b / c without overflow of the product: conversion between ns and ticks. */
static inline uint64_t muldiv64(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)((unsigned __int128)a * b / c);
}

#endif
