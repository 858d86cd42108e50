/* SPDX-License-Identifier: GPL-2.0-or-later */
/* decode_cached() gives what insn_decode() gives, in every byte of the result, whatever the cache holds. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode_cache.h"

enum { RANDOM_CASES = 100000, LIKELY_CASES = 200000, FILE_MAX = 512 * KiB, TAILS = 2 };

static struct decode_cache *cache;
static uint64_t random_state;
static const unsigned code_sizes[] = {2, 4, 8};

static void setup(void)
{
	cache = calloc(1, sizeof(*cache));
	ck_assert_ptr_nonnull(cache);
	random_state = 1;
}

static void teardown(void)
{
	free(cache);
}

static uint32_t next_random(void)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33);
}

/* The instruction's length; 0: there is none. */
static unsigned compare(const uint8_t *bytes, unsigned avail, unsigned code_size)
{
	struct insn plain, cached;
	uint8_t exact[INSN_MAX_BYTES]; /* nothing to be read behind it, as the sanitizer sees */
	int err = insn_decode(&plain, bytes, avail, code_size);
	int cached_err;

	if (avail < INSN_MAX_BYTES) {
		memcpy(exact + sizeof(exact) - avail, bytes, avail);
		bytes = exact + sizeof(exact) - avail;
	}
	memset(&cached, 0xcc, sizeof(cached));
	cached_err = decode_cached(cache, &cached, bytes, avail, code_size);
	if (err == cached_err && !memcmp(&plain, &cached, sizeof(plain)))
		return err ? 0 : plain.len;
	fprintf(stderr, "code size %u, %u bytes:", code_size, avail);
	for (unsigned i = 0; i < MIN(avail, (unsigned)INSN_MAX_BYTES); i++)
		fprintf(stderr, " %02x", bytes[i]);
	fprintf(stderr, ": %d, length %u, cached %d, length %u\n", err, plain.len, cached_err, cached.len);
	ck_abort_msg("the cache gives another instruction");
	return 0;
}

/* The bytes as they are, cut short, and with other ones at the end: there the displacement and the immediate are. */
static void check_bytes(const uint8_t *from, unsigned code_size)
{
	uint8_t bytes[INSN_MAX_BYTES];
	unsigned len;

	memcpy(bytes, from, sizeof(bytes));
	len = compare(bytes, sizeof(bytes), code_size);
	compare(bytes, next_random() % INSN_MAX_BYTES, code_size);
	if (!len)
		return;
	for (unsigned n = 0; n < TAILS; n++) {
		unsigned tail = next_random() % MIN(len, 9u);
		for (unsigned i = len - tail; i < len; i++)
			bytes[i] = n ? (uint8_t)next_random() : (uint8_t)~bytes[i];
		compare(bytes, sizeof(bytes), code_size);
	}
	compare(bytes, len, code_size);
	compare(bytes, len - 1, code_size);
}

static void fill_random(uint8_t *bytes, unsigned from)
{
	for (unsigned i = from; i < INSN_MAX_BYTES; i++)
		bytes[i] = (uint8_t)next_random();
}

START_TEST(random_bytes)
{
	uint8_t bytes[INSN_MAX_BYTES];

	for (unsigned n = 0; n < RANDOM_CASES; n++) {
		fill_random(bytes, 0);
		check_bytes(bytes, code_sizes[_i]);
	}
}
END_TEST

