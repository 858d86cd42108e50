/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks: their size, links, the indirect table, full caches, too many contexts, adaptation. */
#include <stdio.h>
#include <sys/wait.h>

#include "bt_fixture.h"

/* What translate.c keeps free for each instruction of a block. */
enum { INSN_HOST_MAX = 400 };

static void limit_all_segments(uint32_t limit, unsigned big)
{
	set_descriptor(SCRATCH, descriptor(DATA, limit, SEG_P | SEG_S | SEG_W | big));
	for (unsigned seg = 0; seg < SEG_COUNT; seg++)
		if (seg != SEG_CS)
			force_segment(seg, SCRATCH);
	cpu.gpr[RSP] = 0x100;
}

/* No instruction becomes larger than the room that is kept: else a guest could make the translator run into the end of
 * the cache. */
START_TEST(test_largest_instruction)
{
	unsigned largest = 0;
	uint8_t code[16], worst[16] = {0};

	limit_all_segments(0x7fff, _i & 1 ? SEG_DB : 0);
	cpu.cr4 |= CR4_OSFXSR;
	srand(1);
	for (unsigned turn = 0; turn < 60000; turn++) {
		struct insn in;
		unsigned at = 0;
		if (rand() & 1)
			code[at++] = 0x66;
		if (rand() & 1)
			code[at++] = 0x67;
		/* all one-byte opcodes, then 0F ones; memory forms of all kinds */
		if (turn % 512 >= 256)
			code[at++] = 0x0f;
		code[at++] = (uint8_t)turn;
		for (; at < sizeof(code); at++)
			code[at] = (uint8_t)rand();
		if (insn_decode(&in, code, 15, 4) || in.id == INSN_INVALID)
			continue;
		poke_bytes(CODE, code, 15);
		cpu.rip = CODE;
		struct context *ctx = bt_context(bt);
		for (unsigned level = SITE_PLAIN; level <= SITE_CHECKED; level++) {
			bt_site_set(bt, &(struct site){.linear = CODE, .level = (uint8_t)level});
			struct block *b = bt_translate(bt, ctx, CODE, CODE, 2);
			unsigned len = b->map[1].host - b->map[0].host;
			if (len > largest) {
				largest = len;
				memcpy(worst, code, sizeof(worst));
			}
			bt_invalidate(bt, b, false);
			ctx = bt_context(bt);
		}
	}
	ck_assert_msg(largest <= INSN_HOST_MAX, "%u bytes for %02x %02x %02x %02x", largest, worst[0], worst[1],
		      worst[2], worst[3]);
	ck_assert_uint_gt(largest, 60);
}
END_TEST

/* Runs to HLT, then checks all invariants. */
static void run_here(uint32_t eip)
{
	run_from(eip);
	bt_audit(bt);
}

START_TEST(test_links)
{
	/* jmp a; ...; a: jz b; hlt; b: hlt */
	CODE_BYTES(CODE, 0xeb, 0x0e);
	CODE_BYTES(CODE + 0x10, 0x74, 0x0e, 0xf4);
	CODE_BYTES(CODE + 0x20, 0xf4);
	cpu.rflags |= FLAG_ZF;
	run_here(CODE);
	struct block *first = block_at_eip(CODE), *second = block_at_eip(CODE + 0x10),
		     *third = block_at_eip(CODE + 0x20);
	ck_assert(first && second && third);
	ck_assert_ptr_eq(bt_block(bt, bt_exits(bt, first)->to), second);
	ck_assert_ptr_eq(bt_block(bt, bt_exits(bt, second)->to), third);
	ck_assert_ptr_eq(bt_exit(bt, third->incoming), bt_exits(bt, second));
	/* What leads to an invalid block is unlinked, and linked to the next one. */
	poke(CODE + 0x20, 1, 0x90);
	poke(CODE + 0x21, 1, 0xf4);
	ck_assert(!third->valid);
	ck_assert_uint_eq(bt_exits(bt, second)->to, 0);
	run_here(CODE);
	ck_assert_uint_eq(cpu.rip, CODE + 0x22);
	ck_assert_ptr_eq(bt_block(bt, bt_exits(bt, second)->to), block_at_eip(CODE + 0x20));
	/* All linked: one entry, the HLT leaves. */
	uint64_t entries = stats.cache_entries;
	run_here(CODE);
	ck_assert_uint_eq(stats.cache_entries, entries + 1);
}
END_TEST

