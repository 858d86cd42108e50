/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is printed of a VM when the monitor finds itself broken. */
#include "vm.h"

#include "bt/bt.h"
#include "cpu/decode.h"
#include "cpu/mem.h"

static const char *const gpr_names[GPR_COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
						 "r8",	"r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const seg_names[SEG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs"};

static void dump_segment(FILE *out, const char *name, const struct segment *s)
{
	fprintf(out, "  %-4s %04x base %016llx limit %08x attr %04x\n", name, s->selector, (unsigned long long)s->base,
		s->limit, s->attr);
}

static void dump_insn(FILE *out, struct cpu *cpu)
{
	struct x86_fault f;
	struct insn in;
	uint8_t bytes[INSN_MAX_BYTES];
	char text[96] = "?";
	gva_t pc = cpu_linear_pc(cpu);
	unsigned avail = (unsigned)MIN(sizeof(bytes), PAGE_SIZE - (pc & PAGE_MASK));
	struct translation t;

	/* Without accessed bits or device reads: a dump changes nothing. */
	if (!cpu_walk(cpu, pc, ACC_EXEC, cpu->cpl == 3, false, &t, &f)) {
		fprintf(out, "  code at %llx is not mapped\n", (unsigned long long)pc);
		return;
	}
	const uint8_t *host = physmem_host(cpu->pm, t.gpa & cpu->pm->a20_mask, NULL);
	if (!host) {
		fprintf(out, "  code at %llx (physical %llx) is not in memory\n", (unsigned long long)pc,
			(unsigned long long)t.gpa);
		return;
	}
	__builtin_memcpy(bytes, host, avail);
	if (insn_decode(&in, bytes, avail, cpu_code_size(cpu)) == 0)
		insn_format(&in, cpu->rip, text, sizeof(text));
	fprintf(out, "  %04x:%08llx ", cpu->seg[SEG_CS].selector, (unsigned long long)cpu->rip);
	for (unsigned i = 0; i < avail; i++)
		fprintf(out, "%02x ", bytes[i]);
	fprintf(out, " %s\n", text);
}

void cpu_dump(FILE *out, struct cpu *cpu)
{
	fprintf(out, "CPU: cpl %u, activity %u, shadow %u, intr %d, nmi %d\n", cpu->cpl, cpu->activity, cpu->shadow,
		cpu->intr, cpu->nmi);
	for (unsigned i = 0; i < GPR_COUNT; i++)
		fprintf(out, "  %-3s %016llx%s", gpr_names[i], (unsigned long long)cpu->gpr[i], i % 4 == 3 ? "\n" : "");
	fprintf(out, "  rip %016llx  rflags %llx\n", (unsigned long long)cpu->rip, (unsigned long long)cpu->rflags);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		dump_segment(out, seg_names[i], &cpu->seg[i]);
	dump_segment(out, "ldtr", &cpu->ldtr);
	dump_segment(out, "tr", &cpu->tr);
	fprintf(out, "  gdtr %llx/%x  idtr %llx/%x\n", (unsigned long long)cpu->gdtr.base, cpu->gdtr.limit,
		(unsigned long long)cpu->idtr.base, cpu->idtr.limit);
	fprintf(out, "  cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx  dr6 %llx dr7 %llx\n",
		(unsigned long long)cpu->cr0, (unsigned long long)cpu->cr2, (unsigned long long)cpu->cr3,
		(unsigned long long)cpu->cr4, (unsigned long long)cpu->efer, (unsigned long long)cpu->dr[6],
		(unsigned long long)cpu->dr[7]);
	dump_insn(out, cpu);
}

void vm_dump(void *arg)
{
	struct vm *vm = arg;

	if (vm->dump_first)
		vm->dump_first(vm->dump_arg);
	fprintf(stderr, "engine %s, %llu ns of virtual time, %llu single-stepped\n", vm->engine->name,
		(unsigned long long)clock_now(&vm->clock), (unsigned long long)vm->stats.stepped);
	cpu_dump(stderr, &vm->cpu);
	if (vm->bt)
		bt_dump(vm->bt);
}
