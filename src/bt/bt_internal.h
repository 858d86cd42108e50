/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator's data: mode contexts, blocks, exits, the cache. See README.md.
 */
#ifndef GNOMON_BT_INTERNAL_H
#define GNOMON_BT_INTERNAL_H

#include "bt.h"
#include "cpu/decode.h"
#include "emit.h"
#include "gsbase.h"
#include "home.h"

enum {
	BLOCK_MAX_INSNS = 48,
	HASH_BITS = 19,
	HASH_PAGE_BITS = 6, /* of these, by the place within the page */
	MAX_CONTEXTS = 192,
	MAX_FILLS = 256,
	SITE_ENTRIES = 4096,
	STRAY_BITS = 16,
	STRAYS_KEPT = 8, /* over so many flushes */
	LOOK_BITS = 14,
	KNOWN_PAGES = 1024,
	STRAYS_MAX = 2, /* times that an address was not where the block expected it */
	KNOWN_MODES = 8,
	AUDIT_EVERY = 64,
	CACHE_PARTS = 11,
	FORGET_PAGES = 64, /* more than that lost at once: all of an address space */
	ADAPT_AFTER = 3,   /* slow faults at a site before it becomes a callout */
	COLD_AFTER =
	    256, /* callouts of an adapted site in a row that would not have faulted before it becomes fast again */
};

#define DEFAULT_CACHE_BYTES (64 * MiB)
#define INDIRECT_ENTRIES    (4 * GiB) /* of a table of indirect branch targets: one for each EIP */

/* Flags that live in the host's while in the cache. */
#define FLAGS_LIVE ((uint32_t)(FLAGS_ARITH | FLAG_DF))

/* How a segment's memory operands are translated. */
enum seg_class {
	SEGC_FLAT,  /* base 0, limit 4 GiB: no code at all */
	SEGC_BASED, /* limit 4 GiB: add the base */
	SEGC_64K,   /* limit FFFF, expand-up: only accesses that cross it need a check */
	SEGC_LIMIT, /* any other expand-up limit */
	SEGC_ODD,   /* read-only, execute-only, expand-down, null: every access is single-stepped */
	SEGC_COUNT
};

/* What the translation of an instruction depends on beside its bytes. Two states with equal keys run the same code. */
struct context_key {
	uint32_t cs_base, cs_limit; /* 64-bit code: 0, FFFFFFFF */
	uint32_t seg_class;	    /* 3 bits for each of ES, CS, SS, DS, FS (bits 0-14); GS in flags */
	uint32_t flags;		    /* CTX_* */
};

enum {
	CTX_CODE32 = 1,
	CTX_STACK32 = 2,
	CTX_PROTECTED = 4,
	CTX_V86 = 8,
	CTX_CPL3 = 16,	 /* CPL is not 0 */
	CTX_IOPL = 32,	 /* CPL <= IOPL */
	CTX_NO_FPU = 64, /* CR0.EM or TS: x87, MMX and SSE are single-stepped */
	CTX_WAIT_TRAPS = 128,
	CTX_SSE = 256, /* CR4.OSFXSR */
	CTX_PAGED = 512,
	CTX_NO_TSC = 1024,  /* CR4.TSD. At any CPL, so that a change of ring knows what is behind it */
	CTX_NO_USER = 2048, /* SMAP keeps supervisor mode from user mode's memory: CR4.SMAP, RFLAGS.AC clear */
	CTX_GS_SHIFT = 12,
	CTX_CPL12 = 1 << 15,  /* CPL is 1 or 2: CTX_CPL3, but pages are supervisor mode's */
	CTX_CODE64 = 1 << 16, /* 64-bit mode */
	CTX_COMPAT = 1 << 17, /* compatibility mode: transfers lead to 64-bit code */
	CTX_XSAVE = 1 << 18,  /* CR4.OSXSAVE */
	CTX_AVX = 1 << 19,    /* CR4.OSXSAVE and XCR0.AVX */
	/* CR4.FSGSBASE, in 64-bit mode */
	CTX_FSGSBASE = 1 << 20,
	CTX_LA57 = 1 << 21,   /* CR4.LA57, in long mode: addresses of 57 bits */
	CTX_AVX512 = 1 << 22, /* CTX_AVX, and XCR0's bits for AVX-512 */
};

/* All that a context key is made of, as far as it changes, and the context it led to. */
struct mode_inputs {
	struct segment seg[SEG_COUNT];
	uint64_t cr0, cr4, xcr0, efer, rflags, cpl;
	struct context *ctx; /* NULL: none */
};

/* Entries of the present indirect table that hold to the next mmu_event only. */
struct fills {
	uint32_t at[MAX_FILLS]; /* EIPs, or the low halves of RIPs */
	unsigned count;		/* may exceed MAX_FILLS: too many to note */
};

/*
 * By the target's EIP: where its block is entered, or the miss stub; in 64-bit code, how far behind that stub. 0 is
 * that stub, too. Address space for all of them, memory for those that are filled.
 */
struct indirect_table {
	uint32_t *entries; /* INDIRECT_ENTRIES, reserved when first filled */
	uint64_t *used;	   /* behind them; bit per piece (see indirect.c): there may be entries that are not 0 */
	uint64_t *held;	   /* behind those: there is memory for entries, used or not any more */
	uint32_t *list;	   /* behind those: the pieces with memory */
	uint64_t *spans;   /* behind those; bit per span: the host has made a page table */
	unsigned pieces;   /* bits in `used` */
	unsigned held_pieces, held_spans;
};

struct context {
	struct context_key key;
	struct context *after_load[SEG_COUNT][SEGC_COUNT]; /* where a load of another class of segment led */
	uint16_t id;
	uint32_t miss;	    /* what its tables have for the miss stub */
	uint32_t *indirect; /* entries of the present address space; bt->miss_table if there are none */
	struct indirect_table tables[SHADOW_SPACES]; /* by address space; all but user mode with paging: the first */
	struct fills fills;			     /* CTX_PAGED */
};

