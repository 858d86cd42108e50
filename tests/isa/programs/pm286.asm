; SPDX-License-Identifier: GPL-2.0-or-later
; A 286's protected mode: 16-bit code and stacks, 16-bit gates, a 16-bit TSS; descriptors whose upper word is not zero; interrupts, call gates, far returns and IRET of words
; (SDM vol. 3, 22; 5.8, 6.12, 7.6).
%include "programs/ring0.inc"

CS0	equ X		; 16-bit segments
SS0_	equ Y
CS3	equ Z | 3
SS3	equ 0x140 | 3
SYS16	equ 0x148	; a 16-bit TSS
SP3	equ 0xd800
SP0	equ 0xd000
T16	equ 0x2e000
VECTOR	equ 0x45

; Runs 16-bit code of ring 3 or 0 by IRETD to it; it ends with INT BACK.
%macro GO 2	; CS, snippet
	mov	eax, %1
	mov	edx, %2
	call	go16
%endmacro

RING0_PROGRAM
	DESCRIPTOR CS0, 0, 0xffff, 0x9b, 0
	DESCRIPTOR SS0_, 0, 0xffff, 0x93, 0
	DESCRIPTOR CS3, 0, 0xffff, 0xfb, 0
	DESCRIPTOR SS3, 0, 0xffff, 0xf3, 0
	DESCRIPTOR SYS16, T16, 0x2b, 0x81, 0
	mov	dword [T16 + 2], SS0_ << 16 | SP0
	mov	byte [.rounds], 5
.round:	call	interrupts
	call	calls
	call	returns
	dec	byte [.rounds]
	jnz	.round
	CHECK	{esp, STACK}
	DONE
.rounds: db 0

; EAX: CS (of ring 3, or of ring 0)
go16:	mov	[resume], esp
	mov	dword [resume + 4], DATA32
	mov	dword [got_vector], -1
	mov	ecx, SS0_
	test	al, 3
	jz	.ring0
	push	dword SS3
	push	dword SP3
.ring0:	push	dword [run_flags]
	push	eax
	push	edx
	mov	ax, DATA32_3
	mov	ds, ax
	mov	es, ax
	iretd

; By 16-bit gates to 16-bit code, from the 32-bit TSS and from the 16-bit one.
interrupts:
	GATE	IDT + 8 * VECTOR, CS0, AT(int16), 0xe6
	mov	dword [run_flags], IF | CF | 2
	mov	dword [TSS_ + 4], SP0
	mov	word [TSS_ + 8], SS0_
	GO	CS3, int_
	call	.seen
	ASSERT_CLEAR dword [int16_flags], IF
	mov	byte [IDT + 8 * VECTOR + 5], 0xe7	; trap gate
	GO	CS3, int_
	call	.seen
	ASSERT_SET dword [int16_flags], IF
	mov	byte [IDT + 8 * VECTOR + 5], 0xe6
	mov	ax, SYS16
	ltr	ax
	GO	CS3, int_
	call	.seen
	; the upper word of its gate's offset does not count
	mov	word [IDT + 8 * VECTOR + 6], 0x1234
	GO	CS3, int_
	call	.seen
	; a fault of ring 3 through the 32-bit gates: doublewords on a 16-bit stack
	GO	CS3, gp
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	ASSERT	dword [got_eip], gp
	ASSERT	dword [got_cs], CS3
	ASSERT	dword [got_ss0], SS3
	ASSERT	word [got_esp0], SP3
	ASSERT	word [got_esp], SP0 - 24
	; and through a 16-bit one: the error code is a word
	GATE	IDT + 8 * E_GP, CS0, AT(gp16), 0x86
	GO	CS3, gp_sel
	ASSERT	dword [got_vector], BACK
	ASSERT	word [gp16_seen], 0x1000
	ASSERT	word [gp16_seen + 2], gp_sel.at
	ASSERT	word [gp16_seen + 4], CS3
	call	reset_idt
	and	byte [GDT + SEL_TSS + 5], ~2
	and	byte [GDT + SYS16 + 5], ~2
	mov	ax, SEL_TSS
	ltr	ax
	mov	dword [TSS_ + 4], STACK0
	mov	word [TSS_ + 8], DATA32
	mov	dword [run_flags], 2
	ret
