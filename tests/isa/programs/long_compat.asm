; SPDX-License-Identifier: GPL-2.0-or-later
; Compatibility mode (SDM vol. 1, 3.2.1, 3.4.1.1; vol. 3, 3.4.4, 5.8.3.1): ways in and out, segments, addresses of 32 bits, page faults, stacks, code that changes, registers that it does
; not have, beside 64-bit code at the same addresses.
%include "programs/long.inc"

CODE32_4K equ 0x203	; base BASED, limit FFF
STACK16_3 equ 0x20b	; base BASED, 16 bits
DATA_3	equ 0x213	; base BASED + 1000, 4 GiB
CODE16_3 equ 0x21b
TOP	equ 0xfffff000	; a page of data that programs map
BUF	equ 0x30000
CODE	equ 0x31000	; code that is copied there
HIGH	equ 1 << 32	; the same pages once more

; the snippet at a label ends by INT BACK; registers as they then are
%macro ENDS 1
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], BACK
%endmacro

; label, vector, error code, label of the instruction that raises it
%macro ENDS_BY 4
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], %2
	ASSERT	qword [got_error], %3
	ASSERT	qword [got_rip], AT(%4)
%endmacro

LONG_PROGRAM
	DESCRIPTOR CODE32_4K, BASED, 0xfff, 0xfb, 4
	DESCRIPTOR STACK16_3, BASED, 0xffff, 0xf3, 0
	DESCRIPTOR DATA_3, BASED + 0x1000, 0xfffff, 0xf3, 0xc
	DESCRIPTOR CODE16_3, 0, 0xfffff, 0xfb, 8
	; the last page below 4 GiB, and all of it once more above
	mov	dword [PDPT + 3 * 8], TABLES|P|W|U
	mov	dword [TABLES + 511 * 8], (TABLES + 0x1000)|P|W|U
	mov	dword [TABLES + 0x1000 + 511 * 8], FRAMES|P|W|U
	mov	dword [PDPT + 4 * 8], PD|P|W|U
	mov	rax, cr3
	mov	cr3, rax
	mov	eax, DATA32_3			; others a return to ring 3 takes away
	mov	ds, ax
	mov	es, ax
	call	registers
	call	ways_in
	call	both_kinds
	call	segments
	call	page_faults
	call	top
	call	stacks
	call	code
	call	events
	CHECK	{esp, STACK}
	DONE

; R8 to R15, XMM8 to XMM15 stay; results of 32 bits are zero-extended.
registers:
	IN	CODE32_3, DATA32_3
%assign n 8
%rep 8
	mov	r %+ n, 0x1122334455667700 + n
	movq	xmm %+ n, r %+ n
%assign n n + 1
%endrep
	mov	rax, -1
	mov	rcx, -1
	mov	rbp, 0xaaaaaaaabbbbbbbb
	ENDS	.regs
	ASSERT	qword [got_rax], 0
	ASSERT	qword [got_rcx], 0x12345678
	ASSERT	dword [got_rax + 5 * 8], 0xbbbbbbbb
%assign n 8
%rep 8
	mov	rax, 0x1122334455667700 + n
	ASSERT	[got_rax + n * 8], rax
	movq	rbx, xmm %+ n
	ASSERT	rbx, rax
%assign n n + 1
%endrep
	ret
	bits	32
.regs:	mov	ecx, 0x12345678
	pxor	xmm0, xmm0
	db	0x44			; INC ESP, not REX
	dec	esp
	inc	eax
	int	BACK
	bits	64