static inline enum seg_class context_seg_class(const struct context *c, unsigned seg)
{
	return seg == SEG_GS ? (c->key.flags >> CTX_GS_SHIFT) & 7 : (c->key.seg_class >> (3 * seg)) & 7;
}

/* Of user mode under paging: what it runs depends on the address space. */
static inline bool context_user(const struct context *c)
{
	return (c->key.flags & (CTX_PAGED | CTX_CPL3 | CTX_CPL12)) == (CTX_PAGED | CTX_CPL3);
}

static inline bool context_code64(const struct context *c)
{
	return c->key.flags & CTX_CODE64;
}

/* Where its ring's table of deltas is, from GS.base on (64-bit code). */
static inline int32_t context_view(const struct context *c)
{
	return c->key.flags & CTX_CPL3 ? 0 : SHADOW_SUPERVISOR_VIEW;
}

/* The operand size that its code has by default, in bytes. */
static inline unsigned context_code_size(const struct context *c)
{
	return context_code64(c) ? 8 : c->key.flags & CTX_CODE32 ? 4 : 2;
}

/* An instruction pointer as the context's code has it: EIP wraps around. */
static inline guest_pc_t context_pc(const struct context *c, guest_pc_t eip)
{
	return context_code64(c) ? eip : (uint32_t)eip;
}

static inline gva_t context_linear(const struct context *c, guest_pc_t eip)
{
	return context_code64(c) ? eip : (uint32_t)(c->key.cs_base + eip);
}

enum exit_kind {
	EXIT_LINK,    /* direct branch or fall-through to target */
	EXIT_TABLE,   /* the same to another page, under paging: through the indirect table, since mappings may change;
			 linked when it has proved to last (cross.c) */
	EXIT_CALLOUT, /* run the instruction's C body, then go on behind it if the mode is the same */
	EXIT_FAULT,   /* the instruction's access would fault: cpu->bt_fault_address; extra: FAULT_* */
	EXIT_STEP,    /* single-step the instruction at target: no translation of it exists here */
	EXIT_BREAK,   /* a debugger's breakpoint is at target */
};

enum {
	FAULT_WRITE = 1,
	FAULT_ALONE = 2, /* of general registers only: nothing but this page can keep the instruction from completing */
	FAULT_KNOWS = 4, /* if the page is known only, the access is made there */
};

struct block;

/*
 * There are hundreds of thousands of blocks and exits, so they are small: they know each other by number, counted from
 * 1, where 0 is none (bt_block(), bt_exit()), and host code by its address, which is below 2 GiB, or its offset.
 */

/* One way out of a block into the monitor. */
struct bt_exit {
	uint32_t from;	    /* block */
	int32_t distance;   /* of its target from the block's first instruction: bt_exit_target() */
	uint32_t to;	    /* block linked to */
	uint32_t next_from; /* list of exits linked to the same block */
	uint16_t patch;	    /* LINK, TABLE: displacement of the jump, by its offset from the block's body */
	uint16_t stub;	    /* LINK, TABLE: where it leads when not linked, likewise */
	uint8_t kind;
	uint8_t insn; /* index of the instruction in the block (CALLOUT, STEP) */
	union {
		uint8_t extra; /* CALLOUT: number of the decoded instruction in the block; FAULT: FAULT_* */
		uint16_t near; /* LINK, TABLE, in 64-bit code: xlat64_behind_known() */
	};
};
_Static_assert(sizeof(struct bt_exit) == 24, "small");

/* Where a guest instruction begins in a block. */
struct insn_map {
	uint16_t host;	   /* offset of its host code from the block's body */
	uint16_t guest;	   /* offset of its bytes from the block's first */
	uint8_t flags;	   /* MAP_* */
	uint8_t uncounted; /* instructions of the block before this one that are not counted yet */
	int8_t esp;	   /* what HOST_ESP lacks: the guest's ESP less this is what it holds (xlat_stack.c) */
	uint8_t swapped;   /* MAP_SWAPPED: guest register that HOST_T1 holds in [swap_from, swap_to) */
	union {
		uint16_t swap_from; /* MAP_SWAPPED, MAP_STRING */
		uint16_t near;	    /* all others, 64-bit code: registers that the code takes for near block.chunk */
	};
	uint16_t swap_to;
};

enum {
	MAP_NO_EVENT = 1,   /* in an interrupt shadow: not a place to stop */
	MAP_BEHIND_SS = 32, /* that shadow is MOV SS's, not STI's */
	MAP_SWAPPED = 2,
	MAP_CHECKED = 16, /* translated as SITE_CHECKED */
	MAP_STRING = 4,	  /* a string instruction with rebased RSI, RDI */
	MAP_USER = 64,	  /* looks which window to use */
	MAP_LOOKS = 128,  /* looks at the page's state, if it can */
	MAP_REP = 8,	  /* a repeated one, its host instruction at swap_from: may stop between iterations */
};

/* insn_map.swapped of 64-bit code's string instructions: which pointers they use. */
enum { STRING_SI = 1, STRING_DI = 2 };

