/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Multiboot kernel to be debugged: round after round it does what single-steps, breakpoints and watchpoints have a hard
 * time with. It looks at its own code (`code_changed`), debug registers and flags, and nobody may have touched them.
 */
#define MAGIC 0x1badb002
#define FLAGS 0x00000003

	.section .header, "a"
	.balign 4
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)

	.text
code_start:
	.globl entry
	.type entry, @function
entry:
	movl $stack_end, %esp
	movb $0xff, %al		/* no interrupts: the BIOS has left some on */
	outb %al, $0x21
	outb %al, $0xa1
	lgdt gdt_pointer
	ljmp $8, $1f
1:	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	/* an interrupt gate for each vector */
	movl $0, %ecx
2:	movl $stray, %eax
	call set_gate
	incl %ecx
	cmpl $256, %ecx
	jne 2b
	movl $0, %ecx
	movl $on_divide, %eax
	call set_gate
	movl $1, %ecx
	movl $on_debug, %eax
	call set_gate
	movl $3, %ecx
	movl $on_breakpoint, %eax
	call set_gate
	movl $6, %ecx
	movl $on_undefined, %eax
	call set_gate
	movl $14, %ecx
	movl $on_page_fault, %eax
	call set_gate
	movl $0x80, %ecx
	movl $on_call, %eax
	call set_gate
	lidt idt_pointer
	/* pages of 4 MiB: the first two, one alias of the first, the local APIC's */
	movl $0x83, directory
	movl $0x400083, directory + 4
	movl $0x83, directory + 4 * (0x80000000 >> 22)
	movl $0x83, directory + 4 * (0x90000000 >> 22) /* never used by the guest: A stays clear */
	movl $0xfec00093, directory + 4 * (0xfee00000 >> 22)
	movl %cr4, %eax
	orl $0x210, %eax /* PSE, OSFXSR */
	movl %eax, %cr4
	movl $directory, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	fninit
	fld1
	fldpi
	movl $0x3f800000, vector
	movups vector, %xmm1
	call checksum
	movl %eax, sum

	.globl round
round:
	incl rounds
	call checksum
	xorl sum, %eax
	orl %eax, code_changed
	movl %dr7, %eax
	movl %eax, seen_dr7
	pushfl
	popl seen_flags

	/* a loop, with a place in the middle of a block */
	movl $1000, %ecx
loop_head:
	decl %ecx
loop_middle:
	movl %ecx, %edx
	testl %ecx, %ecx
	jne loop_head
loop_end:

	/* strings */
	movl $source, %esi
	movl $target, %edi
	movl $8, %ecx
	cld
rep_movs:
	rep movsb
rep_behind:
	movb $0x55, %al
	movl $target, %edi
	movl $16, %ecx
rep_stos:
	rep stosb
stos_behind:

	/* memory to watch */
	incl watched
inc_behind:
	movl watched, %eax
read_behind:
	pushl $0x1234
push_behind:
	popl %eax
	movl $watched - 1, %edi
	movl %eax, (%edi) /* misaligned, over its first bytes */
cross_behind:
	call function
call_behind:

	/* interrupt shadows */
	cli
sti_insn:
	sti
sti_next:
	nop
	cli
	movl %ds, %eax
ss_insn:
	movl %eax, %ss
ss_next:
	movl %esp, %ebx
ss_behind:
	nop

	/* events */
int_insn:
	int $0x80
int_behind:
	xorl %edx, %edx
	xorl %ecx, %ecx
div_insn:
	divl %ecx
div_behind:
	nop
undefined_insn:
	ud2
undefined_behind:
	int3
int3_behind:
	movl $0xd0000000, %eax
fault_insn:
	movl (%eax), %ebx
fault_behind:
	pushfl
	orl $0x100, (%esp)
	popfl
tf_next:
	nop
tf_behind:
	nop
	jmp crossing

	.balign 4096
	.skip 4096 - 2
	.globl crossing
crossing:
	movl $0x12345678, %eax /* from one page into the next */
crossing_behind:
	jmp round

	.type function, @function
function:
	pushl %ebp
	movl %esp, %ebp
	call inner
	popl %ebp
	ret

	.type inner, @function
inner:
	pushl %ebp
	movl %esp, %ebp
	nop
	popl %ebp
	ret

checksum:
	xorl %eax, %eax
	movl $code_start, %esi
1:	roll $1, %eax
	xorb (%esi), %al
	incl %esi
	cmpl $code_end, %esi
	jne 1b
	ret

set_gate:
	movw %ax, idt(, %ecx, 8)
	movw $8, idt + 2(, %ecx, 8)
	movw $0x8e00, idt + 4(, %ecx, 8)
	shrl $16, %eax
	movw %ax, idt + 6(, %ecx, 8)
	ret

stray:
	incl strays
	hlt
	jmp stray
on_call:
	incl calls
call_iret:
	iret
on_divide:
	addl $2, (%esp)
	iret
on_undefined:
	addl $2, (%esp)
	iret
on_breakpoint:
	incl breakpoints
	iret
on_debug:
	incl debugs
	andl $~0x100, 8(%esp)
	iret
on_page_fault:
	addl $4, %esp
	addl $2, (%esp)
	iret
	.globl triple_fault
triple_fault:
	lidt no_idt
	ud2
code_end:

	.data
	.balign 8
gdt:
	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word . - gdt - 1
	.long gdt
idt_pointer:
	.word 256 * 8 - 1
	.long idt
no_idt:
	.word 0
	.long 0
source:
	.ascii "abcdefghijklmnop"
	.balign 16
vector:
	.skip 16
target:
	.skip 16
	.balign 4
	.skip 4
watched:
	.long 0
rounds:
	.long 0
sum:
	.long 0
code_changed:
	.long 0
seen_dr7:
	.long 0
seen_flags:
	.long 0
calls:
	.long 0
breakpoints:
	.long 0
debugs:
	.long 0
strays:
	.long 0

	.bss
	.balign 4096
directory:
	.skip 4096
idt:
	.skip 256 * 8
	.skip 8192
stack_end:
	.section .note.GNU-stack, "", @progbits
