/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translation of one block, split by concept: decode_block.c, xlat_exit.c, xlat_mem.c, xlat_look.c, xlat_stack.c,
 * xlat_branch.c, xlat_string.c, xlat_segment.c.
 */
#ifndef GNOMON_XLAT_H
#define GNOMON_XLAT_H

#include "bt_internal.h"

/* What goes through the table of indirect targets. */
enum xlat_branch_kind {
	BRANCH_TABLE, /* to another page, another ring */
	BRANCH_INDIRECT,
	BRANCH_RETURN,
	BRANCH_UNCOUNTED, /* on behind a segment load, which has no room for more code */
};

/* A register is at least `low`, at most `high`; INT64_MIN and INT64_MAX: who knows. */
struct bound {
	int64_t low, high;
};

struct xlat {
	struct bt *bt;
	struct cache_area *area; /* in which the block is made */
	struct context *ctx;
	struct block *b;
	struct emit e;
	const struct insn *in;	  /* the instruction being translated */
	unsigned n;		  /* its index */
	guest_pc_t eip;		  /* its offset in CS */
	bool user;		  /* looks which window to use */
	bool last;		  /* no further instruction of this block follows it */
	unsigned rest;		  /* so many do, behind it in memory */
	unsigned uncounted;	  /* instructions executed that are not counted yet */
	int32_t esp_pending;	  /* what HOST_ESP lacks */
	bool unfetched;		  /* the first instruction crosses into a page that cannot be fetched from */
	uint8_t branch;		  /* enum xlat_branch_kind: of the jump through the table that is emitted next */
	bool ended;		  /* control does not come to the next instruction */
	bool in_body;		  /* not in head or stubs */
	uint8_t pair[2];	  /* 64-bit code: xlat64.h */
	uint8_t delta;		  /* xlat64.h: whose delta HOST64_DELTA holds */
	uint16_t same;		  /* registers that it serves, if it is a register's, ... */
	int32_t apart[GPR_COUNT]; /* ... and how far they are from where it was looked up */
	bool looked_up;		  /* looked up, not RSP's from memory; serves what is within RSP_REACH of there */
	bool rsp_sure;		  /* xlat64_rsp.c: the chunk that RSP is near is known since in this block, ... */
	int32_t rsp_apart;	  /* ... where it was that far from here */
	bool rsp_stale;		  /* RSP's delta in memory is not the present one's */
	bool has_chunk;		  /* block.chunk */
	uint16_t near;		  /* xlat64_near.c: registers that are known to be near the block's chunk, */
	uint16_t entered;	  /* those of them that may have been as far from it as ENTRY_REACH at the beginning, */
	uint16_t sure;	   /* those of all that are near that an access has been made by, with a constant added, */
	uint16_t foreseen; /* xlat64_foresee.c: those of which it is expected what they will hold, ... */
	uint64_t seen[GPR_COUNT]; /* ... that is */
	uint16_t single;	  /* those of them that are no sums, but for little: what contain.c bounds */
	uint16_t loaded;	  /* those that were loaded from that chunk */
	uint16_t in_code;	  /* those that are constants, addresses in the chunk that the code is in */
	int32_t moved[GPR_COUNT]; /* of those that are near: by how much since they were in it, or entered */
	struct bound bound[GPR_COUNT];
	bool adapted;		  /* an instruction is not translated as it would be at first */
	unsigned nrelocs;	  /* may exceed MAX_RELOCS: too many to note */
	const struct block *like; /* decides as for that block, but for its place: to compare a copy of it */
	uint32_t like_chunk;	  /* block.chunk, then */
	struct bt_reloc relocs[MAX_RELOCS];
};

/*
 * A translator of one instruction. False: not here (the caller emits a callout), nothing having been emitted.
 * Rule for all: no guest register, flag or memory changes before the last host instruction that can fault has passed,
 * or restarting the instruction does no harm.
 */
typedef bool xlat_fn(struct xlat *t);

/* --- decode_block.c --- */
/* Decodes up to max instructions of the block; the number. What cannot be decoded ends it as an instruction of length 1
 * that is single-stepped. */
