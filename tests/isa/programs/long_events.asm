; SPDX-License-Identifier: GPL-2.0-or-later
; Gates, stacks and returns of long mode (SDM vol. 3, 5.8.3.1, 6.14, 7.7): gates of the IDT and their types, code segments that they may name, IST, frames, SS after a change
; of rings, IRET, call gates, far transfers between 64-bit code and compatibility mode, what is no longer there.
%include "programs/long.inc"

G	equ 0x34		; the gate that is changed
GATE	equ IDT + G * 16
ERR	equ G * 8 + 2		; error code that names it
CODE64_2 equ 0x202
CONFORMING equ 0x208
BOTH	equ 0x210		; L and D
CODE32_0 equ CODE32

; selector, type and DPL, then reserved upper half
%macro SET_GATE 2-3 0
	mov	word [GATE + 2], %1
	mov	byte [GATE + 5], %2
	mov	dword [GATE + 12], %3
%endmacro

; label, vector, error code
%macro RAISES_AT 3
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], %2
	ASSERT	qword [got_error], %3
	ASSERT	qword [got_rip], AT(%1)
%endmacro

LONG_PROGRAM
	DESCRIPTOR CONFORMING, 0, 0xfffff, 0x9f, 0xa
	DESCRIPTOR BOTH, 0, 0xfffff, 0x9b, 0xe
	call	gates
	call	stacks
	call	returns
	call	call_gates
	call	far_transfers
	call	segments
	CHECK	{esp, STACK}
	DONE

gates:	; every type: 32-bit interrupt and trap gates are the only ones
	mov	dword [V], 0
.type:	call	reset_idt
	mov	eax, [V]
	or	al, 0xe0
	mov	[GATE + 5], al
	mov	rdx, .int
	call	run
	mov	ebx, G
	mov	eax, [V]
	or	al, 1
	cmp	al, 15
	je	.known
	mov	ebx, E_GP
	ASSERT	qword [got_error], ERR
.known:	ASSERT	[got_vector], rbx
	inc	dword [V]
	cmp	dword [V], 16
	jb	.type
	call	reset_idt
	SET_GATE CODE64, 0x8e		; DPL 0: not by INT in ring 3
	WORKS_AS G
	IN	CODE64_3, DATA32_3
	RAISES	E_GP, ERR, int G
	IN	CODE32_3, DATA32_3
	RAISES	E_GP, ERR, int G
	SET_GATE CODE64, 0x6e
	RAISES	E_NP, ERR, int G
	SET_GATE CODE64, 0xee, 0x1f00	; a type in the upper half
	RAISES	E_GP, ERR, int G
	; code segments: 64-bit only
	SET_GATE CODE32, 0xee
	RAISES	E_GP, CODE32, int G
	SET_GATE BOTH, 0xee
	RAISES	E_GP, BOTH, int G
	SET_GATE DATA32, 0xee
	RAISES	E_GP, DATA32, int G
	SET_GATE 0, 0xee
	RAISES	E_GP, 0, int G
	SET_GATE 0xff8, 0xee
	RAISES	E_GP, 0xff8, int G	; no code segment
	IN	CODE64, DATA32
	SET_GATE CODE64_3, 0xee		; less privileged
	RAISES	E_GP, CODE64_3 & ~3, int G
	; beyond the limit: 16 bytes each
	mov	word [reset_idt.idtr], G * 16 + 14
	lidt	[reset_idt.idtr]
	SET_GATE CODE64, 0xee
	RAISES	E_GP, ERR, int G
	mov	word [reset_idt.idtr], G * 16 + 15
	lidt	[reset_idt.idtr]
	WORKS_AS G
	mov	word [reset_idt.idtr], 0x3ff
	lidt	[reset_idt.idtr]
	; IF: by the type
	mov	qword [run_flags], 2|IF|CF|NT|RF|AC
	WORKS_AS G
	ASSERT	qword [got_handler_flags], 2|CF|AC
	SET_GATE CODE64, 0xef
	WORKS_AS G
	ASSERT	qword [got_handler_flags], 2|CF|AC|IF
	ASSERT	qword [got_flags], 2|IF|CF|NT|AC
	mov	qword [run_flags], 2
	; a target that is not canonical
	mov	dword [GATE + 8], 0x8000
	RAISES	E_GP, 0, int G
	ret
.int:	int	G
	int	BACK

