; SPDX-License-Identifier: GPL-2.0-or-later
; What a hostile guest tries in 64-bit code: two pages on both sides of a multiple of 4 GiB and nothing around them, and stacks, strings, bit strings, gathers, save areas, far pointers and
; bases that run over their ends, over what is canonical, over the end of the address space; code that changes what it is about to run, tables that change while they are used. Each gives
; what the manual says, in both rings.
%include "programs/long.inc"

T	equ TABLES
LOW_	equ 0x8fffff000		; the last page before a multiple of 4 GiB, ...
EDGE	equ 0x900000000		; ... and the first one
END_	equ EDGE + 0x1000
AGAIN	equ EDGE + 0x10000	; this program
HOLE	equ 0x800000000000	; the first address that is not canonical
HIGH_	equ 0xffff800000000000
CR4_OSXSAVE equ 1 << 18
DF	equ 0x400
ring	equ V + 0x10
user	equ V + 0x18		; U of error codes
saved	equ V + 0x20

; error code without U, CR2, instruction
%macro PF 3+
	jmp	%%over
%%at:	%3
	int	BACK
%%over:	mov	rdx, %%at
	call	run
	ASSERT	qword [got_vector], E_PF
	mov	rax, [user]
	or	rax, %1
	ASSERT	[got_error], rax
	ASSERT	qword [got_rip], %%at
	mov	rax, %2
	ASSERT	[got_cr2], rax
%endmacro

; register by number, value
%macro GOT 2
	mov	rax, %2
	ASSERT	[got_rax + 8 * %1], rax
%endmacro

%macro GOT_RSP 1
	mov	rax, %1
	ASSERT	[got_rsp], rax
%endmacro

; address, value
%macro HOLDS 2
	mov	rbx, %1
	mov	rax, %2
	ASSERT	[rbx], rax
%endmacro

%macro STACK_AT 1
	mov	rax, %1
	mov	[run_rsp], rax
%endmacro

; FS, GS; RAX is lost
%macro BASE 2
	mov	rax, %2
	wr %+ %1 %+ base rax
%endmacro

LONG_PROGRAM
	mov	qword [PDPT + 35 * 8], T|P|W|U
	mov	qword [PDPT + 36 * 8], (T + 0x2000)|P|W|U
	mov	qword [T + 511 * 8], (T + 0x1000)|P|W|U
	mov	qword [T + 0x1000 + 511 * 8], FRAMES|P|W|U
	mov	qword [T + 0x2000], (T + 0x3000)|P|W|U
	mov	qword [T + 0x3000], (FRAMES + 0x1000)|P|W|U
%assign page 0
%rep 4
	mov	qword [T + 0x3000 + (16 + page) * 8], (LOAD + page * 0x1000)|P|W|U
%assign page page + 1
%endrep
	mov	rax, cr4
	or	eax, CR4_FSGSBASE|CR4_OSXSAVE
	mov	cr4, rax
	xor	ecx, ecx
	xor	edx, edx
	mov	eax, 7
	xsetbv
	OWN_STACKS
	mov	qword [ring], 0
	mov	qword [user], 0
.again:	mov	byte [saved], 3
.thrice:
	call	stacks
	call	returns
	call	strings
	call	bit_strings
	call	areas
	call	bases
	call	code
	dec	byte [saved]
	jnz	.thrice
	cmp	qword [ring], 0
	jne	.user
	call	tables
.user:	IN	CODE64_3, DATA32_3
	mov	qword [user], PF_U
	inc	qword [ring]
	cmp	qword [ring], 2
	jb	.again
	IN	CODE64, DATA32
	STACK_AT RSTACK
	CHECK	{esp, STACK}
	DONE

; --- pushes, pops, frames ---

