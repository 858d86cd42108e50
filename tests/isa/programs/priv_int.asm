; SPDX-License-Identifier: GPL-2.0-or-later
; Interrupts and exceptions through the IDT: every access byte of a gate, of its code segment and of the stack segment of an inner ring; from every ring; by INT n, INT3,
; INTO, INT1, an exception and an interrupt from outside (SDM vol. 3, 6.10-6.13; vol. 2, INT n).
%include "programs/ring0.inc"

VECTOR	equ 0x45
cpl	equ V
access	equ V + 4
rpl	equ V + 8
want	equ V + 12	; vector
want_error equ V + 16
want_ext equ V + 20	; 1: the cause is external
want_eip equ V + 24
vector	equ V + 28
software equ V + 32
bounds	equ V + 40
FLAGS	equ IF | NT | CF | SF | AC | 2

; Kind of event: snippet, vector, saved EIP, software (the gate's DPL counts), external for the error code
%macro EVENT 5
	mov	dword [vector], %2
	mov	dword [want_eip], %3
	mov	dword [software], %4
	mov	dword [want_ext], %5
	mov	edx, %1
	call	gates
%endmacro

RING0_PROGRAM
	mov	dword [run_flags], FLAGS
	mov	dword [bounds], 0
	mov	dword [bounds + 4], 1
	EVENT	int_n, VECTOR, int_n.next, 1, 0
	EVENT	int_3, E_BP, int_3.next, 1, 0
	EVENT	int_o, E_OF, int_o.next, 1, 0
	EVENT	int_1, E_DB, int_1.next, 0, 1
	EVENT	bound_, E_BR, bound_, 0, 1
	EVENT	irq, VECTOR, irq.next, 0, 1
	call	targets
	call	stacks
	CHECK	{esp, STACK}
	DONE

int_n:	int	VECTOR
.next:	FAIL
int_3:	int3
.next:	FAIL
int_o:	mov	al, 0x7f
	inc	al
	into
.next:	FAIL
int_1:	int1
.next:	FAIL
bound_:	bound	eax, [bounds]
.next:	FAIL
irq:	mov	al, VECTOR
	out	P_IRQ, al
.next:	FAIL
back:	int	BACK

; EDX: the snippet.
gates:	mov	[.snippet], edx
	mov	dword [cpl], 0
.cpl:	mov	dword [access], 0
.access:
	mov	edi, [vector]
	mov	al, [access]
	mov	[IDT + edi * 8 + 5], al
	call	gate_rule
	mov	ecx, [cpl]
	mov	edx, [.snippet]
	mov	eax, 0x7f
	call	run
	mov	ebx, [want]
	ASSERT	[got_vector], ebx
	cmp	ebx, [vector]
	je	.delivered
	mov	eax, [want_error]
	ASSERT	[got_error], eax
	; of the fault it became: RIP of the instruction, RF
	mov	eax, [got_eflags]
	jmp	.next
.delivered:
	; IF, by the kind of gate; TF, NT, RF and VM always
	mov	eax, [got_flags]
	test	byte [access], 1
	jz	.interrupt
	xor	eax, IF
.interrupt:
	ASSERT_CLEAR eax, IF|TF|NT|RF|VM
	; the frame
	test	byte [access], 8
	jz	.words
	mov	eax, [want_eip]
	ASSERT	[got_eip], eax
	mov	eax, [got_eflags]
	and	eax, ~ARITH
	mov	ebx, FLAGS & ~ARITH
	cmp	dword [vector], E_BR
	jne	.trap
	or	ebx, RF
.trap:	ASSERT	eax, ebx
	mov	esi, [got_esp]
	mov	eax, [cpl]
	mov	ebx, [code_of + eax * 4]
	ASSERT	[got_cs], ebx
	test	eax, eax
	jz	.next
	ASSERT	esi, STACK0 - 20
	mov	ebx, [data_of + eax * 4]
	ASSERT	[got_ss0], ebx
	ASSERT	dword [got_esp0], RSTACK
	jmp	.next
.words:	mov	eax, [want_eip]
	ASSERT	[got_frame], ax
	mov	eax, [got_frame + 4]
	and	eax, 0xffff & ~ARITH
	ASSERT	eax, FLAGS & 0xffff & ~ARITH
	mov	eax, [cpl]
	mov	ebx, [code_of + eax * 4]
	ASSERT	[got_frame + 2], bx
	test	eax, eax
	jz	.next
	ASSERT	dword [got_esp], STACK0 - 10
	mov	ebx, [data_of + eax * 4]
	ASSERT	[got_frame + 8], bx
	ASSERT	word [got_frame + 6], RSTACK & 0xffff
.next:	inc	byte [access]
	jnz	near .access
	inc	dword [cpl]
	cmp	dword [cpl], 4
	jb	near .cpl
	call	reset_idt
	ret
.snippet: dd 0

; The gate's code segment: INT n, and BOUND for the error code's EXT.
targets:
	mov	dword [cpl], 0
.cpl:	mov	dword [access], 0
.access:
	GATE	IDT + 8 * VECTOR, X | 3, AT(back), 0xee	; RPL does not count
	GATE	IDT + 8 * E_BR, X, AT(back), 0x8e
	mov	dword [want_ext], 0
	mov	edx, int_n
	call	target
	mov	dword [want_ext], 1
	mov	edx, bound_
	call	target
	inc	byte [access]
	jnz	near .access
	inc	dword [cpl]
	cmp	dword [cpl], 4
	jb	near .cpl
	; null, beyond the tables, behind the limit of the code segment
	GATE	IDT + 8 * VECTOR, 3, AT(back), 0xee
	call	int3_0
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	GATE	IDT + 8 * VECTOR, 0x1003, AT(back), 0xee
	call	int3_0
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0x1000
	GATE	IDT + 8 * VECTOR, 0x107, AT(back), 0xee
	call	int3_0
	ASSERT	dword [got_error], 0x104
	DESCRIPTOR X, 0, 0xffff, 0x9b, 4
	mov	dword [IDT + 8 * VECTOR], X << 16
	mov	dword [IDT + 8 * VECTOR + 4], 0x1ee00
	call	int3_0
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	ASSERT	dword [got_eip], int_n
	; the limit of the IDT counts to the last byte of the gate
	call	reset_idt
	mov	dword [V + 64], IDT << 16 | VECTOR * 8 + 6
	mov	dword [V + 68], 0
	lidt	[V + 64]
	call	int3_0
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], VECTOR * 8 + 2
	inc	word [V + 64]
	lidt	[V + 64]
	call	int3_0
	ASSERT	dword [got_vector], VECTOR
	mov	word [V + 64], 0x7ff
	lidt	[V + 64]
	ret