/* Prefixes, maps and REX as code has them, and more of each than it has. */
START_TEST(likely_bytes)
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
	uint8_t bytes[INSN_MAX_BYTES];

	for (unsigned n = 0; n < LIKELY_CASES; n++) {
		unsigned at = 0;
		while (next_random() % 3 == 0 && at < 5)
			bytes[at++] = prefixes[next_random() % ARRAY_LEN(prefixes)];
		if (next_random() % 4 == 0)
			bytes[at++] = 0x40 | (next_random() & 15);
		if (next_random() % 3 == 0) {
			bytes[at++] = 0x0f;
			if (next_random() % 4 == 0)
				bytes[at++] = next_random() & 1 ? 0x38 : 0x3a;
		} else if (next_random() % 16 == 0) {
			static const uint8_t wide[] = {0xc4, 0xc5, 0x62, 0x8f};
			bytes[at++] = wide[next_random() % ARRAY_LEN(wide)];
		}
		fill_random(bytes, at);
		check_bytes(bytes, code_sizes[_i]);
	}
}
END_TEST

START_TEST(every_opcode)
{
	static const struct {
		uint8_t len, bytes[3];
	} starts[] = {{0, {0}},		 {1, {0x66}},	    {1, {0x67}},       {1, {0x0f}},
		      {2, {0x0f, 0x38}}, {2, {0x0f, 0x3a}}, {2, {0x66, 0x0f}}, {2, {0xf3, 0x0f}}};

	for (unsigned s = 0; s < ARRAY_LEN(starts); s++)
		for (unsigned n = 0; n < 0x10000; n++) {
			uint8_t bytes[INSN_MAX_BYTES];
			memcpy(bytes, starts[s].bytes, starts[s].len);
			bytes[starts[s].len] = (uint8_t)(n >> 8);
			bytes[starts[s].len + 1] = (uint8_t)n;
			fill_random(bytes, starts[s].len + 2u);
			check_bytes(bytes, code_sizes[_i]);
		}
}
END_TEST

static const char *const files[] = {"/usr/share/seabios/bios-256k.bin", "/usr/lib/grub-rescue/grub-rescue-floppy.img",
				    "/usr/lib/x86_64-linux-gnu/libc.so.6", "/proc/self/exe"};

/* Real code and data, at every offset. */
START_TEST(real_code)
{
	FILE *f = fopen(files[_i], "rb");
	uint8_t *bytes;
	size_t len;

	if (!f) {
		printf("%s: not installed, skipped\n", files[_i]);
		return;
	}
	bytes = malloc(FILE_MAX);
	ck_assert_ptr_nonnull(bytes);
	len = fread(bytes, 1, FILE_MAX, f);
	fclose(f);
	for (unsigned s = 0; s < ARRAY_LEN(code_sizes); s++)
		for (size_t at = 0; at + INSN_MAX_BYTES <= len; at++)
			compare(bytes + at, INSN_MAX_BYTES, code_sizes[s]);
	free(bytes);
}
END_TEST

