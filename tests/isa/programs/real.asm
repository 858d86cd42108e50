; SPDX-License-Identifier: GPL-2.0-or-later
; Real-address mode: interrupts through the vector table, segments, faults without error codes, big real mode by way of protected mode.
%include "isa.inc"
PROGRAM REAL
	sti
	TRAPS	0x21, int 0x21
	CHECK	{sp, STACK}, {flags, IF, IF}
	TRAPS	E_BP, int3
	xor	cx, cx
	FAULTS	E_DE, NOERR, div cx
	FAULTS	E_UD, NOERR, ud2
	FAULTS	E_UD, NOERR, sldt ax
	FAULTS	E_UD, NOERR, lar ax, ax
	FAULTS	E_GP, NOERR, mov ax, [0xffff]
	FAULTS	E_GP, NOERR, mov [0xfffd], eax
	FAULTS	E_GP, NOERR, mov eax, [dword 0x10000]
	mov	bp, 0xffff
	FAULTS	E_SS, NOERR, mov ax, [bp]
	FAULTS	E_SS, NOERR, mov [bp], ax
	mov	al, [bp]
	mov	word [0xa000], 5
	mov	word [0xa002], 10
	mov	ax, 11
	FAULTS	E_BR, NOERR, bound ax, [0xa000]
	mov	ax, 0x7fff
	inc	ax
	TRAPS	E_OF, into
	; a handler of our own
	mov	word [0x60 * 4], .isr
	mov	word [0x60 * 4 + 2], 0
	mov	bx, 1
	stc
	std
	int	0x60
	CHECK	{bx, 2}, {flags, CF|DF|IF, CF|DF|IF}, {sp, STACK}
	cld
	cli
	; segment arithmetic: wraps at 1 MiB are addresses above it
	mov	ax, 0xffff
	mov	es, ax
	mov	byte [es:0x10], 0x5a
	mov	byte [es:0xffff], 0xa5
	CHECK	{mem8, 0x100000, 0x5a}, {mem8, 0x10ffef, 0xa5}
	mov	ax, 0x9fff
	mov	ds, ax
	mov	word [0xfffe], 0x4321
	xor	ax, ax
	mov	ds, ax
	; 32-bit addressing with scaled index
	mov	eax, 0x100
	mov	ecx, 0x10
	mov	dword [eax + ecx * 8 + 0xa000], 0x77777777
	CHECK	{mem32, 0xa180, 0x77777777}
	; big real mode
	lgdt	[.gdtr]
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	mov	bx, DATA32
	mov	es, bx
	and	al, ~1
	mov	cr0, eax
	mov	edi, 0x110000
	mov	dword [es:edi], 0x11223344
	CHECK	{mem32, 0x110000, 0x11223344}, {es, DATA32}
	mov	eax, 0x89abcdef
	mov	ecx, 4
	a32 rep stosd
	CHECK	{mem32, 0x11000c, 0x89abcdef}, {edi, 0x110010}
	mov	ax, 0x100
	mov	es, ax			; the limit stays
	mov	byte [es:edi], 0x66
	CHECK	{mem8, 0x111010, 0x66}
	; protected mode and back, 32-bit code on the way
	cli
	lidt	[.idtr]
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	jmp	CODE32:.prot
	bits 32
.prot:	mov	ax, DATA32
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	esp, STACK
	CHECK	{cs, CODE32}
	mov	dword [0x114000], 0x31313131
	CHECK	{mem32, 0x114000, 0x31313131}
	FAULTS	E_UD, NOERR, ud2
	jmp	CODE16:.prot16
	bits 16
.prot16:
	mov	ax, DATA16
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	sp, STACK
	FAULTS	E_GP, 0, mov ax, [0xffff]
	mov	eax, cr0
	and	al, ~1
	mov	cr0, eax
	jmp	0:.real
.real:	xor	ax, ax
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	lidt	[.ivt]
	CHECK	{cs, 0}
	TRAPS	0x33, int 0x33
	FAULTS	E_GP, NOERR, mov ax, [0xffff]
	DONE
.isr:	inc	bx
	clc
	iret
	align 8
.gdtr:	dw 0x107
	dd GDT
.idtr:	dw 0x7ff
	dd IDT
.ivt:	dw 0x3ff
	dd 0