struct block {
	struct context *ctx;
	guest_pc_t eip;	 /* RIP, in 64-bit code */
	gpa_t gpa;	 /* of the first byte, A20 applied */
	gpa_t next_page; /* of the second page, if it crosses into one */
	uint16_t guest_len;
	uint16_t body_len; /* host bytes from `body`, stubs included */
	uint8_t ninsns, nexits;
	bool valid;
	bool stale;	  /* breakpoints have changed: never to come back */
	bool open;	  /* control can come to its end: the last map entry is code */
	bool copyable;	  /* has relocs */
	bool missed;	  /* an indirect branch has come here, and has not found it in the table */
	uint8_t chunk_by; /* 64-bit code: enum chunk_by, or the register that chose the chunk */
	uint8_t chunk_in; /* enum chunk_in */
	bool indexes;	  /* 64-bit code: adds indexes behind the lookup (xlat64_bound.c) */
	uint8_t pair[2];  /* 64-bit code: guest registers that are in memory while it runs (xlat64_pair.c) */
	uint8_t inner;	  /* ... offset from its body of the entry for blocks with the same pair; 0: none */
	uint8_t ending;	  /* ... bytes of what the stubs of its links begin with, up to a jump; 0: no pair of its own */
	uint8_t probed;	  /* 64-bit code: offset of the entry behind the probes of these: xlat64_behind.c */
	uint16_t near;
	uint32_t chunk;	   /* 64-bit code: the upper half of linear addresses that its code expects */
	uint32_t indirect; /* entry for those who come through a table */
	uint32_t body;	   /* entry for links */
	uint32_t incoming; /* exits that are linked to it */
	uint32_t hash_next;
	uint32_t page;	       /* of code, under paging: cross.c; 0: none, or not in RAM */
	uint32_t code_next;    /* other blocks of that page */
	uint32_t page_next[2]; /* other blocks on the first and on the second page */
	uint32_t ram_page[2];  /* RAM page numbers it lies on, or NO_PAGE */
	uint32_t exits;	       /* the first of nexits: bt_exits() */
	uint32_t insns;	       /* index of decoded instructions: one for each EXIT_CALLOUT, in order of exits */
	const uint8_t *source; /* copy of the guest bytes */
	struct insn_map *map;  /* ninsns + 1: the last is the end of the last instruction */
	/* For copies at another EIP (twin.c) */
	uint32_t place_next;
	uint32_t relocs; /* index of the first of nrelocs */
	uint16_t nrelocs;
	uint16_t stubs; /* offset of its stubs from the body */
};

#define NO_PAGE UINT32_MAX

/* What has chosen a block's chunk, if it was no register. */
enum chunk_by { CHUNK_BY_RIP = GPR_COUNT, CHUNK_BY_SUM, CHUNK_BY_NOTHING };

/* Whose it was then, as far as that can be told from registers that a process always has. */
enum chunk_in { CHUNK_OF_CODE, CHUNK_OF_STACK, CHUNK_OF_OTHERS };

/* The last chunk that code of a chunk expected addresses in which was neither that one nor the stack's: twin.c. */
struct chunk_note {
	uint32_t code, others;
};

/* What depends on where a block, its EIPs and its chunk are: bytes of the body. */
struct bt_reloc {
	uint16_t at;  /* offset from the body */
	uint8_t kind; /* enum reloc_kind */
};

/* Owners of pages of code beside the numbers of address spaces. */
enum { PAGE_SHARED = SHADOW_SPACES, PAGE_NOBODY, PAGE_OWNERS };

/* A page that there are blocks of, under paging: where it is mapped, and from where. See cross.c. */
struct code_page {
	gva_t linear;
	gpa_t gpa;
	uint32_t hash_next;
	uint32_t previous, next;      /* ring of the owner's */
	uint32_t blocks;	      /* the valid ones that begin on it */
	uint32_t links_in, links_out; /* from and to other pages */
	uint8_t owner; /* SHADOW_SUPERVISOR, if it is not user mode's; else an address space, or PAGE_* */
	bool user;
	uint8_t rest, wait; /* passes that are to leave it out: after the next visit, before it */
};

/* The linear address of the block's byte `offset`. */
static inline gva_t block_linear(const struct block *b, unsigned offset)
{
	return context_linear(b->ctx, b->eip + offset);
}

/* Where instruction n of the block is; ninsns: what follows the last. */
static inline guest_pc_t block_pc(const struct block *b, unsigned n)
{
	return context_pc(b->ctx, b->eip + b->map[n].guest);
}

/* How an instruction's memory access is translated. */
enum site_level {
	SITE_PLAIN,
	SITE_CHECKED, /* a store: looks whether it is near anything watched, and goes through the alias */
	SITE_CALLOUT,
};

/* A guest instruction that faulted into the monitor: by linear address. */
struct site {
	gva_t linear;
	uint16_t faults;     /* slow ones so far */
	uint16_t cold;	     /* callouts in a row that needed none */
	uint8_t level;	     /* enum site_level */
	uint8_t user_faults; /* of supervisor code, on pages of user mode */
	bool user;	     /* looks which window to use: bt_user_region */
};

/* An instruction that takes page faults, or some of them: adapt.c. */
struct look {
	uint16_t faults; /* since it last was as at first */
	uint8_t longer;	 /* times that looks did not pay: that many times twice as many faults to the next */
	int8_t knows;	 /* a score: are pages that it comes to to be known only, or mapped? */
	uint8_t later;	 /* times that it was used up: that many times twice as long to the next try */
};

/* A page that is known for that one, as far as is remembered. */
struct known {
	hva_t page; /* host address of the linear one, >> PAGE_SHIFT */
	struct look *by;
};

enum { ENTER64_BYTES = 15 };
enum { FS_CHUNKS = 64 /* more than there are views */ };

struct bt_stub_addresses {
	cache_pc_t exit;	  /* EXIT_*: HOST_T0 = number of the exit */
	cache_pc_t indirect_miss; /* HOST_T0 = EIP */
	/* The same for 64-bit code: home.value, home.target */
	cache_pc_t exit64, indirect_miss64;
	cache_pc_t enter64; /* the last of bt_enter64, ENTER64_BYTES of code */
};

/* What cpu->bt_selector, bt_gate, bt_return, bt_writable and bt_compat are of. */
struct ring_tables {
	struct dtable gdtr, idtr;
	struct segment tr;
	uint64_t cr0, cr4, xcr0, efer; /* bt_compat's context */
};

