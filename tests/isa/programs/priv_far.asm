; SPDX-License-Identifier: GPL-2.0-or-later
; Far JMP, CALL, RETF and IRET to a code segment: every access byte, RPL and CPL; returns to outer rings with every stack segment and what becomes of the data segments
; (SDM vol. 3, 5.8, 5.9; vol. 2, RET, IRET).
%include "programs/ring0.inc"

cpl	equ V
access	equ V + 4
rpl	equ V + 8
want	equ V + 12	; vector
want_error equ V + 16
want_cpl equ V + 20
stack	equ V + 24	; selector for returns to an outer ring
pointer	equ V + 32
round	equ V + 40

%macro TRY 1
	RUN_ON_X %1
	cmp	ebx, BACK
	jne	%%fault
	mov	ecx, X
	or	ecx, [want_cpl]
	ASSERT	[got_cs], cx
	or	al, 1
	jmp	%%accessed
%%fault:
	mov	edx, [want_error]
	ASSERT	[got_error], edx
	mov	edx, [cpl]
	mov	edx, [code_of + edx * 4]
	ASSERT	[got_cs], edx
%%accessed:
	ASSERT	[GDT + X + 5], al
%endmacro

; Snippet, ESP afterwards.
%macro TRY_STACK 2
	mov	al, [access]
	call	describe_x
	mov	eax, [want_cpl]
	mov	eax, [code_of + eax * 4]
	mov	ecx, [cpl]
	mov	edx, %1
	call	run
	mov	ebx, [want]
	ASSERT	[got_vector], ebx
	cmp	ebx, BACK
	jne	%%fault
	mov	ebx, [stack]
	ASSERT	[got_ss0], bx
	ASSERT	dword [got_esp0], %2
	jmp	%%next
%%fault:
	ASSERT	dword [got_error], X
%%next:
%endmacro

RING0_PROGRAM
	mov	dword [pointer], back
	mov	dword [cpl], 0
.cpl:	mov	dword [access], 0
.access:
	mov	dword [rpl], 0
.rpl:	call	direct_rule
	TRY	jump
	TRY	call_
	call	return_rule
	mov	eax, [rpl]
	mov	eax, [data_of + eax * 4]
	mov	[stack], eax
	TRY	return
	TRY	iret_
	NEXT_X
	call	stacks
	call	segments
	call	limits
	CHECK	{esp, STACK}
	DONE

back:	int	BACK
jump:	jmp	far [pointer]
call_:	call	far [pointer]
return:	push	dword [stack]
	push	dword RSTACK1
	push	eax
	push	dword back
	retf
iret_:	push	dword [stack]
	push	dword RSTACK1
	pushfd
	push	eax
	push	dword back
	iretd
retf8:	push	dword [stack]
	push	dword RSTACK1
	push	dword 1
	push	dword 2
	push	eax
	push	dword back
	retf	8
retw:	push	word [stack]
	push	word 0x1000
	push	ax
	push	word back
	o16 retf
iretw_:	push	word [stack]
	push	word 0x1000
	pushfw
	push	ax
	push	word back
	o16 iret

; SS of a return from each ring to ring 1, 2, 3 outward: every access byte and RPL.
stacks:	mov	dword [cpl], 0
.cpl:	mov	eax, [cpl]
	inc	eax
	mov	[want_cpl], eax
.to:	mov	dword [access], 0
.access:
	mov	dword [rpl], 0
.rpl:	call	stack_rule
	mov	eax, X
	or	eax, [rpl]
	mov	[stack], eax
	TRY_STACK return, RSTACK1
	TRY_STACK iret_, RSTACK1
	TRY_STACK retf8, RSTACK1 + 8
	TRY_STACK iretw_, 0x1000
	inc	dword [rpl]
	cmp	dword [rpl], 4
	jb	near .rpl
	inc	byte [access]
	jnz	near .access
	inc	dword [want_cpl]
	cmp	dword [want_cpl], 4
	jb	near .to
	inc	dword [cpl]
	cmp	dword [cpl], 3
	jb	near .cpl
	; null with any RPL, and beyond the table
	mov	dword [rpl], 0
