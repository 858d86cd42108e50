; SPDX-License-Identifier: GPL-2.0-or-later
; Task switches by CALL, JMP, INT n, IRET, between 16- and 32-bit TSSs: what is saved and loaded, busy bits, links and NT; a fault at each step, in the old task or in the new one
; (SDM vol. 3, 7.2-7.4, table 7-1).
%include "programs/ring0.inc"

TSSN	equ 0x5800	; the new task's, whose descriptor is X
OLD	equ V		; bytes of the old TSS are compared against
way	equ V + 0x80	; snippet
access	equ V + 0x84
cpl	equ V + 0x88
want	equ V + 0x8c
want_error equ V + 0x90
rpl	equ V + 0x94
pointer	equ V + 0x98

; offsets
T_LINK	equ 0x00
T_CR3	equ 0x1c
T_EIP	equ 0x20
T_FLAGS	equ 0x24
T_EAX	equ 0x28
T_ESP	equ 0x38
T_EDI	equ 0x44
T_ES	equ 0x48
T_CS	equ 0x4c
T_SS	equ 0x50
T_DS	equ 0x54
T_FS	equ 0x58
T_GS	equ 0x5c
T_LDT	equ 0x60
TLIMIT	equ 0x67

; Enters the task; the program itself is the task SEL_TSS again afterwards. In the task: its registers are noted, and so is the task register.
%macro GO 1-2 0	; snippet, ring
	mov	ecx, %2
	mov	edx, %1
	call	go
%endmacro

; A fault of the old task: nothing has happened.
%macro OLD_TASK 2	; vector, error
	ASSERT	dword [got_vector], %1
	ASSERT	dword [got_error], %2
	ASSERT	word [got_tr], SEL_TSS
	ASSERT	byte [GDT + SEL_TSS + 5], 0x8b
	ASSERT	word [TSSN], 0
%endmacro

; A fault of the new task: it is the one that is busy, and its CS:EIP are what is saved.
%macro NEW_TASK 2
	ASSERT	dword [got_vector], %1
	ASSERT	dword [got_error], %2
	ASSERT	word [got_tr], X
	ASSERT	dword [got_eip], inside
%endmacro
got_tr	equ VARS + 0x700

RING0_PROGRAM
	mov	dword [IDT + 8 * 0x45], X << 16
	mov	dword [IDT + 8 * 0x45 + 4], 0xe500
	mov	dword [GDT + TASK_GATE], X << 16
	mov	dword [GDT + TASK_GATE + 4], 0xe500
	mov	byte [.rounds], 3
.round:	call	good
	call	descriptors
	call	gates
	call	segments
	call	ldts
	call	codes
	call	words
	call	returns
	dec	byte [.rounds]
	jnz	.round
	CHECK	{esp, STACK}
	DONE
.rounds: db 0

; A new task that is in order.
fill:	mov	edi, TSSN
	mov	ecx, 0x68 / 4
	xor	eax, eax
	rep	stosd
	mov	dword [TSSN + 4], STACK0
	mov	dword [TSSN + 8], DATA32
	mov	dword [TSSN + T_EIP], inside
	mov	dword [TSSN + T_FLAGS], CF | 2
	mov	dword [TSSN + T_EAX], 0xa1a1a1a1
	mov	dword [TSSN + T_EAX + 4], 0xc1c1c1c1
	mov	dword [TSSN + T_EDI], 0xd1d1d1d1
	mov	dword [TSSN + T_ESP], 0x1b000
	mov	dword [TSSN + T_ES], DATA32
	mov	dword [TSSN + T_CS], CODE32
	mov	dword [TSSN + T_SS], DATA32
	mov	dword [TSSN + T_DS], DATA32_3
	mov	dword [TSSN + T_FS], BASED_4G
	mov	dword [TSSN + T_LDT], SEL_LDT
	mov	word [TSSN + 0x66], 0x68
	DESCRIPTOR X, TSSN, TLIMIT, 0xe9, 0
	ret

; The same in ring 1: faults before SS is loaded have a stack to go to.
fill1:	call	fill
	mov	dword [TSSN + T_CS], CODE32_1
	mov	dword [TSSN + T_SS], DATA32_1
	mov	dword [TSSN + T_ES], DATA32_3
	ret

