/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rows of rows.def are written with. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u

/** Does the row's operation `count` times. */
typedef void row_body(uint64_t count, void *arg);

/** Runs body in batches of about 20 ms until bench_time_ms have passed and prints the row's one line (README.md).
 *  `per` operations are done by each one that is counted: the loop has that many pages, calls ... inside. */
void measure(row_body *body, void *arg, unsigned per);

/** As measure(), for operations of which one is a batch by itself. The first is told apart: "FIRST row ns". */
void measure_single(row_body *body, void *arg);

/** Monotonic nanoseconds. */
uint64_t now_ns(void);

/** Ends the row: it is reported as failed, with this text and errno's. */
_Noreturn void fail(const char *what);

/** As fail() if `ok` does not hold. */
static inline void need(bool ok, const char *what)
{
	if (!ok)
		fail(what);
}

/** Anonymous private memory, readable and writable, `pages` of it. */
uint8_t *anonymous(size_t pages);

/** A pseudo-random number; the same sequence in each run. */
uint32_t next_random(uint32_t *state);

/** Measures one program from its start to its end, and its first run by itself (README.md: cold). Its output goes to a
 * file, whose check sum is printed with the row.
 */
void measure_program(const char *const argv[]);

/** Fills a file with `bytes` of text-like data, the same in each run. */
void make_text(const char *path, size_t bytes);

/** Keeps a value alive. */
extern volatile uint32_t sink;

/** This program's path: rows start it with "exit" to have a program that does nothing. */
extern const char *own_path;

/** How long a row is measured. */
extern unsigned bench_time_ms;

#define ROW(name, group, what) void row_##name(void);
#include "rows.def"
#undef ROW

int agent(int argc, char **argv);
/** Runs a row by name in this process; false if there is none of this name. */
bool run_row(const char *name);

#endif