START_TEST(test_indirect_table)
{
	/* mov esi, 50; l: call CODE + 0x100; call CODE + 0x10100 (the same low 16 bits); dec esi; jnz l; hlt */
	CODE_BYTES(CODE, 0xbe, 50, 0, 0, 0, 0xb8, 0x00, 0x01, 0x02, 0x00, 0xff, 0xd0, 0xb8, 0x00, 0x01, 0x03, 0x00,
		   0xff, 0xd0, 0x4e, 0x75, 0xef, 0xf4);
	/* inc ebx; ret */
	CODE_BYTES(CODE + 0x100, 0x43, 0xc3);
	/* inc ecx; ret */
	CODE_BYTES(CODE + 0x10100, 0x41, 0xc3);
	same_as_stepped("indirect calls", CODE, 3);
	struct block *one = block_at_eip(CODE + 0x100), *other = block_at_eip(CODE + 0x10100);
	ck_assert(one && other);
	ck_assert_uint_eq(one->ctx->indirect[CODE + 0x100], bt_indirect_entry(bt, one));
	ck_assert_uint_eq(one->ctx->indirect[CODE + 0x10100], bt_indirect_entry(bt, other));
	bt_audit(bt);
	poke(CODE + 0x10100, 1, 0x40);
	ck_assert_uint_eq(one->ctx->indirect[CODE + 0x100], bt_indirect_entry(bt, one));
	ck_assert_uint_eq(one->ctx->indirect[CODE + 0x10100], bt->stubs.indirect_miss);
	same_as_stepped("indirect calls", CODE, 3);
}
END_TEST

/* Straight-line code without end: more than the cache holds. */
START_TEST(test_full_cache)
{
	uint64_t flushes;
	uint32_t at = 0x10000;

	/* every 64 bytes: inc dword [edx]; add ebx, [edx]; jmp on */
	for (; at < 0x7f000; at += 64) {
		CODE_BYTES(at, 0xff, 0x02, 0x03, 0x1a, 0xeb, 58);
	}
	CODE_BYTES(at, 0xf4);
	cpu.gpr[RDX] = 0x90000;
	flushes = stats.flushes;
	same_as_stepped("long code", 0x10000, 3);
	ck_assert_uint_gt(stats.flushes, flushes);
	bt_audit(bt);
}
END_TEST

/* A translator that has ended leaves nothing behind that would be told of what becomes of its pages. */
START_TEST(test_destroyed)
{
	/* inc eax; hlt */
	CODE_BYTES(CODE, 0x40, 0xf4);
	for (unsigned i = 0; i < 2 * PM_MAX_LISTENERS; i++) {
		cpu.gpr[RAX] = 0;
		run_here(CODE);
		ck_assert_uint_eq(cpu.gpr[RAX], 1);
		ck_assert_uint_ne(physmem_traced(&pm, CODE), 0);
		bt_destroy(bt);
		ck_assert_uint_eq(pm.nlisteners, 1); /* the shadow */
		ck_assert_uint_eq(physmem_traced(&pm, CODE), 0);
		ck_assert_uint_eq(shadow_watched(sh)[CODE >> SHADOW_GRANULE_SHIFT], 0);
		poke(CODE, 1, 0x40);
		physmem_enable(&pm, &rom_region, i & 1);
		ck_assert_int_eq(
		    bt_create(&bt,
			      &(struct bt_config){
				  .cpu = &cpu, .shadow = sh, .stop = &stop, .cache_bytes = SMALL_CACHE, .audit = true}),
		    0);
	}
}
END_TEST

