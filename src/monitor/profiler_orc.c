/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks of 64-bit Linux kernels, which keep no frame pointers, by their own unwind tables (ORC, as of Linux 4.14 and
 * later: arch/x86/include/asm/orc_types.h). For each stretch of code an entry says how the stack pointer before the
 * call (here: the frame's end) follows from RSP or RBP, where RBP was saved, and whether there is a return address
 * below it or the state that an interrupt or exception has pushed. Modules have tables of their own, which are not
 * looked for. All that is read is the guest's, and may be anything.
 */
#include "profiler_internal.h"

#include <string.h>

enum {
	LOOK_NS = 500 * 1000 * 1000, /* between two looks through all of RAM; each time twice as long, */
	LONGER_MAX = 7,		     /* so many times */
	MAX_COUNT = 1 << 22,
	ENTRY_BYTES = 6,
	SAMPLES = 64, /* of entries: which layout is it? */
	FRAME_MAX = 64 * 1024,
};

/* Where a register's value is to be found: bits 0 to 3 (the stack pointer) and 4 to 7 (RBP) of an entry's byte 4. */
enum { REG_UNDEFINED, REG_PREVIOUS_SP, REG_BP = 4, REG_SP, REG_BP_INDIRECT = 8, REG_SP_INDIRECT };

enum frame_kind { FRAME_CALL, FRAME_REGS, FRAME_IRET, FRAME_END };

struct orc_entry {
	int16_t sp_offset, bp_offset;
	uint8_t sp_reg, bp_reg;
	enum frame_kind kind;
};

/* The tables as the handler sees them, in RAM. */
struct tables {
	const uint8_t *ips, *entries;
	uint64_t ips_at; /* linear */
	size_t count;
	bool new_types; /* as of Linux 6.4 */
};

/* What is known of a frame. */
struct frame {
	uint64_t ip, sp, bp;
	bool exact; /* ip is an instruction that was interrupted, not what follows a call */
};

/* Offsets in struct pt_regs, and in what the processor pushes. */
enum { REGS_BP = 32, REGS_IRET = 128, IRET_IP = 0, IRET_CS = 8, IRET_SP = 24 };

/* --- the I/O thread: where are they? --- */

static bool take(void *arg, uint64_t address, char type, const char *name, size_t len)
{
	static const char *const names[] = {"__start_orc_unwind_ip", "__stop_orc_unwind_ip", "__start_orc_unwind"};
	uint64_t *found = arg;

	(void)type;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == len && !memcmp(names[i], name, len))
			found[i] = address;
	return true;
}

void profile_orc_look(struct profiler *p)
{
	struct profile_orc *o = &p->orc;
	uint64_t lstar = __atomic_load_n(&p->vm->cpu.lstar, __ATOMIC_RELAXED), now = host_now_ns(), at[3] = {0};

	if (!lstar || (lstar == o->lstar && atomic_load(&o->count)) || now < o->look_at)
		return;
	profile_names_each(p->vm, take, at);
	o->lstar = lstar;
	o->look_at = now + ((uint64_t)LOOK_NS << o->looks);
	o->looks += o->looks < LONGER_MAX;
	atomic_fetch_add(&o->changes, 1);
	atomic_store(&o->ips, at[0]);
	atomic_store(&o->entries, at[2]);
	atomic_store(&o->count, at[0] && at[2] && at[1] > at[0] ? MIN((at[1] - at[0]) / 4, (uint64_t)MAX_COUNT) : 0);
	atomic_fetch_add(&o->changes, 1);
}

/* --- the handler --- */

/* Of a table that lies in one piece in RAM, as a kernel's image does; else NULL. */
static const uint8_t *in_ram(const struct vm *vm, uint64_t linear, uint64_t len)
{
	uint64_t first, last, end = MIN(vm->pm.ram.size, 3 * GiB);
	bool x;

	if (!len || !profile_stack_translate(vm, linear, &first, &x) ||
	    !profile_stack_translate(vm, linear + len - 1, &last, &x) || last - first != len - 1 || last >= end ||
	    first > last)
		return NULL;
	return vm->pm.ram.host + first;
}

static struct orc_entry entry_at(const struct tables *t, size_t n)
{
	const uint8_t *e = t->entries + n * ENTRY_BYTES;
	struct orc_entry out = {
	    .sp_offset = (int16_t)load_le(e, 2),
	    .bp_offset = (int16_t)load_le(e + 2, 2),
	    .sp_reg = e[4] & 15,
	    .bp_reg = e[4] >> 4,
	};
	static const uint8_t new_kinds[8] = {FRAME_END,	 FRAME_END, FRAME_CALL, FRAME_REGS,
					     FRAME_IRET, FRAME_END, FRAME_END,	FRAME_END};

	if (t->new_types)
		out.kind = new_kinds[e[5] & 7];
	else
		out.kind = (e[5] & 4) || out.sp_reg == REG_UNDEFINED ? FRAME_END : (enum frame_kind)(e[5] & 3);
	return out;
}

