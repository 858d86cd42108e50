; SPDX-License-Identifier: GPL-2.0-or-later
; 64-bit code that writes page tables by all kinds of instructions, wherever they lie: in small pages, in a large one, in tables that describe themselves. The same sites write other
; memory and device registers meanwhile. What is written is in use at once where the processor cannot have known anything else, and behind INVLPG in any case.
%include "programs/long.inc"

PT_	equ TABLES		; of PLAY
PD_	equ TABLES + 0x1000
PT2	equ TABLES + 0x2000	; a table that comes and goes
DATA_	equ TABLES + 0x3000	; no table
PLAY	equ 0x1_0000_0000	; 16 pages
SELF	equ 0xffffff0000000000	; all tables
LARGE	equ 0x3_0000_0000	; the first 2 MiB, as one page
UPPER	equ 0xffff800000000000	; the first 512 GiB again
MEMORY	equ 0x40000
%define F(n) (MEMORY + (n) * 0x1000)

; The page at RBX shows frame n.
%macro SHOWS 1
	invlpg	[rbx]
	ASSERT	dword [rbx], %1
	ASSERT	qword [PT_], F(%1)|P|W|U|A
%endmacro

; As RAISES, but RSI and RDI are kept.
%macro RAISES_ 3+
	push	rsi
	push	rdi
	RAISES	%1, %2, %3
	pop	rdi
	pop	rsi
%endmacro

LONG_PROGRAM
	mov	ecx, 15
.number:
	mov	eax, ecx
	shl	eax, 12
	mov	[MEMORY + rax], ecx
	mov	byte [MEMORY + rax + 0x800], 0xb8
	mov	[MEMORY + rax + 0x801], ecx
	mov	byte [MEMORY + rax + 0x805], 0xc3
	dec	ecx
	jns	.number
	mov	qword [PDPT + 4 * 8], PD_|P|W|U
	mov	qword [PD_], PT_|P|W|U
	mov	qword [PDPT + 12 * 8], (TABLES + 0x4000)|P|W|U
	mov	qword [TABLES + 0x4000], P|W|U|PS
	mov	qword [PML4 + 256 * 8], PDPT|P|W|U
	mov	qword [PML4 + 510 * 8], PML4|P|W
	mov	ebp, 10
.round:	mov	rbx, PLAY
	mov	rdi, PT_
	call	writers
	mov	rdi, SELF + PLAY / 512
	call	writers
	mov	rdi, LARGE + PT_
	call	writers
	mov	rdi, UPPER + PT_
	call	writers
	call	constants
	call	several
	call	elsewhere
	call	directory
	call	many
	dec	ebp
	jnz	.round
	CHECK	{esp, STACK}
	DONE

; RDI: where the entry of the page at RBX is.
writers:
	mov	rax, F(1)|P|W|U
	mov	[rdi], rax
	SHOWS	1
	mov	r10, F(2)|P|W|U
	mov	[rdi], r10
	SHOWS	2
	mov	r11, F(3)|P|W|U
	xchg	[rdi], r11
	ASSERT	r11, F(2)|P|W|U|A
	SHOWS	3
	lea	r10, [rdi + 0x20]
	mov	eax, F(4)|P|W|U
	mov	[r10 - 0x20], rax
	SHOWS	4
	mov	eax, F(10)|P|W|U
	mov	ecx, 1
	rep	stosq
	sub	rdi, 8
	SHOWS	10
	mov	rax, F(11)|P|W|U
	push	rax
	mov	rsi, rsp
	mov	ecx, 1
	rep	movsq
	sub	rdi, 8
	pop	rax
	SHOWS	11
	mov	r11, rdi
	xor	r10d, r10d
	mov	ecx, F(5)|P|W|U
	mov	[r11 + r10 * 8], rcx
	SHOWS	5
	mov	eax, F(5)|P|W|U|A
	mov	ecx, F(6)|P|W|U
	lock	cmpxchg [rdi], rcx
	jz	.swapped
	FAIL
.swapped:
	SHOWS	6
	lock	cmpxchg [rdi], rcx	; it does not compare
	jnz	.not
	FAIL
