/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What segment loads, far transfers, event delivery and task switches share. Stays within src/cpu.
 */
#ifndef GNOMON_TRANSFER_INTERNAL_H
#define GNOMON_TRANSFER_INTERNAL_H

#include "event.h"
#include "mem.h"
#include "seg.h"

/* Descriptor bits above the base and limit, as SEG_* (3.4.5). */
static inline unsigned desc_attr(uint64_t low)
{
	return (unsigned)(low >> 40) & 0xf0ff;
}

static inline unsigned attr_dpl(unsigned attr)
{
	return (attr & SEG_DPL) >> SEG_DPL_SHIFT;
}

static inline bool attr_code(unsigned attr)
{
	return (attr & (SEG_S | SEG_CODE)) == (SEG_S | SEG_CODE);
}

static inline bool attr_conforming(unsigned attr)
{
	return attr & SEG_C;
}

static inline bool attr_writable_data(unsigned attr)
{
	return (attr & (SEG_S | SEG_CODE | SEG_W)) == (SEG_S | SEG_W);
}

/* Type of a system descriptor (SYS_*), or 0, which is reserved, for a code or data segment. */
static inline unsigned attr_system_type(unsigned attr)
{
	return attr & SEG_S ? 0 : attr & SEG_TYPE;
}

static inline bool selector_null(uint16_t selector)
{
	return !(selector & (SEL_INDEX | SEL_TI));
}

/* A selector as an error code (6.13): without RPL. EXT is added where delivery fails, in cpu_deliver(). */
static inline bool raise_selector(struct x86_fault *f, unsigned vector, uint16_t selector)
{
	return x86_raise_error(f, vector, selector & (SEL_INDEX | SEL_TI));
}

/* --- descriptor.c --- */

/* Linear address of the entry that a selector names; no checks. */
gva_t cpu_descriptor_address(const struct cpu *cpu, uint16_t selector);

/* The second half of a 64-bit system descriptor has type 0 where a type would be (figure 5-8, 7-4). */
static inline bool descriptor_high_valid(const struct descriptor *d)
{
	return !((d->high >> 40) & 0x1f);
}

/*
 * SS for privilege level `cpl`, vector(selector) if the type or a privilege does not fit, #SS(selector) if absent. Not
 * for null. cpu_check_data: DS, ES, FS, GS for the current CPL, null included; cpu_check_return_code: CS for RETF and
 * IRET.
 */
bool cpu_check_stack(struct cpu *cpu, uint16_t selector, unsigned cpl, unsigned vector, struct segment *out,
		     struct x86_fault *f);
bool cpu_check_data(struct cpu *cpu, uint16_t selector, unsigned vector, struct segment *out, struct x86_fault *f);
bool cpu_check_return_code(struct cpu *cpu, uint16_t selector, struct segment *out, struct x86_fault *f);

/* #GP(0) if rip cannot be executed in the segment: beyond its limit, or not canonical in 64-bit code. */
bool cpu_check_rip(const struct cpu *cpu, const struct segment *cs, uint64_t rip, struct x86_fault *f);

/* --- segment.c --- */

struct segment segment_null(uint16_t selector);
/* SS of ring `cpl` after a transfer to it in long mode (6.14.4). */
struct segment segment_null_stack(unsigned cpl);

/* What a load of `seg` makes of a selector in real-address or V86 mode. */
struct segment cpu_paragraph_segment(const struct cpu *cpu, unsigned seg, uint16_t selector);

/* SS on a return to ring `cpl`: #GP; null only for 64-bit code of rings 0-2. */
bool cpu_check_return_stack(struct cpu *cpu, uint16_t selector, unsigned cpl, bool to_code64, struct segment *out,
			    struct x86_fault *f);

/* After a return to an outer ring: data segments that it must not use become null (RETF, IRET). */
void cpu_drop_inner_segments(struct cpu *cpu);

/* Commits a transfer: CS with RPL = cpl, the CPL, next_rip. */
void cpu_enter_code(struct cpu *cpu, const struct segment *cs, unsigned cpl, uint64_t rip);

/* SP after a return to an outer stack: of a 16-bit stack only SP is loaded, as on processors. cpu->seg[SEG_SS] is the
 * new one. */
void cpu_set_stack_pointer(struct cpu *cpu, uint64_t rsp);

/* --- frame.c --- */

/* What a transfer pushes, all of it or nothing. 31 parameters of a call gate and four words of its own. */
enum { FRAME_WORDS = 36 };

struct frame {
	struct segment ss;
	uint64_t rsp;	/* before; after frame_write(): the new value */
	uint8_t width;	/* of the stack pointer, in bytes */
	uint8_t size;	/* of a word, in bytes */
	bool system;	/* the stack of an inner ring: supervisor access whatever cpu->cpl says */
	uint16_t error; /* of #SS */
	uint8_t count;
	uint64_t word[FRAME_WORDS]; /* in the order of pushing */
};

/* The stack in use. */
struct frame frame_current(const struct cpu *cpu, unsigned size);
/* The stack of an inner ring from the TSS, with all its checks (#TS, #SS). */
bool frame_inner(struct cpu *cpu, unsigned ring, unsigned size, struct frame *out, struct x86_fault *f);
void frame_add(struct frame *frame, uint64_t word);
/* Is there room (limit, canonicality)? #SS. */
bool frame_room(const struct cpu *cpu, const struct frame *frame, struct x86_fault *f);
/* Writes the words after frame_room(); page faults are met before anything is written. */
bool frame_write(struct cpu *cpu, struct frame *frame, struct x86_fault *f);
/* Makes it the stack in use. */
void frame_commit(struct cpu *cpu, const struct frame *frame);

/* --- callgate.c --- */

bool cpu_call_gate(struct cpu *cpu, uint16_t selector, const struct descriptor *gate, bool call, struct x86_fault *f);

/* --- task.c --- */

/* cpu_task_switch() with the RIP and flags that the old TSS receives. */
bool cpu_switch_task(struct cpu *cpu, uint16_t selector, enum task_switch why, const uint16_t *error, uint64_t rip,
		     uint64_t rflags, struct x86_fault *f);

/* A task gate's selector. */
static inline uint16_t gate_selector(uint64_t low)
{
	return (uint16_t)(low >> 16);
}

static inline uint64_t gate_offset(const struct descriptor *gate, bool wide)
{
	uint64_t offset = gate->low & 0xffff;
	if (wide)
		offset |= (gate->low >> 32) & 0xffff0000u;
	return offset;
}

/* --- deliver.c --- */

struct delivery {
	unsigned vector;
	enum event_kind kind;  /* EVENT_SOFTWARE checks the DPL of the gate */
	const uint16_t *error; /* NULL: none */
	uint64_t rip;	       /* to be saved */
	uint64_t rflags;       /* to be saved, RF as it is to be */
};

/* One attempt. Errors without EXT. Sets next_rip. */
bool cpu_deliver_real(struct cpu *cpu, const struct delivery *e, struct x86_fault *f);
bool cpu_deliver_protected(struct cpu *cpu, const struct delivery *e, struct x86_fault *f);
bool cpu_deliver_long(struct cpu *cpu, const struct delivery *e, struct x86_fault *f);

#endif
