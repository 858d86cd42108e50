; SPDX-License-Identifier: GPL-2.0-or-later
; Faults at every operand in protected mode: exact error code and RIP, nothing changed.
%include "isa.inc"
PROGRAM PM32
	mov	ax, LIMIT_4K
	mov	fs, ax
	mov	ax, READ_ONLY
	mov	gs, ax
	mov	eax, 0x11111111
	mov	ecx, 0x22222222
	mov	edx, 0x33333333
	mov	ebx, 0xffd
	mov	esi, 0x44444444
	mov	edi, 0x1000
	mov	ebp, 0x66666666
	stc
	std
	; loads, stores, read-modify-writes across the limit
	FAULTS	E_GP, 0, mov eax, [fs:ebx]
	FAULTS	E_GP, 0, mov [fs:ebx], eax
	FAULTS	E_GP, 0, add [fs:ebx], eax
	FAULTS	E_GP, 0, add eax, [fs:ebx]
	FAULTS	E_GP, 0, lock inc dword [fs:ebx]
	FAULTS	E_GP, 0, xchg eax, [fs:ebx]
	FAULTS	E_GP, 0, lock cmpxchg [fs:ebx], ecx
	FAULTS	E_GP, 0, lock xadd [fs:ebx], ecx
	FAULTS	E_GP, 0, cmpxchg8b [fs:ebx]
	FAULTS	E_GP, 0, shl dword [fs:ebx], cl
	FAULTS	E_GP, 0, shld [fs:ebx], eax, 3
	FAULTS	E_GP, 0, not dword [fs:ebx]
	FAULTS	E_GP, 0, neg dword [fs:ebx]
	FAULTS	E_GP, 0, mul dword [fs:ebx]
	FAULTS	E_GP, 0, imul eax, [fs:ebx], 5
	FAULTS	E_GP, 0, div dword [fs:ebx]
	FAULTS	E_GP, 0, bsf eax, [fs:ebx]
	FAULTS	E_GP, 0, bts dword [fs:ebx], 3
	FAULTS	E_GP, 0, movzx eax, word [fs:edi - 1]
	FAULTS	E_GP, 0, movsx eax, byte [fs:edi]
	FAULTS	E_GP, 0, mov al, [fs:edi]
	FAULTS	E_GP, 0, mov ah, [fs:edi]
	FAULTS	E_GP, 0, mov [fs:edi], bh
	FAULTS	E_GP, 0, mov [fs:edi], cl
	FAULTS	E_GP, 0, mov byte [fs:0x1000], 1
	FAULTS	E_GP, 0, mov eax, [fs:0xfffffffc]
	FAULTS	E_GP, 0, cmovc eax, [fs:ebx]
	FAULTS	E_GP, 0, cmovnc eax, [fs:ebx]	; the access is made in any case
	FAULTS	E_GP, 0, setc [fs:edi]
	FAULTS	E_GP, 0, push dword [fs:ebx]
	FAULTS	E_GP, 0, pop dword [fs:ebx]
	FAULTS	E_GP, 0, jmp [fs:ebx]
	FAULTS	E_GP, 0, call [fs:ebx]
	FAULTS	E_GP, 0, jmp far [fs:ebx]
	FAULTS	E_GP, 0, call far [fs:ebx]
	FAULTS	E_GP, 0, les eax, [fs:ebx - 2]
	FAULTS	E_GP, 0, lss esp, [fs:ebx - 2]
	FAULTS	E_GP, 0, mov ds, [fs:edi - 1]
	FAULTS	E_GP, 0, mov [fs:edi - 1], ds
	FAULTS	E_GP, 0, lgdt [fs:ebx - 2]
	FAULTS	E_GP, 0, sgdt [fs:ebx - 2]
	FAULTS	E_GP, 0, lmsw [fs:edi - 1]
	FAULTS	E_GP, 0, smsw [fs:edi - 1]
	FAULTS	E_GP, 0, lldt [fs:edi - 1]
	FAULTS	E_GP, 0, verr [fs:edi - 1]
	FAULTS	E_GP, 0, lar eax, [fs:edi - 1]
	FAULTS	E_GP, 0, bound eax, [fs:ebx - 4]
	FAULTS	E_GP, 0, fld dword [fs:ebx]
	FAULTS	E_GP, 0, fld tword [fs:ebx - 6]
	FAULTS	E_GP, 0, fstp qword [fs:ebx - 4]
	FAULTS	E_GP, 0, fldcw [fs:edi - 1]
	FAULTS	E_GP, 0, fnstsw [fs:edi - 1]
	FAULTS	E_GP, 0, fnsave [fs:0xfa0]
	FAULTS	E_GP, 0, movq mm0, [fs:0xff9]
	FAULTS	E_GP, 0, movups xmm0, [fs:0xff1]
	FAULTS	E_GP, 0, movups [fs:0xff1], xmm0
	FAULTS	E_GP, 0, fxsave [fs:0xe10]
	; the last bytes are there
	mov	byte [fs:0xfff], 0x5a
	mov	al, [fs:0xfff]
	mov	[fs:0xffc], edx
	mov	eax, [fs:0xffc]
	CHECK	{eax, 0x33333333}, {mem32, BASED + 0xffc, 0x33333333}
	; bit strings reach beyond their operand
	mov	ebx, 0xffc
	mov	eax, 31
	bts	[fs:ebx], eax
	mov	eax, 32
	FAULTS	E_GP, 0, bts [fs:ebx], eax
	FAULTS	E_GP, 0, bt [fs:ebx], eax
	xor	ebx, ebx
	mov	eax, -1
	FAULTS	E_GP, 0, btr [fs:ebx], eax
	mov	eax, 0x1000 * 8 - 1
	btc	[fs:ebx], eax
	CHECK	{flags, CF, CF}
	; read-only, execute-only
	mov	al, [gs:0]
	FAULTS	E_GP, 0, mov [gs:0], al
	FAULTS	E_GP, 0, inc dword [gs:0]
	FAULTS	E_GP, 0, xchg [gs:0], eax
	FAULTS	E_GP, 0, mov [cs:0xa000], al
	mov	al, [cs:0xa000]
	xor	eax, eax
	mov	gs, ax
	FAULTS	E_GP, 0, mov al, [gs:0]	; null
	FAULTS	E_GP, 0, mov [gs:0], al
	; SS
	mov	ax, STACK_4K
	mov	ss, ax
	mov	esp, 0x800
	FAULTS	E_SS, 0, mov eax, [ss:0x1000]
	FAULTS	E_SS, 0, mov [ss:0xffd], eax
	mov	ebp, 0xffe
	FAULTS	E_SS, 0, mov eax, [ebp]
	FAULTS	E_SS, 0, mov [esp + 0x800], eax
	FAULTS	E_SS, 0, leave
	FAULTS	E_SS, 0, pop dword [ebp]
	mov	ebp, 0x800
	FAULTS	E_SS, 0, enter 0x900, 0
	; a frame that the stack has just room for: vector 13 pushes 16 bytes
	mov	esp, 16
	FAULTS	E_GP, 0, mov al, [fs:edi]
	mov	esp, 16
	pushad_at:
	FAULTS	E_SS, 0, pushad
	mov	ax, DATA32
	mov	ss, ax
	mov	esp, STACK
	cld
	; undefined
	FAULTS	E_UD, NOERR, ud2
	FAULTS	E_UD, NOERR, db 0x0f, 0xff, 0xc0
	FAULTS	E_UD, NOERR, db 0x8d, 0xc0		; lea eax, eax
	FAULTS	E_UD, NOERR, db 0xf0, 0x01, 0xc0	; lock add eax, eax
	FAULTS	E_UD, NOERR, db 0xf0, 0x8b, 0x03	; lock mov
	FAULTS	E_UD, NOERR, db 0xc4, 0xc0		; les eax, eax
	FAULTS	E_UD, NOERR, db 0x8e, 0xc8		; mov cs, ax
	FAULTS	E_UD, NOERR, db 0x8e, 0xf8		; mov ?, ax
	FAULTS	E_UD, NOERR, db 0xff, 0xf8
	FAULTS	E_UD, NOERR, db 0xfe, 0xd0
	FAULTS	E_UD, NOERR, db 0x0f, 0xaa		; rsm
	FAULTS	E_UD, NOERR, db 0x0f, 0x20, 0xc8	; mov eax, cr1
	; too long
	FAULTS	E_GP, 0, db 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
	db	0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
	; far transfers
	FAULTS	E_GP, 0, jmp 0:0
	FAULTS	E_GP, DATA32, jmp DATA32:0
	FAULTS	E_GP, 0x7f8, jmp 0x7f8:0
	FAULTS	E_GP, 0x7fc, call 0x7fc:0
	FAULTS	E_GP, 0, jmp CODE32_BASED:0x10000	; beyond its limit
	push	dword 0x7f8
	push	dword 0
	FAULTS	E_GP, 0x7f8, retf
	mov	esp, STACK
	mov	ax, ABSENT
	FAULTS	E_NP, ABSENT, mov ds, ax
	FAULTS	E_GP, ABSENT, mov ss, ax	; its DPL counts first
	mov	ax, EXEC_ONLY
	FAULTS	E_GP, EXEC_ONLY, mov es, ax
	mov	ax, CODE32
	FAULTS	E_GP, CODE32, mov ss, ax
	mov	ax, READ_ONLY
	FAULTS	E_GP, READ_ONLY, mov ss, ax
	xor	eax, eax
	FAULTS	E_GP, 0, mov ss, ax
	mov	ax, 0x7f8
	FAULTS	E_GP, 0x7f8, mov gs, ax
	mov	ax, SEL_TSS
	FAULTS	E_GP, SEL_TSS, mov fs, ax
	mov	ax, DATA32_3
	FAULTS	E_GP, DATA32_3 & ~3, mov ss, ax
	; control registers, MSRs, interrupts without gate
	mov	eax, 0x80000000
	FAULTS	E_GP, 0, mov cr0, eax		; PG without PE
	mov	eax, 0x20000011
	FAULTS	E_GP, 0, mov cr0, eax		; NW without CD
	mov	eax, 0x80000000
	FAULTS	E_GP, 0, mov cr4, eax
	mov	ecx, 0x12345678
	FAULTS	E_GP, 0, rdmsr
	FAULTS	E_GP, 0, wrmsr
	mov	byte [IDT + 8 * 0x55 + 5], 0x0e	; not present
	FAULTS	E_NP, 0x55 * 8 + 2, int 0x55
	mov	byte [IDT + 8 * 0x55 + 5], 0x92	; no gate
	FAULTS	E_GP, 0x55 * 8 + 2, int 0x55
	; divide
	xor	ecx, ecx
	FAULTS	E_DE, NOERR, div ecx
	FAULTS	E_DE, NOERR, div cl
	mov	edx, 5
	mov	ecx, 5
	FAULTS	E_DE, NOERR, div ecx
	mov	eax, 0x80000000
	mov	edx, -1
	mov	ecx, -1
	FAULTS	E_DE, NOERR, idiv ecx
	mov	dword [0xa000], 0
	FAULTS	E_DE, NOERR, idiv dword [0xa000]
	FAULTS	E_DE, NOERR, aam 0
	mov	dword [0xa000], -5
	mov	dword [0xa004], 5
	mov	eax, 6
	FAULTS	E_BR, NOERR, bound eax, [0xa000]
	mov	eax, -6
	FAULTS	E_BR, NOERR, bound eax, [0xa000]
	mov	eax, 5
	bound	eax, [0xa000]
	mov	eax, -5
	bound	eax, [0xa000]
	xor	eax, eax
	into
	mov	eax, 0x7fffffff
	inc	eax
	TRAPS	E_OF, into
	TRAPS	E_BP, int3
	TRAPS	0x44, int 0x44
	CHECK	{esp, STACK}
	; x87, MMX and SSE switched off
	mov	eax, cr0
	or	al, 8			; TS
	mov	cr0, eax
	FAULTS	E_NM, NOERR, fld1
	FAULTS	E_NM, NOERR, fwait
	FAULTS	E_NM, NOERR, movd mm0, eax
	FAULTS	E_NM, NOERR, addps xmm0, xmm1
	FAULTS	E_NM, NOERR, fnstsw ax
	clts
	fnstsw	ax
	mov	eax, cr0
	or	al, 4			; EM
	mov	cr0, eax
	FAULTS	E_NM, NOERR, fld1
	FAULTS	E_UD, NOERR, movd mm0, eax
	FAULTS	E_UD, NOERR, addps xmm0, xmm1
	fwait
	and	al, ~4
	mov	cr0, eax
	mov	eax, cr4
	and	eax, ~0x200		; OSFXSR
	mov	cr4, eax
	FAULTS	E_UD, NOERR, addps xmm0, xmm1
	movd	mm0, eax
	or	eax, 0x200
	mov	cr4, eax
	addps	xmm0, xmm1
	FAULTS	E_GP, 0, movaps xmm0, [0xa004]
	FAULTS	E_GP, 0, addps xmm0, [0xa008]
	DONE
