; SPDX-License-Identifier: GPL-2.0-or-later
; A page of supervisor mode's, and ring 3, which makes its address of two numbers that are no addresses by themselves: bases that differ from it in bits 47 to 62, one at a time or some of them,
; and indexes that make up for that, whose bits 19 to 50 are those of small numbers (docs/isolation.md, "Bounds").
%include "programs/long.inc"

T	equ TABLES
EDGE	equ 0x900000000
SECRET	equ 0x1234567
COUNT	equ 63 - 54
apart	equ V + 0x10

%macro ATTACK 1		; snippet
	mov	rbx, EDGE - 0x1000	; as it is translated: the user's
	xor	ecx, ecx
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], BACK
	mov	rbx, [apart]
	mov	rcx, rbx
	neg	rcx
	sar	rcx, 3
	mov	rax, EDGE
	add	rbx, rax
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], PF_P|PF_U
	mov	rax, EDGE
	ASSERT	[got_cr2], rax
%endmacro

LONG_PROGRAM
	OWN_STACKS
	EDGE_PAGES 1024
	mov	qword [T + 0x3000], (FRAMES + 0x1000)|P|W
	IN	CODE64_3, DATA32_3
	mov	r14d, 54		; times 8, the smallest that the probes of indexes do not see
	mov	r12d, by_base		; of its own for each: a site that has strayed is translated otherwise
	mov	r13d, by_stack
.bit:	xor	r15d, r15d
	bts	r15, r14
	mov	[apart], r15
	mov	rax, EDGE		; supervisor mode's code finds it, before each
	mov	qword [rax], SECRET
	push	r14
	push	r12
	push	r13
	ATTACK	[rsp + 8]
	ATTACK	[rsp]
	pop	r13
	pop	r12
	pop	r14
	add	r12, by_base.end - by_base
	add	r13, by_stack.end - by_stack
	inc	r14
	cmp	r14d, 63
	jb	.bit
	CHECK	{esp, STACK}
	DONE

	align	16
by_base:
%assign i 0
%rep COUNT
	mov	rax, [rbx + rcx * 8]
	mov	rsi, [rbx + rcx * 8]
	mov	rdi, [rbx + rcx * 8]
	mov	rbp, [rbx + rcx * 8]
	int	BACK
	align	16
%if i = 0
.end:
%endif
%assign i i + 1
%endrep
	align	16
by_stack:
%assign i 0
%rep COUNT
	mov	rsp, rbx
	mov	rax, [rsp + rcx * 8]
	int	BACK
	align	16
%if i = 0
.end:
%endif
%assign i i + 1
%endrep
