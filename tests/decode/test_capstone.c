/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our decoder against an independent one: lengths, groups of control transfers and privileged instructions, memory
 * operands. A new disagreement is either a bug here or a reason to be added to known.c.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capstone_compare.h"

enum { RANDOM_CASES = 300000, FILE_MAX = 1 << 20 };

static struct pair pair;

static void setup(void)
{
	pair_open(&pair);
}

static void teardown(void)
{
	pair_close(&pair);
}

static void show(const char *what)
{
	printf(
	    "%s: %lu decoded by both, %lu by neither, %lu only by ours, %lu only by Capstone, %lu new disagreements\n",
	    what, pair.both, pair.neither, pair.ours_only, pair.theirs_only, pair.disagreements);
	for (unsigned i = 0; i < KNOWN_MAX && known_reason(i); i++)
		if (pair.known[i])
			printf("  %8lu known: %s\n", pair.known[i], known_reason(i));
}

static const unsigned code_sizes[] = {2, 4, 8};

static const struct {
	uint8_t len, bytes[3];
} prefixes[] = {
    /* clang-format off */
    {0, {0}}, {1, {0x66}}, {1, {0x67}}, {1, {0xf2}}, {1, {0xf3}}, {2, {0x66, 0xf2}}, {2, {0x66, 0xf3}}, {1, {0x2e}}, {1, {0xf0}},
    {2, {0x66, 0x67}},
    /* clang-format on */
};

static void all_modrm(const uint8_t *prefix, unsigned prefix_len, const uint8_t *map, unsigned map_len, unsigned opcode,
		      unsigned code_size)
{
	/* What follows ModRM: SIB, displacement, immediates. */
	static const uint8_t tail[] = {0x24, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99};
	uint8_t bytes[INSN_MAX_BYTES + sizeof(tail)] = {0};
	unsigned n = 0;

	memcpy(bytes, prefix, prefix_len);
	memcpy(bytes + prefix_len, map, map_len);
	n = prefix_len + map_len;
	bytes[n++] = (uint8_t)opcode;
	memcpy(bytes + n + 1, tail, sizeof(tail));
	for (unsigned modrm = 0; modrm < 256; modrm++) {
		bytes[n] = (uint8_t)modrm;
		pair_compare(&pair, bytes, INSN_MAX_BYTES, code_size);
	}
}

START_TEST(every_opcode)
{
	static const struct {
		uint8_t len, bytes[2];
	} maps[] = {{0, {0}}, {1, {0x0f}}, {2, {0x0f, 0x38}}, {2, {0x0f, 0x3a}}};

	for (unsigned p = 0; p < ARRAY_LEN(prefixes); p++)
		for (unsigned m = 0; m < ARRAY_LEN(maps); m++)
			for (unsigned opcode = 0; opcode < 256; opcode++)
				all_modrm(prefixes[p].bytes, prefixes[p].len, maps[m].bytes, maps[m].len, opcode,
					  code_sizes[_i]);
	show("every opcode");
	ck_assert_uint_eq(pair.disagreements, 0);
	ck_assert_uint_gt(pair.both, 500000);
}
END_TEST

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33);
}

START_TEST(random_bytes)
{
	uint64_t state = (uint64_t)_i + 1;

	for (unsigned i = 0; i < RANDOM_CASES; i++) {
		uint8_t bytes[INSN_MAX_BYTES];
		for (unsigned b = 0; b < sizeof(bytes); b++)
			bytes[b] = (uint8_t)next_random(&state);
		pair_compare(&pair, bytes, sizeof(bytes), code_sizes[_i]);
	}
	show("random bytes");
	ck_assert_uint_eq(pair.disagreements, 0);
}
END_TEST

/* Real code, at every offset: firmware mixes 16-bit and 32-bit code with data. */
static const struct {
	const char *path;
	unsigned long skip; /* bytes before the code */
} files[] = {
    {"/usr/share/seabios/bios-256k.bin", 0},
    {"/usr/share/seabios/vgabios-stdvga.bin", 0},
    {"/usr/lib/grub-rescue/grub-rescue-floppy.img", 0},
    {"/usr/lib/ipxe/ipxe.iso", 0x8000},
    {"/proc/self/exe", 0x1000},
};

START_TEST(real_code)
{
	FILE *f = fopen(files[_i].path, "rb");
	uint8_t *bytes;
	size_t len;

	if (!f) {
		printf("%s: not installed, skipped\n", files[_i].path);
		return;
	}
	bytes = malloc(FILE_MAX);
	ck_assert_ptr_nonnull(bytes);
	fseek(f, (long)files[_i].skip, SEEK_SET);
	len = fread(bytes, 1, FILE_MAX, f);
	fclose(f);
	for (unsigned s = 0; s < ARRAY_LEN(code_sizes); s++)
		for (size_t at = 0; at + INSN_MAX_BYTES <= len; at++)
			pair_compare(&pair, bytes + at, INSN_MAX_BYTES, code_sizes[s]);
	free(bytes);
	show(files[_i].path);
	ck_assert_uint_eq(pair.disagreements, 0);
}
END_TEST

/* The comparison can fail: wrong answers are seen. */
START_TEST(differences_are_seen)
{
	static const uint8_t nop[INSN_MAX_BYTES] = {0x90};
	struct insn ours;
	struct question q = {
	    .bytes = nop, .avail = sizeof(nop), .code_size = 4, .ours = &ours, .theirs = pair.insn, .what = "length"};

	pair_compare(&pair, nop, sizeof(nop), 4);
	ck_assert_uint_eq(pair.both, 1);
	ck_assert_uint_eq(pair.disagreements, 0);
	ck_assert_int_eq(insn_decode(&ours, nop, sizeof(nop), 4), 0);
	q.cs = pair.cs[1];
	q.cs32 = pair.cs[1];
	q.spare = pair.spare;
	ck_assert_int_lt(known_disagreement(&q), 0);
}
END_TEST

/* xor [ebp * 8 + 3f313133], r12 with 67 and REX.B: a SIB form without base (Zydis 4.0.0 says R13D). */
START_TEST(sib_without_base)
{
	static const uint8_t bytes[INSN_MAX_BYTES] = {0x67, 0x4d, 0x31, 0x24, 0xed, 0x33, 0x31, 0x31, 0x3f};
	struct insn in;

	ck_assert_int_eq(insn_decode(&in, bytes, sizeof(bytes), 8), 0);
	ck_assert_uint_eq(in.len, 9);
	ck_assert_uint_eq(in.base, REG_NONE);
	ck_assert_uint_eq(in.index, RBP);
	ck_assert_int_eq(in.disp, 0x3f313133);
	pair_compare(&pair, bytes, sizeof(bytes), 8);
	ck_assert_uint_eq(pair.disagreements, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("capstone");
	TCase *tc = tcase_create("decode");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, differences_are_seen);
	tcase_add_test(tc, sib_without_base);
	tcase_add_loop_test(tc, every_opcode, 0, (int)ARRAY_LEN(code_sizes));
	tcase_add_loop_test(tc, random_bytes, 0, (int)ARRAY_LEN(code_sizes));
	tcase_add_loop_test(tc, real_code, 0, (int)ARRAY_LEN(files));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