stacks:	STACK_AT EDGE + 4
	mov	rbx, 0x1122334455667788
	WORKS	push rbx
	GOT_RSP	EDGE - 4
	HOLDS	EDGE - 4, 0x1122334455667788
	STACK_AT LOW_ + 4
	PF PF_W, LOW_ - 4, push rbx
	GOT_RSP	LOW_ + 4
	STACK_AT END_ - 4
	PF 0, END_, pop rbx
	GOT_RSP	END_ - 4
	STACK_AT HOLE + 4
	RAISES	E_SS, 0, push rbx
	GOT_RSP	HOLE + 4
	STACK_AT HOLE
	PF PF_W, HOLE - 8, push rbx
	RAISES	E_SS, 0, pop rbx
	STACK_AT HIGH_ + 4
	RAISES	E_SS, 0, push rbx
	STACK_AT 4
	PF PF_W, -4, push rbx
	GOT_RSP	4
	STACK_AT EDGE + 8
	mov	rbp, EDGE + 0x10
	WORKS	enter 0x20, 3
	GOT	5, EDGE
	GOT_RSP	EDGE - 0x38
	HOLDS	EDGE, EDGE + 0x10
	HOLDS	EDGE - 0x18, EDGE
	STACK_AT LOW_ + 0x10
	mov	rbp, EDGE + 0x10
	PF PF_W, LOW_ - 8, enter 0, 3
	GOT_RSP	LOW_ + 0x10
	GOT	5, EDGE + 0x10
	STACK_AT RSTACK
	mov	rbp, EDGE - 4
	WORKS	leave
	GOT_RSP	EDGE + 4
	mov	rbp, END_ - 4
	PF 0, END_, leave
	GOT	5, END_ - 4
	GOT_RSP	RSTACK
	mov	rbp, HOLE
	RAISES	E_SS, 0, leave
	mov	rbx, END_ - 4
	PF 0, END_, push qword [rbx]
	GOT_RSP	RSTACK
	mov	rbx, LOW_ - 4
	PF PF_W, LOW_ - 4, pop qword [rbx]
	GOT_RSP	RSTACK
	STACK_AT EDGE + 3
	WORKS	pushfq
	GOT_RSP	EDGE - 5
	WORKS	push word 5
	GOT_RSP	EDGE + 1
	STACK_AT RSTACK
	ret

; --- near and far transfers ---

returns:
	mov	rbx, EDGE - 3
	mov	qword [rbx], .back
	STACK_AT EDGE - 3
	WORKS	ret
	GOT_RSP	EDGE + 5
	WORKS	ret 0xfff0
	GOT_RSP	EDGE + 5 + 0xfff0
	STACK_AT END_ - 7
	PF 0, END_, ret
	STACK_AT HOLE - 1
	RAISES	E_SS, 0, ret
	mov	rbx, EDGE - 3
	mov	rax, HOLE
	mov	[rbx], rax
	STACK_AT EDGE - 3
	RAISES	E_GP, 0, ret
	GOT_RSP	EDGE - 3
	STACK_AT LOW_ + 4
	PF PF_W, LOW_ - 4, call .back
	mov	rbx, .back
	PF PF_W, LOW_ - 4, call rbx
	GOT_RSP	LOW_ + 4
	STACK_AT RSTACK
	mov	rbx, EDGE - 4
	mov	qword [rbx], .back
	WORKS	jmp [rbx]
	mov	rbx, END_ - 4
	PF 0, END_, jmp [rbx]
	mov	rbx, HOLE - 4
	RAISES	E_GP, 0, jmp [rbx]
	mov	rbx, EDGE - 3
	mov	dword [rbx], .back
	mov	rax, [run_cs]
	mov	[rbx + 4], ax
	WORKS	jmp far dword [rbx]
	mov	rbx, END_ - 5
	PF 0, END_, jmp far dword [rbx]
	mov	rbx, HOLE - 5
	RAISES	E_GP, 0, jmp far dword [rbx]
	mov	rbx, EDGE - 13		; a frame for IRETQ, odd
	mov	qword [rbx], .back
	mov	rax, [run_cs]
	mov	[rbx + 8], rax
	mov	qword [rbx + 16], 2
	mov	qword [rbx + 24], RSTACK
	mov	rax, [run_ss]
	mov	[rbx + 32], rax
	STACK_AT EDGE - 13
	WORKS	iretq
	GOT_RSP	RSTACK
	STACK_AT END_ - 13
	PF 0, END_, iretq
	GOT_RSP	END_ - 13
	STACK_AT HOLE - 3
	RAISES	E_SS, 0, ret
	STACK_AT RSTACK
	ret
