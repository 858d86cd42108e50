/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware for the tests of the VM: real-mode programs that talk through the debug console at port 402h. */
#ifndef GNOMON_TEST_ROM_H
#define GNOMON_TEST_ROM_H

#include <stdint.h>

/* Each is a program from its label to its _end, to be put at F000:0000; IP is 0, CS F000, the rest as after reset. */
extern const uint8_t rom_resets[], rom_resets_end[];
extern const uint8_t rom_ticks[], rom_ticks_end[];
extern const uint8_t rom_a20[], rom_a20_end[];
extern const uint8_t rom_spin[], rom_spin_end[];
extern const uint8_t rom_halt[], rom_halt_end[];
extern const uint8_t rom_fpu[], rom_fpu_end[];
extern const uint8_t rom_sleeps[], rom_sleeps_end[];

/* clang-format off */
#define ROM_PROGRAM(name, code)                                                                                        \
	__asm__(".pushsection .rodata\n .code16\n .globl " #name ", " #name "_end\n" #name ":\n" code                  \
		"\n" #name "_end:\n .code64\n .popsection\n")

#define SAY(al) "mov $" al ", %al\n mov $0x402, %dx\n out %al, %dx\n"

/* Says how often it has been reset (from CMOS) and resets itself, each time in another way; the fifth time it says '!'. */
ROM_PROGRAM(rom_resets,
	"mov $0x40, %al; out %al, $0x70; in $0x71, %al\n"
	"mov %al, %bl; inc %al; out %al, $0x71\n"
	"mov %bl, %al; add $'0', %al; mov $0x402, %dx; out %al, %dx\n"
	"cmp $0, %bl; jne 1f; mov $1, %al; out %al, $0x92; jmp .\n"
	"1: cmp $1, %bl; jne 2f; mov $0xcf9, %dx; mov $6, %al; out %al, %dx; jmp .\n"
	"2: cmp $2, %bl; jne 3f; mov $0xfe, %al; out %al, $0x64; jmp .\n"
	/* An empty IDT makes a triple fault of any interrupt. */
	"3: cmp $3, %bl; jne 4f; xor %ax, %ax; mov %ax, %ds; mov %ax, (0); mov %ax, (2); mov %ax, (4)\n"
	"lidtl (0); int3; jmp .\n"
	"4: " SAY("'!'") "cli; hlt; jmp .");

/* Sets the PIT to 1 kHz and says 't' at every tenth of 100 interrupts, sleeping between them; then '!'. */
ROM_PROGRAM(rom_ticks,
	"xor %ax, %ax; mov %ax, %ds; mov %ax, %ss; mov $0x7000, %sp\n"
	"movw $tick - rom_ticks, (8 * 4); movw $0xf000, (8 * 4 + 2)\n"
	"mov $0x11, %al; out %al, $0x20; mov $8, %al; out %al, $0x21; mov $4, %al; out %al, $0x21; mov $1, %al; out %al, $0x21\n"
	"mov $0xfe, %al; out %al, $0x21\n"
	"mov $0x34, %al; out %al, $0x43; mov $1193 & 255, %al; out %al, $0x40; mov $1193 >> 8, %al; out %al, $0x40\n"
	"xor %cx, %cx\n"
	"0: sti; hlt; cmp $100, %cx; jb 0b\n"
	"cli\n" SAY("'!'") "hlt; jmp .\n"
	"tick: push %ax; push %dx; inc %cx\n"
	"mov %cx, %ax; mov $10, %dl; div %dl; test %ah, %ah; jnz 1f\n" SAY("'t'")
	"1: mov $0x20, %al; out %al, $0x20; pop %dx; pop %ax; iret");

/* Writes through FFFF:0510 (100500) with A20 passed and masked, and says what 0:0500 holds then: "01"; masks by both ports. */
ROM_PROGRAM(rom_a20,
	"xor %ax, %ax; mov %ax, %ds; dec %ax; mov %ax, %es\n"
	"movb $'0', (0x500); movb $'1', %es:(0x510)\n"
	"mov (0x500), %al; mov $0x402, %dx; out %al, %dx\n"
	"mov $0, %al; out %al, $0x92\n"
	"movb $'1', %es:(0x510); mov (0x500), %al; out %al, %dx\n"
	"mov $2, %al; out %al, $0x92\n"
	"movb $'2', %es:(0x510); mov (0x500), %al; out %al, %dx\n"
	"mov $0xd1, %al; out %al, $0x64; mov $0xdd, %al; out %al, $0x60\n"
	"movb $'3', %es:(0x510); mov (0x500), %al; out %al, %dx\n"
	SAY("'!'") "cli; hlt; jmp .");

/* Says '!' and runs for ever. */
ROM_PROGRAM(rom_spin, SAY("'!'") "0: inc %bx; jmp 0b");

/* Says '!' and sleeps for ever. */
ROM_PROGRAM(rom_halt, SAY("'!'") "cli; 0: hlt; jmp 0b");

/* Divides by zero in the x87 with the exception unmasked: interrupt 13 comes (says 'F'), port F0 drops it; then '!'. */
ROM_PROGRAM(rom_fpu,
	"xor %ax, %ax; mov %ax, %ds; mov %ax, %ss; mov $0x7000, %sp\n"
	"movw $fpu_error - rom_fpu, (0x75 * 4); movw $0xf000, (0x75 * 4 + 2)\n"
	"mov $0x11, %al; out %al, $0x20; out %al, $0xa0; mov $8, %al; out %al, $0x21; mov $0x70, %al; out %al, $0xa1\n"
	"mov $4, %al; out %al, $0x21; mov $2, %al; out %al, $0xa1; mov $1, %al; out %al, $0x21; out %al, $0xa1\n"
	"mov $0xfb, %al; out %al, $0x21; mov $0xdf, %al; out %al, $0xa1\n"
	"mov %cr0, %eax; and $~0x2c, %al; mov %eax, %cr0\n"
	"fninit; movw $0x37b, (0x500); fldcw (0x500); sti\n"
	"fld1; fldz; fdivrp %st, %st(1); fwait; nop; nop\n"
	"cli\n" SAY("'!'") "hlt; jmp .\n"
	"fpu_error: " SAY("'F'") "fnclex; out %al, $0xf0\n"
	"mov $0x20, %al; out %al, $0xa0; out %al, $0x20; iret");

/*
 * Sleeps (S3) four times, saying 's' before and, woken, 'a' plus bits 8-11 of PM1_STS if the shutdown code says S3; then
 * '!'. The first time an alarm of the RTC wakes it. Counts in RAM; 'X' if it runs on.
 */
ROM_PROGRAM(rom_sleeps,
	"xor %ax, %ax; mov %ax, %ds\n"
	"mov $0xcf8, %dx; mov $0x80000b40, %eax; out %eax, %dx; mov $0xcfc, %dx; mov $0xb000, %eax; out %eax, %dx\n"
	"mov $0xcf8, %dx; mov $0x80000b80, %eax; out %eax, %dx; mov $0xcfc, %dx; mov $1, %al; out %al, %dx\n"
	"mov $0x0f, %al; out %al, $0x70; in $0x71, %al; mov %al, %bl; xor %al, %al; out %al, $0x71\n"
	"cmp $0xfe, %bl; jne 1f\n"
	"mov $0xb001, %dx; in %dx, %al; and $0x8f, %al; sub $0x80 - 'a', %al; mov $0x402, %dx; out %al, %dx\n"
	"cmpb $4, (0x500); jb 2f; " SAY("'!'") "cli; hlt; jmp .\n"
	"1: movb $0, (0x500)\n"
	"mov $1, %al; out %al, $0x70; mov $0xc0, %al; out %al, $0x71\n"
	"mov $3, %al; out %al, $0x70; mov $0xc0, %al; out %al, $0x71\n"
	"mov $5, %al; out %al, $0x70; mov $0xc0, %al; out %al, $0x71\n"
	"mov $0xb, %al; out %al, $0x70; mov $0x22, %al; out %al, $0x71\n"
	"mov $0xb002, %dx; mov $0x400, %ax; out %ax, %dx\n"
	"2: mov $0xb000, %dx; mov $0xffff, %ax; out %ax, %dx\n"
	"incb (0x500)\n" SAY("'s'")
	"mov $0xb004, %dx; mov $0x2400, %ax; out %ax, %dx\n"
	SAY("'X'") "cli; hlt; jmp .");

#undef SAY
#undef ROM_PROGRAM
/* clang-format on */

#endif
