; SPDX-License-Identifier: GPL-2.0-or-later
; Alignment checks: CPL 3, CR0.AM and EFLAGS.AC, for every kind of operand; where they do not apply; what comes before them (SDM vol. 3, 6.15, table 6-7).
%include "isa.inc"
W	equ 0xa000
CR0_AM	equ 1 << 18
PROGRAM PM32
	mov	eax, cr0
	or	eax, CR0_AM
	mov	cr0, eax
	; ring 0: none
	push	dword AC | 2
	popfd
	mov	eax, [W + 1]
	mov	word [W + 4], LIMIT_4K
	push	dword DATA32_3
	push	dword 0xe000
	push	dword AC | 2
	push	dword CODE32_3
	push	dword .ring3
	iretd
.ring3:	mov	ax, DATA32_3
	mov	ds, ax
	mov	es, ax
	mov	ax, LIMIT_4K | 3
	mov	fs, ax
	mov	ebx, W
	mov	ecx, 8
	mov	edx, ebx
	mov	edi, W + 0x101
	mov	esi, W + 0x100
	mov	ebp, W + 0x203
	mov	dword [ebx + 4], LIMIT_4K
	CHECK	{flags, AC, AC|IF}
	; aligned, and bytes
	mov	eax, [ebx]
	mov	ax, [ebx + 2]
	mov	al, [ebx + 3]
	inc	byte [ebx + 1]
	fld	qword [ebx + 8]
	fstp	qword [ebx + 16]
	fild	word [ebx + 2]
	fstp	dword [ebx + 4]
	mov	dword [ebx + 4], LIMIT_4K
	movzx	eax, byte [ebx + 1]
	lea	eax, [ebx + 1]
	nop	dword [ebx + 1]
	; all kinds
	FAULTS	E_AC, 0, mov eax, [ebx + 1]
	FAULTS	E_AC, 0, mov eax, [ebx + 2]
	FAULTS	E_AC, 0, mov [ebx + 3], eax
	FAULTS	E_AC, 0, mov ax, [ebx + 1]
	FAULTS	E_AC, 0, mov word [ebx + 3], 5
	FAULTS	E_AC, 0, mov dword [ebx + 2], 5
	FAULTS	E_AC, 0, add [ebx + 1], eax
	FAULTS	E_AC, 0, add eax, [ebx + 1]
	FAULTS	E_AC, 0, cmp [ebx + 1], ax
	FAULTS	E_AC, 0, inc word [ebx + 1]
	FAULTS	E_AC, 0, xchg [ebx + 2], eax
	FAULTS	E_AC, 0, lock xadd [ebx + 2], eax
	FAULTS	E_AC, 0, cmpxchg [ebx + 2], ecx
	FAULTS	E_AC, 0, movzx eax, word [ebx + 1]
	FAULTS	E_AC, 0, imul eax, [ebx + 2], 3
	FAULTS	E_AC, 0, div dword [ebx + 2]
	FAULTS	E_AC, 0, shl dword [ebx + 1], 1
	FAULTS	E_AC, 0, cmovz eax, [ebx + 1]
	FAULTS	E_AC, 0, not word [ebx + 1]
	FAULTS	E_AC, 0, bt dword [ebx + 1], 3
	FAULTS	E_AC, 0, mov ax, [edi]
	FAULTS	E_AC, 0, mov [ebp], ax
	; far pointers and selectors
	FAULTS	E_AC, 0, mov gs, [ebx + 1]
	FAULTS	E_AC, 0, les eax, [ebx + 1]
	FAULTS	E_AC, 0, jmp far [ebx + 1]
	FAULTS	E_AC, 0, call far [ebx + 2]
	FAULTS	E_AC, 0, lss esp, [ebx + 2]
	mov	word [ebx + 24], 0x1234
	mov	word [ebx + 26], LIMIT_4K | 3
	o16 lgs	ax, [ebx + 24]
	mov	word [ebx + 28], LIMIT_4K | 3
	o16 lgs	ax, [ebx + 26]
	FAULTS	E_AC, 0, o16 lgs ax, [ebx + 25]
	FAULTS	E_AC, 0, sidt [ebx + 2]
	FAULTS	E_AC, 0, bound eax, [ebx + 34]
	mov	dword [ebx + 36], 0
	mov	dword [ebx + 40], -1
	xor	eax, eax
	FAULTS	E_BR, NOERR, bound eax, [ebx + 36]
	FAULTS	E_AC, 0, jmp [ebx + 1]
	FAULTS	E_AC, 0, call [ebx + 2]
	; strings
	FAULTS	E_AC, 0, stosw
	FAULTS	E_AC, 0, stosd
	FAULTS	E_AC, 0, movsd
	FAULTS	E_AC, 0, scasd
	FAULTS	E_AC, 0, rep stosd
	stosb
	dec	edi
	mov	esi, W + 0x102
	FAULTS	E_AC, 0, lodsd
	lodsw
	mov	esi, W
	mov	edi, W + 0x100
	rep movsd
	CHECK	{ecx, 0}
	; x87
	FAULTS	E_AC, 0, fld dword [ebx + 2]
	FAULTS	E_AC, 0, fld qword [ebx + 2]
	FAULTS	E_AC, 0, fild word [ebx + 1]
	FAULTS	E_AC, 0, fldcw [ebx + 1]
	FAULTS	E_AC, 0, fnstsw [ebx + 1]
	FAULTS	E_AC, 0, fld tword [ebx + 4]
	FAULTS	E_AC, 0, fbld [ebx + 0x44]
	FAULTS	E_AC, 0, fnstenv [ebx + 0x42]
	FAULTS	E_AC, 0, fldenv [ebx + 0x42]
	FAULTS	E_AC, 0, o16 fnstenv [ebx + 0x41]
	FAULTS	E_AC, 0, fnsave [ebx + 0x82]
	FAULTS	E_AC, 0, frstor [ebx + 0x82]
	FAULTS	E_AC, 0, o16 fnsave [ebx + 0x81]
	fnstenv	[ebx + 0x44]
	o16 fnstenv [ebx + 0x42]
	fninit
	fld	tword [ebx + 0x48]
	fstp	st0
	fldz
	FAULTS	E_AC, 0, fstp tword [ebx + 0x44]
	FAULTS	E_AC, 0, fstp dword [ebx + 1]
	FAULTS	E_AC, 0, fistp word [ebx + 1]
	fstp	st0
	; SSE
	FAULTS	E_AC, 0, movss xmm0, [ebx + 2]
	FAULTS	E_AC, 0, movd [ebx + 1], xmm0
	FAULTS	E_AC, 0, ldmxcsr [ebx + 2]
	FAULTS	E_AC, 0, cvtsi2ss xmm0, [ebx + 1]
	movups	xmm0, [ebx + 16]
	FAULTS	E_GP, 0, movaps xmm0, [ebx + 8]
	; stacks
	mov	esp, 0xe002
	FAULTS	E_AC, 0, push eax
	FAULTS	E_AC, 0, pop eax
	FAULTS	E_AC, 0, pushfd
	FAULTS	E_AC, 0, push dword [ebx]
	FAULTS	E_AC, 0, call .ring3
	FAULTS	E_AC, 0, ret
	FAULTS	E_AC, 0, pushad
	FAULTS	E_AC, 0, popad
	push	ax
	FAULTS	E_GP, 0, hlt			; the stack of ring 0 is another
	mov	esp, 0xe001
	FAULTS	E_AC, 0, push ax
	FAULTS	E_AC, 0, leave
	mov	esp, 0xe000
	; what comes first: the segment's limit and its kind, then alignment
	FAULTS	E_GP, 0, mov eax, [fs:0xffd]
	FAULTS	E_GP, 0, mov [cs:ebx + 1], eax
	FAULTS	E_AC, 0, mov eax, [fs:0xffb]
	; without AC, and again
	pushfd
	and	dword [esp], ~AC
	popfd
	mov	eax, [ebx + 1]
	mov	[ebx + 3], ax
	pushfd
	or	dword [esp], AC
	popfd
	FAULTS	E_AC, 0, mov eax, [ebx + 1]
	; INT saves AC and keeps it; it means nothing in ring 0
	mov	ecx, 50
.loop:	mov	eax, [ebx]
	TRAPS	0x40, int 0x40
	loop	.loop
	CHECK	{flags, AC, AC}
	FAULTS	E_AC, 0, mov eax, [ebx + 1]
	DONE
