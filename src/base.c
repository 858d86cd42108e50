/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static _Thread_local struct {
	void (*hook)(void *arg);
	void *arg;
} panic_context;

void panic_set_hook(void (*hook)(void *arg), void *arg)
{
	panic_context.hook = hook;
	panic_context.arg = arg;
}

void panic(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "gnomon: internal error at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (panic_context.hook) {
		void (*hook)(void *) = panic_context.hook;
		panic_context.hook = NULL; /* a panic within the hook must not recurse */
		hook(panic_context.arg);
	}
	abort();
}

void say(const char *fmt, ...)
{
	va_list ap;
	char line[1024];

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "gnomon: %s\n", line);
}

uint64_t host_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}
