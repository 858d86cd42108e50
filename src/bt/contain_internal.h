/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of registers while a block is checked (contain.h): sums of symbols, modulo 2^64. */
#ifndef GNOMON_BT_CONTAIN_INTERNAL_H
#define GNOMON_BT_CONTAIN_INTERNAL_H

#include "contain.h"
#include "cpu/decode.h"
#include "home.h"

enum {
	TERMS = 6,
	SLOTS = sizeof(struct bt_home) / 8,
	FACTS = 96,
	SYMBOLS = 20000,
	PENDING = 96, /* places that jumps lead to further on */
};

/* constant + sum of coefficient * symbol */
struct value {
	uint64_t constant;
	uint32_t n;
	struct term {
		uint32_t symbol;
		int32_t times;
	} term[TERMS];
};

enum kind {
	SYM_ANY,
	SYM_SHIFTED,   /* `of`, shifted right by `count` */
	SYM_ROTATED,   /* `of`, rotated right by `count` */
	SYM_DELTA,     /* the delta of the chunk that `of` is in */
	SYM_CPU,       /* struct cpu */
	SYM_TABLE,     /* a table of branch targets */
	SYM_TABLE_PTR, /* where such a pointer is */
	SYM_ENTRY,     /* what such a table holds */
	SYM_VIEW,      /* a view */
	SYM_WINDOW,    /* what else GS.base may become */
	SYM_SECRET,    /* what a probe has read: of the monitor's */
	SYM_LOW,       /* the low 32 bits of `of` */
	SYM_EXTRACTED, /* those bits of `of` that `mask` has */
	SYM_STATE,     /* the state of the page at the host address `of`, */
	SYM_VERDICT,   /* ... what it tells of a load or (count) a store, */
	SYM_FRAME,     /* ... and the page of RAM there */
	SYM_HELD,      /* a host address in a chunk's place, or nowhere, */
	SYM_PLACE,     /* ... or the first one there */
	SYM_APART,     /* how far a register is from the chunk behind probes that were made elsewhere */
};

struct symbol {
	enum kind kind;
	unsigned count;
	uint64_t mask;
	struct value of;
	int64_t low, high; /* as a signed number */
};

enum fact_kind {
	FACT_NEAR,    /* the value is in a chunk, whose number is known modulo 2^20 */
	FACT_BOUNDS,  /* the symbol is within bounds */
	FACT_TRACED,  /* all that keeps the page at that host address from being stored to is a trace */
	FACT_KNOWN,   /* the page at that host address is one of RAM, and may be loaded from, or (mask) stored to, there
		       */
	FACT_ALIGNED, /* the value's bits of `mask` are 0 */
	FACT_INSIDE,  /* it is more than `mask` from the end of its page */
	FACT_ROOM,    /* for one more of bt_home.table_store */
	FACT_LAST,    /* the address that was accessed last, by the delta that is the symbol `mask` */
	FACT_TOUCHED, /* the same, by bt_home.rsp_delta */
};

/*
 * A probe passes for some numbers that are far from what it compares with (docs/isolation.md). It is an access by a sum
 * of which all else is known that is not come past then.
 */
enum trust {
	CLAIMED,  /* by a probe */
	ACCESSED, /* FACT_BOUNDS: true. FACT_NEAR: true modulo what the indexes that were added are known modulo */
	TRUE,
};

struct fact {
	enum fact_kind kind;
	enum trust trust; /* of FACT_NEAR and FACT_BOUNDS */
	struct value value;
	uint32_t chunk;
	uint64_t mask;
	int64_t low, high;
};

struct state {
	struct value gpr[16];
	struct value slot[SLOTS]; /* of struct bt_home */
	struct fact fact[FACTS];
	unsigned nfacts;
};

struct pending {
	unsigned at; /* offset; 0: free */
	struct state state;
};

