/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lockstep's parts: what both runs exchange with the machine and write (lockstep_machine.c), the comparison
 * (lockstep_compare.c), and the units (lockstep.c). */
#ifndef GNOMON_LOCKSTEP_INTERNAL_H
#define GNOMON_LOCKSTEP_INTERNAL_H

#include "bt_internal.h"
#include "cpu/sys.h"

enum {
	MAX_WRITES = 16384,
	MAX_ANSWERS = 16384,
	WRITE_PIECE = 64,
	UNIT_BLOCKS = 64,
	UNIT_INSNS = 256, /* no further block is begun */
	ALONE = 1024,
	MAX_UNIT_INSNS = UNIT_INSNS + BLOCK_MAX_INSNS,
};

enum answer_kind {
	ANS_PORT_IN,
	ANS_PORT_OUT,
	ANS_TSC,
	ANS_MMIO_READ,
	ANS_MMIO_WRITE,
	ANS_MSR_READ,
	ANS_MSR_WRITE,
	ANS_CR8_READ,
	ANS_CR8_WRITE
};

/* One exchange with the machine. */
struct answer {
	uint8_t kind;
	bool ok;
	uint64_t where, size, value;
};

/* A piece of memory before and after the single-stepper wrote it. */
struct written {
	gpa_t gpa;
	uint8_t len;
	bool mark; /* accessed and dirty bits: a TLB (the shadow) may have set them before, so they are not compared */
	uint8_t before[WRITE_PIECE], after[WRITE_PIECE];
};

/* A block of the unit, and how many of the unit's instructions come before it. */
struct unit_block {
	struct block *b;
	unsigned before;
};

struct lockstep {
	struct bt *bt;
	struct cpu before, reference;
	const struct cpu_ops *real_ops;
	struct cpu_ops ops;
	struct cpu_journal journal;
	bool replaying;
	bool overflow;		/* a table was too small, or the unit is not to be repeated: it is not compared */
	bool flushed;		/* translations were dropped or switched during the reference run */
	bool tables_written;	/* a page-table entry changed: the unit is not compared, and stale translations go */
	bool mmx_store_faulted; /* processors then set TOP to 0, the single-stepper asks first: x87 is not compared */
	bool inside;		/* the machine answers: what it asks of the CPU meanwhile is no exchange */
	bool no_way_back;	/* not all was recorded, or a repeated instruction was interrupted */
	bool differs;		/* the translator asked the machine something else */
	struct written writes[MAX_WRITES];
	unsigned nwrites;
	struct answer answers[MAX_ANSWERS];
	unsigned nanswers, next_answer;
	struct unit_block blocks[UNIT_BLOCKS];
	unsigned nblocks;
	gva_t alone[ALONE]; /* by low bits: linear addresses of blocks that wrote to devices, and begin units */
	struct insn insns[MAX_UNIT_INSNS];
	guest_pc_t eips[MAX_UNIT_INSNS];
	unsigned ninsns;     /* of the reference run */
	uint64_t generation; /* of translations, when it began */
	uint32_t undefined;  /* flags undefined at the end */
	unsigned started;    /* instructions of its present block, with the one under way */
};

/* --- lockstep_machine.c --- */
/* Puts itself between the CPU and the machine: lockstep.ops, lockstep.journal. */
void lockstep_attach(struct lockstep *ls);
/* Memory as the reference run left it, for the comparison; and as it was before, `marks` too or not. */
void lockstep_note_writes(struct lockstep *ls);
void lockstep_undo_writes(struct lockstep *ls, bool marks);

/* --- lockstep_compare.c --- */
/* Is the state that of the reference run (and did the translated one, `ran`, come to its end)? Says what differs. */
bool lockstep_same(struct lockstep *ls, bool ran);

#endif
