; SPDX-License-Identifier: GPL-2.0-or-later
; INT n and IRETD that are used several times over, while gates, descriptors, the task state segment and the tables change between the uses: nothing of what they led to may be
; kept (SDM vol. 3, 6.10-6.12).
%include "programs/ring0.inc"

VECTOR	equ 0x45
OTHER	equ 0x35	; the same modulo 16
GDT2	equ 0x18000	; copies
IDT2	equ 0x19000
TSS3	equ 0x1a000
table	equ V
mended_error equ V + 8
mended_eip equ V + 12
mended_vector equ V + 16
count	equ V + 20
R3	equ V + 24	; in ring 3: what it reads back

%macro USE_ONCE 1-3 int_n, 3
	mov	ecx, %3
	mov	edx, %2
	call	run
	ASSERT	dword [got_vector], %1
%endmacro

; Used twice or more, it must be the same each time; vector, snippet, ring.
%macro USE 1-3 int_n, 3
%rep 3
	USE_ONCE %1, %2, %3
%endrep
%endmacro

RING0_PROGRAM
	mov	dword [count], 0
.round:	call	gates
	call	code
	call	stacks
	call	tables
	call	vectors
	call	returns
	inc	dword [count]
	cmp	dword [count], 3
	jb	.round
	CHECK	{esp, STACK}
	DONE

int_n:	int	VECTOR
	FAIL
int_o:	int	OTHER
	FAIL
back:	int	BACK
back2:	int	BACK
; It writes its own gate.
int_w:	mov	word [IDT + 8 * VECTOR], AT(ring0_handler_66)
	int	VECTOR
	FAIL
; A device does.
int_d:	mov	eax, IDT + 8 * VECTOR
	out	P_DMA_AT, eax
	mov	eax, CODE32 << 16 | AT(ring0_handler_67)
	out	P_DMA, eax
	int	VECTOR
	FAIL

gates:	USE	VECTOR
	mov	word [IDT + 8 * VECTOR], AT(ring0_handler_65)
	USE	65
	mov	dword [run_flags], IF | 2
	USE	65
	ASSERT_CLEAR dword [got_flags], IF
	mov	byte [IDT + 8 * VECTOR + 5], 0xef	; a trap gate
	USE	65
	test	dword [got_flags], IF
	jnz	.trap
	FAIL
.trap:	mov	byte [IDT + 8 * VECTOR + 5], 0x8e
	USE	E_GP
	ASSERT	dword [got_error], VECTOR * 8 + 2
	mov	byte [IDT + 8 * VECTOR + 5], 0x6e
	USE	E_NP
	ASSERT	dword [got_error], VECTOR * 8 + 2
	mov	byte [IDT + 8 * VECTOR + 5], 0xce	; DPL 2: not for ring 3
	USE	E_GP
	USE	65, int_n, 2
	USE	E_GP
	mov	byte [IDT + 8 * VECTOR + 5], 0xee
	USE	65
	USE	65, int_n, 1
	USE	65
	USE	65, int_n, 0
	USE	65
	mov	byte [IDT + 8 * VECTOR + 5], 0xe6	; 16 bits
	USE	65
	ASSERT	dword [got_esp], STACK0 - 10
	mov	byte [IDT + 8 * VECTOR + 5], 0xee
	USE	65
	ASSERT	dword [got_esp], STACK0 - 20
	USE	66, int_w
	USE	66
	USE	67, int_d
	USE	67
	mov	dword [run_flags], 2
	jmp	reset_idt

