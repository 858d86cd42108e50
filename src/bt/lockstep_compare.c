/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lockstep: what both runs came to. Masked: flags that the SDM calls undefined after the last instruction that left
 * them so, and the x87 data pointer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/fpu.h"
#include "lockstep_internal.h"

static bool same_bytes(const char *what, const void *bt, const void *ref, size_t len, bool *same)
{
	if (!memcmp(bt, ref, len))
		return true;
	*same = false;
	fprintf(stderr, "lockstep: %s: translated", what);
	for (size_t i = 0; i < len && i < 32; i++)
		fprintf(stderr, " %02x", ((const uint8_t *)bt)[i]);
	fprintf(stderr, ", single-stepped");
	for (size_t i = 0; i < len && i < 32; i++)
		fprintf(stderr, " %02x", ((const uint8_t *)ref)[i]);
	fputc('\n', stderr);
	return false;
}

static bool same_number(const char *what, uint64_t bt, uint64_t ref)
{
	if (bt == ref)
		return true;
	fprintf(stderr, "lockstep: %s: translated %" PRIx64 ", single-stepped %" PRIx64 "\n", what, bt, ref);
	return false;
}

#define SAME(field) same &= same_number(#field, cpu->field, ref->field)

static bool same_segments(const struct cpu *cpu, const struct cpu *ref)
{
	bool same = true;

	for (unsigned i = 0; i < SEG_COUNT; i++) {
		SAME(seg[i].selector);
		SAME(seg[i].base);
		SAME(seg[i].limit);
		SAME(seg[i].attr);
	}
	SAME(ldtr.selector);
	SAME(ldtr.base);
	SAME(tr.selector);
	SAME(tr.base);
	SAME(tr.attr);
	SAME(gdtr.base);
	SAME(gdtr.limit);
	SAME(idtr.base);
	SAME(idtr.limit);
	return same;
}

static bool same_registers(const struct lockstep *ls, const struct cpu *cpu, const struct cpu *ref)
{
	static const char *const names[GPR_COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
						     "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	bool same = true;

	for (unsigned i = 0; i < GPR_COUNT; i++)
		same &= same_number(names[i], cpu->gpr[i], ref->gpr[i]);
	same &= same_number("rflags", cpu->rflags & ~(uint64_t)ls->undefined, ref->rflags & ~(uint64_t)ls->undefined);
	SAME(rip);
	SAME(cr0);
	SAME(cr2);
	SAME(cr3);
	SAME(cr4);
	SAME(xcr0);
	SAME(efer);
	SAME(dr[6]);
	SAME(dr[7]);
	SAME(cpl);
	SAME(shadow);
	SAME(activity);
	SAME(nmi_blocked);
	SAME(pending_db);
	SAME(tsc_offset);
	SAME(sysenter_cs);
	SAME(sysenter_esp);
	SAME(sysenter_eip);
	return same;
}

/* AMD's processors may have lost the x87 instruction pointer, but for that of an exception (cpu/fpu.c). */
static bool lost_pointers(const uint8_t *image)
{
	return !load_le(image + FX_FIP, 8) && !(image[FX_FSW] & FSW_ES);
}

/* The data pointer is not compared: processors may set it for exceptions only. */
static bool same_fpu(const struct cpu *cpu, const struct cpu *ref)
{
	const uint8_t *image = cpu->fpu.image, *wanted = ref->fpu.image;
	bool same = true;

	same_bytes("x87 control", image, wanted, FX_FOP, &same);
	if (!lost_pointers(image) && !lost_pointers(wanted))
		same_bytes("x87 instruction", image + FX_FOP, wanted + FX_FOP, FX_FDP - FX_FOP, &same);
	same_bytes("MXCSR", image + FX_MXCSR, wanted + FX_MXCSR, 4, &same);
	for (unsigned i = 0; i < 8; i++)
		same_bytes("x87 register", image + FX_ST0 + 16 * i, wanted + FX_ST0 + 16 * i, 10, &same);
	same_bytes("XMM registers", image + FX_XMM0, wanted + FX_XMM0, 256, &same);
	same_bytes("upper halves of YMM registers", image + FX_YMM, wanted + FX_YMM, 256, &same);
	same_bytes("opmask registers", image + FX_K, wanted + FX_K, 8 * 8, &same);
	same_bytes("upper halves of ZMM registers", image + FX_ZMM, wanted + FX_ZMM, 16 * 32, &same);
	same_bytes("ZMM16 to ZMM31", image + FX_HI16, wanted + FX_HI16, 16 * 64, &same);
	return same;
}

static bool same_memory(const struct lockstep *ls)
{
	bool same = true;
	char what[32];

	for (unsigned i = 0; i < ls->nwrites; i++) {
		const struct written *w = &ls->writes[i];
		const void *now = physmem_host(ls->bt->pm, w->gpa, NULL);
		if (LIKELY(w->mark || !memcmp(now, w->after, w->len)))
			continue;
		snprintf(what, sizeof(what), "memory at %" PRIx64, w->gpa);
		same_bytes(what, now, w->after, w->len, &same);
	}
	return same;
}

static void print_unit(const struct lockstep *ls)
{
	char text[96];
	const struct cpu *c = &ls->before;

	fprintf(stderr, "lockstep: in the unit at %" PRIx64 " (%u blocks, %u instructions), which began with\n", c->rip,
		ls->nblocks, ls->ninsns);
	fprintf(stderr, "  eax %08" PRIx64 " ecx %08" PRIx64 " edx %08" PRIx64 " ebx %08" PRIx64 "\n", c->gpr[RAX],
		c->gpr[RCX], c->gpr[RDX], c->gpr[RBX]);
	fprintf(stderr,
		"  esp %08" PRIx64 " ebp %08" PRIx64 " esi %08" PRIx64 " edi %08" PRIx64 " flags %08" PRIx64 "\n",
		c->gpr[RSP], c->gpr[RBP], c->gpr[RSI], c->gpr[RDI], c->rflags);
	for (unsigned i = 0; i < ls->ninsns; i++) {
		insn_format(&ls->insns[i], ls->eips[i], text, sizeof(text));
		fprintf(stderr, "  %08" PRIx64 "  %s\n", ls->eips[i], text);
	}
	bt_dump(ls->bt);
}

bool lockstep_same(struct lockstep *ls, bool ran)
{
	struct cpu *cpu = ls->bt->cpu;
	bool same = ran;

	same &= same_registers(ls, cpu, &ls->reference);
	same &= same_segments(cpu, &ls->reference);
	same &= ls->mmx_store_faulted || same_fpu(cpu, &ls->reference);
	same &= same_memory(ls);
	if (same && ls->next_answer != ls->nanswers) {
		fprintf(stderr, "lockstep: the translator made %u of %u exchanges with devices\n", ls->next_answer,
			ls->nanswers);
		same = false;
	}
	if (!same)
		print_unit(ls);
	return same;
}
