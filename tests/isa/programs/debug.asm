; SPDX-License-Identifier: GPL-2.0-or-later
; Debug registers: instruction breakpoints (RF), INT1, general detect; the rest of the program is the same with them on.
%include "isa.inc"
PROGRAM PM32
	mov	eax, .bp
	mov	dr0, eax
	mov	eax, 0x403		; L0, G0, execute
	mov	dr7, eax
	mov	ecx, 1
.bp:	inc	ecx
	FAULT_AT E_DB, NOERR, .bp, .on
	NEVER
.on:	mov	eax, dr6
	and	eax, 0xf
	CHECK	{eax, 1}, {ecx, 1}
	; with RF the instruction runs
	push	dword RF|2
	push	cs
	push	dword .bp2
	mov	eax, .bp2
	mov	dr0, eax
	iretd
.bp2:	inc	ecx
	CHECK	{ecx, 2}, {flags, 0, RF}
	xor	eax, eax
	mov	dr7, eax
	mov	ecx, 10
.l:	loop	.l
	CHECK	{ecx, 0}
	TRAPS	E_DB, int1
	mov	eax, 0x2000		; GD
	mov	dr7, eax
	FAULTS_PART E_DB, NOERR, mov eax, dr0
	mov	eax, dr7
	test	eax, 0x2000		; delivery cleared it
	jnz	.bad
	DONE
.bad:	NEVER
