/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's options as test configurations give them, for our machine: each is the machine's as it is, an option of
 * `gnomon run`, or cannot be met.
 */
#ifndef GNOMON_MONITOR_SUITE_QEMU_PARAMS_H
#define GNOMON_MONITOR_SUITE_QEMU_PARAMS_H

#include "strings.h"

struct qemu_params {
	bool lm;	    /* in: the kernels are for 64-bit mode, so that there must be one */
	struct strings run; /* options of `gnomon run`; an --append comes from -append */
	unsigned cpus;	    /* -smp; 0: not given */
};

/*
 * Adds to *p what the words come to. folder: where relative file names begin. False, with the reason in why (one line):
 * something in them cannot be met.
 */
bool qemu_params_take(struct qemu_params *p, const struct strings *words, const char *folder, char *why, size_t whylen);
void qemu_params_free(struct qemu_params *p);

/* qemu_cpu.c: -cpu. False, with the reason in why: a model, feature or property that we have not. */
bool qemu_cpu_take(struct qemu_params *p, const char *value, char *why, size_t whylen);

#endif
