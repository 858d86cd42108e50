; SPDX-License-Identifier: GPL-2.0-or-later
; Interrupts that are pending when INT n, IRET, POPF and STI execute: taken at which boundary, with which saved flags; NMI and what blocks it; RF in what
; is saved (SDM vol. 3, 6.7, 6.8, 17.3.1.1).
%include "programs/ring0.inc"

VECTOR	equ 0x45	; its gate is an interrupt gate
TRAP	equ 0x46	; a trap gate
IRQ	equ 0x47
order	equ V		; of the handlers that were reached: a string of bytes
order_at equ V + 0x20
eips	equ V + 0x40	; and what they saved
flags	equ V + 0x60
times_	equ V + 0x80

; An entry in the list, then back by IRETD.
%macro NOTE 1
	push	eax
	push	ebx
	mov	ebx, [ss:order_at]
	mov	byte [ss:order + ebx], %1
	mov	eax, [esp + 8]
	mov	[ss:eips + ebx * 4], eax
	mov	eax, [esp + 16]
	mov	[ss:flags + ebx * 4], eax
	inc	dword [ss:order_at]
	pop	ebx
	pop	eax
%endmacro

; Runs a snippet in a ring; which handlers came, in the order of the digits from the right.
%macro ORDER 3	; ring, snippet, order
	mov	dword [order], 0
	mov	dword [order_at], 0
	mov	ecx, %1
	mov	edx, %2
	call	run
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [order], %3
%endmacro

%macro RAISE 1
	mov	al, %1
	out	P_IRQ, al
%endmacro

RING0_PROGRAM
	GATE	IDT + 8 * VECTOR, CODE32, AT(on_vector), 0xee
	GATE	IDT + 8 * TRAP, CODE32, AT(on_trap), 0xef
	GATE	IDT + 8 * IRQ, CODE32, AT(on_irq), 0x8e
	GATE	IDT + 8 * E_NMI, CODE32, AT(on_nmi), 0x8e
	mov	dword [times_], 0
.round:	; IOPL 3, so that ring 3 may change IF
	mov	dword [run_flags], IF | 0x3000 | 2
%assign ring 0
%rep 4
	; INT n through an interrupt gate: what is pending waits for the IRETD
	ORDER	ring, pend_in_gate, 0x0201
	ASSERT	dword [eips + 4], pend_in_gate.after
	ASSERT	dword [flags + 4], IF | 0x3000 | 2
	; through a trap gate it does not wait
	ORDER	ring, pend_in_trap, 0x0203
	ASSERT	dword [eips], pend_in_trap.after
	; pending with IF clear, by STI: after the next instruction, which is INT or IRETD
	ORDER	ring, sti_int, 0x0201
	ASSERT	dword [eips + 4], sti_int.after
	ORDER	ring, sti_trap, 0x0302
	ASSERT	dword [eips], on_trap
	ASSERT	dword [eips + 4], sti_trap.after
	ORDER	ring, sti_nop, 2
	ASSERT	dword [eips], sti_nop.after
	; by POPF and IRETD: at once
	ORDER	ring, popf_, 2
	ASSERT	dword [eips], popf_.after
	ORDER	ring, iretd_, 2
	ASSERT	dword [eips], iretd_.after
	ORDER	ring, iretw_, 2
	ASSERT	dword [eips], iretw_.after
	; POPF and IRETD that leave IF clear: not at all
	ORDER	ring, iretd_cli, 0
	; RF that IRETD loads is in what is saved, if the interrupt comes before the next instruction, and only then
	ORDER	ring, iretd_rf, 2
	ASSERT	dword [eips], iretd_rf.after
	ASSERT	dword [flags], IF | RF | 0x3000 | 2
	ORDER	ring, iretd_rf_late, 2
	ASSERT	dword [flags], IF | 0x3000 | 2
	; NMI: within its handler the next waits until the IRETD; a third one is lost
	ORDER	ring, nmi, 0x0404
	ASSERT	dword [eips], nmi.after
	ASSERT	dword [eips + 4], nmi.after
	; whatever IF is
	ORDER	ring, nmi_cli, 4
	; NMI and interrupt at once: NMI first
	ORDER	ring, nmi_irq, 0x020404
	ASSERT	dword [eips + 8], nmi_irq.after
