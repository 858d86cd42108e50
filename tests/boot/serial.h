/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports, and the first serial one, for kernels that run on nothing (bench/micro has one, too). */
#ifndef GNOMON_TESTS_SERIAL_H
#define GNOMON_TESTS_SERIAL_H

#include <stdint.h>

enum { COM1 = 0x3f8 };

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void serial_print(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM1 + 5) & 0x20))
			;
		outb(COM1, (uint8_t)*text);
	}
}

#endif