.null:	mov	eax, [rpl]
	mov	[stack], eax
	call	.ways
	ASSERT	dword [got_error], 0
	or	dword [stack], 0x1000
	call	.ways
	ASSERT	dword [got_error], 0x1000
	inc	dword [rpl]
	cmp	dword [rpl], 4
	jb	.null
	ret
.ways:	xor	ecx, ecx
	mov	edx, iret_
	mov	eax, CODE32_3
	call	run
	ASSERT	dword [got_vector], E_GP
	xor	ecx, ecx
	mov	edx, return
	mov	eax, CODE32_3
	call	run
	ASSERT	dword [got_vector], E_GP
	ret

; DS, ES, FS, GS when the CPL rises: what the new ring must not use becomes null; conforming code stays.
segments:
	mov	dword [cpl], 0
.cpl:	mov	eax, [cpl]
	inc	eax
	mov	[want_cpl], eax
.to:	mov	dword [access], 0
	jmp	.skip
.access:
	mov	dword [round], 0
.round:	mov	eax, [want_cpl]
	mov	ebx, [data_of + eax * 4]
	mov	[stack], ebx
	mov	al, [access]
	call	describe_x
	mov	eax, [want_cpl]
	mov	eax, [code_of + eax * 4]
	mov	ecx, [cpl]
	mov	edx, .snippet
	call	run
	ASSERT	dword [got_vector], BACK
	mov	eax, X
	movzx	ecx, byte [access]
	mov	edx, ecx
	and	edx, 0xc
	cmp	edx, 0xc
	je	.keeps
	shr	ecx, 5
	and	ecx, 3
	cmp	ecx, [want_cpl]
	jae	.keeps
	xor	eax, eax
.keeps:	ASSERT	[got_ds], ax
	ASSERT	[got_es], ax
	ASSERT	[got_fs], ax
	ASSERT	[got_gs], ax
	inc	dword [round]
	cmp	dword [round], 2
	jb	near .round
.skip:	inc	byte [access]
	jz	.done
	; present, data or readable code, that CPL and RPL 0 may load
	test	byte [access], 0x80
	jz	.skip
	test	byte [access], 0x10
	jz	.skip
	mov	al, [access]
	and	al, 0x0a
	cmp	al, 8
	je	.skip
	mov	al, [access]
	and	al, 0x0c
	cmp	al, 0x0c
	je	near .access
	movzx	eax, byte [access]
	shr	eax, 5
	and	eax, 3
	cmp	eax, [cpl]
	jb	.skip
	jmp	.access
.done:	inc	dword [want_cpl]
	cmp	dword [want_cpl], 4
	jb	near .to
	inc	dword [cpl]
	cmp	dword [cpl], 3
	jb	near .cpl
	ret
.snippet:
	push	dword [stack]
	push	dword RSTACK1
	test	byte [round], 1
	jnz	.far
	pushfd
.far:	push	eax
	push	dword back
	mov	bl, [round]
	mov	cx, X
	mov	es, cx
	mov	fs, cx
	mov	gs, cx
	mov	ds, cx
	test	bl, 1
	jnz	.retf
	iretd
.retf:	retf

; Offsets behind the limit, 16-bit forms, ESP of a 16-bit stack.
limits:	DESCRIPTOR X, 0, AT(back), 0x9a, 4	; its last byte is the first of INT
	mov	dword [pointer + 4], X
	mov	eax, X
	xor	ecx, ecx
	mov	edx, jump
	call	run
	; the jump is done; it is the fetch of INT that reaches behind
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_cs], X
	ASSERT	dword [got_eip], back
	DESCRIPTOR X, 0, AT(back) - 1, 0x9a, 4