/* More modes than there are contexts; the indirect table and callouts go on. */
START_TEST(test_many_contexts)
{
	/* call eax; nop; hlt */
	CODE_BYTES(CODE, 0xff, 0xd0, 0x90, 0xf4);
	CODE_BYTES(CODE + 0x100, 0x43, 0x9c, 0x9d, 0xc3); /* inc ebx; pushf; popf; ret */
	for (unsigned i = 0; i < 3 * MAX_CONTEXTS; i++) {
		set_descriptor(SCRATCH, descriptor(0, 0x100 + i, SEG_P | SEG_S | SEG_CODE | SEG_R | SEG_DB | SEG_G));
		force_segment(SEG_CS, SCRATCH);
		cpu.gpr[RAX] = CODE + 0x100;
		cpu.gpr[RBX] = i;
		run_from(CODE);
		ck_assert_uint_eq(cpu.gpr[RBX], i + 1);
		ck_assert_uint_eq(cpu.rip, CODE + 4);
	}
	ck_assert_uint_gt(stats.flushes, 0);
	bt_audit(bt);
}
END_TEST

/* A callout that makes the CPU's mode another one, and flushes everything. */
static void flush_everything(void)
{
	bt_flush(bt);
}

START_TEST(test_flush_in_callout)
{
	port_hook = flush_everything;
	/* mov ecx, 5; l: out PORT_HOOK, al; call CODE + 0x100; loop l; hlt */
	CODE_BYTES(CODE, 0xb9, 5, 0, 0, 0, 0xe6, PORT_HOOK, 0xe8, 0xf4, 0, 0, 0, 0xe2, 0xf7, 0xf4);
	CODE_BYTES(CODE + 0x100, 0x43, 0xc3);
	same_as_stepped("flush", CODE, 3);
	bt_audit(bt);
}
END_TEST

/* --- adaptation --- */

START_TEST(test_levels_up_and_down)
{
	/* l: mov [ebx], ecx; dec ecx; jnz l; hlt */
	CODE_BYTES(CODE, 0x89, 0x0b, 0x49, 0x75, 0xfb, 0xf4);
	cpu.gpr[RBX] = DEVICE;
	cpu.gpr[RCX] = 100;
	run_from(CODE);
	/* A checked store does not help with a device. */
	ck_assert_uint_eq(bt_site_level(bt, CODE), SITE_CALLOUT);
	ck_assert_uint_eq(device_writes, 100);
	ck_assert_uint_eq(stats.stepped_mmio, 2 * ADAPT_AFTER);
	/* In RAM it becomes fast again. */
	cpu.gpr[RBX] = DATA;
	cpu.gpr[RCX] = COLD_AFTER - 1;
	run_from(CODE);
	ck_assert_uint_eq(bt_site_level(bt, CODE), SITE_CALLOUT);
	cpu.gpr[RCX] = 2;
	run_from(CODE);
	ck_assert_uint_eq(bt_site_level(bt, CODE), SITE_PLAIN);
	uint64_t callouts = stats.callouts;
	cpu.gpr[RCX] = 100;
	run_from(CODE);
	ck_assert_uint_eq(stats.callouts, callouts + 1); /* HLT */
	ck_assert_uint_eq(peek(DATA, 4), 1);
}
END_TEST

/* Reads and read-modify-writes of a device, REP STOS to one: all adapted, all counted once. */
START_TEST(test_device_sites)
{
	/* l: mov eax, [ebx]; inc dword [ebx + 4]; push ecx; mov edi, ebx; mov ecx, 3; rep stosd; pop ecx; loop l; hlt
	 */
	CODE_BYTES(CODE, 0x8b, 0x03, 0xff, 0x43, 0x04, 0x51, 0x89, 0xdf, 0xb9, 3, 0, 0, 0, 0xf3, 0xab, 0x59, 0xe2, 0xee,
		   0xf4);
	cpu.gpr[RBX] = DEVICE + 0x10;
	cpu.gpr[RCX] = 30;
	device_bytes[0x10] = 1;
	same_as_stepped("device", CODE, 3);
	ck_assert_uint_eq(device_reads, 4 * 60);
	ck_assert_uint_eq(device_writes, 4 * 120);
}
END_TEST

/* --- paging --- */

