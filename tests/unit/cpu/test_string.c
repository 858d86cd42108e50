/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * String instructions: a plain model, element by element, decides what bulk copies must give, for all overlaps,
 * directions, sizes and page borders. Faults half-way, bounded work, device memory, port strings.
 */
#include "insn_fixture.h"

enum { SRC = 0x20000, DST = 0x30000 };

/* Runs until the instruction has finished. */
#define RUN_OUT(...)                                                                                                   \
	do {                                                                                                           \
		OK(__VA_ARGS__);                                                                                       \
	} while (cpu.next_rip == cpu.rip)

static void fill(gpa_t at, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		poke(at + i, 1, (i * 7 + (i >> 8)) & 0xff);
}

START_TEST(movs_overlaps)
{
	static const uint8_t opcodes[] = {0xa4, 0xa5};
	static uint8_t model[0x4000], got[0x4000];

	for (int distance = -70; distance <= 70; distance++)
		for (unsigned down = 0; down < 2; down++)
			for (unsigned op = 0; op < 2; op++) {
				unsigned size = op ? 4 : 1, n = 6000 / size;
				int step = down ? -(int)size : (int)size;
				unsigned si = down ? 0x1000 + 6000 : 0x1000, di = si + (unsigned)distance;
				fill(SRC, sizeof(model));
				physmem_read(&pm, SRC, model, sizeof(model));
				for (unsigned i = 0, s = si, d = di; i < n;
				     i++, s += (unsigned)step, d += (unsigned)step)
					memmove(model + d, model + s, size);
				cpu.gpr[RSI] = SRC + si;
				cpu.gpr[RDI] = SRC + di;
				cpu.gpr[RCX] = n;
				cpu.rflags = FLAG_1 | (down ? FLAG_DF : 0);
				RUN_OUT(0xf3, opcodes[op]);
				physmem_read(&pm, SRC, got, sizeof(got));
				ck_assert_msg(!memcmp(model, got, sizeof(got)), "distance %d, down %u, size %u",
					      distance, down, size);
				ck_assert_uint_eq(cpu.gpr[RCX], 0);
				ck_assert_uint_eq(cpu.gpr[RSI], SRC + si + n * (unsigned)step);
				ck_assert_uint_eq(cpu.gpr[RDI], SRC + di + n * (unsigned)step);
			}
}
END_TEST

START_TEST(address_sizes)
{
	enter_real();
	fill(cpu.seg[SEG_DS].base, 0x100);
	/* SI wraps from FFFF to 0, the upper halves stay. */
	poke(cpu.seg[SEG_DS].base + 0xfffe, 2, 0xbbaa);
	cpu.gpr[RSI] = 0x5555fffe;
	cpu.gpr[RDI] = 0x66660100;
	cpu.gpr[RCX] = 0x77770004;
	RUN_OUT(0xf3, 0xa4);
	ck_assert_uint_eq(cpu.gpr[RSI], 0x55550002);
	ck_assert_uint_eq(cpu.gpr[RDI], 0x66660104);
	ck_assert_uint_eq(cpu.gpr[RCX], 0x77770000);
	ck_assert_uint_eq(peek(cpu.seg[SEG_ES].base + 0x100, 4), 0x0700bbaa);
	/* A word at FFFF is beyond the limit. */
	cpu.gpr[RSI] = 0xffff;
	cpu.gpr[RCX] = 1;
	RAISES(EXC_GP, 0xf3, 0xa5);
	/* 32-bit addresses in real mode stop at the limit. */
	cpu.gpr[RSI] = 0x10000;
	RAISES(EXC_GP, 0x67, 0xa4);
	/* Segment override for the source, never for ES. */
	poke(cpu.seg[SEG_CS].base + 8, 1, 0x42);
	cpu.gpr[RSI] = 8;
	OK(0x2e, 0xac);
	ck_assert_uint_eq(cpu.gpr[RAX] & 0xff, 0x42);
}
END_TEST

START_TEST(counts)
{
	fill(SRC, 64);
	cpu.gpr[RSI] = SRC;
	cpu.gpr[RDI] = DST;
	cpu.gpr[RCX] = 0;
	OK(0xf3, 0xa4); /* nothing, not even a check */
	ck_assert_uint_eq(cpu.gpr[RSI], SRC);
	OK(0xa4); /* no prefix: CX does not count */
	ck_assert_uint_eq(cpu.gpr[RSI], SRC + 1);
	ck_assert_uint_eq(cpu.gpr[RCX], 0);
	cpu.gpr[RCX] = 100000;
	OK(0xf3, 0xaa); /* work is bounded */
	ck_assert_uint_eq(cpu.next_rip, cpu.rip);
	ck_assert_uint_gt(cpu.gpr[RCX], 90000);
	cpu.rflags |= FLAG_TF; /* and one element when single-stepped */
	cpu.gpr[RCX] = 3;
	OK(0xf3, 0xaa);
	ck_assert_uint_eq(cpu.gpr[RCX], 2);
	ck_assert_uint_eq(cpu.next_rip, cpu.rip);
}
END_TEST

