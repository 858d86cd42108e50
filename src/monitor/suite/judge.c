/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test's end means. Statuses of debug-exit as kvm-unit-tests' scripts read them. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "suite.h"

/* clang-format off */
enum { /* exit statuses by debug-exit: what the guest writes, times 2, plus 1 */
	STATUS_PASS  = 1,
	STATUS_SKIP  = 77,
	STATUS_ABORT = 127,
};
/* clang-format on */

const char *suite_outcome_name(enum suite_outcome o)
{
	static const char *const names[SUITE_OUTCOMES] = {"pass", "fail", "skip"};
	return names[o];
}

static void judge_debug_exit(struct suite_test *t, uint32_t value)
{
	const struct suite_output *o = &t->out;
	int status = debug_exit_status(value);

	if (status == STATUS_PASS) {
		t->outcome = SUITE_PASS;
	} else if (status == STATUS_SKIP) {
		t->outcome = SUITE_SKIP;
		t->why = format("%s", *o->last_skip ? o->last_skip : *o->last ? o->last : "by the test itself");
	} else if (status == STATUS_ABORT) {
		t->why = format("aborted%s%s", *o->first_fail ? "; first failure: " : "", o->first_fail);
	} else {
		t->why = format("exit status %d%s%s", status, *o->first_fail ? "; first failure: " : "", o->first_fail);
	}
}

void suite_judge(struct suite_test *t, const struct vm_end *end, int wait_status, bool killed)
{
	const char *said = *t->out.said ? t->out.said : "no reason given";

	t->outcome = SUITE_FAIL;
	free(t->why);
	t->why = NULL;
	if (killed) {
		t->why = format("timeout; the monitor did not end within %d seconds after it", SUITE_GRACE);
		return;
	}
	if (WIFSIGNALED(wait_status)) {
		t->why = format("the monitor died of SIG%s: %s", sigabbrev_np(WTERMSIG(wait_status)), said);
		return;
	}
	switch (end->reason) {
	case VM_END_DEBUG_EXIT:
		judge_debug_exit(t, end->value);
		break;
	case VM_END_TIMEOUT:
		t->why = format("timeout; duration=%gs", t->timeout);
		break;
	case VM_END_POWER_OFF:
		t->why = format("powered off without an exit status");
		break;
	case VM_END_RESET:
		t->why = format("the guest reset the machine");
		break;
	case VM_END_TRIPLE_FAULT:
		t->why = format("triple fault");
		break;
	case VM_END_DIFFERENCE:
		t->why = format("lockstep: the translator does something else than the single-stepper");
		break;
	case VM_END_ASKED:
		t->why = format("interrupted");
		break;
	case VM_END_FAILED:
		t->why = format("%s", said);
		break;
	}
}

bool suite_in_order(const struct suite_test *t)
{
	switch (t->expected) {
	case SUITE_EXPECT_PASS:
		return t->outcome == SUITE_PASS;
	case SUITE_EXPECT_FAIL:
		return t->outcome == SUITE_FAIL;
	case SUITE_EXPECT_SKIP:
		return t->outcome == SUITE_SKIP;
	default:
		return t->outcome != SUITE_FAIL;
	}
}

const char *suite_surprise(const struct suite_test *t)
{
	static const char *const names[SUITE_OUTCOMES] = {"unexpected pass", "unexpected failure", "unexpected skip"};

	return suite_in_order(t) || t->expected == SUITE_EXPECT_NOTHING ? NULL : names[t->outcome];
}
