/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports with the permission bit map, and bit strings in memory. */
#include "insn_fixture.h"

enum { IOMAP = 0x88 };

START_TEST(in_and_out)
{
	port_next = 0x11223344;
	cpu.gpr[RAX] = 0xffffffffaaaaaaaa;
	OK(0xe4, 0x60);
	ck_assert_uint_eq(cpu.gpr[RAX], 0xffffffffaaaaaa44);
	cpu.gpr[RDX] = 0x123f8;
	OK(0x66, 0xed);
	ck_assert_uint_eq(cpu.gpr[RAX], 0xffffffffaaaa3345);
	OK(0xed);
	ck_assert_uint_eq(cpu.gpr[RAX], 0x11223346);
	ck_assert_uint_eq(port_log[1].port, 0x23f8);
	ck_assert_uint_eq(port_log[1].size, 2);
	OK(0xe6, 0x80);
	ck_assert(port_log[3].out && port_log[3].port == 0x80 && port_log[3].value == 0x46);
	OK(0xe7, 0x80);
	ck_assert(port_log[4].size == 4 && port_log[4].value == 0x11223346);
	OK(0xee);
	ck_assert(port_log[5].port == 0x23f8 && port_log[5].size == 1);
}
END_TEST

static void set_iomap(unsigned at, uint8_t bits)
{
	poke(TSS_A + IOMAP + at, 1, bits);
}

START_TEST(permission_map)
{
	poke(TSS_A + 102, 2, IOMAP);
	cpu.tr.limit = IOMAP + 0x80;
	enter_ring(3);
	set_iomap(0x60 / 8, 0);
	OK(0xe4, 0x60);
	set_iomap(0x60 / 8, 1);
	RAISES(EXC_GP, 0xe4, 0x60);
	OK(0xe4, 0x61);
	/* Every byte of a wide access counts, over the byte border too. */
	set_iomap(0x60 / 8, 0);
	set_iomap(0x68 / 8, 1);
	OK(0xe4, 0x67);
	RAISES(EXC_GP, 0x66, 0xe5, 0x67);
	RAISES(EXC_GP, 0xe5, 0x65);
	/* Beyond the TSS: denied. Two bytes are read even for one port. */
	cpu.gpr[RDX] = 0x80 * 8 - 8;
	OK(0xec);
	cpu.gpr[RDX] = 0x80 * 8;
	RAISES(EXC_GP, 0xec);
	cpu.gpr[RDX] = 0xffff;
	RAISES(EXC_GP, 0xec);
	/* Enough privilege: the map is not asked. */
	cpu.rflags |= FLAG_IOPL;
	OK(0xec);
	/* In V86 mode it always is. */
	enter_v86(3);
	RAISES(EXC_GP, 0xec);
	OK(0xe4, 0x60);
	/* A 16-bit TSS has none. */
	cpu.tr.attr = SEG_P | SYS_TSS16_BUSY;
	RAISES(EXC_GP, 0xe4, 0x60);
	ck_assert_uint_eq(ports, 6);
}
END_TEST

START_TEST(string_ports_ask_too)
{
	enter_ring(3);
	cpu.tr.limit = 0x67;
	cpu.gpr[RCX] = 2;
	cpu.gpr[RDI] = cpu.gpr[RSI] = 0x30000;
	RAISES(EXC_GP, 0xf3, 0x6c);
	RAISES(EXC_GP, 0xf3, 0x6e);
	RAISES(EXC_GP, 0x6e);
	ck_assert_uint_eq(ports, 0);
}
END_TEST

/* The model: a bit string is bytes; its bit n is in byte n / 8, rounded down. */
static void check_bit(int bit, unsigned size)
{
	enum { BASE = 0x20000 };
	int byte = (bit - (bit < 0 ? 7 : 0)) / 8;
	uint8_t mask = (uint8_t)(1 << (bit & 7));
	static const uint8_t ops[] = {0xa3, 0xab, 0xb3, 0xbb}; /* BT, BTS, BTR, BTC */

	cpu.gpr[RBX] = BASE;
	cpu.gpr[RCX] = size == 2 ? 0xffff0000u | (uint16_t)bit : (uint32_t)bit;
	for (unsigned op = 0; op < 4; op++)
		for (unsigned set = 0; set < 2; set++) {
			uint8_t old = (uint8_t)(set ? 0xff : 0), now;
			bool want = op == 0 ? set : op == 1 ? true : op == 2 ? false : !set;
			poke(BASE + byte, 1, old);
			cpu.rflags = FLAG_1 | FLAG_ZF | (set ? 0 : FLAG_CF);
			if (size == 2)
				OK(0x66, 0x0f, ops[op], 0x0b);
			else
				OK(0x0f, ops[op], 0x0b);
			ck_assert_uint_eq(!!flag(FLAG_CF), set);
			ck_assert(flag(FLAG_ZF));
			now = (uint8_t)peek(BASE + byte, 1);
			ck_assert_msg(now == (want ? old | mask : old & ~mask), "op %u bit %d size %u: %02x", op, bit,
				      size, now);
		}
}

START_TEST(bit_strings)
{
	for (int bit = -100; bit <= 100; bit++) {
		check_bit(bit, 2);
		check_bit(bit, 4);
	}
	check_bit(-32768, 2);
	check_bit(32767, 2);
	check_bit(0x123456, 4);
	check_bit(-0x65432, 4);
}
END_TEST

START_TEST(bit_string_wraps_and_faults)
{
	enter_real();
	poke(cpu.seg[SEG_DS].base, 2, 0x8000);
	cpu.gpr[RBX] = 0xfffe;
	cpu.gpr[RCX] = 31; /* the next word: offset 0 again */
	OK(0x0f, 0xa3, 0x0f);
	ck_assert(flag(FLAG_CF));
	cpu.gpr[RBX] = 0xffff;
	cpu.gpr[RCX] = 0;
	RAISES(EXC_GP, 0x0f, 0xa3, 0x0f);
	RAISES(EXC_GP, 0x0f, 0xab, 0x0f);
	cpu.cr0 |= CR0_PE;
	enter_ring(0);
	force_segment(SEG_DS, DATA_RO);
	cpu.gpr[RBX] = 0x100;
	OK(0x0f, 0xa3, 0x0b);
	RAISES(EXC_GP, 0x0f, 0xab, 0x0b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("io, bits");
	TCase *tc = insn_case(s, "io, bits");

	tcase_add_test(tc, in_and_out);
	tcase_add_test(tc, permission_map);
	tcase_add_test(tc, string_ports_ask_too);
	tcase_add_test(tc, bit_strings);
	tcase_add_test(tc, bit_string_wraps_and_faults);
	return run_suite(s);
}