.not:	ASSERT	rax, F(6)|P|W|U|A
	SHOWS	6
	mov	ecx, 0x1000
	add	[rdi], rcx
	SHOWS	7
	mov	r11d, 0x1000
	lock	xadd [rdi], r11
	ASSERT	r11, F(7)|P|W|U|A
	SHOWS	8
	mov	ecx, 0x1000
	stc				; flags are as they were
	sbb	[rdi], rcx
	jc	.bad
	inc	qword [rdi]
	SHOWS	7
	xor	qword [rdi], F(7) ^ F(9)
	SHOWS	9
	and	byte [rdi], ~A
	SHOWS	9
	lock	btr qword [rdi], 0
	jnc	.bad
	invlpg	[rbx]
	RAISES_	E_PF, 0, mov eax, [rbx]
	lock	bts qword [rdi], 0
	jc	.bad
	ASSERT	dword [rbx], 9		; nobody has known it
	mov	eax, 0
	btr	[rdi], rax
	bts	[rdi], rax
	SHOWS	9
	mov	byte [rdi + 1], F(10) >> 8 & 0xff
	mov	word [rdi + 1], F(10) >> 8 & 0xffff
	mov	dword [rdi + 4], 0
	SHOWS	10
	mov	dword [rdi], F(11)|P|W|U
	SHOWS	11
	mov	ecx, F(12)|P|W|U
	movnti	[rdi], rcx
	SHOWS	12
	mov	cl, 4
	rol	qword [rdi], cl
	ror	qword [rdi], cl
	SHOWS	12
	; stack, strings, SSE
	mov	r8, rsp
	lea	rsp, [rdi + 8]
	mov	eax, F(13)|P|W|U
	push	rax
	mov	rsp, r8
	SHOWS	13
	mov	eax, F(14)|P|W|U
	push	rax
	pop	qword [rdi]
	SHOWS	14
	mov	r8, rdi
	mov	eax, F(1)|P|W|U
	mov	ecx, 1
	rep	stosq
	mov	rdi, r8
	SHOWS	1
	mov	eax, F(2)|P|W|U
	movq	xmm0, rax
	movq	[rdi], xmm0
	SHOWS	2
	mov	qword [rdi + 8], F(3)|P|W|U
	movups	xmm0, [rdi]
	movups	[rdi], xmm0
	invlpg	[rbx + 0x1000]
	ASSERT	dword [rbx + 0x1000], 3
	; across two entries: the low half of the second one
	mov	dword [rdi + 6], ((F(4) & 0xffff)|P|W|U) << 16
	invlpg	[rbx + 0x1000]
	ASSERT	dword [rbx + 0x1000], 4
	ASSERT	qword [PT_ + 8], F(4)|P|W|U|A
	mov	qword [rdi + 8], 0
	; through FS
	mov	r8, rdi
	lea	rax, [rdi - 0x100]
	mov	rdx, rax
	shr	rdx, 32
	mov	ecx, FS_BASE
	wrmsr
	mov	ecx, 0x80
	mov	r10d, F(5)|P|W|U
	mov	[fs:rcx * 2], r10
	SHOWS	5
	; code there
	call	[.code]
	ASSERT	eax, 5
	mov	eax, F(6)|P|W|U
	mov	[rdi], rax
	invlpg	[rbx]
	call	[.code]
	ASSERT	eax, 6
	ret
.bad:	FAIL
	ret
	align	8
.code:	dq PLAY + 0x800

constants:
	mov	eax, F(1)|P|W|U
	db	0x48, 0x89, 0x05	; mov [rip + disp], rax
	dd	PT_ - AT(.behind)
.behind:
	SHOWS	1
	mov	eax, F(2)|P|W|U
	mov	[abs PT_], rax
	SHOWS	2
	mov	edi, PT_
	mov	r10d, F(3)|P|W|U
	mov	[edi], r10
	SHOWS	3
	mov	eax, F(4)|P|W|U
	mov	rcx, -0x1000
	mov	[rcx + PT_ + 0x1000], rax
	SHOWS	4
	ret

; The same site: a table, memory, memory that is not mapped, a device, an address that is not canonical.
several:
	mov	qword [PT_ + 15 * 8], 0
	invlpg	[rbx + 0xf000]
	mov	r8d, 3
.site:	mov	rdi, PT_
	mov	eax, F(7)|P|W|U
	call	store
	SHOWS	7
	mov	edi, DATA_
	call	store
	ASSERT	qword [DATA_], F(7)|P|W|U
	mov	rdi, LARGE + DATA_ + 0xffc	; into the next page, which is a table
	call	store
	ASSERT	dword [DATA_ + 0xffc], F(7)|P|W|U
	ASSERT	dword [DATA_ + 0x1000], 0
	mov	qword [TABLES + 0x4000], P|W|U|PS|A|D
	lea	rdi, [rbx + 0xf008]
	mov	rdx, store.at
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], PF_W
	ASSERT	qword [got_rip], store.at
	lea	rax, [rbx + 0xf008]
	ASSERT	[got_cr2], rax
	mov	rdi, 0x8000_0000_0000 + PT_
	mov	rdx, store.at
	call	run
	ASSERT	qword [got_vector], E_GP
	dec	r8d
	jnz	.site
	ret