; Runs, and is the old task again.
go:	call	run
	str	[got_tr]
	and	byte [GDT + SEL_TSS + 5], ~2
	and	byte [GDT + X + 5], ~2
	mov	bx, SEL_TSS
	ltr	bx
	mov	bx, SEL_LDT
	lldt	bx
	mov	ebx, cr0
	mov	[got_cr0], ebx
	clts
	mov	bx, 0
	mov	fs, bx
	mov	gs, bx
	ret
got_cr0	equ VARS + 0x704

inside:	int	BACK
call_:	call	X:0x1234
.after:	int	BACK
call3:	call	X | 3:0
.after:	int	BACK
jump:	jmp	X:0
.after:	int	BACK
gate:	call	TASK_GATE:0
.after:	int	BACK
gate3:	call	TASK_GATE | 3:0
.after:	int	BACK
int_:	int	0x45
.after:	int	BACK
iret_:	pushfd
	or	dword [esp], NT
	popfd
	iretd
.after:	int	BACK

; What is in the registers and in memory.
good:	call	fill
	mov	dword [run_flags], ZF | IF | 2
	mov	ebp, 0xb1b1b1b1
	GO	call_
	call	.inside
	ASSERT	dword [got_eflags], CF | NT | 2
	ASSERT	word [TSSN], SEL_TSS
	ASSERT	dword [TSS_ + T_EIP], call_.after
	ASSERT	dword [TSS_ + T_FLAGS], ZF | IF | 2
	ASSERT	dword [TSS_ + T_CS], CODE32
	ASSERT	dword [TSS_ + T_DS], DATA32_3
	ASSERT	dword [TSS_ + T_ESP + 4], 0xb1b1b1b1
	ASSERT_SET dword [got_cr0], 8		; TS
	call	fill
	GO	jump
	call	.inside
	ASSERT	dword [got_eflags], CF | 2
	ASSERT	word [TSSN], 0
	ASSERT	dword [TSS_ + T_EIP], jump.after
	call	fill
	GO	gate
	call	.inside
	ASSERT	dword [got_eflags], CF | NT | 2
	ASSERT	dword [TSS_ + T_EIP], gate.after
	call	fill
	GO	int_
	call	.inside
	ASSERT	dword [got_eflags], CF | NT | 2
	ASSERT	word [TSSN], SEL_TSS
	ASSERT	dword [TSS_ + T_EIP], int_.after
	call	fill
	GO	gate3, 3
	call	.inside
	ASSERT	dword [TSS_ + T_CS], CODE32_3
	ASSERT	dword [TSS_ + T_SS], DATA32_3
	ASSERT	dword [TSS_ + T_ESP], RSTACK
	mov	dword [run_flags], 2
	; to ring 3, and to V86 mode
	call	fill
	mov	dword [TSSN + T_CS], CODE32_3
	mov	dword [TSSN + T_ES], DATA32_3
	mov	dword [TSSN + T_SS], DATA32_3
	GO	call_
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_cs], CODE32_3
	ASSERT	dword [got_esp0], 0x1b000
	call	fill
	mov	dword [TSSN + T_FLAGS], VM | 0x3000 | 2
	mov	dword [TSSN + T_CS], 0
	mov	dword [TSSN + T_SS], 0x1002
	mov	dword [TSSN + T_DS], 0x1001
	GO	call_
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_cs], 0
	ASSERT	dword [got_ss0], 0x1002
	ASSERT	dword [got_v86 + 4], 0x1001
	ASSERT_SET dword [got_eflags], VM
	ret
.inside:
	ASSERT	dword [got_vector], BACK
	ASSERT	word [got_tr], X
	ASSERT	dword [got_eip], inside + 2
	ASSERT	dword [got_eax], 0xa1a1a1a1
	ASSERT	dword [got_ecx], 0xc1c1c1c1
	ASSERT	dword [got_edi], 0xd1d1d1d1
	ASSERT	dword [got_esp], 0x1b000 - 12
	ASSERT	word [got_ds], DATA32_3
	ASSERT	word [got_fs], BASED_4G
	ASSERT	word [got_gs], 0
	ret

; Every access byte of the TSS descriptor that is no code, data or gate; CPL and RPL; its limit.
descriptors:
	mov	dword [access], 0
