/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base.h"
#include "commands.h"
#include "options.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command {
	const char *name;
	const char *help;
	int (*main)(int argc, char *const *argv);
} commands[] = {
    {"run", "run a virtual PC (gnomon run --help)", command_run},
    {"test", "run test kernels, each in a VM of its own (gnomon test --help)", command_test},
    {"report", "show a profile that --profile has taken (gnomon report --help)", command_report},
    {"top", "watch what a running one does (gnomon top --help)", command_top},
    {"ctl", "control a running one through its socket (gnomon ctl --help)", command_ctl},
    {"doctor", "what this host offers, and what would help (gnomon doctor --help)", command_doctor},
};

static int print_help(void)
{
	printf("Gnomon runs unmodified x86 operating systems without virtualization hardware.\n\n"
	       "Usage: gnomon COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-10s%s\n", commands[i].name, commands[i].help);
	printf("  %-10s%s\n  %-10s%s\n\nFor example: gnomon run --cdrom image.iso\n", "--help", "show this",
	       "--version", "show the version");
	return EXIT_POWERED_OFF;
}

/* Descriptors 0 to 2 must never become a guest's disk, with messages written over it. */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* What was printed may not have arrived: then nothing has gone well. */
static int flushed(int status)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	say("cannot write to standard output%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
	return status ? status : EXIT_FAILED;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

static int unknown(const char *word)
{
	const char *dot = strrchr(word, '.');

	if (dot && !strcasecmp(dot, ".iso"))
		say("unknown command '%s' (gnomon run --cdrom %s?)", word, word);
	else if (*word == '-')
		say("unknown option '%s' (gnomon run %s? gnomon --help)", word, word);
	else
		say("unknown command '%s' (gnomon --help)", word);
	return EXIT_USAGE;
}

/* `gnomon help COMMAND` */
static int help_with(const char *name)
{
	char *const argv[] = {"--help", NULL};
	const struct command *c = find(name);

	return c ? c->main(1, argv) : unknown(name);
}

static int run_command(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "help";
	const struct command *c = find(word);

	if (c)
		return c->main(argc - 2, argv + 2);
	if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))
		return argc > 2 ? help_with(argv[2]) : print_help();
	if (!strcmp(word, "--version") || !strcmp(word, "version")) {
		printf("gnomon %s\n", GNOMON_VERSION);
		return EXIT_POWERED_OFF;
	}
	return unknown(word);
}

int main(int argc, char **argv)
{
	open_standard_streams();
	signal(SIGXFSZ, SIG_IGN); /* a file as large as `ulimit -f` allows is an error of write(), as a full disk is */
	return flushed(run_command(argc, argv));
}
