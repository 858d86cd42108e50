/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loader_fixture.h"

enum { SETUP = 4 * 512, SYSTEM = 100000, LEN = SETUP + SYSTEM };

/* A bzImage of protocol 2.15 with made-up contents: set-up code of 0xaa, system of 0x55. */
static uint8_t *bzimage(void)
{
	uint8_t *k = malloc(LEN);

	memset(k, 0xaa, SETUP);
	memset(k + SETUP, 0x55, SYSTEM);
	k[0x1f1] = 3;
	store_le(k + 0x1f4, 4, SYSTEM / 16);
	store_le(k + 0x1fa, 2, 0xffff);
	store_le(k + 0x1fe, 2, 0xaa55);
	memcpy(k + 0x202, "HdrS", 4);
	store_le(k + 0x206, 2, 0x20f);
	k[0x211] = 1;		   /* LOADED_HIGH */
	store_le(k + 0x218, 8, 0); /* no RAM disk */
	store_le(k + 0x22c, 4, 0x7fffffff);
	store_le(k + 0x238, 4, 2047); /* command line */
	store_le(k + 0x258, 8, 16 << 20);
	store_le(k + 0x260, 4, 8 << 20); /* init_size */
	return k;
}

static void load_bzimage(struct fixture *f, void (*change)(uint8_t *k), uint64_t ram, const char *append)
{
	uint8_t *k = bzimage();

	if (change)
		change(k);
	load(f, k, LEN, ram, append);
	free(k);
}

START_TEST(modern)
{
	struct fixture f;

	load_bzimage(&f, NULL, 64 * MiB, "quiet vga=ask x");
	accepts(&f);
	ck_assert_int_eq(f.l.kind, LOADER_LINUX);
	ck_assert_uint_eq(f.l.real_segment, 0x1000);
	ck_assert_uint_ge(f.l.real_sp, 0x8000);
	ck_assert_uint_eq(memory_at(&f.l, 0x10000), 0xaa);
	ck_assert_uint_eq(memory_at(&f.l, 0x100000), 0x55);
	ck_assert_uint_eq(memory_at(&f.l, 0x100000 + SYSTEM - 1), 0x55);
	ck_assert_ptr_null(segment_at(&f.l, 0x100000 + SYSTEM));
	string_is_at(&f.l, u32_at(&f.l, 0x10228), "quiet vga=ask x");
	ck_assert_uint_eq(memory_at(&f.l, 0x10210), 0xff);
	ck_assert_uint_eq(memory_at(&f.l, 0x10211), 0x81);
	ck_assert_uint_eq(u32_at(&f.l, 0x10224) & 0xffff, f.l.real_sp - 0x200u);
	ck_assert_uint_eq(u32_at(&f.l, 0x101fa) & 0xffff, 0xfffd);
	ck_assert_uint_eq(u32_at(&f.l, 0x10218), 0);
	loader_destroy(&f.l);
}
END_TEST

static const struct {
	const char *append;
	uint16_t mode;
} video_modes[] = {
    {NULL, 0xffff},
    {"", 0xffff},
    {"vga=normal", 0xffff},
    {"vga=ext a", 0xfffe},
    {"a vga=791", 791},
    {"b vga=0x317 c", 0x317},
    {"xvga=5", 0xffff},
    {"vga=", 0xffff},
    {"vga=asking", 0xffff},
    {"vga=70000", 0xffff},
    {"vga=1 vga=0x10", 0x010},
    {"vga=-1x", 0xffff},
};

START_TEST(video_mode)
{
	struct fixture f;

	load_bzimage(&f, NULL, 64 * MiB, video_modes[_i].append);
	accepts(&f);
	ck_assert_uint_eq(u32_at(&f.l, 0x101fa) & 0xffff, video_modes[_i].mode);
	loader_destroy(&f.l);
}
END_TEST

START_TEST(initrd)
{
	static uint8_t disk[3 << 20];
	struct fixture f;
	uint32_t at;

	disk[0] = 1;
	disk[sizeof(disk) - 1] = 2;
	load_bzimage(&f, NULL, 64 * MiB, NULL);
	add_module(&f, "disk", disk, sizeof(disk) - 5);
	accepts(&f);
	at = u32_at(&f.l, 0x10218);
	ck_assert_uint_eq(u32_at(&f.l, 0x1021c), sizeof(disk) - 5);
	ck_assert_uint_eq(at & PAGE_MASK, 0);
	ck_assert_uint_eq(memory_at(&f.l, at), 1);
	/* As high as possible, below the BIOS's tables. */
	ck_assert_uint_le(at + sizeof(disk), 64 * MiB - LOADER_TOP_RESERVED + PAGE_SIZE);
	ck_assert_uint_ge(at + sizeof(disk), 63 * MiB);
	loader_destroy(&f.l);
}
END_TEST

static void low_initrd(uint8_t *k)
{
	store_le(k + 0x22c, 4, 0x2ffffff);
}

START_TEST(initrd_below_the_kernels_limit)
{
	struct fixture f;

	load_bzimage(&f, low_initrd, 4 * GiB, NULL);
	add_module(&f, "disk", "0123456789", 10);
	accepts(&f);
	ck_assert_uint_eq(u32_at(&f.l, 0x10218), 0x2fff000);
	loader_destroy(&f.l);
}
END_TEST

START_TEST(initrd_too_large)
{
	static uint8_t disk[40 << 20];
	struct fixture f;

	/* The kernel unpacks itself at 16-24 MiB. */
	load_bzimage(&f, NULL, 64 * MiB, NULL);
	add_module(&f, "disk", disk, sizeof(disk));
	refuses(&f, "initrd 'disk': too large");
}
END_TEST

