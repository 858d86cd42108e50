/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The complete architectural state of one virtual CPU, and how it reaches the rest of the machine.
 */
#ifndef GNOMON_CPU_H
#define GNOMON_CPU_H

#include "base.h"
#include "features.h"
#include "opt.h"
#include "physmem.h"
#include "stats.h"
#include "x86.h"

/* A segment register: selector and the hidden part (SDM 3.4.3). */
struct segment {
	uint16_t selector;
	uint16_t attr;	/* SEG_* */
	uint32_t limit; /* highest valid offset in bytes (granularity applied) */
	uint64_t base;
};

/*
 * What a load of a selector at CPL 0 gave, for translated code to repeat as long as the descriptor is the same. In a
 * layout that it can index.
 */
struct selector_entry {
	struct segment seg;
	uint64_t minus_raw; /* the descriptor's eight bytes, negated */
	uint32_t address;   /* linear, of the descriptor */
	uint8_t class;	    /* enum seg_class */
};

/*
 * Ring changes, for translated code to repeat as long as descriptors and gate are the same. minus_selector: the
 * selector negated in 32 bits; RING_UNKNOWN, which no selector gives, if there is none.
 */
struct ring_selector {
	struct segment seg;
	uint64_t minus_raw; /* the descriptor's eight bytes, negated */
	uint64_t address;   /* linear, of the descriptor */
	uint32_t minus_selector;
};

/* Where INT n of an outer ring led through a 32-bit gate to ring 0. */
struct ring_gate {
	struct ring_selector cs, ss;
	uint64_t minus_raw;  /* the gate's eight bytes, negated */
	uint32_t address;    /* linear, of the gate */
	uint32_t stack;	     /* linear, of ESP0 in the TSS; SS0 is behind it */
	uint32_t target;     /* EIP */
	uint32_t flags_kept; /* in EFLAGS of the handler */
	uint32_t vector;     /* RING_UNKNOWN: none */
};

/* Where IRETD of ring 0 led: to ring 0 (its SS stays), to ring 3. */
struct ring_return {
	struct ring_selector cs, ss;
};

/* The data segments with which 64-bit code of ring 0 last returned to flat 32-bit code of ring 3 (compatibility mode),
 * and where the translator has the table of branch targets of what runs with them; NULL: nowhere. */
enum { DATA_SEGMENTS = 4 /* ES, DS, FS, GS */ };
struct compat_return {
	struct segment seg[DATA_SEGMENTS];
	uint32_t *const *table;
	struct ring_return to; /* by IRETQ */
};

/* Where INT n of ring 3 led through a gate of long mode, and no IST, to ring 0. */
struct compat_gate {
	struct ring_selector cs;
	struct segment ss;     /* null */
	uint64_t minus_raw[2]; /* the gate's bytes, negated by eight */
	uint64_t address;      /* linear, of the gate */
	uint64_t stack;	       /* linear, of RSP0 in the TSS */
	uint64_t target;       /* RIP */
	uint32_t flags_kept;   /* in RFLAGS of the handler */
	uint32_t vector;       /* RING_UNKNOWN: none */
};

enum { RING_UNKNOWN = 1 << 30, RING_GATES = 16 /* by vector % 16 */ };

enum { SELECTORS = 16, USER_REGION_SHIFT = 22, USER_REGIONS = 1 << (32 - USER_REGION_SHIFT) };
enum { TABLE_STORES = 32 };
_Static_assert(sizeof(struct segment) == 16 && sizeof(struct selector_entry) == 32, "translated code indexes them");

/* GDTR and IDTR. */
struct dtable {
	uint64_t base;
	uint16_t limit;
};

/* An exception that an instruction raises: guest-visible, by out-parameter. */
struct x86_fault {
	uint8_t vector;
	bool has_error;
	uint16_t error;
	uint64_t address; /* #PF: linear address for CR2. #DB: bits to set in DR6 */
};

/* x87, SSE, AVX and AVX-512 state in XSAVE's standard form, which begins with FXSAVE's image (vol. 1, 10.5.1, 13.4).
 * 64-byte aligned. The guest's standard form has AVX-512 state where the host's has it, which may be elsewhere. */
#define CPU_XSAVE_BYTES 2432

struct fpu_state {
	uint8_t image[CPU_XSAVE_BYTES];
} __attribute__((aligned(64)));

