; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code that goes with RSP, in one block and by constants, from one 4 GiB into those below, accesses memory there, and goes back and on as far as it can; then adds to RSP as much as
; it can where no more than 20 GiB are added by what is known of an index. What it comes to is not mapped, whatever was used last.
%include "programs/long.inc"

T	equ TABLES
EDGE	equ 0x900000000
OTHER	equ 0x8000000000	; low memory once more
ring	equ V + 0x10
TOP	equ 0x3ff00000

LONG_PROGRAM
	OWN_STACKS
	mov	qword [PDPT + 35 * 8], T|P|W|U
	mov	qword [PDPT + 36 * 8], (T + 0x1000)|P|W|U
	mov	qword [T + 511 * 8], PS|P|W|U
	mov	qword [T + 0x1000], (T + 0x2000)|P|W|U
	mov	qword [T + 0x1008], (T + 0x2000)|P|W|U
	mov	edi, T + 0x2000
	mov	eax, FRAMES|P|W|U
	mov	ecx, 512
	rep stosq
	mov	qword [PML4 + 8], PDPT|P|W|U
	mov	qword [ring], 0
.again:	mov	rdx, use
	call	run
	ASSERT	qword [got_vector], BACK
	mov	ebx, 4
.often:	push	rbx
	mov	ebx, V
	mov	rbp, EDGE + 0x100000 - 8
	mov	rcx, -0x220000
	mov	edi, 0xffffffff
	mov	esi, TOP
	mov	rdx, go
	call	run
	pop	rbx
	ASSERT	qword [got_vector], E_PF
	mov	rax, EDGE + 0x220000 - 8 + 0x200000 + (0xffffffff + TOP) * 4
	ASSERT	[got_cr2], rax
	dec	ebx
	jnz	.often
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

use:	mov	rax, EDGE - 8
	mov	rax, [rax]
	mov	rax, OTHER + 0x1f000
	mov	rax, [rax]
	int	BACK

	align	512
go:	mov	rax, [rbx]
	mov	rax, [rbp]
	mov	rsp, rbp
%rep 4
	mov	rax, [rsp - 0x20000]
	sub	rsp, 0x40000
%endrep
	mov	rax, [rsp]		; the end of the 4 GiB below
	add	rsp, 0x20000
%rep 8
	mov	rax, [rsp + 0x20000]
	add	rsp, 0x40000
%endrep
	jmp	.behind
.behind:
	movsxd	rcx, ecx
	mov	rax, [rsp + rcx]	; there again
	lea	rbx, [rsp + 0x100000]
	mov	edi, edi
	and	rsi, TOP
	add	rdi, rsi
	mov	rax, [rbx + rdi * 4 + 0x100000]
	int	BACK