struct contain {
	const struct contain_rules *rules;
	const struct contain_code *code;
	struct symbol symbols[SYMBOLS];
	unsigned nsymbols;
	struct state now;
	bool live; /* control comes here */
	struct pending pending[PENDING];
	unsigned offset, next; /* of the instruction, and of the one behind */
	struct insn in;
	struct value entered[16]; /* what registers were at the last entry behind probes */
	uint32_t stores;	  /* the symbol that bt_home.table_stores last was */
	bool claims;		  /* bounds that are claimed only are taken for true */
	struct used {		  /* facts that the last operand in a place rests on; NULL: none */
		struct fact *near, *claim;
		bool bounds, claims; /* any bounds; more than one that is claimed only */
	} used;
	const char *wrong;
};

/* --- contain_value.c --- */
struct value value_constant(uint64_t c);
struct value value_symbol(struct contain *k, enum kind kind, int64_t low, int64_t high);
struct value value_any(struct contain *k);
/* Of `size` bytes, zero-extended. */
struct value value_sized(struct contain *k, unsigned size);
/* a + times * b */
struct value value_sum(struct contain *k, struct value a, struct value b, int64_t times);
/* A symbol that is made of a value. */
struct value value_made(struct contain *k, enum kind kind, unsigned count, struct value of);
bool value_same(const struct value *a, const struct value *b);
static inline bool value_is_constant(const struct value *v)
{
	return !v->n;
}
/* The symbol that the value is, or NULL. */
const struct symbol *value_only(const struct contain *k, const struct value *v);
/* As a signed number that does not overflow. */
bool value_bounds(struct contain *k, const struct value *v, int64_t *low, int64_t *high);
bool value_within(struct contain *k, const struct value *v, int64_t low, int64_t high);
bool value_has(const struct contain *k, const struct value *v, enum kind kind);
void state_reset(struct contain *k);
void state_meet(struct contain *k, struct state *into, const struct state *other);
void state_learn(struct contain *k, const struct fact *f);
void state_forget(struct contain *k, enum fact_kind kind);
/* Is there a fact of that kind and value? */
const struct fact *state_knows(const struct contain *k, enum fact_kind kind, const struct value *v);

/* --- contain_behind.c --- */
/* Which entry behind probes is there? 0: none; 1: without the delta; 2: with it. */
unsigned behind_entry(const struct contain *k, unsigned offset);
/* Is all known that those take for granted who enter behind the probes of these? */
bool behind_known(struct contain *k, uint16_t near);
/* Control comes there: nothing else is known. */
void behind_enter(struct contain *k, bool delta);
/* An access has been made that rests on the fact: what is that near, for certain. */
void behind_accessed(struct contain *k, const struct value *v, const struct fact *near);

/* --- contain_access.c --- */
/* The address of the instruction's operand, without its segment's base. */
struct value operand_address(struct contain *k);
/* Checks the instruction's memory operand; what it reads, if it is 4 or 8 bytes. */
struct value operand_access(struct contain *k);
/* Is that within the place that a delta in it leads to, whatever probes claim? */
bool value_placed(struct contain *k, const struct value *v, unsigned size);
/* Is the value in the chunk, as far as the facts tell? */
bool value_near(struct contain *k, const struct value *v, uint32_t chunk);
/* Is the stack pointer that of the words of the monitor's, with room for one more word (push), or one in it? The word;
 * NULL: no. */
struct value *stack_word(struct contain *k, bool push);

struct value access_refused(struct contain *k, const char *why);

/* --- contain_rsp.c --- */
/* What all who enter see to. */
void rsp_reset(struct contain *k);
/* That address has been accessed by that delta. */
void rsp_accessed(struct contain *k, const struct value *address, uint32_t delta);
/* bt_home.rsp_delta has been written. */
void rsp_stored(struct contain *k);
/* Is bt_home.rsp_delta one by which others may access the stack? */
bool rsp_in_order(struct contain *k);
/* The monitor comes in here, with the delta of RSP as it is now, and, in its register, that of `delta`. */
void rsp_at_point(struct contain *k, unsigned delta);

/* --- contain_look.c --- */
/* Is the operand at that address one of a look, or of a store that follows from one? Then what it reads. */
bool look_access(struct contain *k, const struct value *at, struct value *read);
/* RCX is 0: what follows. */
void look_zero(struct contain *k);
/* It is not. */
void look_not_zero(struct contain *k);

/* --- contain_effect.c --- */
/* What the instruction does to registers; its accesses are checked. */
void effect_apply(struct contain *k);

#endif