enum mmu_event {
	MMU_CR0,    /* PE, PG, WP, ... changed */
	MMU_CR3,    /* loaded (the value may be the same) */
	MMU_CR4,    /* a paging bit changed */
	MMU_EFER,   /* LME, NXE */
	MMU_INVLPG, /* one page: address */
	MMU_A20,
	MMU_FAULT, /* a page fault at: address, of whose page nothing is kept (4.10.4.1) */
};

enum { TLB_READ, TLB_WRITE, TLB_EXEC, TLB_KINDS, TLB_ENTRIES = 64 };

/* See tlb.h. */
struct tlb_entry {
	uint64_t tag;	 /* linear page and TLB_TAG_*, 0: none */
	uint8_t *host;	 /* the page's memory */
	gpa_t gpa;	 /* of the page, A20 applied */
	uint8_t *traced; /* its byte in physmem.traced, NULL if it is not RAM */
};

struct tlb {
	struct tlb_entry entry[TLB_KINDS][TLB_ENTRIES];
	uint64_t generation; /* physmem.generation that the entries are of */
};

struct cpu;
struct fpu_pointers;
struct insn;
struct watchpoints;

/* What the CPU asks of the rest of the machine; filled in by the monitor. `m` is cpu->machine. */
struct cpu_ops {
	uint32_t (*port_in)(void *m, uint16_t port, unsigned size);
	/* Up to count reads of one port in a row into buf; how many were done (the caller makes the rest singly). May
	 * be NULL. */
	size_t (*port_in_block)(void *m, uint16_t port, unsigned size, void *buf, size_t count);
	void (*port_out)(void *m, uint16_t port, unsigned size, uint32_t value);
	/* Highest-priority external interrupt: acknowledges it and returns its vector; -1 if it has vanished. */
	int (*intr_ack)(void *m);
	uint64_t (*tsc)(void *m); /* before TSC_ADJUST/offset of the guest */
	/* Cached translations may have become stale. */
	void (*mmu_event)(void *m, enum mmu_event event, gva_t address);
	/* Registers that belong to the local APIC: APIC_BASE, x2APIC, TSC_DEADLINE. False: #GP. */
	bool (*apic_msr_read)(void *m, uint32_t index, uint64_t *value);
	bool (*apic_msr_write)(void *m, uint32_t index, uint64_t value);
	uint64_t (*cr8_read)(void *m);
	void (*cr8_write)(void *m, uint64_t value);
	/* FERR#: an unmasked x87 exception with CR0.NE clear (IRQ 13 on a PC). */
	void (*ferr)(void *m, bool level);
	/* Triple fault: the machine resets. The CPU stays in shutdown until then. */
	void (*triple_fault)(void *m);
};

/* Sees every physical access of the single-stepper while set: --lockstep records and replays with it. */
struct cpu_journal {
	/* Before a write to memory, in pieces within a page. */
	void (*write)(void *arg, gpa_t gpa, unsigned len);
	/* In place of an access to device memory. */
	void (*io_read)(void *arg, gpa_t gpa, void *buf, unsigned len);
	void (*io_write)(void *arg, gpa_t gpa, const void *buf, unsigned len);
	/* Before accessed and dirty bits are set in an entry, which write() is not told of; may be NULL. */
	void (*accessed)(void *arg, gpa_t gpa, unsigned len);
	void *arg;
};

/*
 * Interrupt shadow (6.8.3): inhibits the named events before the next instruction. Both end with that instruction.
 */
enum { SHADOW_NONE = 0, SHADOW_STI = 1, SHADOW_MOV_SS = 2 };

/* CPU_MWAIT: as CPU_HALTED, and ends with whatever wakes the thread. */
enum cpu_activity { CPU_RUNNING, CPU_HALTED, CPU_MWAIT, CPU_SHUTDOWN, CPU_WAIT_SIPI };

enum { MONITOR_LINE = 64 }; /* bytes that MONITOR watches */

/*
 * The guest's TSC, before tsc_offset, as a line through the host's: guest + (RDTSC - host) * ratio / 2^63. The monitor
 * keeps it near the virtual clock and never lets it step back. ratio 0: there is none, cpu_ops.tsc has to be asked.
 */
