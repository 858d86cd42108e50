/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that changes: by the CPU, by devices, through aliases, by the memory map; blocks that come back; stores beside
 * code. */
#include "bt_fixture.h"

enum { SUB = CODE + 0x100, SUB_IMM = SUB + 1, REPEAT = 40 };

/* SUB: mov eax, imm32; ret. */
static void put_sub(gpa_t at, uint32_t imm)
{
	CODE_BYTES(at, 0xb8, 0, 0, 0, 0, 0xc3);
	poke(at + 1, 4, imm);
}

/*
 * REPEAT times: [ebx] = ecx; call SUB; edx += eax. EDX must become the sum of what was written if EBX names SUB's
 * immediate operand by whatever address. The store is adapted on the way.
 */
static void put_writer(void)
{
	uint32_t call = CODE + 7;

	/* mov [ebx], ecx; nop...; call SUB; add edx, eax; dec ecx; jnz CODE; hlt */
	CODE_BYTES(CODE, 0x89, 0x0b, 0x90, 0x90, 0x90, 0x90, 0x90, 0xe8);
	poke(call + 1, 4, SUB - (call + 5));
	CODE_BYTES(call + 5, 0x01, 0xc2, 0x49, 0x75, 0xef, 0xf4);
	put_sub(SUB, 0xdead);
	cpu.gpr[RCX] = REPEAT;
	cpu.gpr[RDX] = 0;
}

START_TEST(test_store_to_code)
{
	put_writer();
	cpu.gpr[RBX] = SUB_IMM;
	run_from(CODE);
	ck_assert_uint_eq(cpu.gpr[RDX], REPEAT * (REPEAT + 1) / 2);
	ck_assert_uint_ge(stats.invalidated_cpu_write, REPEAT - 1);
}
END_TEST

/* The code is executed at its address in RAM and written through an alias of it, and the other way round. */
START_TEST(test_store_through_alias)
{
	put_writer();
	cpu.gpr[RBX] = SUB_IMM + ALIAS;
	run_from(CODE);
	ck_assert_uint_eq(cpu.gpr[RDX], REPEAT * (REPEAT + 1) / 2);
}
END_TEST

START_TEST(test_store_below_executed_alias)
{
	put_writer();
	cpu.gpr[RBX] = SUB_IMM;
	run_from(CODE + ALIAS);
	ck_assert_uint_eq(cpu.gpr[RDX], REPEAT * (REPEAT + 1) / 2);
}
END_TEST

/* Stores that only reach into the code: from the byte, the granule, the page before it. */
START_TEST(test_store_reaches_into_code)
{
	static const uint32_t subs[] = {SUB, CODE + 0x400, CODE + 0x3ff, CODE + PAGE_SIZE - 1};
	uint32_t sub = subs[_i / 4], back = MIN(15u, 1u + (unsigned)_i % 4 * 5);

	/* movups [ebx], xmm0; call sub; add edx, eax; dec ecx; jnz; hlt. XMM0 is what stands there, with the immediate
	 * operand's lowest byte changed. */
	CODE_BYTES(CODE, 0x0f, 0x11, 0x03, 0xe8);
	poke(CODE + 4, 4, sub - (CODE + 8));
	CODE_BYTES(CODE + 8, 0x01, 0xc2, 0x49, 0x75, 0xf3, 0xf4);
	put_sub(sub, 1);
	cpu.cr4 |= CR4_OSFXSR;
	physmem_read(&pm, sub + 1 - back, cpu.fpu.image + 160, 16);
	cpu.fpu.image[160 + back] = 2;
	cpu.gpr[RBX] = sub + 1 - back;
	cpu.gpr[RCX] = 1;
	cpu.gpr[RDX] = 0;
	/* Once to translate SUB as it is; then the stores, adapted after some. */
	cpu.gpr[RSP] -= 4;
	poke(cpu.gpr[RSP], 4, CODE + 13);
	run_from(sub);
	ck_assert_uint_eq(cpu.gpr[RAX], 1);
	for (unsigned i = 0; i < 12; i++) {
		poke(sub + 1, 1, 1);
		cpu.gpr[RSP] = STACK0 - 4;
		poke(cpu.gpr[RSP], 4, CODE + 13);
		run_from(sub);
		ck_assert_uint_eq(cpu.gpr[RAX], 1);
		cpu.gpr[RCX] = 1;
		run_from(CODE);
		ck_assert_msg(cpu.gpr[RAX] == 2, "%x - %u, turn %u", sub, back, i);
	}
}
END_TEST