/* Nearly all entries are of functions that return: 0 in old kernels, 2 in new ones. */
static bool has_new_types(const struct tables *t)
{
	unsigned calls = 0;

	for (size_t i = 0; i < SAMPLES; i++)
		calls += (t->entries[i * (t->count / SAMPLES) * ENTRY_BYTES + 5] & 7) == 2;
	return calls > SAMPLES / 2;
}

static bool find_tables(const struct profiler *p, struct tables *t)
{
	const struct profile_orc *o = &p->orc;
	unsigned changes = atomic_load(&o->changes);
	uint64_t entries = atomic_load(&o->entries);

	t->ips_at = atomic_load(&o->ips);
	t->count = atomic_load(&o->count);
	if (t->count < SAMPLES || (changes & 1) || changes != atomic_load(&o->changes))
		return false;
	t->ips = in_ram(p->vm, t->ips_at, t->count * 4);
	t->entries = in_ram(p->vm, entries, t->count * ENTRY_BYTES);
	if (!t->ips || !t->entries)
		return false;
	t->new_types = has_new_types(t);
	return true;
}

static uint64_t begins(const struct tables *t, size_t n)
{
	return t->ips_at + 4 * n + sign_extend(load_le(t->ips + 4 * n, 4), 4);
}

/* The entry that holds at ip. */
static bool find_entry(const struct tables *t, uint64_t ip, struct orc_entry *e)
{
	size_t low = 0, high = t->count - 1;

	if (ip < begins(t, 0) || ip >= begins(t, high)) /* the last one ends the table */
		return false;
	while (low < high) {
		size_t mid = (low + high + 1) / 2;
		if (begins(t, mid) <= ip)
			low = mid;
		else
			high = mid - 1;
	}
	*e = entry_at(t, low);
	return true;
}

static bool frame_end(const struct vm *vm, const struct orc_entry *e, const struct frame *f, uint64_t *end)
{
	switch (e->sp_reg) {
	case REG_SP:
		*end = f->sp + (uint64_t)(int64_t)e->sp_offset;
		return true;
	case REG_BP:
		*end = f->bp + (uint64_t)(int64_t)e->sp_offset;
		return true;
	case REG_SP_INDIRECT:
		if (!profile_stack_read(vm, f->sp, 8, end))
			return false;
		*end += (uint64_t)(int64_t)e->sp_offset;
		return true;
	case REG_BP_INDIRECT:
		return profile_stack_read(vm, f->bp + (uint64_t)(int64_t)e->sp_offset, 8, end);
	default: /* other registers: a few functions that align their stack */
		return false;
	}
}

/* An interrupt or exception of the kernel's own code. */
static bool interrupted(const struct vm *vm, uint64_t iret, struct frame *f)
{
	uint64_t cs;

	f->exact = true;
	return profile_stack_read(vm, iret + IRET_CS, 8, &cs) && !(cs & 3) &&
	       profile_stack_read(vm, iret + IRET_IP, 8, &f->ip) && profile_stack_read(vm, iret + IRET_SP, 8, &f->sp);
}

/* The frame of the caller, or of what was interrupted. False: there is none, or it cannot be told. */
static bool next_frame(const struct vm *vm, const struct tables *t, struct frame *f)
{
	struct orc_entry e;
	uint64_t end, bp = f->bp;

	if (!find_entry(t, f->exact ? f->ip : f->ip - 1, &e) || e.kind == FRAME_END || !frame_end(vm, &e, f, &end))
		return false;
	if (e.kind == FRAME_REGS)
		return profile_stack_read(vm, end + REGS_BP, 8, &f->bp) && interrupted(vm, end + REGS_IRET, f);
	if (e.kind == FRAME_IRET)
		return interrupted(vm, end, f);
	if (e.bp_reg == REG_PREVIOUS_SP)
		bp = end + (uint64_t)(int64_t)e.bp_offset;
	else if (e.bp_reg == REG_BP)
		bp = f->bp + (uint64_t)(int64_t)e.bp_offset;
	if (e.bp_reg != REG_UNDEFINED && !profile_stack_read(vm, bp, 8, &bp))
		return false;
	if (end - f->sp > FRAME_MAX && f->sp - end > FRAME_MAX)
		return false;
	f->exact = false;
	f->sp = end;
	f->bp = bp;
	return profile_stack_read(vm, end - 8, 8, &f->ip);
}

unsigned profile_orc_stack(const struct profiler *p, uint64_t pc, uint64_t rbp, uint64_t rsp, uint64_t *to,
			   unsigned max)
{
	struct frame f = {.ip = pc, .sp = rsp, .bp = rbp, .exact = true};
	struct tables t;
	unsigned n = 0;

	if (!cpu_code64(&p->vm->cpu) || !find_tables(p, &t))
		return 0;
	while (n < max && next_frame(p->vm, &t, &f)) {
		uint64_t gpa;
		bool executable;
		if (!profile_stack_translate(p->vm, f.ip, &gpa, &executable) || !executable)
			break;
		to[n++] = f.ip + f.exact; /* readers look one byte before: into the call */
	}
	return n;
}
