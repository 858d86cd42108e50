; SPDX-License-Identifier: GPL-2.0-or-later
; MONITOR and MWAIT: what ends a wait and what keeps it from beginning; operands, rings (SDM vol. 2; vol. 3, 8.10).
%include "isa.inc"

LINE	equ 0x30000

; vector that is raised when the processor waits, in HLT or MWAIT
%macro WAKE 1
	mov	al, %1
	out	P_WAKE, al
%endmacro

%macro MONITOR_ 0
	mov	eax, LINE
	xor	ecx, ecx
	xor	edx, edx
	monitor
	xor	eax, eax
%endmacro

PROGRAM PM32, WITH_MONITOR
	mov	eax, 5
	cpuid
	CHECK	{eax, 64}, {ebx, 64}, {ecx, 3}, {edx, 0x10}
	; an interrupt ends it
	WAKE	0x41
	MONITOR_
	sti
	mwait
.a:	FAULT_AT 0x41, NOERR, .a, .a
	CHECK	{eax, 0}
	cli
	; without MONITOR, after a store, after another interrupt: no wait
	WAKE	0x42
	xor	ecx, ecx
	mwait
	MONITOR_
	inc	byte [LINE + 63]
	mwait
	MONITOR_
	mov	al, 0x43
	out	P_IRQ, al
	sti
	nop
.b:	FAULT_AT 0x43, NOERR, .b, .b
	mwait
	mwait
	CHECK	{ecx, 0}
	hlt
.c:	FAULT_AT 0x42, NOERR, .c, .c
	cli
	; another line's store does not matter; IF clear: the interrupt is taken later
	WAKE	0x44
	MONITOR_
	inc	byte [LINE + 64]
	mov	ecx, 1
	mwait
	CHECK	{ecx, 1}
	sti
	nop
.d:	FAULT_AT 0x44, NOERR, .d, .d
	cli
	; operands
	mov	ecx, 2
	FAULTS	E_GP, 0, mwait
	mov	ecx, 1
	FAULTS	E_GP, 0, monitor
	xor	ecx, ecx
	mov	eax, LIMIT_4K
	mov	fs, eax
	mov	eax, 0x1000
	FAULTS	E_GP, 0, fs monitor
	dec	eax
	fs monitor
	CHECK	{esp, STACK}
	DONE
