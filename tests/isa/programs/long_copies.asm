; SPDX-License-Identifier: GPL-2.0-or-later
; Repeated string instructions of 64-bit supervisor code that reach into the next page, at sites that have faulted often: with the next page there, read-only or absent, at both pointers, with counts
; that end before it, in it and behind it, and with ones whose product wraps around. RCX, RSI and RDI tell where each has got to; nothing behind that is written. At last into a page table.
%include "programs/long.inc"

PT_	equ TABLES		; of DST
PD_	equ TABLES + 0x1000
PT2	equ TABLES + 0x2000	; of SRC
PD2	equ TABLES + 0x3000
PT3	equ TABLES + 0x4000	; of SHOWN, and itself the page behind DST
PD3	equ TABLES + 0x5000
DST	equ 0x1_0000_0000
SRC	equ 0x2_0000_0000
SHOWN	equ 0x3_0000_0000
MEMORY	equ 0x40000
%define F(n) (MEMORY + (n) * 0x1000)
DST0	equ F(5)		; frames; that of the next page is not the next
DST1	equ F(1)
SRC0	equ F(2)
SRC1	equ F(9)

site	equ V
offset	equ V + 0x08		; in DST
away	equ V + 0x10		; in SRC
count	equ V + 0x18
dst	equ V + 0x20		; state of the second page: 0 absent, 1 read-only, 2 writable
src	equ V + 0x28		; 0 absent, 1 there
size	equ V + 0x30
done	equ V + 0x38		; elements, and what stops it
error	equ V + 0x40		; -1: nothing
address	equ V + 0x48

LONG_PROGRAM
	mov	qword [PDPT + 4 * 8], PD_|P|W|U
	mov	qword [PD_], PT_|P|W|U
	mov	qword [PDPT + 8 * 8], PD2|P|W|U
	mov	qword [PD2], PT2|P|W|U
	mov	qword [PDPT + 12 * 8], PD3|P|W|U
	mov	qword [PD3], PT3|P|W|U
	mov	qword [PT_], DST0|P|W
	mov	qword [PT2], SRC0|P|W
	mov	rax, cr0
	or	eax, CR0_WP
	mov	cr0, rax
	mov	ecx, 0xfff
.pattern:
	lea	eax, [rcx * 3]
	or	al, 1
	mov	[SRC0 + rcx], al
	mov	[SRC1 + rcx], ah
	or	byte [SRC1 + rcx], 0x80
	dec	ecx
	jns	.pattern
	mov	qword [site], 0
.site:	mov	rax, [site]
	movzx	ecx, byte [sizes + rax]
	mov	[size], rcx
	mov	qword [dst], 0
.dst:	mov	qword [src], 0
.src:	xor	ebx, ebx
.offset:
	movzx	eax, word [offsets + rbx * 2]
	mov	[offset], rax
	movzx	eax, word [aways + rbx * 2]
	mov	[away], rax
	xor	ebp, ebp
.count:	mov	rax, [counts + rbp * 8]
	mov	[count], rax
	call	try
	inc	ebp
	cmp	ebp, COUNTS
	jb	.count
	inc	ebx
	cmp	ebx, OFFSETS
	jb	.offset
	inc	qword [src]
	cmp	qword [src], 2
	jb	.src
	inc	qword [dst]
	cmp	qword [dst], 3
	jb	.dst
	inc	qword [site]
	cmp	qword [site], SITES
	jb	.site
	call	table
	CHECK	{esp, STACK}
	DONE

try:	mov	ecx, 0x200
	xor	eax, eax
	mov	edi, DST0
	rep	stosq
	mov	ecx, 0x200
	mov	edi, DST1
	rep	stosq
	mov	rax, [dst]
	mov	rax, [entries + rax * 8]
	mov	[PT_ + 8], rax
	mov	rax, [src]
	neg	rax
	and	eax, SRC1|P
	mov	[PT2 + 8], rax
	mov	rax, cr3
	mov	cr3, rax
	call	judge
	mov	rdi, DST
	add	rdi, [offset]
	mov	rsi, SRC
	add	rsi, [away]
	mov	rcx, [count]
	mov	rax, 0x5352515057565554
	mov	rdx, [site]
	mov	rdx, [sites + rdx * 8]
	IN	CODE64, DATA32
	call	run
	mov	rax, [error]
	cmp	rax, -1
	je	.through
	ASSERT	qword [got_vector], E_PF
	ASSERT	[got_error], rax
	mov	rax, [address]
	ASSERT	[got_cr2], rax
	jmp	.registers
.through:
	ASSERT	qword [got_vector], BACK
.registers:
	mov	rcx, [count]
	sub	rcx, [done]
	ASSERT	[got_rcx], rcx
	mov	rdx, [done]
	imul	rdx, [size]
	mov	rdi, DST
	add	rdi, [offset]
	add	rdi, rdx
	ASSERT	[got_rax + 7 * 8], rdi
	mov	rsi, SRC
	add	rsi, [away]
	cmp	qword [site], FILLS
	jae	.filled
	add	rsi, rdx
