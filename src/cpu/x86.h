/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Architectural constants, each stated once. Names and numbers: Intel SDM (volume 3A unless said otherwise). Section
 * numbers, here and in all of src/cpu and src/bt: editions in which chapter 4 is paging and volume 4 has the MSRs.
 */
#ifndef GNOMON_X86_H
#define GNOMON_X86_H

#include "base.h"

/* clang-format off */

/* General registers, by their number in an encoding */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPR_COUNT, REG_NONE = 0xff };

/* Segment registers, by their number in an encoding */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

/* EFLAGS (2.3) */
#define FLAG_CF    BIT(0)
#define FLAG_1     BIT(1)
#define FLAG_PF    BIT(2)
#define FLAG_AF    BIT(4)
#define FLAG_ZF    BIT(6)
#define FLAG_SF    BIT(7)
#define FLAG_TF    BIT(8)
#define FLAG_IF    BIT(9)
#define FLAG_DF    BIT(10)
#define FLAG_OF    BIT(11)
#define FLAG_IOPL  (BIT(12) | BIT(13))
#define FLAG_NT    BIT(14)
#define FLAG_RF    BIT(16)
#define FLAG_VM    BIT(17)
#define FLAG_AC    BIT(18)
#define FLAG_VIF   BIT(19)
#define FLAG_VIP   BIT(20)
#define FLAG_ID    BIT(21)
#define FLAG_IOPL_SHIFT 12
#define FLAGS_ARITH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)
#define FLAGS_ALL   (FLAGS_ARITH | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID)

/* CR0 (2.5) */
#define CR0_PE     BIT(0)
#define CR0_MP     BIT(1)
#define CR0_EM     BIT(2)
#define CR0_TS     BIT(3)
#define CR0_ET     BIT(4)
#define CR0_NE     BIT(5)
#define CR0_WP     BIT(16)
#define CR0_AM     BIT(18)
#define CR0_NW     BIT(29)
#define CR0_CD     BIT(30)
#define CR0_PG     BIT(31)
#define CR0_DEFINED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* CR4 (2.5) */
#define CR4_VME    BIT(0)
#define CR4_PVI    BIT(1)
#define CR4_TSD    BIT(2)
#define CR4_DE     BIT(3)
#define CR4_PSE    BIT(4)
#define CR4_PAE    BIT(5)
#define CR4_MCE    BIT(6)
#define CR4_PGE    BIT(7)
#define CR4_PCE    BIT(8)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP   BIT(11)
#define CR4_LA57   BIT(12)
#define CR4_FSGSBASE BIT(16)
#define CR4_PCIDE  BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP   BIT(20)
#define CR4_SMAP   BIT(21)

/* XCR0, and the bits of XSTATE_BV (vol. 1, 13.3) */
#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)
#define XCR0_OPMASK BIT(5)
#define XCR0_ZMM_HI256 BIT(6)
#define XCR0_HI16_ZMM BIT(7)
#define XCR0_AVX512 (XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)

/* IA32_EFER (2.2.1) */
#define EFER_SCE   BIT(0)
#define EFER_LME   BIT(8)
#define EFER_LMA   BIT(10)
#define EFER_NXE   BIT(11)

/* DR6, DR7 (17.2) */
#define DR6_B(n)   BIT(n)
#define DR6_BD     BIT(13)
#define DR6_BS     BIT(14)
#define DR6_BT     BIT(15)
#define DR6_FIXED  0xffff0ff0ull
#define DR7_FIXED  0x400ull
#define DR7_GD     BIT(13)
#define DR7_L(n)   BIT(2 * (n))
#define DR7_G(n)   BIT(2 * (n) + 1)
#define DR7_RW(dr7, n)  ((unsigned)((dr7) >> (16 + 4 * (n))) & 3)
#define DR7_LEN(dr7, n) ((unsigned)((dr7) >> (18 + 4 * (n))) & 3)
#define DR7_ENABLES 0xffull
enum { DR7_RW_EXEC, DR7_RW_WRITE, DR7_RW_IO, DR7_RW_DATA };