stacks:	call	reset_idt
	; in ring 0: aligned to 16 bytes, SS stays
	mov	qword [run_rsp], RSTACK - 5
	WORKS_AS G
	ASSERT	qword [got_rsp], RSTACK - 5
	ASSERT	qword [got_handler_rsp], RSTACK - 16 - 40
	ASSERT	qword [got_handler_ss], DATA32
	ASSERT	qword [got_ss], DATA32
	; from ring 3: RSP0, SS null
	IN	CODE64_3, DATA32_3
	mov	qword [TSS_ + 4], STACK0 - 3
	WORKS_AS G
	ASSERT	qword [got_handler_rsp], STACK0 - 16 - 40
	ASSERT	qword [got_handler_ss], 0
	ASSERT	qword [got_rsp], RSTACK - 5
	ASSERT	qword [got_ss], DATA32_3
	mov	qword [TSS_ + 4], STACK0
	mov	qword [run_rsp], RSTACK
	; to ring 1: its RSP, SS null with its RPL
	mov	word [GATE + 2], CODE64_1 & ~3
	mov	dword [GATE], (CODE64_1 & ~3) << 16 | AT(ring1)
	mov	rdx, .int
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_ss], 1
	ASSERT	qword [got_cs], CODE64_1
	ASSERT	qword [got_rsp], RSTACK1 - 40
	ASSERT	qword [got_rax], 1
	; conforming: the ring stays, and the stack
	call	reset_idt
	mov	dword [GATE], CONFORMING << 16 | AT(ring1)
	mov	rdx, .int
	call	run
	ASSERT	qword [got_cs], CONFORMING|3
	ASSERT	qword [got_rsp], RSTACK - 40
	ASSERT	qword [got_ss], DATA32_3
	; IST
	call	reset_idt
	mov	byte [GATE + 4], 1
	WORKS_AS G
	ASSERT	qword [got_handler_rsp], STACK_IST - 40
	ASSERT	qword [got_handler_ss], 0
	IN	CODE64, DATA32
	WORKS_AS G
	ASSERT	qword [got_handler_rsp], STACK_IST - 40
	ASSERT	qword [got_handler_ss], DATA32
	mov	qword [TSS_ + 0x24 + 6 * 8], STACK_IST - 0x208
	mov	byte [GATE + 4], 7
	WORKS_AS G
	ASSERT	qword [got_handler_rsp], STACK_IST - 0x210 - 40
	; with an error code
	mov	byte [IDT + E_GP * 16 + 4], 1
	xor	eax, eax
	RAISES	E_GP, 0x18, mov ss, [.absent]
	ASSERT	qword [got_handler_rsp], STACK_IST - 48
	; IST and RSP0 that are not canonical: #SS(0), which has one that is
	mov	byte [IDT + E_SS * 16 + 4], 1
	mov	rax, 0x900000000000
	mov	[TSS_ + 0x24 + 6 * 8], rax
	RAISES	E_SS, 0, int G
	mov	byte [GATE + 4], 0
	mov	rax, 0x900000000000
	mov	[TSS_ + 4], rax
	IN	CODE64_3, DATA32_3
	RAISES	E_SS, 0, int G
	; a TSS that is too small: #TS
	mov	byte [IDT + E_TS * 16 + 4], 1
	call	small_tss
	mov	byte [GATE + 4], 7
	RAISES	E_TS, TSS64, int G
	mov	byte [GATE + 4], 0
	mov	qword [TSS_ + 4], STACK0
	call	whole_tss
	IN	CODE64, DATA32
	ret
.int:	int	G
	int	BACK
.absent: dw 0x18

; TSS64 with a limit that ends before IST7.
small_tss:
	mov	word [GDT + TSS64], 0x53 + 7
	jmp	load_tss
whole_tss:
	mov	word [GDT + TSS64], (0x67 + 0x2001) & 0xffff
load_tss:
	mov	byte [GDT + TSS64 + 5], 0x89
	mov	eax, TSS64
	ltr	ax
	ASSERT	byte [GDT + TSS64 + 5], 0x8b
	ret

ring1:	mov	eax, 1
	int	BACK

returns:
	call	reset_idt
	IN	CODE64, DATA32
	; 64-bit code always pops SS:RSP; SS null is good for rings 0 to 2 with 64-bit code
	mov	qword [run_ss], 0
	WORKS	nop
	ASSERT	qword [got_ss], 0
	ASSERT	qword [got_rsp], RSTACK
	IN	CODE64_1, 1
	mov	qword [run_rsp], RSTACK
	WORKS	nop
	ASSERT	qword [got_ss], 1
	; not with another RPL, not in ring 3, not to compatibility mode