static void protocol_201(uint8_t *k)
{
	store_le(k + 0x206, 2, 0x201);
}

static void zimage(uint8_t *k)
{
	protocol_201(k);
	k[0x211] = 0;
}

START_TEST(old_protocols)
{
	uint32_t kernel = _i ? 0x10000 : 0x100000;
	struct fixture f;

	load_bzimage(&f, _i ? zimage : protocol_201, 64 * MiB, "root=1");
	accepts(&f);
	ck_assert_uint_eq(f.l.real_segment, 0x9000);
	ck_assert_uint_eq(memory_at(&f.l, kernel), 0x55);
	ck_assert_uint_eq(u32_at(&f.l, 0x90020) & 0xffff, 0xa33f);
	string_is_at(&f.l, 0x90000 + (u32_at(&f.l, 0x90022) & 0xffff), "root=1");
	ck_assert_uint_ge(u32_at(&f.l, 0x90212) & 0xffff, (u32_at(&f.l, 0x90022) & 0xffff) + 7);
	loader_destroy(&f.l);
}
END_TEST

static void four_sectors(uint8_t *k)
{
	k[0x1f1] = 0;
	store_le(k + 0x1f4, 4, (SYSTEM - 512) / 16);
}

START_TEST(set_up_of_unknown_size)
{
	struct fixture f;

	load_bzimage(&f, four_sectors, 64 * MiB, NULL);
	accepts(&f);
	ck_assert_uint_eq(segment_at(&f.l, 0x10000)->len, 5 * 512);
	loader_destroy(&f.l);
}
END_TEST

static void too_old(uint8_t *k)
{
	store_le(k + 0x206, 2, 0x105);
}

static void missing_system(uint8_t *k)
{
	store_le(k + 0x1f4, 4, SYSTEM / 16 + 1);
}

static void huge_system(uint8_t *k)
{
	store_le(k + 0x1f4, 4, 0xffffffff);
}

static void all_setup(uint8_t *k)
{
	k[0x1f1] = 0xff;
	store_le(k + 0x1f4, 4, 0);
}

static void large_setup(uint8_t *k)
{
	k[0x1f1] = 0x80;
	store_le(k + 0x1f4, 4, 100);
}

static void hungry(uint8_t *k)
{
	store_le(k + 0x260, 4, 48 << 20);
}

static void far_away(uint8_t *k)
{
	store_le(k + 0x258, 8, 0xffffffffff000000);
}

static void endless(uint8_t *k)
{
	store_le(k + 0x260, 4, 0xffffffff);
}

static const struct {
	void (*change)(uint8_t *k);
	const char *about;
} bad[] = {
    {too_old, "1.05 is older"},	  {missing_system, "truncated"}, {huge_system, "truncated"}, {all_setup, "truncated"},
    {large_setup, "set-up code"}, {hungry, "it needs 65 MiB"},	 {far_away, "does not fit"}, {endless, "does not fit"},
};

START_TEST(refused)
{
	struct fixture f;

	load_bzimage(&f, bad[_i].change, 64 * MiB, NULL);
	refuses(&f, bad[_i].about);
}
END_TEST

START_TEST(little_memory)
{
	static const uint64_t sizes[] = {0, PAGE_SIZE, MiB, MiB + LOADER_TOP_RESERVED, 24 * MiB};
	struct fixture f;

	load_bzimage(&f, NULL, sizes[_i], NULL);
	refuses(&f, "does not fit");
}
END_TEST

START_TEST(command_line_limit)
{
	char line[3000];
	struct fixture f;

	memset(line, 'x', sizeof(line));
	line[2047] = 0;
	load_bzimage(&f, NULL, 64 * MiB, line);
	accepts(&f);
	string_is_at(&f.l, u32_at(&f.l, 0x10228), line);
	loader_destroy(&f.l);
	line[2047] = 'x';
	line[2048] = 0;
	load_bzimage(&f, NULL, 64 * MiB, line);
	refuses(&f, "command line (--append) of 2048 characters");
	line[256] = 0;
	load_bzimage(&f, protocol_201, 64 * MiB, line);
	refuses(&f, "limit of 255");
}
END_TEST

/* A file that ends anywhere is no kernel, whatever is left of it. */
START_TEST(truncated_anywhere)
{
	uint8_t *k = bzimage();
	struct fixture f;

	for (size_t len = 1; len < LEN - 16; len += len < 3 * SETUP ? 7 : 9973) {
		load(&f, k, len, 64 * MiB, NULL);
		refuses(&f, len < 0x206 ? "neither" : "truncated");
	}
	free(k);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loader_linux");
	TCase *tc = tcase_create("linux");

	tcase_add_test(tc, modern);
	tcase_add_loop_test(tc, video_mode, 0, ARRAY_LEN(video_modes));
	tcase_add_test(tc, initrd);
	tcase_add_test(tc, initrd_below_the_kernels_limit);
	tcase_add_test(tc, initrd_too_large);
	tcase_add_loop_test(tc, old_protocols, 0, 2);
	tcase_add_test(tc, set_up_of_unknown_size);
	tcase_add_loop_test(tc, refused, 0, ARRAY_LEN(bad));
	tcase_add_loop_test(tc, little_memory, 0, 5);
	tcase_add_test(tc, command_line_limit);
	tcase_add_test(tc, truncated_anywhere);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
