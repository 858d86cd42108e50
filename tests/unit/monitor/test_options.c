/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/options.h"
#include "trace.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 64 };

/* Splits at blanks; "''" stands for an empty argument. */
static enum options_result parse(struct vm_config *cfg, const char *line, char *err, size_t errlen)
{
	char *copy = strdup(line), *argv[MAX_ARGS], *save = NULL;
	int argc = 0;
	enum options_result result;

	for (char *w = strtok_r(copy, " ", &save); w && argc < MAX_ARGS; w = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(w, "''") ? w : w + 2;
	config_init(cfg);
	*err = 0;
	result = options_parse(cfg, argc, argv, err, errlen);
	free(copy); /* the config must not point into it */
	return result;
}

START_TEST(defaults)
{
	struct vm_config cfg;
	char err[256];

	ck_assert_int_eq(parse(&cfg, "", err, sizeof(err)), OPTIONS_OK);
	ck_assert_uint_eq(cfg.memory, 256 * MiB);
	ck_assert_uint_eq(cfg.tc_size, 64 * MiB);
	ck_assert_str_eq(cfg.boot, "dca");
	ck_assert_ptr_null(cfg.cdrom);
	ck_assert_uint_eq(cfg.nserials, 0);
	ck_assert_int_eq(cfg.engine, ENGINE_BT);
	ck_assert(!cfg.has_debug_exit && !cfg.pc_testdev && !cfg.no_reboot);
	ck_assert_int_eq(cfg.display, DISPLAY_AUTO);
	ck_assert(cfg.timeout == 0);
	config_destroy(&cfg);
}
END_TEST

START_TEST(everything)
{
	struct vm_config cfg;
	char err[256];

	ck_assert_int_eq(
	    parse(&cfg,
		  "--memory 4G --cpu max,-avx,lm,+smap,vendor=GenuineIntel --cdrom a.iso --floppy=f.img --disk "
		  "a,b.raw,snapshot "
		  "--disk "
		  "c.raw --boot ac "
		  "--kernel k --initrd i,j --append=a=b --bios b.bin --serial stdio --serial file:x --serial unix:y "
		  "--serial none "
		  "--debugcon 0x402:file:d:1 --debugcon 233:file:e --debug-exit 0xf4 --pc-testdev --no-reboot "
		  "--control unix:q --display none --engine bt "
		  "--lockstep --audit --opt -link,-twin --opt +twin --tc-size 3 --count --trace bt,irq --trace-file t "
		  "--stats s.json "
		  "--timeout 2.5",
		  err, sizeof(err)),
	    OPTIONS_OK);
	ck_assert_uint_eq(cfg.memory, 4 * GiB);
	ck_assert_str_eq(cfg.cpu_vendor, "GenuineIntel");
	ck_assert(cfg.cpu_max && cfg.cpu_lm);
	ck_assert(cfg.cpu_features.off[CPUID_avx / 8] == 1u << CPUID_avx % 8);
	ck_assert(cfg.cpu_features.on[CPUID_smap / 8] == 1u << CPUID_smap % 8);
	ck_assert_str_eq(cfg.cdrom, "a.iso");
	ck_assert_str_eq(cfg.floppy, "f.img");
	ck_assert_uint_eq(cfg.ndisks, 2);
	ck_assert_str_eq(cfg.disks[0].path, "a,b.raw");
	ck_assert(cfg.disks[0].snapshot);
	ck_assert_str_eq(cfg.disks[1].path, "c.raw");
	ck_assert(!cfg.disks[1].snapshot);
	ck_assert_str_eq(cfg.boot, "ac");
	ck_assert_str_eq(cfg.kernel, "k");
	ck_assert_str_eq(cfg.initrd, "i,j");
	ck_assert_str_eq(cfg.append, "a=b");
	ck_assert_str_eq(cfg.bios, "b.bin");
	ck_assert_uint_eq(cfg.nserials, 4);
	ck_assert_int_eq(cfg.serials[0].kind, CHARDEV_STDIO);
	ck_assert_int_eq(cfg.serials[1].kind, CHARDEV_FILE);
	ck_assert_str_eq(cfg.serials[1].path, "x");
	ck_assert_int_eq(cfg.serials[2].kind, CHARDEV_UNIX);
	ck_assert_str_eq(cfg.serials[2].path, "y");
	ck_assert_int_eq(cfg.serials[3].kind, CHARDEV_NONE);
	ck_assert_uint_eq(cfg.debugcons[0].port, 0x402);
	ck_assert_str_eq(cfg.debugcons[0].path, "d:1");
	ck_assert_uint_eq(cfg.debugcons[1].port, 233);
	ck_assert(cfg.has_debug_exit && cfg.pc_testdev && cfg.no_reboot);
	ck_assert_uint_eq(cfg.debug_exit, 0xf4);
	ck_assert_str_eq(cfg.control, "q");
	ck_assert_int_eq(cfg.display, DISPLAY_NONE);
	ck_assert(cfg.lockstep && cfg.audit && cfg.count);
	ck_assert_uint_eq(cfg.opt_off, BIT(OPT_LINK));
	ck_assert_uint_eq(cfg.tc_size, 3 * MiB);
	ck_assert_str_eq(cfg.trace_file, "t");
	ck_assert_str_eq(cfg.stats, "s.json");
	ck_assert(cfg.timeout == 2.5);
	ck_assert(trace_mask & BIT(TRACE_irq));
	config_destroy(&cfg);
}
END_TEST

/* 64-bit mode is there unless it is hidden; the last word of it counts. */
START_TEST(long_mode)
{
	static const struct {
		const char *line;
		bool shown;
	} lines[] = {
	    {"", true}, {"--cpu lm", true}, {"--cpu -lm", false}, {"--cpu max,-lm", false}, {"--cpu -lm,+lm", true}};

	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		struct vm_config cfg;
		char err[200];
		ck_assert_int_eq(parse(&cfg, lines[i].line, err, sizeof(err)), OPTIONS_OK);
		ck_assert_msg(cfg.cpu_lm == lines[i].shown, "%s", lines[i].line);
		config_destroy(&cfg);
	}
}
END_TEST

