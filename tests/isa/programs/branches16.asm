; SPDX-License-Identifier: GPL-2.0-or-later
; Near transfers in 16-bit code: IP wraps or faults at 64 KiB, 32-bit operand sizes are checked against the limit.
%include "isa.inc"
PROGRAM REAL
	mov	ecx, 0x50003
	xor	ax, ax
.l1:	inc	ax
	loop	.l1
	CHECK	{eax, 3}, {ecx, 0x50000}
	mov	ecx, 3
.l2:	inc	ax
	a32 loop .l2
	CHECK	{eax, 6}, {ecx, 0}
	mov	ecx, 0x10000
	jcxz	.z1
	NEVER
.z1:	jecxz	.z2
	jmp	.z3
.z2:	NEVER
.z3:	mov	sp, STACK
	call	.f1
	CHECK	{ax, 0x1234}, {sp, STACK}, {mem16, STACK - 2, .after1}
.after1 equ $ - 2
	mov	eax, 0xffff0000 + .f1	; the low half counts
	call	ax
	CHECK	{sp, STACK}
	movzx	eax, ax
	mov	eax, .f2
	call	eax			; 32-bit: pushes EIP
	CHECK	{sp, STACK}, {mem32, STACK - 4, .after2}
.after2 equ $ - 2
	call	dword .f2
	CHECK	{sp, STACK}
	mov	word [0xa000], .f1
	call	[0xa000]
	mov	dword [0xa000], .f2
	call	dword [0xa000]
	CHECK	{sp, STACK}
	; targets beyond the limit
	mov	eax, 0x10000
	FAULTS	E_GP, NOERR, jmp eax
	FAULTS	E_GP, NOERR, call eax
	mov	dword [0xa000], 0xffffffff
	FAULTS	E_GP, NOERR, jmp dword [0xa000]
	FAULTS	E_GP, NOERR, call dword [0xa000]
	push	dword 0x10000
	FAULTS	E_GP, NOERR, o32 ret
	mov	sp, STACK
	; an instruction that ends at the limit goes on at 10000: a fault there, at IP 0 after truncation of the saved one
	mov	byte [0xffff], 0x90
	mov	ax, 0xffff
	mov	bx, 0
	FAULT_AT E_GP, NOERR, 0, .l3
	jmp	ax
	NEVER
.l3:	CHECK	{sp, STACK}
	; one that crosses the limit
	mov	word [0xfffe], 0x00b8	; mov ax, ..
	mov	ax, 0xfffe
	FAULT_AT E_GP, NOERR, 0xfffe, .l4
	jmp	ax
	NEVER
.l4:	CHECK	{ax, 0xfffe}
	; a short jump at the end wraps with operand size 16
	mov	word [0xfffc], 0x04eb	; jmp short +4: FFFE + 4 = 2
	mov	byte [2], 0xe9		; in the IVT: jmp .l5
	mov	word [3], .l5 - 5
	mov	ax, 0xfffc
	jmp	ax
	NEVER
.l5:	mov	word [2], 0
	mov	word [0], STUBS16
	CHECK	{ax, 0xfffc}
	; code with another base
	call	0x100:LOAD - 0x1000 + (.far - LOAD)
	CHECK	{cs, 0}, {sp, STACK}, {bx, 0x77}
	jmp	0x200:(.seg - 0x2000)
.far:	mov	bx, 0x77
	call	.near
	retf
.near:	ret
.seg:	mov	ax, cs
	CHECK	{cs, 0x200}, {ax, 0x200}
.back:	push	word 0
	push	word .end
	mov	cx, 8
	retf
.end:	CHECK	{cs, 0}
	jmp	dword 0:.end2
	NEVER
.end2:	DONE
.f1:	mov	ax, 0x1234
	ret
.f2:	o32 ret