; IRETQ is what `run` does. A far return, a far jump and a far call, from ring 3 and ring 0, and back.
ways_in:
	IN	CODE64_3, DATA32_3
	ENDS	.far64
	ASSERT	qword [got_cs], CODE32_3
	ASSERT	qword [got_rax], 0x32
	ASSERT	qword [got_rsp], RSTACK
	ENDS	.call64
	ASSERT	qword [got_cs], CODE64_3
	ASSERT	qword [got_rax], 0x32
	ASSERT	qword [got_rsp], RSTACK
	IN	CODE32_3, DATA32_3
	ENDS	.jump32
	ASSERT	qword [got_cs], CODE64_3
	ASSERT	qword [got_rbx], 0x64
	; many times: blocks of either kind
	mov	ecx, 200
	ENDS	.often
	ASSERT	qword [got_rbx], 200 * 3
	; ring 0
	IN	CODE32, DATA32
	ENDS	.ring0
	ASSERT	qword [got_cs], CODE32
	ASSERT	qword [got_handler_ss], DATA32
	ret
.far64:	push	byte CODE32_3
	push	.compat
	retfq
.call64:
	call	dword far [.pointer]
	int	BACK
.pointer:
	dd	.called
	dw	CODE32_3
	bits	32
.called:
	mov	eax, 0x32
	retf
.compat:
	mov	eax, 0x32
	int	BACK
.jump32:
	jmp	CODE64_3:.there
.often:	mov	ebx, 0
.next:	inc	ebx
	jmp	CODE64_3:.in64
.back:	inc	ebx
	dec	ecx
	jnz	.next
	int	BACK
.ring0:	mov	eax, cs
	int	BACK
	bits	64
.there:	mov	ebx, 0x64
	int	BACK
.in64:	add	rbx, 1
	push	byte CODE32_3
	push	.back
	retfq

; The same bytes at the same place mean something else, in turn: 48 FF C0 is INC RAX, or DEC EAX; INC EAX.
both_kinds:
	mov	r15d, 30
.turn:	IN	CODE64_3, DATA32_3
	mov	rax, 0xffffffff
	ENDS	.same
	mov	rbx, 1 << 32
	ASSERT	[got_rax], rbx
	IN	CODE32_3, DATA32_3
	mov	eax, 5
	ENDS	.same
	ASSERT	qword [got_rax], 5
	; at an address with the same low half
	IN	CODE64_3, DATA32_3
	mov	rax, 0xffffffff
	mov	rdx, HIGH + AT(.same)
	call	run
	mov	rbx, 1 << 32
	ASSERT	[got_rax], rbx
	mov	rbx, HIGH + AT(.end)
	ASSERT	[got_rip], rbx
	mov	r15, [got_rax + 15 * 8]
	dec	r15d
	jnz	.turn
	ret
.same:	db	0x48, 0xff, 0xc0
	int	BACK
.end:

segments:
	IN	CODE32_3, DATA32_3
	mov	dword [BASED + 0x40], 0x11111111
	mov	dword [BASED + 0x1040], 0x22222222
	mov	dword [0x40], 0x33333333
	SET_MSR	FS_BASE, BASED
	; bases of FS and GS, too, have 32 bits here, whatever was there before
	SET_MSR	GS_BASE, 0x700000000 + BASED + 0x1000
	ENDS	.load
	ASSERT	qword [got_rax], 0x11111111
	ASSERT	qword [got_rbx], 0x22222222
	ASSERT	qword [got_rcx], 0x33333333
	ASSERT	dword [BASED + 0x1000 + 0x44], 0x44444444
	ENDS	.wraps
	ASSERT	qword [got_rax], 0x11111111
	; limits, rights, null
	mov	ebx, LIMIT_4K
	mov	eax, 0xffd
	ENDS_BY	.limit, E_GP, 0, .limit_at
	mov	eax, 0xffc
	ENDS	.limit
	mov	ebx, READ_ONLY
	mov	eax, 0x40
	ENDS_BY	.write, E_GP, 0, .write_at
	xor	ebx, ebx
	ENDS_BY	.limit, E_GP, 0, .limit_at
	mov	ebx, DOWN_32
	mov	eax, 0xfff
	ENDS_BY	.limit, E_GP, 0, .limit_at
	mov	eax, 0x1000
	ENDS	.limit
	; TLS as 32-bit programs have it: GS, and its base in use
	ENDS	.tls
	ASSERT	qword [got_rax], 99
	ASSERT	dword [BASED + 0x1000 + 0x80], 99
	ret
	bits	32
