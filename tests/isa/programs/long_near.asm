; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code whose addresses are not where they were when it was translated: other 4 GiB each time, across a multiple of 4 GiB by small steps, copies that are moved, sums, and addresses
; that differ in one bit above the canonical ones; branches to the same lower half of RIP elsewhere, and to one that is not canonical.
%include "programs/long.inc"

T	equ TABLES
LOW_	equ 0x8fffff000		; the last page before a multiple of 4 GiB, ...
EDGE	equ 0x900000000		; ... and the first one: all 8-byte words of these hold 1 and 2
OTHER_	equ 0x8000000000	; the first 512 GiB again
HIGH_	equ 0xffff800000000000	; and again
ring	equ V + 0x10
bit_	equ V + 0x18
place	equ V + 0x20
count	equ V + 0x28

; RAX, RBX wanted; RDI, R8 as they are to be; snippet
%macro GETS 5
	mov	rdi, %3
	mov	r8, %4
	mov	rdx, %5
	call	run
	ASSERT	qword [got_vector], BACK
	mov	rax, %1
	ASSERT	[got_rax], rax
	mov	rax, %2
	ASSERT	[got_rbx], rax
%endmacro

LONG_PROGRAM
	mov	byte [IDT + E_GP * 16 + 4], 1
	mov	byte [IDT + BACK * 16 + 4], 1
	EDGE_PAGES 512
	mov	eax, 2
	mov	ecx, 512
	rep stosq
	mov	qword [ring], 0
.again:	mov	dword [count], 6
.next:	call	data
	call	canonical
	call	branches
	dec	dword [count]
	jnz	.next
	NEXT_RING .again
	CHECK	{esp, STACK}
	DONE

data:	GETS	1, 1, LOW_, 0, added
	GETS	1, 2, LOW_, 0x1000, added
	GETS	2, 1, EDGE, -0x1000, added
	GETS	2, 1, EDGE + OTHER_, -OTHER_ - 0x1000, added
	GETS	1, 2, LOW_ + HIGH_, 0x1000, added
	GETS	1, 2, LOW_ + 0xff8, 0, stepped
	GETS	1, 1, LOW_ + 0xf00, 0, stepped
	GETS	2, 2, EDGE + 8, 0, stepped
	GETS	1, 2, LOW_ + 0xff8 + OTHER_, 0, stepped
	GETS	2, 1, EDGE, 0, back
	GETS	1, 1, LOW_ + 8, 0, back
	GETS	1, 2, LOW_ + 8, 0, copied
	GETS	1, 2, LOW_ + 8 + HIGH_, 0, copied
	GETS	1, 2, LOW_, 0x200, summed
	GETS	2, 2, EDGE, 0x10, summed
	GETS	2, 1, EDGE, -0x100, summed
	GETS	1, 2, LOW_ + OTHER_, 0x200, summed
	GETS	2, 1, EDGE + OTHER_, -(OTHER_ + 0x200) / 8, summed
	GETS	0x1fd, 0x1b * 2, LOW_ + 0x18, 0, walked
	GETS	0x1fd, 0x1b * 2, LOW_ + 0x18 + HIGH_, 0, walked
	GETS	1, 0x1b, LOW_ + 0x28, 0, looped
	GETS	2, 14 + 13 * 2, LOW_ + 0xf90, 0, looped
	GETS	1, 0x1b, LOW_ + 0x28 + HIGH_, 0, looped
	GETS	2, 0x1b * 2, EDGE + 0x40 + OTHER_, 0, looped
	GETS	1, 1, LOW_ + 0x30000, 0, strided
	GETS	2, 2, EDGE + 0x30000, 0, strided
	GETS	1, 1, LOW_, 0, handed
	GETS	1, 2, LOW_, 0x1000, handed
	GETS	2, 1, EDGE, -0x1000, handed
	GETS	2, 1, EDGE + OTHER_, -OTHER_ - 0x1000, handed
	GETS	1, 3, LOW_, 0, pushed
	GETS	2, 3, EDGE + 0x100, 0, pushed
	GETS	1, 3, LOW_ + 8 + OTHER_, 0, pushed
	ret

added:	mov	rax, [rdi]
	add	rdi, r8
	mov	rbx, [rdi]
	int	BACK
stepped:
	mov	rax, [rdi]
	add	rdi, 8
	mov	rbx, [rdi]
	int	BACK
back:	mov	rax, [rdi]
	lea	rdi, [rdi - 8]
	mov	rbx, [rdi]
	int	BACK
