; SPDX-License-Identifier: GPL-2.0-or-later
; Call gates: every access byte of the gate, of its code segment and of the stack segment of an inner ring; JMP and CALL, from every ring; 16- and 32-bit gates with 0 to 31
; parameters, and the stacks that they are copied between (SDM vol. 3, 5.8.3-5.8.6; vol. 2, CALL).
%include "programs/ring0.inc"

cpl	equ V
access	equ V + 4
rpl	equ V + 8
want	equ V + 12	; vector
want_error equ V + 16
want_cpl equ V + 20
wide	equ V + 24	; 1: a 32-bit gate
pointer	equ V + 32
params	equ V + 40
inner	equ V + 44	; ring
OUTER	equ 0x2a000	; stack of the caller
SEEN	equ 0x2b100	; end of a copy of the inner one

%macro COMPARE 0
	mov	ebx, [want]
	ASSERT	[got_vector], ebx
	cmp	ebx, BACK
	je	%%good
	mov	eax, [want_error]
	ASSERT	[got_error], eax
	mov	eax, [cpl]
	mov	eax, [code_of + eax * 4]
	ASSERT	[got_cs], eax
%%good:
%endmacro

RING0_PROGRAM
	mov	dword [cpl], 0
.cpl:	mov	dword [access], 0
.access:
	mov	dword [rpl], 0
.rpl:	mov	al, [access]		; of the gate
	and	al, 0x17
	cmp	al, 4
	jne	.no_gate
	call	gate
.no_gate:
	inc	dword [rpl]
	cmp	dword [rpl], 4
	jb	.rpl
	call	target
	cmp	dword [cpl], 1
	jbe	.inner
	call	stack
.inner:	inc	byte [access]
	jnz	near .access
	inc	dword [cpl]
	cmp	dword [cpl], 4
	jb	near .cpl
	call	parameters
	call	room
	CHECK	{esp, STACK}
	DONE

back:	int	BACK
jump:	jmp	far [pointer]
call_:	call	far [pointer]

; The gate, with [access] and [rpl], to the code of ring 0.
gate:	GATE	GDT + Y, CODE32, AT(back), 0
	mov	al, [access]
	mov	[GDT + Y + 5], al
	mov	eax, Y
	or	eax, [rpl]
	mov	[pointer + 4], ax
	mov	dword [want], E_GP
	mov	dword [want_error], Y
	movzx	edx, byte [access]
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	cmp	ecx, [cpl]
	jb	.run
	cmp	ecx, [rpl]
	jb	.run
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.run
	mov	dword [want], BACK
.run:	mov	ecx, [cpl]
	mov	edx, call_
	call	run
	COMPARE
	; JMP does not lead inward
	cmp	dword [want], BACK
	jne	.jump
	cmp	dword [cpl], 0
	je	.jump
	mov	dword [want], E_GP
	mov	dword [want_error], CODE32
.jump:	mov	ecx, [cpl]
	mov	edx, jump
	call	run
	COMPARE
	ret

; Its code segment is X with [access].
target:	GATE	GDT + Y, X | 3, AT(back), 0xec
	mov	dword [pointer + 4], Y | 3
	mov	dword [want_error], X
	mov	al, [access]
	call	describe_x
	mov	dword [want], E_GP
	movzx	edx, byte [access]
	mov	ecx, edx
	and	ecx, 0x18
	cmp	ecx, 0x18
	jne	.run
	mov	ecx, edx
	shr	ecx, 5
	and	ecx, 3
	cmp	ecx, [cpl]
	ja	.run
	test	dl, 4
	cmovnz	ecx, [cpl]
	mov	[want_cpl], ecx
	mov	dword [want], E_NP
	test	dl, 0x80
	jz	.run
	mov	dword [want], BACK
.run:	mov	ecx, [cpl]
	mov	edx, call_
	call	run
	COMPARE
	call	.arrived
	mov	al, [access]
	call	describe_x
	cmp	dword [want], BACK
	jne	.refused
	mov	eax, [want_cpl]
	cmp	eax, [cpl]
	je	.refused
	mov	dword [want], E_GP
.refused:
	cmp	dword [want], E_NP	; the privilege comes first
	jne	.jump
	mov	eax, [want_cpl]
	cmp	eax, [cpl]
	je	.jump
	mov	dword [want], E_GP
.jump:	mov	ecx, [cpl]
	mov	edx, jump
	call	run
	COMPARE
.arrived:
	cmp	dword [want], BACK
	jne	.no
	mov	eax, X
	or	eax, [want_cpl]
	ASSERT	[got_cs], ax
	mov	al, [access]
	or	al, 1
	ASSERT	[GDT + X + 5], al