.access:
	mov	al, [access]
	and	al, 0x17
	cmp	al, 1			; types 1, 9: 16- and 32-bit, and 3, 11: busy
	je	.one
	cmp	al, 3
	jne	near .next
.one:	mov	dword [cpl], 0
.cpl:	call	fill
	mov	al, [access]
	mov	[GDT + X + 5], al
	test	al, 8
	jnz	.wide
	mov	byte [GDT + X], 0x28	; too short for a 16-bit one
.wide:	mov	dword [want], E_GP
	movzx	edx, al
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	cmp	ecx, [cpl]
	jb	.run
	test	dl, 2
	jnz	.run
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.run
	mov	dword [want], E_TS
	test	dl, 8
	jz	.run
	mov	byte [GDT + X], 0x66
.run:	GO	call_, [cpl]
	ASSERT	word [got_tr], SEL_TSS
	mov	eax, [want]
	ASSERT	[got_vector], eax
	ASSERT	dword [got_error], X
	ASSERT	dword [got_eip], call_
	; through a gate, the DPL of the TSS does not count
	call	fill
	mov	al, [access]
	mov	[GDT + X + 5], al
	mov	byte [GDT + X], 0x28
	mov	dword [want], E_GP
	test	al, 2
	jnz	.rung
	mov	dword [want], E_NP
	test	al, 0x80
	jz	.rung
	mov	dword [want], E_TS
.rung:	GO	gate3, [cpl]
	mov	eax, [want]
	ASSERT	[got_vector], eax
	ASSERT	dword [got_error], X
	ASSERT	word [got_tr], SEL_TSS
	mov	al, [access]
	mov	[GDT + X + 5], al
	GO	int_, [cpl]
	mov	eax, [want]
	ASSERT	[got_vector], eax
	ASSERT	dword [got_error], X
	inc	dword [cpl]
	cmp	dword [cpl], 4
	jb	near .cpl
.next:	inc	byte [access]
	jnz	near .access
	; exactly long enough
	call	fill
	mov	byte [GDT + X], TLIMIT
	GO	call_
	ASSERT	word [got_tr], X
	call	fill
	mov	dword [GDT + X], TSSN << 16 | 0x67
	GO	call3, 3
	and	byte [got_tr], ~3
	ASSERT	word [got_tr], X
	call	fill
	and	byte [GDT + X + 5], ~0x60
	GO	call3, 0
	OLD_TASK E_GP, X
	ret

; Task gates to what is no TSS in the GDT.
gates:	call	fill
	mov	word [GDT + TASK_GATE + 2], 0
	GO	gate
	OLD_TASK E_GP, 0
	mov	word [GDT + TASK_GATE + 2], X | 4
	GO	gate
	OLD_TASK E_GP, X | 4
	mov	word [GDT + TASK_GATE + 2], 0x1000
	GO	gate
	OLD_TASK E_GP, 0x1000
	mov	word [GDT + TASK_GATE + 2], DATA32
	GO	gate
	OLD_TASK E_GP, DATA32
	mov	word [GDT + TASK_GATE + 2], X
	mov	byte [GDT + TASK_GATE + 5], 0x65
	GO	gate
	OLD_TASK E_NP, TASK_GATE
	mov	byte [GDT + TASK_GATE + 5], 0xc5
	GO	gate3, 3
	OLD_TASK E_GP, TASK_GATE
	mov	byte [GDT + TASK_GATE + 5], 0xe5
	; from an exception, with EXT in the error code
	mov	dword [IDT + 8 * E_UD], X << 16
	mov	dword [IDT + 8 * E_UD + 4], 0x8500
	mov	byte [GDT + X + 5], 0x69
	GO	.ud
	OLD_TASK E_NP, X | 1
	ASSERT	dword [got_eip], .ud
	mov	byte [GDT + X + 5], 0xe9
	GO	.ud
	ASSERT	word [got_tr], X
	ASSERT	dword [TSS_ + T_EIP], .ud
	ASSERT_SET dword [TSS_ + T_FLAGS], RF
	mov	word [IDT + 8 * E_UD + 2], 0x44
	GO	.ud
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0x45
	jmp	reset_gates
.ud:	ud2

