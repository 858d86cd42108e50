; SPDX-License-Identifier: GPL-2.0-or-later
; Canonical addresses (SDM vol. 1, 3.3.7.1): operands raise #GP(0), stacks #SS(0), branches #GP(0) before they are made; values that are kept are checked where they are
; written. Of each kind of access, by what may be its address.
%include "programs/long.inc"

LOWEST	equ 0x0000800000000000	; of those that are not canonical
HIGHEST	equ 0xffff7fffffffffff
END	equ 0x00007ffffffff000	; the last page of the lower half

; RAX, RBP and RSP hold the address: #GP(0), #SS(0)
%macro OPERANDS 1
	mov	rax, %1
	RAISES	E_GP, 0, mov bl, [rax]
	mov	rax, %1
	RAISES	E_GP, 0, mov [rax], rbx
	mov	rax, %1
	RAISES	E_GP, 0, add [rax], ebx
	mov	rax, %1
	RAISES	E_GP, 0, lock xadd [rax], rbx
	mov	rax, %1
	RAISES	E_GP, 0, movups xmm0, [rax]
	mov	rax, %1
	RAISES	E_GP, 0, movups [rax], xmm0
	mov	rax, %1
	RAISES	E_GP, 0, fld qword [rax]
	mov	rax, %1
	RAISES	E_GP, 0, push qword [rax]
	mov	rax, %1
	RAISES	E_GP, 0, pop qword [rax]
	mov	rax, %1
	RAISES	E_GP, 0, call qword [rax]
	mov	rax, %1
	mov	ebx, 5
	RAISES	E_GP, 0, bt [rax], rbx
	mov	rax, %1
	RAISES	E_GP, 0, db 0x36, 0x8b, 0x18	; MOV EBX, [SS:RAX]: the override is not one
	mov	rax, %1
	RAISES	E_GP, 0, db 0x26, 0x8b, 0x18
	mov	rax, %1
	WORKS	prefetcht0 [rax]
	mov	rax, %1
	WORKS	nop dword [rax]
	mov	rax, %1
	WORKS	lea rbx, [rax]
	mov	rax, %1
	RAISES	E_GP, 0, clflush [rax]
	mov	rsi, %1
	RAISES	E_GP, 0, lodsb
	mov	rdi, %1
	RAISES	E_GP, 0, stosq
	mov	rdi, %1
	mov	esi, V
	mov	ecx, 5
	RAISES	E_GP, 0, rep movsb
	ASSERT	qword [got_rcx], 5
	mov	rbp, %1
	RAISES	E_SS, 0, mov eax, [rbp]
	mov	rbp, %1
	xor	ecx, ecx
	RAISES	E_SS, 0, mov [rbp + rcx * 8], rax
	mov	rbp, %1
	RAISES	E_SS, 0, leave
	mov	rbp, %1
	RAISES	E_GP, 0, mov eax, [fs:rbp]
	mov	rbp, %1
	xor	eax, eax
	RAISES	E_GP, 0, mov eax, [rax + rbp]
%endmacro

; with RSP as it is
%macro STACKS 1
	mov	rax, %1
	mov	[run_rsp], rax
	RAISES	E_SS, 0, push rax
	RAISES	E_SS, 0, pop rax
	RAISES	E_SS, 0, pushfq
	RAISES	E_SS, 0, popfq
	RAISES	E_SS, 0, call run
	RAISES	E_SS, 0, ret
	RAISES	E_SS, 0, mov eax, [rsp]
	RAISES	E_SS, 0, enter 0, 0
	RAISES	E_SS, 0, push fs
	RAISES	E_SS, 0, pop fs
	RAISES	E_SS, 0, retf
	RAISES	E_SS, 0, iretq
	mov	qword [run_rsp], RSTACK
%endmacro

%macro TARGETS 1
	mov	rax, %1
	RAISES	E_GP, 0, jmp rax
	mov	rax, %1
	RAISES	E_GP, 0, call rax
	ASSERT	qword [got_rsp], RSTACK
	mov	rax, %1
	mov	[RSTACK], rax
	RAISES	E_GP, 0, ret
	mov	rax, %1
	RAISES	E_GP, 0, jmp qword [RSTACK]
%endmacro

%macro MSRS 1
	SET_MSR	%1, END
	GET_MSR	%1
	mov	rbx, END
	ASSERT	rax, rbx
	SET_MSR	%1, WIDE
	REFUSED	%1, 0x01000000, 0
	REFUSED	%1, 0xfeffffff, 0xffffffff
	REFUSED	%1, 0x80000000, 0
	GET_MSR	%1
	mov	rbx, WIDE
	ASSERT	rax, rbx
	SET_MSR	%1, 0
%endmacro

; index, upper half, lower half
%macro REFUSED 3
	jmp	%%over
%%at:	mov	ecx, %1
	mov	edx, %2
	mov	eax, %3
%%write:
	wrmsr
	int	BACK
%%over:	mov	rdx, %%at
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	ASSERT	qword [got_rip], %%write
%endmacro

