/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One test's process: `gnomon run`, but that it tells how the VM ended. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../options.h"
#include "suite.h"

static int run(const struct strings *args, struct vm_end *end)
{
	struct vm_config cfg;
	char err[512];
	int status;

	config_init(&cfg);
	if (options_parse(&cfg, (int)args->n, args->v, err, sizeof(err)) == OPTIONS_OK) {
		status = vm_main(&cfg, end);
	} else {
		say("%s", err);
		status = EXIT_USAGE;
	}
	config_destroy(&cfg);
	return status;
}

void suite_child(const struct strings *args, int out, int err, int end_fd)
{
	struct vm_end end = {.reason = VM_END_FAILED};
	/* Not the terminal: the VM would take it, Ctrl-C and all. */
	int status = EXIT_FAILED, in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (in >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
		status = run(args, &end);
	if (write(end_fd, &end, sizeof(end)) != sizeof(end))
		status = EXIT_FAILED;
	_exit(status);
}
