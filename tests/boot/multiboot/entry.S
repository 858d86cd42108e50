/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Multiboot header and entry point. -DHEADER=1: ELF; 2: with addresses, for a flat file; 3: asks for what nobody knows;
 * 0: none.
 */
#define MAGIC 0x1badb002
#if HEADER == 2
#define FLAGS 0x00010003
#elif HEADER == 3
#define FLAGS 0x00001003
#else
#define FLAGS 0x00000003
#endif

	.section .header, "a"
	.balign 4
#if HEADER
header:
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)
#if HEADER == 2
	.long header, image_start, data_end, bss_end, entry
#endif
#endif

	.text
	.globl entry
entry:
	pushfl			/* on whatever stack there is: the loader's */
	popl %edx
	movl $stack_end, %esp
	pushl %edx
	movl %cr0, %edx
	pushl %edx
	pushl %ebx
	pushl %eax
	call kernel
1:	hlt
	jmp 1b

	.bss
	.balign 16
	.skip 8192
stack_end:
	.section .note.GNU-stack, "", @progbits