%assign i 0
%rep 5
	mov	eax, X
	xor	ecx, ecx
%if i = 0
	mov	edx, jump
%elif i = 1
	mov	edx, call_
%elif i = 2
	mov	edx, return
%elif i = 3
	mov	edx, iret_
%else
	mov	edx, iretw_
%endif
	call	run
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	ASSERT	dword [got_cs], CODE32
%assign i i + 1
%endrep
	; outward, behind the limit
	DESCRIPTOR X, 0, AT(back) - 1, 0xfa, 4
	mov	dword [stack], DATA32_3
	mov	eax, X | 3
	xor	ecx, ecx
	mov	edx, iret_
	call	run
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	ASSERT	dword [got_cs], CODE32
	; a 16-bit stack outside: of ESP only SP is loaded
	DESCRIPTOR X, BASED, 0xffff, 0xf3, 0
	mov	dword [stack], X | 3
	mov	eax, CODE32_3
	xor	ecx, ecx
	mov	edx, .high
	call	run
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_ss0], X | 3
	ASSERT	word [got_esp0], 0x5678
	; the same with 16-bit frames, to 32-bit code below 64 KiB
	mov	dword [stack], DATA32_3
	mov	eax, CODE32_3
	xor	ecx, ecx
	mov	edx, retw
	call	run
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_cs], CODE32_3
	ASSERT	dword [got_esp0], 0x1000
	ret
.high:	push	dword [stack]
	push	dword 0x12345678
	pushfd
	push	eax
	push	dword back
	iretd

; JMP and CALL with [access], [rpl], [cpl]: [want], [want_error], [want_cpl]. Gates and TSSs too, as far as they fail.
direct_rule:
	mov	dword [want], E_GP
	mov	dword [want_error], X
	mov	eax, [cpl]
	mov	[want_cpl], eax
	movzx	edx, byte [access]
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3			; DPL
	test	dl, 0x10
	jz	.system
	test	dl, 8
	jz	.done
	test	dl, 4
	jnz	.conforming
	cmp	ecx, eax
	jne	.done
	cmp	[rpl], eax
	ja	.done
	jmp	.present
.conforming:
	cmp	ecx, eax
	ja	.done
.present:
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.done
	mov	dword [want], BACK
.done:	ret
.system:
	mov	ebx, edx
	and	ebx, 0xf
	mov	eax, 1 << 1 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 12
	bt	eax, ebx
	jnc	.done
	cmp	ecx, [cpl]
	jb	.done
	cmp	ecx, [rpl]
	jb	.done
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.done
	mov	dword [want], E_TS	; a TSS that is too short
	test	bl, 4
	jz	.done
	mov	dword [want], E_GP	; a gate to the null selector
	mov	dword [want_error], 0
	ret

return_rule:
	mov	dword [want], E_GP
	mov	dword [want_error], X
	mov	eax, [rpl]
	mov	[want_cpl], eax
	movzx	edx, byte [access]
	cmp	eax, [cpl]
	jb	.done
	mov	ecx, edx
	and	ecx, 0x18
	cmp	ecx, 0x18
	jne	.done
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	test	dl, 4
	jnz	.conforming
	cmp	ecx, eax
	jne	.done
	jmp	.present
.conforming:
	cmp	ecx, eax
	ja	.done
.present:
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.done
	mov	dword [want], BACK
.done:	ret

; SS for a return to [want_cpl], which is not [cpl].
stack_rule:
	mov	dword [want], E_GP
	movzx	edx, byte [access]
	mov	eax, [want_cpl]
	cmp	[rpl], eax
	jne	.done
	mov	ecx, edx
	and	ecx, 0x1a
	cmp	ecx, 0x12
	jne	.done
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	cmp	ecx, eax
	jne	.done
	mov	dword [want], E_SS
	test	dl, 0x80
	jz	.done
	mov	dword [want], BACK
.done:	ret
