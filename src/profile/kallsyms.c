/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbols that a Linux kernel keeps of itself: tables in its read-only data, in this order (as of Linux 4.6 to 6.4,
 * with CONFIG_KALLSYMS_BASE_RELATIVE), each aligned to a word of the kernel, of 4 or 8 bytes:
 *
 *	offsets         u32 each, from the base; with CONFIG_KALLSYMS_ABSOLUTE_PERCPU (64 bits, several processors) the
 *	                address itself, or, as a negative number, 1 less than the distance below the base
 *	relative base   a word
 *	number          u32
 *	names           each: length (7 bits, or 14 in two bytes), then that many tokens; the first character is the
 *type markers         u32: where every 256th name begins, from the first token table     256 strings token index u16:
 *where each begins
 *
 * Only the token table can be recognised by itself; everything before it is found by what must hold between them.
 */
#define _GNU_SOURCE
#include "symbols.h"

#include <string.h>

enum { TOKENS = 256, PER_MARKER = 256, MAX_TABLE_BYTES = 8192, NAME_BYTES = 512, MAX_COUNT = 1 << 20 };

/* All offsets are into memory. */
struct tables {
	const uint8_t *memory;
	size_t len;
	size_t token_table, markers, names, offsets;
	size_t nmarkers;
	unsigned word; /* of the kernel, in bytes */
	uint32_t count;
	uint64_t base;
};

static uint32_t u32(const struct tables *t, size_t at)
{
	return (uint32_t)load_le(t->memory + at, 4);
}

/* The digits stand for themselves in every kernel, since names have them all. */
static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009";

/* at: of token '0'. */
static bool find_token_table(struct tables *t, size_t at)
{
	size_t start = at, end, index;
	unsigned n;

	for (n = 0; n < '0'; n++) {
		if (start < 2 || at - start > MAX_TABLE_BYTES)
			return false;
		start--; /* the 0 behind the token before */
		while (start && t->memory[start - 1])
			start--;
	}
	start = ALIGN_UP(start, (size_t)4); /* zeros of the padding are no tokens */
	t->token_table = start;
	for (n = 0, end = start; n < TOKENS && end < t->len && end - start < MAX_TABLE_BYTES; end++)
		n += !t->memory[end];
	index = ALIGN_UP(end, (size_t)t->word);
	if (n < TOKENS || index > t->len || t->len - index < TOKENS * 2)
		return false;
	for (n = 0, end = start; n < TOKENS; n++, end++) {
		if (load_le(t->memory + index + 2 * n, 2) != end - start)
			return false;
		while (t->memory[end])
			end++;
	}
	return true;
}

/* n markers that end at `end`? */
static bool markers_at(struct tables *t, size_t end, size_t n)
{
	size_t at;

	if (n < 2 || end / 4 < n)
		return false;
	t->nmarkers = n;
	t->markers = at = end - 4 * n;
	/* The first is 0, the next the length of 256 names. */
	if (u32(t, at) || u32(t, at + 4) < PER_MARKER || u32(t, at + 4) > PER_MARKER * NAME_BYTES)
		return false;
	for (at += 4; at < end; at += 4)
		if (u32(t, at) <= u32(t, at - 4))
			return false;
	return true;
}

/* Length of the name at offset *at, which moves behind the length. */
static unsigned name_tokens(const struct tables *t, size_t *at)
{
	unsigned len = t->memory[(*at)++];

	return len & 0x80 ? (len & 0x7f) | (unsigned)t->memory[(*at)++] << 7 : len;
}

/* Do that many names fit between `names` and the markers, as the markers say? */
static bool names_fit(const struct tables *t)
{
	size_t at = t->names;

	for (uint32_t i = 0; i < t->count; i++) {
		if (at + 2 > t->markers ||
		    (i % PER_MARKER == 0 && at - t->names != u32(t, t->markers + i / PER_MARKER * 4)))
			return false;
		at += name_tokens(t, &at);
	}
	return at <= t->markers && t->markers - at < t->word;
}