reset_gates:
	call	reset_idt
	mov	dword [IDT + 8 * 0x45], X << 16
	mov	dword [IDT + 8 * 0x45 + 4], 0xe500
	ret

; The new task's data segments and stack: every access byte and RPL, in ring 0.
segments:
	mov	dword [access], 0
.access:
	mov	dword [rpl], 0
.rpl:	call	fill
	mov	eax, Y
	or	eax, [rpl]
	mov	[TSSN + T_GS], eax
	call	describe_y
	mov	dword [want], E_TS
	movzx	edx, byte [access]
	test	dl, 0x10
	jz	.run
	mov	ecx, edx
	and	ecx, 0x1a
	cmp	ecx, 0x18
	je	.run
	mov	ecx, edx
	and	ecx, 0x1c
	cmp	ecx, 0x1c
	je	.present
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	cmp	ecx, [rpl]
	jb	.run
.present:
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.run
	mov	dword [want], BACK
.run:	GO	call_
	mov	ebx, [want]
	ASSERT	[got_vector], ebx
	ASSERT	word [got_tr], X
	cmp	ebx, BACK
	je	.good
	NEW_TASK ebx, Y
	ASSERT	dword [got_eflags], CF | NT | RF | 2
.good:	call	fill
	mov	eax, Y
	or	eax, [rpl]
	mov	[TSSN + T_SS], eax
	call	describe_y
	mov	edx, [access]
	mov	dword [want], BACK
	and	edx, 0xfa
	cmp	edx, 0x92
	jne	.bad
	cmp	dword [rpl], 0
	je	.runs
.bad:	; a stack that the fault of the new task could not be reported on: it is a task of ring 1 that has it
	mov	dword [TSSN + T_CS], CODE32_1
	mov	dword [TSSN + T_ES], DATA32_3
	mov	dword [want], E_TS
	mov	edx, [access]
	cmp	dword [rpl], 1
	jne	.runs
	and	edx, 0x7a
	cmp	edx, 0x32
	jne	.runs
	mov	dword [want], E_SS
	test	byte [access], 0x80
	jz	.runs
	mov	dword [want], BACK
.runs:	GO	call_
	mov	ebx, [want]
	ASSERT	[got_vector], ebx
	cmp	ebx, BACK
	je	.goods
	NEW_TASK ebx, Y
.goods:	inc	dword [rpl]
	cmp	dword [rpl], 4
	jb	near .rpl
	inc	byte [access]
	jnz	near .access
	; null and beyond: data segments may be null, SS not
	call	fill
	mov	dword [TSSN + T_DS], 0
	mov	dword [TSSN + T_ES], 3
	GO	call_
	ASSERT	dword [got_vector], BACK
	ASSERT	word [got_ds], 0
	ASSERT	word [got_es], 3
	call	fill1
	mov	dword [TSSN + T_SS], 1
	GO	call_
	NEW_TASK E_TS, 0
	call	fill
	mov	dword [TSSN + T_ES], 0x1003
	GO	jump
	NEW_TASK E_TS, 0x1000
	ret

describe_y:
	mov	al, [access]
	call	describe_x
	mov	eax, [GDT + X]
	mov	[GDT + Y], eax
	mov	eax, [GDT + X + 4]
	mov	[GDT + Y + 4], eax
	DESCRIPTOR X, TSSN, TLIMIT, 0xe9, 0
	ret

ldts:	call	fill1
	mov	dword [TSSN + T_LDT], 0
	GO	call_
	ASSERT	dword [got_vector], BACK
	; it has no LDT: a segment from there is none
	call	fill1
	mov	dword [TSSN + T_LDT], 0
	mov	dword [TSSN + T_GS], 0xc
	GO	call_
	NEW_TASK E_TS, 0xc
	; one of its own
	call	fill1
	DESCRIPTOR Y, 0x2c000, 0xf, 0x82, 0
	mov	dword [0x2c008], 0xffff
	mov	dword [0x2c00c], 0xcfb300
	mov	dword [TSSN + T_LDT], Y
	mov	dword [TSSN + T_GS], 0xc
	GO	call_
	ASSERT	dword [got_vector], BACK
	ASSERT	word [got_gs], 0xc
	call	fill1
	mov	dword [TSSN + T_LDT], Y
	mov	dword [TSSN + T_GS], 0x14	; beyond it
	GO	call_
	NEW_TASK E_TS, 0x14
	call	fill1
	mov	dword [TSSN + T_LDT], Y | 4
	GO	call_
	NEW_TASK E_TS, Y | 4
	call	fill1
	mov	dword [TSSN + T_LDT], DATA32
	GO	call_
	NEW_TASK E_TS, DATA32
	call	fill1
	mov	dword [TSSN + T_LDT], 0x1000
	GO	call_
	NEW_TASK E_TS, 0x1000
	call	fill1
	mov	dword [TSSN + T_LDT], Y
	mov	byte [GDT + Y + 5], 2
	GO	call_
	NEW_TASK E_TS, Y
	ret

