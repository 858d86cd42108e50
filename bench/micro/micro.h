/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel of the micro rows (kernel.c, entry.S) and what it shares with the host's program (native.c). */
#ifndef MICRO_H
#define MICRO_H

/* Selectors. SYSENTER and SYSEXIT want them in this order. */
#define CODE0 0x08
#define DATA0 0x10
#define CODE3 0x1b
#define DATA3 0x23
#define TSS   0x28

#define DEBUG_EXIT 0xf4
#define SKIPPED	   2 /* bytes of the instructions that fault */

#define TEST_AT 0x40000000 /* mapped by a page table: one page absent, one for rows that change its entry */
#define TPR_AT	0xfee00080 /* local APIC: task priority register (SDM vol. 3, 10.8.3.1) */

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Does a row's operation n times. */
typedef void body(uint32_t n);
body body_syscall, body_in, body_tpr, body_cr3, body_callret, body_pgfault, body_divzero, body_ptemod, body_remap;

static inline uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

/* --- translate.c --- */
enum { FUNCTIONS = 8192, INSNS = 16, FUNCTION_BYTES = 96 };
extern uint8_t arena[FUNCTIONS * FUNCTION_BYTES];
/* New code, unlike any that was there before. */
void translate_fill(uint32_t seed);
/* Executes all of it once: the time. */
uint64_t translate_run(void);

/* --- measure.c --- */
/* Prints "MICRO name best median operations": ticks for a thousand operations, in the best and in the median batch. */
void measure(const char *name, void (*run)(body *b, uint32_t n), body *b, uint32_t per);
void measure_translate(void);
/* The rows that both have. */
void print(const char *text);
void print_number(uint64_t n);
#endif

#endif
