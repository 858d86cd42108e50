/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes from outside: disk images with broken headers, command lines, what clients of the control socket send, and
 * debuggers. A refusal is one line, and nothing crashes.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/image.h"
#include "fuzz.h"
#include "monitor/gdb_address.h"
#include "monitor/gdb_packet.h"
#include "monitor/options.h"
#include "monitor/qmp.h"

static bool one_line(const char *err, size_t len, bool refused)
{
	const char *end = memchr(err, 0, len);

	if (end && (!refused || (end != err && !strchr(err, '\n'))))
		return true;
	fprintf(stderr, "not one line: '%.*s'\n", (int)len, err);
	return false;
}

/* --- images --- */

static void put_sector(struct rng *r, int fd, uint64_t at, const char *magic)
{
	uint8_t sector[2048];

	rng_bytes(r, sector, sizeof(sector));
	if (rng_percent(r, 80)) {
		sector[0] = (uint8_t)(rng_percent(r, 70) ? 1 : rng_u32(r));
		memcpy(sector + 1, magic, 6);
	}
	if (rng_percent(r, 70)) /* block size, both byte orders; number of blocks */
		memcpy(sector + 128, "\0\10\10", 4);
	if (rng_percent(r, 50))
		store_le(sector + 80, 4, rng_u32(r) >> rng_below(r, 32));
	if (pwrite(fd, sector, 1 + rng_below(r, sizeof(sector)), (off_t)at) < 0)
		perror("pwrite");
}

static bool use_image(struct rng *r, struct image *im)
{
	uint8_t buf[70000];

	for (unsigned i = 0; i < 20; i++) {
		uint64_t at = rng_percent(r, 70) ? rng_below(r, (uint32_t)MIN(im->size + 4096, (uint64_t)UINT32_MAX))
						 : rng_u64(r);
		size_t len = rng_percent(r, 80) ? rng_below(r, 5000) : rng_below(r, sizeof(buf));
		switch (rng_below(r, 6)) {
		case 0:
			image_write(im, at, buf, len);
			break;
		case 1:
			image_zero(im, at, rng_percent(r, 90) ? len : rng_u64(r), rng_percent(r, 50));
			break;
		case 2:
			image_discard(im, at, rng_percent(r, 90) ? len : rng_u64(r));
			break;
		case 3:
			image_flush(im);
			break;
		default:
			image_read(im, at, buf, len);
		}
	}
	return true;
}

static bool run_image(struct rng *r)
{
	static const unsigned flags[] = {0,
					 IMAGE_READONLY,
					 IMAGE_SNAPSHOT,
					 IMAGE_CDROM,
					 IMAGE_CDROM,
					 IMAGE_CDROM | IMAGE_READONLY,
					 IMAGE_FLOPPY,
					 IMAGE_FLOPPY | IMAGE_SNAPSHOT};
	uint64_t size = rng_percent(r, 40) ? rng_below(r, 80000) : (uint64_t)rng_below(r, 2000) * 512;
	int fd = memfd_create("image", 0);
	char path[64], err[200];
	struct image im;
	bool ok = true;
	int rc;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return true;
	for (unsigned n = rng_below(r, 4); n; n--)
		put_sector(r, fd, rng_percent(r, 70) ? 16 * 2048 + 2048 * rng_below(r, 3) : rng_below(r, 70000),
			   rng_percent(r, 80) ? "CD001\1" : "NSR02\1");
	if (rng_percent(r, 30) && ftruncate(fd, (off_t)rng_below(r, (uint32_t)size + 1)) < 0)
		perror("ftruncate");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(err, 'x', sizeof(err));
	rc = image_open(&im, path, RNG_PICK(r, flags), err, sizeof(err));
	if (rc)
		ok = one_line(err, sizeof(err), true);
	else {
		/* It may shrink under us. */
		if (rng_percent(r, 20) && ftruncate(fd, (off_t)rng_below(r, (uint32_t)size + 1)) < 0)
			perror("ftruncate");
		ok = use_image(r, &im);
		image_close(&im);
	}
	close(fd);
	return ok;
}

/* --- command lines --- */