.back:	int	BACK

; --- string instructions ---

strings:
%macro OVER_THE_END 1 ; prefix
	mov	rcx, -1
	mov	rsi, END_ - 16
	mov	rdi, LOW_
	PF 0, END_, db %1, 0xf3, 0xa4
	GOT	1, -17
	GOT	6, END_
	GOT	7, LOW_ + 16
%endmacro
	OVER_THE_END 0x3e
	OVER_THE_END 0x2e
	OVER_THE_END 0x26
	OVER_THE_END 0x36
	BASE	fs, END_ + 0x123456789
	mov	rcx, -1
	mov	rsi, -0x123456789 - 16
	mov	rdi, LOW_
	PF 0, END_, fs rep movsb
	GOT	1, -17
	GOT	6, -0x123456789
	mov	qword [run_flags], DF|2
	mov	rcx, 1 << 60
	mov	rdi, EDGE + 8
	mov	eax, 0
	PF PF_W, LOW_ - 8, rep stosq
	GOT	1, (1 << 60) - 0x202
	GOT	7, LOW_ - 8
	mov	qword [run_flags], 2
	mov	rcx, -1
	mov	rdi, LOW_
	mov	eax, 0x7f
	PF 0, END_, repne scasb
	GOT	1, -0x2001
	GOT	7, END_
	mov	rcx, 1 << 63
	mov	rsi, LOW_
	mov	rdi, LOW_
	PF 0, END_, repe cmpsq
	GOT	1, (1 << 63) - 0x400
	mov	rsi, EDGE - 3
	WORKS	lodsq
	GOT	6, EDGE + 5
	mov	rsi, END_ - 3
	PF 0, END_, lodsq
	GOT	6, END_ - 3
	mov	rcx, 5
	mov	rsi, LOW_
	mov	rdi, HOLE
	RAISES	E_GP, 0, rep movsb
	GOT	1, 5
	mov	rsi, HOLE
	mov	rdi, HOLE
	xor	ecx, ecx
	WORKS	rep movsb
	mov	rdi, FRAMES | 0xabcd00000000
	mov	rcx, 5 | 0x100000000
	WORKS	a32 rep stosb
	GOT	1, 0
	GOT	7, FRAMES + 5
	ret

; --- bit strings, XLAT, CMPXCHG16B, gathers, masked moves ---

