// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's first process, and its like on the host: takes names of rows from its standard input and runs them.
 * Lines that it prints: USERLAND, once; BEGIN row ns; what the row prints; END row ns status. Times are its own clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "bench.h"

#define TERMINAL	 "/dev/ttyS0"
#define KLOG_CONSOLE_OFF 6

static void set_up_terminal(void)
{
	struct termios t;
	int fd = open(TERMINAL, O_RDWR | O_NOCTTY);

	if (fd < 0 || tcgetattr(fd, &t))
		return;
	cfmakeraw(&t);
	tcsetattr(fd, TCSANOW, &t);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

/* mount() again of what is mounted already fails, which is as good. */
static void set_up_guest(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/tmp", 0777);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	set_up_terminal();
	(void)!write(1, "\nUSERLAND\n", 10);
	mount("proc", "/proc", "proc", 0, NULL);
	klogctl(KLOG_CONSOLE_OFF, NULL, 0);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	own_path = "/bench";
}

static void run(const char *name)
{
	int status = 0;
	pid_t pid;

	printf("BEGIN %s %llu\n", name, (unsigned long long)now_ns());
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(run_row(name) ? 0 : 2);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	printf("END %s %llu %d\n", name, (unsigned long long)now_ns(), status);
	fflush(stdout);
}

int agent(int argc, char **argv)
{
	char line[128];
	bool guest = getpid() == 1;

	if (guest) {
		set_up_guest();
	} else {
		printf("USERLAND\n");
		fflush(stdout);
	}
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = 0;
		if (!strcmp(line, "quit"))
			break;
		if (sscanf(line, "time %u", &bench_time_ms) == 1)
			continue;
		if (line[0])
			run(line);
	}
	if (guest) {
		sync();
		reboot(RB_POWER_OFF);
	}
	return 0;
}