/* Line, and a part of the complaint that it must lead to. */
static const char *const bad_lines[][2] = {
    {"--memory", "needs a value"},
    {"--memory 0", "outside 1M to 64G"},
    {"--memory 1T", "outside 1M to 64G"},
    {"--memory 65G", "outside"},
    {"--memory 1023K", "outside"},
    {"--memory 99999999999999999999", "outside"},
    {"--memory 99999999999999T", "outside"},
    {"--memory 4097K", "multiple of 4K"},
    {"--memory 1048577", "multiple of 4K"},
    {"--memory -1G", "not a size"},
    {"--memory 1GB", "not a size"},
    {"--memory 0x100000", "not a size"},
    {"--memory ''", "not a size"},
    {"--memory 1.5G", "not a size"},
    {"--memory 1G --memory 1G", "given twice"},
    {"--cpu maximum", "not max, lm, +FEATURE, -FEATURE, vendor=NAME"},
    {"--cpu max,", "not max, lm, +FEATURE, -FEATURE, vendor=NAME"},
    {"--cpu lm64", "not max, lm, +FEATURE, -FEATURE, vendor=NAME"},
    {"--cpu ''", "not max, lm, +FEATURE, -FEATURE, vendor=NAME"},
    {"--cpu -avx512", "no feature 'avx512'"},
    {"--cpu max,+", "no feature ''"},
    {"--cpu max,vendor=Genuine", "not 12 characters"},
    {"--cpu vendor=Genuine", "not 12 characters"},
    {"--cpu vendor=GenuineIntel2", "not 12 characters"},
    {"--cdrom a --cdrom=b", "given twice"},
    {"--cdrom ''", "empty"},
    {"--disk ,snapshot", "empty"},
    {"--disk a --disk b --disk c --disk d --disk e --disk f --disk g --disk h --disk i", "more than 8 disks"},
    {"--disk a,if=scsi", "'scsi' is not ide or virtio"},
    {"--disk ,if=virtio", "empty"},
    {"--rng maybe", "'maybe' is not on or off"},
    {"--console tty", "is not stdio"},
    {"--serial stdio --console stdio", "taken"},
    {"--boot ''", "empty"},
    {"--kernel ''", "empty"},
    {"--initrd i", "--initrd without --kernel"},
    {"--append x --cdrom y", "--append without --kernel"},
    {"--boot x", "'x' is not made of"},
    {"--boot dd", "twice"},
    {"--boot dcad", "twice"},
    {"--serial tcp:1", "is not stdio"},
    {"--serial file:", "empty"},
    {"--serial stdio --serial stdio", "taken"},
    {"--serial none --serial none --serial none --serial none --serial none", "more than 4 serial"},
    {"--debugcon 0x402", "PORT:file:PATH"},
    {"--debugcon -1:file:x", "PORT:file:PATH"},
    {"--debugcon 65536:file:x", "beyond 0xffff"},
    {"--debugcon 233:file:x --debugcon 0xe9:file:y", "twice"},
    {"--debugcon 0x402:file:", "empty"},
    {"--debug-exit", "needs a value"},
    {"--debug-exit ''", "not a port"},
    {"--debug-exit 0xf4x", "not a port"},
    {"--debug-exit -1", "not a port"},
    {"--debug-exit 0xfffd", "beyond 0xfffc"},
    {"--pc-testdev=1", "takes no value"},
    {"--control /tmp/x", "unix:PATH"},
    {"--control unix:0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789",
     "longer than 107"},
    {"--display gtk", "not none or tty"},
    {"--display tty --serial stdio", "both want the terminal"},
    {"--engine kvm", "not bt or step"},
    {"--engine step --lockstep", "does not go with"},
    {"--audit=yes", "takes no value"},
    {"--tc-size ''", "not a size"},
    {"--tc-size big", "not a size"},
    {"--tc-size 0", "outside 1M to 512M"},
    {"--tc-size 1023K", "outside"},
    {"--tc-size 513", "outside"},
    {"--tc-size 2G", "outside"},
    {"--tc-size 18446744073709551615", "outside"},
    {"--tc-size 99999999999999999999", "outside"},
    {"--tc-size -1", "not a size"},
    {"--opt nonsense", "'nonsense' is not -NAME or +NAME"},
    {"--opt -link --opt -twin,-lin", "'-lin' is not"},
    {"--opt ''", "'' is not"},
    {"--trace bt,nonsense", "'nonsense' is not a trace category"},
    {"--trace-file x", "without --trace"},
    {"--timeout 0", "more than 0"},
    {"--timeout -5", "not a number"},
    {"--timeout nan", "not a number"},
    {"--timeout inf", "not a number"},
    {"--timeout 1e3", "not a number"},
    {"--timeout 1.2.3", "not a number"},
    {"--timeout .", "not a number"},
    {"--timeout ''", "not a number"},
    {"--timeout 10000000000", "more than 0"},
    {"--nonsense", "unknown option '--nonsense'"},
    {"--mem 1G", "unknown option '--mem'"},
    {"--", "unknown option '--'"},
    {"-m 1G", "unknown option '-m'"},
    {"x.iso", "--cdrom x.iso?"},
};

