; SPDX-License-Identifier: GPL-2.0-or-later
; FNSTENV and FNSAVE in real-address mode: 16- and 32-bit formats, with linear addresses and the opcode (SDM vol. 1, figures 8-10, 8-12). An exception is pending, so that
; pointers are there whatever the processor.
%include "isa.inc"
E	equ 0xa000

PROGRAM REAL
	mov	di, E
	mov	cx, 0x100
	mov	eax, 0xdddddddd
	rep	stosd
	mov	bp, 5
.round:	fninit
	fldcw	[control]
	fld1
.at:	fdiv	dword [zero]
	fnstenv	[E]
	fninit
	CHECK	{mem16, E, 0x37b}, {mem16, E + 2, 0xb884}, {mem16, E + 4, 0x3fff}, {mem16, E + 6, .at}, {mem16, E + 8, 0x036}, {mem16, E + 10, zero}, {mem16, E + 12, 0}, {mem16, E + 14, 0xdddd}
	fninit
	fldcw	[control]
	fld1
.at2:	fdiv	dword [zero]
	o32 fnstenv [E + 0x40]
	fninit
	CHECK	{mem32, E + 0x40, 0xffff037b}, {mem32, E + 0x44, 0xffffb884}, {mem32, E + 0x48, 0xffff3fff}, {mem16, E + 0x4c, .at2}, {mem32, E + 0x50, 0x036}, {mem16, E + 0x54, zero}, {mem32, E + 0x58, 0}
	fninit
	fldcw	[control]
	fld1
.at3:	fdiv	dword [zero]
	fnsave	[E + 0x80]
	CHECK	{mem16, E + 0x86, .at3}, {mem16, E + 0x88, 0x036}, {mem32, E + 0x80 + 14 + 4, 0x80000000}, {mem16, E + 0x80 + 14 + 8, 0x3fff}, {mem16, E + 0x80 + 94, 0xdddd}, {fcw, 0x37f}, {ftw, 0}
	frstor	[E + 0x80]
	CHECK	{fcw, 0x37b}, {ftw, 0x80}, {fsw, 0xb884}
	o32 fnsave [E + 0x100]
	CHECK	{mem16, E + 0x10c, .at3}, {mem32, E + 0x110, 0x036}, {mem16, E + 0x100 + 28 + 8, 0x3fff}, {mem16, E + 0x100 + 108, 0xdddd}
	dec	bp
	jnz	.round
	DONE
	align	4
zero:	dd 0
control: dw 0x37b
