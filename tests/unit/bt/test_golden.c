/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emitted code: golden.txt, beside this file, has what becomes of a table of guest instructions in several modes,
 * disassembled. After an intended change, update_golden.sh writes it anew; look at the difference before it is
 * committed.
 */
#include <stdarg.h>
#include <stdio.h>

#include "bt_fixture.h"

enum { TEXT_BYTES = 1 << 20 };

struct sample {
	const char *name;
	uint8_t len, bytes[8];
};

#define S(name, ...)                                                                                                   \
	{                                                                                                              \
		name, sizeof((uint8_t[]){__VA_ARGS__}),                                                                \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}

/* clang-format off */
static const struct sample samples32[] = {
	S("mov eax, ebx", 0x89, 0xd8), S("inc eax, the short form", 0x40), S("mov eax, [ebx]", 0x8b, 0x03), S("mov [esp + 8], eax", 0x89, 0x44, 0x24, 0x08),
	S("mov eax, [ebx + esi * 4 + 10000]", 0x8b, 0x84, 0xb3, 0x10, 0x27, 0, 0), S("mov eax, [disp32]", 0x8b, 0x05, 0x78, 0x56, 0x34, 0x12), S("mov eax, moffs", 0xa1, 0x78, 0x56, 0x34, 0x12),
	S("mov ah, [esp]: a high byte beside REX", 0x8a, 0x24, 0x24), S("mov [bx + si], al: 16-bit addressing", 0x67, 0x88, 0x00), S("lea eax, [bx + si]", 0x67, 0x8d, 0x00),
	S("add ax, [ebp]", 0x66, 0x03, 0x45, 0x00), S("mov esp, eax", 0x89, 0xc4), S("lock inc [ebx]", 0xf0, 0xff, 0x03), S("movups xmm1, [ebx]", 0x0f, 0x10, 0x0b), S("fld [ebx]", 0xd9, 0x03),
	S("bts [ebx], eax", 0x0f, 0xab, 0x03), S("push eax", 0x50), S("push esp", 0x54), S("push word 1", 0x66, 0x6a, 0x01), S("push [ebx]", 0xff, 0x33), S("push ds", 0x1e), S("pop ebx", 0x5b),
	S("pop esp", 0x5c), S("pop [esp]", 0x8f, 0x04, 0x24), S("pusha", 0x60), S("popa", 0x61), S("leave", 0xc9), S("enter 8, 0", 0xc8, 8, 0, 0), S("pushf", 0x9c), S("popf", 0x9d), S("cli", 0xfa),
	S("sti", 0xfb), S("jmp $ + 2", 0xeb, 0x00), S("jz $ + 16", 0x74, 0x0e), S("jecxz $ + 16", 0xe3, 0x0e), S("loop $ + 16", 0xe2, 0x0e), S("loopne $ + 16", 0xe0, 0x0e),
	S("call $ + 5", 0xe8, 0, 0, 0, 0), S("call eax", 0xff, 0xd0), S("jmp [ebx]", 0xff, 0x23), S("ret", 0xc3), S("ret 4", 0xc2, 4, 0), S("ret of 16 bits", 0x66, 0xc3), S("movsb", 0xa4),
	S("rep movsd", 0xf3, 0xa5), S("repe cmpsb", 0xf3, 0xa6), S("stosd", 0xab), S("lodsw", 0x66, 0xad), S("scasb", 0xae), S("xlat", 0xd7), S("mov eax, ds", 0x8c, 0xd8), S("mov ds, eax", 0x8e, 0xd8),
	S("in al, 80", 0xe4, 0x80), S("hlt", 0xf4), S("ud2", 0x0f, 0x0b), S("daa", 0x27), S("iret", 0xcf),
};

static const struct sample samples16[] = {
	S("mov ax, [bx]", 0x8b, 0x07), S("mov eax, [ebx]", 0x66, 0x67, 0x8b, 0x03), S("mov [bp + si + 5], al", 0x88, 0x42, 0x05), S("push ax", 0x50), S("pop ds", 0x1f), S("pop ss", 0x17),
	S("mov es, [bx]", 0x8e, 0x07), S("mov ss, ax", 0x8e, 0xd0), S("pusha", 0x60), S("popa", 0x61), S("leave", 0xc9), S("pushf", 0x9c), S("popf", 0x9d), S("sti", 0xfb), S("call $ + 3", 0xe8, 0, 0),
	S("ret", 0xc3), S("jcxz $ + 16", 0xe3, 0x0e), S("loop $ + 16", 0xe2, 0x0e), S("jmp [bx]", 0xff, 0x27), S("movsb", 0xa4), S("rep movsw", 0xf3, 0xa5), S("stosw", 0xab), S("cmpsb", 0xa6), S("xlat", 0xd7),
	S("int 10", 0xcd, 0x10), S("retf", 0xcb),
};

