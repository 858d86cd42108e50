; SPDX-License-Identifier: GPL-2.0-or-later
; PUSHFQ and POPFQ of 64-bit code in rings 0 and 3, again and again: IF is taken at CPL 0 or with IOPL 3, IOPL at CPL 0, and nothing is raised.
%include "programs/long.inc"

IF	equ 0x200
IOPL3	equ 0x3000
ARITH	equ 0x8d5
round	equ V

; Flags before, flags popped, flags pushed then
%macro POPS 3
	mov	qword [run_flags], %1
	mov	qword [run_rsp], RSTACK - 8
	mov	qword [RSTACK - 8], %2
	mov	rdx, snippet
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rax], %3
	ASSERT	qword [got_rsp], RSTACK
%endmacro

LONG_PROGRAM
	mov	dword [round], 0
.again:	IN	CODE64, DATA32
	POPS	2, ARITH | 2, ARITH | 2
	POPS	2, ARITH | IF | 2, ARITH | IF | 2
	POPS	IF | 2, 2, 2
	POPS	2, IOPL3 | 2, IOPL3 | 2
	IN	CODE64_3, DATA32_3
	POPS	2, ARITH | 2, ARITH | 2
	POPS	2, ARITH | IF | 2, ARITH | 2
	POPS	IF | 2, 2, IF | 2
	POPS	IF | 2, ARITH | IOPL3 | 2, ARITH | IF | 2
	POPS	IOPL3 | 2, ARITH | IF | IOPL3 | 2, ARITH | IF | IOPL3 | 2
	POPS	IOPL3 | IF | 2, IOPL3 | 2, IOPL3 | 2
	POPS	IOPL3 | IF | 2, 2, IOPL3 | 2
	inc	dword [round]
	cmp	dword [round], 20
	jb	.again
	CHECK	{esp, STACK}
	DONE

snippet: popfq
	pushfq
	pop	rax
	int	BACK
