/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `gnomon test` that need no VM: configurations, QEMU's options, what a test's end means. */
#include "../run_suite.h"
#include "monitor/suite/qemu_params.h"
#include "monitor/suite/shell_words.h"
#include "monitor/suite/suite.h"
#include "monitor/suite/unittests.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- words --- */

/* Text, and its words joined by |; or a part of the complaint behind a !. */
static const char *const words[][2] = {
    {"", ""},
    {" a  b\tc\n", "a|b|c"},
    {"'a b' \"c d\" e\\ f", "a b|c d|e f"},
    {"a'b'\"c\"", "abc"},
    {"'' x", "|x"},
    {"\"a \\\" \\x\" '\\'", "a \" \\x|\\"},
    {"a # b 'c", "a"},
    {"a#b", "a#b"},
    {"a # b\nc", "a|c"},
    {"'$x `y`' \\$z", "$x `y`|$z"},
    {"a\\\nb", "ab"},
    {"'abc", "!' is not closed"},
    {"\"abc'", "!\" is not closed"},
    {"x `date`", "!needs a shell for '`date`"},
    {"\"$x\"", "!needs a shell for '$x"},
    {"a; b", "!needs a shell for ';'"},
    {"a>b", "!needs a shell for '>'"},
    {"a\\", "a\\"},
};

START_TEST(shell)
{
	struct strings s = {0};
	char err[200] = "", joined[200] = "";
	int rc = shell_words(words[_i][0], &s, err, sizeof(err));

	for (unsigned i = 0; i < s.n; i++)
		sprintf(joined + strlen(joined), "%s%s", i ? "|" : "", s.v[i]);
	if (*words[_i][1] == '!')
		ck_assert_msg(rc && strstr(err, words[_i][1] + 1), "%s: %d %s", words[_i][0], rc, err);
	else
		ck_assert_msg(!rc && !strcmp(joined, words[_i][1]), "%s: %s %s", words[_i][0], joined, err);
	strings_free(&s);
}
END_TEST

/* --- the configuration --- */

START_TEST(configuration)
{
	static const char text[] = "# comment\n"
				   "[ one ]   # another\r\n"
				   "file=a.flat\r\n"
				   "  smp  =  2  \n"
				   "test_args = 'x # y' # z\n"
				   "extra_params = -m 1\n"
				   "qemu_params = -m 2\n"
				   "kvmtool_params = whatever\n"
				   "\n"
				   "[two]\n"
				   "file = b.flat\n"
				   "qemu_params = \"\"\"-append \"a\" \\\n"
				   "  -m 3\n"
				   "\"b\\\\\n"
				   "c\"\"\"\"\n"
				   "new = 1\n"
				   "newer = 2";
	struct unittests u;
	char err[200];

	ck_assert_msg(!unittests_parse(&u, text, sizeof(text) - 1, err, sizeof(err)), "%s", err);
	ck_assert_uint_eq(u.n, 2);
	ck_assert_str_eq(u.test[0].name, "one");
	ck_assert_uint_eq(u.test[0].line, 2);
	ck_assert_str_eq(u.test[0].file, "a.flat");
	ck_assert_str_eq(u.test[0].smp, "2");
	ck_assert_str_eq(u.test[0].test_args, "'x # y'");
	ck_assert_str_eq(u.test[0].qemu_params, "-m 2");
	ck_assert_ptr_null(u.test[0].arch);
	ck_assert_ptr_null(u.test[0].unknown);
	ck_assert_str_eq(u.test[1].qemu_params, "-append \"a\"   -m 3\n\"b\\\\\nc\"");
	ck_assert_str_eq(u.test[1].unknown, "new");
	unittests_free(&u);
}
END_TEST

static const char *const bad_configurations[][2] = {
    {"x\n", "line 1: 'x' is not"},
    {"\n[a\n", "line 2: a [ without its ]"},
    {"[ ]\n", "line 1: a test without a name"},
    {"file = a\n", "line 1: 'file' before the first"},
    {"[a]\n[b]\nfile=b\n", "line 1: [a] names no file"},
    {"[a]\nfile=\n", "line 1: [a] names no file"},
    {"[a]\nqemu_params=\"\"\"\n\n\n", "line 2: the \"\"\" is not closed"},
};

START_TEST(configurations_refused)
{
	const char *text = bad_configurations[_i][0];
	struct unittests u;
	char err[200] = "";

	ck_assert_int_ne(unittests_parse(&u, text, strlen(text), err, sizeof(err)), 0);
	ck_assert_msg(strstr(err, bad_configurations[_i][1]), "%s", err);
	ck_assert_uint_eq(u.n, 0);
}
END_TEST

/* --- QEMU's options --- */

