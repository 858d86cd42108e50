; SPDX-License-Identifier: GPL-2.0-or-later
; Task switches: jump, call and return, task gates from software and from exceptions, error codes on the new stack.
%include "isa.inc"
PROGRAM PM32
	; the other task
	mov	edi, TSS2
	mov	dword [edi + 0x20], .task
	mov	dword [edi + 0x24], 2
	mov	dword [edi + 0x28], 0xaaaa
	mov	dword [edi + 0x38], 0xd000	; ESP
	mov	dword [edi + 0x44], 0xdddd
	mov	dword [edi + 0x48], DATA32
	mov	dword [edi + 0x4c], CODE32
	mov	dword [edi + 0x50], DATA32
	mov	dword [edi + 0x54], DATA32
	mov	word [edi + 0x60], SEL_LDT
	mov	dword [GDT + TASK_GATE], SEL_TSS2 << 16
	mov	dword [GDT + TASK_GATE + 4], 0x8500
	mov	esi, 0x5151
	mov	ebx, 0
	stc
	call	SEL_TSS2:0
	CHECK	{ebx, 0}, {esi, 0x5151}, {flags, CF, CF|NT}, {esp, STACK}
	str	ax
	CHECK	{ax, SEL_TSS}, {mem32, TSS2 + 0x28, 0xbbbb}
	; again: it goes on behind its IRET
	call	TASK_GATE:0
	CHECK	{esi, 0x5151}, {mem32, TSS2 + 0x28, 0xcccc}
	; by an interrupt
	mov	dword [IDT + 8 * 0x66], SEL_TSS2 << 16
	mov	dword [IDT + 8 * 0x66 + 4], 0xe500
	int	0x66
	CHECK	{esi, 0x5151}, {mem32, TSS2 + 0x28, 0xd0d0}
	; by an exception with an error code: it is pushed on the new stack
	mov	dword [IDT + 8 * E_GP], SEL_TSS2 << 16
	mov	dword [IDT + 8 * E_GP + 4], 0x8500
	mov	ax, 0x7f8
.gp:	mov	fs, ax
.after:	CHECK	{eax, 0x7f8}
	; busy: a jump to the current task
	mov	ax, SEL_TSS
	jmp	SEL_TSS2:0
	NEVER
.task:	CHECK	{eax, 0xaaaa}, {edi, 0xdddd}, {esp, 0xd000}, {flags, NT, NT|CF}, {mem16, TSS2, SEL_TSS}
	str	bx
	CHECK	{bx, SEL_TSS2}
	mov	eax, 0xbbbb
	iretd
	CHECK	{eax, 0xbbbb}, {flags, NT, NT}
	mov	eax, 0xcccc
	iretd
	CHECK	{eax, 0xcccc}
	mov	eax, 0xd0d0
	iretd
	CHECK	{esp, 0xd000 - 4}, {mem32, 0xd000 - 4, 0x7f8}, {mem32, TSS_ + 0x20, .gp}
	add	esp, 4
	mov	dword [TSS_ + 0x20], .after
	iretd
	CHECK	{flags, 0, NT}, {mem8, GDT + SEL_TSS + 5, 0x89}, {mem8, GDT + SEL_TSS2 + 5, 0x8b}
	DONE