static const struct sample samples64[] = {
	S("mov eax, ebx", 0x89, 0xd8), S("mov r10, r11", 0x4d, 0x89, 0xda), S("mov r11b, sil", 0x41, 0x88, 0xf3), S("mov rax, [rbx]", 0x48, 0x8b, 0x03), S("mov r10, [rbx]", 0x4c, 0x8b, 0x13),
	S("mov [rbx], r11", 0x4c, 0x89, 0x1b), S("mov rax, [r10]", 0x49, 0x8b, 0x02), S("add r10, [r11]", 0x4d, 0x03, 0x13), S("mov [rsp + 8], rax", 0x48, 0x89, 0x44, 0x24, 0x08), S("mov rax, [r12]", 0x49, 0x8b, 0x04, 0x24),
	S("mov rax, [rbx + 200000]: too far", 0x48, 0x8b, 0x83, 0, 0, 0x20, 0), S("mov eax, [rbx + rsi * 4 + 8]", 0x8b, 0x44, 0xb3, 0x08), S("mov eax, [rsp + rsi * 4 + 8]", 0x8b, 0x44, 0xb4, 0x08), S("mov rax, [rip + 100]", 0x48, 0x8b, 0x05, 0, 1, 0, 0),
	S("mov eax, [disp32]", 0x8b, 0x04, 0x25, 0x78, 0x56, 0x34, 0x12), S("mov eax, [-8]", 0x8b, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff), S("mov eax, [ebx + 8]: 32-bit addressing", 0x67, 0x8b, 0x43, 0x08),
	S("mov eax, fs:[28]", 0x64, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0), S("mov eax, gs:[28]", 0x65, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0), S("mov eax, gs:[rbx]", 0x65, 0x8b, 0x03), S("mov ah, [rbx]: a high byte", 0x8a, 0x23), S("mov spl, [r8]", 0x41, 0x8a, 0x20),
	S("lea rax, [rip + 100]", 0x48, 0x8d, 0x05, 0, 1, 0, 0), S("lea r10, [r11 + rbx]", 0x4d, 0x8d, 0x14, 0x1b), S("lock xadd [rbx], r10", 0xf0, 0x4c, 0x0f, 0xc1, 0x13), S("xchg [rbx], rax", 0x48, 0x87, 0x03),
	S("cmpxchg16b [rbx]", 0x48, 0x0f, 0xc7, 0x0b), S("movups xmm9, [rbx]", 0x44, 0x0f, 0x10, 0x0b), S("shl r11, cl", 0x49, 0xd3, 0xe3), S("mul r10", 0x49, 0xf7, 0xe2), S("bts [rbx], rax", 0x48, 0x0f, 0xab, 0x03),
	S("push rax", 0x50), S("push r10", 0x41, 0x52), S("push rsp", 0x54), S("push 1", 0x6a, 0x01), S("push [rbx]", 0xff, 0x33), S("pop rbx", 0x5b), S("pop r11", 0x41, 0x5b), S("pop rsp", 0x5c), S("pop [rbx]", 0x8f, 0x03),
	S("leave", 0xc9), S("enter 8, 0", 0xc8, 8, 0, 0), S("pushfq", 0x9c), S("popfq", 0x9d), S("cli", 0xfa), S("sti", 0xfb), S("jmp $ + 2", 0xeb, 0x00), S("jz $ + 16", 0x74, 0x0e), S("jrcxz $ + 16", 0xe3, 0x0e),
	S("loopne $ + 16", 0xe0, 0x0e), S("call $ + 5", 0xe8, 0, 0, 0, 0), S("call rax", 0xff, 0xd0), S("jmp r11", 0x41, 0xff, 0xe3), S("jmp [rbx]", 0xff, 0x23), S("ret", 0xc3), S("ret 8", 0xc2, 8, 0),
	S("movsb", 0xa4), S("rep movsq", 0xf3, 0x48, 0xa5), S("repe cmpsb", 0xf3, 0xa6), S("stosd", 0xab), S("lodsw", 0x66, 0xad), S("fs lodsb", 0x64, 0xac), S("xlat", 0xd7), S("mov eax, ds", 0x8c, 0xd8),
	S("swapgs", 0x0f, 0x01, 0xf8), S("rdfsbase rsp", 0xf3, 0x48, 0x0f, 0xae, 0xc4), S("wrfsbase rax", 0xf3, 0x48, 0x0f, 0xae, 0xd0), S("wrgsbase r10", 0xf3, 0x49, 0x0f, 0xae, 0xda), S("mov rax, cr2", 0x0f, 0x20, 0xd0), S("hlt", 0xf4), S("ud2", 0x0f, 0x0b),
	S("daa", 0x27), S("prefetchnta [rbx]", 0x0f, 0x18, 0x03),
};

