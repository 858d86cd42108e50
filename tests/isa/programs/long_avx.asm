; SPDX-License-Identifier: GPL-2.0-or-later
; AVX, AVX2 and their state in 64-bit mode and compatibility mode: when they raise #UD and #NM, operands across pages, masked moves and gathers that fault half-way, XSAVE and its like
; (SDM vol. 1, 13, 14; vol. 2, VMASKMOV, VPGATHER; vol. 3, 13).
%include "programs/long.inc"

CR4_OSXSAVE equ 1 << 18
AREA	equ 0x21000		; of XSAVE, 64-byte aligned
BV	equ AREA + 512		; XSTATE_BV
COMP	equ AREA + 520
YMMH	equ AREA + 576
FILL	equ 0x5a5a5a5a
OUT_	equ 0x30000
EDGE	equ 0x31000		; a page that comes and goes, behind one that stays
HIGH	equ 0xffff800000000000	; the same pages once more
PDPT_H	equ TABLES

%macro ABSENT_PAGE 0
	mov	qword [PT + (EDGE >> 12) * 8], 0
	invlpg	[EDGE]
%endmacro

%macro PRESENT_PAGE 0
	mov	qword [PT + (EDGE >> 12) * 8], EDGE|P|W|U
	invlpg	[EDGE]
%endmacro

; a YMM register holds the 32 bytes at an address. RCX, RSI, RDI are lost
%macro IS 2
	vmovdqu	[OUT_], %1
	mov	esi, OUT_
	mov	edi, %2
	mov	ecx, 4
	repe	cmpsq
	je	%%ok
	FAIL
%%ok:
%endmacro

; RAISES with #PF at an address
%macro FAULTS_AT 3+
	RAISES	E_PF, %1, %3
	mov	rax, %2
	ASSERT	[got_cr2], rax
%endmacro

; mask, instruction: in RDX:RAX
%macro MASKED 2+
	mov	eax, %1
	xor	edx, edx
	%2
%endmacro

%macro CLEAR 0
	mov	edi, AREA
	mov	eax, FILL
	mov	ecx, 256
	rep	stosd
	mov	edi, BV
	xor	eax, eax
	mov	ecx, 16
	rep	stosd
%endmacro

LONG_PROGRAM WITH_LM|WITH_AVX2
	call	switches
	call	state
	call	pages
	call	masks
	call	gathers
	call	areas
	call	compatibility
	IN	CODE64, DATA32
	CHECK	{esp, STACK}
	DONE

; CR4.OSXSAVE, XCR0, CR0.TS, CR0.EM
switches:
	RAISES	E_UD, NOERR, vaddps ymm0, ymm1, ymm2
	RAISES	E_UD, NOERR, vzeroupper
	RAISES	E_UD, NOERR, vmaskmovps ymm0, ymm1, [OUT_]
	mov	rax, cr4
	or	rax, CR4_OSXSAVE
	mov	cr4, rax
	RAISES	E_UD, NOERR, vaddps ymm0, ymm1, ymm2
	xor	ecx, ecx
	MASKED	3, xsetbv
	RAISES	E_UD, NOERR, vaddps xmm0, xmm1, xmm2
	mov	eax, 13
	xor	ecx, ecx
	cpuid
	cmp	eax, 7
	jne	.more		; AVX-512: long_avx512
	ASSERT	ecx, 832
.more:	and	eax, 7
	ASSERT	eax, 7
	ASSERT	ebx, 576
	xor	ecx, ecx
	MASKED	7, xsetbv
	xgetbv
	ASSERT	eax, 7
	WORKS	vaddps ymm0, ymm1, ymm2
	mov	eax, 13
	xor	ecx, ecx
	cpuid
	ASSERT	ebx, 832
	mov	eax, 13
	mov	ecx, 2
	cpuid
	ASSERT	eax, 256
	ASSERT	ebx, 576
	ASSERT	ecx, 0
	mov	rax, cr0
	bts	rax, 3			; TS
	mov	cr0, rax
	RAISES	E_NM, NOERR, vaddps ymm0, ymm1, ymm2
	RAISES	E_NM, NOERR, vzeroall
	RAISES	E_NM, NOERR, vmaskmovps [OUT_], ymm1, ymm2
	clts
	mov	rax, cr0
	bts	rax, 2			; EM is nothing to AVX
	mov	cr0, rax
	WORKS	vaddps ymm0, ymm1, ymm2
	mov	rax, cr0
	btr	rax, 2
	mov	cr0, rax
	IN	CODE64_3, DATA32_3
	WORKS	vpaddd xmm0, xmm1, [OUT_]
	IN	CODE64, DATA32
	ret

