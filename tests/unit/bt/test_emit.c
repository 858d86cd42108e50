/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The emitter: everything it writes, decoded again; and executed where decoding does not say enough. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bt/emit.h"
#include "cpu/decode.h"

static uint8_t buffer[64];
static struct emit e;
static struct insn in;

static void fresh(void)
{
	memset(buffer, 0xcc, sizeof(buffer));
	e = (struct emit){.p = buffer, .start = buffer, .end = buffer + sizeof(buffer), .run = 0x10000};
}

/* What was emitted is one instruction, and ends where the emitter is. */
static void decode_it(const char *what)
{
	ck_assert(!e.full);
	ck_assert_msg(insn_decode(&in, buffer, sizeof(buffer), 8) == 0, "%s: %02x %02x %02x %02x", what, buffer[0],
		      buffer[1], buffer[2], buffer[3]);
	ck_assert_msg(in.len == e.p - buffer, "%s: %u of %td bytes", what, in.len, e.p - buffer);
}

static void check_reg(unsigned n, unsigned reg, unsigned size)
{
	ck_assert_msg(in.op[n].kind == OPD_GPR && in.op[n].reg == reg && in.op[n].size == size,
		      "operand %u of %s: %u (%u bytes), expected %u (%u)", n, insn_name(&in), in.op[n].reg,
		      in.op[n].size, reg, size);
}

static void check_mem(struct host_addr at, unsigned size)
{
	ck_assert(in.has_mem);
	ck_assert_msg(in.base == at.base && in.index == at.index, "base %u index %u, expected %u %u", in.base, in.index,
		      at.base, at.index);
	ck_assert(at.index == REG_NONE || in.scale == at.scale);
	ck_assert_int_eq((int32_t)in.disp, at.disp);
	ck_assert_uint_eq(in.addrsize, at.a32 ? 4 : 8);
	ck_assert(!at.gs || in.seg == SEG_GS);
	if (size)
		ck_assert_uint_eq(in.mem_size, size);
}

static const int32_t disps[] = {0, 1, -1, 127, 128, -128, -129, 0x12345678, INT32_MIN, INT32_MAX};

/* Calls fn with every kind of address. */
static void each_address(void (*fn)(struct host_addr at))
{
	for (unsigned base = 0; base <= 16; base++)
		for (unsigned index = 0; index <= 16; index++) {
			if (index == RSP)
				continue;
			for (unsigned i = 0; i < ARRAY_LEN(disps); i++)
				for (unsigned form = 0; form < 4; form++) {
					struct host_addr at = {base == 16 ? REG_NONE : (uint8_t)base,
							       index == 16 ? REG_NONE : (uint8_t)index,
							       (uint8_t)(1 << form),
							       disps[i],
							       form & 1,
							       form & 2};
					fn(at);
				}
		}
}

static void try_address(struct host_addr at)
{
	static const unsigned sizes[] = {1, 2, 4, 8};

	for (unsigned i = 0; i < 4; i++) {
		unsigned size = sizes[i], reg = (unsigned)(at.base * 5 + at.index * 3 + i) & 15;
		fresh();
		emit_store(&e, size, reg, at);
		decode_it("store");
		ck_assert_uint_eq(in.id, INSN_MOV);
		check_mem(at, size);
		check_reg(1, reg, size);
		fresh();
		emit_load(&e, size, reg, at);
		decode_it("load");
		ck_assert_uint_eq(in.id, size < 4 ? INSN_MOVZX : INSN_MOV);
		check_mem(at, size);
		check_reg(0, reg, size < 4 ? 4 : size);
		fresh();
		emit_load_part(&e, size, reg, at);
		decode_it("load part");
		check_mem(at, size);
		check_reg(0, reg, size);
		fresh();
		emit_store_imm(&e, size, 0x87654321, at);
		decode_it("store immediate");
		check_mem(at, size);
		ck_assert_uint_eq(in.op[1].imm & (size == 8 ? 0xffffffff : size_mask(size)),
				  0x87654321 & size_mask(size));
	}
	fresh();
	emit_lea(&e, 8, R9, at);
	decode_it("lea");
	ck_assert(in.agen && in.id == INSN_LEA && in.base == at.base && in.index == at.index &&
		  (int32_t)in.disp == at.disp);
	ck_assert_uint_eq(in.addrsize, 8);
}

START_TEST(test_memory)
{
	each_address(try_address);
}
END_TEST