START_TEST(stos_lods)
{
	cpu.gpr[RAX] = 0x11223344;
	cpu.gpr[RDI] = DST + 0xffd; /* over a page border */
	cpu.gpr[RCX] = 2000;
	RUN_OUT(0xf3, 0xab);
	for (unsigned i = 0; i < 2000; i++)
		ck_assert_uint_eq(peek(DST + 0xffd + i * 4, 4), 0x11223344);
	ck_assert_uint_eq(peek(DST + 0xffd + 8000, 4), 0);
	ck_assert_uint_eq(peek(DST + 0xffc, 1), 0);
	cpu.rflags |= FLAG_DF;
	cpu.gpr[RDI] = DST + 0x1001;
	cpu.gpr[RCX] = 0x1002;
	cpu.gpr[RAX] = 0xbb;
	RUN_OUT(0xf3, 0xaa);
	ck_assert_uint_eq(peek(DST, 8), 0xbbbbbbbbbbbbbbbb);
	ck_assert_uint_eq(peek(DST + 0x1001, 2), 0x33bb);
	fill(SRC, 0x3000);
	cpu.gpr[RSI] = SRC + 0x2ffc;
	cpu.gpr[RCX] = 0xa00;
	RUN_OUT(0xf3, 0xad);
	ck_assert_uint_eq(cpu.gpr[RSI], SRC + 0x2ffc - 0x2800);
	ck_assert_uint_eq(cpu.gpr[RAX], peek(SRC + 0x800, 4));
	cpu.rflags &= ~FLAG_DF;
	cpu.gpr[RSI] = SRC;
	cpu.gpr[RCX] = 0x1800;
	RUN_OUT(0xf3, 0xac);
	ck_assert_uint_eq(cpu.gpr[RAX] & 0xff, peek(SRC + 0x17ff, 1));
}
END_TEST

START_TEST(compare_and_scan)
{
	fill(SRC, 0x2000);
	fill(DST, 0x2000);
	poke(DST + 0x1234, 1, 0xee);
	cpu.gpr[RSI] = SRC;
	cpu.gpr[RDI] = DST;
	cpu.gpr[RCX] = 0x2000;
	RUN_OUT(0xf3, 0xa6);
	ck_assert_uint_eq(cpu.gpr[RSI], SRC + 0x1235);
	ck_assert_uint_eq(cpu.gpr[RCX], 0x2000 - 0x1235);
	ck_assert(!flag(FLAG_ZF));
	ck_assert_uint_eq(!!flag(FLAG_CF), peek(SRC + 0x1234, 1) < 0xee);
	cpu.gpr[RDI] = DST;
	cpu.gpr[RCX] = 0xffffffff;
	cpu.gpr[RAX] = 0xee;
	poke(DST, 8, 0);
	RUN_OUT(0xf2, 0xae);
	ck_assert(flag(FLAG_ZF));
	ck_assert_uint_eq(peek(cpu.gpr[RDI] - 1, 1), 0xee);
	/* Flags of 80 - 01: overflow, no carry, auxiliary carry. */
	poke(DST, 1, 0x01);
	cpu.gpr[RDI] = DST;
	cpu.gpr[RAX] = 0x80;
	cpu.rflags = FLAG_1 | FLAG_CF;
	OK(0xae);
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_OF | FLAG_AF);
}
END_TEST