.load:	mov	eax, BASED_4G
	mov	es, ax
	mov	eax, DATA_3
	mov	fs, ax
	mov	eax, [es:0x40]
	mov	ebx, [fs:0x40]
	mov	ecx, [0x40]
	mov	dword [fs:0x44], 0x44444444
	int	BACK
.wraps:	mov	ebx, DATA_3
	mov	es, bx
	mov	ebx, -0x1000
	mov	eax, [es:ebx + 0x40]
	int	BACK
.limit:	mov	es, bx
.limit_at:
	mov	ecx, [es:eax]
	int	BACK
.write:	mov	es, bx
.write_at:
	mov	[es:eax], eax
	int	BACK
.tls:	mov	eax, DATA_3
	mov	gs, ax
	mov	dword [gs:0x80], 0
	mov	ecx, 99
.count:	inc	dword [gs:0x80]
	loop	.count
	mov	eax, [gs:0x80]
	int	BACK
	bits	64

; Error code, CR2, and where it goes on, by all kinds of accesses.
page_faults:
	IN	CODE32_3, DATA32_3
	mov	eax, DATA32_3
	mov	es, ax
	mov	edi, PT + (BUF >> 12) * 8
	mov	dword [rdi + 8], 0		; BUF + 1000
	mov	rax, cr3
	mov	cr3, rax
	mov	eax, BUF + 0x1230
	ENDS_BY	.load, E_PF, PF_U, .load
	ASSERT	qword [got_cr2], BUF + 0x1230
	mov	eax, BUF + 0x1230
	ENDS_BY	.store, E_PF, PF_U|PF_W, .store
	ASSERT	qword [got_cr2], BUF + 0x1230
	; across the end of a page
	mov	eax, BUF + 0xffe
	ENDS_BY	.store, E_PF, PF_U|PF_W, .store
	ASSERT	qword [got_cr2], BUF + 0x1000
	; half-way through a string
	mov	esi, BUF
	mov	edi, BUF + 0xff0
	mov	ecx, 64
	ENDS_BY	.string, E_PF, PF_U|PF_W, .string
	ASSERT	qword [got_cr2], BUF + 0x1000
	ASSERT	qword [got_rcx], 48
	ASSERT	qword [got_rax + 7 * 8], BUF + 0x1000
	; read-only, and supervisor's
	mov	edi, PT + (BUF >> 12) * 8
	mov	dword [rdi + 8], (BUF + 0x1000)|P|U
	mov	eax, BUF + 0x1000
	mov	dword [V], 0
	ENDS	.load
	mov	eax, BUF + 0x1000
	ENDS_BY	.store, E_PF, PF_U|PF_W|PF_P, .store
	mov	edi, PT + (BUF >> 12) * 8
	mov	dword [rdi + 8], (BUF + 0x1000)|P|W
	invlpg	[BUF + 0x1000]
	mov	eax, BUF + 0x1000
	ENDS_BY	.load, E_PF, PF_U|PF_P, .load
	; code that is not there, or not executable
	mov	rdx, BUF + 0x1000
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], PF_U|PF_P|PF_I
	ASSERT	qword [got_cr2], BUF + 0x1000
	ASSERT	qword [got_rip], BUF + 0x1000
	mov	edi, PT + (BUF >> 12) * 8
	mov	rax, (BUF + 0x1000)|P|W|U|NX
	mov	[rdi + 8], rax
	invlpg	[BUF + 0x1000]
	mov	eax, BUF + 0x1000
	ENDS	.load
	mov	eax, BUF + 0x1000
	ENDS_BY	.jump, E_PF, PF_U|PF_P|PF_I, BUF + 0x1000 - LOAD + $$
	mov	edi, PT + (BUF >> 12) * 8
	mov	dword [rdi + 12], 0
	invlpg	[BUF + 0x1000]
	ret
	bits	32
.load:	mov	ebx, [eax]
	int	BACK
.store:	mov	[eax], ebx
	int	BACK
.string:
	rep	movsb
	int	BACK
.jump:	jmp	eax
	bits	64

