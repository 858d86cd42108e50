/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest machine that guest test code can run on: a CPU, RAM, descriptor tables with one of everything, a few
 * ports, and an engine.
 */
#ifndef GNOMON_TESTS_ISA_HARNESS_H
#define GNOMON_TESTS_ISA_HARNESS_H

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "bt/bt.h"
#include "cpu/exec.h"

/* Memory map. isa.inc repeats what programs need. */
enum {
	ISA_GDT = 0x1000,
	ISA_IDT = 0x2000,
	ISA_LDT = 0x2800,
	ISA_TSS = 0x3000, /* with an I/O bitmap of zeros behind it, so that programs may use ports at any CPL */
	ISA_TSS_BYTES = 0x68 + 0x2001,
	ISA_TSS2 = 0x5800,
	ISA_STUBS32 = 0x6000, /* STUB_BYTES for each vector: HLT, return */
	ISA_STUBS16 = 0x7000, /* the same for real-address mode */
	ISA_STUB_BYTES = 16,
	ISA_LOAD = 0x8000,
	ISA_STACK = 0xf000,
	ISA_STACK0 = 0x1f000,  /* ring 0, under rings 3 and V86 */
	ISA_BASED = 0x20000,   /* base of the segments that are not flat */
	ISA_TABLES = 0x100000, /* ISA_COMPAT: four levels, six pages; ISA_LONG: as machine_map() needs them */
	ISA_RAM = 0x120000,
	ISA_ALIAS = 0x1000000, /* the first MiB of RAM once more */
	ISA_IO = 0x2000000,    /* a page of device memory: bytes that remember what is written */
};

/* ISA_LONG: linear address of physical 0, supervisor mode's. */
#define ISA_LONG_KERNEL 0xffffffff00000000ull

/* Physical: and once more above 4 GiB. */
#define ISA_HIGH 0x100000000ull

/* Selectors; user ones with RPL 3. */
enum {
	ISA_CODE32 = 0x08,
	ISA_DATA32 = 0x10,
	ISA_CODE16 = 0x18,
	ISA_DATA16 = 0x20,
	ISA_CODE32_3 = 0x2b,
	ISA_DATA32_3 = 0x33,
	ISA_SEL_TSS = 0x38,
	ISA_SEL_TSS2 = 0x40,
	ISA_SEL_LDT = 0x48,
	ISA_BASED_4G = 0x50,  /* base ISA_BASED, limit 4 GiB */
	ISA_LIMIT_4K = 0x58,  /* base ISA_BASED, limit FFF */
	ISA_DOWN_32 = 0x60,   /* base ISA_BASED, expand-down, valid from 1000 to FFFFFFFF */
	ISA_DOWN_16 = 0x68,   /* base ISA_BASED, expand-down, valid from 1000 to FFFF */
	ISA_READ_ONLY = 0x70, /* base ISA_BASED, limit FFFF */
	ISA_EXEC_ONLY = 0x78,
	ISA_ABSENT = 0x80,
	ISA_CODE16_BASED = 0x88, /* base ISA_BASED, limit FFFF, readable */
	ISA_CALL_GATE = 0x90,	 /* free for programs: call and task gates */
	ISA_TASK_GATE = 0x98,
	ISA_LIMIT_64K = 0xa0,	 /* base ISA_BASED, limit FFFF, big */
	ISA_STACK16 = 0xa8,	 /* base ISA_BASED, limit FFFF, 16-bit stack pointer */
	ISA_CODE32_BASED = 0xb0, /* base ISA_BASED, limit FFFF */
	ISA_STACK_4K = 0xb8,	 /* base ISA_BASED, limit FFF, DPL 0 */
	ISA_FREE = 0xc0,	 /* nine more that programs fill in */
	ISA_GDT_BYTES = 0x108,
	ISA_CODE64 = 0x108, /* ISA_COMPAT, ISA_LONG: two more */
	ISA_CODE64_3 = 0x113,
};

/* ISA_COMPAT: ring 3 in compatibility mode, exceptions lead to 64-bit code; 4 GiB of linear addresses are physical
 * ones. ISA_LONG: ring 3 in 64-bit mode, with what machine_map() has mapped. */
enum isa_mode { ISA_REAL, ISA_PM32, ISA_PM16, ISA_PM32_3, ISA_V86, ISA_COMPAT, ISA_LONG, ISA_MODES };