; CS: its faults are reported with the new task's TSS, on the stack of ring 0.
codes:	call	fill
	mov	dword [TSSN + T_CS], 0
	mov	dword [TSSN + T_SS], DATA32
	mov	dword [access], 0
.access:
	mov	dword [rpl], 0
.rpl:	call	fill
	call	describe_y
	mov	eax, Y
	or	eax, [rpl]
	mov	[TSSN + T_CS], eax
	mov	ecx, [rpl]
	mov	eax, [data_of + ecx * 4]
	mov	[TSSN + T_SS], eax
	mov	dword [TSSN + T_ES], DATA32_3
	mov	dword [TSSN + T_FS], 0
	mov	dword [want], E_TS
	movzx	edx, byte [access]
	mov	ecx, edx
	and	ecx, 0x18
	cmp	ecx, 0x18
	jne	.skip
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	test	dl, 4
	jnz	.conforming
	cmp	ecx, [rpl]
	jne	.skip
	jmp	.present
.conforming:
	cmp	ecx, [rpl]
	ja	.skip
.present:
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.skip
	mov	dword [want], BACK
.skip:	; in ring 0 there would be no stack to report a fault on, as SS is loaded after CS
	cmp	dword [rpl], 0
	jne	.run
	cmp	dword [want], BACK
	jne	.next
.run:	GO	call_
	mov	ebx, [want]
	ASSERT	[got_vector], ebx
	ASSERT	word [got_tr], X
	cmp	ebx, BACK
	je	.good
	NEW_TASK ebx, Y
	jmp	.next
.good:	mov	al, [access]
	or	al, 1
	ASSERT	[GDT + Y + 5], al
.next:	inc	dword [rpl]
	cmp	dword [rpl], 4
	jb	near .rpl
	inc	byte [access]
	jnz	near .access
	; EIP behind the limit
	call	fill1
	DESCRIPTOR Y, 0, 0x7fff, 0xbb, 4
	mov	dword [TSSN + T_CS], Y | 1
	GO	call_
	NEW_TASK E_GP, 0
	ret

; 16-bit TSSs.
words:	call	fill16
	mov	dword [run_flags], ZF | 2
	GO	call_
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_eip], inside + 2
	ASSERT	word [got_eax], 0x1a1a
	ASSERT	word [got_edi], 0x1d1d
	ASSERT	word [got_esp], 0xb000 - 12
	ASSERT	word [got_ds], DATA32_3
	ASSERT	word [got_fs], 0
	ASSERT	word [got_gs], 0
	ASSERT	word [TSSN], SEL_TSS
	ASSERT	dword [TSS_ + T_EIP], call_.after
	ASSERT	dword [TSS_ + T_FLAGS], ZF | 2
	mov	dword [run_flags], 2
	; from it back into the 32-bit one
	call	fill16
	mov	word [TSSN + 0xe], leave16
	GO	call_
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_eip], call_.after + 2
	ASSERT	word [got_tr], SEL_TSS
	ASSERT	word [TSSN + 0xe], leave16.after
	ASSERT	word [TSSN + 0x12], 0x7777
	ASSERT	word [TSSN + 0x2c], 0	; nothing behind it
	; its limit
	call	fill16
	mov	byte [GDT + X], 0x2a
	GO	call_
	OLD_TASK E_TS, X
	call	fill16
	mov	word [TSSN + 0x28], 0x1000	; DS
	GO	call_
	ASSERT	dword [got_vector], E_TS
	ASSERT	dword [got_error], 0x1000
	ASSERT	word [got_tr], X
	; an error code is a word there
	call	fill16
	mov	dword [IDT + 8 * E_GP], X << 16
	mov	dword [IDT + 8 * E_GP + 4], 0x8500
	mov	word [0xaffe], -1
	mov	word [0xaffc], -1
	GO	.gp
	ASSERT	dword [got_vector], BACK
	ASSERT	word [got_esp], 0xb000 - 2 - 12
	ASSERT	word [0xaffe], 0x1000
	ASSERT	dword [TSS_ + T_EIP], .gp_at
	call	fill
	GO	.gp
	ASSERT	dword [got_esp], 0x1b000 - 4 - 12
	ASSERT	dword [0x1affc], 0x1000
	jmp	reset_gates