static bool find_names(struct tables *t)
{
	uint32_t last = u32(t, t->markers + 4 * (t->nmarkers - 1));
	size_t most = last + PER_MARKER * (size_t)NAME_BYTES;

	size_t head = 2 * t->word; /* base and number */

	for (t->names = t->markers; t->names >= head + 4 && t->markers - t->names < most; t->names -= 4) {
		if (t->markers - t->names <= last)
			continue;
		t->count = u32(t, t->names - t->word);
		if ((t->count + PER_MARKER - 1) / PER_MARKER != t->nmarkers || !names_fit(t))
			continue;
		t->base = load_le(t->memory + t->names - head, t->word);
		if ((t->names - head) / 4 <= t->count)
			return false;
		t->offsets = t->names - head - ALIGN_UP(4 * (size_t)t->count, (size_t)t->word);
		return true;
	}
	return false;
}

/* Behind the markers are the numbers of the symbols in the order of their names, 3 bytes each; not in older kernels. */
static bool find_markers_and_names(struct tables *t)
{
	size_t end = t->token_table;

	for (size_t n = 2; n <= MAX_COUNT / PER_MARKER; n++)
		for (size_t padding = 0; padding < t->word; padding += 4)
			if (markers_at(t, end - padding, n) && find_names(t))
				return true;
	for (size_t bytes = 4; bytes <= MAX_COUNT * 3u && bytes < end; bytes += 4)
		if (markers_at(t, end - bytes, (bytes / 3 + PER_MARKER - 1) / PER_MARKER) && find_names(t))
			return true;
	return false;
}

static const char *token(const struct tables *t, uint8_t n)
{
	size_t index = t->token_table;

	for (; n; n--)
		index += strlen((const char *)t->memory + index) + 1;
	return (const char *)t->memory + index;
}

static uint64_t address(const struct tables *t, uint32_t n)
{
	int32_t offset = (int32_t)u32(t, t->offsets + 4 * (size_t)n);

	if (t->word == 4)
		return (uint32_t)(t->base + (uint32_t)offset);
	return offset < 0 ? t->base - 1 - (uint64_t)(int64_t)offset : (uint64_t)offset;
}

static size_t each(const struct tables *t, kallsyms_fn *fn, void *arg)
{
	const char *tokens[TOKENS];
	size_t at = t->names, given = 0;

	for (unsigned i = 0; i < TOKENS; i++)
		tokens[i] = token(t, (uint8_t)i);
	for (uint32_t i = 0; i < t->count; i++) {
		char name[NAME_BYTES];
		size_t len = 0;
		for (unsigned n = name_tokens(t, &at); n; n--) {
			const char *text = tokens[t->memory[at++]];
			while (*text && len < sizeof(name))
				name[len++] = *text++;
		}
		if (len <= 1)
			continue;
		if (!fn(arg, address(t, i), name[0], name + 1, len - 1))
			break;
		given++;
	}
	return given;
}

size_t symbols_each_kallsyms(const uint8_t *memory, size_t len, kallsyms_fn *fn, void *arg)
{
	struct tables t = {.memory = memory, .len = len};
	const uint8_t *at = memory, *end = memory + len;

	for (; (at = memmem(at, (size_t)(end - at), digits, sizeof(digits))); at++)
		for (t.word = 4; t.word <= 8; t.word += 4)
			if (find_token_table(&t, (size_t)(at - memory)) && find_markers_and_names(&t))
				return each(&t, fn, arg);
	return 0;
}

bool symbols_add_kallsym(void *symbols, uint64_t address, char type, const char *name, size_t len)
{
	return symbols_add(symbols, address, 0, type, name, len);
}

size_t symbols_find_kallsyms(struct symbols *s, const uint8_t *memory, size_t len)
{
	size_t before = s->count;

	symbols_each_kallsyms(memory, len, symbols_add_kallsym, s);
	return s->count - before;
}