/* Why bt_enter returned. */
enum leave_reason { LEAVE_EXIT, LEAVE_INDIRECT, LEAVE_FAULT, LEAVE_EVENT, LEAVE_KICKED };

/* What the stubs and signal handler hand over. Offsets are used by enter.S. */
struct bt_frame {
	uint64_t reason;  /* enum leave_reason */
	uint64_t value;	  /* HOST_T0 on EXIT, INDIRECT */
	uint64_t swapped; /* HOST_T1 on FAULT */
	uint64_t rflags;  /* host flags on leaving, to load on entering */
	uint64_t table;	  /* HOST_TABLE, on entering */
	uint64_t host_rsp;
	uint64_t window;
	uint64_t cpu;		/* struct cpu + CPU_BIAS */
	volatile uint64_t kick; /* set by the signal handler outside the cache: do not enter */
	uint64_t fpu;		/* FXSAVE image, upper halves of YMM registers behind it */
	uint64_t upper;		/* those are loaded and stored, too: CTX_AVX */
	uint64_t count;		/* instructions executed, if bt_counts() */
	/* From the signal handler, on FAULT and EVENT */
	uint64_t pc;
	uint64_t address;
	uint64_t trap;
	uint64_t error;
};

/* A page that was mapped for a callout's store, how often, and stores to it since, without an event of the MMU. */
struct stored_page {
	uint64_t mmu_events;
	uint32_t page; /* linear */
	uint16_t mapped, stores;
};
enum { STORED_PAGES = 16 };

/* What has been written in a row to one page of RAM that there are blocks on: a bit for each granule. */
struct code_writes {
	uint64_t page, granules;
};
enum { PAGE_GRANULES = 64, GRANULE_BYTES = PAGE_SIZE / PAGE_GRANULES };

/* Where in the cache and among the records something begins or ends. */
struct cache_mark {
	size_t code;
	unsigned blocks, exits;
};

/* Blocks are made in one of two areas, in which they lie in the order in which they were made: those that have been
 * translated, and copies of these (twin.c), which can go without the others. */
struct cache_area {
	struct cache_mark begin, end;
	size_t code_limit;
};
enum { AREA_TRANSLATED, AREA_COPIED, AREAS };

struct bt {
	struct bt_frame frame; /* first */
	struct cpu *cpu;
	struct physmem *pm;
	struct shadow *shadow;
	struct stats *stats;
	const volatile sig_atomic_t *stop;
	bool count, audit, lockstep; /* count: see bt_counts() */
	struct contain *contain;     /* audit_emitted.c */
	unsigned audit_countdown;    /* audits are dear: one every AUDIT_EVERY translations */

	/* the cache: two mappings of one memfd */
	uint8_t *cache_write;
	cache_pc_t cache_run;
	size_t cache_bytes;
	struct cache_area areas[AREAS];
	struct bt_stub_addresses stubs;

	/* Records, allocated in the order of translation, freed by flushing. Address space for cache_bytes of each (of
	 * blocks and exits in each area); all of them and the code are cache_bytes at most. */
	struct block *blocks;
	struct bt_exit *exits;
	struct insn_map *maps;
	struct insn *insns;
	uint8_t *sources;
	struct bt_reloc *relocs;
	struct code_page *pages;
	unsigned nmaps, ninsns, nsources, nrelocs, npages;
	uint32_t free_pages;	   /* list of those in `pages` that are of no use any more */
	size_t held[CACHE_PARTS];  /* bytes of each part that flushes have left as memory */
	size_t ahead[CACHE_PARTS]; /* bytes of each that have been populated: bt_populate_ahead() */

	/* Numbers of the first blocks of lists. */
	uint32_t *hash;
	uint32_t *dormant;     /* invalidated blocks by the same hash: their code is good again when the bytes are */
	uint32_t *page_blocks; /* by RAM page */
	uint32_t *places;      /* blocks to be copied, by context and gpa */
	struct chunk_note chunk_notes[32];
	uint32_t *page_hash; /* pages of code */
	uint32_t owned[PAGE_OWNERS];
	uint64_t ram_pages;
	struct context contexts[MAX_CONTEXTS];
	unsigned ncontexts;
	struct context *ctx; /* of the CPU's present state; NULL: to be looked up */
	struct mode_inputs known_modes[KNOWN_MODES];
	struct ring_tables rings_of;
	uint32_t *miss_table; /* all entries are 0; read-only */
	struct site sites[SITE_ENTRIES];
	uint8_t strays[1 << STRAY_BITS];      /* of 64-bit code: adapt.c */
	struct look looks[1 << LOOK_BITS];    /* by a hash: adapt.c */
	struct known known[KNOWN_PAGES];      /* by page, modulo their number */
	uint64_t site_pages[64];	      /* a bit for each page, modulo their number: there has been a site */
	uint8_t region_changes[USER_REGIONS]; /* of cpu->bt_user_region */
	struct block *current;		      /* last entered: for dumps */
	uint64_t generation;		      /* counts flushes, of copies as well: blocks have other numbers then */
	cache_pc_t resume;		      /* where in `current` to go on, or 0: by lookup */
	unsigned resume_uncounted;
	int resume_esp;	      /* insn_map.esp there */
	unsigned resume_insn; /* its number */
	struct bt_home *home;
	uint32_t fs_chunk[FS_CHUNKS];	 /* by view: the chunk of user mode's FS base, as it was last */
	const struct block *coming_from; /* an exit of that block led to the one to be found; or NULL */
	uint16_t coming_near;		 /* ... that exit's `near` */
	uint32_t probe;			 /* the page of probes: probe.c */
	uint64_t entry_rf;		 /* RFLAGS.RF when the cache was last entered, and, without a count, ... */
	uint64_t entry_gpr[GPR_COUNT], entry_rip, entry_flags; /* ... what else it would not be set for any more */
	unsigned space;					       /* present address space (user mode): shadow_space() */
	bool fills_noted;				       /* in contexts: struct fills */
	unsigned ntables;				       /* indirect tables reserved */
	unsigned table_pages;				       /* of memory, for all they hold */
	int miss_span;		  /* a file: what 32-bit code has where nothing is filled */
	uint64_t miss_spans[128]; /* of miss_table: see struct indirect_table */
	unsigned held_miss_spans;
	uint64_t mmu_events;			       /* bt_mmu_event() calls */
	struct stored_page stored_pages[STORED_PAGES]; /* callout.c */
	struct code_writes code_writes;		       /* cache.c */
	uint64_t cross_pass;			       /* time stamp of the last pass of cross.c */
	unsigned cross_pages[2];     /* how many pages the next one looks at, of supervisor and user mode */
	unsigned alone, alone_space; /* passes in a row that found this address space in user mode */
	gva_t breakpoints[BT_MAX_BREAKPOINTS];
	unsigned nbreakpoints;
	bool at_breakpoint;		  /* bt_run() is to return: the next instruction is at one */
	enum gsbase_kind gsbase;	  /* how GS.base is written */
	gva_t faulted_at;		  /* cpu->bt_user_faulted: at this address */
	struct look *faulted_by;	  /* ... at a site that can do with a page that is known only; or NULL */
	uint32_t copy_faulted_at;	  /* cpu->bt_copy_faulted: likewise */
	guest_pc_t short_at;		  /* where the budget of mappings was used up last, and, ... */
	uint64_t shorts;		  /* ... by then, how often: leave.c */
	bool signal_stepping;		  /* the handler single-steps to a boundary */
	struct bt_profile_state *profile; /* NULL: none is taken */
	void (*before_flush)(void *arg);  /* of bt_config */
	void *before_flush_arg;
	uint8_t losing;			 /* enum bt_lost: why blocks become invalid now */
	struct lockstep *lockstep_state; /* allocated by the first bt_lockstep() */
	uint64_t count_limit;		 /* lockstep: frame.count at which to stop */
};

