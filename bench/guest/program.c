// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows that run Debian's programs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define TEXT	   "/tmp/bench.text"
#define PACKED	   "/tmp/bench.gz"
#define OUTPUT	   "/tmp/bench.out"
#define TEXT_BYTES (1u << 20)
#define WORDS	   2000

void make_text(const char *path, size_t bytes)
{
	uint32_t state = 12345;
	FILE *f = fopen(path, "w");
	size_t at = 0;

	need(f != NULL, path);
	while (at < bytes) {
		/* Words of a vocabulary, rare and frequent ones; each is a number's letters. */
		uint32_t r = next_random(&state), word = (r & 0xffff) * (r >> 16 & 0xff) / 256 % WORDS + 1;
		char text[16];
		int length = 0;

		for (uint32_t x = word * 2654435761u; x && length < (int)(3 + word % 9); x /= 26)
			text[length++] = (char)('a' + x % 26);
		text[length++] = r >> 28 == 0 ? '\n' : ' ';
		fwrite(text, 1, (size_t)length, f);
		at += (size_t)length;
	}
	need(fclose(f) == 0, path);
	need(truncate(path, (off_t)bytes) == 0, path);
}

static int start(const char *const argv[], const char *output)
{
	int status = -1;
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid == 0) {
		int out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		if (out < 0 || dup2(out, 1) < 0)
			_exit(126);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void do_program(uint64_t count, void *arg)
{
	while (count--)
		need(start(arg, OUTPUT) == 0, *(const char **)arg);
}

/* CHECK name sum: FNV-1a of what the program has written. It must not depend on who runs it. */
static void print_check(const char *name)
{
	uint64_t sum = 0xcbf29ce484222325u;
	FILE *f = fopen(OUTPUT, "r");
	int c;

	need(f != NULL, OUTPUT);
	while ((c = getc(f)) != EOF)
		sum = (sum ^ (unsigned)c) * 0x100000001b3u;
	fclose(f);
	printf("CHECK %s %016llx\n", name, (unsigned long long)sum);
}

void measure_program(const char *const argv[])
{
	measure_single(do_program, (void *)argv);
	print_check(argv[0]);
	unlink(OUTPUT);
}

/* A program that takes a file and writes to its standard output. */
static void on_text(const char *const argv[])
{
	make_text(TEXT, TEXT_BYTES);
	measure_program(argv);
	unlink(TEXT);
}

void row_gzip(void)
{
	on_text((const char *const[]){"gzip", "-6cn", TEXT, NULL});
}

void row_gunzip(void)
{
	make_text(TEXT, TEXT_BYTES);
	need(start((const char *const[]){"gzip", "-6cn", TEXT, NULL}, PACKED) == 0, "gzip");
	measure_program((const char *const[]){"gzip", "-dc", PACKED, NULL});
	unlink(TEXT);
	unlink(PACKED);
}

void row_bzip2(void)
{
	on_text((const char *const[]){"bzip2", "-c", TEXT, NULL});
}

void row_sortu(void)
{
	on_text((const char *const[]){"sort", "-u", TEXT, NULL});
}

void row_sha256sum(void)
{
	on_text((const char *const[]){"sha256sum", TEXT, NULL});
}

static const char script[] = "i=0; while [ $i -lt 20 ]; do /bin/true; i=$((i+1)); done\n"
			     "echo a b c d | tr a-z A-Z | cat | wc -c\n"
			     "n=0; i=0; while [ $i -lt 2000 ]; do n=$((n+i*3)); i=$((i+1)); done; echo $n\n";

void row_shell(void)
{
	measure_program((const char *const[]){"/bin/dash", "-c", script, NULL});
}
