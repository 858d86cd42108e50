; SPDX-License-Identifier: GPL-2.0-or-later
; Ring 3: what is privileged, what IOPL governs, gates inward and returns outward.
%include "isa.inc"
PROGRAM PM32_3
	CHECK	{cs, CODE32_3}, {ss, DATA32_3}
	FAULTS	E_GP, 0, hlt
	FAULTS	E_GP, 0, cli
	FAULTS	E_GP, 0, sti
	FAULTS	E_GP, 0, mov eax, cr0
	FAULTS	E_GP, 0, mov cr3, eax
	FAULTS	E_GP, 0, mov eax, dr7
	FAULTS	E_GP, 0, lgdt [0xa000]
	FAULTS	E_GP, 0, lidt [0xa000]
	FAULTS	E_GP, 0, lldt ax
	FAULTS	E_GP, 0, ltr ax
	FAULTS	E_GP, 0, lmsw ax
	FAULTS	E_GP, 0, clts
	FAULTS	E_GP, 0, invd
	FAULTS	E_GP, 0, wbinvd
	FAULTS	E_GP, 0, invlpg [0]
	FAULTS	E_GP, 0, rdmsr
	FAULTS	E_GP, 0, wrmsr
	FAULTS	E_GP, 0, sysexit
	; allowed
	sgdt	[0xa000]
	CHECK	{mem32, 0xa002, GDT}
	sidt	[0xa000]
	CHECK	{mem32, 0xa002, IDT}
	smsw	ax
	str	ax
	CHECK	{ax, SEL_TSS}
	sldt	ax
	CHECK	{ax, SEL_LDT}
	; POPF: IF and IOPL stay
	push	dword IF|0x3000|CF|2
	popfd
	CHECK	{flags, CF, IF|0x3000|CF}
	; segments of ring 0
	mov	ax, DATA32
	FAULTS	E_GP, DATA32, mov ds, ax
	FAULTS	E_GP, DATA32, mov ss, ax
	mov	ax, CODE32
	FAULTS	E_GP, CODE32, mov es, ax
	FAULTS	E_GP, CODE32, jmp CODE32:0
	FAULTS	E_GP, CODE32, call CODE32:0
	; LAR, LSL, VERR, VERW
	mov	ax, DATA32_3
	lar	ebx, ax
	CHECK	{ebx, 0xcff300}, {flags, ZF, ZF}
	lsl	ecx, ax
	CHECK	{ecx, 0xffffffff}
	verr	ax
	CHECK	{flags, ZF, ZF}
	verw	ax
	CHECK	{flags, ZF, ZF}
	mov	ax, READ_ONLY | 3
	verw	ax
	CHECK	{flags, 0, ZF}
	mov	ax, DATA32
	lar	ebx, ax
	CHECK	{flags, 0, ZF}, {ebx, 0xcff300}
	xor	ax, ax
	verr	ax
	CHECK	{flags, 0, ZF}
	mov	bx, 3
	mov	cx, 0x50
	arpl	cx, bx
	CHECK	{cx, 0x53}, {flags, ZF, ZF}
	arpl	cx, bx
	CHECK	{flags, 0, ZF}
	; interrupts: gates of DPL 3 only
	FAULTS	E_GP, 1 * 8 + 2, int 1
	FAULTS	E_GP, 0xd * 8 + 2, int 0xd
	TRAPS	0x80, int 0x80
	TRAPS	E_BP, int3
	CHECK	{esp, STACK}, {cs, CODE32_3}, {ss, DATA32_3}
	; ports: the bitmap in the TSS
	out	0x80, al
	DONE
