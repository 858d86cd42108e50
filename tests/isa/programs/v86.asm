; SPDX-License-Identifier: GPL-2.0-or-later
; V86 mode with IOPL 3: segments are paragraphs, faults and interrupts go to ring 0 through the IDT and come back.
%include "isa.inc"
PROGRAM V86
	mov	ax, 0x2000
	mov	ds, ax
	mov	es, ax
	mov	word [0x10], 0x1234
	CHECK	{mem16, 0x20010, 0x1234}, {ds, 0x2000}
	mov	ax, [0x10]
	mov	gs, ax
	CHECK	{gs, 0x1234}
	FAULTS	E_GP, 0, mov al, [dword 0x10000]
	FAULTS	E_GP, 0, mov [0xffff], ax
	FAULTS	E_UD, NOERR, ud2
	FAULTS	E_GP, 0, hlt
	FAULTS	E_GP, 0, mov eax, cr0
	FAULTS	E_GP, 0, lgdt [0]
	FAULTS	E_GP, 0, clts
	FAULTS	E_UD, NOERR, sldt ax
	FAULTS	E_UD, NOERR, str ax
	FAULTS	E_UD, NOERR, lar ax, ax
	FAULTS	E_UD, NOERR, verr ax
	FAULTS	E_UD, NOERR, arpl ax, ax
	xor	cx, cx
	FAULTS	E_DE, NOERR, div cx
	; IOPL 3: these work
	cli
	CHECK	{flags, 0, IF}
	sti
	nop
	CHECK	{flags, IF, IF}
	pushf
	pop	bx
	and	bx, 0x3200
	CHECK	{bx, 0x3200}
	push	word 0x3000|CF|2
	popf
	CHECK	{flags, CF|0x3000, IF|CF|0x3000}
	TRAPS	0x40, int 0x40
	TRAPS	E_BP, int3
	CHECK	{ds, 0x2000}, {es, 0x2000}, {gs, 0x1234}, {sp, STACK}
	; IRET within V86
	pushf
	push	word 0x100
	push	word .there - 0x1000
	iret
	NEVER
.there:	CHECK	{cs, 0x100}, {sp, STACK}
	call	0:.far
	jmp	0:.back
.far:	mov	bx, 0x4321
	retf
.back:	CHECK	{bx, 0x4321}, {cs, 0}
	mov	dx, 0x120
	mov	al, 0x77
	out	dx, al
	mov	al, 0
	in	al, dx
	CHECK	{al, 0x77}
	mov	si, 0x10
	mov	di, 0xffff
	mov	cx, 2
	rep movsb
	CHECK	{di, 1}, {si, 0x12}
	; LDS, LES, POP
	mov	dword [0x20], 0x30000005
	les	di, [0x20]
	mov	byte [es:di], 0x99
	CHECK	{es, 0x3000}, {mem16, 0x30005, 0x99}
	push	word 0x2001
	pop	fs
	mov	ax, [fs:0]
	CHECK	{fs, 0x2001}, {ax, 0x1234}
	mov	ax, 0x1000
	mov	ss, ax
	mov	sp, 0x800
	push	ax
	CHECK	{mem16, 0x107fe, 0x1000}
	DONE