/* A block that changes an instruction of itself that lies ahead. */
START_TEST(test_store_ahead)
{
	/* mov byte [CODE + 8], 7; mov eax, 1; hlt */
	CODE_BYTES(CODE, 0xc6, 0x05, 0x08, 0x00, 0x02, 0x00, 0x07, 0xb8, 0x01, 0, 0, 0, 0xf4);
	same_as_stepped("store ahead", CODE, 1);
	ck_assert_uint_eq(cpu.gpr[RAX], 7);
}
END_TEST

START_TEST(test_dma_to_code)
{
	put_sub(SUB, 1);
	/* call SUB; mov ecx, eax; mov al, 5; out PORT_DMA, al; call SUB; hlt */
	CODE_BYTES(CODE, 0xe8, 0xfb, 0, 0, 0, 0x89, 0xc1, 0xb0, 5, 0xe6, PORT_DMA, 0xe8, 0xf0, 0, 0, 0, 0xf4);
	dma_at = SUB_IMM + (_i ? ALIAS : 0);
	run_from(CODE);
	ck_assert_uint_eq(cpu.gpr[RCX], 1);
	ck_assert_uint_eq(cpu.gpr[RAX], 5);
}
END_TEST

/*
 * A page with code is written all over: it is not watched any more, until its code is executed again, the same or not.
 * _i: stores that keep to one place, however many, leave the trace where it is.
 */
START_TEST(test_becomes_data)
{
	enum { PAGE = CODE + 4 * PAGE_SIZE, STORES = PAGE_SIZE / 64 / 2 };
	gpa_t stored = PAGE + 0x400;

	cpu.opt_off = BIT(OPT_ADAPT); /* else the loop looks where it stores, which needs no trace to go */
	put_sub(PAGE, 1);
	/* mov [ebx], ecx; add ebx, 64 or 0; loop; hlt */
	CODE_BYTES(CODE, 0x89, 0x0b, 0x83, 0xc3, _i ? 0 : 64, 0xe2, 0xf9, 0xf4);
	for (unsigned imm = 1; imm < 3; imm++) {
		poke(cpu.gpr[RSP] -= 4, 4, CODE + 7);
		run_from(PAGE);
		ck_assert_uint_eq(cpu.gpr[RAX], imm);
		ck_assert(physmem_traced(&pm, PAGE) & TRACK_CODE);
		cpu.gpr[RBX] = stored;
		cpu.gpr[RCX] = STORES;
		run_from(CODE);
		ck_assert(!(physmem_traced(&pm, PAGE) & TRACK_CODE) == !_i);
		ck_assert_uint_eq(peek(_i ? stored : stored + 64 * (STORES - 1), 4), 1);
		poke(PAGE + 1, 1, imm + 1);
	}
}
END_TEST

/* Another region appears where code was translated, and disappears. */
START_TEST(test_map_change)
{
	static struct pm_region over;
	uint32_t at = CODE + PAGE_SIZE;

	over = (struct pm_region){
	    .name = "over", .kind = PM_ROM, .base = at, .len = PAGE_SIZE, .priority = PM_PRIO_ROM, .backing = &rom};
	physmem_add(&pm, &over);
	CODE_BYTES(at, 0xb8, 1, 0, 0, 0, 0xf4);
	memcpy(rom.host, (const uint8_t[]){0xb8, 2, 0, 0, 0, 0xf4}, 6);
	run_from(at);
	ck_assert_uint_eq(cpu.gpr[RAX], 1);
	ck_assert(pm.traced[at >> PAGE_SHIFT]);
	physmem_enable(&pm, &over, true);
	/* Nothing is translated from that page of RAM any more: nobody needs to know of writes to it. */
	ck_assert(!pm.traced[at >> PAGE_SHIFT]);
	run_from(at);
	ck_assert_uint_eq(cpu.gpr[RAX], 2);
	physmem_enable(&pm, &over, false);
	run_from(at);
	ck_assert_uint_eq(cpu.gpr[RAX], 1);
	ck_assert_uint_gt(stats.blocks_revived, 0);
	ck_assert(pm.traced[at >> PAGE_SHIFT]);
}
END_TEST

START_TEST(test_revive)
{
	uint64_t translated;

	put_sub(SUB, 1);
	CODE_BYTES(CODE, 0xe8, 0xfb, 0, 0, 0, 0xf4);
	run_from(CODE);
	poke(SUB_IMM, 4, 2);
	run_from(CODE);
	ck_assert_uint_eq(cpu.gpr[RAX], 2);
	translated = stats.blocks_translated;
	for (unsigned i = 0; i < 10; i++) {
		poke(SUB_IMM, 4, 1 + (i & 1));
		run_from(CODE);
		ck_assert_uint_eq(cpu.gpr[RAX], 1 + (i & 1));
	}
	ck_assert_uint_eq(stats.blocks_translated, translated);
	ck_assert_uint_ge(stats.blocks_revived, 9);
	bt_audit(bt);
}
END_TEST