/* Half-way faults: registers and memory as far as it got, flags from before. */
START_TEST(faults_half_way)
{
	fill(SRC, 0x100);
	cpu.seg[SEG_ES].limit = DST + 9;
	cpu.gpr[RSI] = SRC;
	cpu.gpr[RDI] = DST;
	cpu.gpr[RCX] = 100;
	ck_assert(!RUN(0xf3, 0xa5));
	ck_assert_uint_eq(fault.vector, EXC_GP);
	ck_assert_uint_eq(cpu.gpr[RCX], 98);
	ck_assert_uint_eq(cpu.gpr[RSI], SRC + 8);
	ck_assert_uint_eq(cpu.gpr[RDI], DST + 8);
	ck_assert_uint_eq(peek(DST, 8), peek(SRC, 8));
	ck_assert_uint_eq(peek(DST + 8, 2), 0);
	cpu.gpr[RSI] = SRC;
	cpu.gpr[RDI] = DST;
	cpu.gpr[RCX] = 100;
	cpu.rflags = FLAG_1 | FLAG_SF | FLAG_CF;
	fill(DST, 10);
	ck_assert(!RUN(0xf3, 0xa6));
	ck_assert_uint_eq(cpu.rflags, FLAG_1 | FLAG_SF | FLAG_CF);
	ck_assert_uint_eq(cpu.gpr[RCX], 90);
	ck_assert(!RUN(0xf3, 0xa6));
	ck_assert_uint_eq(fault.vector, EXC_GP);
}
END_TEST

START_TEST(page_faults_half_way)
{
	enter_long(0);
	/* 4-KiB pages below 2 MiB: the one at DST + 1000 is read-only, that at DST + 2000 absent. */
	poke(TABLES_PAGES + 0x2000, 8, (TABLES_PAGES + 0x3000) | PTE_P | PTE_W | PTE_U);
	for (unsigned i = 0; i < 0x100; i++)
		poke(TABLES_PAGES + 0x3000 + i * 8, 8, i * PAGE_SIZE | PTE_P | PTE_W | PTE_U);
	poke(TABLES_PAGES + 0x3000 + (DST / PAGE_SIZE + 1) * 8, 8, (DST + PAGE_SIZE) | PTE_P | PTE_U);
	poke(TABLES_PAGES + 0x3000 + (DST / PAGE_SIZE + 2) * 8, 8, 0);
	cpu.cr0 |= CR0_WP;
	fill(SRC, 0x3000);
	cpu.gpr[RSI] = SRC;
	cpu.gpr[RDI] = DST + 3;
	cpu.gpr[RCX] = 0x2000;
	ck_assert(!RUN(0xf3, 0xa4));
	ck_assert_uint_eq(fault.vector, EXC_PF);
	ck_assert_uint_eq(fault.address, DST + PAGE_SIZE);
	ck_assert_uint_eq(fault.error, PF_P | PF_W);
	ck_assert_uint_eq(cpu.gpr[RCX], 0x2000 - 0xffd);
	ck_assert_uint_eq(cpu.gpr[RSI], SRC + 0xffd);
	/* An element over the border: nothing of it is written. */
	cpu.gpr[RDI] = DST + 0xffc - 8;
	cpu.gpr[RDI] += 2;
	cpu.gpr[RAX] = 0x99999999;
	cpu.gpr[RCX] = 3;
	poke(DST + 0xffe, 2, 0);
	ck_assert(!RUN(0xf3, 0xab));
	ck_assert_uint_eq(cpu.gpr[RCX], 1);
	ck_assert_uint_eq(peek(DST + 0xffe, 2), 0);
	cpu.gpr[RSI] = DST + 2 * PAGE_SIZE - 4;
	cpu.gpr[RDI] = SRC;
	cpu.gpr[RCX] = 8;
	ck_assert(!RUN(0xf3, 0x48, 0xa5));
	ck_assert_uint_eq(fault.address, DST + 2 * PAGE_SIZE);
	ck_assert_uint_eq(fault.error, 0);
	ck_assert_uint_eq(cpu.gpr[RCX], 8);
}
END_TEST

/* Device memory is reached in elements, in order. */
static unsigned device_sizes[8], device_accesses;

static uint64_t device_read(void *dev, uint64_t offset, unsigned size)
{
	device_sizes[device_accesses++ % 8] = size;
	return offset;
}

static void device_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	device_sizes[device_accesses++ % 8] = size;
}

static const struct io_ops device_ops = {
    .name = "device", .read = device_read, .write = device_write, .widths = IO_8 | IO_16 | IO_32};

START_TEST(device_memory)
{
	struct pm_region region = {.name = "device",
				   .kind = PM_IO,
				   .base = 0xa0000,
				   .len = PAGE_SIZE,
				   .enabled = true,
				   .priority = PM_PRIO_VGA,
				   .ops = &device_ops};

	physmem_add(&pm, &region);
	device_accesses = 0;
	cpu.gpr[RSI] = 0xa0000;
	cpu.gpr[RDI] = DST;
	cpu.gpr[RCX] = 4;
	RUN_OUT(0x66, 0xf3, 0xa5);
	ck_assert_uint_eq(device_accesses, 4);
	ck_assert_uint_eq(device_sizes[3], 2);
	ck_assert_uint_eq(peek(DST, 8), 0x0006000400020000);
	cpu.gpr[RDI] = 0xa0ff8;
	cpu.gpr[RCX] = 4; /* two in the device, two in RAM behind it */
	RUN_OUT(0xf3, 0xab);
	ck_assert_uint_eq(device_accesses, 6);
	ck_assert_uint_eq(peek(0xa1000, 4), cpu.gpr[RAX]);
}
END_TEST

