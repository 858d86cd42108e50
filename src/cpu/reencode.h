/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest instruction in the encoding that the host's 64-bit mode needs: same operation, other prefixes, memory operand
 * and home of ESP.
 */
#ifndef GNOMON_REENCODE_H
#define GNOMON_REENCODE_H

#include "decode.h"

enum host_mem {
	HOST_MEM_NONE,	/* the instruction has no memory operand */
	HOST_MEM_SAME,	/* the guest's own addressing form, 32-bit addresses relative to GS, disp added */
	HOST_MEM_BASE,	/* [base + disp] relative to GS if gs */
	HOST_MEM_INDEX, /* [base + index * scale + disp], likewise */
	HOST_MEM_RIP,	/* [rip + disp], disp counted from the end of the instruction */
};

struct reencoding {
	enum host_mem mem;
	uint8_t esp_home; /* host register that holds guest ESP: RSP or R12 */
	bool gs;	  /* HOST_MEM_BASE, HOST_MEM_INDEX: GS-relative */
	bool a32;	  /* ... and the sum is cut to 32 bits */
	uint8_t base;	  /* HOST_MEM_BASE, HOST_MEM_INDEX: host register */
	int32_t disp;	  /* all but HOST_MEM_NONE; HOST_MEM_SAME: other than 0 with a base only */
	uint8_t index;	  /* HOST_MEM_INDEX: host register, not RSP */
	uint8_t scale;	  /* HOST_MEM_INDEX: 1, 2, 4, 8 */
	/* 64-bit code: the register that the instruction names as `moved` is `moved_to` (both of R8 to R15), beside a
	 * memory operand. All zeros: none. */
	uint8_t moved, moved_to;
};

enum { REENCODE_MAX = 15 };

/*
 * Writes at most REENCODE_MAX bytes to out and returns their number; 0 if there is no such encoding (a high-byte
 * register beside a register that needs REX, EVEX with a vector of indexes, more than 15 bytes).
 */
unsigned insn_reencode(const struct insn *in, const struct reencoding *how, uint8_t *out);

#endif