; Addresses end at 4 GiB.
top:	mov	dword [FRAMES + 0xff0], 0x66666666
	mov	dword [8], 0x88888888
	mov	eax, 0xfffffff0
	ENDS	.load
	ASSERT	qword [got_rbx], 0x66666666
	ASSERT	dword [got_rcx], 0x88888888
	ASSERT	dword [FRAMES + 0xff4], 0x66666666
	mov	ebx, TOP - 0x1000
	ENDS_BY	.below, E_PF, PF_U|PF_W, .below
	mov	eax, TOP - 4
	ASSERT	[got_cr2], rax
	; code that runs up to there, and a branch across
	mov	dword [FRAMES + 0xff0], 0xcd40c031	; XOR EAX, EAX; INC EAX; INT
	mov	byte [FRAMES + 0xff4], BACK
	mov	edx, 0xfffffff0
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rax], 1
	mov	eax, 0xfffffff5
	ASSERT	[got_rip], rax
	mov	byte [FRAMES + 0xff0], 0xe9		; JMP rel32
	mov	dword [FRAMES + 0xff1], AT(.across) + 0x10 - 5
	mov	edx, 0xfffffff0
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rax], 77
	ret
	bits	32
.load:	mov	ebx, [eax]
	mov	ecx, [eax + 0x18]
	mov	[eax + 4], ebx
	int	BACK
.below:	mov	[ebx + 0xffc], eax
	int	BACK
.across:
	mov	eax, 77
	int	BACK
	bits	64

stacks:	; ESP wraps around, 32 bits and 16
	mov	qword [run_rsp], 0
	ENDS	.push
	ASSERT	dword [FRAMES + 0xffc], 0x12345678
	mov	eax, 0xfffffffc
	ASSERT	[got_rsp], rax
	mov	eax, TOP
	mov	[run_rsp], rax
	ENDS_BY	.push, E_PF, PF_U|PF_W, .push
	mov	eax, TOP - 4
	ASSERT	[got_cr2], rax
	mov	rax, 0xabcdef00000000 + RSTACK	; what IRETQ leaves of it
	mov	[run_rsp], rax
	ENDS	.push
	ASSERT	qword [got_rsp], RSTACK - 4
	IN	CODE32_3, STACK16_3
	mov	qword [run_rsp], 0x10000
	ENDS	.push
	ASSERT	dword [BASED + 0xfffc], 0x12345678
	ASSERT	word [got_rsp], 0xfffc
	mov	qword [run_rsp], 2		; not across its end
	ENDS_BY	.push, E_SS, 0, .push
	; a fault beyond the limit is #SS
	IN	CODE32_3, LIMIT_4K + 3
	mov	qword [run_rsp], 0x1008
	ENDS_BY	.push, E_SS, 0, .push
	mov	qword [run_rsp], 0x1000
	ENDS	.push
	ASSERT	dword [BASED + 0xffc], 0x12345678
	IN	CODE32_3, DATA32_3
	mov	qword [run_rsp], RSTACK
	ret
	bits	32
.push:	push	dword 0x12345678
	int	BACK
	bits	64

code:	; CS with a base and a limit: NOPs up to it
	mov	edi, BASED
	mov	ecx, 0x1000
	mov	al, 0x90
	rep	stosb
	IN	CODE32_4K, DATA32_3
	mov	edx, 0xfc0
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	ASSERT	qword [got_rip], 0x1000
	mov	word [BASED + 0xffe], BACK << 8 | 0xcd
	mov	edx, 0xfc0
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rip], 0x1000
	mov	edx, 0x1000			; IRETQ's own
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_cs], CODE64
	; 16-bit code
	IN	CODE16_3, DATA32_3
	mov	rax, -1
	ENDS	.bits16
	ASSERT	qword [got_rax], 0x1234
	; changed by itself, by 64-bit code at another address, by the other ring
	IN	CODE32_3, DATA32_3
	mov	esi, AT(.self)
	mov	edi, CODE
	mov	ecx, .self_end - .self
	rep	movsb
	mov	ecx, 40
	mov	edx, CODE
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rax], 820		; 1 + ... + 40
	mov	r14d, 20
