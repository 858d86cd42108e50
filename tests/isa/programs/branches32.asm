; SPDX-License-Identifier: GPL-2.0-or-later
; Near transfers in 32-bit code.
%include "isa.inc"
%macro TAKEN 3		; condition, flags set, flags clear by XOR with ARITH
	push	dword (%2) | 2
	popfd
	j%1	near %%yes
	NEVER
%%yes:	push	dword (%3) | 2
	popfd
	j%1	%%no
	jmp	short %%on
%%no:	NEVER
%%on:
	CHECK	{flags, %3, ARITH}
%endmacro
PROGRAM PM32
	TAKEN	o, OF, CF|PF|AF|ZF|SF
	TAKEN	no, CF|PF|AF|ZF|SF, OF
	TAKEN	c, CF, PF|AF|ZF|SF|OF
	TAKEN	nc, PF|AF|ZF|SF|OF, CF
	TAKEN	z, ZF, CF|PF|AF|SF|OF
	TAKEN	nz, CF|PF|AF|SF|OF, ZF
	TAKEN	be, CF, PF|AF|SF|OF
	TAKEN	be, ZF, 0
	TAKEN	a, PF|AF|SF|OF, ZF
	TAKEN	a, 0, CF|ZF
	TAKEN	s, SF, CF|PF|AF|ZF|OF
	TAKEN	ns, CF|PF|AF|ZF|OF, SF
	TAKEN	p, PF, CF|AF|ZF|SF|OF
	TAKEN	np, CF|AF|ZF|SF|OF, PF
	TAKEN	l, SF, SF|OF
	TAKEN	l, OF, 0
	TAKEN	ge, SF|OF, OF|ZF
	TAKEN	ge, CF, SF|ZF
	TAKEN	le, ZF, 0
	TAKEN	le, SF, SF|OF
	TAKEN	g, SF|OF, ZF
	TAKEN	g, 0, OF
	; LOOP
	mov	ecx, 5
	xor	eax, eax
	stc
.l1:	inc	eax
	loop	.l1
	CHECK	{eax, 5}, {ecx, 0}, {flags, CF, CF}
	mov	ecx, 0x10003
	xor	eax, eax
.l2:	inc	eax
	a16 loop .l2
	CHECK	{eax, 3}, {ecx, 0x10000}
	mov	ecx, 10
	mov	edx, 3
.l3:	dec	edx
	loopnz	.l3
	CHECK	{ecx, 7}, {edx, 0}, {flags, ZF, ZF}
	mov	ecx, 4
.l4:	cmp	eax, eax
	loopz	.l4
	CHECK	{ecx, 0}, {flags, ZF, ZF}
	mov	ecx, 4
.l5:	test	esp, esp
	loopz	.l5
	CHECK	{ecx, 3}, {flags, 0, ZF}
	; JECXZ, JCXZ
	xor	ecx, ecx
	jecxz	.z1
	NEVER
.z1:	mov	ecx, 0x10000
	jecxz	.z2
	a16 jcxz .z3
.z2:	NEVER
.z3:	inc	ecx
	a16 jcxz .z2
	CHECK	{ecx, 0x10001}
	; CALL and RET
	stc
	call	.f1
.r1:	CHECK	{esp, STACK}, {eax, 0x77}, {flags, CF, CF}
	push	dword 1
	push	dword 2
	call	.f2
	CHECK	{esp, STACK}
	mov	eax, .f1
	call	eax
	CHECK	{esp, STACK}
	mov	dword [0xa000], .f1
	call	[0xa000]
	mov	ebx, 0xa000 - 4
	call	[ebx + 4]
	CHECK	{esp, STACK}, {mem32, STACK - 4, .r2}
.r2 equ $ - 2
	; CALL through an address made of ESP
	push	dword .f1
	call	[esp]
	add	esp, 4
	CHECK	{esp, STACK}
	; a return that is none
	push	dword .away
	ret
	NEVER
.f1:	mov	eax, 0x77
	ret
.f2:	ret	8
.away:	CHECK	{esp, STACK}
	mov	eax, .j1
	jmp	eax
	NEVER
.j1:	mov	dword [0xa000], .j2
	jmp	[0xa000]
	NEVER
.j2:	; operand size 16: EIP is cut
	mov	ax, .j3
	jmp	ax
	NEVER
.j3:	call word .f3
	CHECK	{esp, STACK}, {eax, 0x33}
	jmp word .j4
	NEVER
.f3:	mov	eax, 0x33
	o16 ret
.j4:	push	word .j5
	o16 ret
	NEVER
.j5:	CHECK	{esp, STACK}
	; depth: more calls than a return stack is likely to hold
	mov	ecx, 200
	call	.deep
	CHECK	{ecx, 0}, {esp, STACK}
	; calls whose returns come in another order: two stacks
	mov	ebp, 0xe000
	mov	dword [ebp - 4], .co
	sub	ebp, 4
	mov	ecx, 6
	xor	edx, edx
.main:	xchg	esp, ebp
	call	.swap
	shl	edx, 1
	loop	.main
	CHECK	{edx, 0x3f << 1}, {ecx, 0}
	mov	esp, STACK
	DONE
.deep:	dec	ecx
	jz	.up
	call	.deep
.up:	ret
.swap:	xchg	esp, ebp
	add	edx, 1
	xchg	esp, ebp
	ret
.co:	NEVER