static void random_word(struct rng *r, char *word, size_t size)
{
	static const char *const pieces[] = {
	    "--",      "memory",     "cdrom",	"floppy",   "disk",	 "boot",     "bios",
	    "serial",  "control",    "display", "gdb",	    ",wait",	 "tcp:",     "[::1]:1",
	    "engine",  "lockstep",   "trace",	"stats",    "timeout",	 "debugcon", "kernel",
	    "initrd",  "append",     "console", "rng",	    "count",	 "audit",    "help",
	    "version", "trace-file", "stdio",	"file:",    "unix:",	 "none",     "tty",
	    "bt",      "step",	     "256M",	"1T",	    "0",	 "-1",	     "99999999999999999999",
	    "0x402",   ":",	     ",",	"snapshot", "if=virtio", "=",	     "dca",
	    "all",     "io",	     "5",	"0.25",	    "1e400",	 "/tmp/x",   "on",
	    "off",     "%s%n",	     "\xff",	""};
	size_t n = 0;

	*word = 0;
	for (unsigned i = rng_below(r, 5) + 1; i; i--) {
		if (rng_percent(r, 15)) {
			if (n + 2 < size) {
				word[n++] = (char)(1 + rng_below(r, 255));
				word[n] = 0;
			}
			continue;
		}
		n += (size_t)snprintf(word + n, size - n, "%s", RNG_PICK(r, pieces));
		n = MIN(n, size - 1);
	}
	if (rng_percent(r, 2)) {
		memset(word, 'A', size - 1);
		word[size - 1] = 0;
	}
}

static bool run_options(struct rng *r)
{
	bool ok = true;

	for (unsigned round = 0; round < 100 && ok; round++) {
		char words[12][2000], *argv[13], err[300];
		int argc = (int)rng_below(r, 12);
		struct vm_config cfg;
		enum options_result result;
		for (int i = 0; i < argc; i++) {
			random_word(r, words[i], sizeof(words[i]));
			argv[i] = words[i];
		}
		argv[argc] = NULL;
		memset(err, 'x', sizeof(err));
		config_init(&cfg);
		result = options_parse(&cfg, argc, argv, err, sizeof(err));
		if (result == OPTIONS_WRONG)
			ok = memchr(err, 0, sizeof(err)) != NULL && *err;
		if (result == OPTIONS_OK)
			ok = cfg.memory >= CONFIG_MEMORY_MIN && cfg.memory <= CONFIG_MEMORY_MAX &&
			     !(cfg.memory % PAGE_SIZE) && cfg.ndisks <= CONFIG_MAX_DISKS && *cfg.boot;
		if (!ok)
			fprintf(stderr, "result %d, '%.300s'\n", result, err);
		config_destroy(&cfg);
	}
	return ok;
}

/* --- the debugger's line --- */

/* What a handler would do with a packet: take it apart from some place on, and never look behind its end. */
static bool take_apart(struct rng *r, const struct gdb_parser *p)
{
	size_t at = rng_below(r, (uint32_t)p->len + 1);
	char *copy = malloc(p->len + 1); /* exactly as long, for the sanitizers */
	const char *s = copy + at;
	uint8_t bytes[64];
	uint64_t n, len;
	long plain;

	memcpy(copy, p->data, p->len + 1);
	while (s < copy + p->len &&
	       (gdb_take_range(&s, &n, &len) || gdb_take_hex(&s, bytes, 1 + rng_below(r, sizeof(bytes))) ||
		gdb_take(&s, ":") || gdb_take(&s, ";")))
		;
	at = (size_t)(s - copy);
	plain = gdb_unescape(copy, p->len);
	free(copy);
	return at <= p->len && plain <= (long)p->len;
}

