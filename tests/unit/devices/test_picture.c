/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/picture.h"

static char dir[] = "/tmp/gnomon-picture-XXXXXX";
static char path[64];
static struct picture pic;

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/p", dir);
	ck_assert_int_eq(picture_resize(&pic, 3, 2), 0);
	for (unsigned i = 0; i < 6; i++)
		pic.pixels[i] = 0x010203 * (i + 1);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
	picture_free(&pic);
	ck_assert_uint_eq(pic.width, 0);
}

START_TEST(sizes_are_bounded)
{
	ck_assert_int_eq(picture_resize(&pic, 0, 1), -EINVAL);
	ck_assert_int_eq(picture_resize(&pic, 1, 0), -EINVAL);
	ck_assert_int_eq(picture_resize(&pic, 16385, 1), -EINVAL);
	ck_assert_int_eq(picture_resize(&pic, 16384, 16384), -EINVAL);
	ck_assert_int_eq(picture_resize(&pic, 0x80000000u, 0x80000000u), -EINVAL);
	ck_assert_uint_eq(pic.width, 3);
	ck_assert_uint_eq(pic.pixels[5], 0x060c12);
}
END_TEST

START_TEST(ppm)
{
	uint8_t got[64];
	FILE *f;

	ck_assert_int_eq(picture_write_ppm(&pic, path), 0);
	f = fopen(path, "rb");
	size_t n = fread(got, 1, sizeof(got), f);
	fclose(f);
	ck_assert_uint_eq(n, 11 + 18);
	ck_assert_mem_eq(got, "P6\n3 2\n255\n\x01\x02\x03\x02\x04\x06", 17);
	ck_assert_uint_eq(got[n - 1], 0x12);
}
END_TEST

START_TEST(png)
{
	png_image image = {.version = PNG_IMAGE_VERSION};
	uint8_t rgb[18];

	ck_assert_int_eq(picture_write_png(&pic, path), 0);
	ck_assert(png_image_begin_read_from_file(&image, path));
	ck_assert_uint_eq(image.width, 3);
	ck_assert_uint_eq(image.height, 2);
	image.format = PNG_FORMAT_RGB;
	ck_assert(png_image_finish_read(&image, NULL, rgb, 0, NULL));
	for (unsigned i = 0; i < 18; i++)
		ck_assert_uint_eq(rgb[i], (i / 3 + 1) * (i % 3 + 1));
}
END_TEST

START_TEST(errors)
{
	struct picture none = {0};
	struct stat st;

	ck_assert_int_eq(picture_write_png(&pic, dir), -EISDIR);
	ck_assert_int_eq(picture_write_ppm(&pic, "/nonexistent/p"), -ENOENT);
	ck_assert_int_eq(picture_write_png(&none, path), -EINVAL);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(picture_write_ppm(&pic, "/dev/full"), -ENOSPC);
	ck_assert_int_eq(picture_write_png(&pic, "/dev/full"), -ENOSPC);
	ck_assert_int_eq(stat("/dev/full", &st), 0); /* a device is not removed */
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(picture_write_png(&pic, path), -ENXIO); /* and not waited for: nobody reads it */
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("picture");
	TCase *t = tcase_create("picture");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, sizes_are_bounded);
	tcase_add_test(t, ppm);
	tcase_add_test(t, png);
	tcase_add_test(t, errors);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