/* Overwriting code with what stands there changes nothing. */
START_TEST(test_same_bytes)
{
	uint64_t before_store;

	put_sub(SUB, 1);
	CODE_BYTES(CODE, 0xe8, 0xfb, 0, 0, 0, 0xf4);
	run_from(CODE);
	before_store = stats.invalidated_dma;
	poke(SUB_IMM, 4, 1);
	ck_assert_uint_eq(stats.invalidated_dma, before_store);
	poke(SUB_IMM - 1, 8, peek(SUB_IMM - 1, 8) ^ 0xff00);
	ck_assert_uint_gt(stats.invalidated_dma, before_store);
}
END_TEST

/* Data on a page with code: the store is adapted so that it no longer faults, and data far from the code costs nothing.
 */
START_TEST(test_data_beside_code)
{
	/* mov [ebx], ecx; dec ecx; jnz; hlt */
	CODE_BYTES(CODE, 0x89, 0x0b, 0x49, 0x75, 0xfb, 0xf4);
	cpu.gpr[RBX] = CODE + 0x800;
	cpu.gpr[RCX] = 10000;
	run_from(CODE);
	ck_assert_uint_eq(peek(CODE + 0x800, 4), 1);
	ck_assert_uint_le(stats.stepped, 4 * ADAPT_AFTER);
	ck_assert_uint_eq(stats.sites_adapted, 1);
	ck_assert_uint_eq(bt_site_level(bt, CODE), SITE_CHECKED);
	bt_audit(bt);
}
END_TEST

START_TEST(test_a20)
{
	/* RAM ends at 1 MiB: with A20 masked, 100000h + CODE is CODE. */
	put_sub(SUB, 1);
	CODE_BYTES(CODE, 0xe8, 0xfb, 0, 0, 0, 0xf4);
	physmem_set_a20(&pm, false);
	cpu_mmu_event(&cpu, MMU_A20, 0);
	run_from(MiB + CODE);
	ck_assert_uint_eq(cpu.gpr[RAX], 1);
	put_writer();
	cpu.gpr[RBX] = SUB_IMM + (_i & 1 ? MiB : 0);
	run_from(CODE + (_i & 2 ? MiB : 0));
	ck_assert_uint_eq(cpu.gpr[RDX], REPEAT * (REPEAT + 1) / 2);
	physmem_set_a20(&pm, true);
	cpu_mmu_event(&cpu, MMU_A20, 0);
	put_writer();
	cpu.gpr[RBX] = SUB_IMM;
	run_from(CODE);
	ck_assert_uint_eq(cpu.gpr[RDX], REPEAT * (REPEAT + 1) / 2);
	/* There is nothing behind RAM now. */
	run_from(MiB + CODE);
	ck_assert_uint_eq(halted_in(), EXC_UD);
}
END_TEST

/* An adapted store with A20 masked: nothing is mapped in the alias, but it need not fault each time. */
START_TEST(test_adapted_store_under_a20)
{
	uint64_t faults;

	CODE_BYTES(CODE, 0x89, 0x0b, 0x49, 0x75, 0xfb, 0xf4);
	cpu.gpr[RBX] = CODE + 0x800;
	cpu.gpr[RCX] = 100;
	run_from(CODE);
	ck_assert_uint_eq(bt_site_level(bt, CODE), SITE_CHECKED);
	physmem_set_a20(&pm, false);
	cpu_mmu_event(&cpu, MMU_A20, 0);
	faults = stats.stepped;
	cpu.gpr[RBX] = DATA;
	cpu.gpr[RCX] = 1000;
	run_from(CODE);
	ck_assert_uint_le(stats.stepped, faults + 4 * ADAPT_AFTER);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("smc");
	TCase *t = tcase_create("smc");

	tcase_add_checked_fixture(t, setup_bt, teardown_bt);
	tcase_add_test(t, test_store_to_code);
	tcase_add_test(t, test_store_through_alias);
	tcase_add_test(t, test_store_below_executed_alias);
	tcase_add_loop_test(t, test_store_reaches_into_code, 0, 16);
	tcase_add_test(t, test_store_ahead);
	tcase_add_loop_test(t, test_dma_to_code, 0, 2);
	tcase_add_loop_test(t, test_becomes_data, 0, 2);
	tcase_add_test(t, test_map_change);
	tcase_add_test(t, test_revive);
	tcase_add_test(t, test_same_bytes);
	tcase_add_test(t, test_data_beside_code);
	tcase_add_loop_test(t, test_a20, 0, 4);
	tcase_add_test(t, test_adapted_store_under_a20);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