/* From ring 0, and from ring 3 back, in 64-bit code. */
static const struct sample returns64[] = {S("iretq", 0x48, 0xcf), S("sysretq", 0x48, 0x0f, 0x07)};
static const struct sample call64 = S("syscall", 0x0f, 0x05);

#define HOME_FIELD(name) {#name, __builtin_offsetof(struct bt_home, name), sizeof(((struct bt_home *)0)->name)}

static const struct {
	const char *name;
	size_t offset, size;
} home_fields[] = {
	HOME_FIELD(cpu), HOME_FIELD(host_rsp), HOME_FIELD(code64), {"r10", __builtin_offsetof(struct bt_home, gpr[R10]), 8}, {"r11", __builtin_offsetof(struct bt_home, gpr[R11]), 8}, HOME_FIELD(gpr), HOME_FIELD(count), HOME_FIELD(table), HOME_FIELD(fs_base), HOME_FIELD(gs_base), HOME_FIELD(held.fs), HOME_FIELD(held.gs), HOME_FIELD(held.kernel_gs), HOME_FIELD(held.minus_chunk), HOME_FIELD(held.place), HOME_FIELD(held.nowhere), HOME_FIELD(view), HOME_FIELD(target), HOME_FIELD(from),
	HOME_FIELD(value), HOME_FIELD(rcx), HOME_FIELD(rsp), HOME_FIELD(spare), HOME_FIELD(si_delta), HOME_FIELD(di_delta), HOME_FIELD(rep_count), HOME_FIELD(hits), HOME_FIELD(rsp_delta), HOME_FIELD(rsp_next), HOME_FIELD(iret), HOME_FIELD(stack),
};

#define CPU_FIELD(name) {#name, __builtin_offsetof(struct cpu, name), sizeof(((struct cpu *)0)->name)}

static const struct {
	const char *name;
	size_t offset, size;
} fields[] = {
	CPU_FIELD(rflags), CPU_FIELD(intr),
	CPU_FIELD(bt_selector[0].seg.selector), CPU_FIELD(bt_selector[0].seg.base), CPU_FIELD(bt_selector[0].minus_raw), CPU_FIELD(bt_selector[0].address), CPU_FIELD(bt_selector[0].class),
	CPU_FIELD(bt_return), CPU_FIELD(bt_gate), CPU_FIELD(bt_writable), CPU_FIELD(bt_window), CPU_FIELD(bt_flags), CPU_FIELD(nmi_blocked), CPU_FIELD(cpl), CPU_FIELD(tsc_line), CPU_FIELD(bt_rep_count), CPU_FIELD(bt_user_faulted), CPU_FIELD(bt_copy_faulted), CPU_FIELD(bt_rf_at), CPU_FIELD(bt_rf),
	CPU_FIELD(gpr), CPU_FIELD(cr0), CPU_FIELD(cr2), CPU_FIELD(cr3), CPU_FIELD(cr4), CPU_FIELD(kernel_gs_base), CPU_FIELD(efer), CPU_FIELD(star), CPU_FIELD(lstar), CPU_FIELD(sfmask), CPU_FIELD(dr), CPU_FIELD(bt_return64), CPU_FIELD(bt_compat), CPU_FIELD(fpu),
};
/* clang-format on */

static char *text;
static size_t text_len;

__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	text_len += (size_t)vsnprintf(text + text_len, TEXT_BYTES - text_len, fmt, args);
	va_end(args);
	ck_assert_uint_lt(text_len, TEXT_BYTES);
}

