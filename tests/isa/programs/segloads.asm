; SPDX-License-Identifier: GPL-2.0-or-later
; Segment registers in protected mode: loads in all forms, accessed bits, null, what the bases do.
%include "isa.inc"
PROGRAM PM32
	mov	dword [BASED + 0x10], 0x12345678
	mov	ax, BASED_4G
	mov	fs, ax
	mov	eax, [fs:0x10]
	CHECK	{eax, 0x12345678}
	mov	eax, 0xffff0000 | BASED_4G
	mov	gs, eax
	CHECK	{gs, BASED_4G}
	mov	ebx, -0x10
	mov	eax, [gs:ebx + 0x20]	; wraps
	CHECK	{eax, 0x12345678}
	mov	eax, -1
	mov	eax, fs
	CHECK	{eax, BASED_4G}
	mov	eax, -1
	mov	ax, fs
	CHECK	{eax, 0xffff0000 | BASED_4G}
	mov	dword [0xa000], -1
	mov	[0xa000], fs
	CHECK	{mem32, 0xa000, 0xffff0000 | BASED_4G}
	; far pointers
	mov	dword [0xa000], 0x20
	mov	word [0xa004], BASED_4G
	les	ebx, [0xa000]
	CHECK	{ebx, 0x20}, {es, BASED_4G}
	mov	eax, [es:ebx - 0x10]
	CHECK	{eax, 0x12345678}
	lfs	ecx, [0xa000]
	lgs	edx, [0xa000]
	CHECK	{ecx, 0x20}, {edx, 0x20}, {fs, BASED_4G}, {gs, BASED_4G}
	mov	word [0xa002], LIMIT_64K
	o16 lfs	cx, [0xa000]
	CHECK	{ecx, 0x20}, {fs, LIMIT_64K}
	mov	dword [0xa000], 0x800
	mov	word [0xa004], STACK_4K
	lss	esp, [0xa000]
	push	eax
	CHECK	{esp, 0x7fc}, {ss, STACK_4K}, {mem32, BASED + 0x7fc, 0x12345678}
	mov	eax, [esp]
	mov	ebp, 0x7fc
	mov	edx, [ebp]
	CHECK	{edx, 0x12345678}
	mov	ax, DATA32
	mov	ss, ax
	mov	esp, STACK
	; DS not flat
	mov	ax, BASED_4G
	mov	ds, ax
	mov	eax, [0x10]
	mov	ebx, 0x8
	mov	ecx, 4
	mov	edx, [ebx + ecx * 2]
	CHECK	{eax, 0x12345678}, {edx, 0x12345678}
	mov	ah, [0x10]
	mov	bh, [ebx + 8]
	mov	[0x14], ah
	mov	[0x15], bh
	CHECK	{mem16, BASED + 0x14, 0x7878}
	mov	ecx, 0x10
	mov	ch, [ecx]
	CHECK	{ecx, 0x7810}
	mov	ecx, 0x10
	mov	cl, [ecx]
	CHECK	{ecx, 0x78}
	mov	esi, 0x10
	mov	edi, 0x40
	push	ds
	pop	es
	mov	ecx, 2
	cld
	rep movsd
	CHECK	{mem32, BASED + 0x40, 0x12345678}, {edi, 0x48}
	push	dword [0x10]
	pop	dword [0x18]
	CHECK	{mem32, BASED + 0x18, 0x12345678}
	xchg	esp, [ss:0xa000]
	xchg	esp, [ss:0xa000]
	mov	ax, DATA32
	mov	ds, ax
	mov	es, ax
	; accessed bit
	mov	dword [GDT + FREE], 0x0000ffff
	mov	dword [GDT + FREE + 4], 0x00409202
	mov	ax, FREE
	mov	fs, ax
	CHECK	{mem32, GDT + FREE + 4, 0x00409302}
	; a changed descriptor takes effect with the next load only
	mov	dword [GDT + FREE + 4], 0x00409303
	mov	dword [0x30010], 0x87654321
	mov	eax, [fs:0x10]
	CHECK	{eax, 0x12345678}
	mov	bx, FREE
	mov	fs, bx
	mov	eax, [fs:0x10]
	CHECK	{eax, 0x87654321}
	; LDT
	mov	dword [LDT + 8], 0x0000ffff
	mov	dword [LDT + 12], 0x00409302
	mov	ax, 8 | 4
	mov	fs, ax
	mov	eax, [fs:0x10]
	CHECK	{eax, 0x12345678}, {fs, 12}
	xor	eax, eax
	lldt	ax
	mov	ax, 12
	FAULTS	E_GP, 12, mov fs, ax
	mov	ax, SEL_LDT
	lldt	ax
	sldt	ebx
	CHECK	{ebx, SEL_LDT}
	; expand-down
	mov	ax, DOWN_32
	mov	fs, ax
	FAULTS	E_GP, 0, mov al, [fs:0xfff]
	FAULTS	E_GP, 0, mov eax, [fs:0xffd]
	mov	eax, [fs:0x1000]
	mov	dword [fs:0x10000], 0x55aa
	CHECK	{mem32, BASED + 0x10000, 0x55aa}
	mov	ax, DOWN_16
	mov	fs, ax
	FAULTS	E_GP, 0, mov al, [fs:0xfff]
	mov	word [fs:0xfffe], 0x7777
	FAULTS	E_GP, 0, mov word [fs:0xffff], ax
	FAULTS	E_GP, 0, mov al, [fs:0x10000]
	CHECK	{mem16, BASED + 0xfffe, 0x7777}
	; a 16-bit stack under 32-bit code: the upper half of ESP stays
	mov	ax, STACK16
	mov	ss, ax
	mov	esp, 0x98760004
	push	dword 0x11112222
	push	dword 0x33334444
	CHECK	{esp, 0x9876fffc}, {mem32, BASED, 0x11112222}, {mem32, BASED + 0xfffc, 0x33334444}
	pop	eax
	pop	ebx
	CHECK	{esp, 0x98760004}, {eax, 0x33334444}, {ebx, 0x11112222}
	pushad
	popad
	call	.f
	mov	ebp, 0x12340100
	enter	8, 0
	CHECK	{esp, 0x9876fff8}, {ebp, 0x98760000}
	leave
	CHECK	{esp, 0x98760004}, {ebp, 0x12340100}
	mov	ebp, 0xabcd0100
	mov	esp, 0x5678aaaa
	mov	dword [BASED + 0x100], 0x77778888
	leave
	CHECK	{esp, 0x56780104}, {ebp, 0x77778888}
	mov	ax, DATA32
	mov	ss, ax
	mov	esp, STACK
	DONE
.f:	ret
