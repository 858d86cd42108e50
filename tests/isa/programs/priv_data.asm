; SPDX-License-Identifier: GPL-2.0-or-later
; Loads of data and stack segment registers: every access byte, RPL and CPL, by MOV, POP and LxS (SDM vol. 3, 5.5, 5.7).
%include "programs/ring0.inc"

cpl	equ V
access	equ V + 4
rpl	equ V + 8
want	equ V + 12	; vector, or BACK
pointer	equ V + 16

; Snippets: AX is the selector.
%macro SNIPPET 2+
%1:	%2
	int	BACK
%endmacro

; Runs a snippet with the selector and compares: vector, error code, the register's new selector, the accessed bit.
%macro TRY 2	; snippet, got_*
	RUN_ON_X %1
	cmp	ebx, BACK
	jne	%%fault
	mov	ecx, X
	or	ecx, [rpl]
	ASSERT	[%2], cx
	or	al, 1
	jmp	%%accessed
%%fault:
	ASSERT	dword [got_error], X
%%accessed:
	ASSERT	[GDT + X + 5], al
%endmacro

RING0_PROGRAM
	mov	dword [pointer], RSTACK
	mov	dword [cpl], 0
.cpl:	mov	dword [access], 0
.access:
	mov	dword [rpl], 0
.rpl:	call	data_rule
	mov	[want], eax
	TRY	mov_ds, got_ds
	test	byte [access], 0x55	; some for the others
	jnp	near .stack
	TRY	mov_fs, got_fs
	TRY	pop_es, got_es
	TRY	pop_gs, got_gs
	TRY	lgs_, got_gs
.stack:	call	stack_rule
	mov	[want], eax
	cmp	eax, BACK
	jne	.few
	cmp	dword [cpl], 0
	je	near .ring0
	TRY	mov_ss, got_ss0
	TRY	pop_ss, got_ss0
	TRY	lss_, got_ss0
	jmp	.next
.ring0:	TRY	mov_ss, got_ss
	TRY	pop_ss, got_ss
	TRY	lss_, got_ss
	jmp	.next
.few:	TRY	mov_ss, got_ss
	test	byte [access], 0x33
	jnp	near .next
	TRY	pop_ss, got_ss
	TRY	lss_, got_ss
.next:
	NEXT_X
	; null selectors: data segments take them, with any RPL, and fault when they are used; SS does not
	mov	dword [cpl], 0
.null:	mov	dword [rpl], 0
.null_rpl:
	mov	eax, [rpl]
	mov	ecx, [cpl]
	mov	edx, use_ds
	call	run
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	mov	eax, [rpl]
	ASSERT	[got_ds], ax
	mov	ecx, [cpl]
	mov	edx, mov_ss
	call	run
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	; beyond the GDT, beyond the LDT, without LDT
	mov	eax, 0x1000
	or	eax, [rpl]
	call	beyond
	mov	eax, 0x104
	or	eax, [rpl]
	call	beyond
	xor	eax, eax
	lldt	ax
	mov	eax, 4
	or	eax, [rpl]
	call	beyond
	mov	ax, SEL_LDT
	lldt	ax
	inc	dword [rpl]
	cmp	dword [rpl], 4
	jb	near .null_rpl
	inc	dword [cpl]
	cmp	dword [cpl], 4
	jb	near .null
	; the limit of the GDT counts to the last byte of the entry
	mov	dword [pointer], GDT << 16 | X + 6
	mov	dword [pointer + 4], GDT >> 16
	mov	al, 0x93
	call	describe_x
	lgdt	[pointer]
	mov	eax, X
	call	beyond0
	inc	word [pointer]
	lgdt	[pointer]
	mov	eax, X
	xor	ecx, ecx
	mov	edx, mov_ds
	call	run
	ASSERT	dword [got_vector], BACK
	CHECK	{esp, STACK}
	DONE

; AX names nothing: #GP with it from every register.
beyond0:
	mov	dword [cpl], 0
beyond:	mov	esi, eax
%assign i 0
%rep 4
	mov	eax, esi
	mov	ecx, [cpl]
%if i = 0
	mov	edx, mov_ds
%elif i = 1
	mov	edx, mov_ss
%elif i = 2
	mov	edx, pop_gs
%else
	mov	edx, pop_ss
%endif
	push	esi
	call	run
	pop	esi
	ASSERT	dword [got_vector], E_GP
	mov	eax, esi
	and	eax, ~3
	ASSERT	[got_error], eax
%assign i i + 1
%endrep
	ret

	SNIPPET	mov_ds, mov ds, ax
	SNIPPET	mov_fs, mov fs, ax
	SNIPPET	mov_ss, mov ss, ax
pop_es:	push	eax
	SNIPPET	.pop, pop es
pop_gs:	push	eax
	SNIPPET	.pop, pop gs
pop_ss:	push	eax
	SNIPPET	.pop, pop ss
	SNIPPET	lgs_, lgs ebp, [pointer]
lss_:	mov	[pointer], esp
	SNIPPET	.lss, lss esp, [pointer]
use_ds:	mov	ds, ax
	SNIPPET	.use, mov al, [0]

; EAX: the vector that a load of a data segment raises with [access], [rpl], [cpl], or BACK.
data_rule:
	movzx	edx, byte [access]
	mov	eax, E_GP
	test	dl, 0x10
	jz	.done			; a system segment
	mov	ecx, edx
	and	ecx, 0x1a
	cmp	ecx, 0x18
	je	.done			; code that cannot be read
	mov	ecx, edx
	and	ecx, 0x1c
	cmp	ecx, 0x1c
	je	.present		; conforming: whatever the rings
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	cmp	ecx, [cpl]
	jb	.done
	cmp	ecx, [rpl]
	jb	.done
.present:
	mov	eax, E_NP
	test	dl, 0x80
	jz	.done
	mov	eax, BACK
.done:	ret

stack_rule:
	movzx	edx, byte [access]
	mov	eax, E_GP
	mov	ecx, edx
	and	ecx, 0x1a
	cmp	ecx, 0x12
	jne	.done			; not data that can be written
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	cmp	ecx, [cpl]
	jne	.done
	cmp	ecx, [rpl]
	jne	.done
	mov	eax, E_SS
	test	dl, 0x80
	jz	.done
	mov	eax, BACK
.done:	ret