START_TEST(complaints)
{
	struct vm_config cfg;
	char err[256];
	const char *const *row = bad_lines[_i];

	ck_assert_msg(parse(&cfg, row[0], err, sizeof(err)) == OPTIONS_WRONG, "accepted: %s", row[0]);
	ck_assert_msg(strstr(err, row[1]) && !strchr(err, '\n'), "%s: %s", row[0], err);
	config_destroy(&cfg);
}
END_TEST

START_TEST(help_and_version)
{
	struct vm_config cfg;
	char err[256], *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(parse(&cfg, "--audit --help --nonsense", err, sizeof(err)), OPTIONS_HELP);
	config_destroy(&cfg);
	ck_assert_int_eq(parse(&cfg, "--version", err, sizeof(err)), OPTIONS_VERSION);
	config_destroy(&cfg);
	ck_assert_int_eq(parse(&cfg, "--audit --opt help --nonsense", err, sizeof(err)), OPTIONS_OPT_HELP);
	config_destroy(&cfg);
	options_print_help(out);
	options_print_opts(out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "--disk FILE[,snapshot][,if=IF] ..."));
	ck_assert_ptr_nonnull(strstr(text, "--timeout SECONDS"));
	ck_assert_ptr_nonnull(strstr(text, trace_help(TRACE_bt)));
	ck_assert_ptr_nonnull(strstr(text, opt_help(OPT_COUNT - 1)));
	free(text);
}
END_TEST

START_TEST(long_values_are_cut)
{
	struct vm_config cfg;
	char err[64];
	char value[4096];
	char *argv[] = {"--engine", value};

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	config_init(&cfg);
	ck_assert_int_eq(options_parse(&cfg, 2, argv, err, sizeof(err)), OPTIONS_WRONG);
	ck_assert_uint_eq(strlen(err), sizeof(err) - 1);
	config_destroy(&cfg);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tc = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, everything);
	tcase_add_test(tc, long_mode);
	tcase_add_loop_test(tc, complaints, 0, (int)ARRAY_LEN(bad_lines));
	tcase_add_test(tc, help_and_version);
	tcase_add_test(tc, long_values_are_cut);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