/* Exceptions (6.15) */
enum {
	EXC_DE = 0, EXC_DB = 1, EXC_NMI = 2, EXC_BP = 3, EXC_OF = 4, EXC_BR = 5, EXC_UD = 6, EXC_NM = 7, EXC_DF = 8,
	EXC_TS = 10, EXC_NP = 11, EXC_SS = 12, EXC_GP = 13, EXC_PF = 14, EXC_MF = 16, EXC_AC = 17, EXC_MC = 18, EXC_XM = 19,
};

/* Page-fault error code (4.7) */
#define PF_P       BIT(0)
#define PF_W       BIT(1)
#define PF_U       BIT(2)
#define PF_RSVD    BIT(3)
#define PF_I       BIT(4)

/* Error codes that hold a selector (6.13) */
#define ERR_EXT    BIT(0)
#define ERR_IDT    BIT(1)
#define ERR_TI     BIT(2)

/* Paging-structure entries (4.5) */
#define PTE_P      BIT(0)
#define PTE_W      BIT(1)
#define PTE_U      BIT(2)
#define PTE_PWT    BIT(3)
#define PTE_PCD    BIT(4)
#define PTE_A      BIT(5)
#define PTE_D      BIT(6)
#define PTE_PS     BIT(7)
#define PTE_G      BIT(8)
#define PTE_NX     BIT(63)

/* Segment attributes as in bits 8-23 of a descriptor's high word (3.4.5), in struct segment.attr */
#define SEG_TYPE   0x000f
#define SEG_A      0x0001 /* accessed */
#define SEG_W      0x0002 /* data: writable */
#define SEG_R      0x0002 /* code: readable */
#define SEG_E      0x0004 /* data: expand-down */
#define SEG_C      0x0004 /* code: conforming */
#define SEG_CODE   0x0008
#define SEG_S      0x0010 /* code or data, not system */
#define SEG_DPL    0x0060
#define SEG_DPL_SHIFT 5
#define SEG_P      0x0080
#define SEG_AVL    0x1000
#define SEG_L      0x2000
#define SEG_DB     0x4000
#define SEG_G      0x8000
#define SEG_NULL   0x0100 /* ours (a limit bit in a descriptor): loaded with a null selector, unusable */

/* System descriptor types (3.5) */
enum {
	SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4, SYS_TASK_GATE = 5, SYS_INT16 = 6, SYS_TRAP16 = 7,
	SYS_TSS32 = 9, SYS_TSS32_BUSY = 11, SYS_CALL32 = 12, SYS_INT32 = 14, SYS_TRAP32 = 15,
};

#define SEL_RPL    0x0003
#define SEL_TI     0x0004
#define SEL_INDEX  0xfff8

/* MSRs (volume 4) */
enum {
	MSR_TSC = 0x10, MSR_PLATFORM_ID = 0x17, MSR_APIC_BASE = 0x1b, MSR_FEATURE_CONTROL = 0x3a, MSR_TSC_ADJUST = 0x3b, MSR_BIOS_SIGN_ID = 0x8b,
	MSR_MTRRCAP = 0xfe, MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176,
	MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17a, MSR_MISC_ENABLE = 0x1a0, MSR_MTRR_PHYSBASE0 = 0x200, MSR_MTRR_FIX64K = 0x250,
	MSR_PAT = 0x277, MSR_MTRR_DEF_TYPE = 0x2ff, MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC_BASE = 0x800, MSR_XSS = 0xda0,
	MSR_EFER = 0xc0000080u, MSR_STAR = 0xc0000081u, MSR_LSTAR = 0xc0000082u, MSR_CSTAR = 0xc0000083u, MSR_SFMASK = 0xc0000084u,
	MSR_FS_BASE = 0xc0000100u, MSR_GS_BASE = 0xc0000101u, MSR_KERNEL_GS_BASE = 0xc0000102u, MSR_TSC_AUX = 0xc0000103u,
};

#define APIC_BASE_BSP    BIT(8)
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_DEFAULT_BASE 0xfee00000ull

/* clang-format on */

#endif
