; SPDX-License-Identifier: GPL-2.0-or-later
; String instructions in real-address mode: SI and DI wrap, segments have bases.
%include "isa.inc"
PROGRAM REAL
	mov	ax, 0x2000
	mov	ds, ax
	mov	ax, 0x3000
	mov	es, ax
	mov	ax, 0x2fff
	mov	gs, ax
	cld
	mov	edi, 0x11110000
	mov	ecx, 0x22220100
	xor	ax, ax
.fill:	mov	[di], al
	inc	ax
	inc	di
	loop	.fill
	mov	esi, 0x44440000
	mov	di, 0x10
	mov	cx, 4
	rep movsd
	CHECK	{esi, 0x44440010}, {edi, 0x11110020}, {ecx, 0x22220000}, {mem32, 0x30010, 0x03020100}, {mem32, 0x3001c, 0x0f0e0d0c}
	; wrap of both
	mov	di, 0xfffe
	mov	si, 0x20
	mov	cx, 4
	rep movsb
	CHECK	{di, 2}, {si, 0x24}, {mem16, 0x3fffe, 0x2120}, {mem16, 0x30000, 0x2322}
	mov	si, 1
	mov	di, 1
	mov	cx, 2
	std
	rep movsb
	CHECK	{si, 0xffff}, {di, 0xffff}, {mem16, 0x30000, 0x0100}
	mov	si, 0
	mov	cx, 1
	lodsw
	CHECK	{si, 0xfffe}, {ax, 0x0100}
	cld
	; a word at FFFF does not wrap: it faults
	mov	di, 0xffff
	FAULTS	E_GP, NOERR, stosw
	mov	si, 0xfffd
	FAULTS	E_GP, NOERR, lodsd
	mov	di, 0xfffe
	mov	si, 0
	mov	cx, 3
	rep movsw
	CHECK	{di, 4}, {mem16, 0x3fffe, 0x0100}
	; 32-bit addresses, limit FFFF
	mov	esi, 0x10000
	FAULTS	E_GP, NOERR, a32 lodsb
	mov	esi, 0xfffe
	mov	edi, 0x40
	mov	ecx, 4
	FAULTS_PART E_GP, NOERR, a32 rep movsb
	CHECK	{esi, 0x10000}, {edi, 0x42}, {ecx, 2}
	mov	ecx, 0x22220004
	; overrides
	mov	si, 0x10
	mov	di, 0x80
	mov	cx, 4
	es rep movsb
	CHECK	{mem32, 0x30080, 0x03020100}
	mov	si, 0x18
	gs lodsw			; 30008
	CHECK	{ax, 0}
	mov	si, 0
	ss lodsw			; IVT
	CHECK	{ax, STUBS16}
	; compare and scan
	mov	si, 0
	mov	di, 0x10
	mov	cx, 0x10
	repe cmpsw
	CHECK	{flags, 0, ZF}, {cx, 7}, {si, 18}
	mov	di, 0x10
	mov	cx, 0xffff
	mov	al, 5
	repne scasb
	CHECK	{di, 0x16}, {flags, ZF, ZF}, {cx, 0xffff - 6}
	; XLAT
	mov	bx, 0xfff8
	mov	al, 0x10		; wraps to 8
	xlatb
	CHECK	{al, 8}
	mov	bx, 0x10
	mov	al, 3
	es xlatb
	CHECK	{al, 3}
	; ports
	mov	dx, 0x110
	mov	si, 0x40
	mov	cx, 4
	rep outsb
	mov	si, 0x50
	mov	dx, 0x120
	outsw
	in	ax, dx
	CHECK	{ax, 0x5150}
	mov	dx, 0x110
	in	al, dx
	CHECK	{al, 0x43}
	mov	di, 0x100
	mov	cx, 3
	rep insb
	CHECK	{mem32, 0x30100, 0x00434343}, {di, 0x103}
	mov	dx, 0x120
	mov	di, 0xffff
	FAULTS	E_GP, NOERR, insw
	xor	ax, ax
	mov	ds, ax
	DONE
