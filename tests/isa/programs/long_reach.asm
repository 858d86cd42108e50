; SPDX-License-Identifier: GPL-2.0-or-later
; What 64-bit code can reach: addresses all over both halves, by every form of operand and with the largest displacements, raise page faults with the right address as long
; as the guest maps nothing there; accesses that cross 4 GiB; registers that change between two accesses by them.
%include "programs/long.inc"

T	equ TABLES
LOW_	equ 0x8fffff000		; two pages on either side of a multiple of 4 GiB
EDGE	equ 0x900000000
address	equ V + 0x08
ring	equ V + 0x10		; U, or 0
far_	equ 0x700000000

; W or 0, CR2 less [address], instruction. RAX, RBP, RSI, RDI, R8, R10 and R11 hold the address, RCX is 0.
%macro WILD 3+
	mov	rax, [address]
	mov	rbp, rax
	mov	rsi, rax
	mov	rdi, rax
	mov	r8, rax
	mov	r10, rax
	mov	r11, rax
	xor	ecx, ecx
	jmp	%%over
%%at:	%3
	int	BACK
%%over:	mov	rdx, %%at
	call	run
	ASSERT	qword [got_vector], E_PF
	mov	eax, [ring]
	or	eax, %1
	ASSERT	[got_error], rax
	mov	rax, [address]
	add	rax, %2
	ASSERT	[got_cr2], rax
	ASSERT	qword [got_rip], %%at
%endmacro

; Two instructions: the first makes RBX (RAX ...) what [EDGE + far_] ... is; the second faults there.
%macro CHANGES 3	; first, register, what else the first does to it
	mov	rbx, EDGE
	mov	rax, rbx
	mov	rsi, rbx
	mov	rcx, far_
	mov	rdi, far_ + EDGE
	jmp	%%over
%%at:	mov	edx, [%2]
	%1
%%faults: mov	edx, [%2]
	int	BACK
%%over:	mov	rdx, %%at
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_rip], %%faults
	mov	rax, far_ + EDGE + %3
	ASSERT	[got_cr2], rax
%endmacro

LONG_PROGRAM
	mov	byte [IDT + E_PF * 16 + 4], 1	; IST1: ring 0's stack is no good
	mov	qword [PDPT + 35 * 8], T|P|W|U
	mov	qword [PDPT + 36 * 8], (T + 0x2000)|P|W|U
	mov	qword [T + 511 * 8], (T + 0x1000)|P|W|U
	mov	qword [T + 0x1000 + 511 * 8], FRAMES|P|W|U
	mov	qword [T + 0x2000], (T + 0x3000)|P|W|U
	mov	qword [T + 0x3000], (FRAMES + 0x1000)|P|W|U
	mov	dword [ring], 0
.again:	mov	dword [V], 0
.next:	mov	eax, [V]
	mov	rax, [addresses + rax * 8]
	mov	[address], rax
	call	wild
	inc	dword [V]
	cmp	dword [V], (addresses_end - addresses) / 8
	jb	.next
	call	edge
	call	changes
	IN	CODE64_3, DATA32_3
	add	dword [ring], U
	cmp	dword [ring], U
	je	.again
	IN	CODE64, DATA32
	CHECK	{esp, STACK}
	DONE

	align	8
addresses:
	dq	0x40000000, 0x41000000, 0x7fff0000, 0x90000000, 0x100000000, 0x2000001000, 0x555555554000
	dq	0x600000000000, 0x7f0000000000, 0x7fff70000000, 0xffff800090000000, 0xffff8880c0000000
	dq	0xfffffff000000000, 0xffffffff81000000, 0xffffffff00000000
addresses_end:

wild:
	WILD	0, 0, mov bl, [rax]
	WILD	W, 0, mov [rax], rbx
	WILD	W, 0x7fffff00, mov [rax + 0x7fffff00], ebx
	WILD	0, -0x80000000, mov ebx, [rax - 0x80000000]
	WILD	0, 0x100000, mov bh, [rbp + 0x100000]
	WILD	0, -0x100001, movzx ebx, byte [rsi - 0x100001]
	WILD	0, 0x7000, mov ebx, [rax + rcx * 8 + 0x7000]
	WILD	0, 0, mov ah, [rdi]
	WILD	W, 0, mov [rsi], dh
	WILD	0, 0, mov r10, [r11]
	WILD	W, 0, mov [r10], r11
	WILD	W, 0, lock xadd [r10 + rcx * 4], r11
	WILD	0, 0, mov r11, [rcx + r11]
	WILD	0, 0, movups xmm9, [rax]
	WILD	W, 0, movups [r10], xmm9
	WILD	0, 0, fld qword [rax]
	WILD	W, 0, bts [rax], rcx
	WILD	W, 0, lock cmpxchg16b [rax]
	WILD	0, 0, push qword [r10]
	WILD	0, 0, call [rax]
	WILD	0, 0, jmp [r11]
	; a REX before another prefix, which processors ignore: mov ecx, [rax] with a second REX; mov bx, [rax]; lock add [rax], ebx; rep movsb; lock add [r8], ebx
	WILD	0, 0, {db 0x40, 0x48, 0x8b, 0x08}
	WILD	W, 0, {db 0x40, 0x48, 0x89, 0x08}
	WILD	0, 0, {db 0x48, 0x66, 0x8b, 0x18}
	WILD	0, 0, {db 0x4c, 0x66, 0x8b, 0x18}
	WILD	W, 0, {db 0x48, 0xf0, 0x01, 0x18}
	WILD	W, 0, {db 0x48, 0xf0, 0x41, 0x01, 0x18}
	WILD	0, 0, lodsq
	WILD	W, 0, stosd
	WILD	0, 0, leave
	mov	rax, [address]
	mov	[run_rsp], rax
	WILD	W, -8, push rax
	WILD	W, -8, push r10
	WILD	W, -2, push ax
	WILD	0, 0, pop rbx
	WILD	0, 0, pop r11
	WILD	0, 0, ret
	WILD	W, -8, call wild
	mov	qword [run_rsp], RSTACK
	ret