bit_strings:
	mov	rbx, EDGE
	mov	qword [rbx], 0
	mov	rbx, LOW_
	mov	rcx, 0x1000 * 8 + 3
	WORKS	bts [rbx], rcx
	HOLDS	EDGE, 8
	mov	rbx, END_ + 8
	mov	rcx, -0x1008 * 8 + 3
	WORKS	lock btr [rbx], rcx
	HOLDS	EDGE, 0
	mov	rbx, LOW_
	mov	rcx, 0x2000 * 8
	PF PF_W, END_, btc [rbx], rcx
	mov	rbx, LOW_
	mov	rcx, 1 << 62
	RAISES	E_GP, 0, bts [rbx], rcx
	mov	rcx, 1 << 63
	RAISES	E_GP, 0, bts [rbx], rcx
	mov	rbx, LOW_ + (1 << 59)		; only where it ends counts
	mov	rcx, -(1 << 62)
	WORKS	bt [rbx], rcx
	mov	rbx, HOLE
	mov	rcx, -64
	PF 0, HOLE - 8, bt [rbx], rcx
	mov	rbx, -8				; to the other end of the address space
	mov	rcx, FRAMES * 8 + 64
	WORKS	bt [rbx], rcx
	mov	rbx, EDGE - 1
	mov	byte [rbx + 1], 0x5c
	mov	eax, 1
	WORKS	xlatb
	GOT	0, 0x5c
	mov	rbx, -1
	mov	eax, 0x10
	WORKS	xlatb
	mov	rbx, END_ - 1
	mov	eax, 1
	PF 0, END_, xlatb
	mov	rbx, HOLE - 1
	mov	eax, 1
	RAISES	E_GP, 0, xlatb
	mov	rbx, END_ - 16
	WORKS	cmpxchg16b [rbx]
	mov	rbx, EDGE - 8
	RAISES	E_GP, 0, cmpxchg16b [rbx]
	mov	rbx, END_
	PF PF_W, END_, cmpxchg16b [rbx]
	mov	rbx, END_ - 8			; neither aligned nor there
	RAISES	E_GP, 0, movaps xmm0, [rbx]
	mov	rbx, END_ + 8
	RAISES	E_GP, 0, movaps [rbx], xmm0

	vpcmpeqd xmm1, xmm1, xmm1		; indexes -1
	vmovdqa	xmm2, xmm1
	mov	rbx, EDGE
	WORKS	vpgatherdd xmm0, [rbx + xmm1 * 8], xmm2
	vpsrld	xmm1, xmm1, 1			; 7fffffff
	vpcmpeqd xmm2, xmm2, xmm2
	mov	rbx, EDGE
	PF 0, EDGE + 0x3fffffff8, vpgatherdd xmm0, [rbx + xmm1 * 8], xmm2
	vpcmpeqd xmm2, xmm2, xmm2
	mov	rbx, HOLE - 0x3fffffff8
	RAISES	E_GP, 0, vpgatherdd xmm0, [rbx + xmm1 * 8], xmm2
	vpcmpeqd xmm2, xmm2, xmm2
	mov	rbx, -0x3fffffff8		; 0
	WORKS	vpgatherdd xmm0, [rbx + xmm1 * 8], xmm2
	vpcmpeqd xmm2, xmm2, xmm2
	vpsrldq	xmm2, xmm2, 8			; the first two
	mov	rbx, END_ - 8
	WORKS	vmaskmovps [rbx], xmm2, xmm0
	vpslldq	xmm2, xmm2, 4			; the second and the third
	PF PF_W, END_, vmaskmovps [rbx], xmm2, xmm0
	ret

; --- large operands ---

areas:	mov	rbx, EDGE - 0x100
	WORKS	fxsave64 [rbx]
	WORKS	fxrstor64 [rbx]
	mov	rbx, EDGE - 0x140
	mov	eax, 7
	xor	edx, edx
	WORKS	xsave64 [rbx]
	mov	eax, 7
	mov	rbx, EDGE - 0x140
	WORKS	fxrstor [rbx]
	mov	rbx, END_ - 0x100
	PF PF_W, END_, fxsave [rbx]
	mov	rbx, EDGE + 8
	RAISES	E_GP, 0, fxsave [rbx]
	mov	rbx, HOLE - 0x100
	RAISES	E_GP, 0, fxsave [rbx]
	mov	rbx, EDGE - 5
	WORKS	vmovdqu ymm0, [rbx]
	WORKS	vmovdqu [rbx], ymm0
	mov	rbx, END_ - 31
	PF PF_W, END_, vmovdqu [rbx], ymm0
	mov	rbx, HOLE - 31
	RAISES	E_GP, 0, vmovdqu ymm0, [rbx]
	mov	rbx, EDGE - 5
	WORKS	fld tword [rbx]
	ret

; --- bases, addresses of 32 bits ---