; upper halves: what keeps them, what clears them
state:	vmovdqu	ymm0, [bytes]
	vmovdqu	ymm15, [bytes]
	pxor	xmm0, xmm0
	IS	ymm0, bytes_upper
	cpuid				; the monitor's code
	in	al, 0x80
	IS	ymm0, bytes_upper
	IS	ymm15, bytes
	vmovdqa	xmm0, xmm15
	IS	ymm0, bytes_lower
	vzeroupper
	IS	ymm15, bytes_lower
	vmovdqu	ymm3, [bytes]
	vzeroall
	IS	ymm3, zeros
	ret

; operands across two pages, alignment
pages:	mov	qword [PT + (EDGE >> 12) * 8], EDGE|P|W|U
	mov	rbx, EDGE - 7
	vmovdqu	ymm1, [bytes]
	vmovdqu	[rbx], ymm1
	vmovdqu	ymm2, [rbx]
	IS	ymm2, bytes
	vxorps	ymm2, ymm1, [EDGE - 7]
	IS	ymm2, zeros
	ABSENT_PAGE
	mov	rbx, EDGE - 7
	FAULTS_AT 0, EDGE, vpor ymm2, ymm1, [rbx]
	IS	ymm2, zeros
	FAULTS_AT 2, EDGE, vmovdqu [EDGE - 32 + 1], ymm1
	WORKS	vmovdqu [EDGE - 32], ymm1
	mov	r10, EDGE - 16
	FAULTS_AT 0, EDGE, vmovdqu ymm2, [r10]
	WORKS	vmovdqu xmm2, [r10]
	RAISES	E_GP, 0, vmovdqa ymm2, [EDGE - 48]
	WORKS	vmovdqa xmm2, [EDGE - 48]
	mov	rbx, 0x7fffffffffe0 + 0x10
	RAISES	E_GP, 0, vmovdqu ymm2, [rbx + 0x10]
	PRESENT_PAGE
	ret

; lanes that the mask leaves out do not fault, nor are they changed
masks:	ABSENT_PAGE
	vmovdqu	ymm1, [bytes]
	vmovdqu	[EDGE - 32], ymm1
	vmovdqu	ymm4, [lanes_low]	; lanes 0 and 2 of eight
	mov	rbx, EDGE - 12
	vmaskmovps ymm2, ymm4, [rbx]
	IS	ymm2, .loaded
	vmaskmovps [rbx], ymm4, ymm1
	ASSERT	dword [EDGE - 12], 0x03020100
	ASSERT	dword [EDGE - 8], 0x1b1a1918
	ASSERT	dword [EDGE - 4], 0x0b0a0908
	vmovdqu	ymm4, [lanes_high]	; lanes 1 and 4
	vmovdqu	ymm2, [bytes]
	mov	r11, EDGE - 12
	FAULTS_AT 0, EDGE + 4, vmaskmovps ymm2, ymm4, [r11]
	IS	ymm2, bytes
	FAULTS_AT 2, EDGE + 4, vmaskmovps [r11], ymm4, ymm1
	ASSERT	dword [EDGE - 8], 0x1b1a1918
	vpxor	xmm4, xmm4, xmm4
	WORKS	vmaskmovpd [EDGE], ymm4, ymm1
	WORKS	vmaskmovpd xmm2, xmm4, [EDGE]
	IS	ymm2, zeros
	PRESENT_PAGE
	mov	qword [EDGE], 0
	vmovdqu	ymm4, [lanes_high]
	vmaskmovps [r11], ymm4, ymm1
	ASSERT	dword [EDGE - 8], 0x07060504
	ASSERT	dword [EDGE + 4], 0x13121110
	ASSERT	dword [EDGE], 0
	ret
	align	16