START_TEST(test_registers)
{
	for (unsigned a = 0; a < 16; a++)
		for (unsigned b = 0; b < 16; b++) {
			for (unsigned size = 2; size <= 8; size *= 2) {
				fresh();
				emit_mov(&e, size, a, b);
				decode_it("mov");
				check_reg(0, a, size);
				check_reg(1, b, size);
			}
			fresh();
			emit_movzx16(&e, a, b);
			decode_it("movzx");
			ck_assert_uint_eq(in.id, INSN_MOVZX);
			check_reg(0, a, 4);
			check_reg(1, b, 2);
			for (unsigned c = 0; c < 16; c++) {
				fresh();
				emit_shrx64(&e, a, b, c);
				decode_it("shrx");
				ck_assert_uint_eq(in.id, INSN_SHRX);
				check_reg(0, a, 8);
				check_reg(1, b, 8);
				check_reg(2, c, 8);
				fresh();
				emit_pext32(&e, a, b, c);
				decode_it("pext");
				ck_assert_uint_eq(in.id, INSN_PEXT);
				check_reg(0, a, 4);
				check_reg(1, b, 4);
				check_reg(2, c, 4);
				fresh();
				emit_pdep32(&e, a, b, c);
				decode_it("pdep");
				ck_assert_uint_eq(in.id, INSN_PDEP);
				check_reg(2, c, 4);
			}
		}
	for (unsigned a = 0; a < 16; a++) {
		fresh();
		emit_mov_imm(&e, a, 0x89abcdef);
		decode_it("mov imm");
		check_reg(0, a, 4);
		ck_assert_uint_eq((uint32_t)in.op[1].imm, 0x89abcdef);
		fresh();
		emit_mov_imm64(&e, a, 0x123456789abcdef0);
		decode_it("mov imm64");
		check_reg(0, a, 8);
		ck_assert_uint_eq(in.op[1].imm, 0x123456789abcdef0);
		fresh();
		emit_not64(&e, a);
		decode_it("not");
		ck_assert_uint_eq(in.id, INSN_NOT);
		check_reg(0, a, 8);
		fresh();
		emit_bswap32(&e, a);
		decode_it("bswap");
		ck_assert_uint_eq(in.id, INSN_BSWAP);
		check_reg(0, a, 4);
		fresh();
		emit_push(&e, a);
		decode_it("push");
		check_reg(0, a, 8);
		fresh();
		emit_pop(&e, a);
		decode_it("pop");
		check_reg(0, a, 8);
	}
}
END_TEST

static int64_t branch_to(void)
{
	ck_assert_int_eq(in.op[0].kind, OPD_REL);
	return (int64_t)e.run + in.len + (int64_t)in.op[0].imm;
}

START_TEST(test_jumps)
{
	uint8_t *disp;

	fresh();
	emit_jmp_to(&e, 0x12340);
	decode_it("jmp");
	ck_assert_int_eq(branch_to(), 0x12340);
	for (unsigned cc = 0; cc < 16; cc++) {
		fresh();
		disp = emit_jcc(&e, cc);
		emit_target32(&e, disp, 0x1000);
		decode_it("jcc");
		ck_assert_uint_eq(buffer[1] & 15, cc);
		ck_assert_int_eq(branch_to(), 0x1000);
		fresh();
		disp = emit_jcc8(&e, cc);
		decode_it("jcc8");
		for (unsigned i = 0; i < 20; i++)
			emit8(&e, 0x90);
		emit_target8(&e, disp);
		insn_decode(&in, buffer, sizeof(buffer), 8);
		ck_assert_int_eq(branch_to(), (int64_t)e.run + 22);
	}
	fresh();
	disp = emit_jecxz(&e);
	decode_it("jecxz");
	ck_assert_uint_eq(in.id, INSN_JECXZ);
	emit_target8(&e, disp);
	ck_assert_uint_eq(*disp, 0);
	fresh();
	disp = emit_jmp8(&e);
	decode_it("jmp8");
	ck_assert_uint_eq(in.id, INSN_JMP_REL);
	(void)disp;
}
END_TEST

/* At the end of the buffer nothing is written beyond it, and that is noticed. */
START_TEST(test_full)
{
	for (unsigned room = 0; room < 12; room++) {
		fresh();
		e.end = buffer + room;
		emit_mov_imm64(&e, R8, 0x1111111111111111);
		emit_store(&e, 4, RAX, AT_GS(R8));
		uint8_t *disp = emit_jmp8(&e);
		emit_target8(&e, disp);
		ck_assert(e.full);
		ck_assert(e.p <= e.end);
		for (unsigned i = room; i < sizeof(buffer); i++)
			ck_assert_msg(buffer[i] == 0xcc, "byte %u of %u", i, room);
	}
}
END_TEST

/* None of those that stand between guest instructions changes a flag. */
START_TEST(test_flags_live)
{
	struct host_addr sum = {RCX, RDX, 2, 5, false, false};
	uint8_t *code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	e = (struct emit){.p = code, .start = code, .end = code + PAGE_SIZE, .run = (cache_pc_t)code};
	emit_push(&e, RBX);
	emit_push(&e, RDI);
	emit_popf(&e); /* flags: the argument */
	emit_mov(&e, 8, RCX, RDI);
	emit_mov_imm(&e, RDX, 0x155);
	emit_lea(&e, 4, RSI, sum);
	emit_not64(&e, RSI);
	emit_bswap32(&e, RCX);
	emit_movzx16(&e, RCX, RCX);
	emit_pext32(&e, RCX, RSI, RDX);
	emit_pdep32(&e, RCX, RCX, RDX);
	emit_mov_imm(&e, RBX, 51);
	emit_shrx64(&e, RSI, RSI, RBX);
	emit_pushf(&e);
	emit_pop(&e, RAX);
	emit_pop(&e, RBX);
	emit8(&e, 0xc3);
	ck_assert_int_eq(mprotect(code, PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
	uint64_t (*run)(uint64_t flags) = (uint64_t(*)(uint64_t))(uintptr_t)code;
	for (unsigned flags = 0; flags < 0x1000; flags++) {
		uint64_t f = flags & (uint64_t)FLAGS_ARITH;
		ck_assert_uint_eq(run(f | FLAG_1) & FLAGS_ARITH, f);
		if (flags % 64 == 0)
			flags += flags % 128;
	}
	munmap(code, PAGE_SIZE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("emit");
	TCase *t = tcase_create("emit");

	tcase_add_test(t, test_memory);
	tcase_add_test(t, test_registers);
	tcase_add_test(t, test_jumps);
	tcase_add_test(t, test_full);
	tcase_add_test(t, test_flags_live);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
