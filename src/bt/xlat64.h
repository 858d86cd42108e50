/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of 64-bit code: what differs from xlat.h. Guest registers are the host's of the same number, but for two,
 * which are in memory (home.h) and scratch here: R10 and R11, or the block's pair. GS is the base of the view
 * (shadow.h): memory operands are [address + delta of its chunk].
 */
#ifndef GNOMON_XLAT64_H
#define GNOMON_XLAT64_H

#include "cpu/x86.h"
#include "xlat.h"

/* The pair (xlat64_pair.c): guest registers that are in memory, their host's scratch. */
#define HOST64_T     t->pair[0] /* target, linear address, data */
#define HOST64_DELTA t->pair[1] /* the delta looked up last */
/* xlat.delta, if it is no register that is looked up: that of the block's chunk (block.chunk); none. */
#define DELTA_CHUNK t->pair[0]
#define DELTA_NONE  t->pair[1]

enum {
	/* An address is at most that far from the one whose chunk was looked up: SHADOW_VIEW_REACH, and more does not
	 * happen. */
	DIRECT_DISP = 1 << 20,
	/* So far may RSP be, between blocks, from an address in the chunk whose delta is kept for it; twice that where
	 * the monitor came in in the middle. More than RET's operand. */
	RSP_REACH = 1 << 17,
	/* The same of registers that are near the block's chunk (xlat64_behind.c): where a link leaves the block, ...
	 */
	NEAR_REACH = 1 << 16,
	/* ... and where it is entered behind its probes. The monitor comes in in the middle with registers that are in
	 * the chunk, and have been moved before by DIRECT_DISP at most. */
	ENTRY_REACH = 2 * DIRECT_DISP,
};

/* insn_map.swapped in 64-bit code: what the delta in HOST64_DELTA is of, and a register, or MAP_STRING's pointers. */
#define MAP64_DELTA(swapped) ((swapped) >> 4)
#define MAP64_LOW(swapped)   ((swapped)&15)

#define AT_HOME(t, field)                                                                                              \
	((struct host_addr){REG_NONE, REG_NONE, 1,                                                                     \
			    (int32_t)(uintptr_t)(t)->bt->home + (int32_t)offsetof(struct bt_home, field), false,       \
			    false})

#define AT_HOME_GPR(t, n)                                                                                              \
	((struct host_addr){REG_NONE, REG_NONE, 1,                                                                     \
			    (int32_t)(uintptr_t)(t)->bt->home + (int32_t)offsetof(struct bt_home, gpr) +               \
				(int32_t)(n)*8,                                                                        \
			    false, false})

/* Behind xlat64_load_cpu(). */
#define AT_CPU64(offset) ((struct host_addr){HOST64_DELTA, REG_NONE, 1, (int32_t)(offset), false, false})

/* --- xlat64.c --- */
/* What the code from here on takes for granted. */
static inline void xlat64_note(const struct xlat *t, struct insn_map *m)
{
	bool of_rsp = t->delta != t->pair[0] && t->delta != t->pair[1] && (t->same & BIT(RSP));

	m->swapped = (uint8_t)((of_rsp ? RSP : t->delta) << 4); /* RSP's is the one that the monitor puts into memory */
	m->near = t->near;
}
/* HOST64_DELTA = struct cpu. */
void xlat64_load_cpu(struct xlat *t);
/* The instruction; false: by a callout. */
bool xlat64_insn(struct xlat *t);
void xlat64_head(struct xlat *t);
void xlat64_count(struct xlat *t, unsigned scratch);
/* Leaves with the exit's number. */
void xlat64_leave(struct xlat *t, unsigned number);
/* Goes to a RIP in another page, through the table; to the one in HOST64_T. */
void xlat64_jump_table(struct xlat *t, guest_pc_t target);
void xlat64_jump_indirect(struct xlat *t, enum xlat_branch_kind kind);
/* The same of home.target, which is known to be canonical. */
void xlat64_jump_home(struct xlat *t);
/* The guest's register of the pair in a host register, and back. */
void xlat64_load_reg(struct xlat *t, unsigned to, unsigned guest);
void xlat64_store_reg(struct xlat *t, unsigned size, unsigned guest, unsigned from);
/* Addresses of 57 bits? */
static inline bool xlat64_wide(const struct xlat *t)
{
	return t->ctx->key.flags & CTX_LA57;
}
static inline bool xlat64_in_memory(const struct xlat *t, unsigned guest)
{
	return guest == t->pair[0] || guest == t->pair[1];
}