/* Options, and what they come to for `gnomon run`; or a part of the complaint behind a !. */
static const char *const params[][2] = {
    {"", ""},
    {"-m 128", "--memory 128M"},
    {"-m 2g", "--memory 2g"},
    {"-m size=512,slots=2", "--memory 512M"},
    {"-m 1 -m 2", "--memory 2M"},
    {"-m 64x", "!-m 64x"},
    {"-m", "!needs a value"},
    {"-append x -append y", "--append y"},
    {"-initrd a -bios /b", "--initrd dir/a --bios /b"},
    {"-machine pc,accel=tcg,vmport=off -M pc-i440fx-7.2", ""},
    {"-machine q35", "!no machine 'q35'"},
    {"-machine accel=kvm", "!accel=kvm"},
    {"-machine pit=off", "!pit=off"},
    {"-device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=0x4", ""},
    {"-device isa-debug-exit", "!isa-debug-exit"},
    {"--no-reboot -nodefaults -display none -serial stdio -vga none -net none", ""},
    {"-serial pty", "!-serial pty"},
    {"-enable-kvm", "!KVM only"},
    {"-overcommit cpu-pm=on", "!-overcommit cpu-pm=on"},
    {"x.img", "!'x.img' is not an option"},
    {"-", "!-"},
    {"-smp 0", "!-smp 0"},
    {"-cpu max,+pae,-svm,pse=on,vmx=off,host-phys-bits", "--cpu max,-lm"},
    {"-cpu max,vendor=GenuineIntel", "--cpu max,-lm,vendor=GenuineIntel"},
    {"-cpu qemu64,+smap,+tsc_adjust,-tsc-deadline", "--cpu -lm,-tsc_deadline_timer,+smap"},
    {"-cpu qemu64,-smap", "--cpu -lm"},
    {"-cpu qemu64,vendor=GenuineIntel", "--cpu -lm,vendor=GenuineIntel"},
    {"-cpu qemu64,vendor=x", "!no processor's vendor"},
    {"-cpu max,+svm", "!no feature 'svm'"},
    {"-cpu max,+nonsense", "!no feature 'nonsense'"},
    {"-cpu max,-pae,-sse4.1", "--cpu max,-lm,-pae,-sse4_1"},
    {"-cpu max,phys-bits=36", "!bits, not 36"},
    {"-cpu max,colour=green", "!no property 'colour'"},
    {"-cpu Opteron_G5", "!no processor model 'Opteron_G5'"},
    {"-cpu Opteron_G1", "--cpu -lm,vendor=AuthenticAMD"},
};

/* Kernels for 64-bit mode. */
START_TEST(qemu_options_x86_64)
{
	static const char *const cpus[][2] = {{"max", "--cpu max,lm"},
					      {"qemu64,+x2apic,+pcid", "--cpu lm"},
					      {"qemu64,+la57", "--cpu lm,+la57"},
					      {"qemu64,-pcid,+invpcid", "--cpu lm,-pcid"},
					      {"Opteron_G1,vendor=AuthenticAMD", "--cpu lm,vendor=AuthenticAMD"}};

	for (unsigned i = 0; i < ARRAY_LEN(cpus); i++) {
		struct qemu_params p = {.lm = true};
		char why[200] = "", joined[200];

		ck_assert_msg(qemu_cpu_take(&p, cpus[i][0], why, sizeof(why)), "%s", why);
		ck_assert_uint_eq(p.run.n, 2);
		snprintf(joined, sizeof(joined), "%s %s", p.run.v[0], p.run.v[1]);
		ck_assert_str_eq(joined, cpus[i][1]);
		qemu_params_free(&p);
	}
}
END_TEST

START_TEST(qemu_options)
{
	struct qemu_params p = {0};
	struct strings w = {0};
	char why[200] = "", joined[400] = "";
	bool ok;

	ck_assert_int_eq(shell_words(params[_i][0], &w, why, sizeof(why)), 0);
	ok = qemu_params_take(&p, &w, "dir", why, sizeof(why));
	for (unsigned i = 0; i < p.run.n; i++)
		sprintf(joined + strlen(joined), "%s%s", i ? " " : "", p.run.v[i]);
	if (*params[_i][1] == '!')
		ck_assert_msg(!ok && strstr(why, params[_i][1] + 1), "%s: %d %s", params[_i][0], ok, why);
	else
		ck_assert_msg(ok && !strcmp(joined, params[_i][1]), "%s: %s %s", params[_i][0], joined, why);
	qemu_params_free(&p);
	strings_free(&w);
}
END_TEST

/* --- output and judgement --- */

START_TEST(output)
{
	static const char text[] = "PASS: a\r\n PASS: no\nFAIL: b\nFAIL: c\nSKIP: d\nXPASS: e\n\nSUMMARY: 3 tests\nend";
	struct suite_output *o = calloc(1, sizeof(*o));
	char *tail;
	size_t len;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		suite_output_add(o, text + i, 1);
	ck_assert_uint_eq(o->passed, 1);
	ck_assert_uint_eq(o->failed, 2);
	ck_assert_uint_eq(o->skipped, 1);
	ck_assert_str_eq(o->first_fail, "b");
	ck_assert_str_eq(o->last_skip, "d");
	ck_assert_str_eq(o->summary, "3 tests");
	ck_assert_str_eq(o->last, "XPASS: e");
	tail = suite_output_tail(o, &len);
	ck_assert_str_eq(tail, text);
	free(tail);
	/* Much of it, in lines longer than any that is looked at: the end is kept, from the beginning of a line. */
	for (unsigned i = 0; i < 100; i++) {
		char line[1000];
		memset(line, 'a' + i % 26, sizeof(line));
		line[sizeof(line) - 1] = '\n';
		suite_output_add(o, line, sizeof(line));
	}
	tail = suite_output_tail(o, &len);
	ck_assert_uint_eq(len, 8000);
	ck_assert_int_eq(tail[0], 'a' + (100 - 8) % 26);
	free(tail);
	suite_output_said(o, "gnomon: one\ngnomon: two\n", 24);
	ck_assert_str_eq(o->said, "two");
	free(o);
}
END_TEST

