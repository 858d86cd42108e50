; SPDX-License-Identifier: GPL-2.0-or-later
; Operands of FS and GS and a constant: bases on both sides of 4 GiB and all over the addresses, so that what is added leads out of the chunk, to what is not mapped, or to no address; bases written
; in all ways, in another address space, and by the code itself; two address spaces that have other memory there.
%include "programs/long.inc"

T	equ TABLES
LOW_	equ 0x8fffff000		; two pages of words that tell where they are
EDGE	equ 0x900000000
OTHER_	equ 0x8000000000	; the first 512 GiB again
HIGH_	equ 0xffff800000000000	; and again
SPACE2	equ T + 0x4000		; another PML4, with other pages there
ring	equ V + 0x10
base	equ V + 0x18
way	equ V + 0x20
snippet	equ V + 0x28
first	equ V + 0x30		; word of the space's pages
space	equ V + 0x38
other	equ V + 0x40
last	equ V + 0x48

LONG_PROGRAM
	mov	byte [IDT + E_GP * 16 + 4], 1
	mov	byte [IDT + E_PF * 16 + 4], 1
	mov	byte [IDT + BACK * 16 + 4], 1
	EDGE_PAGES 1024
	mov	edi, SPACE2
	mov	esi, PML4
	mov	ecx, 512
	rep	movsq
	mov	edi, T + 0x5000
	mov	esi, PDPT
	mov	ecx, 512
	rep	movsq
	mov	qword [SPACE2], (T + 0x5000)|P|W|U
	mov	qword [SPACE2 + 8], (T + 0x5000)|P|W|U
	mov	qword [SPACE2 + 256 * 8], (T + 0x5000)|P|W|U
	mov	qword [T + 0x5000 + 35 * 8], (T + 0x6000)|P|W|U
	mov	qword [T + 0x5000 + 36 * 8], (T + 0x8000)|P|W|U
	mov	qword [T + 0x6000 + 511 * 8], (T + 0x7000)|P|W|U
	mov	qword [T + 0x7000 + 511 * 8], (FRAMES + 0x2000)|P|W|U
	mov	qword [T + 0x8000], (T + 0x9000)|P|W|U
	mov	qword [T + 0x9000], (FRAMES + 0x3000)|P|W|U
	mov	edi, FRAMES
	xor	eax, eax
.fill:	stosq
	inc	eax
	cmp	eax, 4 * 512
	jb	.fill
	mov	rax, cr4
	or	eax, CR4_FSGSBASE
	mov	cr4, rax
	mov	qword [ring], 0
.again:	mov	qword [first], 0
	mov	qword [space], PML4
	mov	qword [other], SPACE2
	call	each
	mov	qword [first], 1024
	mov	qword [space], SPACE2
	mov	qword [other], PML4
	call	each
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

each:	mov	qword [way], ways
.way:	mov	qword [base], bases
.base:	mov	rax, [space]
	mov	cr3, rax
	mov	rsi, [base]
	mov	rsi, [rsi]
	mov	rax, [way]
	call	[rax]
	mov	rax, [way]
	sub	eax, ways
	imul	eax, SET / 8
	add	eax, snippets
	mov	[snippet], rax
	add	eax, SET
	mov	[last], rax
	cmp	dword [ring], 0	; what is held there first
	jne	.next
	add	qword [snippet], SET / 10
.next:	mov	rbx, [snippet]
	mov	rdx, [rbx]
	mov	rsi, [base]
	mov	rsi, [rsi]
	xor	ebx, ebx
	call	run
	mov	rsi, [snippet]
	mov	rcx, [base]
	mov	rcx, [rcx]
	add	rcx, [rsi + 8]
	call	compare
	add	qword [snippet], 16
	mov	rax, [snippet]
	cmp	rax, [last]
	jb	.next
	add	qword [base], 8
	cmp	qword [base], bases.end
	jb	.base
	add	qword [way], 8
	cmp	qword [way], ways.end
	jb	.way
	ret

; The snippet has loaded from RCX.
compare:
	mov	rax, rcx
	sar	rax, 47
	inc	rax
	cmp	rax, 2
	jae	.none
	mov	rax, rcx
	shr	rax, 39
	and	eax, 511
	cmp	eax, 1
	jbe	.there
	cmp	eax, 256
	jne	.nothing
.there:	mov	rdx, OTHER_ - 1
	and	rdx, rcx
	cmp	rdx, 0x200000	; what all have
	jb	.low
	mov	rax, LOW_
	sub	rdx, rax
	cmp	rdx, 0x2000
	jae	.nothing
	shr	rdx, 3
	add	rdx, [first]
	ASSERT	qword [got_vector], BACK
	ASSERT	[got_rbx], rdx
	ret
.nothing:
	ASSERT	qword [got_vector], E_PF
	ASSERT	[got_cr2], rcx
	ret
.low:	ASSERT	qword [got_vector], BACK
	ret
.none:	ASSERT	qword [got_vector], E_GP
	ret

; The bases become RSI.
by_msr:	SET_MSR	FS_BASE, rsi
	SET_MSR	GS_BASE, rsi
	ret
by_insn: wrfsbase rsi
	wrgsbase rsi
	ret
by_swap: wrfsbase rsi
	SET_MSR	KERNEL_GS_BASE, rsi
	SET_MSR	GS_BASE, V
	swapgs
	ret
; twice: the inner one is what is outside now
by_swaps: wrfsbase rsi
	wrgsbase rsi
	swapgs
	mov	eax, V
	wrgsbase rax
	swapgs
	ret
; in the other address space, where it has been used
by_space: mov	rax, [other]
	mov	cr3, rax
	wrfsbase rsi
	wrgsbase rsi
	mov	rdx, used
	call	run
	mov	rax, [space]
	mov	cr3, rax
	ret
; where it leads elsewhere before
by_turns: mov	rax, LOW_ + OTHER_
	wrfsbase rax
	wrgsbase rax
	push	rsi
	mov	rdx, used
	call	run
	pop	rsi
	wrfsbase rsi
	wrgsbase rsi
	ret

	align	8
ways:	dq	by_msr, by_insn, by_swap, by_swaps, by_space, by_turns
.end:
bases:	dq	LOW_ + 0x1000, LOW_ + 0xff8, LOW_, EDGE - 0x10, EDGE + 8, EDGE + OTHER_, LOW_ + HIGH_ + 0x20, EDGE + HIGH_, 0x7fffffffff00, 0xffff800000000000, -0x1000, EDGE + 0x100000000
	dq	LOW_ - 0xff800, EDGE + 0xfff00, 0x123456789000, LOW_ + 0x10000000000
.end:

%macro SNIPPET 2	; segment, displacement
	jmp	%%over
%%load:	mov	rbx, [%1:abs %2]
	int	BACK
%%pair:	mov	r10, [%1:abs %2]
	mov	r11, r10
	cmp	r11, [%1:abs %2]
	cmove	rbx, r10
	int	BACK
%%both:	mov	rax, [rsp]
	lock	add qword [%1:abs %2], 0
	mov	rax, [rsp]
	push	qword [%1:abs %2]
	pop	rbx
	mov	ah, [%1:abs %2]
	cmp	ah, bl
	je	%%same
	xor	ebx, ebx
%%same:	int	BACK
%%own:	wr%1base rsi
	mov	rbx, [%1:abs %2]
	int	BACK
%%over:
%assign n n + 1
%xdefine LOAD_%[n] %%load
%xdefine PAIR_%[n] %%pair
%xdefine BOTH_%[n] %%both
%xdefine OWN_%[n] %%own
%xdefine DISP_%[n] %2
%endmacro

; Each way has its own: those that fault again and again are translated otherwise.
WAYS	equ 6
SET	equ 10 * 4 * 16

%assign n 0
%rep WAYS
	SNIPPET	fs, 0
	SNIPPET	gs, 0
	SNIPPET	fs, 8
	SNIPPET	gs, -8
	SNIPPET	fs, -0x1000
	SNIPPET	gs, 0x1000
	SNIPPET	fs, 0xff800
	SNIPPET	gs, -0xfff00
	SNIPPET	fs, 0x7ffff000
	SNIPPET	gs, 0x100
%endrep
	align	8
snippets:
%assign i 1
%rep n
	dq	LOAD_%[i], DISP_%[i], PAIR_%[i], DISP_%[i], BOTH_%[i], DISP_%[i], OWN_%[i], DISP_%[i]
%assign i i + 1
%endrep
used:	cpuid	; by the monitor, who sees FS base here
	mov	rbx, [fs:abs 8]
	mov	rbx, [gs:abs 8]
	int	BACK