static bool run_gdb(struct rng *r)
{
	static const char bytes[] = "$$##}}*,;:=0123456789abcdefgGmMXZz\x03+-";
	struct gdb_parser *p = calloc(1, sizeof(*p));
	struct gdb_packet *reply = malloc(sizeof(*reply));
	struct gdb_config cfg;
	char text[64], err[200];
	bool ok = true;

	gdb_parser_init(p);
	for (unsigned n = rng_below(r, 60000); n && ok; n--) {
		bool known = rng_percent(r, 90);
		uint8_t byte = known ? (uint8_t)bytes[rng_below(r, sizeof(bytes))] : (uint8_t)rng_u32(r);
		if (rng_percent(r, 1) && p->state) { /* a right checksum, now and then */
			gdb_parser_feed(p, '#');
			snprintf(text, sizeof(text), "%02x", p->sum);
			gdb_parser_feed(p, (uint8_t)text[0]);
			byte = (uint8_t)text[1];
		}
		if (gdb_parser_feed(p, byte) == GDB_IN_PACKET)
			ok = p->len <= GDB_PACKET_MAX && !p->data[p->len] && take_apart(r, p);
	}
	gdb_begin(reply);
	for (unsigned n = rng_below(r, 40); n; n--) {
		gdb_binary(reply, p->data, rng_below(r, GDB_PACKET_MAX));
		gdb_hex(reply, p->data, rng_below(r, GDB_PACKET_MAX / 8));
	}
	gdb_end(reply);
	ok = ok && reply->len <= sizeof(reply->data);
	for (unsigned n = 0; n < 50 && ok; n++) {
		random_word(r, text, sizeof(text));
		memset(err, 'x', sizeof(err));
		if (gdb_address_parse(text, &cfg, err, sizeof(err)) == 0)
			ok = !cfg.path != !cfg.host;
		else
			ok = memchr(err, 0, sizeof(err)) && *err;
		free(cfg.path);
		free(cfg.host);
	}
	free(reply);
	free(p);
	return ok;
}

/* --- the control socket --- */

static enum vm_status fake_status(void *arg)
{
	return VM_RUNNING;
}

static int fake_command(void *arg)
{
	return 0;
}

static int fake_screendump(void *arg, const char *path, const char *format, char *err, size_t errlen)
{
	snprintf(err, errlen, "no screen for '%s' as %s", path, format);
	return -EIO;
}

static int fake_key(void *arg, enum key key, bool down)
{
	return 0;
}

static int fake_pointer(void *arg, const struct vm_pointer *p)
{
	return p->absolute ? -ENOTSUP : 0;
}

static char *fake_text(void *arg)
{
	return strdup("text\n");
}

static struct json_t *fake_profile(void *arg)
{
	return NULL;
}

static int fake_memory(void *arg, struct memory_use *out)
{
	*out = (struct memory_use){0};
	return 0;
}

static int fake_stats(void *arg, struct stats *out)
{
	memset(out, 0, sizeof(*out));
	return 0;
}

