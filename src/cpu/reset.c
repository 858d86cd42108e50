/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power-on, RESET and INIT (SDM vol. 3 9.1.1, table 9-1).
 */
#include <string.h>

#include "fpu.h"
#include "tlb.h"
#include "transfer_internal.h"

/* EDX after reset: family, model, stepping as in CPUID.01H:EAX, of which guests look at the family at most. */
#define RESET_EDX 0x600

#define PAT_DEFAULT 0x0007040600070406ull /* 11.12.4 */

static void reset_fpu(struct fpu_state *fpu)
{
	memset(fpu, 0, sizeof(*fpu));
	store_le(fpu->image + FX_FCW, 2, 0x0040);
	store_le(fpu->image + FX_TAG, 1, 0xff); /* 5555H: every register holds a zero */
	store_le(fpu->image + FX_MXCSR, 4, 0x1f80);
}

static void reset_segments(struct cpu *cpu)
{
	for (unsigned i = 0; i < SEG_COUNT; i++)
		cpu->seg[i] = (struct segment){.attr = SEG_P | SEG_S | SEG_W | SEG_A, .limit = 0xffff};
	cpu->seg[SEG_CS].selector = 0xf000;
	cpu->seg[SEG_CS].base = 0xffff0000u;
	cpu->ldtr = (struct segment){.attr = SEG_P | SYS_LDT, .limit = 0xffff};
	cpu->tr = (struct segment){.attr = SEG_P | SYS_TSS32_BUSY, .limit = 0xffff};
	cpu->gdtr = cpu->idtr = (struct dtable){.limit = 0xffff};
}

/* What INIT leaves alone. */
static void reset_power_on(struct cpu *cpu)
{
	reset_fpu(&cpu->fpu);
	cpu->fpu_live = false;
	cpu->xcr0 = 1;
	cpu->tsc_offset = cpu->tsc_adjust = cpu->tsc_aux = 0;
	cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
	cpu->star = cpu->lstar = cpu->cstar = cpu->sfmask = cpu->kernel_gs_base = 0;
	cpu->pat = PAT_DEFAULT;
	cpu->misc_enable = 1; /* fast strings */
	cpu->mtrr_def_type = 0;
	memset(cpu->mtrr_fix, 0, sizeof(cpu->mtrr_fix));
	memset(cpu->mtrr_var, 0, sizeof(cpu->mtrr_var));
	cpu->cr0 = CR0_CD | CR0_NW;
	cpu->ferr = false;
}

void cpu_reset(struct cpu *cpu, bool init)
{
	if (!init)
		reset_power_on(cpu);
	memset(cpu->gpr, 0, sizeof(cpu->gpr));
	cpu->gpr[RDX] = RESET_EDX;
	cpu->rip = cpu->next_rip = 0xfff0;
	cpu->rflags = FLAG_1;
	reset_segments(cpu);
	cpu->cr0 = (cpu->cr0 & (CR0_CD | CR0_NW)) | CR0_ET;
	cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->efer = 0;
	memset(cpu->dr, 0, sizeof(cpu->dr));
	cpu->dr[6] = DR6_FIXED;
	cpu->dr[7] = DR7_FIXED;
	memset(cpu->pdpte, 0, sizeof(cpu->pdpte));
	cpu_set_cpl(cpu, 0);
	tlb_flush(cpu);
	cpu->shadow = SHADOW_NONE;
	cpu->activity = CPU_RUNNING;
	cpu->nmi = cpu->nmi_blocked = cpu->ext = cpu->monitoring = false;
	cpu->pending_db = 0;
}
