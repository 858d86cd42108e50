; SPDX-License-Identifier: GPL-2.0-or-later
; Device memory, holes and ROM-like behaviour: every kind of access, and loops that make an engine adapt.
%include "isa.inc"
PROGRAM PM32
	mov	ebx, IOPAGE
	mov	dword [ebx], 0x11223344
	CHECK	{mem32, IOPAGE, 0x11223344}
	mov	eax, [ebx]
	mov	cx, [ebx + 1]
	mov	dl, [ebx + 3]
	mov	dh, [ebx + 2]
	CHECK	{eax, 0x11223344}, {cx, 0x2233}, {dx, 0x2211}
	add	dword [ebx], 0x10
	inc	byte [ebx + 4]
	lock xadd [ebx], eax
	CHECK	{mem32, IOPAGE, 0x22446698}, {eax, 0x11223354}, {mem8, IOPAGE + 4, 1}
	xchg	[ebx + 8], eax
	push	dword [ebx + 8]
	pop	dword [ebx + 12]
	CHECK	{mem32, IOPAGE + 12, 0x11223354}, {esp, STACK}
	bts	dword [ebx + 16], 5
	movzx	esi, word [ebx + 16]
	CHECK	{esi, 0x20}, {flags, 0, CF}
	cmp	dword [ebx + 16], 0x20
	CHECK	{flags, ZF|PF, ARITH}
	; over and over
	mov	ecx, 100
	xor	eax, eax
.loop:	mov	[ebx + 0x20], ecx
	add	eax, [ebx + 0x20]
	loop	.loop
	CHECK	{eax, 5050}, {mem32, IOPAGE + 0x20, 1}
	; the same instruction now on memory: it adapts back
	mov	edi, 0x20000
	mov	ecx, 2000
	mov	ebx, IOPAGE
.again:	mov	[ebx + 0x30], ecx
	mov	eax, [ebx + 0x30]
	mov	ebx, edi
	loop	.again
	CHECK	{mem32, 0x20030, 1}, {mem32, IOPAGE + 0x30, 2000}
	; the stack in device memory
	mov	esp, IOPAGE + 0x100
	push	dword 0x12345678
	call	.f
	pop	eax
	CHECK	{esp, IOPAGE + 0x100}, {eax, 0x12345678}

	mov	esp, STACK
	; x87 and SSE
	fld1
	fstp	dword [IOPAGE + 0x40]
	CHECK	{mem32, IOPAGE + 0x40, 0x3f800000}
	movups	xmm0, [IOPAGE + 0x38]
	movups	[IOPAGE + 0x50], xmm0
	CHECK	{mem32, IOPAGE + 0x58, 0x3f800000}
	; a hole reads ones
	mov	eax, [0x3000000]
	mov	dword [0x3000000], 0
	mov	ecx, [0x3000000]
	CHECK	{eax, -1}, {ecx, -1}
	mov	ecx, 3
	mov	edi, 0x3000000
	rep stosb
	mov	esi, 0x3000000
	mov	edi, 0x22000
	mov	ecx, 2
	rep movsd
	CHECK	{mem32, 0x22004, -1}
	; a hole and a device in one operand
	mov	dword [IOPAGE - 2], 0xddccbbaa
	CHECK	{mem16, IOPAGE, 0xddcc}
	mov	eax, [IOPAGE - 2]
	CHECK	{eax, 0xddccffff}
	; the end of RAM
	mov	dword [0x120000 - 2], 0x44332211
	mov	eax, [0x120000 - 4]
	CHECK	{eax, 0x22110000}
	; code in device memory
	mov	dword [IOPAGE + 0x200], 0x55b8
	mov	dword [IOPAGE + 0x204], 0xc300
	call	.iocode
	CHECK	{eax, 0x55}, {esp, STACK}
	DONE
.iocode:
	mov	eax, IOPAGE + 0x200
	jmp	eax
.f:	ret