.no:	ret

; The stack of ring 1 is X with [access] and every RPL.
stack:	GATE	GDT + Y, CODE32_1, AT(back), 0xec
	mov	dword [pointer + 4], Y | 3
	mov	dword [rpl], 0
.rpl:	mov	al, [access]
	call	describe_x
	mov	eax, X
	or	eax, [rpl]
	mov	[TSS_ + 16], ax
	mov	dword [want_error], X
	mov	dword [want], E_TS
	movzx	edx, byte [access]
	cmp	dword [rpl], 1
	jne	.run
	mov	ecx, edx
	and	ecx, 0x7a
	cmp	ecx, 0x32
	jne	.run
	mov	dword [want], E_SS
	test	dl, 0x80
	jz	.run
	mov	dword [want], BACK
.run:	mov	ecx, [cpl]
	mov	edx, call_
	call	run
	COMPARE
	cmp	dword [want], BACK
	jne	.next
	ASSERT	dword [got_ss0], X | 1
	ASSERT	dword [got_esp0], RSTACK1 - 16
.next:	inc	dword [rpl]
	cmp	dword [rpl], 4
	jb	near .rpl
	mov	word [TSS_ + 16], DATA32_1
	ret

; From ring 3 to rings 0, 1, 2 and back: all counts.
parameters:
	mov	dword [run_esp], OUTER
	mov	edi, OUTER
	mov	eax, 0x51520001
	mov	ecx, 33
.fill:	mov	[edi], eax
	add	eax, 0x00030005
	add	edi, 4
	loop	.fill
	mov	dword [wide], 0
.wide:	mov	dword [inner], 0
.to:	mov	dword [params], 0
.params:
	mov	eax, [inner]
	mov	eax, [code_of + eax * 4]
	mov	[GDT + Y + 2], ax
	mov	word [GDT + Y], AT(.inside)
	mov	word [GDT + Y + 6], 0
	mov	eax, [params]
	mov	[GDT + Y + 4], al
	mov	byte [GDT + Y + 5], 0xe4
	cmp	dword [wide], 0
	je	.narrow
	mov	byte [GDT + Y + 5], 0xec
.narrow:
	mov	dword [pointer + 4], Y
	mov	edi, RSTACK2 - 0x100
	mov	ecx, 0x40
	mov	eax, 0xcccccccc
	rep	stosd
	mov	dword [TSS_ + 4], RSTACK2	; one place for all
	mov	dword [TSS_ + 12], RSTACK2
	mov	ecx, 3
	mov	edx, .snippet
	call	run
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_cs], CODE32_3
	ASSERT	word [got_ds], DATA32_3
	; the frame: IP, CS, parameters, SP, SS
	mov	esi, SEEN
	cmp	dword [wide], 0
	je	near .words
	ASSERT	dword [esi - 4], DATA32_3
	ASSERT	dword [esi - 8], OUTER
	mov	ecx, [params]
	lea	edx, [esi + ecx * 4]
	neg	ecx
	lea	esi, [esi + ecx * 4 - 8]
	mov	edi, OUTER
	mov	ecx, [params]
	jecxz	.none
.copy:	mov	eax, [edi]
	ASSERT	[esi], eax
	add	esi, 4
	add	edi, 4
	loop	.copy
.none:	mov	ecx, [params]
	shl	ecx, 2
	sub	esi, ecx
	ASSERT	dword [esi - 4], CODE32_3
	ASSERT	dword [esi - 8], .returned
	; RETF n drops them from the outer stack
	mov	eax, [params]
	lea	eax, [eax * 4 + OUTER]
	ASSERT	[got_esp0], eax
	jmp	.next
.words:	ASSERT	word [esi - 2], DATA32_3
	ASSERT	word [esi - 4], OUTER & 0xffff
	mov	ecx, [params]
	neg	ecx
	lea	esi, [esi + ecx * 2 - 4]
	mov	edi, OUTER
	mov	ecx, [params]
	jecxz	.none16
.copy16: mov	ax, [edi]
	ASSERT	[esi], ax
	add	esi, 2
	add	edi, 2
	loop	.copy16
.none16: mov	ecx, [params]
	add	ecx, ecx
	sub	esi, ecx
	ASSERT	word [esi - 2], CODE32_3
	ASSERT	word [esi - 4], .returned
	; the return pops 16 bits of ESP only
	mov	eax, [params]
	lea	eax, [eax * 2 + (OUTER & 0xffff)]
	ASSERT	[got_esp0], eax