struct tsc_line {
	uint64_t minus_host; /* the host's TSC at some time, negated */
	uint64_t guest;	     /* the guest's at that time */
	uint64_t ratio;
};

struct cpu {
	/* What translated code and the entry stubs touch comes first: offsets fit a signed byte from the middle. */
	uint64_t gpr[GPR_COUNT];
	uint64_t rip;	   /* offset in CS of the current instruction */
	uint64_t rflags;   /* complete, but while in the cache, where arithmetic flags and DF are the host's */
	uint64_t fpu_live; /* x87 and MMX state is in the host's registers, and stale in fpu: cpu_fpu_sync() */
	struct segment seg[SEG_COUNT];
	struct segment ldtr, tr;
	struct dtable gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, xcr0;
	uint64_t efer;
	uint64_t dr[8];	   /* 4 and 5 unused */
	uint64_t pdpte[4]; /* PAE: loaded with CR3 (4.4.1) */
	uint8_t cpl;
	uint8_t shadow;	   /* SHADOW_* in force before the instruction at rip */
	uint8_t activity;  /* enum cpu_activity */
	bool intr;	   /* external interrupt pending (INTR level), kept by the monitor */
	bool nmi;	   /* NMI latched */
	bool nmi_blocked;  /* until IRET */
	bool setting_ad;   /* the page walker sets accessed and dirty bits: a write seen meanwhile is not the guest's */
	bool writing;	   /* to memory, by an instruction: a write seen meanwhile is no device's */
	bool ferr;	   /* FERR# asserted */
	bool monitoring;   /* MONITOR has been executed, for MWAIT (mwait.c) */
	bool ext;	   /* delivering an external event: error codes get EXT (6.13) */
	uint64_t next_rip; /* while an instruction executes: where it continues; branches change it */
	uint64_t
	    pending_db; /* DR6 bits of a #DB trap owed after the current instruction (single step, data breakpoints) */
	uint64_t tsc_offset, tsc_adjust, tsc_aux;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	gpa_t monitor_gpa;		    /* what is monitored, */
	uint8_t monitor_line[MONITOR_LINE]; /* and as it was */
	uint64_t pat, misc_enable, mtrr_def_type, mtrr_fix[11], mtrr_var[16];
	struct fpu_state fpu;
	uint32_t fip_base, fdp_base; /* of the segments that the x87 unit's pointers are offsets in (fpu.h) */

	/* cpu_fpu_sync() has stored what translated code left; may be NULL. `before`: the pointers when it was loaded.
	 * whole: all bits of FIP are known */
	void (*fpu_stored)(void *arg, const struct fpu_pointers *before, bool whole);
	void *fpu_stored_arg;

	/* The translator's: */
	uint64_t bt_window[2];	      /* windows of supervisor and user mode */
	const uint8_t *bt_states[2];  /* of their pages: shadow_page_states() */
	const uint32_t *bt_frames[2]; /* likewise: shadow_page_frames() */
	bool bt_user_faulted;	      /* the guest is dealing with a page fault of user mode, ... */
	bool bt_copy_faulted;	      /* ... or with one that supervisor code took in user mode's memory */
	uint64_t bt_rf_at;	      /* where they are counted: RFLAGS.RF is set while as many have been executed */
	bool bt_rf;		      /* elsewhere: it is, the cache being left for that */
	uint32_t bt_fault_address;    /* linear, of an access to what is not mapped: EXIT_FAULT */
	uint32_t bt_table_stores;     /* to page tables, by translated code, that the shadow has not been told of */
	uint64_t bt_table_store[TABLE_STORES]; /* where in RAM. Those of 64-bit code: home.h */
	uint8_t bt_user_region[USER_REGIONS];  /* 1: supervisor code finds user mode's memory here, in its window */
	struct selector_entry bt_selector[SELECTORS]; /* by selector / 8 */
	struct ring_gate bt_gate[RING_GATES];
	struct ring_return bt_return[2];   /* to ring 0, to ring 3 */
	struct ring_return bt_return64[2]; /* of IRETQ, to 64-bit code */
	struct compat_return bt_compat;
	struct compat_gate bt_compat_gate;
	struct ring_selector bt_writable; /* what VERW of ring 0 last said of */
	struct tsc_line tsc_line;
	uint64_t bt_flags;	 /* the host's, where translated code changes them and may have to put them back */
	uint32_t bt_rep_count;	 /* ECX when the last repeated string instruction began, or went on */
	uint64_t bt_branches[3]; /* by enum xlat_branch_kind, counted with --profile-exact */
	uint32_t bt_last_branch;
	struct physmem *pm;
	const struct cpu_ops *ops;
	void *machine;
	struct stats *stats;
	struct cpu_journal *journal; /* NULL: none */
	struct host_exec *exec;	     /* the single-stepper's executor, exec.h; owned by the VM */
	const char *vendor;	     /* 12 characters that CPUID shows; NULL: the host's */
	struct tlb tlb;
	opt_off_t opt_off;	      /* of the engines that run it: see opt.h */
	bool max;		      /* CPUID shows what costs speed, too */
	bool lm;		      /* CPUID shows 64-bit mode */
	struct feature_choice chosen; /* by the user, against what would be shown */
	__uint128_t features;	      /* bit per FEAT_* that CPUID shows: a cache of cpu_has(), 0 until its first use */
	struct watchpoints *watch;    /* a debugger watches data or single-steps (watch.h); NULL: none */
};