START_TEST(port_strings)
{
	cpu.gpr[RDX] = 0x1f0;
	cpu.gpr[RDI] = DST + 0xffc;
	cpu.gpr[RCX] = 8;
	port_next = 0x100;
	RUN_OUT(0x66, 0xf3, 0x6d);
	ck_assert_uint_eq(ports, 8);
	ck_assert_uint_eq(port_log[7].size, 2);
	ck_assert_uint_eq(peek(DST + 0xffc, 8), 0x0103010201010100);
	ck_assert_uint_eq(peek(DST + 0x1004, 8), 0x0107010601050104);
	cpu.rflags |= FLAG_DF;
	cpu.gpr[RDI] = DST + 7;
	cpu.gpr[RCX] = 8;
	port_next = 0;
	RUN_OUT(0xf3, 0x6c);
	ck_assert_uint_eq(peek(DST, 8), 0x0001020304050607);
	cpu.rflags &= ~FLAG_DF;
	ports = 0;
	cpu.gpr[RSI] = DST;
	cpu.gpr[RCX] = 2;
	RUN_OUT(0xf3, 0x6f);
	ck_assert_uint_eq(port_log[0].value, 0x04050607);
	ck_assert_uint_eq(port_log[1].value, 0x00010203);
	ck_assert(port_log[0].out && port_log[0].port == 0x1f0 && port_log[0].size == 4);
	/* A port is not read when the memory cannot be written. */
	ports = 0;
	cpu.seg[SEG_ES].limit = 0xfff;
	cpu.gpr[RCX] = 1;
	RAISES(EXC_GP, 0xf3, 0x6c);
	ck_assert_uint_eq(ports, 0);
}
END_TEST

START_TEST(xlat_and_masked_moves)
{
	cpu.gpr[RBX] = DST;
	cpu.gpr[RAX] = 0x1205;
	poke(DST + 5, 1, 0x77);
	OK(0xd7);
	ck_assert_uint_eq(cpu.gpr[RAX], 0x1277);
	cpu.cr4 |= CR4_OSFXSR;
	for (unsigned i = 0; i < 16; i++) {
		cpu.fpu.image[160 + i] = (uint8_t)(0x10 + i);	   /* XMM0 */
		cpu.fpu.image[160 + 16 + i] = i % 3 ? 0x00 : 0x80; /* XMM1 */
	}
	poke(DST, 8, ~0ull);
	cpu.gpr[RDI] = DST;
	OK(0x66, 0x0f, 0xf7, 0xc1);
	ck_assert_uint_eq(peek(DST, 8), 0xff16ffff13ffff10);
	/* MMX registers are physical: with TOP 1, MM0 is what the image calls ST(7). */
	store_le(cpu.fpu.image + 2, 2, 1 << 11);
	memset(cpu.fpu.image + 32 + 7 * 16, 0xaa, 8); /* MM0 */
	memset(cpu.fpu.image + 32, 0x80, 8);	      /* MM1 */
	OK(0x0f, 0xf7, 0xc1);
	ck_assert_uint_eq(peek(DST, 8), 0xaaaaaaaaaaaaaaaa);
	ck_assert_uint_eq(load_le(cpu.fpu.image + 2, 2), 0);
	ck_assert_uint_eq(cpu.fpu.image[32], 0xaa);
	ck_assert_uint_eq(cpu.fpu.image[4], 0xff);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("string");
	TCase *tc = insn_case(s, "string");

	tcase_add_test(tc, movs_overlaps);
	tcase_add_test(tc, address_sizes);
	tcase_add_test(tc, counts);
	tcase_add_test(tc, stos_lods);
	tcase_add_test(tc, compare_and_scan);
	tcase_add_test(tc, faults_half_way);
	tcase_add_test(tc, page_faults_half_way);
	tcase_add_test(tc, device_memory);
	tcase_add_test(tc, port_strings);
	tcase_add_test(tc, xlat_and_masked_moves);
	return run_suite(s);
}
