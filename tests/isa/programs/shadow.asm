; SPDX-License-Identifier: GPL-2.0-or-later
; STI and MOV SS: an interrupt waits for one more instruction. Also CLI right behind STI, POP SS, NMI, HLT.
%include "isa.inc"
PROGRAM PM32
	; pending before STI: taken behind the next instruction
	mov	al, 0x41
	out	P_IRQ, al
	mov	ecx, 0
	sti
	inc	ecx
.a:	FAULT_AT 0x41, NOERR, .a, .a
	CHECK	{ecx, 1}
	cli
	; STI; CLI: never
	mov	al, 0x42
	out	P_IRQ, al
	sti
	cli
	nop
	; STI; STI: the second has no shadow
	sti
	sti
.b:	FAULT_AT 0x42, NOERR, .b, .b
	; raised while IF is set: at once
	mov	al, 0x43
	out	P_IRQ, al
.c:	FAULT_AT 0x43, NOERR, .c, .c
	; in the shadow of MOV SS
	cli
	mov	al, 0x44
	out	P_IRQ, al
	mov	dx, DATA32
	push	dword IF|2
	mov	ss, dx
	popfd
.d:	FAULT_AT 0x44, NOERR, .d, .d
	sti
	nop
	mov	al, 0x45
	mov	ebx, esp
	mov	ss, dx
	out	P_IRQ, al		; the instruction in the shadow raises it: taken behind it
.e:	FAULT_AT 0x45, NOERR, .e, .e
	push	ss
	mov	al, 0x46
	cli
	out	P_IRQ, al
	sti
	pop	ss			; shadow upon shadow
	nop
.f:	FAULT_AT 0x46, NOERR, .f, .f
	OPTIONAL_CHECK {esp, STACK}
	; a faulting instruction in the shadow
	cli
	mov	al, 0x47
	out	P_IRQ, al
	sti
	FAULTS_PART E_UD, NOERR, ud2
.g:	FAULT_AT 0x47, NOERR, .g, .g
	cli
	; IRET sets IF: no shadow
	mov	al, 0x48
	out	P_IRQ, al
	pushfd
	or	dword [esp], IF
	push	cs
	push	dword .h
	iretd
.h:	FAULT_AT 0x48, NOERR, .h, .i
	NEVER
.i:	CHECK	{esp, STACK}
	cli
	; HLT: woken by an interrupt, RIP behind it
	mov	al, 0x49
	out	P_WAKE, al
	sti
	hlt
.j:	FAULT_AT 0x49, NOERR, .j, .j
	; STI; HLT with the interrupt pending already
	cli
	mov	al, 0x4a
	out	P_IRQ, al
	sti
	hlt
.k:	FAULT_AT 0x4a, NOERR, .k, .k
	; NMI: whatever IF is
	cli
	out	P_NMI, al
.l:	FAULT_AT E_NMI, NOERR, .l, .l
	out	P_NMI, al
.m:	FAULT_AT E_NMI, NOERR, .m, .m
	CHECK	{esp, STACK}
	DONE
