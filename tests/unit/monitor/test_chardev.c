/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/chardev.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96];
static char err[256];

static void setup(void)
{
	strcpy(dir, "/tmp/gnomon-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/it", dir);
}

static void teardown(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* A guest that takes at most `room` bytes at a time. */
struct guest {
	pthread_mutex_t lock;
	char got[4096];
	size_t len, room;
	unsigned calls;
};

static size_t take(void *arg, const uint8_t *buf, size_t len)
{
	struct guest *g = arg;

	pthread_mutex_lock(&g->lock);
	len = MIN(len, g->room);
	memcpy(g->got + g->len, buf, len);
	g->len += len;
	g->calls++;
	pthread_mutex_unlock(&g->lock);
	return len;
}

static size_t guest_len(struct guest *g)
{
	pthread_mutex_lock(&g->lock);
	size_t len = g->len;
	pthread_mutex_unlock(&g->lock);
	return len;
}

static void start(struct iothread *io, struct chardev *cd, enum chardev_kind kind, struct guest *g)
{
	struct chardev_config cfg = {.kind = kind, .path = path};
	struct chardev_user user = {.input = take, .arg = g};

	ck_assert_int_eq(iothread_init(io), 0);
	ck_assert_msg(!chardev_open(cd, io, &cfg, g ? &user : NULL, err, sizeof(err)), "%s", err);
	ck_assert_int_eq(iothread_start(io), 0);
}

static void finish(struct iothread *io, struct chardev *cd)
{
	iothread_stop(io);
	chardev_close(cd);
	iothread_destroy(io);
}

/* Until the I/O thread has noticed that the client came or went. */
static void wait_connected(struct chardev *cd, bool connected)
{
	bool now = !connected;

	for (unsigned i = 0; i < 500 && now != connected; i++) {
		usleep(10000);
		pthread_mutex_lock(&cd->lock);
		now = cd->connected;
		pthread_mutex_unlock(&cd->lock);
	}
	ck_assert(now == connected);
}

static size_t read_until(int fd, char *buf, size_t want)
{
	size_t len = 0;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	while (len < want && poll(&pfd, 1, 2000) == 1) {
		ssize_t n = read(fd, buf + len, want - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return len;
}

START_TEST(file_is_truncated_and_complete)
{
	struct iothread io;
	struct chardev cd;
	FILE *f = fopen(path, "w");
	char *back = malloc(300000);
	size_t len;

	fputs("old contents that are longer than nothing", f);
	fclose(f);
	start(&io, &cd, CHARDEV_FILE, NULL);
	for (unsigned i = 0; i < 200000; i++)
		chardev_write(&cd, &(uint8_t){(uint8_t)(i * 7 >> 3)}, 1);
	finish(&io, &cd);
	ck_assert_uint_eq(cd.dropped, 0);
	f = fopen(path, "r");
	len = fread(back, 1, 300000, f);
	fclose(f);
	ck_assert_uint_eq(len, 200000);
	for (unsigned i = 0; i < len; i++)
		ck_assert_uint_eq((uint8_t)back[i], (uint8_t)(i * 7 >> 3));
	free(back);
}
END_TEST

START_TEST(file_errors_are_told)
{
	struct iothread io;
	struct chardev cd;
	char missing[128];
	struct chardev_config cfg = {.kind = CHARDEV_FILE, .path = missing};

	snprintf(missing, sizeof(missing), "%s/no/file", dir);
	ck_assert_int_eq(iothread_init(&io), 0);
	ck_assert_int_eq(chardev_open(&cd, &io, &cfg, NULL, err, sizeof(err)), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err, missing));
	cfg.path = dir;
	ck_assert_int_eq(chardev_open(&cd, &io, &cfg, NULL, err, sizeof(err)), -EISDIR);
	chardev_close(&cd); /* allowed, and nothing */
	iothread_destroy(&io);
}
END_TEST

START_TEST(a_full_device_is_survived)
{
	struct iothread io;
	struct chardev cd;
	struct chardev_config cfg = {.kind = CHARDEV_FILE, .path = "/dev/full"};
	uint8_t block[1000] = {0};

	ck_assert_int_eq(iothread_init(&io), 0);
	ck_assert_int_eq(chardev_open(&cd, &io, &cfg, NULL, err, sizeof(err)), 0);
	ck_assert_int_eq(iothread_start(&io), 0);
	for (unsigned i = 0; i < 500; i++)
		chardev_write(&cd, block, sizeof(block));
	finish(&io, &cd);
}
END_TEST

START_TEST(socket_both_ways)
{
	struct iothread io;
	struct chardev cd;
	struct guest g = {.lock = PTHREAD_MUTEX_INITIALIZER, .room = 3};
	struct stat st;
	char buf[64];
	int fd;

	start(&io, &cd, CHARDEV_UNIX, &g);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	chardev_write(&cd, (const uint8_t *)"early ", 6);
	fd = socket_connect(path, err, sizeof(err));
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(read_until(fd, buf, 6), 6);
	chardev_write(&cd, (const uint8_t *)"late", 4);
	ck_assert_uint_eq(read_until(fd, buf + 6, 4), 4);
	ck_assert_mem_eq(buf, "early late", 10);
	ck_assert_int_eq(write(fd, "hello, guest", 12), 12);
	for (unsigned i = 0; i < 200 && guest_len(&g) < 12; i++)
		usleep(10000);
	ck_assert_uint_eq(guest_len(&g), 12);
	ck_assert_mem_eq(g.got, "hello, guest", 12);
	close(fd);
	/* the next client finds it again, and gets what was written meanwhile */
	wait_connected(&cd, false);
	chardev_write(&cd, (const uint8_t *)"second", 6);
	fd = socket_connect(path, err, sizeof(err));
	ck_assert_uint_eq(read_until(fd, buf, 6), 6);
	ck_assert_mem_eq(buf, "second", 6);
	finish(&io, &cd);
	close(fd);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* Nobody reads: the writer gets on within its patience, and later the reader finds the first bytes, not a torn middle.
 */
START_TEST(a_stalled_reader_does_not_hold_the_guest)
{
	struct iothread io;
	struct chardev cd;
	uint8_t block[4096];
	uint64_t before;
	char first[8];
	int fd;

	memset(block, 'x', sizeof(block));
	memcpy(block, "begin...", 8);
	start(&io, &cd, CHARDEV_UNIX, NULL);
	fd = socket_connect(path, err, sizeof(err));
	wait_connected(&cd, true);
	before = host_now_ns();
	for (unsigned i = 0; i < 1000; i++)
		chardev_write(&cd, block, sizeof(block));
	ck_assert_uint_lt(host_now_ns() - before, 5 * NS_PER_SEC);
	ck_assert_uint_eq(read_until(fd, first, 8), 8);
	ck_assert_mem_eq(first, "begin...", 8);
	finish(&io, &cd);
	ck_assert_uint_gt(cd.dropped, 1000000);
	close(fd);
}
END_TEST

START_TEST(without_a_client_the_latest_bytes_stay)
{
	struct iothread io;
	struct chardev cd;
	char *buf = malloc(CHARDEV_RING);
	int fd;

	start(&io, &cd, CHARDEV_UNIX, NULL);
	for (uint32_t i = 0; i < 100000; i++)
		chardev_write(&cd, (const uint8_t *)&i, sizeof(i));
	fd = socket_connect(path, err, sizeof(err));
	ck_assert_uint_eq(read_until(fd, buf, CHARDEV_RING), CHARDEV_RING);
	for (uint32_t i = 0; i < CHARDEV_RING / 4; i++)
		ck_assert_uint_eq(load_le(buf + 4 * i, 4), 100000 - CHARDEV_RING / 4 + i);
	finish(&io, &cd);
	close(fd);
	free(buf);
}
END_TEST

START_TEST(socket_paths)
{
	struct listener a, b;
	int fd;

	ck_assert_int_eq(listener_open(&a, path, err, sizeof(err)), 0);
	ck_assert_int_eq(listener_open(&b, path, err, sizeof(err)), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err, "in use"));
	unlink(path); /* somebody takes the path over: it is not ours to remove any more */
	ck_assert_int_eq(listener_open(&b, path, err, sizeof(err)), 0);
	listener_close(&a);
	ck_assert_int_eq(access(path, F_OK), 0);
	close(b.fd); /* as after a crash: the file stays */
	ck_assert_int_lt(socket_connect(path, err, sizeof(err)), 0);
	ck_assert_int_eq(listener_open(&b, path, err, sizeof(err)), 0);
	listener_close(&b);
	ck_assert_int_ne(access(path, F_OK), 0);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ck_assert_int_eq(listener_open(&b, path, err, sizeof(err)), -EEXIST);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(escapes)
{
	static const struct {
		const char *in;
		enum escape_action last;
		uint8_t byte;
	} cases[] = {
	    {"q", ESCAPE_PASS, 'q'},   {"\1", ESCAPE_NONE, 1},	   {"\1x", ESCAPE_QUIT, 'x'},
	    {"\1a", ESCAPE_PASS, 1},   {"\1\1", ESCAPE_PASS, 1},   {"\1h", ESCAPE_HELP, 'h'},
	    {"\1z", ESCAPE_NONE, 'z'}, {"\1zx", ESCAPE_PASS, 'x'}, {"\1\1x", ESCAPE_PASS, 'x'},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct escape e = {0};
		enum escape_action action = ESCAPE_NONE;
		uint8_t byte = 0;
		for (const char *p = cases[i].in; *p; p++) {
			byte = (uint8_t)*p;
			action = escape_feed(&e, &byte);
		}
		ck_assert_int_eq(action, cases[i].last);
		ck_assert_uint_eq(byte, cases[i].byte);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chardev");
	TCase *tc = tcase_create("chardev");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, file_is_truncated_and_complete);
	tcase_add_test(tc, file_errors_are_told);
	tcase_add_test(tc, a_full_device_is_survived);
	tcase_add_test(tc, socket_both_ways);
	tcase_add_test(tc, a_stalled_reader_does_not_hold_the_guest);
	tcase_add_test(tc, without_a_client_the_latest_bytes_stay);
	tcase_add_test(tc, socket_paths);
	tcase_add_test(tc, escapes);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