/* What programs reach by OUT; the others in 100-1FF remember bytes. */
enum {
	ISA_PORT_CHECK = 0xe0, /* a checkpoint: compare the state with what is expected here */
	ISA_PORT_SNAP = 0xe1,  /* remember the state: the next instruction shall fault and change none of it */
	ISA_PORT_DONE = 0xe2,
	ISA_PORT_IRQ = 0xe3,   /* raises the interrupt of vector AL now */
	ISA_PORT_ASYNC = 0xe4, /* interrupts of vector AL at random times from now on; 0: no more */
	ISA_PORT_NMI = 0xe5,
	ISA_PORT_DMA = 0xe6, /* EAX is written by a device to the address that ISA_PORT_DMA_AT was told */
	ISA_PORT_DMA_AT = 0xe7,
	ISA_PORT_WAKE = 0xe8, /* HLT is to be woken by vector AL */
	ISA_PORT_FERR = 0xe9, /* FERR# raises the interrupt of vector AL */
	ISA_PORT_A20 = 0xea,  /* AL 0: address bit 20 is masked */
	ISA_PORT_BYTES = 0x100,
};

/* ENGINE_BT_FEW: the translator with hardly any host mappings to live with; ENGINE_BT_PLAIN: with all that --opt can
 * switch off switched off. */
enum isa_engine { ENGINE_STEP, ENGINE_BT, ENGINE_LOCKSTEP, ENGINE_BT_FEW, ENGINE_BT_PLAIN, ENGINES };

extern const char *const isa_engine_names[ENGINES];

/* Why machine_run() returned. */
enum isa_stop {
	STOP_DONE,  /* ISA_PORT_DONE, or HLT outside the stubs */
	STOP_FAULT, /* an exception was delivered: the CPU is in the HLT of the stub of vector `vector` */
	STOP_TRIPLE,
	STOP_TIMEOUT,
	STOP_LOCKSTEP, /* the engines differ */
};

struct machine;

/* A fault or interrupt as its handler sees it. */
struct isa_frame {
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint64_t eip, esp;
	uint32_t cs, eflags, ss;
	gpa_t bottom; /* where the frame begins in memory, error code included, and its size */
	unsigned bytes;
	gpa_t eip_at; /* where it holds EIP, and how wide */
	unsigned width;
};

struct machine {
	struct cpu cpu;
	struct physmem pm;
	struct pm_region ram, alias, high, io;
	struct stats stats;
	struct host_exec *exec;
	struct shadow *shadow;
	struct bt *bt;
	enum isa_engine engine;
	enum isa_mode mode;
	volatile sig_atomic_t stop;
	bool done, triple, ferr;
	uint8_t vector;			  /* of the interrupt that is asserted */
	uint8_t wake, async, ferr_vector; /* ISA_PORT_WAKE, ISA_PORT_ASYNC, ISA_PORT_FERR; 0: none */
	uint32_t dma_at;
	uint64_t cr8;
	unsigned async_count;
	bool storm; /* kicks at random short times, without interrupts: machine_set_storm() */
	uint8_t ports[256];
	uint8_t io_bytes[4096];
	timer_t timer;
	uint64_t random;
	uint64_t timeout_ns; /* of CPU time */
	gpa_t tables_end;    /* ISA_LONG: free room for page tables */
	/* Called at ISA_PORT_CHECK and ISA_PORT_SNAP, when the state is that of the OUT. */
	void (*check)(struct machine *m, bool snap);
	void *arg;
};

/* A machine in memory of its own (struct cpu is aligned). Exits on failure: a test without a machine is of no use. */
struct machine *machine_create(enum isa_engine engine);
void machine_destroy(struct machine *m);

/* What CPUID shows: 64-bit mode, and whose processor. Before machine_reset(). */
void machine_set_processor(struct machine *m, bool lm, bool amd);

/* Fresh tables, registers and RAM; then code at linear address `entry` (CS base 0) in a mode. Segments are flat or 0.
 */
void machine_reset(struct machine *m, enum isa_mode mode, uint32_t entry);

/* ISA_LONG: pages of user mode's. */
void machine_map(struct machine *m, gva_t linear, gpa_t gpa, unsigned bytes);

/* While set, the engine is made to return all the time. */
void machine_set_storm(struct machine *m, bool storm);

enum isa_stop machine_run(struct machine *m);

/* Checks all invariants of shadow and translator now: panics on a violation. They are also checked all along. */
void machine_audit(struct machine *m);

/* After STOP_FAULT: the frame of the handler; then, to go on, machine_resume(m, frame, eip). */
struct isa_frame machine_frame(const struct machine *m);
void machine_resume(struct machine *m, const struct isa_frame *frame, uint32_t eip);

uint64_t machine_peek(struct machine *m, gpa_t at, unsigned len);
void machine_poke(struct machine *m, gpa_t at, unsigned len, uint64_t value);
uint32_t machine_random(struct machine *m);

/* attr: SEG_*; limit: as stored. */
uint64_t isa_descriptor(uint32_t base, uint32_t limit, unsigned attr);
void machine_set_segment(struct machine *m, unsigned seg, uint16_t selector, uint64_t descriptor);

#endif
