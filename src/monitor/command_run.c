/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `gnomon run`: from the command line to vm_main(). */
#include "commands.h"
#include "options.h"
#include "vm.h"

#include <stdio.h>

static void print_help(void)
{
	printf("Usage: gnomon run [OPTIONS]\n\n"
	       "Runs a virtual PC until the guest powers it off.\n\n"
	       "Options:\n");
	options_print_help(stdout);
	printf("\nKeys on the terminal: Ctrl-A x quits, Ctrl-A Ctrl-A sends a Ctrl-A, Ctrl-A h shows the others.\n"
	       "Exit status: 0 powered off or ended by the user, 124 time is up (--timeout), 1 failure, 2 usage;\n"
	       "with --debug-exit what the guest has written there.\n");
}

int command_run(int argc, char *const *argv)
{
	struct vm_config cfg;
	char err[512];
	int status;

	config_init(&cfg);
	switch (options_parse(&cfg, argc, argv, err, sizeof(err))) {
	case OPTIONS_OK:
		status = vm_main(&cfg, NULL);
		break;
	case OPTIONS_HELP:
		print_help();
		status = EXIT_POWERED_OFF;
		break;
	case OPTIONS_OPT_HELP:
		options_print_opts(stdout);
		status = EXIT_POWERED_OFF;
		break;
	case OPTIONS_VERSION:
		printf("gnomon %s\n", GNOMON_VERSION);
		status = EXIT_POWERED_OFF;
		break;
	default:
		say("%s", err);
		status = EXIT_USAGE;
		break;
	}
	config_destroy(&cfg);
	return status;
}