.gp:	mov	ax, 0x1003
.gp_at:	mov	ds, ax
	FAIL

fill16:	call	fill
	mov	edi, TSSN
	mov	ecx, 0x68 / 4
	xor	eax, eax
	rep	stosd
	mov	dword [TSSN + 2], DATA32 << 16 | 0xf000
	mov	word [TSSN + 0xe], inside
	mov	word [TSSN + 0x10], CF | 2
	mov	word [TSSN + 0x12], 0x1a1a
	mov	word [TSSN + 0x1a], 0xb000
	mov	word [TSSN + 0x20], 0x1d1d
	mov	word [TSSN + 0x22], DATA32
	mov	word [TSSN + 0x24], CODE32
	mov	word [TSSN + 0x26], DATA32
	mov	word [TSSN + 0x28], DATA32_3
	DESCRIPTOR X, TSSN, 0x2b, 0xe1, 0
	ret
leave16:
	mov	ax, 0x7777
	iretd
.after:	FAIL

; IRET with NT: the link must be a busy TSS in the GDT.
returns:
	call	fill
	mov	word [TSS_], X
	GO	iret_
	OLD_TASK E_TS, X		; available
	mov	byte [GDT + X + 5], 0x6b
	GO	iret_
	OLD_TASK E_NP, X
	mov	byte [GDT + X + 5], 0x8b
	mov	byte [GDT + X], TLIMIT - 1
	GO	iret_
	OLD_TASK E_TS, X
	mov	word [TSS_], X | 4
	GO	iret_
	OLD_TASK E_TS, X | 4
	mov	word [TSS_], DATA32
	GO	iret_
	OLD_TASK E_TS, DATA32
	mov	word [TSS_], 0x1000
	GO	iret_
	OLD_TASK E_TS, 0x1000
	mov	word [TSS_], 0
	GO	iret_
	OLD_TASK E_TS, 0
	; good: the old task becomes available, its NT is clear, nothing is linked
	call	fill
	mov	byte [GDT + X + 5], 0x8b
	mov	word [TSS_], X
	GO	iret_
	ASSERT	dword [got_vector], BACK
	ASSERT	word [got_tr], X
	ASSERT	dword [got_eflags], CF | 2
	ASSERT_CLEAR dword [TSS_ + T_FLAGS], NT
	ASSERT	dword [TSS_ + T_EIP], iret_.after
	ASSERT	word [TSSN], 0
	; from ring 3
	call	fill
	mov	byte [GDT + X + 5], 0x8b
	GO	iret_, 3
	ASSERT	dword [got_vector], BACK
	ASSERT	word [got_tr], X
	ASSERT	dword [TSS_ + T_CS], CODE32_3
	; busy bits: seen from within
	call	fill
	mov	dword [TSSN + T_EIP], .look
	GO	call_
	ASSERT	dword [got_eax], 0x8beb	; the caller stays busy
	call	fill
	mov	dword [TSSN + T_EIP], .look
	GO	jump
	ASSERT	dword [got_eax], 0x89eb
	call	fill
	mov	dword [TSSN + T_EIP], .look
	mov	byte [GDT + X + 5], 0xeb
	GO	iret_
	ASSERT	dword [got_eax], 0x89eb
	mov	word [TSS_], 0
	ret
.look:	xor	eax, eax
	mov	ah, [GDT + SEL_TSS + 5]
	mov	al, [GDT + X + 5]
	int	BACK