/* --- xlat64_pair.c --- */
/* Instructions whose translations know of any pair, and behind which what is known of registers holds. */
bool xlat64_is_plain(const struct insn *in);
/* A branch, at that offset in its block, that leads to the block's own beginning? */
bool xlat64_loops(const struct insn *in, unsigned offset);
/* Which pair the block is to have, whose instructions these are. */
void xlat64_choose_pair(struct xlat *t, const struct insn *ins, unsigned count);
/* From here on that is the pair, as it was R10 and R11 before; and back. */
void xlat64_begin_pair(struct xlat *t);
void xlat64_end_pair(struct xlat *t);
/* What the stub of a link begins with. */
void xlat64_stub(struct xlat *t, const struct bt_exit *x);

/* --- xlat64_probe.c --- */
/* Comparisons by addresses (probe.c)? */
bool xlat64_probes(const struct xlat *t);
/* Faults unless home.target is `rip`; their lower halves are equal. Changes HOST64_T. False: not here. */
bool xlat64_probe_target(struct xlat *t, guest_pc_t rip);
/* Faults unless the register is an address in the block's chunk. Changes temp: HOST64_T, or HOST64_DELTA where nothing
 * is in it. */
void xlat64_probe_chunk(struct xlat *t, unsigned reg, unsigned temp);
/* The displacement by which it does. */
uint32_t xlat64_probe_displacement(const struct bt *bt, uint32_t chunk);
/* Faults unless the register is one of 2 GiB of numbers from `half` on. Changes HOST64_T. */
void xlat64_probe_half(struct xlat *t, unsigned reg, uint64_t half);
/* Faults unless HOST64_T is a canonical address. Changes HOST64_DELTA. */
void xlat64_probe_canonical(struct xlat *t);

/* --- xlat64_mem.c --- */
/* Is HOST64_DELTA the delta of some register? */
static inline bool xlat64_has_delta(const struct xlat *t)
{
	return t->delta != DELTA_NONE && t->delta != DELTA_CHUNK;
}
/* Is it that of the register's chunk, or of one that it may have been moved out of by little? */
static inline bool xlat64_serves(const struct xlat *t, unsigned reg)
{
	return xlat64_has_delta(t) && !xlat64_in_memory(t, reg) && (t->same & BIT(reg));
}
/* HOST64_DELTA is the delta of the register, which is that far from where it was looked up. */
void xlat64_serve(struct xlat *t, unsigned reg, int32_t apart);
/* HOST64_DELTA = delta of the chunk of the address in a register (a guest's, or HOST64_T). */
void xlat64_look_up(struct xlat *t, unsigned reg);
/* The same, from the table, whatever is known. */
void xlat64_look_up_anew(struct xlat *t, unsigned reg);
/* The instruction's explicit memory operand, of an instruction that makes an access. HOST64_T is free if it is not the
 * base. */
struct host_addr xlat64_operand(struct xlat *t);
/* Can the instruction, which has a memory operand, make its access at any [base + index + disp], by ... */
bool xlat64_can_access(const struct xlat *t);
/* ... these? */
void xlat64_access(struct xlat *t, struct host_addr at);
/* HOST64_DELTA = delta of a chunk. kind: what its displacement is. */
void xlat64_constant_delta(struct xlat *t, uint32_t chunk, enum reloc_kind kind);
/* HOST64_T = the linear address of that operand. */
void xlat64_linear(struct xlat *t);
bool xlat64_ident(struct xlat *t);
/* LEA of a constant address in the chunk that the code is in, in which copies have it, too? */
bool xlat64_lea_in_code(const struct xlat *t);

