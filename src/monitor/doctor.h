/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `gnomon doctor`: what the host offers, what of it is used, what would help. */
#ifndef GNOMON_MONITOR_DOCTOR_H
#define GNOMON_MONITOR_DOCTOR_H

#include <jansson.h>

#include "base.h"

enum finding_status {
	FINDING_OK,
	FINDING_HINT,	 /* works; something would be faster, or possible */
	FINDING_MISSING, /* `gnomon run` fails without */
};

struct finding {
	enum finding_status status;
	char found[200];  /* one line */
	char advice[300]; /* one line, empty: none */
};

struct doctor_check {
	const char *name, *use;
	void (*check)(struct finding *f);
};

enum doctor_id {
#define DOCTOR(id, name, use) DOCTOR_##id,
#include "doctor.def"
#undef DOCTOR
	DOCTOR_COUNT
};

extern const struct doctor_check doctor_checks[DOCTOR_COUNT];

/* What the host takes for what the monitor does all the time, in ns; 0: could not be measured. */
struct doctor_costs {
	uint64_t system_call;
	uint64_t fault;	   /* SIGSEGV and back */
	uint64_t map_page; /* mmap over a page and its first touch */
};

struct doctor_costs doctor_measure(void);

/* The names of CPUID's features, for people; and as an object of two lists, "shown" and "missing" (owned by the
 * caller). */
void doctor_print_features(void);
json_t *doctor_features_json(void);
/* The check of AVX. */
void doctor_avx(struct finding *f);

/* Bytes of memory that this process may still take: the machine's and its control groups' limits. 0: not known. */
uint64_t doctor_free_memory(void);

#endif