; The gate's code segment.
code:	DESCRIPTOR X, 0, 0xfffff, 0x9b, 0xc
	mov	word [IDT + 8 * VECTOR + 2], X
	USE	VECTOR
	mov	byte [GDT + X + 5], 0x9a	; not accessed
	USE	VECTOR
	ASSERT	byte [GDT + X + 5], 0x9b
	mov	byte [GDT + X + 5], 0x1b
	USE	E_NP
	ASSERT	dword [got_error], X
	mov	byte [GDT + X + 5], 0x93
	USE	E_GP
	ASSERT	dword [got_error], X
	mov	byte [GDT + X + 5], 0x9b
	USE	VECTOR
	; another base: the handlers are somewhere else
	mov	esi, LOAD
	mov	edi, BASED + LOAD
	mov	ecx, 0x400
	rep	movsd
	DESCRIPTOR X, BASED, 0xfffff, 0x9b, 0xc
	mov	byte [BASED + ring0_handler_69 + 1], 0x46	; VECTOR's says something else there
	USE	0x46
	DESCRIPTOR X, 0, 0xfffff, 0x9b, 0xc
	USE	VECTOR
	mov	word [IDT + 8 * VECTOR + 6], 2		; the same place by its offset
	USE	0x46
	mov	word [IDT + 8 * VECTOR + 6], 0
	USE	VECTOR
	DESCRIPTOR X, 0, 0x8000, 0x9b, 0x4		; a limit below the handler
	USE	E_GP
	ASSERT	dword [got_error], 0
	DESCRIPTOR X, 0, 0xfffff, 0x9b, 0xc
	USE	VECTOR
	; other rings
	mov	word [IDT + 8 * VECTOR], AT(back)
	DESCRIPTOR X, 0, 0xfffff, 0xbb, 0xc
	USE	BACK
	ASSERT	dword [got_cs], X | 1
	ASSERT	dword [got_esp0], RSTACK1 - 20
	DESCRIPTOR X, 0, 0xfffff, 0xdb, 0xc
	USE	BACK
	ASSERT	dword [got_cs], X | 2
	ASSERT	dword [got_esp0], RSTACK2 - 20
	DESCRIPTOR X, 0, 0xfffff, 0x9f, 0xc		; conforming
	USE	BACK
	ASSERT	dword [got_cs], X | 3
	ASSERT	dword [got_esp0], RSTACK - 12
	DESCRIPTOR X, 0, 0xfffff, 0xfb, 0xc
	USE	BACK
	ASSERT	dword [got_cs], X | 3
	; 16-bit code
	DESCRIPTOR X, 0, 0xfffff, 0x9b, 0x8
	mov	word [IDT + 8 * VECTOR], AT(.code16)
	USE	BACK
	ASSERT	dword [got_cs], X
	ASSERT	word [got_eax], 0x1616
	ASSERT	byte [got_eax + 2], 0
	jmp	reset_idt
	bits 16
.code16: mov	eax, 0x1616
	int	BACK
	bits 32