.next:	inc	dword [params]
	cmp	dword [params], 32
	jb	near .params
	inc	dword [inner]
	cmp	dword [inner], 3
	jb	near .to
	inc	dword [wide]
	cmp	dword [wide], 2
	jb	near .wide
	mov	dword [TSS_ + 4], STACK0
	mov	dword [TSS_ + 12], RSTACK1
	ret
.snippet:
	call	Y | 3:0x12345678
.returned:
	int	BACK
.inside:
	mov	esi, RSTACK2 - 0x100
	mov	edi, SEEN - 0x100
	mov	ecx, 0x40
	rep	movsd
	cmp	dword [ss:wide], 0
	je	.inside16
	mov	eax, [ss:params]
	mov	eax, [cs:.returns + eax * 4]
	jmp	eax
.inside16:
	mov	eax, [ss:params]
	mov	eax, [cs:.returns16 + eax * 4]
	jmp	eax
%assign i 0
%rep 32
.r %+ i:
	retf	i * 4
.w %+ i:
	o16 retf i * 2
%assign i i + 1
%endrep
	align	4
.returns:
%assign i 0
%rep 32
	dd .r %+ i
%assign i i + 1
%endrep
.returns16:
%assign i 0
%rep 32
	dd .w %+ i
%assign i i + 1
%endrep

; Inner stacks with and without room for two parameters: 24 bytes, or 12; outer stacks that end among the parameters.
room:	mov	dword [run_esp], OUTER
	GATE	GDT + Y, CODE32_1, AT(back), 0xec, 2
	mov	dword [pointer + 4], Y | 3
	DESCRIPTOR X, BASED, 0xfff, 0xb3, 4
	mov	dword [TSS_ + 16], X | 1
	mov	dword [TSS_ + 12], 24
	call	.try
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_esp0], 0
	ASSERT	dword [BASED], call_ + 6
	ASSERT	dword [BASED + 20], DATA32_3
	mov	dword [TSS_ + 12], 23
	call	.try
	ASSERT	dword [got_vector], E_SS
	ASSERT	dword [got_error], X
	ASSERT	dword [got_eip], call_
	ASSERT	dword [got_esp0], OUTER
	mov	dword [TSS_ + 12], 0x1001
	call	.try
	ASSERT	dword [got_vector], E_SS
	ASSERT	dword [got_error], X
	mov	dword [TSS_ + 12], 0x1000
	call	.try
	ASSERT	dword [got_vector], BACK
	; 16 bits
	mov	byte [GDT + Y + 5], 0xe4
	mov	dword [TSS_ + 12], 12
	call	.try
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_esp0], 0
	mov	dword [TSS_ + 12], 11
	call	.try
	ASSERT	dword [got_vector], E_SS
	ASSERT	dword [got_error], X
	mov	byte [GDT + Y + 5], 0xec
	; null, and a TSS that ends before SS1
	mov	dword [TSS_ + 12], RSTACK1
	mov	word [TSS_ + 16], 0
	call	.try
	ASSERT	dword [got_vector], E_TS
	ASSERT	dword [got_error], 0
	mov	word [TSS_ + 16], DATA32_1
	; the offset behind the limit of the code segment
	DESCRIPTOR X, 0, 0x7fff, 0xbb, 4
	mov	word [GDT + Y + 2], X
	call	.try
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	; null and unknown code segments
	mov	word [GDT + Y + 2], 0
	call	.try
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	mov	word [GDT + Y + 2], 0x1000
	call	.try
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0x1000
	; parameters beyond the limit of the caller's stack
	mov	word [GDT + Y + 2], CODE32_1
	DESCRIPTOR Z, BASED, 0xfff, 0xf3, 4
	mov	ecx, 3
	mov	edx, .short
	call	run
	ASSERT	dword [got_vector], E_SS
	ASSERT	dword [got_eip], .short_call
	; from a 16-bit stack whose parameters wrap
	DESCRIPTOR Z, BASED, 0xffff, 0xf3, 0
	mov	dword [BASED + 0xfffc], 0x11112222
	mov	dword [BASED], 0x33334444
	mov	ecx, 3
	mov	edx, .wraps
	call	run
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [RSTACK1 - 16], 0x11112222
	ASSERT	dword [RSTACK1 - 12], 0x33334444
	ASSERT	dword [RSTACK1 - 8], 0x5678fffc
	ASSERT	dword [RSTACK1 - 4], Z | 3
	ret
.try:	mov	ecx, 3
	mov	edx, call_
	jmp	run
.short:	mov	ax, Z | 3
	mov	ss, ax
	mov	esp, 0xffc
.short_call:
	call	far [pointer]
	FAIL
.wraps:	mov	ax, Z | 3
	mov	ss, ax
	mov	esp, 0x5678fffc
	call	far [pointer]
	FAIL
