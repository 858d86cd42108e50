; SPDX-License-Identifier: GPL-2.0-or-later
; Decimal adjustments, SALC, XLAT, and others that a 64-bit host lacks. The matrix has them against the host; here are the manual's examples.
%include "isa.inc"
PROGRAM PM32
	mov	al, 0x79
	add	al, 0x35
	daa
	CHECK	{al, 0x14}, {flags, CF|AF, CF|AF}
	mov	al, 0x2e
	clc
	daa
	CHECK	{al, 0x34}, {flags, AF, CF|AF}
	mov	al, 0x35
	sub	al, 0x47
	das
	CHECK	{al, 0x88}, {flags, CF|AF, CF|AF}
	mov	ax, 0x0106
	add	al, 0x05
	aaa
	CHECK	{ax, 0x0201}, {flags, CF|AF, CF|AF}
	mov	ax, 0x0203
	sub	al, 0x05
	aas
	CHECK	{ax, 0x0108}, {flags, CF|AF, CF|AF}
	mov	al, 63
	aam
	CHECK	{ax, 0x0603}
	aad
	CHECK	{ax, 63}
	mov	ax, 0x0123
	aam	16
	CHECK	{ax, 0x0203}
	aad	16
	CHECK	{ax, 0x0023}
	stc
	db	0xd6			; SALC
	CHECK	{al, 0xff}
	clc
	db	0xd6
	CHECK	{al, 0}
	mov	ebx, .table
	mov	al, 3
	xlatb
	CHECK	{al, 0x33}
	mov	eax, 0xffffff01
	cs xlatb
	CHECK	{eax, 0xffffff11}
	mov	bx, .table
	mov	al, 2
	a16 xlatb
	CHECK	{al, 0x22}
	lahf
	sahf
	cmc
	inc	eax
	dec	ecx
	DONE
.table:	db 0, 0x11, 0x22, 0x33