/* --- context.c --- */
/* The context of the CPU's present state; NULL if the mode is not translated (paging, long mode, debugging, ...). */
struct context *bt_context(struct bt *bt);
/* The context of a key, if there is one or room for one; else NULL. */
struct context *bt_context_of(struct bt *bt, const struct context_key *k);
enum seg_class bt_classify(const struct cpu *cpu, unsigned seg);

/* --- indirect.c --- */
/* Sets context->indirect to what belongs to the present address space. */
void bt_indirect_select(struct bt *bt, struct context *c);
/* 0 or a negative errno. */
int bt_indirect_init(struct bt *bt);
/* Fills the entry of a block, which is the one for the CPU's present state. */
void bt_indirect_fill(struct bt *bt, struct block *b);
/* Nothing was there for the EIP. */
void bt_indirect_missed(struct bt *bt, struct context *c, guest_pc_t eip);
/* A block becomes invalid. */
void bt_indirect_remove(struct bt *bt, const struct block *b);
/* For shadow_on_lost(). */
void bt_indirect_lost(void *arg, unsigned space, gva_t linear, uint64_t len);
/* What entries of the context's tables are counted from. */
static inline cache_pc_t bt_indirect_origin(const struct bt *bt, const struct context *c)
{
	return context_code64(c) ? bt->stubs.indirect_miss64 : 0;
}
/* What a table has for the block's EIP as long as the block is valid. */
static inline uint32_t bt_indirect_entry(const struct bt *bt, const struct block *b)
{
	return (uint32_t)(b->indirect - bt_indirect_origin(bt, b->ctx));
}
/* The valid block that the present table has for the EIP; NULL: none, or one that is there to the next mmu_event only.
 */
struct block *bt_indirect_lasting(const struct bt *bt, const struct context *c, guest_pc_t eip);
/* Does the present table of a context of user mode have anything for the page of EIPs? */
bool bt_indirect_uses(const struct bt *bt, gva_t page);
/* Forgets what those of other address spaces have for it. */
void bt_indirect_claim(struct bt *bt, gva_t page);
/* After the shadow has dealt with an mmu_event. */
void bt_indirect_event(struct bt *bt);
/* Forgets all. */
void bt_indirect_reset(struct bt *bt);
void bt_indirect_destroy(struct bt *bt);

/* --- selectors.c --- */
/* A load of a segment register by a callout of the block has been completed: remembered for translated code. */
void bt_selector_loaded(struct bt *bt, struct block *b, unsigned seg);
/* Forgets all. */
void bt_selectors_forget(struct bt *bt);

/* --- rings.c --- */
/* INT n of ring 3 has come to ring 0, without an exception: remembered for translated code. */
void bt_ring_entered(struct bt *bt, unsigned vector);
/* IRETD has returned, without an exception: likewise. */
void bt_ring_left(struct bt *bt);
/* 64-bit code of ring 0 has returned, by its C body and without an exception: remembered if to compatibility mode. */
void bt_compat_entered(struct bt *bt, bool by_iret);
/* IRETQ of 64-bit code of ring 0 has: likewise. */
void bt_ring_left64(struct bt *bt);
/* VERW of ring 0 found the selector's segment writable. */
void bt_selector_writable(struct bt *bt, uint16_t selector);
/* Address, raw bytes and selector of a descriptor of the GDT. False: it is of an LDT, or cannot be read. */
bool bt_describe_selector(struct bt *bt, uint16_t selector, struct ring_selector *out);
/* Forgets what was found by way of GDTR, IDTR or TR (selectors.c, rings.c), if that is another one. */
void bt_tables_check(struct bt *bt);