bases:	mov	rbx, 0xabcdef00fffffff8
	mov	dword [FRAMES + 8], 0x1234567
	WORKS	mov eax, [ebx + FRAMES + 0x10]
	GOT	0, 0x1234567
	BASE	fs, HIGH_
	mov	rbx, HOLE + FRAMES + 8
	WORKS	mov eax, [fs:rbx]
	GOT	0, 0x1234567
	BASE	fs, HOLE - 1
	xor	ebx, ebx
	RAISES	E_GP, 0, mov rax, [fs:rbx]
	mov	ebx, 1
	RAISES	E_GP, 0, mov al, [fs:rbx]
	BASE	fs, -8
	mov	ebx, FRAMES + 0x10
	WORKS	mov eax, [fs:rbx]
	GOT	0, 0x1234567
	BASE	fs, EDGE - 8
	mov	rbx, 0x77777777_00000008
	WORKS	mov rax, [fs:ebx]
	mov	rbx, 0x1008
	PF PF_W, END_, mov [fs:rbx], rax
	mov	rbx, -0x1000
	PF PF_W, LOW_ - 8, mov [fs:rbx], rax
	BASE	fs, 0
	mov	rbx, HOLE - 4
	RAISES	E_GP, 0, mov rax, [rbx]
	RAISES	E_GP, 0, mov rax, [rbx + 0x7fffffff]
	mov	rbx, -4
	PF 0, -4, mov rax, [rbx]
	ret

; --- code that changes ---

code:	mov	byte [.one + 1], 1
	WORKS	call .changes
	GOT	0, 0x22
	mov	dword [.two + 1], 0x11
	mov	rsi, .wanted
	mov	rdi, .two
	mov	ecx, 5
	WORKS	call .copies
	GOT	0, 0x33
	mov	dword [.two + 1], 0x11
	xor	ecx, ecx
	WORKS	call .copies
	GOT	0, 0x11
	mov	rbx, AGAIN + .two - $$		; through another 4 GiB
	mov	dword [rbx + 1], 0x44
	xor	ecx, ecx
	WORKS	call .copies
	GOT	0, 0x44
	mov	rdx, AGAIN + .there - $$	; and run there
	call	run
	ASSERT	qword [got_vector], BACK
	GOT	0, 0x44
	mov	dword [.there + 1], 0x55
	mov	rdx, AGAIN + .there - $$
	call	run
	GOT	0, 0x55
	mov	dword [.there + 1], 0x44
	ret
.changes:
	mov	byte [.one + 1], 0x22
.one:	mov	eax, 1
	ret
.copies:
	rep movsb
.two:	mov	eax, 0x11
	ret
.wanted:
	mov	eax, 0x33
.there:	mov	eax, 0x44
	int	BACK

; --- tables that change while they are used (ring 0) ---

tables:	mov	rbx, EDGE
	mov	rax, LOW_
	mov	qword [rbx], 2
	mov	qword [rax], 1
	mov	ecx, 200
.loop:	mov	rax, [rbx]
	xor	qword [T + 0x3000], 0x1000
	invlpg	[rbx]
	mov	rdx, [rbx]
	add	rax, rdx			; one of each
	ASSERT	rax, 3
	dec	ecx
	jnz	.loop
	mov	qword [T + 0x3000], 0		; below the stack's feet
	invlpg	[rbx]
	STACK_AT EDGE + 8
	PF PF_W, EDGE, push rbx
	mov	rbx, EDGE - 4
	PF 0, EDGE, mov rax, [rbx]
	mov	qword [T + 0x3000], (FRAMES + 0x1000)|P|W|U
	mov	rbx, EDGE - 4
	WORKS	mov rax, [rbx]
	mov	qword [PDPT + 36 * 8], 0	; all of the upper 4 GiB
	mov	rax, cr3
	mov	cr3, rax
	PF 0, EDGE, mov rax, [rbx]
	mov	rcx, -1
	mov	rsi, LOW_ + 0xff0
	mov	rdi, LOW_
	PF 0, EDGE, rep movsq
	GOT	1, -3
	mov	qword [PDPT + 36 * 8], PDPT|P|W|U	; the tables as data
	mov	rax, cr3
	mov	cr3, rax
	mov	qword [PDPT + 36 * 8], (T + 0x2000)|P|W|U
	mov	rax, cr3
	mov	cr3, rax
	mov	rbx, EDGE - 4
	WORKS	mov rax, [rbx]
	STACK_AT RSTACK
	ret