/* --- xlat64_near.c --- */
/* The block's chunk is that one, if it has none yet: true. by: enum chunk_by, or a register. */
bool xlat64_near_choose(struct xlat *t, uint32_t chunk, unsigned by);
/* Are registers expected in a chunk at all? */
bool xlat64_near_usable(const struct xlat *t);
/* It is that one. */
void xlat64_near_take(struct xlat *t, uint32_t chunk, unsigned by);
/* HOST64_DELTA = the delta of the block's chunk. */
void xlat64_near_delta(struct xlat *t);
/* A memory operand [base + disp]: in the block's chunk, or fault; HOST64_DELTA is its delta. False: not expected
 * there. */
bool xlat64_near_base(struct xlat *t, unsigned base);
/* Faults unless the register is in the block's chunk; then it is near. Changes HOST64_T. */
void xlat64_near_probe(struct xlat *t, unsigned reg);
/* The access that follows is made by [base + disp]: if it is, the base is what the probe takes it for. */
void xlat64_near_accessed(struct xlat *t, unsigned base, int32_t disp);
/* As xlat64_near_base() for any other address, which is the instruction's operand. Changes HOST64_T. */
bool xlat64_near_operand(struct xlat *t);
/* An operand with an index of which it is known that it is small: *at. False: it is not. Changes HOST64_T. */
bool xlat64_near_indexed(struct xlat *t, struct host_addr *at);
/* Nothing is known of registers any more. */
void xlat64_near_forget(struct xlat *t);
/* What the instruction does to what is known. */
void xlat64_near_behind(struct xlat *t);
/* Moves a register by a constant, or copies one that may have been moved? Then where from, and by how much. */
bool xlat64_moves(const struct insn *in, unsigned *to, unsigned *from, int64_t *by);
/* Not if all of a mask's bits are 0. Nor need x87 store, or look where, what raises an exception that is not masked. */
bool xlat64_surely_accesses(const struct insn *in);

/* --- xlat64_behind.c --- */
/* At the block's beginning: probes, behind which others may enter. */
void xlat64_behind_begin(struct xlat *t, const struct insn *ins, unsigned count);
/* bt_exit.near: registers that are within NEAR_REACH of the block's chunk, or as they were where it was entered; and
 * HOST64_T's bit if HOST64_DELTA is the chunk's delta. */
uint16_t xlat64_behind_known(const struct xlat *t);

/* --- xlat64_foresee.c --- */
/* At the block's beginning: registers are what they are now. */
void xlat64_foresee(struct xlat *t);
/* What the instruction does to them. */
void xlat64_foresee_behind(struct xlat *t);

/* --- xlat64_look.c --- */
/* RCX = 0 if the page at the host address in HOST64_DELTA can be stored to (write) or loaded from, else what it is
 * (enum look_verdict). Changes HOST64_T. */
void xlat64_look(struct xlat *t, bool write);
/* Looks whether the page is mapped, and leaves as a fault would, without a signal. */
bool xlat64_ident_present(struct xlat *t);
/* Looks the same before the access to the stack of an instruction that makes no other. */
void xlat64_look_at_stack(struct xlat *t);
/* In supervisor mode: where a plain store would fault a callout, or, to a page table, a store that is noted. */
bool xlat64_ident_guarded(struct xlat *t);

/* --- xlat64_bound.c --- */
/* Is it known that the register, scaled, is at most SHADOW_VIEW_GUARD, less some? */
bool xlat64_bounded(const struct xlat *t, unsigned index, unsigned scale);
/* Is it expected to be that, and not known to be more? Then faults unless it is. *how gets INDEX_*. Changes HOST64_T.
 */
bool xlat64_bound_probe(struct xlat *t, unsigned index, unsigned *how);
/* What the instruction does to what is known. */
void xlat64_bound_behind(struct xlat *t);
void xlat64_bound_forget(struct xlat *t);