unsigned xlat_decode(struct xlat *t, struct insn *ins, unsigned max);

/* --- translate.c --- */
/* Room for the largest block in the area (AREA_*)? */
bool xlat_has_room(const struct bt *bt, unsigned area);
/* A new block, to be emitted behind the area's last one. False: the cache was flushed for it, and contexts with it. */
bool xlat_begin(struct xlat *t, struct bt *bt, unsigned area, struct context *ctx, guest_pc_t eip, gpa_t gpa);
/* Emits all of it, but enters it nowhere. False: bt_translate() has none. */
bool xlat_block(struct xlat *t, unsigned max_insns);
void xlat_head(struct xlat *t); /* the entry for indirect branches; the body follows */
void xlat_insert(struct xlat *t);
void xlat_count(struct xlat *t); /* brings the count up to date. 32-bit code: changes T2 */
static inline bool xlat_wide_stack(const struct xlat *t)
{
	return t->ctx->key.flags & CTX_STACK32;
}
static inline unsigned host_reg(unsigned guest)
{
	return guest == RSP ? HOST_ESP : guest;
}
struct insn_map *xlat_map(const struct xlat *t); /* of the current instruction */
uint16_t xlat_here(const struct xlat *t);	 /* offset from the body */

/* --- xlat_exit.c --- */
/* Does control never come to what follows a callout for the instruction (INSN_*)? */
bool xlat_callout_ends_block(unsigned id);
/* The last `back` bytes depend on where the block is. */
void xlat_reloc(struct xlat *t, unsigned back, enum reloc_kind kind);
/* Is there such a reloc in the present instruction of t->like? */
bool xlat_like(const struct xlat *t, enum reloc_kind kind);
/* A jump to `target` in this context, linked later. Ends nothing. cc: condition, or -1. */
void xlat_link(struct xlat *t, guest_pc_t target, int cc);
void xlat_callout(struct xlat *t);
/* A callout beside the instruction's own translation, which jumps to it; the C body does the whole instruction. */
void xlat_slow_callout(struct xlat *t);
/* Leaves as a page fault of the instruction would, beside its own translation; bt_fault_address is set. */
void xlat_fault_exit(struct xlat *t, unsigned extra);
/* With all before t->eip done, for the monitor. */
void xlat_leave_before(struct xlat *t, enum exit_kind kind);
/* The instruction raises an exception, or is none: the single-stepper knows. */
void xlat_single_step(struct xlat *t);
void xlat_stubs(struct xlat *t); /* what exits of links lead to, and the end of the block */

/* --- xlat_mem.c --- */
/* Can memory operands through this segment be translated? write: the access is a write. */
bool xlat_segment_usable(const struct xlat *t, unsigned seg, bool write);
/* HOST_T0: an offset (off16: known to be below 64 KiB) -> linear address, with the limit check for `size` bytes.
 * Changes T1, T2. */
void xlat_segment_apply(struct xlat *t, unsigned seg, unsigned size, bool off16);
/* T1 = base of the window that supervisor code uses for the linear address in `reg`: MAP_USER. */
void xlat_choose_window(struct xlat *t, unsigned reg);
/* T0: linear address -> host address in the alias (no GS), if nothing watched is near; else a fault. Changes T1, T2. */
void xlat_go_through_alias(struct xlat *t);
/* T0 = offset of the instruction's explicit memory operand in its segment, more_disp added. Changes nothing else. */
void xlat_offset(struct xlat *t, int32_t more_disp);
/* The instruction's explicit memory operand, `size` bytes; more_disp is added to its offset. May use T0-T2. */
struct host_addr xlat_operand(struct xlat *t, unsigned size, int32_t more_disp);
/* Faults (to be single-stepped) if `reg` is above `limit`. Changes T1, T2. */
void xlat_check_limit(struct xlat *t, unsigned reg, uint32_t limit);
/* Faults if `size` bytes from T0 (below 64 KiB) on cross 64 KiB. Changes T1. */
void xlat_check_64k(struct xlat *t, unsigned size);
bool xlat_ident(struct xlat *t);
/* The same for a store that tends to hit pages with translated code: SITE_CHECKED. */
bool xlat_ident_checked(struct xlat *t);
bool xlat_xlat(struct xlat *t);

