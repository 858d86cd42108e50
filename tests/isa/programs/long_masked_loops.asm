; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code: loops that move a register by constants and come past masked moves by it, whose mask is 0: they access nothing, so the register is not near to where it was for having come past
; them, however often. At last it is a multiple of 24 GiB from there, which is how far apart places of chunks are in the host, and memory is accessed: there is nothing.
%include "programs/long.inc"

T	equ TABLES
EDGE	equ 0x900000000
STEP	equ 0x10000	; as often in each pass as a register may be moved and count as near
MOVES	equ 16
PASSES	equ (24 << 30) / (MOVES * STEP)
ring	equ V + 0x10
avx512	equ V + 0x18

; STEP with its sign, the masked move
%macro LOOP 2+
	align	16
	mov	rax, [rbx]	; there, for once
	jmp	%%next
	align	16
%%next:	%2
%rep MOVES
	add	rbx, %1
%endrep
	%2
	dec	ecx
	jnz	%%next
	mov	rax, [rbx + VARS]	; what another chunk has there
	int	BACK
%endmacro

; from EDGE on, to so many times 24 GiB from there, by STEP with its sign
%macro ENDS 3	; the snippet, times, sign
	mov	rdx, %1
	mov	rbx, EDGE
	mov	ecx, PASSES * %2
	call	run
	mov	rax, EDGE + VARS + %3 * %2 * (24 << 30)
	ASSERT	qword [got_vector], E_PF
	ASSERT	[got_cr2], rax
%endmacro

LONG_PROGRAM WITH_LM|WITH_AVX2
	EDGE_PAGES 1024
	mov	rax, cr4
	or	eax, CR4_OSFXSR
	bts	rax, 18
	mov	cr4, rax
	mov	eax, 7
	xor	ecx, ecx
	cpuid
	shr	ebx, 16
	and	ebx, 1
	mov	[avx512], ebx
	mov	eax, 7
	mov	edx, 0xe7
	test	ebx, ebx
	cmovnz	eax, edx
	xor	edx, edx
	xor	ecx, ecx
	xsetbv
	vpxor	xmm1, xmm1, xmm1
	cmp	dword [avx512], 0
	je	.zero
	kxorw	k1, k1, k1
.zero:	mov	qword [ring], 0
.again:	ENDS	vex_up, 1, 1
	ENDS	vex_up, 2, 1
	ENDS	vex_down, 1, -1
	ENDS	vex_store, 1, 1
	cmp	dword [avx512], 0
	je	.next
	ENDS	evex_up, 1, 1
	ENDS	evex_up, 3, 1
	ENDS	evex_down, 1, -1
	ENDS	evex_store, 2, 1
	ENDS	evex_packed, 1, -1
.next:	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

vex_up:	LOOP	STEP, vpmaskmovd xmm0, xmm1, [rbx]
vex_down: LOOP	-STEP, vpmaskmovd xmm0, xmm1, [rbx]
vex_store: LOOP	STEP, vpmaskmovd [rbx], xmm1, xmm0
evex_up: LOOP	STEP, vmovdqu32 zmm0 {k1}, [rbx]
evex_down: LOOP	-STEP, vaddps zmm0 {k1}{z}, zmm0, [rbx]
evex_store: LOOP STEP, vmovdqu32 [rbx] {k1}, zmm0
evex_packed: LOOP -STEP, vcompressps [rbx] {k1}, zmm0