store:
.at:	mov	[rdi], rax
	ret

; An entry that is written at one address and read at others: before the shadow could know.
elsewhere:
	mov	rdi, SELF + PLAY / 512
	mov	rsi, LARGE + PT_
	mov	eax, F(8)|P|W|U
	mov	[rdi], rax
	ASSERT	[rsi], rax
	ASSERT	[PT_], rax
	mov	ecx, F(9)|P|W|U
	mov	[rsi], rcx
	ASSERT	[rdi], rcx
	mov	[PT_], rax
	ASSERT	[rdi], rax
	SHOWS	8
	; cleared, by way of what it maps itself: a page shows its own table
	mov	qword [PT_ + 14 * 8], PT_|P|W|U
	invlpg	[rbx + 0xe000]
	mov	eax, F(9)|P|W|U
	mov	[rbx + 0xe000], rax
	SHOWS	9
	mov	ecx, F(10)|P|W|U
	xchg	[rbx + 0xe000], rcx
	SHOWS	10
	mov	qword [rbx + 0xe000 + 14 * 8], 0	; away with itself
	invlpg	[rbx + 0xe000]
	RAISES_	E_PF, PF_W, mov [rbx + 0xe000], rcx
	; read-only for the supervisor
	mov	qword [PT_ + 14 * 8], PT_|P|U
	mov	rax, cr0
	or	eax, CR0_WP
	mov	cr0, rax
	RAISES_	E_PF, PF_P|PF_W, mov [rbx + 0xe000], rcx
	mov	rax, cr0
	and	eax, ~CR0_WP
	mov	cr0, rax
	mov	qword [rbx + 0xe000 + 14 * 8], 0
	invlpg	[rbx + 0xe000]
	ret

; Tables come and go: their pages are memory in between.
directory:
	mov	rdi, SELF + (SELF / 512 & ((1 << 39) - 1)) + PLAY / 512 / 512 + 8	; the entry for PLAY + 2 MiB
	mov	rsi, SELF + (PLAY + 0x200000) / 512
	mov	qword [PT2], F(3)|P|W|U
	mov	rax, PT2|P|W|U
	mov	[rdi], rax
	ASSERT	[PD_ + 8], rax
	ASSERT	dword [rbx + 0x200000], 3
	mov	eax, F(4)|P|W|U
	mov	[rsi], rax
	invlpg	[rbx + 0x200000]
	ASSERT	dword [rbx + 0x200000], 4
	mov	eax, P|W|U|PS
	xchg	[rdi], rax
	mov	rcx, cr3
	mov	cr3, rcx
	ASSERT	dword [rbx + 0x200000 + F(5)], 5
	xor	eax, eax
	xchg	[rdi], rax
	mov	rcx, cr3
	mov	cr3, rcx
	RAISES_	E_PF, 0, mov eax, [rbx + 0x200000]
	mov	edi, PT2
	mov	ecx, 512
	xor	eax, eax
	rep	stosq
	mov	ecx, 600
.data:	inc	qword [PT2 + 16]
	dec	ecx
	jnz	.data
	ASSERT	qword [PT2 + 16], 600
	mov	qword [PT2 + 16], 0
	ret

; More of them in a row than are noted at once, and more than a table is thought to take.
many:	mov	r9d, 14
	call	.fill
	mov	r9d, 200
	call	.fill
	ret
.fill:	mov	edi, PT_
	xor	ecx, ecx
.more:	mov	eax, ecx
	and	eax, 15
	shl	eax, 12
	add	eax, MEMORY|P|W|U
	mov	[rdi + rcx * 8], rax
	inc	ecx
	cmp	ecx, r9d
	jb	.more
	mov	rax, cr3
	mov	cr3, rax
	xor	ecx, ecx
.look:	mov	rsi, rcx
	shl	rsi, 12
	mov	eax, ecx
	and	eax, 15
	ASSERT	[rbx + rsi], eax
	inc	ecx
	cmp	ecx, r9d
	jb	.look
	xor	eax, eax
.clear:	dec	ecx
	xchg	[rdi + rcx * 8], rax
	xor	eax, eax
	test	ecx, ecx
	jnz	.clear
	mov	rax, cr3
	mov	cr3, rax
	RAISES_	E_PF, 0, mov eax, [rbx + 0x5000]
	ret