/* --- cache_memory.c --- */
/* bytes: of code and records. */
int bt_cache_init(struct bt *bt, size_t bytes);
void bt_cache_destroy(struct bt *bt);
/* Has the host make the memory of the next blocks, their records included, before it is touched. */
void bt_populate_ahead(struct bt *bt);
/* Bytes of code and records. */
size_t bt_cache_used(const struct bt *bt);
/* There is no room left in the area: forgets what has been copied, or, if that is not much, all, contexts among it.
 * True: the former. */
bool bt_make_room(struct bt *bt, unsigned area);

/* --- cache.c --- */
/* The lowest bits of a hash of what begins at an address: those of a page are close together. */
static inline unsigned bt_hash_in_page(uint64_t at)
{
	return (unsigned)(at ^ at >> HASH_PAGE_BITS) & (unsigned)(BIT(HASH_PAGE_BITS) - 1);
}
struct block *bt_lookup(struct bt *bt, struct context *ctx, guest_pc_t eip, gpa_t gpa);
/* The same, not counted as a lookup of the dispatcher's. */
struct block *bt_peek(struct bt *bt, const struct context *ctx, guest_pc_t eip, gpa_t gpa);
void bt_insert(struct bt *bt, struct block *b);
/* All blocks are about to go: nobody need know of writes to their pages any more. */
void bt_release_blocks(struct bt *bt);
/* All copies do: nothing leads to them any more. */
void bt_forget_copies(struct bt *bt);
/* Links an exit to a block (and the reverse). */
void bt_link(struct bt *bt, struct bt_exit *x, struct block *to);
/* The exit's jump leads to its stub again. */
void bt_unlink(struct bt *bt, struct bt_exit *x);
/* keep: the block may come back if its bytes do (bt_revive). */
void bt_invalidate(struct bt *bt, struct block *b, bool keep);
/* A dormant block whose bytes stand in memory again, made valid; NULL if there is none. */
struct block *bt_revive(struct bt *bt, struct context *ctx, guest_pc_t eip, gpa_t gpa);
/* Are the block's bytes those in memory? */
bool bt_source_matches(struct bt *bt, const struct block *b);
/* Invalidates what was translated from RAM bytes that the write of data at gpa changes. Returns how many blocks. */
unsigned bt_invalidate_bytes(struct bt *bt, gpa_t gpa, const uint8_t *data, unsigned len);
/* The valid or invalid block whose host code holds pc; NULL if none. Safe in a signal handler. */
struct block *bt_find_host(const struct bt *bt, cache_pc_t pc);
/* Index of the guest instruction at a host address of the block; ninsns if it is in the stubs, -1 before the body. */
int bt_find_insn(const struct block *b, cache_pc_t pc);
/* In blocks that there are. (Any other address in the cache's memory may be a number of the guest's, which loads what
 * it likes into the x87 unit's pointers.) */
static inline bool bt_in_cache(const struct bt *bt, cache_pc_t pc)
{
	const struct cache_area *copied = &bt->areas[AREA_COPIED];
	size_t at = pc - bt->cache_run;

	return (at >= bt->areas[AREA_TRANSLATED].begin.code && at < bt->areas[AREA_TRANSLATED].end.code) ||
	       (at >= copied->begin.code && at < copied->end.code);
}

/* The first of the area's blocks (b: NULL), or the next one; NULL: there is none. */
static inline struct block *bt_next_in(const struct bt *bt, unsigned area, const struct block *b)
{
	const struct cache_area *a = &bt->areas[area];
	struct block *next = &bt->blocks[b ? (unsigned)(b - bt->blocks) + 1 : a->begin.blocks];

	return next < &bt->blocks[a->end.blocks] ? next : NULL;
}

static inline bool bt_is_copy(const struct bt *bt, const struct block *b)
{
	return b >= &bt->blocks[bt->areas[AREA_COPIED].begin.blocks];
}

/* The same of all blocks, valid or not. */
static inline struct block *bt_next_made(const struct bt *bt, const struct block *b)
{
	unsigned area = b && bt_is_copy(bt, b) ? AREA_COPIED : AREA_TRANSLATED;
	struct block *next = bt_next_in(bt, area, b);

	return next || area == AREA_COPIED ? next : bt_next_in(bt, AREA_COPIED, NULL);
}

static inline struct block *bt_block(const struct bt *bt, uint32_t number)
{
	return number ? &bt->blocks[number - 1] : NULL;
}

static inline uint32_t bt_block_number(const struct bt *bt, const struct block *b)
{
	return (uint32_t)(b - bt->blocks) + 1;
}

static inline struct bt_exit *bt_exit(const struct bt *bt, uint32_t number)
{
	return number ? &bt->exits[number - 1] : NULL;
}

static inline uint32_t bt_exit_number(const struct bt *bt, const struct bt_exit *x)
{
	return (uint32_t)(x - bt->exits) + 1;
}

/* All exits of the block. */
static inline struct bt_exit *bt_exits(const struct bt *bt, const struct block *b)
{
	return &bt->exits[b->exits - 1];
}

static inline guest_pc_t bt_exit_target(const struct bt *bt, const struct bt_exit *x)
{
	const struct block *b = bt_block(bt, x->from);

	return context_pc(b->ctx, b->eip + (guest_pc_t)(int64_t)x->distance);
}

/* Where host code of the block is written. */
static inline uint8_t *bt_writable(const struct bt *bt, const struct block *b, unsigned offset)
{
	return bt->cache_write + (b->body + offset - bt->cache_run);
}

/* --- xlat64_behind.c --- */
/* Offset of the entry of `to`, a block with the same pair, that the exit may lead to behind probes; 0: none. */
unsigned bt_behind_probes(const struct block *from, const struct bt_exit *x, const struct block *to);