/* A link within a page, made while its page table entry has changed but not been flushed, must not outlive that. */
START_TEST(test_link_under_changed_mapping)
{
	uint32_t pte = PAGE_TABLE + (CODE >> PAGE_SHIFT) * 4, there = CODE | PTE_P | PTE_W | PTE_A | PTE_D,
		 elsewhere = DATA | PTE_P | PTE_W | PTE_A | PTE_D;

	enable_paging();
	/* mov [ebx], eax; jmp +0x80 */
	CODE_BYTES(CODE, 0x89, 0x03, 0xeb, 0x7c);
	/* mov eax, 1 (2); hlt */
	CODE_BYTES(CODE + 0x80, 0xb8, 1, 0, 0, 0, 0xf4);
	CODE_BYTES(DATA + 0x80, 0xb8, 2, 0, 0, 0, 0xf4);
	cpu.gpr[RBX] = pte;
	cpu.gpr[RAX] = elsewhere;
	run_from(CODE); /* ends in either */
	poke(pte, 4, there);
	cpu_mmu_event(&cpu, MMU_INVLPG, CODE);
	cpu.gpr[RAX] = there;
	run_from(CODE);
	ck_assert_uint_eq(cpu.gpr[RAX], 1);
	bt_audit(bt);
}
END_TEST

/* --- the audit --- */

static void plant(unsigned n, struct block *first, struct block *second, struct block *called)
{
	switch (n) {
	case 0: /* BT-7: other bytes in memory, unnoticed */
		pm.ram.host[CODE + 1] ^= 1;
		break;
	case 1: /* BT-8: not traced */
		pm.traced[CODE >> PAGE_SHIFT] = 0;
		break;
	case 2: /* BT-8: not watched */
		((uint8_t *)(uintptr_t)shadow_watched(sh))[CODE >> SHADOW_GRANULE_SHIFT] = 0;
		break;
	case 3: /* BT-9: a link to an invalid block */
		second->valid = false;
		break;
	case 4: /* BT-9: a link that its target does not know of */
		second->incoming = 0;
		break;
	case 5: /* BT-9: a link to another EIP than it was made for */
		bt_exits(bt, first)->distance++;
		break;
	case 6: /* BT-9: an incoming link that is none */
		called->incoming = first->exits;
		break;
	case 7: /* BT-10: an entry of a block that is not valid */
		called->valid = false;
		break;
	case 8: /* BT-10: an entry in the middle of the block */
		called->ctx->indirect[called->eip]++;
		break;
	}
}

enum { PLANTS = 9 };

/* _i: what is planted; PLANTS: nothing. */
START_TEST(test_audit)
{
	pid_t child;
	int status;

	/* jmp CODE + 80; there: mov eax, CODE + 100; call eax; hlt */
	CODE_BYTES(CODE, 0xeb, 0x7e);
	CODE_BYTES(CODE + 0x80, 0xb8, 0x00, 0x01, 0x02, 0x00, 0xff, 0xd0, 0xf4);
	CODE_BYTES(CODE + 0x100, 0xc3);
	run_from(CODE);
	child = fork();
	if (child == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		plant((unsigned)_i, block_at_eip(CODE), block_at_eip(CODE + 0x80), block_at_eip(CODE + 0x100));
		bt_audit(bt);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (_i == PLANTS)
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "violation %d is not found", _i);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("blocks");
	TCase *t = tcase_create("blocks");

	tcase_add_checked_fixture(t, setup_bt, teardown_bt);
	tcase_add_test(t, test_links);
	tcase_add_test(t, test_indirect_table);
	tcase_add_test(t, test_full_cache);
	tcase_add_test(t, test_destroyed);
	tcase_add_test(t, test_many_contexts);
	tcase_add_test(t, test_flush_in_callout);
	tcase_add_test(t, test_levels_up_and_down);
	tcase_add_test(t, test_device_sites);
	tcase_add_test(t, test_link_under_changed_mapping);
	tcase_add_loop_test(t, test_audit, 0, PLANTS + 1);
	suite_add_tcase(s, t);
	t = tcase_create("sizes");
	tcase_add_checked_fixture(t, setup_bt_unaudited, teardown_bt);
	tcase_add_loop_test(t, test_largest_instruction, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