.seen:	ASSERT	dword [got_vector], BACK
	ASSERT	word [int16_sp], SP0 - 10
	ASSERT	word [int16_frame], int_.after
	ASSERT	word [int16_frame + 2], CS3
	ASSERT	word [int16_frame + 4], IF | CF | 2
	ASSERT	word [int16_frame + 6], SP3
	ASSERT	word [int16_frame + 8], SS3
	ASSERT	word [got_eip], int_.end
	ASSERT	dword [got_cs], CS3
	ASSERT	dword [got_eflags], IF | CF | 2
	ret

int16_frame equ 0xc000
int16_flags equ 0xc020
int16_sp equ 0xc024
gp16_seen equ 0xc030

; 16-bit call gates with parameters; to conforming segments.
calls:	mov	dword [TSS_ + 4], SP0
	mov	word [TSS_ + 8], SS0_
	GATE	GDT + CALL_GATE, CS0, AT(called16), 0xe4, 3
	GO	CS3, calls_
	ASSERT	dword [got_vector], BACK
	ASSERT	word [got_eax], 0x1111 + 0x2222 + 0x4444
	ASSERT	word [got_esp0], SP3	; the callee dropped them
	ASSERT	word [got_ss0], SS3
	ASSERT	dword [got_cs], CS3
	; the same ring: nothing is copied, and RETF 6 drops them all the same
	DESCRIPTOR CS0, 0, 0xffff, 0x9f, 0
	GO	CS3, calls_
	ASSERT	dword [got_vector], BACK
	ASSERT	word [got_eax], 0x1111 + 0x2222 + 0x4444
	ASSERT	word [got_esp0], SP3
	DESCRIPTOR CS0, 0, 0xffff, 0x9b, 0
	; a 32-bit gate to 16-bit code
	GATE	GDT + CALL_GATE, CS0, AT(called32), 0xec, 1
	GO	CS3, calls_32
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_eax], 0x12345678
	ASSERT	word [got_esp0], SP3
	mov	dword [TSS_ + 4], STACK0
	mov	word [TSS_ + 8], DATA32
	; direct, with 16-bit offsets, to a limit
	DESCRIPTOR CS0, 0, AT(near_end.last), 0x9b, 0
	GO	CS0, near_end
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	ASSERT	word [got_eip], near_end.last
	DESCRIPTOR CS0, 0, 0xffff, 0x9b, 0
	ret

; RETF and IRET of words: IP, SP are 16 bits, and the upper halves of ESP stay or are what they are.
returns:
	GO	CS0, ret_out
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_cs], CS3
	ASSERT	word [got_esp0], SP3 - 2
	GO	CS0, iret_out
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [got_cs], CS3
	ASSERT	word [got_esp0], SP3 - 4
	; IRET leaves the upper half of EFLAGS
	mov	dword [run_flags], 1 << 21 | AC | 2
	GO	CS0, iret_out
	ASSERT	dword [got_eflags], 1 << 21 | AC | CF | 2
	mov	dword [run_flags], 2
	ret

	bits 16
int_:	int	VECTOR
.after:	nop
	int	BACK
.end:
; CS is not writable, DS is ring 3's flat segment
int16:	push	bp
	mov	bp, sp
	pushad
	lea	si, [bp + 2]
	mov	[int16_sp], si
	mov	di, int16_frame
	mov	cx, 5
	ss rep	movsw
	pushfd
	pop	dword [int16_flags]
	popad
	pop	bp
	iret
gp:	hlt
gp_sel:	mov	ax, 0x1003
.at:	mov	fs, ax
gp16:	pop	word [gp16_seen]
	pop	word [gp16_seen + 2]
	pop	word [gp16_seen + 4]
	int	BACK
calls_:	push	word 0x1111
	push	word 0x2222
	push	word 0x4444
	call	CALL_GATE | 3:0x9999
	int	BACK
called16:
	mov	bp, sp
	mov	ax, [bp + 4]
	add	ax, [bp + 6]
	add	ax, [bp + 8]
	retf	6
calls_32:
	push	dword 0x12345678
	call	CALL_GATE | 3:0
	int	BACK
called32:
	mov	bp, sp
	mov	eax, [bp + 8]
	o32 retf 4
near_end:
	nop
.last:	mov	ax, 5
	int	BACK
ret_out:
	push	word SS3
	push	word SP3 - 2
	push	word CS3
	push	word .there
	retf
.there:	int	BACK
iret_out:
	push	word SS3
	push	word SP3 - 4
	push	word CF | 2
	push	word CS3
	push	word .there
	iret
.there:	int	BACK
	bits 32