/*
 * Brings fpu.image up to date. Translated code leaves x87 and MMX state in the host's registers, since the monitor's
 * own code does not use them; whoever looks at the image asks for it first. (SSE and AVX state is always in the image.)
 */
void cpu_fpu_sync(struct cpu *cpu);

/* Power-on / INIT state (9.1.1, table 9-1). Keeps the links to the machine. init: INIT leaves x87/SSE, TSC and MTRRs
 * alone. */
void cpu_reset(struct cpu *cpu, bool init);

/* --- modes --- */

static inline bool cpu_protected(const struct cpu *cpu)
{
	return cpu->cr0 & CR0_PE;
}
static inline bool cpu_v86(const struct cpu *cpu)
{
	return cpu->rflags & FLAG_VM;
}
static inline bool cpu_paging(const struct cpu *cpu)
{
	return cpu->cr0 & CR0_PG;
}
static inline bool cpu_long(const struct cpu *cpu)
{
	return cpu->efer & EFER_LMA;
}
/* Real-address or V86 mode: selectors are paragraphs. */
static inline bool cpu_real_segments(const struct cpu *cpu)
{
	return !cpu_protected(cpu) || cpu_v86(cpu);
}
static inline bool cpu_code64(const struct cpu *cpu)
{
	return cpu_long(cpu) && (cpu->seg[SEG_CS].attr & SEG_L);
}
static inline unsigned cpu_iopl(const struct cpu *cpu)
{
	return (unsigned)(cpu->rflags >> FLAG_IOPL_SHIFT) & 3;
}

/* Default operand and address size of the code segment in bytes: 2, 4 or 8. */
static inline unsigned cpu_code_size(const struct cpu *cpu)
{
	if (cpu_code64(cpu))
		return 8;
	return cpu->seg[SEG_CS].attr & SEG_DB ? 4 : 2;
}

/* Width of the stack pointer in bytes. */
static inline unsigned cpu_stack_size(const struct cpu *cpu)
{
	if (cpu_code64(cpu))
		return 8;
	return cpu->seg[SEG_SS].attr & SEG_DB ? 4 : 2;
}

/* Bits 63 to 47 (with 5-level paging 56) are the same (vol. 1, 3.3.7.1). */
static inline bool cpu_canonical(const struct cpu *cpu, uint64_t address)
{
	unsigned shift = cpu->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;
	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

/* Linear address of the instruction at rip. */
static inline gva_t cpu_linear_pc(const struct cpu *cpu)
{
	uint64_t linear = cpu->seg[SEG_CS].base + cpu->rip;
	return cpu_code64(cpu) ? cpu->rip : (uint32_t)linear;
}

/* Sets *f and returns false, so that a check can end in `return x86_raise(...)`. */
static inline bool x86_raise(struct x86_fault *f, unsigned vector)
{
	*f = (struct x86_fault){.vector = (uint8_t)vector};
	return false;
}

static inline bool x86_raise_error(struct x86_fault *f, unsigned vector, uint16_t error)
{
	*f = (struct x86_fault){.vector = (uint8_t)vector, .has_error = true, .error = error};
	return false;
}

#endif