; The stack of ring 0.
stacks:	USE	VECTOR
	ASSERT	dword [got_esp], STACK0 - 20
	mov	dword [TSS_ + 4], STACK0 - 0x100
	USE	VECTOR
	ASSERT	dword [got_esp], STACK0 - 0x100 - 20
	mov	dword [TSS_ + 4], STACK0 - 0x201	; odd
	USE	VECTOR
	ASSERT	dword [got_esp], STACK0 - 0x201 - 20
	ASSERT	dword [got_eip], int_n + 2
	ASSERT	dword [got_ss0], DATA32_3
	mov	dword [TSS_ + 4], 0x20000 + 6		; across pages
	USE	VECTOR
	ASSERT	dword [got_esp], 0x20000 + 6 - 20
	ASSERT	dword [got_eip], int_n + 2
	ASSERT	dword [got_cs], CODE32_3
	ASSERT	dword [got_esp0], RSTACK
	mov	dword [TSS_ + 4], STACK0
	; another segment
	DESCRIPTOR X, 0, 0xfffff, 0x93, 0xc
	mov	word [TSS_ + 8], X
	USE	VECTOR
	ASSERT	dword [got_ss], X
	mov	byte [GDT + X + 5], 0x92
	USE	VECTOR
	ASSERT	byte [GDT + X + 5], 0x93
	DESCRIPTOR X, BASED, 0xfffff, 0x93, 0xc
	mov	dword [stack_base], BASED
	mov	dword [TSS_ + 4], 0x4000
	USE	VECTOR
	ASSERT	dword [got_esp], 0x4000 - 20
	ASSERT	dword [got_eip], int_n + 2
	ASSERT	dword [got_esp0], RSTACK
	DESCRIPTOR X, BASED, 0xffff, 0x93, 0		; 16 bits: wraps
	mov	dword [TSS_ + 4], 0x5678000c
	USE	VECTOR
	ASSERT	word [got_esp], 0xfff8
	ASSERT	dword [BASED + 0xfff8], int_n + 2
	ASSERT	dword [BASED + 0xfffc], CODE32_3
	ASSERT	dword [BASED + 4], RSTACK
	ASSERT	dword [BASED + 8], DATA32_3
	mov	dword [stack_base], 0
	DESCRIPTOR X, 0, 0xfffff, 0x93, 0xc
	mov	dword [TSS_ + 4], STACK0
	USE	VECTOR
	ASSERT	dword [got_ss], X
	; what is wrong with it comes to ring 1, which mends it
	GATE	IDT + 8 * E_TS, CODE32_1, AT(mend_ts), 0x8e
	GATE	IDT + 8 * E_SS, CODE32_1, AT(mend_ss), 0x8e
	mov	byte [GDT + X + 5], 0x91
	call	.bad
	ASSERT	dword [mended_vector], E_TS
	ASSERT	dword [mended_error], X
	mov	byte [GDT + X + 5], 0x13
	call	.bad
	ASSERT	dword [mended_vector], E_SS
	ASSERT	dword [mended_error], X
	mov	byte [GDT + X + 5], 0xb3
	call	.bad
	ASSERT	dword [mended_vector], E_TS
	ASSERT	dword [mended_error], X
	DESCRIPTOR X, 0, 0xffff, 0x93, 0x4		; STACK0 is beyond it
	call	.bad
	ASSERT	dword [mended_vector], E_SS
	ASSERT	dword [mended_error], X
	DESCRIPTOR X, 0, 0xfffff, 0x93, 0xc
	mov	word [TSS_ + 8], X | 1
	call	.bad0
	ASSERT	dword [mended_vector], E_TS
	ASSERT	dword [mended_error], X
	mov	word [TSS_ + 8], 0
	call	.bad0
	ASSERT	dword [mended_vector], E_TS
	ASSERT	dword [mended_error], 0
	USE	VECTOR
	ASSERT	dword [got_ss], DATA32
	jmp	reset_idt
.bad:	mov	word [TSS_ + 8], X
.bad0:	USE_ONCE BACK
	ASSERT	dword [mended_eip], int_n
	ASSERT	dword [got_cs], CODE32_1
	ret

mend_ts: mov	dword [mended_vector], E_TS
	jmp	mend
mend_ss: mov	dword [mended_vector], E_SS
mend:	pop	dword [mended_error]
	pop	dword [mended_eip]
	mov	dword [TSS_ + 4], STACK0
	mov	word [TSS_ + 8], DATA32
	int	BACK

