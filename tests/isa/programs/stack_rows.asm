; SPDX-License-Identifier: GPL-2.0-or-later
; Rows of pushes, pops, calls and returns with a fault between, or at, any of them: what the fault finds as ESP, and what
; the row comes to. A translator may move the stack pointer once for all of a row.
%include "isa.inc"
SEEN	equ 0xa000		; ESP at each fault, in order
BEYOND	equ 0x1000		; the limit of FS

; An instruction that raises #GP, is noted, and skipped. It changes neither flags nor registers.
%macro NOTED 1+
	mov	dword [.skip_to], %%behind
	%1
%%behind:
%endmacro

PROGRAM PM32
	mov	eax, .fault
	mov	[IDT + 8 * 13], ax
	shr	eax, 16
	mov	[IDT + 8 * 13 + 6], ax
	mov	ax, LIMIT_4K
	mov	fs, ax
	mov	eax, 1
	mov	ecx, 2
	mov	edx, 3
	mov	ebx, 0x4000
	mov	ebp, 6
	mov	dword [.next], SEEN
	mov	esp, STACK
	; between pushes and pops of both sizes
	NOTED	mov esi, [fs:BEYOND]
	push	eax
	NOTED	add [fs:BEYOND], eax
	push	cx
	NOTED	push dword [fs:BEYOND]
	push	byte -7
	NOTED	mov [fs:BEYOND], dl
	pop	esi
	NOTED	pop dword [fs:BEYOND]
	pop	di
	pop	eax
	NOTED	mov esi, [fs:BEYOND]
	CHECK	{esp, STACK}, {eax, 1}, {esi, -7}
	CHECK	{mem32, SEEN, STACK}, {mem32, SEEN + 4, STACK - 4}, {mem32, SEEN + 8, STACK - 6}, {mem32, SEEN + 12, STACK - 10}
	CHECK	{mem32, SEEN + 16, STACK - 6}, {mem32, SEEN + 20, STACK}
	; around calls and returns, ESP named in operands on the way
	mov	dword [.next], SEEN
	push	eax
	push	ecx
	NOTED	call [fs:BEYOND]
	call	.f
	NOTED	mov esi, [fs:BEYOND]
	push	esp
	pop	esi
	push	dword [esp + 4]
	NOTED	jmp [fs:BEYOND]
	pop	dword [esp - 8]		; at what ESP is behind it
	add	esp, 4
	pop	edi
	CHECK	{esp, STACK}, {esi, STACK - 8}, {edi, 1}, {mem32, STACK - 16, 1}
	CHECK	{mem32, SEEN, STACK - 8}, {mem32, SEEN + 4, STACK - 20}, {mem32, SEEN + 8, STACK - 16}, {mem32, SEEN + 12, STACK - 8}
	CHECK	{mem32, SEEN + 16, STACK - 12}
	; operands beside ESP while it moves; a copy of it
	mov	dword [.next], SEEN
	push	eax
	push	ecx
	mov	esi, [esp + 4]
	add	dword [esp], 0x100
	push	ecx
	mov	edi, esp
	NOTED	add [fs:BEYOND], eax
	mov	[esp + 2 * ecx + 120], edi
	lea	edx, [esp + 8]
	call	[.vector + esp - STACK + 12]
	push	dword [esp + 4]
	pop	dword [esp]
	movzx	ebx, byte [esp + 5]
	pop	edx
	pop	edx
	pop	ecx
	CHECK	{esp, STACK}, {esi, 1}, {edi, STACK - 12}, {ebx, 1}, {edx, 0x102}, {ecx, 1}, {mem32, STACK + 112, STACK - 12}
	CHECK	{mem32, SEEN, STACK - 12}, {mem32, SEEN + 4, STACK - 24}, {mem32, SEEN + 8, STACK - 20}
	mov	eax, 1
	mov	ecx, 2
	mov	ebx, 0x4000
	; LEAVE forgets what was pushed; a return that takes arguments away
	mov	dword [.next], SEEN
	push	eax
	push	ecx
	call	.g
	NOTED	mov esi, [fs:BEYOND]
	CHECK	{esp, STACK}, {ebp, 6}, {mem32, SEEN, STACK - 28}, {mem32, SEEN + 4, STACK - 12}, {mem32, SEEN + 8, STACK}
	; longer than any translator would count on
	mov	dword [.next], SEEN
	%rep 70
	push	ebx
	%endrep
	NOTED	mov esi, [fs:BEYOND]
	%rep 69
	pop	eax
	%endrep
	NOTED	mov esi, [fs:BEYOND]
	pop	eax
	CHECK	{esp, STACK}, {eax, 0x4000}, {mem32, SEEN, STACK - 280}, {mem32, SEEN + 4, STACK - 4}
	; both ways of a branch, and around a loop
	mov	dword [.next], SEEN
	mov	ecx, 5
.again:	push	ecx
	push	eax
	cmp	ecx, 3
	je	.three
	pop	edx
	NOTED	mov esi, [fs:BEYOND]
	pop	edx
	loop	.again
	jmp	.done
.three:	NOTED	mov esi, [fs:BEYOND]
	pop	edx
	pop	edx
	loop	.again
.done:	CHECK	{esp, STACK}, {edx, 1}, {mem32, SEEN, STACK - 4}, {mem32, SEEN + 4, STACK - 4}, {mem32, SEEN + 8, STACK - 8}
	CHECK	{mem32, SEEN + 12, STACK - 4}, {mem32, SEEN + 16, STACK - 4}
	DONE
.f:	push	ebp
	push	ebx
	NOTED	mov esi, [fs:BEYOND]
	pop	ebx
	NOTED	mov esi, [fs:BEYOND]
	pop	ebp
	ret
.g:	push	ebp
	mov	ebp, esp
	push	eax
	push	ebx
	push	ecx
	NOTED	mov esi, [fs:BEYOND]
	leave
	NOTED	mov esi, [fs:BEYOND]
	ret	8
.fault:	pushfd
	push	eax
	push	edi
	lea	eax, [esp + 28]		; three saved here, error code, EIP, CS, EFLAGS
	mov	edi, [.next]
	mov	[edi], eax
	mov	dword [edi + 4], 0
	add	edi, 4
	mov	[.next], edi
	mov	eax, [.skip_to]
	mov	[esp + 16], eax
	pop	edi
	pop	eax
	popfd
	add	esp, 4
	iretd
	align 4
.next:	dd 0
.skip_to: dd 0
.vector: dd .f
