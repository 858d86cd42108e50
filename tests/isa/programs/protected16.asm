; SPDX-License-Identifier: GPL-2.0-or-later
; 16-bit protected mode: segments with limits, 32-bit operands and addresses by prefix, calls to 32-bit code and back.
%include "isa.inc"
PROGRAM PM16
	CHECK	{cs, CODE16}, {ss, DATA16}, {sp, STACK}
	FAULTS	E_GP, 0, mov ax, [0xffff]
	FAULTS	E_GP, 0, mov eax, [dword 0x10000]
	mov	bp, 0xffff
	FAULTS	E_SS, 0, mov ax, [bp]
	mov	ax, LIMIT_4K
	mov	ds, ax
	mov	word [0xffe], 0x1234
	FAULTS	E_GP, 0, mov word [0xfff], ax
	FAULTS	E_GP, 0, inc byte [0x1000]
	CHECK	{mem16, BASED + 0xffe, 0x1234}
	mov	ax, DOWN_16
	mov	es, ax
	FAULTS	E_GP, 0, mov al, [es:0xfff]
	mov	byte [es:0xffff], 0x66
	CHECK	{mem8, BASED + 0xffff, 0x66}
	mov	si, 0xff0
	mov	di, 0xfff8
	mov	cx, 16
	cld
	FAULTS_PART E_GP, 0, rep movsb	; DI wraps to 0, which is below the expand-down segment
	CHECK	{di, 0}, {si, 0xff8}, {cx, 8}
	mov	ax, DATA32
	mov	ds, ax
	mov	es, ax
	mov	edi, 0x30000
	mov	dword [edi], 0x89abcdef
	mov	ecx, 0x10
	add	dword [edi + ecx * 4 - 0x40], 1
	CHECK	{mem32, 0x30000, 0x89abcdf0}
	mov	esi, edi
	add	edi, 16
	mov	ecx, 24
	a32 rep movsw
	CHECK	{edi, 0x30040}, {ecx, 0}
	; to 32-bit code and back
	call	dword CODE32:.c32
	CHECK	{eax, 0x3232}, {sp, STACK}, {cs, CODE16}
	; a based code segment
	mov	si, .based
	mov	di, 0x100
	mov	ax, CODE16_BASED
	mov	bx, BASED_4G
	mov	es, bx
	mov	cx, .based_end - .based
	rep movsb
	call	CODE16_BASED:0x100
	CHECK	{ax, 0x5678}, {cs, CODE16}
	call	CODE16_BASED:0x103
	CHECK	{ax, 0x5678}
	FAULTS	E_GP, CODE16, mov ss, [.cs]
	DONE
	bits 32
.c32:	mov	eax, 0x3232
	retf
	bits 16
.based:	mov	ax, 0x5678
	push	cs
	pop	dx
	retf
.based_end:
.cs:	dw CODE16