.again:	mov	rdi, HIGH + CODE
	mov	byte [rdi], 0xb8		; MOV EAX, R14D; INT
	mov	[rdi + 1], r14d
	mov	word [rdi + 5], BACK << 8 | 0xcd
	mov	edx, CODE
	call	run
	mov	r14, [got_rax + 14 * 8]
	ASSERT	qword [got_vector], BACK
	ASSERT	[got_rax], r14
	IN	CODE64_3, DATA32_3
	ENDS	.change64
	IN	CODE32_3, DATA32_3
	mov	edx, CODE
	call	run
	mov	r14, [got_rax + 14 * 8]
	lea	rax, [r14 + 1000]
	ASSERT	[got_rax], rax
	dec	r14d
	jnz	.again
	; another page of RAM behind the same address
	mov	byte [FRAMES], 0x40		; INC EAX; INT
	mov	word [FRAMES + 1], BACK << 8 | 0xcd
	mov	r14d, 5
.remap:	xor	eax, eax
	mov	dword [PT + (CODE >> 12) * 8], FRAMES|P|W|U
	invlpg	[CODE]
	mov	edx, CODE
	call	run
	ASSERT	qword [got_rax], 1
	mov	dword [PT + (CODE >> 12) * 8], CODE|P|W|U
	invlpg	[CODE]
	mov	edx, CODE
	call	run
	ASSERT	qword [got_rax], 1001
	mov	r14, [got_rax + 14 * 8]
	dec	r14d
	jnz	.remap
	ret
.change64:
	mov	rdi, HIGH + CODE
	lea	eax, [r14 + 1000]
	mov	[rdi + 1], eax
	int	BACK
	bits	16
.bits16:
	mov	eax, 0x1234
	nop
	int	BACK
	bits	32
.self:	xor	eax, eax
	mov	edx, CODE
.patch:	mov	[edx + .immediate - .self], ecx
	db	0x05				; ADD EAX, imm32
.immediate:
	dd	0
	dec	ecx
	jnz	.patch
	int	BACK
.self_end:
	bits	64

; Interrupts at any time: what their 64-bit handler does to R8 to R15 and upper halves, it takes back.
events:	mov	eax, .interrupt
	mov	[IDT + 0x38 * 16], ax
	mov	word [IDT + 0x38 * 16 + 6], 0
	mov	qword [run_flags], 2|IF
	mov	r8, 0x8888888899999999
	mov	r10, 0xaaaaaaaabbbbbbbb
	mov	dword [V + 0x10], 0
	mov	al, 0x38
	out	P_ASYNC, al
	ENDS	.loop
	xor	eax, eax
	out	P_ASYNC, al
	mov	qword [run_flags], 2
	mov	rax, 0x8888888899999999
	ASSERT	[got_rax + 8 * 8], rax
	mov	rax, 0xaaaaaaaabbbbbbbb
	ASSERT	[got_rax + 10 * 8], rax
	ASSERT	qword [got_rbx], 7 * 6000
	; a single step
	mov	qword [run_flags], 2|TF
	mov	rdx, .step
	call	run
	ASSERT	qword [got_vector], E_DB
	ASSERT	qword [got_rip], AT(.stepped)
	mov	qword [run_flags], 2
	ret
.interrupt:
	push	r8
	push	r10
	push	rax
	mov	r8, rsp
	mov	r10, -1
	mov	rax, -1
	inc	dword [V + 0x10]
	pop	rax
	pop	r10
	pop	r8
	iretq
	bits	32
.loop:	xor	ebx, ebx
.more:	mov	ecx, 6000
	mov	edi, BUF
.inner:	inc	ebx
	mov	[edi + ecx], bl
	loop	.inner
	cmp	ebx, 7 * 6000
	jb	.more
	cmp	dword [V + 0x10], 3
	jb	.loop
	int	BACK
.step:	nop
.stepped:
	nop
	int	BACK
	bits	64