static size_t random_command(struct rng *r, char *out, size_t size)
{
	static const char *const commands[] = {
	    "qmp_capabilities", "query-status",	 "stop",     "cont",	   "system_reset",
	    "system_powerdown", "system_wakeup", "quit",     "screendump", "send-key",
	    "input-send-event", "x-text",	 "x-stats",  "x-memory",   "x-profile",
	    "query-commands",	"query-version", "nonsense", "",	   "a\\u0000b",
	    "\\ud800"};
	static const char *const arguments[] = {
	    "",
	    ",\"arguments\":{}",
	    ",\"arguments\":{\"keys\":[{\"type\":\"qcode\",\"data\":\"ret\"}]}",
	    ",\"arguments\":{\"keys\":[{\"type\":\"number\",\"data\":99999999999}]}",
	    ",\"arguments\":{\"filename\":\"/x\",\"format\":\"ppm\"}",
	    ",\"arguments\":{\"filename\":7}",
	    ",\"arguments\":[]",
	    ",\"arguments\":null",
	    ",\"id\":[1,{\"a\":null}]",
	    (",\"arguments\":{\"events\":[{\"type\":\"btn\",\"data\":{\"button\":\"left\",\"down\":true}},{\"type\":"
	     "\"rel\",\"data\":{\"axis\":\"x\",\"value\":-99999999999}}]}"),
	    ",\"arguments\":{\"events\":[{\"type\":\"abs\",\"data\":{\"axis\":\"y\",\"value\":1e300}}]}",
	    ",\"arguments\":{\"events\":[{\"type\":\"key\",\"data\":{\"down\":1}}]}",
	    ",\"arguments\":{\"keys\":[],\"hold-time\":-5}",
	    ",\"exec-oob\":1"};
	static const char syntax[] = "{}[]:,\"\\ \n\t0123456789-+.eEtrufalsn\x01\x80\xff";
	int n;

	if (rng_percent(r, 25)) { /* noise, sometimes deep */
		size_t len = rng_below(r, 3000);
		char one = rng_percent(r, 20) ? '[' : 0;
		for (size_t i = 0; i < len; i++)
			out[i] = one ? one : syntax[rng_below(r, sizeof(syntax))];
		return len;
	}
	n = snprintf(out, size, "{\"execute\":\"%s\"%s}\n", RNG_PICK(r, commands), RNG_PICK(r, arguments));
	if (rng_percent(r, 20)) /* cut or damaged */
		n = (int)rng_below(r, (uint32_t)n + 1);
	else if (rng_percent(r, 20))
		out[rng_below(r, (uint32_t)n)] = (char)rng_u32(r);
	return (size_t)n;
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval soon = {.tv_usec = 300000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void talk(struct rng *r, const char *path)
{
	static const char hello[] = "{\"execute\":\"qmp_capabilities\"}\n";
	int fd = connect_to(path);
	char buf[4096];

	if (fd < 0)
		return;
	if (rng_percent(r, 80) && send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL) < 0)
		perror("send");
	for (unsigned n = rng_below(r, 30); n; n--) {
		size_t len = random_command(r, buf, sizeof(buf));
		if (len && send(fd, buf, len, MSG_NOSIGNAL) < 0)
			break;
		if (rng_percent(r, 40))
			recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	}
	close(fd);
}

/* An honest client is still served. */
static bool served(const char *path)
{
	static const char text[] = "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\"}\n";
	char buf[8192] = "";
	size_t n = 0;
	ssize_t got;
	int fd = connect_to(path);

	if (fd < 0 || send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) < 0)
		return false;
	for (unsigned tries = 0; tries < 20 && !strstr(buf, "\"running\"") && n < sizeof(buf) - 1; tries++) {
		got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);
		n += got > 0 ? (size_t)got : 0;
		buf[n] = 0;
	}
	close(fd);
	if (strstr(buf, "\"running\""))
		return true;
	fprintf(stderr, "an honest client got '%s'\n", buf);
	return false;
}

static bool run_qmp(struct rng *r)
{
	static const struct vm_control_ops ops = {
	    NULL,	  fake_status,	fake_command, fake_command,    fake_command,
	    fake_command, fake_command, fake_command, fake_screendump, fake_key,
	    fake_pointer, fake_text,	fake_stats,   fake_memory,     fake_profile};
	struct iothread io;
	char path[64], err[300];
	struct qmp *qmp;
	bool ok;

	snprintf(path, sizeof(path), "/tmp/gnomon-fuzz-%d.sock", getpid());
	unlink(path);
	if (iothread_init(&io))
		return false;
	qmp = qmp_open(&io, &ops, path, err, sizeof(err));
	if (!qmp || iothread_start(&io)) {
		fprintf(stderr, "no control socket: %s\n", err);
		return false;
	}
	for (unsigned n = 1 + rng_below(r, 4); n; n--)
		talk(r, path);
	ok = served(path);
	iothread_stop(&io);
	qmp_close(qmp);
	iothread_destroy(&io);
	return ok;
}

static bool run_case(uint64_t seed, const char *variant)
{
	struct rng r = rng_seeded(seed);

	if (!strcmp(variant, "image"))
		return run_image(&r);
	if (!strcmp(variant, "gdb"))
		return run_gdb(&r);
	return !strcmp(variant, "options") ? run_options(&r) : run_qmp(&r);
}

int main(int argc, char **argv)
{
	static const char *const variants[] = {"image", "options", "gdb", "qmp", NULL};

	return fuzz_main(
	    argc, argv,
	    &(struct fuzzer){.name = "fuzz_input", .variants = variants, .run = run_case, .case_seconds = 30});
}
