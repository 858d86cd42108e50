; SPDX-License-Identifier: GPL-2.0-or-later
; The same 64-bit code of ring 3 at several addresses: its constants that depend on RIP, return addresses, branches and callouts move with it, and what it points to is in other 4 GiB each
; time: the code's own, the stack's, and others. Some places have a multiple of 4 GiB between code and data, one is next to what is not canonical, some need no 64 bits.
%include "programs/long.inc"

T	equ TABLES
OTHER_	equ 0x8000000000	; the first 512 GiB again
HIGH_	equ 0xffff800000000000	; and again
PLACE	equ 0x800010000
EDGE	equ 0x8fffff000		; data is beyond 900000000
LAST	equ 0x7fffffffe000
DATA	equ 0x1000		; of the code, which has a page of its own
WORDS	equ DATA + 0x40		; 1 to 6
BEYOND	equ DATA + 0x800	; code
place	equ V + 0x10
where	equ V + 0x18		; RDI
stack	equ V + 0x20
next	equ V + 0x28
round	equ V + 0x30

%define HERE(x) ((x) - snippets)

; snippet, RAX; RBX, if that is a number
%macro DOES 2-3
	mov	rdi, [where]
	mov	rdx, [place]
	add	rdx, HERE(%1)
	mov	rax, [stack]
	mov	[run_rsp], rax
	call	run
	ASSERT	qword [got_vector], BACK
	mov	rax, %2
	ASSERT	[got_rax], rax
%if %0 == 3
	mov	rbx, %3
	ASSERT	[got_rbx], rbx
%endif
%endmacro

; snippet, RAX; RBX by its distance from the place
%macro FINDS 3
	DOES	%1, %2
	mov	rbx, [place]
	add	rbx, %3
	ASSERT	[got_rbx], rbx
%endmacro

%macro FILL 1
	mov	rdi, %1
	call	fill
%endmacro

LONG_PROGRAM
	mov	qword [PDPT + 1 * 8], T|P|W|U
	mov	qword [PDPT + 2 * 8], T|P|W|U
	mov	qword [PDPT + 32 * 8], T|P|W|U
	mov	qword [T], (T + 0x1000)|P|W|U
	mov	qword [T + 0x1000 + 16 * 8], FRAMES|P|W|U
	mov	qword [T + 0x1000 + 17 * 8], (FRAMES + 0x1000)|P|W|U
	mov	qword [PDPT + 35 * 8], (T + 0x2000)|P|W|U
	mov	qword [T + 0x2000 + 511 * 8], (T + 0x3000)|P|W|U
	mov	qword [T + 0x3000 + 511 * 8], FRAMES|P|W|U
	mov	qword [PDPT + 36 * 8], (T + 0x4000)|P|W|U
	mov	qword [T + 0x4000], (T + 0x5000)|P|W|U
	mov	qword [T + 0x5000], (FRAMES + 0x1000)|P|W|U
	mov	qword [PML4 + 255 * 8], (T + 0x6000)|P|W|U
	mov	qword [T + 0x6000 + 511 * 8], (T + 0x7000)|P|W|U
	mov	qword [T + 0x7000 + 511 * 8], (T + 0x8000)|P|W|U
	mov	qword [T + 0x8000 + 510 * 8], FRAMES|P|W|U
	mov	qword [T + 0x8000 + 511 * 8], (FRAMES + 0x1000)|P|W|U
	mov	qword [PML4 + 8], PDPT|P|W|U
	mov	qword [PML4 + 256 * 8], PDPT|P|W|U
	mov	rax, cr3
	mov	cr3, rax
	mov	esi, snippets
	mov	edi, FRAMES
	mov	ecx, snippets_end - snippets
	rep	movsb
	mov	qword [FRAMES + DATA], 0x1234
	FILL	FRAMES + WORDS
	FILL	RSTACK - 0x200
	mov	esi, beyond
	mov	edi, FRAMES + BEYOND
	mov	ecx, beyond_end - beyond
	rep	movsb
	IN	CODE64_3, DATA32_3
	mov	qword [round], 0
.round:	mov	qword [next], places
.place:	mov	rsi, [next]
	mov	rax, [rsi]
	mov	[place], rax
	mov	rax, [rsi + 8]
	mov	[stack], rax
	add	rsi, 16
	mov	[next], rsi
	mov	rax, [place]
	add	rax, WORDS
	call	all
	mov	rax, [stack]
	sub	rax, 0x200
	call	all
	DOES	apart, 0x1235, 2
	DOES	apart_next, 0x1235, 2
	mov	rax, PLACE + WORDS
	call	all
	DOES	apart_others, 0x1235, 2
	cmp	qword [next], places.end
	jb	.place
	inc	qword [round]
	cmp	qword [round], 3
	jb	.round
	CHECK	{esp, STACK}
	DONE

