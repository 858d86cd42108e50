/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asynchronous events: a timer signals the thread at random moments. What the guest computes, and how many instructions
 * it takes, must not depend on it; interrupts come between instructions, and never behind STI or MOV SS.
 */
#define _GNU_SOURCE
#include "kicks.h"

enum { VECTOR = 0x20, SEEN = 0x38000, TURNS = 20000 };

/* clang-format off */
/*
 * 20000 turns of: PUSHF, POPF; REP MOVSD, REPE CMPSB; a call of code with shifts, branches and an indirect call; CLI, PUSHA, STI, INC [mem] (at 35), POPA, CLI, STI, XOR (at 3E);
 * AH from memory, PUSH and POP of memory, XCHG.
 */
static const uint8_t code32[] = {
    0xb9, 0x20, 0x4e, 0x00, 0x00, 0x9c, 0x9d, 0x51, 0xbe, 0x00, 0x00, 0x03, 0x00, 0xbf, 0x00, 0x10, 0x03, 0x00, 0xb9, 0x25,
    0x00, 0x00, 0x00, 0xf3, 0xa5, 0xbe, 0x00, 0x00, 0x03, 0x00, 0xbf, 0x00, 0x10, 0x03, 0x00, 0xb9, 0x25, 0x00, 0x00, 0x00,
    0xf3, 0xa6, 0x11, 0xca, 0x59, 0xe8, 0x2e, 0x00, 0x00, 0x00, 0xfa, 0x60, 0xfb, 0xff, 0x05, 0x10, 0x00, 0x03, 0x00, 0x61,
    0xfa, 0xfb, 0x31, 0xd3, 0x8a, 0xa1, 0x00, 0x00, 0x03, 0x00, 0x8d, 0x6c, 0x24, 0xfc, 0xff, 0x35, 0x10, 0x00, 0x03, 0x00,
    0x8f, 0x05, 0x14, 0x00, 0x03, 0x00, 0x87, 0x15, 0x20, 0x00, 0x03, 0x00, 0xe2, 0xa7, 0xf4, 0x90, 0x01, 0xc8, 0xc1, 0xc0,
    0x03, 0x31, 0x05, 0x40, 0x00, 0x03, 0x00, 0x89, 0xca, 0xe3, 0x09, 0xf6, 0xc2, 0x01, 0x74, 0x04, 0x0f, 0xaf, 0xd0, 0xfc,
    0x50, 0xb8, 0x82, 0x00, 0x02, 0x00, 0xff, 0xd0, 0x58, 0xc3, 0xf7, 0xda, 0x0f, 0x92, 0xc2, 0xc3};
enum { SHADOWED32 = 0x35, SHADOWED32_TOO = 0x3e };

/* The same in real mode, with MOV SS, INC [mem] (at 1E), CLI, STI, XOR (at 24) and loads of ES. */
static const uint8_t code16[] = {
    0xb9, 0x20, 0x4e, 0x9c, 0x9d, 0x51, 0xbe, 0x00, 0x01, 0xbf, 0x00, 0x11, 0xb9, 0x25, 0x00, 0xf3, 0xa5, 0xbe, 0x00, 0x01,
    0xac, 0xaa, 0x59, 0xe8, 0x19, 0x00, 0x8c, 0xc2, 0x8e, 0xd2, 0xff, 0x06, 0x10, 0x00, 0xfa, 0xfb, 0x31, 0xd3, 0x60, 0x1e,
    0x07, 0x61, 0x8a, 0x20, 0x87, 0x16, 0x20, 0x00, 0xe2, 0xd1, 0xf4, 0x01, 0xc8, 0xc1, 0xc0, 0x03, 0x31, 0x06, 0x40, 0x00,
    0x89, 0xca, 0xe3, 0x08, 0xf6, 0xc2, 0x01, 0x74, 0x03, 0x0f, 0xaf, 0xd0, 0xc3};
enum { SHADOWED16 = 0x1e, SHADOWED16_TOO = 0x24 };

