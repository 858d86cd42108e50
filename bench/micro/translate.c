// SPDX-License-Identifier: GPL-2.0-or-later
/* Code that is executed once: short functions, each of its own. */
#include "micro.h"

uint8_t arena[FUNCTIONS * FUNCTION_BYTES] __attribute__((aligned(4096)));

static uint8_t *put(uint8_t *at, uint32_t opcode, unsigned bytes, uint32_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		*at++ = (uint8_t)(opcode >> (8 * (bytes - 1 - i)));
	for (unsigned i = 0; i < 4; i++)
		*at++ = (uint8_t)(value >> (8 * i));
	return at;
}

void translate_fill(uint32_t seed)
{
	for (unsigned f = 0; f < FUNCTIONS; f++) {
		uint8_t *at = arena + f * FUNCTION_BYTES;

		for (unsigned i = 0; i < INSNS - 1; i++) {
			seed = seed * 1664525u + 1013904223u;
			switch (i % 4) {
			case 0:
				at = put(at, 0x05, 1, seed); /* add eax, seed */
				break;
			case 1:
				at = put(at, 0x8d90, 2, seed); /* lea edx, [eax + seed] */
				break;
			case 2:
				at = put(at, 0x81f2, 2, seed); /* xor edx, seed */
				break;
			default:
				at = put(at, 0x69c2, 2, seed); /* imul eax, edx, seed */
			}
		}
		*at = 0xc3; /* ret */
	}
}

uint64_t translate_run(void)
{
	uint64_t from = ticks();

	for (unsigned f = 0; f < FUNCTIONS; f++) {
		uint8_t *at = arena + f * FUNCTION_BYTES;
		__asm__ volatile("call *%0" : : "r"(at) : "eax", "edx", "memory", "cc");
	}
	return ticks() - from;
}
