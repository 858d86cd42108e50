; SPDX-License-Identifier: GPL-2.0-or-later
; Far calls within ring 0, call gates, ring 3 and back, 16-bit code from 32-bit code.
%include "isa.inc"
PROGRAM PM32
	call	CODE32:.far1
	CHECK	{esp, STACK}, {eax, 0x11}
	push	dword 1
	push	dword 2
	call	CODE32:.far2
	CHECK	{esp, STACK}
	mov	dword [0xa000], .far1
	mov	word [0xa004], CODE32
	call	far [0xa000]
	CHECK	{esp, STACK}
	jmp	CODE32:.j1
	NEVER
.far1:	mov	eax, 0x11
	retf
.far2:	retf	8
.j1:	jmp	far [.ptr]
	NEVER
.ptr:	dd .j2
	dw CODE32
.j2:	; 16-bit code
	call	CODE16:.code16
	CHECK	{eax, 0x22}, {cs, CODE32}
	; a call gate of the same ring
	mov	eax, .gate
	mov	[GDT + CALL_GATE], ax
	mov	word [GDT + CALL_GATE + 2], CODE32
	mov	dword [GDT + CALL_GATE + 4], 0xec00 | 2	; DPL 3, 32-bit, two parameters
	call	CALL_GATE:0x12345678
	CHECK	{eax, 0x33}, {esp, STACK}
	; out to ring 3, with data segments of ring 0: they become null
	mov	ax, DATA32
	mov	es, ax
	mov	ax, BASED_4G
	mov	gs, ax
	push	dword DATA32_3
	push	dword 0xe000
	push	dword CODE32_3
	push	dword .ring3
	retf
	NEVER
.ring3:
	CHECK	{cs, CODE32_3}, {ss, DATA32_3}, {esp, 0xe000}, {es, 0}, {ds, 0}, {gs, BASED_4G}
	mov	ax, DATA32_3
	mov	ds, ax
	mov	es, ax
	; and in through the gate: parameters are copied; the return with a count drops them from both stacks
	push	dword 0x1111
	push	dword 0x2222
	call	CALL_GATE | 3:0
	CHECK	{eax, 0x44}, {cs, CODE32_3}, {esp, 0xe000}
	call	.stack
	push	dword 0x3333
	push	dword 0x4444
	call	CALL_GATE | 3:0
	CHECK	{esp, 0xe000}, {mem32, STACK0 - 16, 0x4444}
	; in by an interrupt, which stays in ring 0
	DONE
	NEVER
.stack:	ret
.gate:	mov	ax, cs
	test	dword [esp + 4], 3
	jnz	.inner
	mov	eax, 0x33
	retf
.inner:	CHECK	{cs, CODE32}, {ss, DATA32}, {esp, STACK0 - 24}
	mov	eax, 0x44
	retf	8
	bits 16
.code16:
	mov	eax, 0x22
	CHECK	{cs, CODE16}
	o32 retf
	bits 32
