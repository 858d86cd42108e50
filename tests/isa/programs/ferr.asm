; SPDX-License-Identifier: GPL-2.0-or-later
; x87 exceptions without CR0.NE: FERR#, and the interrupt that the board makes of it (IRQ 13 on a PC).
%include "isa.inc"
VECTOR	equ 0x75
COUNT	equ 0xa000
; as many interrupts as EAX says
%macro ASSERT_SAME 0
	cmp	eax, [COUNT]
	jne	bad
%endmacro
PROGRAM PM32
	mov	eax, cr0
	and	al, ~0x20		; NE
	mov	cr0, eax
	mov	eax, handler
	mov	[IDT + 8 * VECTOR], ax
	shr	eax, 16
	mov	[IDT + 8 * VECTOR + 6], ax
	mov	dword [COUNT], 0
	mov	al, VECTOR
	out	P_FERR, al
	mov	word [COUNT + 4], 0x37b	; divide by zero is not masked
	sti
	mov	ebp, 20
.round:	fninit
	fldcw	[COUNT + 4]
	fld1
	fldz
	mov	eax, [COUNT]
	fdivp	st1, st0		; pending
	nop
	ASSERT_SAME
	; not by instructions that do not wait
	fnstsw	[COUNT + 8]
	fnstcw	[COUNT + 12]
	ASSERT_SAME
	cmp	byte [COUNT + 8], 0x84
	jne	bad
	; by the next one that does: before it, and it is done afterwards
	mov	dword [COUNT + 16], .fld
.fld:	fld1
	inc	eax
	ASSERT_SAME
	fnstsw	[COUNT + 8]
	test	byte [COUNT + 8], 0x84
	jnz	bad
	; FWAIT
	fninit
	fldcw	[COUNT + 4]
	fld1
	fdiv	dword [zero]
	mov	dword [COUNT + 16], .wait
.wait:	fwait
	inc	eax
	ASSERT_SAME
	; FNINIT and FNCLEX make it forgotten
	fninit
	fldcw	[COUNT + 4]
	fld1
	fdiv	dword [zero]
	fnclex
	fwait
	fld1
	fdiv	dword [zero]
	fninit
	fwait
	ASSERT_SAME
	; a store that waits
	fldcw	[COUNT + 4]
	fld1
	fdiv	dword [zero]
	mov	dword [COUNT + 16], .store
.store:	fst	dword [COUNT + 20]
	inc	eax
	ASSERT_SAME
	dec	ebp
	jnz	.round
	CHECK	{esp, STACK}, {mem32, COUNT, 60}
	; with NE it is #MF
	mov	eax, cr0
	or	al, 0x20
	mov	cr0, eax
	fninit
	fldcw	[COUNT + 4]
	fld1
	fdiv	dword [zero]
	FAULTS_PART E_MF, NOERR, fwait
	fnclex
	CHECK	{mem32, COUNT, 60}
	DONE

; The exception is cleared; the interrupted instruction is the one that waits.
handler:
	inc	dword [COUNT]
	push	eax
	mov	eax, [esp + 4]
	cmp	eax, [COUNT + 16]
	pop	eax
	jne	bad
	fnclex
	iretd
bad:	NEVER
zero:	dd 0
