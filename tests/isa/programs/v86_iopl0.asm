; SPDX-License-Identifier: GPL-2.0-or-later
; V86 mode with IOPL 0: CLI, STI, PUSHF, POPF, INT n and IRET go to the monitor; INT3 and INTO do not need IOPL.
%include "isa.inc"
PROGRAM PM32
	push	dword 0
	push	dword 0
	push	dword 0
	push	dword 0
	push	dword 0
	push	dword STACK
	push	dword VM|2
	push	dword 0
	push	dword .v86
	iretd
	NEVER
	bits 16
.v86:	FAULTS	E_GP, 0, cli
	FAULTS	E_GP, 0, sti
	FAULTS	E_GP, 0, pushf
	FAULTS	E_GP, 0, pushfd
	FAULTS	E_GP, 0, popf
	FAULTS	E_GP, 0, iret
	FAULTS	E_GP, 0, int 0x21
	TRAPS	E_BP, int3
	mov	ax, 0x7fff
	inc	ax
	TRAPS	E_OF, into
	; ports by the bitmap
	mov	dx, 0x130
	out	dx, al
	mov	cx, 100
	xor	ax, ax
.l:	add	ax, cx
	loop	.l
	CHECK	{ax, 5050}, {flags, VM, VM|0x3000|IF}
	DONE
