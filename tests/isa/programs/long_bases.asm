; SPDX-License-Identifier: GPL-2.0-or-later
; RDFSBASE, WRFSBASE, RDGSBASE, WRGSBASE: by all kinds of registers, with 32 and 64 bits, bases that are not canonical, flags that stay, accesses by the new base, SWAPGS and MSRs beside
; them; #UD without CR4.FSGSBASE, though the code has been run with it.
%include "programs/long.inc"

BASE_	equ 0x123456789a8
FAR_	equ 0xffff923456789000
OTHER_	equ 0x8000000000	; the first 512 GiB again

; register, segment, MSR
%macro BASES 3
	mov	%1, BASE_
	push	qword 0x8d7
	popfq
	wr%2base %1
	pushfq
	pop	rax
	and	eax, 0x8d5
	ASSERT	eax, 0x8d5
	xor	%1, %1
	rd%2base %1
	mov	rbx, BASE_
	ASSERT	%1, rbx
	GET_MSR	%3
	mov	rbx, BASE_
	ASSERT	rax, rbx
	mov	%1, FAR_
	wr%2base %1
	mov	%1, 1
	rd%2base %1
	mov	rbx, FAR_
	ASSERT	%1, rbx
	mov	%1, -1
	rd%2base %1d_
	mov	ebx, FAR_ & 0xffffffff
	ASSERT	%1, rbx
	mov	%1, 0xfffffff100000000 + V + 0x10
	wr%2base %1d_
	rd%2base %1
	ASSERT	%1, V + 0x10
	mov	dword [V + 0x18], 0x8899
	ASSERT	dword [%2:abs 8], 0x8899
	mov	%1, 1
	ASSERT	dword [%2:%1 + 7], 0x8899
	SET_MSR	%3, V
	rd%2base %1
	ASSERT	%1, V
	ASSERT	dword [%2:abs 0x18], 0x8899
%endmacro

%define raxd_ eax
%define rcxd_ ecx
%define rbpd_ ebp
%define r10d_ r10d
%define r11d_ r11d
%define r14d_ r14d

%macro BOTH 1
	BASES	%1, fs, FS_BASE
	BASES	%1, gs, GS_BASE
%endmacro

%macro BAD 1
	mov	rdi, %1
	RAISES	E_GP, 0, wrfsbase rdi
	mov	r11, %1
	RAISES	E_GP, 0, wrgsbase r11
	mov	rcx, %1
	RAISES	E_GP, 0, wrgsbase rcx
%endmacro

; A stack pointer that was a base: what is pushed before and behind
%macro STACKS 2	; RDFSBASE or RDGSBASE, WRFSBASE or WRGSBASE
	mov	rbx, rsp
	mov	rax, OTHER_
	add	rax, rsp
	%2	rax
	push	qword 0x11
	%1	rsp
	push	qword 0x22
	mov	rcx, rsp
	mov	rdx, [rsp]
	%1	esp
	push	qword 0x33
	lea	rsp, [rbx - 8]
	pop	rsi
	ASSERT	rdx, 0x22
	ASSERT	rsi, 0x33
	sub	rax, 8
	ASSERT	rax, rcx
%endmacro

LONG_PROGRAM
	mov	qword [PML4 + 8], PDPT|P|W|U
	mov	dword [round], 0
.again:	mov	rax, cr4
	or	eax, CR4_FSGSBASE
	mov	cr4, rax
	call	bases
	STACKS	rdfsbase, wrfsbase
	STACKS	rdgsbase, wrgsbase
	BAD	0x100000000000000
	BAD	0xfeffffffffffffff
	BAD	0x1234567800000000
	BAD	0x7fffffffffffffff
	SET_MSR	GS_BASE, 0x5000
	SET_MSR	KERNEL_GS_BASE, 0x6000
	swapgs
	rdgsbase rdi
	ASSERT	rdi, 0x6000
	mov	edi, 0x7000
	wrgsbase rdi
	swapgs
	rdgsbase rdi
	ASSERT	rdi, 0x5000
	GET_MSR	KERNEL_GS_BASE
	ASSERT	rax, 0x7000
	mov	rax, cr4
	and	eax, ~CR4_FSGSBASE
	mov	cr4, rax
	RAISES	E_UD, NOERR, rdfsbase rdi
	RAISES	E_UD, NOERR, wrgsbase rdi
	mov	rdx, bases.first
	call	run
	ASSERT	qword [got_vector], E_UD
	inc	dword [round]
	cmp	dword [round], 5
	jb	.again
	CHECK	{esp, STACK}
	DONE

bases:	BOTH	rcx
	BOTH	rbp
	BOTH	r10
	BOTH	r11
	BOTH	r14
.first:	rdfsbase rdi
	ret
	align	4
round:	dd 0