; As %rep with every kind of code segment.
%macro ALL 0
	OPERANDS LOWEST
	OPERANDS HIGHEST
	OPERANDS 0x8000000000000000
	STACKS	LOWEST + 0x100
	STACKS	HIGHEST - 0x100
	TARGETS	LOWEST
	TARGETS	HIGHEST
	TARGETS	0x7fffffffffffffff
%endmacro

LONG_PROGRAM
	; the last page of the lower half, the first of the upper one
	mov	qword [PML4 + 255 * 8], TABLES|P|W|U
	mov	qword [PML4 + 256 * 8], TABLES|P|W|U
	mov	qword [TABLES + 511 * 8], (TABLES + 0x1000)|P|W|U
	mov	qword [TABLES], (TABLES + 0x1000)|P|W|U
	mov	qword [TABLES + 0x1000 + 511 * 8], (TABLES + 0x2000)|P|W|U
	mov	qword [TABLES + 0x1000], (TABLES + 0x2000)|P|W|U
	mov	qword [TABLES + 0x2000 + 511 * 8], FRAMES|P|W|U
	mov	qword [TABLES + 0x2000], (FRAMES + 0x1000)|P|W|U
	mov	byte [IDT + E_SS * 16 + 4], 1	; IST1: ring 0's stack is no good then
	mov	dword [V], 0
.again:
	call	everything
	IN	CODE64_3, DATA32_3
	inc	dword [V]
	cmp	dword [V], 2
	jb	.again
	IN	CODE64, DATA32
	call	straddles
	call	kept
	call	returns
	; INVLPG has no address to complain of
	mov	rax, LOWEST
	WORKS	invlpg [rax]
	CHECK	{esp, STACK}
	DONE

everything:
	ALL
	ret

; Operands whose last byte is not canonical any more, code that runs off the end.
straddles:
	mov	rax, END + 0xff8
	WORKS	mov rbx, [rax]
	mov	rax, END + 0xff9
	RAISES	E_GP, 0, mov rbx, [rax]
	mov	rax, END + 0xff0
	WORKS	movaps xmm0, [rax]
	mov	rax, END + 0xff1
	RAISES	E_GP, 0, movups [rax], xmm0
	mov	rax, END + 0xffe
	RAISES	E_GP, 0, mov ebx, [rax]
	mov	rax, 0xffff800000000000
	WORKS	mov rbx, [rax]
	mov	rax, 0xffff7fffffffffff
	RAISES	E_GP, 0, mov bx, [rax]
	mov	rax, END + 0xfff
	WORKS	mov bl, [rax]
	; strings: what comes before it is done
	mov	rdi, END + 0xffc
	mov	ecx, 8
	mov	al, 0x5a
	RAISES	E_GP, 0, rep stosb
	ASSERT	qword [got_rcx], 4
	mov	rax, END + 0xffc
	ASSERT	dword [rax], 0x5a5a5a5a
	; stacks
	IN	CODE64_3, DATA32_3
	mov	rax, END + 0x1000
	mov	[run_rsp], rax
	WORKS	push rax
	RAISES	E_SS, 0, pop rax
	mov	rax, 0xffff800000000008
	mov	[run_rsp], rax
	WORKS	push rax
	mov	rax, 0xffff800000000004
	mov	[run_rsp], rax
	RAISES	E_SS, 0, push rax
	mov	qword [run_rsp], RSTACK
	IN	CODE64, DATA32
	; code: NOPs to the end, then an instruction that is cut
	mov	rdi, END
	mov	ecx, 0x1000
	mov	al, 0x90
	rep	stosb
	mov	rdx, END + 0xff0
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	mov	rax, LOWEST
	ASSERT	[got_rip], rax
	mov	rax, END + 0xffe
	mov	word [rax], 0xc0c7		; MOV EAX, imm32
	mov	rdx, rax
	call	run
	ASSERT	qword [got_vector], E_GP
	mov	rax, END + 0xffe
	ASSERT	[got_rip], rax
	; a jump there from within
	mov	word [rax], 0x00eb		; JMP over nothing, to LOWEST
	mov	rdx, rax
	call	run
	ASSERT	qword [got_vector], E_GP
	mov	rax, END + 0xffe
	ASSERT	[got_rip], rax
	; FS and GS: base and offset together
	SET_MSR	FS_BASE, END
	WORKS	mov rax, [fs:0xff8]
	RAISES	E_GP, 0, mov rax, [fs:0xff9]
	RAISES	E_GP, 0, mov al, [fs:0x1000]
	mov	rax, LOWEST
	neg	rax
	RAISES	E_PF, 0, mov al, [fs:rax + 0x1000000]	; it wraps: canonical again, not there
	SET_MSR	FS_BASE, 0
	SET_MSR	GS_BASE, 0xffff800000000000
	WORKS	mov rax, [gs:0]
	RAISES	E_GP, 0, mov al, [gs:-1]
	SET_MSR	GS_BASE, 0
	; 32-bit addresses are always
	mov	rax, LOWEST | V
	WORKS	mov ebx, [eax]
	ret

