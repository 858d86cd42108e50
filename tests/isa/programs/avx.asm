; SPDX-License-Identifier: GPL-2.0-or-later
; AVX and AVX2 in 32-bit code: XCR0, forms with segments, limits and 16-bit addresses, masked moves and gathers that meet a limit half-way, XSAVE (SDM vol. 1, 13, 14; vol. 2).
; 64-bit mode and paging: long_avx.asm.
%include "isa.inc"

CR4_OSXSAVE equ 1 << 18
AREA	equ 0x21000
BV	equ AREA + 512
YMMH	equ AREA + 576
FILL	equ 0x5a5a5a5a
OUT_	equ 0x30000

; a YMM register holds the 32 bytes at an address. ECX, ESI, EDI are lost
%macro IS 2
	vmovdqu	[OUT_], %1
	mov	esi, OUT_
	mov	edi, %2
	mov	ecx, 8
	repe	cmpsd
	je	%%ok
	out	P_CHECK, al		; not listed: fails
%%ok:
%endmacro

PROGRAM PM32, WITH_AVX2
	call	.ends
	mov	eax, cr4
	or	eax, CR4_OSXSAVE
	mov	cr4, eax
	call	.ends
	xor	ecx, ecx
	mov	eax, 7
	xor	edx, edx
	xsetbv
	mov	ecx, 1
	xgetbv
	CHECK	{edx, 0}
	vmovdqu	ymm1, [bytes]
	IS	ymm1, bytes
	; legacy SSE keeps upper halves, VEX.128 clears them; the monitor's own code does neither
	vmovdqa	ymm7, ymm1
	pxor	xmm7, xmm7
	cpuid
	out	0x80, al
	IS	ymm7, bytes_upper
	vmovdqa	xmm7, xmm1
	IS	ymm7, bytes_lower
	; addresses
	mov	eax, LIMIT_4K
	mov	fs, eax
	mov	eax, BASED_4G
	mov	gs, eax
	mov	ebx, 16
	mov	esi, 2
	vmovdqu	[gs:ebx + esi * 8], ymm1
	vmovdqu	ymm2, [BASED + 32]
	IS	ymm2, bytes
	vmovdqu	[fs:0xfe0], ymm1
	vmovdqu	ymm2, [fs:0xfe0]
	IS	ymm2, bytes
	mov	esi, 0xfff0
	mov	ebx, 0x30
	a16 vmovdqu [gs:bx + si], ymm1
	vmovdqu	ymm3, [gs:0x20]
	IS	ymm3, bytes
	sub	esp, 64
	vmovdqu	[esp + 8], ymm1
	push	eax
	vpxor	ymm3, ymm1, [esp + 12]
	pop	eax
	add	esp, 64
	IS	ymm3, zeros
	; limits
	FAULTS	E_GP, 0, vmovdqu ymm2, [fs:0xfe1]
	FAULTS	E_GP, 0, vmovdqu [fs:0xfe1], ymm1
	FAULTS	E_GP, 0, vmovdqa ymm2, [fs:0xfd0]
	vmovdqu	xmm2, [fs:0xff0]
	vmovdqu	ymm4, [lanes_low]	; lanes 0 and 2 of eight
	vmaskmovps ymm2, ymm4, [fs:0xff4]
	IS	ymm2, loaded
	vpmaskmovd [fs:0xff4], ymm4, ymm1
	vmovdqu	ymm4, [lanes_high]	; lanes 1 and 4
	FAULTS	E_GP, 0, vmaskmovps ymm2, ymm4, [fs:0xff4]
	FAULTS	E_GP, 0, vmaskmovps [fs:0xff4], ymm4, ymm1
	; 16 bytes of two doublewords each: with VEX.128 the rest of the register is cleared
	vpcmpeqd ymm4, ymm4, ymm4
	vpmaskmovq xmm2, xmm4, [bytes]
	IS	ymm2, bytes_lower
	; gathers: up to what faults; the rest when it does not fault any more
	vpcmpeqd ymm4, ymm4, ymm4
	vmovdqu	ymm5, [index]
	mov	edx, bytes
	vpgatherdd ymm2, [edx + ymm5 * 4], ymm4
	IS	ymm2, gathered
	IS	ymm4, zeros
	vpcmpeqd ymm4, ymm4, ymm4
	vmovdqu	ymm2, [bytes]
	mov	edx, 0xffc - 7 * 4
	mov	dword [fs:0xffc], 0x11111111
	mov	dword [fs:0xffc - 8], 0x22222222
	FAULTS_PART E_GP, 0, vpgatherdd ymm2, [fs:edx + ymm5 * 4], ymm4
	IS	ymm4, left
	mov	eax, BASED_4G
	mov	fs, eax
	mov	edx, bytes - BASED
	vpgatherdd ymm2, [fs:edx + ymm5 * 4], ymm4
	IS	ymm4, zeros
	vextracti128 xmm3, ymm2, 1
	vmovd	eax, xmm2
	CHECK	{eax, 0x11111111}
	vpextrd	eax, xmm2, 1
	CHECK	{eax, 0x22222222}
	vpextrd	eax, xmm2, 2
	CHECK	{eax, 0x23222120}
	vpextrd	eax, xmm3, 3
	CHECK	{eax, 0x03020100}
	; XSAVE, XRSTOR: eight registers
	vmovdqu	ymm6, [bytes]
	mov	edi, AREA
	mov	eax, FILL
	mov	ecx, 256
	rep	stosd
	mov	edi, BV
	xor	eax, eax
	mov	ecx, 16
	rep	stosd
	mov	eax, 6
	xor	edx, edx
	xsave	[AREA]
	CHECK	{mem32, BV, 6}, {mem32, AREA + 160 + 6 * 16, 0x03020100}, {mem32, YMMH + 6 * 16, 0x13121110}, {mem32, AREA, FILL}
	CHECK	{mem32, AREA + 160 + 8 * 16, FILL}, {mem32, YMMH + 8 * 16, FILL}
	vzeroall
	mov	eax, 4
	xrstor	[AREA]
	IS	ymm6, bytes_upper
	mov	eax, 2
	xrstor	[AREA]
	IS	ymm6, bytes
	vzeroupper
	IS	ymm6, bytes_lower
	; not with TS
	mov	eax, cr0
	or	eax, 8
	mov	cr0, eax
	mov	ebx, eax
	FAULTS	E_NM, NOERR, vpaddd ymm1, ymm2, ymm3
	clts
	CHECK	{esp, STACK}
	DONE

.ends:	FAULTS	E_UD, NOERR, vpaddd ymm1, ymm2, ymm3
	ret

	align	32
bytes:
%assign i 0
%rep 32
	db	i
%assign i i + 1
%endrep
%rep 32
	db	i
%assign i i + 1
%endrep
bytes_lower:
%assign i 0
%rep 16
	db	i
%assign i i + 1
%endrep
zeros:	times 32 db 0
bytes_upper: times 16 db 0
%rep 16
	db	i
%assign i i + 1
%endrep
lanes_low: dd 0x80000000, 0, -1, 0x7fffffff, 0, 0, 0, 0
lanes_high: dd 0, 0x80000000, 0, 0, -1, 0x7fffffff, 0, 0
loaded:	dd 0x17161514, 0, 0x1f1e1d1c, 0, 0, 0, 0, 0
index:	dd 7, 5, 8, 1, 2, 3, 4, 0
gathered: dd 0x1f1e1d1c, 0x17161514, 0x23222120, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x03020100
left:	dd 0, 0, -1, -1, -1, -1, -1, -1
