/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host that forgets GS.base whenever the thread has been off the processor: what the guest computes must not depend
 * on it. Here it is forgotten at random moments, on any host that executes WRGSBASE. */
#define _GNU_SOURCE
#include <stdio.h>

#include "kicks.h"

enum { EXIT_SKIPPED = 77, TURNS = 100000, COPIES = 10000, TIMES = 20, PAUSE_NS = 30000 };

static uintptr_t nowhere;

static uintptr_t base(void)
{
	uintptr_t b;

	__asm__ volatile("rdgsbase %0" : "=r"(b));
	return b;
}

/* Not by a kick, which would leave the cache. */
static void forget(void *arg, const ucontext_t *uc)
{
	gsbase_set(GSBASE_LOST, nowhere);
	arm_timer();
}

/* Runs the code at CODE until it has been disturbed so often; memory ends up as single-stepped. */
static void check_forgetful(unsigned times)
{
	uint64_t before = stats.gsbase_lost;
	unsigned turns = 0;

	memory_used = DATA + PAGE_SIZE;
	step_reference(CODE);
	hostsig_set_profile(forget, NULL);
	start_signals(HOSTSIG_PROFILE, PAUSE_NS);
	do
		check_against_reference("forgotten");
	while (stats.gsbase_lost - before < times && ++turns < 1000);
	end_kicks();
	hostsig_set_profile(NULL, NULL);
	ck_assert_uint_ge(stats.gsbase_lost - before, times);
}

static void setup_forgetful(void)
{
	audits = false;
	setup_bt();
	ck_assert(gsbase_begin(GSBASE_LOST));
	nowhere = base();
	bt->gsbase = GSBASE_LOST;
}

START_TEST(test_window)
{
	/* mov ecx, TURNS; l: inc dword [DATA]; mov eax, [DATA]; add [DATA + 8], eax; push ecx; pop edx; loop l; hlt */
	CODE_BYTES(CODE, 0xb9, TURNS & 0xff, TURNS >> 8 & 0xff, TURNS >> 16, 0, 0xff, 0x05, 0, 0, 3, 0, 0xa1, 0, 0, 3,
		   0, 0x01, 0x05, 8, 0, 3, 0, 0x51, 0x5a, 0xe2, 0xeb, 0xf4);
	check_forgetful(TIMES);
	ck_assert_uint_eq(peek(DATA, 4), TURNS);
}
END_TEST

/* In 64-bit code it is a table of deltas, which are looked up where RSP is written. */
START_TEST(test_view)
{
	use_long_mode();
	/* mov ecx, TURNS; mov edi, STACK0; mov ebx, DATA; l: mov rsp, rdi; inc dword [rbx]; push rcx; pop rdx; loop l;
	 * hlt */
	CODE_BYTES(CODE, 0xb9, TURNS & 0xff, TURNS >> 8 & 0xff, TURNS >> 16, 0, 0xbf, STACK0 & 0xff, STACK0 >> 8 & 0xff,
		   STACK0 >> 16, 0, 0xbb, 0, 0, 3, 0, 0x48, 0x89, 0xfc, 0xff, 0x03, 0x51, 0x5a, 0xe2, 0xf7, 0xf4);
	check_forgetful(TIMES);
	ck_assert_uint_eq(peek(DATA, 4), TURNS);
}
END_TEST

/* A repeated string instruction that looks at pages looks its pointers up twice, once while RCX is something else. */
START_TEST(test_strings)
{
	use_long_mode();
	/* mov edx, COPIES; mov esi, DATA; mov edi, DATA + 0x40; l: mov ecx, 8; inc dword [rsi]; rep movsb; sub esi, 8;
	 * sub edi, 8; mov eax, [rdi]; add [rsi + 0x80], eax; dec edx; jnz l; hlt */
	CODE_BYTES(CODE, 0xba, COPIES & 0xff, COPIES >> 8, 0, 0, 0xbe, 0, 0, 3, 0, 0xbf, 0x40, 0, 3, 0, 0xb9, 8, 0, 0,
		   0, 0xff, 0x06, 0xf3, 0xa4, 0x83, 0xee, 8, 0x83, 0xef, 8, 0x8b, 0x07, 0x01, 0x86, 0x80, 0, 0, 0, 0xff,
		   0xca, 0x75, 0xe5, 0xf4);
	bt_site_set(bt, &(struct site){.linear = CODE + 22, .level = SITE_CALLOUT});
	check_forgetful(20 * TIMES);
	ck_assert_uint_eq(peek(DATA + 0x40, 4), COPIES);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("gsbase");
	TCase *t = tcase_create("gsbase");

	tcase_add_checked_fixture(t, setup_forgetful, teardown_bt);
	tcase_add_test(t, test_window);
	tcase_add_test(t, test_view);
	tcase_add_test(t, test_strings);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	if (hostsig_thread_init() || gsbase_kind() == GSBASE_CALL) {
		fprintf(stderr, "skipped: this host does not execute WRGSBASE\n");
		return EXIT_SKIPPED;
	}
	return run_suite(suite());
}