.filled:
	ASSERT	[got_rax + 6 * 8], rsi
	; the byte behind the last, and the last
	mov	rcx, [offset]
	add	rcx, rdx
	call	written
	ASSERT	al, 0
	test	rdx, rdx
	jz	.none
	dec	rcx
	call	written
	mov	ah, 0x53
	cmp	qword [size], 8
	je	.wide
	mov	ah, 0x54
.wide:	cmp	qword [site], FILLS
	jae	.expected
	mov	rcx, [away]
	lea	rcx, [rcx + rdx - 1]
	mov	esi, SRC0
	mov	edi, SRC1
	call	byte_of
	mov	ah, al
	mov	rcx, [offset]
	lea	rcx, [rcx + rdx - 1]
	call	written
.expected:
	ASSERT	al, ah
.none:	ret

; AL = byte RCX of the two pages; 0 behind them.
written: mov	esi, DST0
	mov	edi, DST1
byte_of: xor	al, al
	cmp	rcx, 0x2000
	jae	.end
	cmp	rcx, 0x1000
	jae	.second
	mov	al, [rsi + rcx]
	ret
.second: mov	al, [rdi + rcx - 0x1000]
.end:	ret

; done, error, address: what the manual says.
judge:	mov	qword [error], -1
	mov	eax, 0x2000
	cmp	qword [dst], 2
	je	.writable
	mov	eax, 0x1000
.writable:
	sub	rax, [offset]
	xor	edx, edx
	div	qword [size]
	mov	r8, rax			; elements that DST takes
	mov	r9, -1			; ... and SRC has
	cmp	qword [site], FILLS
	jae	.counted
	mov	rax, [src]
	inc	rax
	shl	eax, 12
	sub	rax, [away]
	xor	edx, edx
	div	qword [size]
	mov	r9, rax
.counted:
	mov	rcx, [count]
	mov	[done], rcx
	cmp	rcx, r8
	jbe	.source
	mov	[done], r8
	mov	qword [error], PF_W
	mov	rax, r8
	imul	rax, [size]
	add	rax, [offset]
	cmp	qword [dst], 1
	jne	.absent
	or	qword [error], PF_P
.absent: mov	rdx, DST
	add	rax, rdx
	mov	[address], rax
.source: mov	rcx, [done]
	cmp	rcx, r9
	jb	.end
	cmp	[count], r9
	je	.end
	mov	[done], r9		; SRC is read first
	mov	qword [error], 0
	mov	rax, r9
	imul	rax, [size]
	add	rax, [away]
	mov	rdx, SRC
	add	rax, rdx
	mov	[address], rax
.end:	ret

; Entries of a table that is in use, copied and filled into it across the end of the page before.
table:	mov	qword [PT_ + 8], PT3|P|W
	mov	qword [PT2 + 8], SRC1|P
	mov	ebp, 7
.round:	lea	eax, [rbp + 10]
	shl	eax, 12
	lea	ecx, [rax + MEMORY + P + W]
	mov	[MEMORY + rax], rbp
	mov	[SRC1], rcx
	mov	[SRC1 + 8], rcx
	mov	rax, cr3
	mov	cr3, rax
	mov	rsi, SRC + 0xff0
	mov	rdi, DST + 0xff0
	mov	ecx, 4
	mov	rdx, [sites + 8]
	call	run
	ASSERT	qword [got_vector], BACK
	mov	rbx, SHOWN
	invlpg	[rbx]
	ASSERT	[rbx], rbp
	ASSERT	[rbx + 0x1000], rbp
	mov	rax, [PT3]
	mov	rdi, DST + 0xff8
	mov	ecx, 8
	mov	rdx, [sites + 24]
	call	run
	ASSERT	qword [got_vector], BACK
	mov	rbx, SHOWN + 0x6000
	ASSERT	[rbx], rbp
	mov	qword [PT3 + 6 * 8], 0
	invlpg	[rbx]
	dec	ebp
	jns	.round
	ret

	align	8
entries: dq 0, DST1|P, DST1|P|W
sites:	dq copy8, copy64, fill8, fill64
SITES	equ 4
FILLS	equ 2			; from here on
sizes:	db 1, 8, 1, 8
	align	8
counts:	dq 0, 1, 2, 0x10, 0x11, 0x1ff, 0x200, 0x201, 0xfff, 0x1001, 0x1fff, 0x2001, 1 << 61, (1 << 61) + 1, (1 << 61) + 0x100, -1
COUNTS	equ 16
offsets: dw 0, 0xff8, 0xf80, 0x810, 0x1000 - 0x88, 0xff8
aways:	dw 0, 0xff0, 0x10, 0xf78, 0x1000 - 0x88, 0
OFFSETS	equ 6

copy8:	rep	movsb
	int	BACK
copy64:	rep	movsq
	int	BACK
fill8:	rep	stosb
	int	BACK
fill64:	rep	stosq
	int	BACK
