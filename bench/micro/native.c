// SPDX-License-Identifier: GPL-2.0-or-later
/* The host itself: those of the kernel's rows that ring 3 can do. */
#include <stdio.h>
#include <sys/mman.h>

#include "micro.h"

void print(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

static void run(body *b, uint32_t n)
{
	b(n);
}

static void print_ticks(const char *what)
{
	print(what);
	print(" ");
	print_number(ticks());
	print("\n");
}

int main(void)
{
	if (mprotect(arena, sizeof(arena), PROT_READ | PROT_WRITE | PROT_EXEC)) {
		print("FAIL no memory for code\n");
		return 1;
	}
	print_ticks("BEGIN");
	measure("callret", run, body_callret, 8);
	measure_translate();
	print_ticks("END");
	return 0;
}