/* --- xlat_look.c --- */
/* Under paging, in supervisor mode: where a plain store would fault a callout, or, to a page table, a store that is
 * noted. */
bool xlat_ident_guarded(struct xlat *t);
/* Under paging: looks whether the page is mapped, and leaves as a fault would, without a signal. */
bool xlat_ident_present(struct xlat *t);

/* Jumps to *slow if `count`, of stores to page tables that are noted, leaves no room for one more. Changes RCX. */
void xlat_unless_full(struct xlat *t, struct host_addr count, uint8_t **slow);

/* --- xlat_stack.c --- */
/* Does xlat_stack() change no register? */
bool xlat_stack_is_flat(const struct xlat *t);
struct host_addr xlat_stack(struct xlat *t, int32_t delta, unsigned size); /* SS:[SP + delta] */
void xlat_stack_move(struct xlat *t, int32_t delta);
/* Can the instruction be translated while HOST_ESP lacks something? */
bool xlat_stack_may_lag(const struct xlat *t);
/* MOV r32, ESP */
bool xlat_stack_copies(const struct insn *in);
/* HOST_ESP becomes the guest's ESP, without flags: before what names it, and before the block is left. */
void xlat_stack_update(struct xlat *t);
/* The same beside the instruction's own translation, which goes on as before. */
void xlat_stack_update_aside(struct xlat *t);
bool xlat_push(struct xlat *t);
bool xlat_push_sreg(struct xlat *t);
bool xlat_pop(struct xlat *t);
bool xlat_pusha(struct xlat *t);
bool xlat_popa(struct xlat *t);
bool xlat_leave(struct xlat *t);

/* --- xlat_branch.c --- */
/* Goes to the EIP in T0 through the table of indirect targets. */
void xlat_jump_table(struct xlat *t);
bool xlat_branch(struct xlat *t);

/* --- xlat_bits.c --- */
bool xlat_bit_string(struct xlat *t);

/* --- xlat_string.c --- */
bool xlat_string(struct xlat *t, enum site_level level);
/* Under paging: a repeated store of supervisor mode's, which looks whether its pages are there, else a callout. */
bool xlat_string_guarded(struct xlat *t);

/* --- xlat_flags.c --- */
bool xlat_flags(struct xlat *t);
/* reg &= mask, without flags. Changes `temp`. */
void xlat_mask(struct xlat *t, unsigned reg, uint32_t bits, unsigned temp);
/* to = EFLAGS as an instruction or a transfer stores it, without flags. Changes the other two. */
void xlat_flags_image(struct xlat *t, unsigned to, unsigned other, unsigned temp);
/* Where flags are dead: `n` (ALU_*) of a register with an immediate; a test; the guest's flags from an image in reg,
 * which changes. */
enum { ALU_OR = 1, ALU_AND = 4, ALU_XOR = 6, ALU_CMP = 7 };
enum { CC_B = 2, CC_E = 4, CC_NE = 5 }; /* as encoded: volume 2, appendix B.1.4.7 */
void xlat_alu_imm(struct xlat *t, unsigned n, unsigned reg, uint32_t imm);
void xlat_test_imm(struct xlat *t, unsigned reg, uint32_t imm);
void xlat_take_flags(struct xlat *t, unsigned reg);

