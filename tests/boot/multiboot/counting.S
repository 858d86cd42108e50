/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel that does what a profile must show: `counted` is called 100,000 times, and most time goes into `hot`. It ends
 * by a write to the debug exit. */
#define MAGIC 0x1badb002
#define FLAGS 0x00000003

	.section .header, "a"
	.balign 4
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)

	.text
	.globl entry
	.type entry, @function
entry:
	movl $stack_end, %esp
	movl $100000, %ecx
1:	call counted
	decl %ecx
	jnz 1b
	call hot
	xorl %eax, %eax
	outb %al, $0xf4
	cli
	hlt
	.size entry, . - entry

	.type counted, @function
counted:
	incl %edx
	ret
	.size counted, . - counted

	.type hot, @function
hot:
	pushl %ebp
	movl %esp, %ebp
	movl $400000000, %eax
	jmp 2f
	.balign 16
2:	decl %eax
	jnz 2b
	popl %ebp
	ret
	.size hot, . - hot

	.bss
	.balign 16
	.skip 8192
stack_end:
	.section .note.GNU-stack, "", @progbits
