; SPDX-License-Identifier: GPL-2.0-or-later
; String instructions in flat 32-bit code.
%include "isa.inc"
SRC equ 0x20000
DST equ 0x21000
PROGRAM PM32
	; a pattern
	mov	edi, SRC
	mov	ecx, 256
	xor	eax, eax
.fill:	stosb
	inc	eax
	loop	.fill
	CHECK	{edi, SRC + 256}, {mem32, SRC, 0x03020100}, {mem32, SRC + 252, 0xfffefdfc}
	; one at a time, both directions
	mov	esi, SRC
	mov	edi, DST
	stc
	movsb
	CHECK	{esi, SRC + 1}, {edi, DST + 1}, {flags, CF, CF}
	movsw
	movsd
	CHECK	{esi, SRC + 7}, {edi, DST + 7}, {mem32, DST, 0x03020100}
	std
	movsd
	movsw
	movsb
	CHECK	{esi, SRC}, {edi, DST}
	cld
	lodsb
	CHECK	{al, 0}, {esi, SRC + 1}
	lodsw
	lodsd
	CHECK	{eax, 0x06050403}, {esi, SRC + 7}
	; repeated
	mov	esi, SRC
	mov	edi, DST
	mov	ecx, 64
	rep movsd
	CHECK	{ecx, 0}, {esi, SRC + 256}, {edi, DST + 256}, {mem32, DST + 252, 0xfffefdfc}
	mov	esi, SRC
	mov	edi, DST
	mov	ecx, 256
	repe cmpsb
	CHECK	{ecx, 0}, {esi, SRC + 256}, {flags, ZF|PF, ARITH}
	mov	byte [DST + 100], 0
	mov	esi, SRC
	mov	edi, DST
	mov	ecx, 256
	repe cmpsb
	CHECK	{ecx, 155}, {esi, SRC + 101}, {edi, DST + 101}, {flags, 0, ZF|CF}
	mov	esi, SRC
	mov	edi, DST
	mov	ecx, 64
	repe cmpsd
	CHECK	{ecx, 38}, {esi, SRC + 104}, {edi, DST + 104}, {flags, 0, ZF}
	mov	edi, SRC
	mov	ecx, 256
	mov	al, 0x80
	repne scasb
	CHECK	{ecx, 127}, {edi, SRC + 129}, {flags, ZF, ZF}
	mov	edi, SRC
	mov	ecx, 10
	mov	eax, 0x12345678
	repne scasd
	CHECK	{ecx, 0}, {edi, SRC + 40}, {flags, 0, ZF}
	; count zero: nothing, no flags
	xor	ecx, ecx
	stc
	mov	esi, 0xfffffff0
	mov	edi, 0xfffffff0
	rep movsb
	repe cmpsb
	repne scasd
	rep lodsd
	CHECK	{esi, 0xfffffff0}, {edi, 0xfffffff0}, {flags, CF, CF}
	; overlap: a byte spreads forward, a copy is a copy backward
	mov	byte [DST], 0xaa
	mov	esi, DST
	mov	edi, DST + 1
	mov	ecx, 31
	rep movsb
	CHECK	{mem32, DST, 0xaaaaaaaa}, {mem32, DST + 28, 0xaaaaaaaa}
	mov	esi, SRC + 31
	mov	edi, SRC + 32
	mov	ecx, 32
	std
	rep movsb
	cld
	CHECK	{mem32, SRC, 0x02010000}, {mem32, SRC + 29, 0x1f1e1d1c}, {esi, SRC - 1}, {edi, SRC}
	mov	edi, DST + 60
	mov	ecx, 16
	mov	eax, 0x01020304
	std
	rep stosd
	cld
	CHECK	{mem32, DST, 0x01020304}, {mem32, DST + 60, 0x01020304}, {edi, DST - 4}
	mov	esi, SRC
	mov	ecx, 5
	rep lodsb
	CHECK	{ecx, 0}, {al, 3}
	; word forms, F2 with instructions that do not compare: as F3
	mov	esi, SRC + 64
	mov	edi, DST
	mov	ecx, 8
	repne movsw
	CHECK	{ecx, 0}, {mem32, DST, 0x43424140}
	; address size 16: SI, DI, CX
	mov	ax, 0x1111
	mov	edi, 0x5678fffe
	mov	ecx, 0x99990002
	a16 rep stosw			; wraps at 64 KiB: FFFE, 0
	CHECK	{edi, 0x56780002}, {ecx, 0x99990000}, {mem16, 0xfffe, 0x1111}, {mem16, 0, 0x1111}
	; segment overrides: the source only
	push	dword BASED_4G
	pop	gs
	mov	esi, 64 - (SRC - BASED)
	mov	edi, DST
	mov	ecx, 4
	gs rep movsb
	CHECK	{mem32, DST, 0x43424140}, {esi, 68 - (SRC - BASED)}
	push	dword LIMIT_4K
	pop	fs
	mov	esi, 0xffc
	mov	ecx, 2
	FAULTS_PART E_GP, 0, fs rep lodsd	; the second is beyond the limit
	CHECK	{esi, 0x1000}, {ecx, 1}
	push	dword LIMIT_4K
	pop	es
	mov	edi, 0xff8
	mov	ecx, 10
	mov	eax, 0x5a5a5a5a
	FAULTS_PART E_GP, 0, rep stosd
	CHECK	{edi, 0x1000}, {ecx, 8}, {mem32, BASED + 0xff8, 0x5a5a5a5a}, {mem32, BASED + 0xffc, 0x5a5a5a5a}, {mem32, BASED + 0x1000, 0x43424140}
	mov	edi, 0xffe
	FAULTS	E_GP, 0, stosd
	mov	esi, SRC
	mov	edi, 0xffe
	mov	ecx, 3
	FAULTS_PART E_GP, 0, rep movsb
	CHECK	{edi, 0x1000}, {ecx, 1}, {esi, SRC + 2}
	mov	ecx, 5
	mov	edi, 0x20
	mov	esi, 0xffe
	FAULTS_PART E_GP, 0, fs repe cmpsd
	CHECK	{ecx, 5}, {edi, 0x20}, {esi, 0xffe}
	push	ds
	pop	es
	; a long one across pages, and device memory
	mov	edi, 0x30000
	mov	ecx, 0x1000
	mov	eax, 0x0badf00d
	rep stosd
	CHECK	{mem32, 0x30000, 0x0badf00d}, {mem32, 0x33ffc, 0x0badf00d}, {edi, 0x34000}
	mov	esi, 0x30ffe
	mov	edi, IOPAGE + 0x10
	mov	ecx, 5
	rep movsw
	CHECK	{mem32, IOPAGE + 0x10, 0xf00d0bad}, {edi, IOPAGE + 0x1a}
	mov	esi, IOPAGE + 0x10
	mov	edi, 0x22000
	mov	ecx, 2
	rep movsd
	CHECK	{mem32, 0x22004, 0xf00d0bad}
	DONE