/* --- cross.c --- */
/* 0 or a negative errno. */
int bt_pages_init(struct bt *bt);
void bt_pages_destroy(struct bt *bt);
/* Forgets all: there are no blocks any more. */
void bt_pages_reset(struct bt *bt);
/* Forgets those without blocks. */
void bt_pages_sweep(struct bt *bt);
/* The block becomes valid: finds its page, or makes it. */
void bt_page_add(struct bt *bt, struct block *b);
/* It is not valid any more, and has no links. */
void bt_page_remove(struct bt *bt, const struct block *b);
/* The dispatcher has found the block for the present state. To be told before it is entered, or anything leads to it.
 */
void bt_page_entered(struct bt *bt, const struct block *b);
/* A link is made (more: 1) or broken (-1). */
void bt_page_linked(struct bt *bt, const struct block *from, const struct block *to, int more);
/* As bt_indirect_lost. */
void bt_pages_lost(struct bt *bt, unsigned space, gva_t linear, uint64_t len);
/* The vCPU has been interrupted: links some exits to other pages, if it is time. */
void bt_cross_link(struct bt *bt);
/* For audits: a link that leads to another page, and what all of them add up to. */
void bt_audit_cross(const struct bt *bt, const struct block *from, const struct block *to);
void bt_audit_pages(const struct bt *bt);

/* --- decode_block.c --- */
/* The code bytes at a physical address, up to the end of the page; NULL if they are not in memory where writes to them
 * are seen. */
const uint8_t *bt_code_at(struct bt *bt, gpa_t gpa, unsigned *len);
/* Does code that begins at the linear address perhaps cross into the next page? */
static inline bool bt_may_cross(gva_t linear)
{
	return (linear & PAGE_MASK) > PAGE_SIZE - INSN_MAX_BYTES;
}
static inline bool bt_crosses(const struct block *b)
{
	return (block_linear(b, 0) ^ (block_linear(b, 0) + b->guest_len - 1)) >> PAGE_SHIFT;
}
/* Where code that crosses into the page after `linear` goes on; as bt_code_gpa. */
bool bt_next_page(struct bt *bt, gva_t linear, gpa_t *gpa);
/* The physical address of code at a linear address, as fetched in the CPU's present mode (A20 applied, accessed bits
 * set). False: the fetch faults. */
bool bt_code_gpa(struct bt *bt, gva_t linear, gpa_t *gpa);

/* --- translate.c --- */
/* Translates at eip in ctx, at most max_insns instructions. NULL: the first instruction crosses into a page that cannot
 * be fetched from (single-step it). */
struct block *bt_translate(struct bt *bt, struct context *ctx, guest_pc_t eip, gpa_t gpa, unsigned max_insns);

/* --- twin.c --- */
enum { MAX_RELOCS = 96 /* in a block */ };
enum reloc_kind {
	RELOC_EIP,   /* a constant of 32 bits, an EIP */
	RELOC_LEAVE, /* what leave() of xlat_exit.c emits */
	/* 64-bit code */
	RELOC_LEAVE64,	  /* what xlat64_leave() emits */
	RELOC_RIP,	  /* a constant of 64 bits, an address at a distance from RIP; not one that 32 bits hold, */
	RELOC_RIP_NEAR,	  /* the same, of one in the block's chunk, */
	RELOC_RIP_CODE,	  /* the same, of one in the chunk that the code is in */
	RELOC_RIP_CHUNK,  /* the displacement that loads the delta of the next reloc's chunk */
	RELOC_CHUNK,	  /* the displacement that loads the delta of the block's chunk */
	RELOC_PROBE,	  /* the displacement of a probe for it */
	RELOC_CODE_CHUNK, /* the displacement that loads the delta of the chunk that the code is in */
	RELOC_INDEX,	  /* nothing: an index was added behind the lookup; and INDEX_* in any combination */
	RELOC_INDEX_LAST = RELOC_INDEX + 7,
};
enum {
	INDEX_SWAPPED = 1,  /* the encoding's base is the index */
	INDEX_PROBED = 2,   /* it was compared, ... */
	INDEX_NEGATIVE = 4, /* ... with numbers below 0 */
};
/* The block at eip, copied from one of the same bytes of RAM, in the same context, at another EIP; NULL: there is none,
 * or no room. */
struct block *bt_copy_twin(struct bt *bt, struct context *ctx, guest_pc_t eip, gpa_t gpa);
/* The block may be copied from now on, if it is of the kind; not any more. */
void bt_place_add(struct bt *bt, struct block *b);
void bt_place_remove(struct bt *bt, struct block *b);

/* --- breakpoints.c --- */
bool bt_is_breakpoint(const struct bt *bt, gva_t linear);
/* Is there one in a stretch of code? */
bool bt_breakpoint_within(const struct bt *bt, gva_t linear, unsigned len);

/* --- audit.c --- */
void bt_audit(struct bt *bt);
/* The exit has been linked: to where it may. */
void bt_audit_link(const struct bt *bt, const struct bt_exit *x);

/* --- audit_emitted.c --- */
/* 0 or a negative errno. */
int bt_audit_emitted_init(struct bt *bt);
void bt_audit_emitted_destroy(struct bt *bt);
/* Is the block's code, which is complete and in the cache, contained? (64-bit code; under --audit.) */
void bt_audit_emitted(struct bt *bt, const struct block *b);

/* --- adapt.c --- */
/* What is known of the instruction; all zeros if it has never faulted. */
const struct site *bt_site(struct bt *bt, gva_t linear);
/* Makes it what is known from now on: for tests. */
void bt_site_set(struct bt *bt, const struct site *site);
static inline enum site_level bt_site_level(struct bt *bt, gva_t linear)
{
	return bt_site(bt, linear)->level;
}
/* A translated access at linear faulted into the monitor for good reason; may invalidate b. */
void bt_site_faulted(struct bt *bt, struct block *b, gva_t linear, bool was_checked);
/* Supervisor code at linear touched a page of user mode's, at address, through its own window; looked: though it looked
 * which window to use. May invalidate b. */
