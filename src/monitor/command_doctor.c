/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `gnomon doctor`. */
#include "commands.h"
#include "doctor.h"
#include "options.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const words[] = {[FINDING_OK] = "ok", [FINDING_HINT] = "hint", [FINDING_MISSING] = "missing"};

static int print_help(void)
{
	printf("Usage: gnomon doctor [--json]\n\n"
	       "Looks at what this host offers, what of it Gnomon uses, and what would help.\n\n"
	       "  ok        there\n"
	       "  hint      works; the line below says what would be better\n"
	       "  missing   gnomon run fails without\n\n"
	       "  --json    print it as JSON\n\n"
	       "Exit status: 0 nothing is missing, 1 something is, 2 usage.\n");
	return EXIT_POWERED_OFF;
}

static bool nothing_missing(const struct finding found[DOCTOR_COUNT])
{
	for (unsigned i = 0; i < DOCTOR_COUNT; i++)
		if (found[i].status == FINDING_MISSING)
			return false;
	return true;
}

static void print_text(const struct finding found[DOCTOR_COUNT])
{
	for (unsigned i = 0; i < DOCTOR_COUNT; i++) {
		const struct doctor_check *c = &doctor_checks[i];
		printf("%-8s %-12s %s (%s)\n", words[found[i].status], c->name, found[i].found, c->use);
		if (*found[i].advice)
			printf("%21s -> %s\n", "", found[i].advice);
	}
	doctor_print_features();
	printf("\n%s\n",
	       nothing_missing(found) ? "Gnomon works here." : "Gnomon does not work here: see what is missing.");
}

static int print_json(const struct finding found[DOCTOR_COUNT])
{
	json_t *checks = json_array(), *all;
	int rc;

	for (unsigned i = 0; i < DOCTOR_COUNT; i++) {
		json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "name", doctor_checks[i].name, "status",
					words[found[i].status], "found", found[i].found, "use", doctor_checks[i].use);
		if (one && *found[i].advice)
			json_object_set_new(one, "advice", json_string(found[i].advice));
		json_array_append_new(checks, one);
	}
	all = json_pack("{s:s, s:b, s:o, s:o}", "version", GNOMON_VERSION, "works", nothing_missing(found), "checks",
			checks, "features", doctor_features_json());
	rc = all ? json_dumpf(all, stdout, JSON_INDENT(2)) : -1;
	json_decref(all);
	puts("");
	return rc && !ferror(stdout) ? -ENOMEM : 0;
}

int command_doctor(int argc, char *const *argv)
{
	struct finding found[DOCTOR_COUNT] = {0};
	bool json = false;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return print_help();
		if (strcmp(argv[i], "--json")) {
			say("doctor: unknown argument '%s' (gnomon doctor --help)", argv[i]);
			return EXIT_USAGE;
		}
		json = true;
	}
	for (unsigned i = 0; i < DOCTOR_COUNT; i++)
		doctor_checks[i].check(&found[i]);
	if (!json) {
		print_text(found);
	} else if (print_json(found)) {
		say("doctor: out of memory");
		return EXIT_FAILED;
	}
	return nothing_missing(found) ? EXIT_POWERED_OFF : EXIT_FAILED;
}