static const struct {
	struct vm_end end;
	int wait_status;
	bool killed;
	enum suite_outcome outcome;
	const char *why;
} ends[] = {
    {{VM_END_DEBUG_EXIT, 0}, 1 << 8, false, SUITE_PASS, NULL},
    {{VM_END_DEBUG_EXIT, 0x80}, 1 << 8, false, SUITE_PASS, NULL}, /* a status has 8 bits */
    {{VM_END_DEBUG_EXIT, 1}, 3 << 8, false, SUITE_FAIL, "exit status 3; first failure: b"},
    {{VM_END_DEBUG_EXIT, 38}, 77 << 8, false, SUITE_SKIP, "d"},
    {{VM_END_DEBUG_EXIT, 63}, 127 << 8, false, SUITE_FAIL, "aborted; first failure: b"},
    {{VM_END_DEBUG_EXIT, 0}, SIGSEGV, false, SUITE_FAIL, "the monitor died of SIGSEGV: said"},
    {{VM_END_DEBUG_EXIT, 0}, SIGKILL, true, SUITE_FAIL, "timeout; the monitor did not end within 10 seconds after it"},
    {{VM_END_TIMEOUT, 0}, 124 << 8, false, SUITE_FAIL, "timeout; duration=2.5s"},
    {{VM_END_POWER_OFF, 0}, 0, false, SUITE_FAIL, "powered off without an exit status"},
    {{VM_END_RESET, 0}, 0, false, SUITE_FAIL, "the guest reset the machine"},
    {{VM_END_TRIPLE_FAULT, 0}, 1 << 8, false, SUITE_FAIL, "triple fault"},
    {{VM_END_FAILED, 0}, 1 << 8, false, SUITE_FAIL, "said"},
    {{VM_END_ASKED, 0}, 0, false, SUITE_FAIL, "interrupted"},
};

START_TEST(judgement)
{
	struct suite_test *t = calloc(1, sizeof(*t));

	t->timeout = 2.5;
	suite_output_add(&t->out, "FAIL: b\nSKIP: d\n", 16);
	suite_output_said(&t->out, "gnomon: said\n", 13);
	suite_judge(t, &ends[_i].end, ends[_i].wait_status, ends[_i].killed);
	ck_assert_int_eq(t->outcome, ends[_i].outcome);
	ck_assert_msg(ends[_i].why ? t->why && !strcmp(t->why, ends[_i].why) : !t->why, "%s", t->why ? t->why : "");
	free(t->why);
	free(t);
}
END_TEST

START_TEST(expectations)
{
	static const bool in_order[4][SUITE_OUTCOMES] = {
	    [SUITE_EXPECT_NOTHING] = {true, false, true},
	    [SUITE_EXPECT_PASS] = {true, false, false},
	    [SUITE_EXPECT_FAIL] = {false, true, false},
	    [SUITE_EXPECT_SKIP] = {false, false, true},
	};
	char table[] = "a pass\n# b pass\nb\tfail  some # reason\r\ngone skip\n";
	struct suite_test tests[2] = {{.name = "a"}, {.name = "b"}};
	struct suite s = {.test = tests, .n = 2};
	char err[200];

	for (int e = 0; e < 4; e++)
		for (int o = 0; o < SUITE_OUTCOMES; o++)
			ck_assert(suite_in_order(&(struct suite_test){.expected = e, .outcome = o}) == in_order[e][o]);
	ck_assert_int_eq(suite_expect_text(&s, table, true, err, sizeof(err)), 0);
	ck_assert_int_eq(tests[0].expected, SUITE_EXPECT_PASS);
	ck_assert_int_eq(tests[1].expected, SUITE_EXPECT_FAIL);
	ck_assert_str_eq(tests[1].expected_why, "some # reason");
	ck_assert_uint_eq(s.gone.n, 1);
	ck_assert_str_eq(s.gone.v[0], "gone");
	free(tests[1].expected_why);
	strings_free(&s.gone);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("suite");
	TCase *tc = tcase_create("suite");

	tcase_add_loop_test(tc, shell, 0, ARRAY_LEN(words));
	tcase_add_test(tc, configuration);
	tcase_add_loop_test(tc, configurations_refused, 0, ARRAY_LEN(bad_configurations));
	tcase_add_loop_test(tc, qemu_options, 0, ARRAY_LEN(params));
	tcase_add_test(tc, qemu_options_x86_64);
	tcase_add_test(tc, output);
	tcase_add_loop_test(tc, judgement, 0, ARRAY_LEN(ends));
	tcase_add_test(tc, expectations);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
