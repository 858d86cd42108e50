; SPDX-License-Identifier: GPL-2.0-or-later
; IN and OUT of all widths, INS and OUTS, and the I/O permission bitmap at CPL 3.
%include "isa.inc"
PROGRAM PM32_3
	mov	dx, 0x140
	mov	eax, 0x44332211
	out	dx, eax
	in	al, 0x40
	CHECK	{eax, 0x44332211}
	mov	eax, -1
	in	ax, dx
	CHECK	{eax, 0xffff2211}
	in	eax, dx
	CHECK	{eax, 0x44332211}
	mov	al, 0x99
	out	0x43, al
	in	eax, dx
	CHECK	{eax, 0x99332211}
	mov	dword [0x20000], 0x0d0c0b0a
	mov	dword [0x20004], 0x1d1c1b1a
	mov	esi, 0x20000
	mov	ecx, 2
	rep outsd
	in	eax, dx
	CHECK	{eax, 0x1d1c1b1a}, {esi, 0x20008}, {ecx, 0}
	mov	edi, 0x20010
	mov	ecx, 3
	rep insw
	CHECK	{mem32, 0x20010, 0x1b1a1b1a}, {mem32, 0x20014, 0x1b1a}, {edi, 0x20016}
	std
	insb
	CHECK	{edi, 0x20015}, {mem32, 0x20014, 0x1a1b1a}
	cld
	; INS to where one may not write: no input is lost
	mov	ax, READ_ONLY | 3
	mov	es, ax
	mov	edi, 0
	FAULTS	E_GP, 0, insb
	mov	ax, LIMIT_4K | 3
	mov	es, ax
	mov	edi, 0xffe
	mov	ecx, 4
	FAULTS_PART E_GP, 0, rep insb
	CHECK	{edi, 0x1000}, {ecx, 2}
	; take port 150 away
	mov	byte [TSS_ + 0x68 + 0x150 / 8], 1
	mov	dx, 0x150
	FAULTS	E_GP, 0, in al, dx
	FAULTS	E_GP, 0, out dx, al
	FAULTS	E_GP, 0, outsb
	mov	dx, 0x14f
	in	al, dx
	FAULTS	E_GP, 0, in ax, dx
	FAULTS	E_GP, 0, out dx, eax
	mov	dx, 0x14d
	FAULTS	E_GP, 0, in eax, dx
	in	ax, dx
	mov	dx, 0x151
	in	al, dx
	; beyond the TSS's limit
	mov	dx, 0xffff
	in	al, dx
	FAULTS	E_GP, 0, in ax, dx
	DONE