int3_0:	mov	ecx, 3
	mov	edx, int_n
	jmp	run

target:	push	edx
	mov	al, [access]
	call	describe_x
	call	code_rule
	pop	edx
	mov	ecx, [cpl]
	mov	eax, 0x7f
	call	run
	mov	ebx, [want]
	ASSERT	[got_vector], ebx
	mov	al, [access]
	cmp	ebx, BACK
	jne	.fault
	or	al, 1
	ASSERT	[GDT + X + 5], al
	mov	ebx, X
	or	ebx, [rpl]		; of the handler
	ASSERT	[got_cs], bx
	; and it was on the right stack: the one in use, or that of its ring
	mov	eax, [rpl]
	mov	ecx, [.tops + eax * 4]
	sub	ecx, 20
	cmp	eax, [cpl]
	jne	.ring
	add	ecx, 8
	mov	ebx, RSTACK - 12
	test	eax, eax
	cmovnz	ecx, ebx
	jnz	.ring
	mov	ecx, esp		; as it was in run, which CALL reaches
	sub	ecx, 4 + 12
.ring:	mov	ebx, [got_esp]
	add	ebx, 12
	test	eax, eax
	cmovnz	ebx, [got_esp0]
	ASSERT	ebx, ecx
	ret
.fault:	ASSERT	[GDT + X + 5], al
	mov	ecx, X
	add	ecx, [want_ext]
	ASSERT	[got_error], ecx
	ret
.tops:	dd STACK0, RSTACK1, RSTACK2, RSTACK

; The stack of ring 1, for a gate to ring 1.
stacks:	mov	dword [cpl], 2
.cpl:	mov	dword [access], 0
.access:
	mov	dword [rpl], 0
.rpl:	GATE	IDT + 8 * VECTOR, CODE32_1, AT(back), 0xee
	mov	al, [access]
	call	describe_x
	mov	eax, X
	or	eax, [rpl]
	mov	[TSS_ + 16], ax
	call	inner_rule
	mov	ecx, [cpl]
	mov	edx, int_n
	call	run
	mov	ebx, [want]
	ASSERT	[got_vector], ebx
	cmp	ebx, BACK
	je	.good
	ASSERT	dword [got_error], X
	ASSERT	dword [got_eip], int_n
	ASSERT	dword [got_esp0], RSTACK
	jmp	.next
.good:	ASSERT	dword [got_ss0], X | 1
	ASSERT	dword [got_esp0], RSTACK1 - 20
