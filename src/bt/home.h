/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What translated 64-bit code keeps in memory: no host register is left for it. A page below 2 GiB, so that an absolute
 * displacement reaches it from anywhere. Offsets are used by enter64.S.
 */
#ifndef GNOMON_BT_HOME_H
#define GNOMON_BT_HOME_H

#include "cpu/cpu.h"

enum { HOME_STACK = 4, HOME_IRET = 5, HOME_GPRS = 16, PAGE_STATES = 256 };

/* What a look at a page's state tells of an access (xlat64_look.c). */
enum look_verdict {
	LOOK_CAN,
	LOOK_TRACED, /* a write: all that is in the way is a trace */
	LOOK_KNOWN,  /* it can be made in RAM */
	LOOK_CANNOT
};

/*
 * Where the bases of FS and GS lead, as host addresses (shadow_host_of()): for operands of a base and a constant. Right
 * for the view as it is, or nowhere, which faults and is seen to then (xlat64_bases.c).
 */
struct bt_held {
	uint64_t fs;		 /* of user mode's memory */
	uint64_t gs, kernel_gs;	 /* of supervisor mode's; the other one is that of IA32_KERNEL_GS_BASE */
	uint64_t minus_chunk;	 /* 0 - number of the chunk in which user mode's FS base is expected, and ... */
	uint64_t place, nowhere; /* ... where it begins */
};

struct bt_home {
	uint64_t reason; /* enum leave_reason, on its way to bt_frame */
	uint64_t frame;	 /* struct bt_frame */
	uint64_t cpu;	 /* struct cpu */
	uint64_t host_rsp;
	uint64_t enter;		   /* bt_enter64 jumps to: code that loads R10 and jumps to ... */
	uint64_t entry;		   /* ... where the cache is entered */
	uint64_t image[HOME_GPRS]; /* what host registers hold there */
	uint64_t gpr[HOME_GPRS];   /* the guest's that are in no register: R10 and R11, or the block's pair */
	uint64_t stopped[2];	   /* R10 and R11 as a signal found them */
	uint64_t rsp_found;	   /* the guest's, when the cache was left; bt_resume64: ... */
	uint64_t flags_found;	   /* ... what goes with `image` */
	uint64_t resuming;	   /* `image` and `entry` are those of bt_resume64 */
	uint64_t count;		   /* instructions executed: bt_frame.count */
	uint64_t table;		   /* context.indirect of the code that runs */
	uint64_t fs_base, gs_base;
	struct bt_held held;
	uint64_t view[2];	     /* of supervisor and user mode */
	uint64_t target;	     /* RIP, on the way to a block that compares it */
	uint32_t from;		     /* HOME_FROM of the indirect branch that set it */
	uint32_t value;		     /* number of the exit */
	uint64_t rcx;		     /* the guest's, while RCX is compared with */
	uint64_t rsp;		     /* the guest's, while the stack below is used */
	uint64_t spare;		     /* the guest's register that MAP_SWAPPED names */
	uint64_t si_delta, di_delta; /* MAP_STRING */
	uint64_t rep_count;	     /* RCX when a repeated string instruction began, or went on */
	uint64_t hits;		     /* stats.indirect_hits */
	uint64_t code64;	     /* the code that runs now, or ran when the cache was left, is of 64 bits */
	uint64_t fault;		     /* EXIT_FAULT: host address of the access */
	uint64_t rsp_delta;	     /* of a chunk that RSP is near (xlat64_rsp.c) */
	uint64_t rsp_next;	     /* the same of the RSP behind a transfer */
	uint64_t table_stores;	     /* cpu->bt_table_stores */
	uint64_t table_store[TABLE_STORES];
	uint8_t verdict[2][PAGE_STATES]; /* enum look_verdict of loads and of stores, by the page's state; constant */
	uint64_t iret[HOME_IRET];	 /* what IRETQ pops */
	uint64_t stack[HOME_STACK];	 /* PUSHF leaves flags in the last one */
};

/* Which instruction of which block. */
#define HOME_FROM(block, insn) ((uint32_t)(block) << 8 | (insn))
#define HOME_FROM_BLOCK(from)  ((from) >> 8)
#define HOME_FROM_INSN(from)   ((from)&0xff)

#endif