fill:	mov	ecx, 6
	mov	eax, 1
.next:	stosq
	inc	eax
	loop	.next
	ret

	align	8
places:	dq	PLACE, RSTACK
	dq	EDGE, RSTACK
	dq	PLACE + OTHER_, OTHER_ + RSTACK
	dq	EDGE + OTHER_, RSTACK
	dq	PLACE + HIGH_, OTHER_ + RSTACK
	dq	LAST, HIGH_ + RSTACK
	dq	0x40010000, RSTACK
	dq	0x80010000, OTHER_ + RSTACK
.end:

; RAX: what RDI is to be
all:	mov	[where], rax
	FINDS	loads, 0x1235, DATA + 8
	DOES	later, 0x1235, 2
	FINDS	called, 7, HERE(called.back)
	FINDS	by_memory, 1, HERE(by_memory.back)
	DOES	pushes, 0x1234, 0x1234
	FINDS	stores, 3, HERE(stores)
	FINDS	leaves, 0x1234, HERE(leaves.there)
	FINDS	sums, 1 + 2 + 3 + 4 + 5 + 6, HERE(sums.next)
	DOES	sums_index, 2 + 3 + 4, 5
	mov	rax, [place]
	add	rax, DATA
	mov	eax, eax
	mov	r12, rax
	DOES	narrow, r12, r12
	FINDS	crosses, 9, BEYOND
	DOES	either, 4, 1
	DOES	framed, 5, 2
	ret

; The address of data, from snippets in their page
%define data (snippets + DATA)

	align	16
snippets:
loads:	mov	rax, [rel data]
	add	rax, [rdi]
	lea	rbx, [rel data + 8]
	int	BACK
later:	mov	rax, [rdi]
	add	rax, [rel data]
	mov	rbx, [rdi + 8]
	int	BACK
; The same, never run with a pointer into their own 4 GiB at first
apart:	mov	rax, [rdi]
	add	rax, [rel data]
	mov	rbx, [rdi + 8]
	jmp	apart_next
apart_next:
	mov	rax, [rdi]
	add	rax, [rel data]
	mov	rbx, [rdi + 8]
	int	BACK
apart_others:
	mov	rax, [rdi]
	add	rax, [rel data]
	mov	rbx, [rdi + 8]
	int	BACK
called:	xor	eax, eax
	call	.seven
.back:	int	BACK
.seven:	mov	rbx, [rsp]
	mov	eax, 7
	ret
by_memory:
	lea	rax, [rel .one]
	mov	[rel data + 0x28], rax
	call	[rel data + 0x28]
.back:	int	BACK
.one:	pop	rbx
	push	rbx
	mov	rax, [rdi]
	ret
pushes:	push	qword [rel data]
	pop	rbx
	lea	r11, [rel data]
	mov	rax, [r11]
	int	BACK
stores:	lea	rbx, [rel stores]
	mov	[rel data + 0x20], rdi
	mov	rcx, [rel data + 0x20]
	cmp	dword [rel data], 0x1234
	jne	.wrong
	mov	rax, [rcx + 16]
	int	BACK
.wrong:	ud2
leaves:	xor	eax, eax
	cpuid
	mov	rax, [rel data]
	lea	rbx, [rel .there]
	jmp	.there
	nop
.there:	int	BACK
sums:	mov	ecx, 6
	xor	eax, eax
.next:	add	rax, [rdi]
	add	rdi, 8
	loop	.next
	lea	r10, [rel .next]
	mov	rbx, r10
	int	BACK
sums_index:
	mov	ecx, 3
	xor	eax, eax
.next:	add	rax, [rdi + rcx * 8]
	loop	.next
	mov	ecx, 4
	mov	rbx, [rdi + rcx * 8]
	int	BACK
narrow:	db	0x67
	lea	rax, [rel data]
	lea	ebx, [rel data]
	int	BACK
crosses:
	mov	eax, 9
	jmp	near snippets + BEYOND
; Two pointers
either:	lea	rsi, [rel data + 0x40]
	mov	rax, [rsi + 8]
	add	rax, [rdi + 8]
	mov	rbx, [rdi]
	int	BACK
framed:	push	rbp
	mov	rbp, rsp
	push	qword 4
	mov	rax, [rbp - 8]
	add	rax, [rdi]
	mov	rbx, [rdi + 8]
	mov	[rbp - 8], rbx
	leave
	int	BACK
snippets_end:

beyond:	lea	rbx, [rel beyond]
	int	BACK
beyond_end:
