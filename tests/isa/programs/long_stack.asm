; SPDX-License-Identifier: GPL-2.0-or-later
; RSP is moved, in small steps and in large ones, by each kind of instruction, to where nothing is, over the end of 4 GiB and of what is canonical, by transfers between rings, and is used, or not;
; and what it points to goes. In both rings.
%include "programs/long.inc"

T	equ TABLES
EDGE	equ 0x900000000		; two pages around it, and nothing else within 30 GiB
FAR_	equ 0x8000000000	; the same around FAR_ + EDGE
HIGH_	equ 0xffff800000000000
HOLE	equ 0x800000000000
MARK	equ 0x1122334455667788
USER	equ 0x200		; STAR: CS and SS of ring 3 from here on
ring	equ V + 0x10
user	equ V + 0x18		; U of error codes
rounds	equ V + 0x20

%macro STACK_AT 1
	mov	rax, %1
	mov	[run_rsp], rax
%endmacro

%macro GOT 2
	mov	rax, %2
	ASSERT	[%1], rax
%endmacro

; Label, RSP there in the beginning, RSP in the end
%macro COMES_TO 3
	STACK_AT %2
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], BACK
	GOT	got_rsp, %3
%endmacro

; Label, RSP there, address, error code without U
%macro NO_STACK 4
	STACK_AT %2
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], E_PF
	GOT	got_cr2, %3
	mov	rax, [user]
	or	rax, %4
	ASSERT	[got_error], rax
%endmacro

LONG_PROGRAM
	EDGE_PAGES 1024
	OWN_STACKS
	mov	rax, cr4
	or	eax, CR4_FSGSBASE
	mov	cr4, rax
	GET_MSR	EFER
	or	eax, EFER_SCE
	wrmsr
	DESCRIPTOR USER + 8, 0, 0xfffff, 0xf3, 0xc
	DESCRIPTOR USER + 16, 0, 0xfffff, 0xfb, 0xa
	SET_MSR	STAR, (USER | 3) << 48 | CODE64 << 32
	SET_MSR	SFMASK, 0
	mov	qword [ring], 0
	mov	qword [user], 0
.again:	mov	byte [rounds], 4
.often:
	call	steps
	call	kinds
	call	nowhere
	dec	byte [rounds]
	jnz	.often
	cmp	qword [ring], 0
	jne	.user
	mov	byte [rounds], 4
.tables:
	call	tables
	dec	byte [rounds]
	jnz	.tables
.user:	IN	CODE64_3, DATA32_3
	mov	qword [user], PF_U
	inc	qword [ring]
	cmp	qword [ring], 2
	jb	.again
	mov	byte [rounds], 4
.calls:
	call	system_calls
	dec	byte [rounds]
	jnz	.calls
	CHECK	{esp, STACK}
	DONE

; --- by constants, touching nothing ---

; Instruction, how often, what it does to RSP: then a push
%macro MOVES 3
	jmp	%%over
%%push:	mov	ecx, %2
%%l:	%1
	dec	ecx
	jnz	%%l
	push	rbx
	int	BACK
%%there:			; and back, where it is used as if nothing had happened
	mov	ecx, %2
%%m:	%1
	dec	ecx
	jnz	%%m
	mov	rax, %3 * %2
	sub	rsp, rax
	mov	rbx, MARK
	push	rbx
	pop	rdx
	int	BACK
%%over:	NO_STACK %%push, EDGE + 0x800, EDGE + 0x7f8 + %3 * %2, PF_W
	GOT	got_rsp, EDGE + 0x800 + %3 * %2
	COMES_TO %%there, EDGE + 0x800, EDGE + 0x800
	GOT	got_rdx, MARK
%endmacro

steps:	MOVES	{sub rsp, 0x1000}, 3, -0x1000
	MOVES	{sub rsp, 0x10000}, 40, -0x10000
	MOVES	{add rsp, 0x1fff0}, 40, 0x1fff0
	MOVES	{add rsp, 0x7fffff00}, 12, 0x7fffff00
	MOVES	{sub rsp, 0x7fffff00}, 12, -0x7fffff00
	MOVES	{lea rsp, [rsp - 0x20000]}, 20, -0x20000
	MOVES	{lea rsp, [rsp + 0x7fffff00]}, 13, 0x7fffff00
	MOVES	{sub rsp, 0x70000000}, 1, -0x70000000
	COMES_TO .far9, EDGE + 0x10, EDGE - 0x10	; past pages that are there
	GOT	got_rdx, 1
	COMES_TO .row, EDGE + 0x108, EDGE + 0x108
	GOT	got_rdx, 1
	COMES_TO .row_apart, EDGE + 0x108, EDGE + 0x108
	GOT	got_rdx, 1
	COMES_TO .frame, EDGE + 8, EDGE + 8
	COMES_TO .small, EDGE + 8, EDGE + 6
	STACK_AT EDGE + 0x1000		; the very end: moved there, and used elsewhere
	mov	rdx, .end
	call	run
	ASSERT	qword [got_vector], BACK
	GOT	got_rdx, 1
	ret

.far9:	mov	ecx, 0x20
.step:	dec	rsp
	dec	ecx
	jnz	.step
	mov	rdx, [rsp]
	int	BACK
.row:	sub	rsp, 0x18000
	sub	rsp, 0x18000
	sub	rsp, 0x18000
	sub	rsp, 0x18000
	mov	rdx, [rsp + 0x60000]
	add	rsp, 0x60000
	int	BACK
.row_apart:
	sub	rsp, 0x18000
	jmp	.row2
.row2:	sub	rsp, 0x18000
	test	esp, esp
	jz	.row2
	sub	rsp, 0x18000
	jmp	.row3
.row3:	mov	rdx, [rsp + 0x48000]
	add	rsp, 0x48000
	jmp	.row4
.row4:	int	BACK
.frame:	push	rbp
	mov	rbp, rsp
	sub	rsp, 0x500000
	mov	rdx, [rbp]
	mov	rsp, rbp
	pop	rbp
	int	BACK
.small:	inc	rsp
	dec	rsp
	dec	rsp
	sub	rsp, 1
	push	rbx
	lea	rsp, [rsp + 8]
	int	BACK
.end:	add	rsp, 8
	jmp	.end2
.end2:	sub	rsp, 0x10
	pop	rdx
	int	BACK

; --- by all else: to EDGE + FAR_ and back ---

%macro KIND 1+
	jmp	%%over
%%at:	mov	rax, FAR_ + EDGE + 0x20
	mov	rbx, MARK
	mov	rsi, FAR_
	mov	edi, V + 0x80
	mov	[rdi], rax
	mov	rbp, FAR_ + EDGE + 0x18
	cmp	eax, eax
	push	rbx
	%1
	push	rbx
	pop	rdx
	mov	r8, [rsp - 8]
	int	BACK
%%over:	COMES_TO %%at, EDGE + 0x28, FAR_ + EDGE + 0x20
	GOT	got_rdx, MARK
	GOT	got_rax + 8 * 8, MARK
%endmacro

%macro POPS 0
	push	rax
	pop	rsp
%endmacro
%macro LOADS 0
	mov	[rsp - 8], rax
	mov	rsp, [rsp - 8]
%endmacro
%macro ENDS 0
	mov	rsp, rax
	jmp	%%on
%%on:
%endmacro
%macro ALIGNS 0
	lea	rax, [rax + 12]
	mov	rsp, rax
	and	rsp, -16
%endmacro
%macro READS_BASE 0
	wrfsbase rax
	rdfsbase rsp
%endmacro

kinds:	KIND	mov rsp, rax
	KIND	mov rsp, [rdi]
	KIND	xchg rsp, rax
	KIND	add rsp, rsi
	KIND	lea rsp, [rsp + rsi]
	KIND	cmove rsp, rax
	KIND	POPS
	KIND	LOADS
	KIND	ENDS
	KIND	leave
	KIND	ALIGNS
	KIND	READS_BASE
	ret

; --- RSP that leads nowhere, and is not used ---

nowhere:
	COMES_TO .unused, RSTACK, RSTACK
	GOT	got_rdx, HOLE
	COMES_TO .wanders, EDGE + 0x10, EDGE + 0x10
	COMES_TO .constant, EDGE + 0x10, EDGE + 0x10
	GOT	got_rdx, MARK
	STACK_AT HOLE + 0x123456
	mov	rdx, .born
	call	run
	ASSERT	qword [got_vector], BACK
	GOT	got_rsp, HOLE + 0x123456
	STACK_AT HOLE
	mov	rdx, .pops
	call	run
	ASSERT	qword [got_vector], E_SS
	ASSERT	qword [got_error], 0
	GOT	got_rip, .popped
	GOT	got_rsp, HOLE + 8
	ret
.unused:
	mov	rbx, rsp
	mov	rax, HOLE
	mov	rsp, rax
	jmp	.u2
.u2:	mov	rdx, rsp
	sub	rsp, 8
	add	rsp, 0x1000
	jmp	.u3
.u3:	not	rsp
	xor	rsp, rax
	mov	ecx, 3
.u4:	rol	rsp, 13
	loop	.u4
	mov	rsp, rbx
	int	BACK
.wanders:
	mov	rbx, rsp
	mov	rsi, 0x123456789abc
	mov	ecx, 20
.w2:	add	rsp, rsi
	dec	ecx
	jnz	.w2
	mov	rsp, rbx
	push	rax
	pop	rax
	int	BACK
.constant:			; beside the code
	mov	rbx, rsp
	mov	rax, MARK
	lea	rbp, [rel .word]
	leave
	push	rax
	lea	rsp, [rel .word]
	pop	rdx
	lea	rcx, [rel .word]
	mov	r8, [rcx]
	mov	rsp, rcx
	jmp	.c2
.c2:	pop	rdx
	mov	rsp, rbx
	int	BACK
	align	8
.word:	dq MARK
.born:	mov	eax, 5
	jmp	.b2
.b2:	mov	ebx, 5
	int	BACK
.pops:	add	rsp, 8
.popped:
	pop	rax
	int	BACK

; --- between the rings ---

system_calls:
	SET_MSR	LSTAR, .entry
	COMES_TO .calls, EDGE + 0x18, EDGE + 0x18	; the kernel uses the caller's
	GOT	got_rdx, MARK
	COMES_TO .calls, EDGE - 0x18, EDGE - 0x18
	SET_MSR	LSTAR, .entry_own
	COMES_TO .call, EDGE + 0x18, EDGE + 0x18	; its own
	GOT	got_rdx, MARK
	COMES_TO .call2, HOLE + 0x18, EDGE + 0x10
	GOT	got_rdx, MARK
	COMES_TO .call2, 0, EDGE + 0x10
	SET_MSR	LSTAR, .entry_iret
	COMES_TO .call, EDGE + 0x18, EDGE + 0x18
	GOT	got_rdx, MARK
	COMES_TO .call2, -1, EDGE + 0x10
	ret
.calls:	mov	rbx, MARK
	sub	rsp, 8
	syscall
	add	rsp, 8
	int	BACK
.call:	mov	rbx, MARK
	syscall
	push	rbx
	pop	rdx
	int	BACK
.call2:	mov	rbx, MARK
	syscall
	mov	rsp, EDGE + 0x10
	push	rbx
	pop	rdx
	int	BACK
.entry:	push	rbx
	pop	rdx
	o64 sysret
.entry_own:
	mov	[V + 0x40], rsp
	mov	rsp, RSTACK
	push	rcx
	pop	rcx
	mov	rsp, [V + 0x40]
	o64 sysret
.entry_iret:
	mov	rdi, rsp
	mov	rsp, FAR_ + EDGE + 0x30
	push	qword USER + 8 + 3
	push	rdi
	push	qword 2
	push	qword USER + 16 + 3
	push	rcx
	iretq

; --- what RSP points to goes, and comes back (ring 0) ---

tables:	NO_STACK .page, EDGE + 0x800, EDGE + 0x7f0, PF_W
	mov	qword [T + 0x3000], (FRAMES + 0x1000)|P|W|U
	NO_STACK .all, EDGE + 0x800, EDGE + 0x7f0, PF_W
	mov	qword [PDPT + 36 * 8], (T + 0x2000)|P|W|U
	COMES_TO .other, EDGE + 0x800, EDGE + 0x800
	GOT	got_rdx, MARK
	ret
.page:	push	rbx
	mov	qword [T + 0x3000], 0
	invlpg	[rsp]
	push	rbx
	int	BACK
.all:	push	rbx
	mov	qword [PDPT + 36 * 8], 0
	mov	rax, cr3
	mov	cr3, rax
	push	rbx
	int	BACK
.other:	mov	rbx, MARK
	push	rbx
	mov	qword [PDPT + 36 * 8], 0
	mov	rax, cr3
	mov	cr3, rax
	mov	qword [PDPT + 36 * 8], (T + 0x2000)|P|W|U
	mov	rax, cr3
	mov	cr3, rax
	pop	rdx
	int	BACK