%macro REFUSES 3	; CS, SS, error code
	mov	qword [RSTACK - 8], %2
	mov	qword [RSTACK - 16], RSTACK
	mov	qword [RSTACK - 24], 2
	mov	qword [RSTACK - 32], %1
	mov	qword [RSTACK - 40], ring1
	mov	qword [run_rsp], RSTACK - 40
	IN	CODE64, DATA32
	RAISES_AT .iretq, E_GP, %3
	mov	qword [run_rsp], RSTACK
%endmacro
	REFUSES	CODE64_1, 0, 0
	REFUSES	CODE64_3, 3, 0
	REFUSES	CODE64_3, 0, 0
	REFUSES	CODE32, 0, 0
	REFUSES	CODE64, DATA32_3, DATA32_3 & ~3
	REFUSES	CODE64_3, DATA32, DATA32
	REFUSES	BOTH, DATA32, BOTH
	REFUSES	0, DATA32, 0
	REFUSES	CODE64 | 1, 1, CODE64
	; NT: there are no tasks to return to
	mov	qword [run_flags], 2|NT
	mov	rdx, .nt
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	ASSERT	qword [got_rip], AT(.nt_iretq)
	mov	qword [run_flags], 2
	; VM is ignored
	mov	rdx, .vm
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_cs], CODE64_3
	ASSERT	qword [got_flags], 2
	; IRETD and IRETW in 64-bit code: smaller words, SS:RSP as well
	mov	rdx, .iretd
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_cs], CODE64_3
	ASSERT	qword [got_rsp], 0x9000
	; compatibility mode: no SS:RSP within the ring
	IN	CODE32, DATA32
	mov	rdx, .compat
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rip], AT(.compat_end)
	ASSERT	qword [got_rsp], RSTACK
	IN	CODE64, DATA32
	ret
.iretq:	iretq
.nt:	push	byte DATA32
	push	qword RSTACK
	push	byte 2
	push	qword CODE64
	push	qword AT(ring1)
.nt_iretq:
	iretq
.vm:	push	byte DATA32_3
	push	qword RSTACK
	push	qword 2|VM
	push	qword CODE64_3
	push	qword AT(ring1)
	iretq
.iretd:	sub	rsp, 20
	mov	dword [rsp], ring1
	mov	dword [rsp + 4], CODE64_3
	mov	dword [rsp + 8], 2
	mov	dword [rsp + 12], 0x9000
	mov	dword [rsp + 16], DATA32_3
	iretd
	bits	32
.compat: pushfd
	push	dword CODE32
	push	dword .compat_back
	iretd
	ud2
.compat_back:
	int	BACK
.compat_end:
	bits	64

; 16 bytes: offsets of 64 bits, no parameters, SS null in the inner ring.
call_gates:
	mov	dword [GDT + X], CODE64 << 16 | AT(gate_target)
	mov	dword [GDT + X + 4], 0xec1f	; a parameter count that is not one
	DESCRIPTOR_HIGH X, 0, 0
	IN	CODE64_3, DATA32_3
	mov	rdx, .call
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_cs], CODE64
	ASSERT	qword [got_ss], 0
	ASSERT	qword [got_rsp], STACK0 - 32
	ASSERT	qword [STACK0 - 8], DATA32_3
	ASSERT	qword [STACK0 - 16], RSTACK
	ASSERT	qword [STACK0 - 24], CODE64_3
	ASSERT	qword [STACK0 - 32], AT(.call_next)
	; from compatibility mode
	IN	CODE32_3, DATA32_3
	mov	rdx, .call32
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_cs], CODE64
	ASSERT	qword [STACK0 - 24], CODE32_3
	ASSERT	qword [STACK0 - 32], AT(.call32_next)
	; within the ring
	IN	CODE64, DATA32
	mov	rdx, .call
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_ss], DATA32
	ASSERT	qword [got_rsp], RSTACK - 16
	ASSERT	qword [RSTACK - 8], CODE64
	; and back
	mov	dword [GDT + X], CODE64 << 16 | AT(.gate_ret)
	IN	CODE64_3, DATA32_3
	mov	rdx, .call
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_rip], AT(.call_next) + 2
	ASSERT	qword [got_cs], CODE64_3
	ASSERT	qword [got_rsp], RSTACK
	; upper half: a type, an offset that is not canonical
	DESCRIPTOR_HIGH X, 0, 0x1f00
	RAISES_AT .call, E_GP, X
	DESCRIPTOR_HIGH X, 0x8000, 0
	RAISES_AT .call, E_GP, 0
	DESCRIPTOR_HIGH X, 0, 0
	; code that is not 64-bit, gates of 16 bits, TSSs and task gates
	mov	word [GDT + X + 2], CODE32
	RAISES_AT .call, E_GP, CODE32
	mov	word [GDT + X + 2], CODE64
	mov	byte [GDT + X + 5], 0xe4
	RAISES_AT .call, E_GP, X
	mov	byte [GDT + X + 5], 0xe5
	RAISES_AT .call, E_GP, X
	mov	byte [GDT + X + 5], 0xe9
	RAISES_AT .call, E_GP, X
	mov	byte [GDT + X + 5], 0x6c
	RAISES_AT .call, E_NP, X
	mov	byte [GDT + X + 5], 0x8c
	RAISES_AT .call, E_GP, X
	ret