/* The name of what is at HOST_CPU + disp. */
static void field_name(int64_t disp, char *out, size_t size)
{
	static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
	size_t at = (size_t)(disp + CPU_BIAS), seg = at - offsetof(struct cpu, seg);

	if (at >= offsetof(struct cpu, seg) && seg < sizeof(cpu.seg)) {
		size_t in = seg % sizeof(struct segment);
		snprintf(out, size, "cpu.%s.%s", segs[seg / sizeof(struct segment)],
			 in == offsetof(struct segment, base)	 ? "base"
			 : in == offsetof(struct segment, limit) ? "limit"
			 : in == offsetof(struct segment, attr)	 ? "attr"
								 : "selector");
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(fields); i++)
		if (at >= fields[i].offset && at < fields[i].offset + fields[i].size) {
			at -= fields[i].offset;
			snprintf(out, size, at ? "cpu.%s+%zu" : "cpu.%s", fields[i].name, at);
			return;
		}
	snprintf(out, size, "cpu+%zu", at);
}

/* The name of a place of bt_home's; false: it is none. */
static bool home_name(int64_t address, char *out, size_t size)
{
	size_t at = (size_t)(address - (int64_t)(uintptr_t)bt->home), last = ARRAY_LEN(home_fields);

	/* An empty stack begins behind the last one. */
	for (unsigned i = 0; i < last; i++)
		if (at >= home_fields[i].offset && at < home_fields[i].offset + home_fields[i].size + (i + 1 == last)) {
			at -= home_fields[i].offset;
			snprintf(out, size, at ? "home.%s+%zu" : "home.%s", home_fields[i].name, at);
			return true;
		}
	return false;
}

enum { NEAR_PROBE = 1 << 28 };

static unsigned cpu_reg;
static bool compat; /* 64-bit code that has loaded HOST_CPU, on its way to compatibility mode */

/*
 * 64-bit code: what differs from run to run, or with the layout of structures, by name. cpu_reg: the register that was
 * last loaded with struct cpu. False: nothing of this.
 */
static bool put_host_insn64(const struct insn *in, char *line, uint64_t target, unsigned *cpu_reg)
{
	char name[48] = "", *bracket = strchr(line, '['), *comma = strchr(line, ',');
	int64_t probe = in->has_mem ? (int32_t)((uint32_t)in->disp - bt->probe) : 0;
	bool home = in->has_mem && home_name(in->disp, name, sizeof(name)), cpu_field;

	cpu_field = in->has_mem && !in->agen && in->base == *cpu_reg && in->index == REG_NONE;
	if (in->gpr_written >> *cpu_reg & 1)
		*cpu_reg = GPR_COUNT;
	if (home && !strcmp(name, "home.cpu"))
		*cpu_reg = in->op[0].reg;
	if (cpu_field)
		field_name(in->disp - CPU_BIAS, name, sizeof(name));
	if (compat && in->has_mem && !in->agen && in->base == HOST_CPU) {
		cpu_field = true;
		field_name(in->disp, name, sizeof(name));
	}
	compat |= in->id == INSN_LEA && in->op[0].reg == HOST_CPU;
	if (target == bt->stubs.exit64 || target == bt->stubs.indirect_miss64) {
		put("\tjmp %s\n", target == bt->stubs.exit64 ? "exit64" : "indirect_miss64");
	} else if (in->has_mem && in->disp == (int64_t)bt->stubs.indirect_miss64) {
		*strchr(bracket, '+') = 0;
		put("\t%s+indirect_miss64]\n", line);
	} else if (home || cpu_field) {
		*bracket = 0;
		put("\t%s[%s%s\n", line, name, strchr(bracket + 1, ']'));
	} else if (in->has_mem && in->base != REG_NONE && in->mem_size == 1 && probe > -NEAR_PROBE &&
		   probe <= (int64_t)PAGE_SIZE) {
		*strpbrk(bracket, "+-") = 0;
		put("\t%s+probe%+lld]\n", line, (long long)probe);
	} else if (in->id == INSN_MOV && comma && in->op[1].kind == OPD_IMM &&
		   in->op[1].imm - (uintptr_t)bt->contexts < sizeof(bt->contexts)) {
		*comma = 0;
		put("\t%s, context\n", line);
	} else if (in->id == INSN_MOV && comma && in->op[1].kind == OPD_IMM &&
		   home_name((int64_t)in->op[1].imm, name, sizeof(name))) {
		*comma = 0;
		put("\t%s, %s\n", line, name);
	} else {
		return false;
	}
	return true;
}