%assign ring ring + 1
%endrep
	; outward: from ring 0 to ring 3 with IF set
	mov	dword [run_flags], 2
	ORDER	0, outward, 2
	ASSERT	dword [eips], outward.after
	ORDER	0, outward_v86, 2
	ASSERT	dword [eips], outward_v86.after
	ASSERT	dword [flags], VM | IF | 0x3000 | 2
	inc	dword [times_]
	cmp	dword [times_], 20
	jb	near .round
	CHECK	{esp, STACK}
	DONE

; Notes a number, and raises the interrupt that waits for a handler to do so.
%macro HANDLER 1
	NOTE	%1
	cmp	byte [ss:pend], 1
	jne	%%no
	mov	byte [ss:pend], 0
	push	eax
	RAISE	IRQ
	pop	eax
%%no:	iretd
%endmacro

on_vector:
	HANDLER	1
on_irq:	NOTE	2
	iretd
on_trap:
	HANDLER	3
on_nmi:	NOTE	4
	cmp	byte [ss:pend], 2
	jb	.no
	out	P_NMI, al
	je	.only
	push	eax
	RAISE	IRQ
	pop	eax
.only:	mov	byte [ss:pend], 0
	out	P_NMI, al
	nop
.no:	iretd
pend:	db 0

pend_in_gate:
	mov	byte [pend], 1
	int	VECTOR
.after:	int	BACK
pend_in_trap:
	mov	byte [pend], 1
	int	TRAP
.after:	int	BACK
sti_int: cli
	RAISE	IRQ
	sti
	int	VECTOR
.after:	int	BACK
sti_trap: cli
	RAISE	IRQ
	sti
	int	TRAP
.after:	int	BACK
sti_nop: cli
	RAISE	IRQ
	sti
	nop
.after:	int	BACK
popf_:	cli
	RAISE	IRQ
	pushfd
	or	dword [esp], IF
	popfd
.after:	int	BACK

; SS and ESP for an outer ring are not popped within one
%macro FRAME_ 2
	cli
	pushfd
	or	dword [esp], %1
	push	cs
	push	dword %2
	RAISE	IRQ
%endmacro
iretd_:	FRAME_	IF, .after
	iretd
	FAIL
.after:	int	BACK
iretw_:	cli
	pushfw
	or	word [esp], IF
	push	cs
	pop	eax
	push	ax
	push	word .after
	RAISE	IRQ
	o16 iret
	FAIL
.after:	int	BACK
iretd_cli:
	FRAME_	0, .after
	iretd
	FAIL
.after:	nop
	mov	dword [order_at], 8	; where nothing looks
	sti
	nop
	int	BACK
iretd_rf:
	FRAME_	IF | RF, .after
	iretd
	FAIL
.after:	int	BACK
iretd_rf_late:
	FRAME_	RF, .there
	iretd
	FAIL
.there:	sti
	nop
.after:	int	BACK
nmi:	mov	byte [pend], 2
	out	P_NMI, al
.after:	int	BACK
nmi_irq:
	mov	byte [pend], 3
	out	P_NMI, al
.after:	int	BACK
nmi_cli:
	cli
	out	P_NMI, al
.after:	int	BACK
outward:
	push	dword DATA32_3
	push	dword RSTACK
	push	dword IF | 0x3000 | 2
	push	dword CODE32_3
	push	dword .after
	RAISE	IRQ
	iretd
	FAIL
.after:	int	BACK
outward_v86:
	times 5 push dword 0
	push	dword RSTACK_V86
	push	dword VM | IF | 0x3000 | 2
	push	dword 0
	push	dword .after
	RAISE	IRQ
	iretd
	FAIL
	bits 16
.after:	int	BACK
	bits 32
