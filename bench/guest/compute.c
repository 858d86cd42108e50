// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows that only compute: what translated code is worth. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define STEPS 1000 /* operations a counted one holds, where one alone is too short */

static void do_integer(uint64_t count, void *arg)
{
	uint32_t a = 1, b = 2, c = 3;

	for (count *= STEPS; count; count--) {
		a = a * 1664525u + 1013904223u;
		b ^= a >> 7;
		c += b << 3 ^ (a & 0xff);
	}
	sink = a + b + c;
}

void row_integer(void)
{
	measure(do_integer, NULL, STEPS);
}

static uint32_t rotate(uint32_t x, unsigned by)
{
	return x << by | x >> (32 - by);
}

static void do_hash(uint64_t count, void *arg)
{
	uint32_t state[4] = {1, 2, 3, 4}, block[16];

	for (unsigned i = 0; i < 16; i++)
		block[i] = i * 2654435761u;
	while (count--) {
		for (unsigned i = 0; i < 64; i++) {
			uint32_t f = (state[1] & state[2]) | (~state[1] & state[3]);
			uint32_t t = state[0] + f + block[(i * 5 + 1) % 16] + i * 0x9e3779b9u;

			state[0] = state[3];
			state[3] = state[2];
			state[2] = state[1];
			state[1] += rotate(t, 5 + i % 4 * 5);
		}
		block[count % 16] ^= state[1];
	}
	sink = state[0];
}

void row_hash(void)
{
	measure(do_hash, NULL, 1);
}

#define NUMBERS 10000

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void do_sort(uint64_t count, void *numbers)
{
	while (count--) {
		uint32_t state = 99, *n = numbers;

		for (unsigned i = 0; i < NUMBERS; i++)
			n[i] = next_random(&state);
		qsort(n, NUMBERS, sizeof(*n), compare);
		sink = n[0];
	}
}

void row_sort(void)
{
	measure(do_sort, calloc(NUMBERS, sizeof(uint32_t)), 1);
}

struct link {
	struct link *next;
	uint8_t rest[64 - sizeof(void *)];
};

static void do_chase(uint64_t count, void *arg)
{
	struct link *at = arg;

	for (count *= STEPS; count; count--)
		at = at->next;
	sink = (uint32_t)(uintptr_t)at;
}

/* One cycle through all links, in random order (Sattolo). */
static void chase(unsigned links)
{
	struct link *all = (struct link *)anonymous(links * sizeof(*all) / PAGE);
	unsigned *order = malloc(links * sizeof(*order));
	uint32_t state = 7;

	need(order != NULL, "malloc");
	for (unsigned i = 0; i < links; i++)
		order[i] = i;
	for (unsigned i = links - 1; i; i--) {
		unsigned j = next_random(&state) % i, t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (unsigned i = 0; i < links; i++)
		all[order[i]].next = &all[order[(i + 1) % links]];
	measure(do_chase, all, STEPS);
}

void row_chase(void)
{
	chase((4u << 20) / sizeof(struct link));
}

void row_chase_l1(void)
{
	chase((16u << 10) / sizeof(struct link));
}

#define LINES 256

static char text[LINES][64];

/* What programs do with text: lengths, comparisons, searches, characters one by one. */
static void do_string(uint64_t count, void *arg)
{
	uint32_t sum = 0;
	char upper[64];

	while (count--) {
		for (unsigned i = 0; i < LINES; i++) {
			const char *line = text[i], *next = text[(i + 1) % LINES], *found = strchr(line, '=');
			unsigned n = 0;

			sum += (uint32_t)strlen(line) + (strcmp(line, next) > 0) + (strstr(line, "zzy") != NULL);
			sum += found ? (uint32_t)strtoul(found + 1, NULL, 10) : 0;
			for (; line[n]; n++)
				upper[n] = (char)(line[n] >= 'a' && line[n] <= 'z' ? line[n] - 32 : line[n]);
			sum += memchr(upper, 'Q', n) != NULL;
		}
		__asm__ volatile("" ::: "memory");
	}
	sink = sum;
}

void row_string(void)
{
	uint32_t state = 3;

	for (unsigned i = 0; i < LINES; i++) {
		unsigned n = 0, length = 8 + next_random(&state) % 40;
		while (n < length)
			text[i][n++] = (char)('a' + next_random(&state) % 26);
		sprintf(text[i] + n, "=%u", next_random(&state) % 100000);
	}
	measure(do_string, NULL, LINES);
}

#define COPY (64u << 10)

static uint8_t source[COPY], target[COPY];

static void do_memcpy(uint64_t count, void *arg)
{
	while (count--) {
		memcpy(target, source, COPY);
		__asm__ volatile("" ::: "memory");
	}
}

void row_memcpy(void)
{
	measure(do_memcpy, NULL, 1);
}

static void do_repmovs(uint64_t count, void *arg)
{
	while (count--) {
		void *to = target;
		const void *from = source;
		size_t words = COPY / 4;

		__asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	}
}

void row_repmovs(void)
{
	measure(do_repmovs, NULL, 1);
}
