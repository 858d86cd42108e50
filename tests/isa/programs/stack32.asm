; SPDX-License-Identifier: GPL-2.0-or-later
; Stack instructions in 32-bit code with a flat stack.
%include "isa.inc"
PROGRAM PM32
	mov	esp, STACK
	mov	eax, 0x11223344
	stc
	push	eax
	CHECK	{esp, STACK - 4}, {mem32, STACK - 4, 0x11223344}, {flags, CF, CF}
	push	ax
	CHECK	{esp, STACK - 6}, {mem16, STACK - 6, 0x3344}
	pop	cx
	pop	ebx
	CHECK	{esp, STACK}, {ecx, 0x3344}, {ebx, 0x11223344}
	push	esp			; the value before
	CHECK	{mem32, STACK - 4, STACK}
	pop	esp
	CHECK	{esp, STACK}
	push	byte -2
	push	dword 0x12345678
	push	word 0x9abc
	CHECK	{esp, STACK - 10}, {mem32, STACK - 4, -2}, {mem32, STACK - 8, 0x12345678}, {mem16, STACK - 10, 0x9abc}
	; memory operands; an address with ESP counts from behind the POP
	mov	esp, STACK
	push	dword 0x77
	push	dword [esp]
	CHECK	{esp, STACK - 8}, {mem32, STACK - 8, 0x77}
	pop	dword [esp + 4]
	CHECK	{esp, STACK - 4}, {mem32, STACK, 0x77}
	push	dword [esp + 4]
	CHECK	{mem32, STACK - 8, 0x77}
	mov	esp, STACK
	push	dword 0x1234abcd
	mov	dword [0xa000], -1
	pop	word [0xa000]
	CHECK	{esp, STACK - 2}, {mem32, 0xa000, 0xffffabcd}
	pop	word [0xa002]
	CHECK	{mem32, 0xa000, 0x1234abcd}
	; all registers
	mov	eax, 1
	mov	ecx, 2
	mov	edx, 3
	mov	ebx, 4
	mov	ebp, 6
	mov	esi, 7
	mov	edi, 8
	pushad
	CHECK	{esp, STACK - 32}, {mem32, STACK - 4, 1}, {mem32, STACK - 8, 2}, {mem32, STACK - 12, 3}, {mem32, STACK - 16, 4}
	CHECK	{mem32, STACK - 20, STACK}, {mem32, STACK - 24, 6}, {mem32, STACK - 28, 7}, {mem32, STACK - 32, 8}
	mov	dword [STACK - 20], 0x5555	; POPA does not load ESP
	add	dword [STACK - 32], 0x100
	popad
	CHECK	{esp, STACK}, {eax, 1}, {ecx, 2}, {edx, 3}, {ebx, 4}, {ebp, 6}, {esi, 7}, {edi, 0x108}
	mov	eax, 0xaaaa0001
	mov	edi, 0xdddd0008
	pushaw
	CHECK	{esp, STACK - 16}, {mem16, STACK - 2, 1}, {mem16, STACK - 10, STACK & 0xffff}, {mem16, STACK - 16, 8}
	mov	eax, 0xbbbb0000
	mov	edi, 0xeeee0000
	popaw
	CHECK	{esp, STACK}, {eax, 0xbbbb0001}, {edi, 0xeeee0008}
	; frames
	mov	ebp, 0x9000
	enter	0x20, 0
	CHECK	{ebp, STACK - 4}, {esp, STACK - 0x24}, {mem32, STACK - 4, 0x9000}
	leave
	CHECK	{ebp, 0x9000}, {esp, STACK}
	mov	dword [0x9000 - 4], 0x1111
	mov	dword [0x9000 - 8], 0x2222
	enter	8, 3
	CHECK	{ebp, STACK - 4}, {esp, STACK - 16 - 8}, {mem32, STACK - 4, 0x9000}, {mem32, STACK - 8, 0x1111}, {mem32, STACK - 12, 0x2222}, {mem32, STACK - 16, STACK - 4}
	leave
	CHECK	{ebp, 0x9000}, {esp, STACK}
	mov	ebp, 0x12349000
	enter	4, 1
	leave
	CHECK	{ebp, 0x12349000}
	o16 enter 2, 0
	CHECK	{esp, STACK - 4}, {ebp, 0x12340000 | (STACK - 2)}, {mem16, STACK - 2, 0x9000}
	mov	ebp, STACK - 2
	o16 leave
	CHECK	{esp, STACK}, {ebp, 0x9000}
	; segment registers
	mov	dword [STACK - 4], 0xffffffff
	push	ds
	CHECK	{esp, STACK - 4}, {mem16, STACK - 4, DATA32}
	pop	es
	CHECK	{esp, STACK}, {es, DATA32}
	o16 push fs
	CHECK	{esp, STACK - 2}, {mem16, STACK - 2, DATA32}
	o16 pop	gs
	CHECK	{esp, STACK}
	; flags
	std
	stc
	pushfd
	CHECK	{mem32, STACK - 4, DF|CF|2}
	popfd
	push	dword CF|ZF|OF|2
	popfd
	CHECK	{flags, CF|ZF|OF, ARITH|DF}, {esp, STACK}
	pushfw
	CHECK	{esp, STACK - 2}, {mem16, STACK - 2, CF|ZF|OF|2}
	popfw
	; wrap of the whole space is not a fault by itself, memory there is a hole
	mov	esp, 0
	mov	esp, STACK
	DONE
