/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Multiboot kernel that tells on the first serial port what it was given, one "name: value" a line, and powers the
 * machine off. With the argument "reset" it does so only after it has soiled its memory and reset the machine once.
 */
#include <stddef.h>

#include "../serial.h"

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms_num, syms_size, syms_addr, syms_shndx, mmap_length, mmap_addr, drives_length, drives_addr;
	uint32_t config_table, boot_loader_name;
};

struct module {
	uint32_t start, end, string, reserved;
};

struct mmap_entry {
	uint32_t size;
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));

struct section {
	uint32_t name, type, flags, addr, offset, size, link, info, align, entsize;
};

struct symbol {
	uint32_t name, value, size;
	uint8_t info, other;
	uint16_t section;
};

enum { SYMTAB = 2, PM1A_CONTROL = 4, SLEEP_ENABLE = 0x2000, CMOS_COUNT = 0x7e };

extern uint8_t image_start[], data_end[], bss_end[];

uint32_t landmark = 0x600dda7a;
static uint8_t blank[3 << 20]; /* more zeros than the option ROM asks for at a time */

static void print_hex(uint64_t n)
{
	char text[17], *p = text + 16;

	*p = 0;
	do
		*--p = "0123456789abcdef"[n & 15];
	while (n >>= 4);
	serial_print(p);
}

static void line(const char *name, uint64_t value)
{
	serial_print(name);
	serial_print(": ");
	print_hex(value);
	serial_print("\n");
}

static void text_line(const char *name, uint32_t text)
{
	serial_print(name);
	serial_print(": ");
	serial_print(text ? (const char *)text : "(none)");
	serial_print("\n");
}

static int has(const char *text, const char *word)
{
	for (; *text; text++) {
		size_t i = 0;
		while (word[i] && text[i] == word[i])
			i++;
		if (!word[i])
			return 1;
	}
	return 0;
}

static void print_modules(const struct info *info)
{
	const struct module *m = (const struct module *)info->mods_addr;

	for (uint32_t i = 0; i < info->mods_count; i++, m++) {
		uint32_t sum = 0;
		for (const uint8_t *p = (const uint8_t *)m->start; p < (const uint8_t *)m->end; p++)
			sum = sum * 31 + *p;
		text_line("module", m->string);
		line("module length", m->end - m->start);
		line("module hash", sum);
		line("module unaligned", m->start & 0xfff);
		line("module in the kernel", m->start < (uint32_t)bss_end && m->end > (uint32_t)image_start);
	}
}

static void print_mmap(const struct info *info)
{
	uint32_t end = info->mmap_addr + info->mmap_length;

	for (uint32_t at = info->mmap_addr; at < end;) {
		const struct mmap_entry *e = (const struct mmap_entry *)at;
		serial_print("memory: ");
		print_hex(e->base);
		serial_print(" ");
		print_hex(e->len);
		serial_print(" ");
		print_hex(e->type);
		serial_print("\n");
		at += e->size + 4;
	}
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void print_symbol(const struct info *info)
{
	const struct section *s = (const struct section *)info->syms_addr;

	for (uint32_t i = 0; i < info->syms_num; i++) {
		const struct symbol *y = (const struct symbol *)s[i].addr;
		if (s[i].type != SYMTAB)
			continue;
		for (uint32_t n = s[i].size / sizeof(*y); n--; y++)
			if (same((const char *)s[s[i].link].addr + y->name, "landmark"))
				line("symbol", y->value == (uint32_t)&landmark);
	}
}

static uint32_t count_soiled(void)
{
	uint32_t n = 0;

	for (size_t i = 0; i < sizeof(blank); i++)
		n += blank[i] != 0;
	return n + (landmark != 0x600dda7a);
}

static int a20_masked(void)
{
	volatile uint32_t *low = (volatile uint32_t *)0x7e00, *high = (volatile uint32_t *)0x107e00;

	*low = 0x12345678;
	*high = 0x9abcdef0;
	return *low != 0x12345678;
}

static void reset_once(void)
{
	uint8_t count;

	outb(0x70, CMOS_COUNT);
	count = inb(0x71);
	line("resets", count);
	if (count)
		return;
	outb(0x70, CMOS_COUNT);
	outb(0x71, 1);
	for (size_t i = 0; i < sizeof(blank); i++)
		blank[i] = 0xee;
	landmark = 0;
	outb(0x64, 0xfe);
	for (;;)
		__asm__ volatile("hlt");
}

/* S5 by the PIIX4's power management, whose ports are where the BIOS put them (PMBA of 00:01.3). */
static void power_off(void)
{
	uint32_t base;

	__asm__ volatile("outl %0, %1" ::"a"(0x80000b40), "d"((uint16_t)0xcf8));
	__asm__ volatile("inl %1, %0" : "=a"(base) : "d"((uint16_t)0xcfc));
	__asm__ volatile("outw %0, %1" ::"a"((uint16_t)SLEEP_ENABLE), "d"((uint16_t)((base & 0xffc0) + PM1A_CONTROL)));
	for (;;)
		__asm__ volatile("hlt");
}

void kernel(uint32_t magic, const struct info *info, uint32_t cr0, uint32_t eflags)
{
	uint32_t limit, data;

	__asm__("lsl %1, %0" : "=r"(limit) : "r"((uint32_t)0x08));
	__asm__("movl %%ss, %0" : "=r"(data));
	__asm__("lsl %1, %0" : "=r"(data) : "r"(data));
	line("magic", magic);
	line("cr0", cr0 & 0x80000001);
	line("interrupts", eflags >> 9 & 1);
	line("code limit", limit);
	line("data limit", data);
	line("a20 masked", a20_masked());
	line("soiled", count_soiled());
	line("flags", info->flags);
	text_line("cmdline", info->cmdline);
	text_line("loader", info->boot_loader_name);
	line("mem_lower", info->mem_lower);
	line("mem_upper", info->mem_upper);
	print_mmap(info);
	line("modules", info->mods_count);
	print_modules(info);
	if (info->flags & 0x20)
		print_symbol(info);
	if (has((const char *)info->cmdline, " reset"))
		reset_once();
	serial_print("done\n");
	power_off();
}