; LIDT, LGDT, LTR.
tables:	USE	VECTOR
	mov	esi, IDT
	mov	edi, IDT2
	mov	ecx, 0x200
	rep	movsd
	mov	esi, GDT
	mov	edi, GDT2
	mov	ecx, 0x100
	rep	movsd
	mov	esi, TSS_
	mov	edi, TSS3
	mov	ecx, 0x68 / 4
	rep	movsd
	mov	word [IDT2 + 8 * VECTOR], AT(ring0_handler_65)
	mov	dword [table + 2], IDT2
	mov	word [table], 0x7ff
	lidt	[table]
	USE	65
	mov	word [table], VECTOR * 8 + 6
	lidt	[table]
	USE	E_GP
	ASSERT	dword [got_error], VECTOR * 8 + 2
	mov	word [table], VECTOR * 8 + 7
	lidt	[table]
	USE	65
	mov	dword [table + 2], IDT
	mov	word [table], 0x7ff
	lidt	[table]
	USE	VECTOR
	; another GDT, in which the handler's segment is one of ring 1
	mov	word [IDT + 8 * VECTOR + 2], X
	mov	word [IDT + 8 * VECTOR], AT(back)
	DESCRIPTOR X, 0, 0xfffff, 0x9b, 0xc
	USE	BACK
	ASSERT	dword [got_cs], X
	mov	dword [GDT2 + X], 0xffff
	mov	dword [GDT2 + X + 4], 0xcfbb00
	mov	dword [table + 2], GDT2
	mov	word [table], 0xfff
	lgdt	[table]
	USE	BACK
	ASSERT	dword [got_cs], X | 1
	mov	word [table], X + 6
	lgdt	[table]
	USE	E_GP
	ASSERT	dword [got_error], X
	mov	dword [table + 2], GDT
	mov	word [table], 0xfff
	lgdt	[table]
	USE	BACK
	ASSERT	dword [got_cs], X
	call	reset_idt
	; another TSS
	mov	dword [TSS3 + 4], STACK0 - 0x400
	DESCRIPTOR Y, TSS3, 0x67, 0x89, 0
	USE	VECTOR
	mov	ax, Y
	ltr	ax
	USE	VECTOR
	ASSERT	dword [got_esp], STACK0 - 0x400 - 20
	; of 16 bits: SP0 and SS0 are elsewhere
	mov	dword [TSS3 + 2], (STACK0 - 0x10000 - 0x100) | DATA32 << 16
	DESCRIPTOR Y, TSS3, 0x2b, 0x81, 0
	ltr	ax
	USE	VECTOR
	ASSERT	dword [got_esp], STACK0 - 0x10000 - 0x100 - 20
	and	byte [GDT + SEL_TSS + 5], ~2
	mov	ax, SEL_TSS
	ltr	ax
	USE	VECTOR
	ASSERT	dword [got_esp], STACK0 - 20
	ret

; Two vectors in turn.
vectors:
	mov	word [IDT + 8 * OTHER], AT(ring0_handler_66)
%rep 3
	USE_ONCE VECTOR
	USE_ONCE 66, int_o
%endrep
	mov	word [IDT + 8 * VECTOR], AT(ring0_handler_67)
	USE_ONCE 66, int_o
	USE_ONCE 67
	USE	66, int_o
	mov	byte [IDT + 8 * OTHER + 5], 0x8e
	USE_ONCE 67
	USE	E_GP, int_o
	ASSERT	dword [got_error], OTHER * 8 + 2
	jmp	reset_idt

