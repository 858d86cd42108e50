/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firmware/kernel_boot.asm, as assembled by the build. */
	.section .rodata
	.balign 16
	.globl kernel_boot_rom, kernel_boot_rom_end
	.type kernel_boot_rom, @object
kernel_boot_rom:
	.incbin KERNEL_BOOT_ROM
kernel_boot_rom_end:
	.size kernel_boot_rom, . - kernel_boot_rom
	.section .note.GNU-stack, "", @progbits