/* --- xlat_system.c --- */
/* Goes slow unless a field of struct cpu, 4 bytes at CPU_OFF(), is what it is now. Changes RCX. */
uint8_t *xlat_unless_same(struct xlat *t, int32_t field, uint32_t value);
/* Changes T2. */
void xlat_store_segment(struct xlat *t, unsigned seg, const struct segment *s);
bool xlat_sysenter(struct xlat *t);
bool xlat_sysexit(struct xlat *t);
bool xlat_rdtsc(struct xlat *t);
/* MOV from a control register, of ring 0. */
bool xlat_read_cr(struct xlat *t);
/* Flat segments are in CS and SS already: the CPL, the window and the table of the other ring. Changes T2. */
void xlat_change_ring(struct xlat *t, const struct context *to, unsigned cpl);
/* The context behind a transfer of ring with flat CS and SS of 32 bits, from such code; NULL if there is none. Only
 * CTX_IOPL depends on more: user mode's is that of IOPL 0. */
const struct context *xlat_context_behind(struct xlat *t, bool user);
/* Goes to the EIP in T0 in the context behind the instruction. The C body, to which `slow` leads, does all of it;
 * there RCX is in T1. */
void xlat_finish_transfer(struct xlat *t, uint8_t **slow, unsigned nslow);

/* --- xlat_compat.c --- */
/* SYSENTER and SYSCALL of compatibility mode. */
bool xlat_sysenter_compat(struct xlat *t);
bool xlat_syscall_compat(struct xlat *t);
/* The context of ring 0's 64-bit code, from one of compatibility mode; NULL: there is none, or no way to tell whether
 * its RIP is canonical. */
const struct context *xlat_kernel64(struct xlat *t);
/* Goes to the RIP in T0, which is canonical, in that context, with the RSP in HOST_ESP. R11 is in home.r11, CS, SS, CPL
 * and RFLAGS are done. The C body, to which `slow` leads, does all of the instruction; there RCX is in T1. */
void xlat_finish_code64(struct xlat *t, const struct context *to, uint8_t **slow, unsigned nslow);

/* --- xlat_compat_int.c --- */
bool xlat_int_compat(struct xlat *t);

/* --- xlat_iret.c --- */
/* Ways to where something is done slowly, by its C body mostly. */
struct slow {
	uint8_t *at[48];
	unsigned count;
};
/* Where to note the next of them; and where they lead: here. */
uint8_t **xlat_slow_add(struct slow *s);
void xlat_slow_here(struct xlat *t, const struct slow *s);
/* May the operand's access be made in RAM, if its page is known only? */
bool xlat_can_know(const struct xlat *t);
/* Takes one from the uses of the page of RAM whose number is in `frame`. Slow: none is left. Changes RCX, temp. */
void xlat_use_frame(struct xlat *t, unsigned frame, unsigned temp, struct slow *slow);
void xlat_slow_if_set(struct xlat *t, unsigned reg, uint32_t bits, struct slow *s);
/* field: a byte of struct cpu. */
void xlat_slow_unless_clear8(struct xlat *t, int32_t field, struct slow *s);
/* Slow if the image of RFLAGS in a register has what is left to the C body (no_rf: RF, too), or an interrupt waits for
 * it. Changes RCX, and the flags. */
void xlat_iret_flags(struct xlat *t, unsigned image, bool user, bool no_rf, struct slow *s);
/* Slow if there are data segments that user mode must not use: they would become null. Changes RCX, and the flags. */
void xlat_iret_data_segments(struct xlat *t, struct slow *s);
/* The segment register becomes what the ring_selector at `from` has. */
void xlat_take_segment(struct xlat *t, unsigned seg, int32_t from, unsigned temp);

/* --- xlat_gate.c --- */
bool xlat_int(struct xlat *t);
bool xlat_iret(struct xlat *t);
bool xlat_verw(struct xlat *t);

/* --- xlat_segment.c --- */
bool xlat_read_sreg(struct xlat *t);
bool xlat_load_sreg(struct xlat *t);
/* Jumps to *slow if RCX is not 0. */
void xlat_unless_zero(struct xlat *t, uint8_t **slow);
/* RCX is free from here on, and in T1, until the last access that can fault (the map's swap_to, to be set there). */
void xlat_save_rcx(struct xlat *t);

/* --- twin_audit.c --- */
/* The copy, which has been made but not inserted, is what a translation of the same place would be. */
void bt_audit_twin(struct xlat *t, const struct block *from);

#endif