; What IRETD returns to. The snippets here run in ring 0 and end in ring 3 or 0.
returns:
	DESCRIPTOR X, 0, 0xfffff, 0xfb, 0xc
	DESCRIPTOR Y, 0, 0xfffff, 0xf3, 0xc
	mov	word [.cs], X | 3
	mov	word [.ss], Y | 3
	mov	dword [.eip], back
	USE	BACK, .outer, 0
	ASSERT	dword [got_cs], X | 3
	ASSERT	dword [got_ss0], Y | 3
	ASSERT	dword [got_eip], back + 2
	mov	dword [.eip], back2
	USE	BACK, .outer, 0
	ASSERT	dword [got_eip], back2 + 2
	mov	byte [GDT + X + 5], 0x7b
	USE	E_NP, .outer, 0
	ASSERT	dword [got_error], X
	mov	byte [GDT + X + 5], 0xff	; conforming
	USE	BACK, .outer, 0
	mov	byte [GDT + X + 5], 0xfb
	mov	byte [GDT + Y + 5], 0xf1
	USE	E_GP, .outer, 0
	ASSERT	dword [got_error], Y
	mov	byte [GDT + Y + 5], 0x73
	USE	E_SS, .outer, 0
	ASSERT	dword [got_error], Y
	mov	byte [GDT + Y + 5], 0xf3
	USE	BACK, .outer, 0
	mov	word [.ss], Y | 2
	USE	E_GP, .outer, 0
	ASSERT	dword [got_error], Y
	mov	word [.ss], Y | 3
	USE	BACK, .outer, 0
	mov	word [.cs], X | 2
	USE	E_GP, .outer, 0
	ASSERT	dword [got_error], X
	mov	word [.cs], X | 3
	; a limit, a base, 16 bits
	DESCRIPTOR X, 0, 0x8000, 0xfb, 0x4
	USE	E_GP, .outer, 0
	ASSERT	dword [got_error], 0
	ASSERT	dword [got_cs], CODE32
	DESCRIPTOR X, AT(back), 0xfffff, 0xfb, 0xc
	mov	dword [.eip], 0
	USE	BACK, .outer, 0
	ASSERT	dword [got_eip], 2
	mov	dword [.eip], back
	DESCRIPTOR X, 0, 0xfffff, 0xfb, 0xc
	DESCRIPTOR Y, BASED, 0xffff, 0xf3, 0
	USE	BACK, .outer, 0
	ASSERT	dword [got_ss0], Y | 3
	DESCRIPTOR Y, 0, 0xfffff, 0xf3, 0xc
	USE	BACK, .outer, 0
	; from the LDT, which may be another one
	mov	eax, [GDT + X]
	mov	[LDT + 8], eax
	mov	eax, [GDT + X + 4]
	mov	[LDT + 12], eax
	mov	word [.cs], 8 | 4 | 3
	USE	BACK, .outer, 0
	ASSERT	dword [got_cs], 8 | 4 | 3
	xor	eax, eax
	lldt	ax
	USE	E_GP, .outer, 0
	ASSERT	dword [got_error], 8 | 4
	mov	ax, SEL_LDT
	lldt	ax
	USE	BACK, .outer, 0
	mov	word [.cs], X | 3
	; within ring 0, by selectors that also lead out
	DESCRIPTOR Z, 0, 0xfffff, 0x9b, 0xc
	mov	word [.cs], Z
	USE	BACK, .same, 0
	ASSERT	dword [got_cs], Z
	ASSERT	dword [got_eip], back + 2
	mov	byte [GDT + Z + 5], 0xbb
	USE	E_GP, .same, 0
	ASSERT	dword [got_error], Z
	mov	word [.cs], Z | 1
	mov	word [.ss], DATA32_1
	USE	BACK, .outer, 0
	ASSERT	dword [got_cs], Z | 1
	ASSERT	dword [got_ss0], DATA32_1
	mov	byte [GDT + Z + 5], 0x1b
	mov	word [.cs], Z
	USE	E_NP, .same, 0
	mov	byte [GDT + Z + 5], 0x9b
	USE	BACK, .same, 0
	; from outer rings inward: never, whatever ring 0 does with the same selector
	USE	E_GP, .same, 1
	ASSERT	dword [got_error], Z
	USE	E_GP, .same, 2
	USE	E_GP, .same, 3
	ASSERT	dword [got_error], Z
	USE	BACK, .same, 0
	; within an outer ring, and from ring to ring
	mov	word [.cs], CODE32_2
	mov	word [.ss], DATA32_2
	USE	BACK, .same, 2
	ASSERT	dword [got_cs], CODE32_2
	USE	BACK, .outer, 1
	ASSERT	dword [got_cs], CODE32_2
	USE	E_GP, .outer, 3
	mov	word [.cs], CODE32_3
	mov	word [.ss], DATA32_3
	USE	BACK, .same, 3
	USE	BACK, .outer, 2
	ASSERT	dword [got_ss0], DATA32_3
	ret
.outer:	push	dword [.ss]
	push	dword RSTACK1 - 0x200
.same:	pushfd
	push	dword [.cs]
	push	dword [.eip]
	iretd
	align	4
.cs:	dd 0
.ss:	dd 0
.eip:	dd 0