static void put_host_insn(const struct block *b, int at)
{
	const uint8_t *code = (const uint8_t *)(uintptr_t)b->body + at;
	char line[128], name[48], *bracket;
	struct insn in;
	int64_t target;

	ck_assert_int_eq(insn_decode(&in, code, 15, 8), 0);
	insn_format(&in, at, line, sizeof(line));
	target = in.op[0].kind == OPD_REL ? (int64_t)(b->body + at + in.len) + (int64_t)in.op[0].imm : 0;
	bracket = strstr(line, "[r14");
	if (context_code64(b->ctx)) {
		if (!put_host_insn64(&in, line, (uint64_t)target, &cpu_reg))
			put("\t%s\n", line);
	} else if (bracket) {
		field_name(in.disp, name, sizeof(name));
		*bracket = 0;
		put("\t%s[%s%s\n", line, name, strchr(bracket + 1, ']'));
	} else if (in.has_mem && in.base == REG_NONE && in.seg == SEG_DS && home_name(in.disp, name, sizeof(name))) {
		bracket = strchr(line, '[');
		*bracket = 0;
		put("\t%s[%s%s\n", line, name, strchr(bracket + 1, ']'));
	} else if (target == (int64_t)bt->stubs.exit || target == (int64_t)bt->stubs.indirect_miss) {
		put("\tjmp %s\n", target == (int64_t)bt->stubs.exit ? "exit" : "indirect_miss");
	} else if (code[0] == 0x49 && code[1] == 0xba && load_le(code + 2, 8) == (uintptr_t)shadow_watched(sh)) {
		put("\tmov r10, watched\n");
	} else if (code[0] == 0x49 && code[1] == 0xba &&
		   load_le(code + 2, 8) - (uintptr_t)b->ctx->after_load < sizeof(b->ctx->after_load)) {
		put("\tmov r10, after_load\n");
	} else if (code[0] == 0x49 && code[1] == 0xba &&
		   load_le(code + 2, 8) - (uintptr_t)bt->contexts < sizeof(bt->contexts)) {
		put("\tmov r10, context\n");
	} else {
		put("\t%s\n", line);
	}
}

/* from, to: offsets from the body. */
static void put_code(const struct block *b, int from, int to)
{
	struct insn in;

	cpu_reg = GPR_COUNT;
	compat = false;
	for (int at = from; at < to; at += in.len) {
		put_host_insn(b, at);
		insn_decode(&in, (const uint8_t *)(uintptr_t)b->body + at, 15, 8);
	}
	put("\n");
}

static void put_sample(const char *mode, const struct sample *s, enum site_level level)
{
	uint32_t eip = cpu_code_size(&cpu) == 2 ? 0 : CODE;
	struct block *b;

	bt_flush(bt);
	poke_bytes(CODE, s->bytes, s->len);
	for (unsigned i = 0; i < 16; i++)
		poke(CODE + s->len + i, 1, 0x90);
	cpu.rip = eip;
	bt_site_set(bt, &(struct site){.linear = CODE, .level = (uint8_t)level});
	b = bt_translate(bt, bt_context(bt), eip, CODE, 2);
	put("%s%s: %s\n", mode, level == SITE_CHECKED ? ", checked" : "", s->name);
	put_code(b, 0, b->map[1].host);
}

/* The entry of those who come through a table, and the way out by a link to another page. */
static void put_ends64(void)
{
	static const struct sample jump = S("", 0xe9, 0, 0x10, 0, 0);
	const struct block *b;

	bt_flush(bt);
	poke_bytes(CODE, jump.bytes, jump.len);
	b = bt_translate(bt, bt_context(bt), CODE, CODE, 1);
	put("64-bit code: entry\n");
	put_code(b, (int)(b->indirect - b->body), 0);
	put("64-bit code: a jump to another page\n");
	put_code(b, 0, b->body_len);
}

static void enter_64bit_mode(unsigned cpl)
{
	cpu.lm = true;
	cpu.features = (((__uint128_t)1 << FEAT_COUNT) - 1) & ~BIT(FEAT_LA57); /* not the host's: nothing is run */
	enter_long(cpl);
	cpu.cr4 |= CR4_OSFXSR | CR4_FSGSBASE;
	cpu.idtr.limit = 0x3ff;
	cpu_mmu_event(&cpu, MMU_CR0, 0);
	cpu.gpr[RBX] = cpu.gpr[RSI] = cpu.gpr[RBP] = DATA;
}

static void all_segments(uint32_t base, uint32_t limit, unsigned attr)
{
	set_descriptor(SCRATCH, descriptor(base, limit, SEG_P | SEG_S | SEG_W | attr));
	for (unsigned seg = 0; seg < SEG_COUNT; seg++)
		if (seg != SEG_CS)
			force_segment(seg, SCRATCH);
}