static const struct {
	uint8_t code_size;
	bool cached;
	uint8_t bytes[INSN_MAX_BYTES];
} encodings[] = {
    /* clang-format off */
    {4, true,  {0x90}},
    {4, true,  {0x8b, 0x44, 0x24, 0x04}},					 /* mov eax, [esp + 4] */
    {4, true,  {0xa1, 0x00, 0x10, 0x00, 0xc0}},					 /* mov eax, moffs */
    {4, true,  {0x83, 0xec, 0x80}},						 /* sub esp, -128 */
    {4, true,  {0x81, 0x8c, 0x88, 1, 2, 3, 4, 5, 6, 7, 0x88}},			 /* or dword [eax + ecx * 4 + disp32], imm32 */
    {4, true,  {0xe8, 0xfb, 0xff, 0xff, 0xff}},					 /* call rel32 */
    {4, true,  {0x66, 0xe9, 0xfb, 0xff}},					 /* jmp rel16 */
    {4, true,  {0x0f, 0x84, 0x00, 0x01, 0x00, 0x00}},				 /* je rel32 */
    {4, true,  {0x0f, 0xa4, 0xc2, 0x1f}},					 /* shld edx, eax, 31 */
    {4, true,  {0xd1, 0xe0}},							 /* shl eax, 1 */
    {4, true,  {0xcd, 0x80}},							 /* int 80h */
    {4, true,  {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 0x08}},				 /* palignr */
    {4, true,  {0x65, 0xff, 0x35, 0x14, 0x00, 0x00, 0x00}},			 /* push gs:[20] */
    {2, true,  {0x8b, 0x46, 0xfe}},						 /* mov ax, [bp - 2] */
    {2, true,  {0x67, 0x66, 0x8b, 0x44, 0x24, 0x04}},				 /* mov eax, [esp + 4] */
    {2, true,  {0xc4, 0x5e, 0x04}},						 /* les bx, [bp + 4] */
    {8, true,  {0x48, 0x8b, 0x05, 0x10, 0x00, 0x00, 0x80}},			 /* mov rax, [rip - ...] */
    {8, true,  {0x49, 0xbf, 1, 2, 3, 4, 5, 6, 7, 0x88}},			 /* mov r15, imm64 */
    {4, false, {0xc8, 0x10, 0x00, 0x01}},					 /* enter: two immediates */
    {4, false, {0x9a, 1, 2, 3, 4, 8, 0}},					 /* call far */
    {4, false, {0xc5, 0xf8, 0x28, 0xc1}},					 /* vmovaps: VEX */
    {4, true,  {0x66, 0x67, 0x0f, 0x38, 0xf0, 0x43, 0x12}},			 /* movbe ax, [bp + di + 18] */
    {4, true,  {0x66, 0x2e, 0x3e, 0x0f, 0x38, 0xf0, 0x84, 0x88, 1, 2, 3, 4}},	 /* movbe ax, [eax + ecx * 4 + disp32] */
    {4, false, {0x66, 0x2e, 0x3e, 0x2e, 0x0f, 0x38, 0xf0, 0x84, 0x88, 1, 2, 3, 4}}, /* with more prefixes than a key holds */
    /* clang-format on */
};

static bool poisoned(unsigned i)
{
	struct insn in;

	ck_assert_int_eq(
	    decode_cached(cache, &in, encodings[i].bytes, sizeof(encodings[i].bytes), encodings[i].code_size), 0);
	return in.scale == 99;
}

/* Which instructions are taken from the cache: one shows what was written into its template. */
START_TEST(is_used)
{
	ck_assert(!poisoned(_i));
	for (unsigned i = 0; i < ARRAY_LEN(cache->templates); i++)
		cache->templates[i].in.scale = 99;
	ck_assert_msg(poisoned(_i) == encodings[_i].cached, "%02x %02x %02x: %s", encodings[_i].bytes[0],
		      encodings[_i].bytes[1], encodings[_i].bytes[2], encodings[_i].cached ? "not cached" : "cached");
}
END_TEST

/* What an instruction whose displacement and immediate stand for other things of it would do: one whose immediate is
 * the same in both bytes must not be taken for one without. */
START_TEST(two_immediates)
{
	static const uint8_t same[INSN_MAX_BYTES] = {0xc8, 0xa5, 0xa5, 0xa5}, other[INSN_MAX_BYTES] = {0xc8, 1, 2, 3};

	for (unsigned n = 0; n < 2; n++) {
		compare(same, sizeof(same), code_sizes[_i]);
		compare(other, sizeof(other), code_sizes[_i]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("decode_cache");
	TCase *tc = tcase_create("decode_cache");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, is_used, 0, (int)ARRAY_LEN(encodings));
	tcase_add_loop_test(tc, two_immediates, 0, (int)ARRAY_LEN(code_sizes));
	tcase_add_loop_test(tc, random_bytes, 0, (int)ARRAY_LEN(code_sizes));
	tcase_add_loop_test(tc, likely_bytes, 0, (int)ARRAY_LEN(code_sizes));
	tcase_add_loop_test(tc, every_opcode, 0, (int)ARRAY_LEN(code_sizes));
	tcase_add_loop_test(tc, real_code, 0, (int)ARRAY_LEN(files));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
