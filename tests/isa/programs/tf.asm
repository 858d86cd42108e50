; SPDX-License-Identifier: GPL-2.0-or-later
; Single-step traps: after which instructions, with which RIP.
%include "isa.inc"
%macro S 1+	; an instruction after which the trap comes, at the next
	%1
%%after:
	section .expect
	dd X_TRAP, %%after, E_DB | NOERR << 16, %%after
	section .text
%endmacro
%macro LANDS 1	; the trap comes here
	section .expect
	dd X_TRAP, %1, E_DB | NOERR << 16, %1
	section .text
%endmacro
PROGRAM PM32
	mov	eax, 1
	mov	ecx, 3
	push	dword TF|2
	popfd				; no trap after the POPF that sets TF
	S	nop
	S	inc eax
	S	push eax
	S	pop ebx
	S	mov [0xa000], eax
	S	cmp eax, 2
	jz	.taken
	NEVER
.taken:	LANDS	.taken
	S	fld1
	S	fstp st0
	S	cli
	call	.f
.ret:	LANDS	.ret
	; MOV SS holds the trap off for one instruction
	S	mov edx, DATA32
	mov	ss, dx
	S	nop
	; each round of a repetition
	S	mov esi, 0x20000
	S	mov edi, 0x21000
.rep:	S	rep movsb
	LANDS	.rep
	S	cmp ecx, 0
	S	jnz .bad
	S	nop
	LANDS	.not_taken
	jmp	.not_taken
.not_taken:
	; a fault: its handler runs without TF, its frame has TF
	ud2
.after_ud:
	FAULT_AT E_UD, NOERR, .after_ud - 2, .after_ud
	; INT clears TF: no trap after it; the handler's IRET brings TF back, which takes effect one instruction later
	TRAPS	0x50, int 0x50
	S	nop
	S	pushfd
	S	and dword [esp], ~TF
	popfd				; the trap comes after this one still
.off:	LANDS	.off
	nop
	CHECK	{flags, 0, TF}, {mem32, 0xa000, 2}, {ecx, 0}, {esi, 0x20003}, {edi, 0x21003}
	DONE
.f:	LANDS	.f
	ret
.bad:	NEVER