void bt_site_touched_user(struct bt *bt, struct block *b, gva_t linear, uint32_t address, bool looked);
/* Does the instruction at the block's byte `offset` look whether its page is mapped? */
bool bt_look_pays(struct bt *bt, const struct block *b, unsigned offset);
/* Instruction n of the block has accessed a page that was not, in the window or by the guest. Under paging. May
 * invalidate b. */
void bt_look_faulted(struct bt *bt, struct block *b, unsigned n);
/* The block was interrupted at any time, so it takes some. May invalidate b. */
void bt_looks_sampled(struct bt *bt, struct block *b);
/* Is the page that instruction n has come to, which looks, to become known only? For whom; NULL: it is to be mapped. */
struct look *bt_look_knows(struct bt *bt, const struct block *b, unsigned n);
/* So it is now, at that host address. */
void bt_page_known(struct bt *bt, struct look *by, hva_t address);
/* Such a page was accessed by code that does not look, and took a signal. */
void bt_known_in_vain(struct bt *bt, hva_t address);
/* 64-bit code: the address of the instruction at the block's byte `offset` was not in the block's chunk. Invalidates b.
 */
void bt_site_strayed(struct bt *bt, struct block *b, unsigned offset);
/* Has it been elsewhere so often that it is to look its chunk up? */
bool bt_site_strays(struct bt *bt, const struct block *b, unsigned offset);
/* It did not find what it wanted in user mode's window. */
void bt_site_missed_user(struct bt *bt, uint32_t address);
/* An adapted site ran; slow: it would have faulted. */
void bt_site_ran(struct bt *bt, struct block *b, gva_t linear, bool slow);

/* --- signal.c --- */
void bt_signals_attach(struct bt *bt);
void bt_signals_detach(struct bt *bt);

/* --- run.c --- */
/* Enters the cache once (or single-steps one instruction, if there is no translation) and deals with why it came back.
 */
void bt_run_once(struct bt *bt);
/* Single-steps one instruction, counted under *why. */
void bt_step(struct bt *bt, uint64_t *why);
/* Must bt_run() return to its caller? */
bool bt_must_return(const struct bt *bt);
/* Finds or makes the block at CS:RIP. NULL: the fetch faults, the single-stepper will raise it. */
struct block *bt_find_block(struct bt *bt, struct context *ctx);
/* Prepares the thread for the cache, and back. Blocks for lockstep are not linked and have nothing that cannot be
 * repeated: those of bt_run() are of no use to it, nor are they the other way round. */
void bt_begin(struct bt *bt, bool lockstep);
void bt_end(struct bt *bt);

/* Does translated code count its instructions? It has no register for that: loops would wait for it. */
static inline bool bt_counts(const struct bt *bt)
{
	return bt->lockstep || bt->count;
}

/* May translated code go over to the window of another privilege level? */
static inline bool bt_switches_windows(const struct bt *bt)
{
	return bt->gsbase != GSBASE_CALL && opt_on(bt->cpu->opt_off, OPT_GSBASE);
}

/* Between the guest's ESP and what HOST_ESP holds: insn_map.esp. */
static inline void bt_move_esp(struct cpu *cpu, int by)
{
	if (by)
		cpu->gpr[RSP] = (uint32_t)cpu->gpr[RSP] + (uint32_t)by;
}

/* --- leave.c --- */
/* Deals with why the cache was left, and says where to go on (bt->resume). */
void bt_left(struct bt *bt);
/* The next entry is at the block's beginning, with what counts it. */
void bt_resume_block(struct bt *bt, struct block *b);

/* --- run64.c --- */
int bt_home_init(struct bt *bt);
/* A page below 4 GiB that can be read, alone within BT_PROBE_REACH: for comparisons without flags. 0: no address space
 * for it. Belongs to the process. */
uint32_t bt_probe_page(void);
#define BT_PROBE_REACH (256 * MiB)
void bt_home_destroy(struct bt *bt);
/* As bt_enter() for `at`, in bt->current, which is of 64-bit code. */
void bt_enter_code64(struct bt *bt, cache_pc_t at);
/* Before the cache is entered for code of compatibility mode, which may go on to 64-bit code. */
void bt_prepare_code64(struct bt *bt);
/* The cache was left by 64-bit code. */
void bt_left_code64(struct bt *bt);
/* Can the cache be entered at bt->resume? */
bool bt_may_resume64(struct bt *bt);
/* Registers that the instruction displaces become those of its beginning. */
void bt_recover64(struct bt *bt, const struct insn_map *m, unsigned offset);
/* Has the repeated string instruction done some of its work? */
bool bt_half_way64(const struct bt *bt);
/* The linear address of the memory operand of the instruction, at which the CPU is. */
gva_t bt_operand64(const struct cpu *cpu, const struct insn *in);
/* The present view owns the chunks of what instruction n of the block, at which the CPU is, may access. True: it did
 * not before, and owns all of them now that it can own at all. */
bool bt_own_accesses(struct bt *bt, const struct block *b, unsigned n);
/* Supervisor mode's view owns the chunks of GDT, IDT and TSS, where translated code of long mode looks itself (VERW,
 * IRETQ, INT n). */
void bt_own_tables(struct bt *bt);
/* An indirect branch led to home.target. If that is no canonical address, the branch is single-stepped from its
 * beginning instead: true. */
bool bt_undo_branch(struct bt *bt);

/* --- lockstep.c --- */
void bt_lockstep_destroy(struct bt *bt);

/* --- fpu.c --- */
/* For cpu->fpu_stored. */
void bt_fpu_stored(void *arg, const struct fpu_pointers *before, bool whole);

/* --- enter.S --- */
void bt_enter(struct bt_frame *frame, cache_pc_t at);

/* --- enter64.S --- */
void bt_enter64(struct bt_home *home);

#endif