; MSRs, table registers, bases: by the width that the processor has (57 bits here), not the one that is switched on.
WIDE	equ LOWEST		; in 57 bits
WIDEST	equ 0x0100000000000000	; not in these either
kept:	MSRS	FS_BASE
	MSRS	GS_BASE
	MSRS	KERNEL_GS_BASE
	MSRS	LSTAR
	MSRS	CSTAR
	MSRS	0x175
	MSRS	0x176
	mov	word [V + 0x10], 0xfff
	mov	rax, WIDEST
	mov	[V + 0x12], rax
	RAISES	E_GP, 0, lgdt [V + 0x10]
	RAISES	E_GP, 0, lidt [V + 0x10]
	sgdt	[V + 0x20]
	ASSERT	qword [V + 0x22], GDT
	sidt	[V + 0x20]
	ASSERT	qword [V + 0x22], IDT
	; LDT and TSS whose bases are not
	DESCRIPTOR X, 0, 0xff, 0x82, 0
	DESCRIPTOR_HIGH X, 0x01000000, 0
	mov	eax, X
	RAISES	E_GP, X, lldt ax
	DESCRIPTOR X, 0, 0xff, 0x89, 0
	mov	eax, X
	RAISES	E_GP, X, ltr ax
	ASSERT	byte [GDT + X + 5], 0x89	; not busy
	DESCRIPTOR_HIGH X, 0xffff8000, 0
	DESCRIPTOR X, 0, 0xff, 0x82, 0
	mov	eax, X
	WORKS	lldt ax
	DESCRIPTOR_HIGH X, 0, 0x1f00		; a type where none may be
	mov	eax, X
	RAISES	E_GP, X, lldt ax
	xor	eax, eax
	lldt	ax
	mov	rax, cr4
	or	rax, CR4_FSGSBASE
	mov	cr4, rax
	mov	rbx, WIDEST
	RAISES	E_GP, 0, wrfsbase rbx
	mov	rbx, WIDEST
	not	rbx
	RAISES	E_GP, 0, wrgsbase rbx
	mov	rbx, WIDEST | 5
	WORKS	wrgsbase ebx			; 32 bits, zero-extended
	mov	rbx, END
	WORKS	wrfsbase rbx
	xor	ebx, ebx
	WORKS	wrgsbase rbx
	xor	ebx, ebx
	WORKS	wrfsbase rbx
	ret

; IRET, RETF, far JMP, SYSRET, SYSEXIT: RIP must be; RSP is what its user makes of it.
returns:
	mov	rdx, .iret
	mov	rax, LOWEST
	mov	[V + 0x30], rax
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	ASSERT	qword [got_rip], AT(.iret_at)
	mov	rdx, .iret3
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_rip], AT(.iret3_at)
	ASSERT	word [got_cs], CODE64
	mov	rdx, .retf
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_rip], AT(.retf_at)
	; to a stack that is not: the first use of it tells
	mov	qword [V + 0x30], .uses
	mov	rax, HIGHEST
	mov	[V + 0x38], rax
	mov	rdx, .iret_rsp
	call	run
	ASSERT	qword [got_vector], E_SS
	ASSERT	qword [got_rip], AT(.uses)
	mov	rax, HIGHEST
	ASSERT	[got_rsp], rax
	; SYSRET and SYSEXIT: in ring 0
	GET_MSR	EFER
	or	eax, EFER_SCE
	wrmsr
	SET_MSR	STAR, CODE64_3 << 48 | CODE64 << 32
	mov	rcx, LOWEST
	RAISES	E_GP, 0, o64 sysret
	ASSERT	word [got_cs], CODE64
	SET_MSR	0x174, CODE64
	mov	qword [V + 0x30], V
	mov	rdx, .sysexit
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_rip], AT(.sysexit_at)
	mov	rdx, .sysexit_rsp
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_rip], AT(.sysexit_rsp_at)
	; SYSCALL and SYSENTER lead where the MSRs say, which was checked when they were written; the code need not be there
	SET_MSR	LSTAR, END
	mov	rbx, END
	mov	word [rbx], 0x30cd		; INT BACK
	IN	CODE64_3, DATA32_3
	WORKS	syscall
	mov	rax, END + 2
	ASSERT	[got_rip], rax
	IN	CODE64, DATA32
	ret
.iret:	push	byte DATA32
	push	qword RSTACK
	push	byte 2
	push	qword CODE64
	push	qword [V + 0x30]
.iret_at:
	iretq
.iret3:	push	byte DATA32_3
	push	qword RSTACK
	push	byte 2
	push	qword CODE64_3
	push	qword [V + 0x30]
.iret3_at:
	iretq
.retf:	push	qword CODE64
	push	qword [V + 0x30]
.retf_at:
	o64 retf
.iret_rsp:
	push	byte DATA32_3
	push	qword [V + 0x38]
	push	byte 2
	push	qword CODE64_3
	push	qword [V + 0x30]
	iretq
.uses:	push	rax
.sysexit:
	mov	rdx, LOWEST
	mov	rcx, RSTACK
.sysexit_at:
	o64 sysexit
.sysexit_rsp:
	mov	rcx, LOWEST
	mov	rdx, run
.sysexit_rsp_at:
	o64 sysexit
