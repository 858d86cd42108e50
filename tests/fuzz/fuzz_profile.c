/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the reader of profiles, and the search for a kernel's symbols: folders in order, damaged a little or a lot.
 * Either one line says why, or a whole summary comes of it.
 */
#define _GNU_SOURCE
#include "fuzz.h"
#include "profile/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 20, MAX_FILE = 16384 };

struct image {
	uint8_t data[MAX_FILE];
	size_t len;
};

static void add(struct image *im, const void *data, size_t len)
{
	if (len <= sizeof(im->data) - im->len) {
		memcpy(im->data + im->len, data, len);
		im->len += len;
	}
}

static void make_samples(struct rng *r, struct image *im)
{
	uint32_t stack[PROFILE_MAX_STACK];

	add(im, PROFILE_SAMPLES_MAGIC, PROFILE_MAGIC_BYTES);
	for (unsigned n = rng_below(r, 60); n--;) {
		struct profile_sample s;
		rng_bytes(r, &s, sizeof(s));
		rng_bytes(r, stack, sizeof(stack));
		s.phase = (uint8_t)rng_below(r, PHASE_COUNT);
		s.depth = (uint8_t)rng_below(r, PROFILE_MAX_STACK + 1);
		add(im, &s, sizeof(s));
		add(im, stack, s.depth * 4u);
	}
}

static void make_blocks(struct rng *r, struct image *im)
{
	add(im, PROFILE_BLOCKS_MAGIC, PROFILE_MAGIC_BYTES);
	for (unsigned n = rng_below(r, 30); n--;) {
		uint8_t code[400];
		struct profile_block b;
		rng_bytes(r, &b, sizeof(b));
		rng_bytes(r, code, sizeof(code));
		b.ninsns = (uint8_t)(1 + rng_below(r, 8));
		b.guest_len = (uint16_t)(b.ninsns * rng_below(r, 15));
		b.host_len = (uint16_t)(b.ninsns * rng_below(r, 40));
		add(im, &b, sizeof(b));
		add(im, code, b.guest_len);
		add(im, code, b.host_len);
		for (unsigned i = 0; i <= b.ninsns; i++) {
			uint16_t at[2] = {(uint16_t)(b.guest_len / b.ninsns * i),
					  (uint16_t)(b.host_len / b.ninsns * i)};
			add(im, at, sizeof(at));
		}
	}
}

static void make_counters(struct rng *r, struct image *im)
{
	uint64_t t = 0;

	for (unsigned n = rng_below(r, 40); n--;) {
		char line[300];
		t += rng_below(r, 200000000);
		add(im, line,
		    (size_t)snprintf(
			line, sizeof(line),
			"{\"t\":%llu,\"idle_ns\":%u,\"phase_ns\":{\"user\":%u},\"counters\":{\"insns_executed\":%llu,"
			"\"dispatcher_misses\":%u}}\n",
			(unsigned long long)t, rng_u32(r), rng_u32(r), (unsigned long long)rng_u64(r) >> 1,
			rng_u32(r)));
	}
}

static void make_main(struct rng *r, struct image *im)
{
	char text[600];

	add(im, text,
	    (size_t)snprintf(
		text, sizeof(text),
		"{\"gnomon_profile\":1,\"complete\":%s,\"exact\":%s,\"engine\":\"bt\",\"wall_ns\":%u,\"idle_ns\":%u,"
		"\"phase_ns\":{\"user\":%u,\"kernel\":%u},\"insn_ns\":{\"IN\":5},\"counters\":{\"insns_executed\":%u,"
		"\"callouts_by_insn\":{\"IN\":%u,\"OUT\":3}}}",
		rng_percent(r, 50) ? "true" : "false", rng_percent(r, 50) ? "true" : "false", rng_u32(r), rng_u32(r),
		rng_u32(r), rng_u32(r), rng_u32(r), rng_u32(r)));
}

static void damage(struct rng *r, struct image *im)
{
	for (unsigned times = rng_below(r, 4); times-- && im->len;) {
		size_t at = rng_below(r, (uint32_t)im->len);
		if (rng_percent(r, 30))
			im->len = at;
		else if (rng_percent(r, 50))
			im->data[at] = (uint8_t)rng_u32(r);
		else
			rng_bytes(r, im->data + at, MIN(im->len - at, (size_t)16));
	}
}

static bool write_file(const char *folder, const char *name, const struct image *im)
{
	char path[300];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	ok = f && fwrite(im->data, 1, im->len, f) == im->len;
	return f && fclose(f) == 0 && ok;
}

static bool read_back(const char *folder)
{
	struct symbols none;
	struct profile p;
	char err[700] = "";
	FILE *out = fopen("/dev/null", "we");
	bool ok = true;

	symbols_init(&none);
	if (profile_read(&p, folder, err, sizeof(err)) == 0) {
		json_t *summary = profile_summary(&p, &none, 50);
		ok = summary && json_array_size(json_object_get(summary, "shares")) == PHASE_SHARE_COUNT;
		profile_print_text(out, summary);
		ok = profile_write_html(out, summary) == 0 && ok;
		json_decref(summary);
	} else if (!*err || strchr(err, '\n')) {
		fprintf(stderr, "refused with '%s'\n", err);
		ok = false;
	}
	profile_destroy(&p);
	fclose(out);
	return ok;
}

/* A guest's memory that almost looks as if it held the tables. */
static void search(struct rng *r)
{
	struct image *im = calloc(1, sizeof(*im));
	struct symbols s;

	for (unsigned i = 0; i < MAX_FILE / 2; i++)
		im->data[i] = (uint8_t)(rng_percent(r, 50) ? 0 : rng_below(r, 64));
	for (unsigned n = 0, at = MAX_FILE / 2; n < 256 && at < MAX_FILE - 600; n++) {
		im->data[at++] = (uint8_t)(n ? n : 1);
		im->data[at++] = 0;
	}
	damage(r, im);
	symbols_init(&s);
	symbols_find_kallsyms(&s, im->data, MAX_FILE - rng_below(r, 5000));
	symbols_finish(&s);
	symbols_destroy(&s);
	free(im);
}

static bool run_case(uint64_t seed, const char *variant)
{
	static const struct {
		const char *name;
		void (*make)(struct rng *, struct image *);
	} files[] = {
	    {PROFILE_SAMPLES_FILE, make_samples},
	    {PROFILE_BLOCKS_FILE, make_blocks},
	    {PROFILE_COUNTERS_FILE, make_counters},
	    {PROFILE_MAIN_FILE, make_main},
	};
	char folder[] = "/tmp/gnomon-fuzz-XXXXXX", path[300];
	struct image *im = malloc(sizeof(*im));
	struct rng r = rng_seeded(seed);
	bool ok = mkdtemp(folder) != NULL;

	for (unsigned round = 0; round < ROUNDS && ok; round++) {
		for (size_t i = 0; i < ARRAY_LEN(files) && ok; i++) {
			im->len = 0;
			files[i].make(&r, im);
			if (rng_percent(&r, 40))
				damage(&r, im);
			ok = write_file(folder, files[i].name, im);
		}
		ok = ok && read_back(folder);
		search(&r);
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
		unlink(path);
	}
	rmdir(folder);
	free(im);
	return ok;
}

int main(int argc, char **argv)
{
	return fuzz_main(argc, argv, &(struct fuzzer){.name = "fuzz_profile", .run = run_case, .case_seconds = 20});
}
