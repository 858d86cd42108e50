; SPDX-License-Identifier: GPL-2.0-or-later
; IRET in protected mode: same ring, outward, to V86 and back; nested tasks; interrupt and trap gates; faults on the way out.
%include "isa.inc"
PROGRAM PM32
	; same ring
	push	dword CF|ZF|IF|2
	push	dword CODE32
	push	dword .a
	iretd
	NEVER
.a:	CHECK	{flags, CF|ZF|IF, ARITH|IF}, {esp, STACK}
	cli
	; an interrupt gate clears IF, a trap gate does not; both clear TF and NT
	mov	eax, .isr
	mov	[IDT + 8 * 0x70], ax
	mov	[IDT + 8 * 0x71], ax
	mov	byte [IDT + 8 * 0x71 + 5], 0x8f
	shr	eax, 16
	mov	[IDT + 8 * 0x70 + 6], ax
	mov	[IDT + 8 * 0x71 + 6], ax
	sti
	int	0x70
	CHECK	{flags, IF, IF}
	and	ebx, IF
	CHECK	{ebx, 0}
	int	0x71
	and	ebx, IF
	CHECK	{ebx, IF}
	cli
	; a 16-bit gate
	mov	byte [IDT + 8 * 0x72 + 5], 0x86
	mov	eax, .isr16
	mov	[IDT + 8 * 0x72], ax
	int	0x72
	CHECK	{ecx, 0x1616}, {esp, STACK}
	mov	eax, .in73
	mov	[IDT + 8 * 0x73], ax
	shr	eax, 16
	mov	[IDT + 8 * 0x73 + 6], ax
	; outward
	mov	ax, BASED_4G
	mov	fs, ax
	push	dword DATA32_3
	push	dword 0xe000
	push	dword IF|0x3000|2	; IOPL 3
	push	dword CODE32_3
	push	dword .ring3
	iretd
	NEVER
.ring3:	CHECK	{cs, CODE32_3}, {ss, DATA32_3}, {esp, 0xe000}, {ds, 0}, {es, 0}, {fs, BASED_4G}, {flags, IF|0x3000, IF|0x3000}
	cli
	CHECK	{flags, 0, IF}
	mov	ax, DATA32_3
	mov	ds, ax
	mov	es, ax
	TRAPS	0x80, int 0x80
	FAULTS	E_UD, NOERR, ud2
	FAULTS	E_GP, 0, hlt
	; an IRET inward is refused
	push	dword 2
	push	dword CODE32
	push	dword .ring3
	FAULTS	E_GP, CODE32, iretd
	add	esp, 12
	; back to ring 0 through a gate of our own
	int	0x73
.gone:	NEVER
.ring0:	CHECK	{cs, CODE32}, {ss, DATA32}, {esp, STACK0 - 20}
	; to V86
	mov	esp, STACK0
	push	dword 0x2004		; GS
	push	dword 0x2003
	push	dword 0x2002		; DS
	push	dword 0x2001		; ES
	push	dword 0x2000		; SS
	push	dword 0x100		; ESP
	push	dword VM|0x3000|2
	push	dword 0
	push	dword .v86
	iretd
	NEVER
	bits 16
.v86:	CHECK	{cs, 0}, {ss, 0x2000}, {ds, 0x2002}, {es, 0x2001}, {fs, 0x2003}, {gs, 0x2004}, {esp, 0x100}, {flags, VM|0x3000, VM|0x3000|IF}
	TRAPS	0x41, int 0x41
	FAULTS	E_UD, NOERR, ud2
	CHECK	{ds, 0x2002}, {esp, 0x100}
	mov	word [0], 0x1234
	CHECK	{mem16, 0x20020, 0x1234}
	int	0x73
	NEVER
	bits 32
.from_v86:
	CHECK	{cs, CODE32}, {ss, DATA32}, {ds, 0}, {es, 0}, {fs, 0}, {gs, 0}, {esp, STACK0 - 36}, {flags, 0, VM|IF}
	mov	ax, DATA32
	mov	ds, ax
	mov	es, ax
	mov	esp, STACK
	; bad frames
	push	dword 2
	push	dword 0
	push	dword 0
	FAULTS	E_GP, 0, iretd
	mov	dword [esp + 4], 0x7f8
	FAULTS	E_GP, 0x7f8, iretd
	mov	dword [esp + 4], DATA32
	FAULTS	E_GP, DATA32, iretd
	mov	esp, STACK
	; NT without a back link that is any good
	push	dword NT|2
	popfd
	FAULTS_PART E_TS, 0, iretd
	push	dword 2
	popfd
	DONE
.in73:	test	dword [ss:esp + 8], VM
	jnz	near .from_v86
	jmp	.ring0
.isr:	pushfd
	pop	ebx
	iretd
.isr16:	mov	ecx, 0x1616
	o16 iret