/* --- xlat64_rsp.c --- */
/* HOST64_DELTA = delta of a chunk that RSP is near. False: not kept. */
bool xlat64_rsp_load(struct xlat *t);
/* By that delta [RSP + disp] is accessed. */
void xlat64_rsp_accessed(struct xlat *t, int32_t disp);
/* HOST64_DELTA is the delta from here on, of an address that RSP is that far from. */
void xlat64_rsp_taken(struct xlat *t, int32_t apart);
/* The monitor sees to it. */
void xlat64_rsp_forget(struct xlat *t);
/* Is RSP, as the instruction leaves it, to be looked up by the next one of the block? */
bool xlat64_rsp_looks_behind(const struct xlat *t);
/* Before an instruction is translated, and behind it. */
void xlat64_rsp_before(struct xlat *t);
void xlat64_rsp_behind(struct xlat *t);
/* Before anything else of the instruction behind that. */
void xlat64_rsp_refresh(struct xlat *t);
/* The end of a block that nothing more can be looked up in. */
void xlat64_rsp_leave(struct xlat *t);
/* home.rsp_next = delta, for a ring, of the RSP in a register (HOST64_T, or the guest's). Changes HOST64_T. */
void xlat64_rsp_find(struct xlat *t, bool user, unsigned reg);
/* That is the delta from here on. Changes HOST64_T. */
void xlat64_rsp_take_found(struct xlat *t);

/* --- xlat64_stack.c --- */
struct host_addr xlat64_stack(struct xlat *t, int32_t delta);
void xlat64_stack_move(struct xlat *t, int32_t delta);
bool xlat64_push(struct xlat *t);
bool xlat64_pop(struct xlat *t);
bool xlat64_leave_frame(struct xlat *t);
bool xlat64_branch(struct xlat *t);

/* --- xlat64_flags.c --- */
/* RSP is that of a few words of the monitor's, of which `words` are free; and back. */
void xlat64_use_stack(struct xlat *t, unsigned words);
void xlat64_leave_stack(struct xlat *t);
bool xlat64_flags(struct xlat *t);
/* MOV from a control register, of ring 0. */
bool xlat64_read_cr(struct xlat *t);
bool xlat64_read_sreg(struct xlat *t);
bool xlat64_verw(struct xlat *t);
/* Goes to *other unless the descriptor of the struct ring_selector at that offset in struct cpu is what it was.
 * HOST64_DELTA is struct cpu, before and after. Changes RCX, HOST64_T. */
void xlat64_same_descriptor(struct xlat *t, size_t selector, uint8_t **other);
bool xlat64_bit_string(struct xlat *t);

/* --- xlat64_bases.c --- */
bool xlat64_swapgs(struct xlat *t);
/* An operand of FS or GS and a constant, with where the base leads: *at. False: that is not known. Changes HOST64_T
 * only. */
bool xlat64_held(struct xlat *t, int64_t offset, struct host_addr *at);
/* RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE */
bool xlat64_bases(struct xlat *t);

/* --- xlat64_syscall.c --- */
bool xlat64_rdtsc(struct xlat *t);
bool xlat64_syscall(struct xlat *t);
bool xlat64_sysret(struct xlat *t);
/* The context in the other ring; NULL: there is none. */
const struct context *xlat64_context_behind(struct xlat *t, bool user);
/* HOST64_DELTA is struct cpu. The table of branch targets. Changes HOST64_T. */
void xlat64_enter_ring(struct xlat *t, const struct context *to);
/* The host's flags from HOST64_T, which changes. */
void xlat64_take_flags(struct xlat *t);

/* --- xlat64_iret.c --- */
bool xlat64_iret(struct xlat *t);

/* --- xlat_compat.c --- */
/* Goes slow unless the data segments are those that 64-bit code last returned to compatibility mode with: flat, ring 3,
 * IOPL 0, AC clear. HOST64_DELTA is struct cpu; changes HOST64_T and flags. */
enum { COMPAT_SLOW = 2 * DATA_SEGMENTS + 1 };
void xlat64_check_compat(struct xlat *t, uint8_t *slow[COMPAT_SLOW]);
/* Behind that: goes to the EIP in HOST64_T there. CS, SS, CPL and RFLAGS are done. */
void xlat64_enter_compat(struct xlat *t);

/* --- xlat64_string.c --- */
bool xlat64_string(struct xlat *t);
/* A repeated one of supervisor mode's that looks at its pages first. False: not of the kind. */
bool xlat64_string_guarded(struct xlat *t);

#endif
