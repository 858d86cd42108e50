/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/image.h"

static char dir[64], path[128];
static struct image im;
static char err[256];

static void setup(void)
{
	strcpy(dir, "/tmp/gnomon-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/image", dir);
	memset(err, 0, sizeof(err));
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static void make(uint64_t size)
{
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void put(uint64_t offset, const void *data, size_t len)
{
	int fd = open(path, O_RDWR);

	ck_assert_int_eq(pwrite(fd, data, len, (off_t)offset), (int)len);
	close(fd);
}

/* A volume descriptor that announces `blocks`. */
static void put_pvd(uint32_t blocks)
{
	uint8_t pvd[2048] = {1, 'C', 'D', '0', '0', '1', 1};

	store_le(pvd + 80, 4, blocks);
	store_le(pvd + 128, 2, 2048);
	put(16 * 2048, pvd, sizeof(pvd));
}

/* Opening fails with `code` and says `text`, in one line that names the file. */
static void ck_refused(unsigned flags, int code, const char *text)
{
	ck_assert_int_eq(image_open(&im, path, flags, err, sizeof(err)), code);
	ck_assert_msg(strstr(err, text) != NULL, "message: %s", err);
	ck_assert_msg(!strncmp(err, path, strlen(path)), "message: %s", err);
	ck_assert_ptr_null(strchr(err, '\n'));
	ck_assert(!image_present(&im));
}

static void ck_accepted(unsigned flags)
{
	ck_assert_msg(image_open(&im, path, flags, err, sizeof(err)) == 0, "message: %s", err);
}

START_TEST(test_refusals)
{
	ck_refused(0, -ENOENT, "No such file");
	make(0);
	ck_refused(0, -EINVAL, "empty");
	ck_refused(IMAGE_CDROM, -EINVAL, "empty");
	ck_refused(IMAGE_FLOPPY, -EINVAL, "empty");
	make(1000);
	ck_refused(0, -EINVAL, "truncated");
	ck_refused(IMAGE_CDROM, -EINVAL, "truncated");
	make(511);
	ck_refused(IMAGE_FLOPPY, -EINVAL, "truncated");
	make(2880 * 1024 + 1);
	ck_refused(IMAGE_FLOPPY, -EFBIG, "too large");
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_refused(0, -EISDIR, "directory");
	ck_refused(IMAGE_READONLY, -EISDIR, "directory");
	ck_refused(IMAGE_CDROM, -EISDIR, "directory");
	rmdir(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_refused(IMAGE_READONLY, -EINVAL, "neither a file");
	/* a short buffer is not overrun */
	char small[9] = "";
	ck_assert_int_lt(image_open(&im, path, IMAGE_READONLY, small, 8), 0);
	ck_assert_uint_eq(strlen(small), 7);
}
END_TEST

START_TEST(test_in_use)
{
	static const unsigned reading[] = {IMAGE_READONLY, IMAGE_SNAPSHOT, IMAGE_READONLY | IMAGE_FLOPPY};
	struct image other;

	make(1 << 20);
	ck_assert_int_eq(image_open(&other, path, 0, err, sizeof(err)), 0);
	ck_refused(0, -EBUSY, "in use");
	for (size_t i = 0; i < ARRAY_LEN(reading); i++)
		ck_refused(reading[i], -EBUSY, "in use");
	image_close(&other);
	for (size_t i = 0; i < ARRAY_LEN(reading); i++) {
		ck_assert_int_eq(image_open(&other, path, reading[i], err, sizeof(err)), 0);
		ck_accepted(IMAGE_READONLY);
		image_close(&im);
		ck_refused(0, -EBUSY, "in use");
		image_close(&other);
	}
	ck_accepted(0);
	image_close(&im);
}
END_TEST

START_TEST(test_iso)
{
	make(100 * 2048);
	put_pvd(100);
	ck_accepted(IMAGE_CDROM);
	ck_assert(im.readonly);
	ck_assert_uint_eq(im.block_size, 2048);
	ck_assert_int_eq(image_write(&im, 0, "x", 1), -EROFS);
	image_close(&im);
	put_pvd(101);
	ck_refused(IMAGE_CDROM, -EINVAL, "truncated");
	ck_assert(strstr(err, "206848") && strstr(err, "204800"));
	make(100 * 2048 + 512);
	put_pvd(100); /* padded to sectors only */
	ck_accepted(IMAGE_CDROM);
	image_close(&im);
	make(100 * 2048 + 512); /* no ISO, and no whole blocks */
	put(16 * 2048, "xxxxxxx", 7);
	ck_refused(IMAGE_CDROM, -EINVAL, "truncated");
	make(100 * 2048);
	ck_accepted(IMAGE_CDROM);
	image_close(&im);
	make(16 * 2048);
	ck_refused(IMAGE_CDROM, -EINVAL, "truncated");
}
END_TEST

START_TEST(test_read_write)
{
	char buf[1024];

	make(4096);
	ck_accepted(0);
	ck_assert_uint_eq(im.size, 4096);
	ck_assert_int_eq(image_write(&im, 1000, "hello", 5), 0);
	ck_assert_int_eq(image_read(&im, 1000, buf, 5), 0);
	ck_assert_mem_eq(buf, "hello", 5);
	/* around and behind the end */
	memset(buf, 1, sizeof(buf));
	ck_assert_int_eq(image_read(&im, 4000, buf, 1024), 0);
	for (unsigned i = 0; i < 1024; i++)
		ck_assert_int_eq(buf[i], 0);
	ck_assert_int_eq(image_read(&im, ~0ull - 10, buf, 1024), 0);
	ck_assert_int_eq(image_write(&im, 4090, "123456789", 9), -ENOSPC);
	ck_assert_int_eq(image_write(&im, ~0ull - 3, "123456789", 9), -ENOSPC);
	ck_assert_int_eq(image_read(&im, 4090, buf, 6), 0);
	ck_assert_mem_eq(buf, "123456", 6);
	ck_assert_int_eq(image_flush(&im), 0);
	image_close(&im);
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 4096);
	ck_accepted(IMAGE_READONLY);
	ck_assert_int_eq(image_read(&im, 1000, buf, 5), 0);
	ck_assert_mem_eq(buf, "hello", 5);
	ck_assert_int_eq(image_write(&im, 0, buf, 5), -EROFS);
	image_close(&im);
	ck_assert_int_eq(image_read(&im, 0, buf, 5), -ENODEV);
}
END_TEST

/* Random writes through a snapshot against a plain copy in memory. */
static void check_zeros(uint64_t from, uint64_t to)
{
	uint8_t byte[3];

	ck_assert_int_eq(image_read(&im, from - 1, byte, 3), 0);
	ck_assert_uint_eq(byte[0], 0xa5);
	ck_assert_uint_eq(byte[1] | byte[2], 0);
	ck_assert_int_eq(image_read(&im, to - 2, byte, 3), 0);
	ck_assert_uint_eq(byte[0] | byte[1], 0);
	ck_assert_uint_eq(byte[2], 0xa5);
}

static void zero_some(unsigned flags)
{
	static uint8_t data[MiB];

	memset(data, 0xa5, sizeof(data));
	make(MiB);
	put(0, data, sizeof(data));
	ck_assert_int_eq(image_open(&im, path, flags, err, sizeof(err)), 0);
	ck_assert_int_eq(image_zero(&im, 512, 1024, false), 0);
	check_zeros(512, 1536);
	ck_assert_int_eq(image_zero(&im, 100 * KiB, 300 * KiB, true), 0);
	check_zeros(100 * KiB, 400 * KiB);
	ck_assert_int_eq(image_zero(&im, 8192, 0, true), 0);
	ck_assert_int_eq(image_discard(&im, 500 * KiB, 4 * KiB), 0);
	ck_assert_int_eq(image_zero(&im, MiB - 512, 1024, false), -ENOSPC);
	ck_assert_int_eq(image_discard(&im, UINT64_MAX, 512), -ENOSPC);
	ck_assert_int_eq(image_discard(&im, 512, UINT64_MAX), -ENOSPC);
	image_close(&im);
	ck_assert_int_eq(image_zero(&im, 0, 512, false), -ENODEV);
}

START_TEST(test_zero)
{
	zero_some(0);
	zero_some(IMAGE_SNAPSHOT);
	ck_assert_int_eq(image_open(&im, path, 0, err, sizeof(err)), 0); /* what the snapshot saw is forgotten */
	uint8_t byte;
	ck_assert_int_eq(image_read(&im, 200 * KiB, &byte, 1), 0);
	ck_assert_uint_eq(byte, 0xa5);
	im.readonly = true;
	ck_assert_int_eq(image_zero(&im, 0, 512, true), -EROFS);
	ck_assert_int_eq(image_discard(&im, 0, 512), -EROFS);
	image_close(&im);
}
END_TEST

START_TEST(test_snapshot)
{
	enum { SIZE = 300 * 1024 + 512 };
	static uint8_t want[SIZE], got[SIZE], original[SIZE];
	int fd;

	srand(5);
	for (unsigned i = 0; i < SIZE; i++)
		original[i] = (uint8_t)rand();
	make(SIZE);
	put(0, original, SIZE);
	memcpy(want, original, SIZE);
	ck_assert_int_eq(chmod(path, 0400), 0); /* the file itself is never written */
	ck_accepted(IMAGE_SNAPSHOT);
	for (unsigned i = 0; i < 200; i++) {
		unsigned at = (unsigned)rand() % SIZE;
		unsigned len = (unsigned)rand() % (i % 10 ? 600 : 150000);
		len = MIN(len, SIZE - at);
		for (unsigned j = 0; j < len; j++)
			want[at + j] = (uint8_t)rand();
		ck_assert_int_eq(image_write(&im, at, want + at, len), 0);
		ck_assert_int_eq(image_read(&im, 0, got, SIZE), 0);
		ck_assert_mem_eq(got, want, SIZE);
	}
	ck_assert_int_eq(image_flush(&im), 0);
	image_close(&im);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, got, SIZE), SIZE);
	close(fd);
	ck_assert_mem_eq(got, original, SIZE);
	/* no trace in the directory for temporary files */
	setenv("TMPDIR", dir, 1);
	ck_accepted(IMAGE_SNAPSHOT);
	ck_assert_int_eq(image_write(&im, 0, "x", 1), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	image_close(&im);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	setenv("TMPDIR", "/nonexistent", 1);
	make(4096);
	ck_refused(IMAGE_SNAPSHOT, -ENOENT, "snapshot");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("image");
	TCase *tc = tcase_create("image");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_refusals);
	tcase_add_test(tc, test_in_use);
	tcase_add_test(tc, test_iso);
	tcase_add_test(tc, test_read_write);
	tcase_add_test(tc, test_zero);
	tcase_add_test(tc, test_snapshot);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