.gate_ret:
	o64 retf
.call:	call	dword far [.pointer]
.call_next:
	int	BACK
	bits	32
.call32: call	X|3:0
.call32_next:
	int	BACK
	bits	64
.pointer: dd 0
	dw X|3

gate_target:
	int	BACK

; JMP, CALL and RETF between 64-bit code and compatibility mode; what is truncated, and what is kept.
far_transfers:
	IN	CODE64, DATA32
	mov	r8, 0x1122334455667788
	mov	rdx, .there
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_cs], CODE64
	ASSERT	qword [got_rax], 0x55
	mov	rax, 0x1122334455667788
	ASSERT	[got_rax + 8 * 8], rax
	ASSERT	qword [got_rsp], RSTACK
	RAISES_AT .both, E_GP, BOTH
	; limits count again
	DESCRIPTOR X, 0, 0x7fff, 0x9b, 4
	RAISES_AT .limited, E_GP, 0
	ret
.there:	push	qword CODE32
	push	qword AT(.compat)
	o64 retf
	bits	32
.compat: mov	eax, 0x55
	mov	ebx, -1
	inc	ebx			; 64-bit code would have made another of 40h-4Fh
	jmp	CODE64:.back
	bits	64
.back:	int	BACK
.both:	jmp	dword far [.both_pointer]
.both_pointer:
	dd	0
	dw	BOTH
.limited:
	jmp	dword far [.limited_pointer]
.limited_pointer:
	dd	0x8000
	dw	X

; SS null, segments in compatibility mode, LAR and LSL of 16-byte descriptors, SGDT.
segments:
	xor	eax, eax
	WORKS	mov ss, ax
	mov	eax, 1
	RAISES	E_GP, 0, mov ss, ax
	IN	CODE64_3, DATA32_3
	mov	eax, 3
	RAISES	E_GP, 0, mov ss, ax
	xor	eax, eax
	RAISES	E_GP, 0, mov ss, ax
	IN	CODE32, DATA32
	xor	eax, eax
	RAISES	E_GP, 0, db 0x8e, 0xd0	; the same in compatibility mode
	; bases and limits are back there
	mov	eax, LIMIT_4K
	mov	ds, ax
	mov	ebx, 0x1000
	RAISES	E_GP, 0, db 0x8b, 0x03	; MOV EAX, [EBX]
	mov	dword [BASED + 0xffc], 0x44444444
	mov	eax, LIMIT_4K
	mov	ds, ax
	mov	ebx, 0xffc
	WORKS	db 0x8b, 0x03
	ASSERT	qword [got_rax], 0x44444444
	xor	eax, eax
	mov	ds, ax
	RAISES	E_GP, 0, db 0x8b, 0x03
	IN	CODE64, DATA32
	WORKS	mov eax, [V]
	; descriptors of 16 bytes; those of 32-bit mode are not known
	mov	eax, TSS64
	mov	ebx, -1
	lar	ebx, eax
	jnz	near .bad
	ASSERT	ebx, 0x8b00
	lsl	ebx, eax
	jnz	near .bad
	mov	eax, SEL_TSS
	lar	ebx, eax		; its upper half holds another descriptor
	lsl	rbx, rax
	DESCRIPTOR X, 0, 0xff, 0x83, 0
	DESCRIPTOR_HIGH X, 0, 0
	mov	eax, X
	lsl	ebx, eax
	jz	near .bad
	mov	byte [GDT + X + 5], 0x85
	lar	ebx, eax
	jz	near .bad
	mov	byte [GDT + X + 5], 0x8e
	lar	ebx, eax
	jz	near .bad
	mov	qword [V], 0
	mov	qword [V + 8], 0
	sgdt	[V]
	ASSERT	word [V], 0xfff
	ASSERT	qword [V + 2], GDT
	ASSERT	word [V + 10], 0
	ret
.bad:	FAIL
	ret