/* Marks in SEEN where the interrupted instruction lay in its page. */
static const uint8_t handler[] = {
    0x50, 0x53, 0x8b, 0x44, 0x24, 0x08, 0x2d, 0x00, 0x00, 0x02, 0x00, 0x25, 0xff, 0x0f, 0x00, 0x00, 0xc6, 0x80, 0x00, 0x80,
    0x03, 0x00, 0x01, 0xff, 0x05, 0x00, 0x90, 0x03, 0x00, 0x5b, 0x58, 0xcf};

/* The same in real mode, relative to CS. */
static const uint8_t handler16[] = {
    0x53, 0x55, 0x89, 0xe5, 0x8b, 0x5e, 0x04, 0x2e, 0xc6, 0x87, 0x00, 0x10, 0x01, 0x2e, 0xff, 0x06, 0x00, 0x20, 0x5d, 0x5b, 0xcf};
enum { SEEN16 = CODE + 0x1000, HANDLER16 = 0x3000 };
/* clang-format on */

static void load_program(bool real, unsigned turns)
{
	cpu.rflags |= FLAG_IF;
	if (real) {
		enter_real();
		for (unsigned seg = 0; seg < SEG_COUNT; seg++)
			cpu_set_real_segment(&cpu, seg, seg == SEG_CS ? CODE >> 4 : DATA >> 4);
		poke_bytes(CODE, code16, sizeof(code16));
		poke(CODE + 1, 2, turns);
	} else {
		poke_bytes(CODE, code32, sizeof(code32));
		poke(CODE + 1, 4, turns);
	}
	for (unsigned at = 0; at < PAGE_SIZE; at += 4)
		poke(DATA + at, 4, at * 0x01010101u);
	cpu.rip = real ? 0 : CODE;
}

static unsigned pauses[] = {15000, 80000};

/* _i: how often, and whether in real mode */
START_TEST(test_kicks_change_nothing)
{
	uint64_t insns, before_run;

	bt->count = true; /* nothing is translated yet */
	load_program(_i & 1, TURNS);
	memory_used = DATA + 2 * PAGE_SIZE;
	step_reference((uint32_t)cpu.rip);
	before_run = bt->frame.count;
	check_against_reference("undisturbed");
	insns = bt->frame.count - before_run;
	start_kicks(pauses[_i / 2]);
	for (unsigned turn = 0; turn < 3; turn++) {
		before_run = bt->frame.count;
		check_against_reference("kicked");
		ck_assert_uint_eq(bt->frame.count - before_run, insns);
	}
	end_kicks();
	ck_assert_uint_gt(stats.async_exits, 20);
	ck_assert_uint_gt(stats.forward_steps, 20);
}
END_TEST

START_TEST(test_lockstep_under_kicks)
{
	load_program(_i & 1, TURNS / 20);
	memory_used = DATA + 2 * PAGE_SIZE;
	step_reference((uint32_t)cpu.rip);
	start_kicks(pauses[_i / 2]);
	back_to_start();
	cpu.activity = CPU_RUNNING;
	while (cpu.activity == CPU_RUNNING) {
		ck_assert(bt_lockstep(bt, UINT64_MAX));
		stop = 0;
	}
	end_kicks();
	check_same_cpu("lockstep", &ref);
	ck_assert(!memcmp(pm.ram.host, ref_memory, memory_used));
}
END_TEST

static bool stop_at_kick(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	if (signo == HOSTSIG_KICK)
		stop = 1;
	return false;
}

/* Runs the program, an interrupt following each kick. */
static void run_interrupted(bool lockstep)
{
	cpu.activity = CPU_RUNNING;
	while (cpu.activity == CPU_RUNNING && !triple_faults) {
		cpu_take_event(&cpu);
		if (lockstep)
			ck_assert(bt_lockstep(bt, UINT64_MAX));
		else
			bt_run(bt);
		if (stop) {
			stop = 0;
			vector_pending = VECTOR;
			cpu.intr = true;
		}
	}
}