.next:
	NEXT_X
	; null and beyond; EXT when it is an exception
	mov	word [TSS_ + 16], 1
	call	int3_0
	ASSERT	dword [got_vector], E_TS
	ASSERT	dword [got_error], 0
	mov	word [TSS_ + 16], 0x1001
	call	int3_0
	ASSERT	dword [got_vector], E_TS
	ASSERT	dword [got_error], 0x1000
	GATE	IDT + 8 * E_BR, CODE32_1, AT(back), 0x8e
	mov	ecx, 3
	mov	edx, bound_
	mov	eax, 99
	call	run
	ASSERT	dword [got_vector], E_TS
	ASSERT	dword [got_error], 0x1001
	ASSERT	dword [got_eip], bound_
	; room for 20 bytes, and for 19
	DESCRIPTOR X, 0, 0xfffff, 0xb3, 4
	mov	dword [TSS_ + 16], X | 1
	mov	dword [TSS_ + 12], 20
	call	int3_0
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_esp0], 0
	ASSERT	dword [0], int_n.next
	mov	dword [TSS_ + 12], 19
	call	int3_0
	ASSERT	dword [got_vector], E_SS
	ASSERT	dword [got_error], X
	mov	dword [TSS_ + 12], 0x100001
	call	int3_0
	ASSERT	dword [got_vector], E_SS
	ASSERT	dword [got_error], X
	mov	ecx, 3
	mov	edx, bound_
	mov	eax, 99
	call	run
	ASSERT	dword [got_vector], E_SS
	ASSERT	dword [got_error], X | 1
	; expand-down: the same from the other side
	DESCRIPTOR X, 0, 0x17fff, 0xb7, 4
	mov	dword [TSS_ + 12], 0x18000 + 20
	call	int3_0
	ASSERT	dword [got_vector], BACK
	mov	dword [TSS_ + 12], 0x18000 + 19
	call	int3_0
	ASSERT	dword [got_vector], E_SS
	; a 16-bit stack: its offsets wrap, the upper half of ESP is what the TSS has
	DESCRIPTOR X, BASED, 0xffff, 0xb3, 0
	mov	dword [TSS_ + 12], 0x12340008
	call	int3_0
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_esp0], 0x1234fff4
	ASSERT	dword [BASED + 0xfff4], int_n.next
	ASSERT	dword [BASED + 0xfffc], FLAGS
	ASSERT	dword [BASED + 0], RSTACK
	ASSERT	dword [BASED + 4], DATA32_3
	; a limit of the TSS that hides SS1
	mov	dword [TSS_ + 12], RSTACK1
	mov	dword [TSS_ + 16], DATA32_1
	ret

; What the gate with [access] makes of it, with [cpl], [vector], [software], [want_ext].
gate_rule:
	mov	eax, [vector]
	mov	[want], eax
	lea	eax, [eax * 8 + 2]
	or	eax, [want_ext]
	mov	[want_error], eax
	movzx	edx, byte [access]
	mov	ecx, edx
	and	ecx, 0x1f
	mov	eax, 1 << 5 | 1 << 6 | 1 << 7 | 1 << 14 | 1 << 15
	bt	eax, ecx
	jnc	.gp
	cmp	dword [software], 0
	je	.present
	mov	eax, edx
	shr	eax, 5
	and	eax, 3
	cmp	eax, [cpl]
	jb	.gp
.present:
	test	dl, 0x80
	jz	.np
	cmp	ecx, 5
	jne	.done
	mov	eax, CODE32		; no TSS
	or	eax, [want_ext]
	mov	[want_error], eax
.gp:	mov	dword [want], E_GP
.done:	ret
.np:	mov	dword [want], E_NP
	ret

; The same for the code segment: [want] and in [rpl] the ring of the handler.
code_rule:
	mov	dword [want], E_GP
	movzx	edx, byte [access]
	mov	eax, edx
	and	eax, 0x18
	cmp	eax, 0x18
	jne	.done
	mov	eax, edx
	shr	eax, 5
	and	eax, 3
	cmp	eax, [cpl]
	ja	.done
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.done
	mov	dword [want], BACK
	test	dl, 4
	cmovnz	eax, [cpl]
	mov	[rpl], eax
.done:	ret

; And for the stack segment of ring 1.
inner_rule:
	mov	dword [want], E_TS
	movzx	edx, byte [access]
	cmp	dword [rpl], 1
	jne	.done
	mov	eax, edx
	and	eax, 0x7a
	cmp	eax, 0x32
	jne	.done
	mov	dword [want], E_SS
	test	dl, 0x80
	jz	.done
	mov	dword [want], BACK
.done:	ret
