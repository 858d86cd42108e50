; SPDX-License-Identifier: GPL-2.0-or-later
; VERW in 64-bit code, again and again, as kernels run it before they return to user mode: ZF follows the descriptor, which changes in between; other flags, and all registers, stay.
%include "programs/long.inc"

; flags, ZF wanted, instruction
%macro VERIFIES 3+
	push	qword %1
	popfq
	%3
	pushfq
	pop	rbx
	and	ebx, 0x8d5
	ASSERT	rbx, ((%1) & 0x8d5 & ~0x40) | (%2) * 0x40
%endmacro

%macro ALL 1
	VERIFIES 2, %1, verw r11w
	VERIFIES 0x8d7, %1, verw r11w
	VERIFIES 0x803, %1, verw ax
	VERIFIES 0x96, %1, verw [rel selector]
	VERIFIES 0x43, %1, verw [rcx]
	ASSERT	r11, X
	ASSERT	qword [rcx - 8], 0x77
	ASSERT	rcx, selector
%endmacro

LONG_PROGRAM
	mov	dword [round], 0
.again:	mov	eax, X
	mov	r11d, eax
	mov	ecx, selector
	DESCRIPTOR X, 0, 0xfffff, 0x93, 0xc	; data, writable
	ALL	1
	DESCRIPTOR X, 0, 0xfffff, 0x91, 0xc	; read-only
	ALL	0
	DESCRIPTOR X, 0, 0xffff, 0x92, 0
	ALL	1
	DESCRIPTOR X, 0, 0xfffff, 0x9b, 0xa	; code
	ALL	0
	DESCRIPTOR X, 0, 0xfffff, 0x93, 0xc
	VERIFIES 2, 0, verw dx			; null
	VERIFIES 2, 1, verw r11w
	inc	dword [round]
	cmp	dword [round], 20
	jb	.again
	CHECK	{esp, STACK}
	DONE
	align	8
	dq	0x77
selector: dw X
round:	dd 0