static void check_interrupted(bool real)
{
	gpa_t seen = real ? SEEN16 : SEEN;

	check_same_cpu("interrupted", &ref);
	ck_assert_msg(!memcmp(pm.ram.host + DATA, ref_memory + DATA, real ? 0x700 : 2 * PAGE_SIZE),
		      "memory differs"); /* the stack is at 800 in real mode */
	ck_assert_msg(!peek(seen + (real ? SHADOWED16 : SHADOWED32), 1), "an interrupt came in a shadow");
	ck_assert_msg(!peek(seen + (real ? SHADOWED16_TOO : SHADOWED32_TOO), 1), "an interrupt came in a shadow");
}

/* _i: lockstep, how often, in real mode */
START_TEST(test_interrupts)
{
	unsigned places = 0;
	bool lockstep = _i & 1, real = _i & 4;

	load_program(real, lockstep ? TURNS / 20 : TURNS);
	cpu.rflags |= FLAG_IF;
	poke_bytes(HANDLER + 16 * VECTOR, handler, sizeof(handler));
	if (real) {
		poke_bytes(CODE + HANDLER16, handler16, sizeof(handler16));
		poke(4 * VECTOR, 4, (uint32_t)(CODE >> 4) << 16 | HANDLER16);
	}
	memory_used = DATA + 2 * PAGE_SIZE;
	step_reference((uint32_t)cpu.rip);
	hostsig_add(stop_at_kick, NULL);
	start_kicks(pauses[_i / 2 % 2]);
	for (unsigned turn = 0; turn < (lockstep ? 1 : 3); turn++) {
		back_to_start();
		run_interrupted(lockstep);
		check_interrupted(real);
		cpu.intr = false;
		for (unsigned i = 0; i < 0x200; i++)
			places += peek((real ? SEEN16 : SEEN) + i, 1) & 1;
	}
	end_kicks();
	hostsig_remove(stop_at_kick, NULL);
	/* They came at many instructions; in lockstep only between blocks. */
	ck_assert_uint_gt(places, lockstep ? 2 : 10);
}
END_TEST

/* JMP $ and LOOP $: their own target, under every engine. */
START_TEST(test_own_target)
{
	/* mov ecx, 30000; loop $; hlt */
	CODE_BYTES(CODE, 0xb9, 0x30, 0x75, 0, 0, 0xe2, 0xfe, 0xf4);
	memory_used = DATA;
	step_reference(CODE);
	start_kicks(pauses[0]);
	for (unsigned turn = 0; turn < 20; turn++)
		check_against_reference("loop $");
	back_to_start();
	CODE_BYTES(CODE, 0xb9, 200, 0, 0, 0);
	cpu.activity = CPU_RUNNING;
	while (cpu.activity == CPU_RUNNING) {
		ck_assert(bt_lockstep(bt, UINT64_MAX));
		stop = 0;
	}
	ck_assert_uint_eq(cpu.gpr[RCX], 0);
	end_kicks();
}
END_TEST

/* A guest that hangs can be stopped, by one kick. */
START_TEST(test_endless_loop)
{
	enum { PAUSE = 2000000 };

	CODE_BYTES(CODE, 0xeb, 0xfe);
	cpu.rip = CODE;
	hostsig_add(stop_at_kick, NULL);
	for (unsigned turn = 0; turn < 20; turn++) {
		start_kicks(PAUSE);
		if (_i)
			ck_assert(bt_lockstep(bt, UINT64_MAX));
		else
			bt_run(bt);
		ck_assert(stop);
		end_kicks();
		stop = 0;
		ck_assert_uint_eq(cpu.rip, CODE);
	}
	hostsig_remove(stop_at_kick, NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("kicks");
	TCase *t = tcase_create("kicks");

	tcase_add_checked_fixture(t, setup_bt_unaudited, teardown_bt);
	tcase_add_loop_test(t, test_kicks_change_nothing, 0, 4);
	tcase_add_loop_test(t, test_lockstep_under_kicks, 0, 4);
	tcase_add_loop_test(t, test_interrupts, 0, 8);
	tcase_add_test(t, test_own_target);
	tcase_add_loop_test(t, test_endless_loop, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