%macro BYTES 2
	mov	rax, %2
	ASSERT	[FRAMES + 0xff0 + %1], rax
%endmacro

edge:
	mov	rax, EDGE - 4
	mov	rbx, 0x1122334455667788
	WORKS	mov [rax], rbx
	BYTES	12, 0x1122334455667788
	mov	rax, EDGE - 4
	WORKS	mov rbx, [rax]
	mov	rax, 0x1122334455667788
	ASSERT	[got_rbx], rax
	mov	rax, EDGE + 0xfff - 0x7ffff00
	WORKS	mov byte [rax + 0x7ffff00], 5
	ASSERT	byte [FRAMES + 0x1fff], 5
	mov	rax, EDGE + 4
	mov	[run_rsp], rax
	mov	rbx, 0x123456789abcdef0
	WORKS	push rbx
	BYTES	12, 0x123456789abcdef0
	mov	rax, EDGE + 8
	mov	[run_rsp], rax
	mov	rbx, 0x0badcafe0badcafe
	WORKS	push rbx
	mov	qword [run_rsp], RSTACK
	; strings, both ways
	mov	esi, FRAMES
	mov	rdi, EDGE - 8
	mov	dword [FRAMES], 0x03020100
	mov	dword [FRAMES + 4], 0x07060504
	mov	dword [FRAMES + 8], 0x0b0a0908
	mov	dword [FRAMES + 12], 0x0f0e0d0c
	mov	ecx, 16
	WORKS	rep movsb
	BYTES	8, 0x0706050403020100
	BYTES	16, 0x0f0e0d0c0b0a0908
	mov	rax, EDGE + 8
	ASSERT	[got_rax + 7 * 8], rax
	mov	qword [run_flags], 2 | 0x400
	mov	rdi, EDGE + 4
	mov	ecx, 4
	mov	eax, 0x5a5a5a5a
	WORKS	rep stosd
	mov	qword [run_flags], 2
	BYTES	8, 0x5a5a5a5a5a5a5a5a
	BYTES	16, 0x5a5a5a5a5a5a5a5a
	mov	rsi, EDGE - 2
	WORKS	lodsd
	ASSERT	dword [got_rax], 0x5a5a5a5a
	ret

changes:
	CHANGES	{add rbx, rcx}, rbx, 0
	CHANGES	{mov rbx, rdi}, rbx, 0
	CHANGES	{xchg rbx, rdi}, rbx, 0
	CHANGES	{lea rbx, [rbx + rcx]}, rbx, 0
	; F3 90 with REX.B: some processors exchange R8 and RAX
	mov	r8, EDGE
	mov	rax, [addresses + 14 * 8]
	jmp	.over
.at:	mov	edx, [r8]
	db	0xf3, 0x49, 0x90
	mov	edx, [r8]
	int	BACK
.over:	mov	rdx, .at
	call	run
	cmp	qword [got_vector], BACK	; neither a fault of the guest's, nor anything else
	je	.paused
	ASSERT	qword [got_vector], E_PF
	mov	rax, [addresses + 14 * 8]
	ASSERT	[got_cr2], rax
.paused:
	; what an ignored REX does not change
	mov	r8d, 0x1111
	mov	eax, 0x2222
	mov	dword [FRAMES], 0x3333
	WORKS	{db 0x44, 0xa1, FRAMES & 0xff, FRAMES >> 8 & 0xff, FRAMES >> 16, 0, 0, 0, 0, 0}
	ASSERT	dword [got_rax], 0x3333
	mov	qword [run_flags], 2 | 0x40	; ZF
	xor	ebx, ebx
	mov	rdx, .jnz
	call	run
	mov	qword [run_flags], 2
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rbx], 5
	; a bit's word beyond 4 GiB, with addresses of 32 bits
	mov	byte [FRAMES + 8], 0
	mov	eax, FRAMES
	mov	rcx, 64 * ((1 << 32) / 8 + 1) + 3
	WORKS	bts qword [eax], rcx
	ASSERT	byte [FRAMES + 8], 8
	ret
.jnz:	db	0x40, 0x48, 0x75, 2
	mov	bl, 5
	int	BACK

	ret