.loaded: dd 0x17161514, 0, 0x1f1e1d1c, 0, 0, 0, 0, 0

; elements in order; what a fault leaves is gone on with
gathers:
	mov	edi, PDPT_H		; the upper half shows the lowest 2 MiB, too
	mov	ecx, 512
	xor	eax, eax
	rep	stosq
	mov	qword [PDPT_H], PD|P|W|U
	mov	qword [PML4 + 256 * 8], PDPT_H|P|W|U
	mov	edi, EDGE - 64
	xor	eax, eax
.fill:	stosd
	inc	eax
	cmp	eax, 32
	jb	.fill
	vpcmpeqd ymm4, ymm4, ymm4
	vmovdqu	ymm5, [.index]
	mov	rbx, EDGE
	vpgatherdd ymm2, [rbx + ymm5 * 4], ymm4
	IS	ymm2, .gathered
	IS	ymm4, zeros
	vpcmpeqd ymm4, ymm4, ymm4
	mov	rbx, EDGE + HIGH
	vpgatherdd ymm2, [rbx + ymm5 * 4], ymm4
	IS	ymm2, .gathered
	ABSENT_PAGE
	vmovdqu	ymm2, [bytes]
	vpcmpeqd ymm4, ymm4, ymm4
	mov	r10, EDGE
	FAULTS_AT 0, EDGE + 4 * 4, vpgatherdd ymm2, [r10 + ymm5 * 4], ymm4
	IS	ymm2, .partial
	IS	ymm4, .left
	PRESENT_PAGE
	mov	dword [EDGE + 4 * 4], 77
	mov	dword [EDGE - 4], 99	; not asked for again
	vpgatherdd ymm2, [r10 + ymm5 * 4], ymm4
	IS	ymm2, .completed
	mov	dword [EDGE - 4], 15
	; quadwords by signed indexes of 64 bits; to the other half
	vpcmpeqd ymm4, ymm4, ymm4
	vmovdqu	ymm5, [.far]
	xor	ebx, ebx
	vpgatherqq ymm2, [rbx + ymm5], ymm4
	IS	ymm2, .quads
	vpcmpeqd ymm4, ymm4, ymm4
	vmovdqu	ymm5, [.wild]
	RAISES	E_GP, 0, vpgatherqq ymm2, [rbx + ymm5], ymm4
	IS	ymm4, .left_q
	; doublewords by indexes of 64 bits: half a register
	vpcmpeqd ymm4, ymm4, ymm4
	vmovdqu	ymm5, [.far]
	vpgatherqd xmm2, [ebx + ymm5], xmm4
	IS	ymm2, .halves
	IS	ymm4, zeros
	vpcmpeqd ymm4, ymm4, ymm4
	vmovdqu	ymm5, [.far]
	vpgatherqd xmm2, [ebx + xmm5], xmm4
	IS	ymm2, .two
	vpcmpeqd ymm4, ymm4, ymm4
	vpmovsxdq ymm5, [.index8]
	vgatherqpd ymm2, [EDGE + ymm5 * 8], ymm4
	IS	ymm2, .doubles
	ret
	align	16
.index:	dd -1, -16, 4, 0, 5, -2, 1, 15
.gathered: dd 15, 0, 20, 16, 21, 14, 17, 31
.partial: dd 15, 0, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c
.left:	dd 0, 0, -1, -1, -1, -1, -1, -1
.completed: dd 15, 0, 77, 16, 21, 14, 17, 31
.far:	dq EDGE - 4, HIGH + EDGE - 8, EDGE, HIGH + EDGE + 8
.quads:	dd 15, 16, 14, 15, 16, 17, 18, 19
.wild:	dq EDGE, EDGE, 1 << 50, EDGE
.left_q: dq 0, 0, -1, -1
.halves: dd 15, 14, 16, 18, 0, 0, 0, 0
.two:	dd 15, 14, 0, 0, 0, 0, 0, 0
.index8: dd -1, -8, 4, 0
.doubles: dd 14, 15, 0, 1, 24, 25, 16, 17

; XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV
areas:	vmovdqu	ymm0, [bytes]
	vmovdqu	ymm15, [bytes]
	CLEAR
	MASKED	7, xsave64 [AREA]
	ASSERT	dword [BV], 7 & ~1
	ASSERT	qword [COMP], 0
	ASSERT	dword [AREA + 160], 0x03020100
	ASSERT	dword [YMMH], 0x13121110
	ASSERT	dword [YMMH + 15 * 16 + 12], 0x1f1e1d1c
	ASSERT	dword [YMMH + 256], FILL
	vzeroall
	MASKED	4, xrstor64 [AREA]
	IS	ymm0, bytes_upper
	MASKED	2, xrstor64 [AREA]
	IS	ymm15, bytes
	; not there: initialised. MXCSR is loaded by the standard form for AVX, too
	mov	qword [BV], 2
	mov	dword [AREA + 24], 0x3f80
	MASKED	4, xrstor64 [AREA]
	IS	ymm15, bytes_lower
	stmxcsr	[V]
	ASSERT	dword [V], 0x3f80
	mov	dword [AREA + 24], 0x80000000
	mov	rdx, .bad
	call	run
	ASSERT	qword [got_vector], E_GP
	mov	dword [V], 0x1f80
	ldmxcsr	[V]
	; in use, or as initialised
	mov	ecx, 1
	xgetbv
	ASSERT	eax, 2
	vmovdqu	ymm7, [bytes]
	xgetbv
	ASSERT	eax, 6
	CLEAR
	MASKED	7, xsavec64 [AREA]
	ASSERT	dword [BV], 6
	mov	rax, (1 << 63) | 7
	ASSERT	[COMP], rax
	ASSERT	dword [YMMH + 7 * 16], 0x13121110
	vzeroall
	MASKED	7, xrstor64 [AREA]
	IS	ymm7, bytes
	vzeroupper
	CLEAR
	MASKED	7, xsaveopt64 [AREA]
	ASSERT	dword [BV], 2
	ASSERT	dword [YMMH], FILL
	CLEAR
	MASKED	7, xsavec64 [AREA]
	ASSERT	dword [BV], 2
	; only what is written, or there, is accessed
	ABSENT_PAGE
	MASKED	7, xsavec64 [EDGE - 576]
	MASKED	7, xrstor64 [EDGE - 576]
	vmovdqu	ymm7, [bytes]
	mov	rdx, .save
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], 2
	mov	qword [EDGE - 576 + 512], 6
	mov	rdx, .restore
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], 0
	IS	ymm7, bytes
	PRESENT_PAGE
	ret
.bad:	MASKED	4, xrstor64 [AREA]
	int	BACK
.save:	MASKED	7, xsavec64 [EDGE - 576]
	int	BACK
.restore: MASKED 7, xrstor64 [EDGE - 576]
	int	BACK

; compatibility mode knows eight registers
compatibility:
	vmovdqu	ymm0, [bytes]
	vmovdqu	ymm8, [bytes]
	CLEAR
	IN	CODE32_3, DATA32_3
	mov	eax, DATA32_3
	mov	ds, eax
	mov	rdx, .save32
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	dword [YMMH], 0x13121110
	ASSERT	dword [YMMH + 8 * 16], FILL
	mov	rdx, .upper32
	call	run
	ASSERT	qword [got_vector], BACK
	IS	ymm8, bytes
	IS	ymm0, bytes_lower
	mov	rdx, .all32
	call	run
	ASSERT	qword [got_vector], BACK
	IS	ymm8, bytes
	IS	ymm0, zeros
	mov	rdx, .compute32
	call	run
	ASSERT	qword [got_vector], BACK
	IS	ymm1, bytes
	IS	ymm8, bytes
	ret
	bits	32
.save32: mov	eax, 7
	xor	edx, edx
	xsave	[AREA]
	int	BACK
.upper32: vzeroupper
	int	BACK
.all32:	vzeroall
	int	BACK
.compute32:
	vmovdqu	ymm2, [bytes]
	vpor	xmm3, xmm3, xmm3
	vorps	ymm1, ymm2, [zeros]
	int	BACK
	bits	64

	align	32
bytes:
%assign i 0
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
