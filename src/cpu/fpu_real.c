/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x87 unit's pointers in real-address and V86 mode. The host runs FNSTENV and its like in protected mode's format,
 * so that the pointers are put in, or taken out, here.
 */
#include "fpu.h"

/* Two words for each pointer, the first of them the fourth of the image. */
enum {
	POINTERS = 3,
	HIGH = 0x0ffff000, /* of the second word: bits 31:16 of the pointer, in the 16-bit format 19:16 */
};
#define RESERVED 0xffff0000u /* of other words in the 32-bit format: ones, as in protected mode's */

/* Size of a word. Images for 16-bit operand size have 14 bytes (with registers 94), others 28 (108). */
static unsigned word_bytes(unsigned bytes)
{
	return bytes == 14 || bytes == 94 ? 2 : 4;
}

void fpu_forget_bases(struct cpu *cpu, const struct fpu_pointers *before)
{
	if (load_le(&cpu->fpu.image[FX_FIP], 8) != before->fip)
		cpu->fip_base = 0;
	if (load_le(&cpu->fpu.image[FX_FDP], 8) != before->fdp)
		cpu->fdp_base = 0;
}

struct fpu_pointers fpu_linear_pointers(const struct cpu *cpu)
{
	const uint8_t *image = cpu->fpu.image;

	return (struct fpu_pointers){
	    .fip = (uint32_t)(load_le(&image[FX_FIP], 4) + cpu->fip_base),
	    .fdp = (uint32_t)(load_le(&image[FX_FDP], 4) + cpu->fdp_base),
	    .fop = (uint16_t)load_le(&image[FX_FOP], 2),
	};
}

void fpu_set_linear_pointers(struct cpu *cpu, const struct fpu_pointers *p)
{
	store_le(&cpu->fpu.image[FX_FIP], 8, p->fip);
	store_le(&cpu->fpu.image[FX_FDP], 8, p->fdp);
	store_le(&cpu->fpu.image[FX_FOP], 2, p->fop);
	cpu->fip_base = cpu->fdp_base = 0;
}

void fpu_image_to_real(uint8_t *image, unsigned bytes, const struct fpu_pointers *linear)
{
	unsigned word = word_bytes(bytes);
	uint8_t *at = image + (size_t)POINTERS * word;

	store_le(at, word, RESERVED | (linear->fip & 0xffff));
	store_le(at + word, word, (linear->fip >> 4 & HIGH) | linear->fop);
	store_le(at + 2 * word, word, RESERVED | (linear->fdp & 0xffff));
	store_le(at + 3 * word, word, linear->fdp >> 4 & HIGH);
}

struct fpu_pointers fpu_image_pointers(const uint8_t *image, unsigned bytes)
{
	unsigned word = word_bytes(bytes);
	const uint8_t *at = image + (size_t)POINTERS * word;

	return (struct fpu_pointers){
	    .fip = load_le(at, 2) | (load_le(at + word, word) & HIGH) << 4,
	    .fdp = load_le(at + 2 * word, 2) | (load_le(at + 3 * word, word) & HIGH) << 4,
	    .fop = (uint16_t)(load_le(at + word, 2) & FOP_BITS),
	};
}