copied:	mov	rax, [rdi]
	mov	rsi, rdi
	lea	rcx, [rsi + 0x7f8]
	mov	rbx, [rcx]
	sub	rcx, -0x800
	mov	rbx, [rcx]
	int	BACK
summed:	mov	rax, [rdi]
	mov	rbx, [rdi + r8 * 8]
	int	BACK
; 0x218 words: RAX sums those of the first page, RBX ...
walked:	xor	eax, eax
	xor	ebx, ebx
	mov	ecx, 0x218
	mov	rsi, rdi
.first:	test	rsi, 0x1000
	jz	.second
	add	rax, [rsi]
	jmp	.on
.second:
	add	rbx, [rsi]
.on:	add	rsi, 8
	cmp	rsi, r8
	loop	.first
	int	BACK
; links to where a block has compared its pointer already: in each pass it has been accessed, ...
looped:	xor	ebx, ebx
	mov	ecx, 0x1b
.next:	add	rbx, [rdi]
	mov	rax, [rdi]
	add	rdi, 8
	dec	ecx
	jnz	.next
	int	BACK
; ... it has not, ...
strided:
	mov	ecx, 3
.next:	sub	rdi, 0x10000
	dec	ecx
	jnz	.next
	mov	rax, [rdi]
	mov	rbx, [rdi]
	int	BACK
; ... it is as it was, and is not
handed:	mov	rax, [rdi]
	test	rax, rax
	jnz	.next
	int	BACK
.next:	mov	rbx, [rdi + 8]
	add	rdi, r8
	test	rbx, rbx
	jnz	.last
	int	BACK
.last:	mov	rbx, [rdi]
	int	BACK
pushed:	mov	rax, [rdi]
	mov	rbx, rsp
	push	rdi
	push	3
	mov	rcx, [rsp + 8]
	pop	rsi
	mov	rcx, [rcx]
	mov	rbx, rsi
	add	rsp, 8
	int	BACK

; The same instruction, with one bit of the address changed
canonical:
	mov	dword [bit_], 47
.next:	GETS	1, 1, LOW_, 0, added
	mov	ecx, [bit_]
	mov	eax, 1
	shl	rax, cl
	mov	rdi, LOW_
	xor	rdi, rax
	mov	rdx, added
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_rip], added
	mov	ecx, [bit_]
	mov	eax, 1
	shl	rax, cl
	mov	r8, rax
	mov	rdi, LOW_
	mov	rdx, added
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_rip], added.faults
	inc	dword [bit_]
	cmp	dword [bit_], 64
	jb	.next
	; and at once by the most that is compared
	mov	dword [bit_], 51
.down:	GETS	1, 1, LOW_, 0, farther
	mov	ecx, [bit_]
	mov	eax, 1
	shl	rax, cl
	mov	rdi, LOW_
	xor	rdi, rax
	mov	rdx, farther
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_rip], farther
	dec	dword [bit_]
	cmp	dword [bit_], 48
	jae	.down
	ret
added.faults equ added + 6
farther:
	mov	rax, [rdi]
	mov	rbx, [rdi]
	int	BACK

; To `here`, by its address in RAX
%macro GOES 2	; place, snippet
	mov	rax, here
	mov	rcx, %1
	add	rax, rcx
	mov	[RSTACK], rax
	mov	qword [run_rsp], RSTACK
	mov	rdx, %2
	call	run
	ASSERT	qword [got_vector], BACK
	mov	rax, here
	mov	rcx, %1
	add	rax, rcx
	ASSERT	[got_rbx], rax
	add	rax, here.end - here
	ASSERT	[got_rip], rax
%endmacro

%macro REFUSES 2	; snippet, the branch
	mov	ecx, [bit_]
	mov	eax, 1
	shl	rax, cl
	mov	rcx, here
	xor	rax, rcx
	mov	[RSTACK], rax
	mov	qword [run_rsp], RSTACK
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_rip], %2
	ASSERT	qword [got_rsp], RSTACK
%endmacro

branches:
	mov	dword [bit_], 47
.next:	GOES	0, jumps
	GOES	OTHER_, jumps
	GOES	HIGH_, jumps
	GOES	0, calls
	GOES	HIGH_, calls
	GOES	OTHER_, calls
	GOES	0, returns
	GOES	HIGH_, returns
	GOES	OTHER_, returns
	GOES	0, returns
	REFUSES	jumps, jumps
	REFUSES	calls, calls
	REFUSES	returns, returns
	inc	dword [bit_]
	cmp	dword [bit_], 64
	jb	.next
	ret

	BRANCHES
	align	16
here:	lea	rbx, [rel here]
	int	BACK
here.end:
