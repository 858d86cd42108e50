; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code with masked moves whose mask is 0: they access nothing, whatever their address is, so that having come past one tells nothing of the registers of which it is made. The indexes are
; numbers whose bits 19 to 50 may be an address of the host's, below 4 GiB, at which there is something (probe.c).
%include "programs/long.inc"

T	equ TABLES
EDGE	equ 0x900000000
APART	equ -(1 << 44)
FIRST	equ 0x20000000
STEP	equ 0x800000
COUNT	equ 64
ring	equ V + 0x10

LONG_PROGRAM WITH_LM|WITH_AVX2
	EDGE_PAGES 1024
	mov	rax, cr4
	or	eax, CR4_OSFXSR
	bts	rax, 18
	mov	cr4, rax
	xor	ecx, ecx
	xor	edx, edx
	mov	eax, 7
	xsetbv
	mov	qword [ring], 0
.again:	mov	r15, snippets
	mov	r14, FIRST
.next:	mov	esi, 16		; small indexes, when it is translated
	mov	edi, 8
	call	snippet
	ASSERT	qword [got_vector], BACK
	mov	rdi, r14
	shl	rdi, 19
	mov	rsi, APART
	add	rsi, rdi
	call	snippet
	ASSERT	qword [got_vector], E_PF
	mov	rax, EDGE + APART
	ASSERT	[got_cr2], rax
	add	r14, STEP
	add	r15, snippets.end - snippets
	cmp	r15, snippets + COUNT * (snippets.end - snippets)
	jb	.next
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

snippet:
	mov	rbx, EDGE
	mov	rdx, r15
	vpxor	xmm1, xmm1, xmm1
	push	r14
	push	r15
	call	run
	pop	r15
	pop	r14
	ret

	align	16
snippets:
%assign i 0
%rep COUNT
	mov	rax, [rbx]
	vpmaskmovd xmm0, xmm1, [rbx + rsi]
	vpmaskmovd xmm0, xmm1, [rbx + rdi]
	sub	rsi, rdi
	mov	rax, [rbx + rsi]
	int	BACK
	align	16
%if i = 0
.end:
%endif
%assign i i + 1
%endrep