static void put_everything64(void)
{
	enter_64bit_mode(0);
	put_ends64();
	for (unsigned i = 0; i < ARRAY_LEN(samples64); i++)
		put_sample("64-bit code", &samples64[i], SITE_PLAIN);
	cpu.opt_off = BIT(OPT_NEAR);
	for (unsigned i = 0; i < ARRAY_LEN(samples64); i++)
		if (strchr(samples64[i].name, '['))
			put_sample("64-bit code, lookups", &samples64[i], SITE_PLAIN);
	cpu.opt_off = 0;
	cpu.efer |= EFER_SCE;
	for (unsigned i = 0; i < ARRAY_LEN(returns64); i++)
		put_sample("64-bit code", &returns64[i], SITE_PLAIN);
	enter_64bit_mode(3);
	for (unsigned i = 0; i < ARRAY_LEN(samples64); i++)
		if (strchr("pcswjr", samples64[i].name[0]))
			put_sample("64-bit code, ring 3", &samples64[i], SITE_PLAIN);
	cpu.efer |= EFER_SCE;
	put_sample("64-bit code, ring 3", &call64, SITE_PLAIN);
}

static void put_everything(void)
{
	bt->gsbase = GSBASE_KEPT; /* nothing is run */
	cpu.cr4 |= CR4_OSFXSR;
	for (unsigned i = 0; i < ARRAY_LEN(samples32); i++)
		put_sample("flat", &samples32[i], SITE_PLAIN);
	bt->count = true;
	for (unsigned i = 0; i < ARRAY_LEN(samples32); i++)
		if (strchr("cijlr", samples32[i].name[0]))
			put_sample("flat, counted", &samples32[i], SITE_PLAIN);
	bt->count = false;
	all_segments(DATA, 0xfffff, SEG_DB | SEG_G);
	for (unsigned i = 0; i < ARRAY_LEN(samples32); i++)
		put_sample("segments with a base", &samples32[i], SITE_PLAIN);
	all_segments(DATA, 0x7fff, 0);
	for (unsigned i = 0; i < ARRAY_LEN(samples32); i++)
		put_sample("limited segments, 16-bit stack", &samples32[i], SITE_PLAIN);
	enter_ring(0);
	put_sample("flat", &samples32[3], SITE_CHECKED);
	put_sample("flat", &samples32[7], SITE_CHECKED);
	put_sample("flat", &samples32[15], SITE_CHECKED);
	enter_ring(3);
	for (unsigned i = 0; i < ARRAY_LEN(samples32); i++)
		if (strchr("phcsi", samples32[i].name[0]))
			put_sample("ring 3", &samples32[i], SITE_PLAIN);
	enter_real();
	for (unsigned seg = 0; seg < SEG_COUNT; seg++)
		cpu_set_real_segment(&cpu, seg, seg == SEG_CS ? CODE >> 4 : DATA >> 4);
	for (unsigned i = 0; i < ARRAY_LEN(samples16); i++)
		put_sample("real mode", &samples16[i], SITE_PLAIN);
	cpu.cr0 |= CR0_PE;
	put_everything64();
}

/* The first line that differs. */
static void compare(const char *want, const char *have)
{
	unsigned line = 1;

	while (*want && *want == *have) {
		line += *want == '\n';
		want++;
		have++;
	}
	ck_assert_msg(
	    *want == *have,
	    "golden.txt, line %u: expected \"%.60s\", emitted \"%.60s\". If that is meant, run update_golden.sh", line,
	    want, have);
}

START_TEST(test_golden)
{
	char *want = calloc(1, TEXT_BYTES);
	FILE *f;

	text = calloc(1, TEXT_BYTES);
	put_everything();
	if (getenv("GOLDEN_UPDATE")) {
		f = fopen(GOLDEN, "w");
		ck_assert(f && fwrite(text, 1, text_len, f) == text_len && fclose(f) == 0);
		return;
	}
	f = fopen(GOLDEN, "r");
	ck_assert_msg(f, "%s", GOLDEN);
	ck_assert_uint_gt(fread(want, 1, TEXT_BYTES - 1, f), 1000);
	fclose(f);
	compare(want, text);
	free(want);
	free(text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("golden");
	TCase *t = tcase_create("golden");

	tcase_add_checked_fixture(t, setup_bt_unaudited, teardown_bt);
	tcase_add_test(t, test_golden);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
