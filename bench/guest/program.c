// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows that run Debian's programs. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define TEXT   "/tmp/bench.text"
#define PACKED "/tmp/bench.gz"
#define OUTPUT "/tmp/bench.out"
#define WORDS  2000
#define MiB    (1u << 20)
#define KiB    (1u << 10)

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
static void on_text(size_t bytes, const char *const argv[])
{
	make_text(TEXT, bytes);
	measure_program(argv);
	unlink(TEXT);
}

void row_gzip(void)
{
	on_text(3 * MiB, (const char *const[]){"gzip", "-6cn", TEXT, NULL});
}

static void append(const char *to, const char *from)
{
	char buffer[64 * KiB];
	FILE *out = fopen(to, "a"), *in = fopen(from, "r");
	size_t n;

	need(out && in, to);
	while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0)
		fwrite(buffer, 1, n, out);
	fclose(in);
	need(fclose(out) == 0, to);
}

/* Several members behind each other are a file for gzip, too, and take less time to make. */
static void gunzip(size_t bytes, unsigned members)
{
	make_text(TEXT, bytes);
	need(start((const char *const[]){"gzip", "-6cn", TEXT, NULL}, OUTPUT) == 0, "gzip");
	unlink(PACKED);
	while (members--)
		append(PACKED, OUTPUT);
	measure_program((const char *const[]){"gzip", "-dc", PACKED, NULL});
	unlink(TEXT);
	unlink(PACKED);
}

void row_gunzip(void)
{
	gunzip(MiB, 12);
}

void row_bzip2(void)
{
	on_text(2 * MiB, (const char *const[]){"bzip2", "-c", TEXT, NULL});
}

void row_7z(void)
{
	on_text(2 * MiB, (const char *const[]){"7zz", "a", "-an", "-so", "-txz", "-mx=1", "-mmt=1", TEXT, NULL});
}

void row_sortu(void)
{
	on_text(12 * MiB, (const char *const[]){"sort", "-u", TEXT, NULL});
}

void row_sha256sum(void)
{
	on_text(16 * MiB, (const char *const[]){"sha256sum", TEXT, NULL});
}

static const char queries[] =
    "create table t(a integer primary key, b, c text);"
    "insert into t with recursive n(i) as (select 1 union all select i+1 from n where i<30000)"
    " select i, i*7919%10007, printf('%08x', i*2654435761) from n;"
    "create index x on t(b);"
    "select count(*), sum(a), max(c) from t where b between 100 and 900;"
    "select b%10 as k, count(*), max(length(c)) from t group by k order by k desc;"
    "select count(*) from t a join t b on a.b=b.a where a.a < 15000;";

void row_sqlite(void)
{
	measure_program((const char *const[]){"sqlite3", ":memory:", queries, NULL});
}

static const char lua[] = "local t={} for i=1,80000 do t[i]=(i*7919)%100003 end table.sort(t)"
			  "local s={} for i=1,15000 do s[#s+1]=('%x'):format(i):rep(2) end "
			  "local c,n,f=table.concat(s),0,0.0 for w in c:gmatch('a+') do n=n+#w end "
			  "for i=1,300000 do f=f+math.sin(i)/i end print(t[1000],#c,n,('%.9f'):format(f))";

void row_lua(void)
{
	measure_program((const char *const[]){"lua5.4", "-e", lua, NULL});
}

/* The library picks code by what CPUID shows, which differs between the host and each guest: SSE2 for all. */
static void plain_openssl(void)
{
	setenv("OPENSSL_ia32cap", "0x07008010:0", 1);
}

/* 2^1279 - 1 is prime, so that all rounds are done: modular exponentiation, as in RSA. */
void row_openssl(void)
{
	char number[1279 / 4 + 2] = "7";

	memset(number + 1, 'F', sizeof(number) - 2);
	plain_openssl();
	measure_program((const char *const[]){"openssl", "prime", "-hex", number, NULL});
}

void row_aes(void)
{
	plain_openssl();
	on_text(8 * MiB,
		(const char *const[]){"openssl", "enc", "-aes-128-cbc", "-K", "00112233445566778899aabbccddeeff", "-iv",
				      "000102030405060708090a0b0c0d0e0f", "-in", TEXT, NULL});
}

/* --- over in some ms: what starting and linking a program costs --- */

void row_short_gunzip(void)
{
	gunzip(64 * KiB, 1);
}

void row_short_sort(void)
{
	on_text(64 * KiB, (const char *const[]){"sort", "-u", TEXT, NULL});
}

void row_short_lua(void)
{
	measure_program((const char *const[]){"lua5.4", "-e", "print(6*7)", NULL});
}

void row_short_sqlite(void)
{
	measure_program((const char *const[]){"sqlite3", ":memory:", "select 6*7;", NULL});
}

void row_short_openssl(void)
{
	measure_program((const char *const[]){"openssl", "version", NULL});
}

static const char script[] = "i=0; while [ $i -lt 20 ]; do /bin/true; i=$((i+1)); done\n"
			     "echo a b c d | tr a-z A-Z | cat | wc -c\n"
			     "n=0; i=0; while [ $i -lt 2000 ]; do n=$((n+i*3)); i=$((i+1)); done; echo $n\n";

void row_shell(void)
{
	measure_program((const char *const[]){"/bin/dash", "-c", script, NULL});
}
