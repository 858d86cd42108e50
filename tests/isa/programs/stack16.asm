; SPDX-License-Identifier: GPL-2.0-or-later
; Stack instructions in real-address mode: 16-bit stack pointer, wrap at 64 KiB, words across the end.
%include "isa.inc"
PROGRAM REAL
	mov	esp, 0xabcd0000 | STACK	; the upper half stays
	mov	eax, 0x11223344
	push	ax
	CHECK	{esp, 0xabcd0000 | (STACK - 2)}, {mem16, STACK - 2, 0x3344}
	push	eax
	CHECK	{esp, 0xabcd0000 | (STACK - 6)}, {mem32, STACK - 6, 0x11223344}
	pop	ebx
	pop	cx
	CHECK	{esp, 0xabcd0000 | STACK}, {ebx, 0x11223344}, {ecx, 0x3344}
	push	sp
	CHECK	{mem16, STACK - 2, STACK}
	pop	dx
	push	byte -3
	push	word 0x8899
	push	dword 0xdeadbeef
	CHECK	{mem16, STACK - 2, 0xfffd}, {mem16, STACK - 4, 0x8899}, {mem32, STACK - 8, 0xdeadbeef}
	mov	sp, STACK
	; wrap from 0 to FFFE, and back
	mov	ax, 0x1000
	mov	ss, ax
	mov	esp, 0x55550000
	push	word 0x1234
	CHECK	{esp, 0x5555fffe}, {mem16, 0x1fffe, 0x1234}
	pop	bx
	CHECK	{esp, 0x55550000}, {bx, 0x1234}
	mov	esp, 0x55550002
	FAULTS_PART E_SS, NOERR, push dword 0x11112222	; at FFFE it crosses the end of the segment
	mov	sp, 4
	push	dword 0x33334444
	CHECK	{esp, 0x55550000}, {mem32, 0x10000, 0x33334444}
	pushad				; to FFE0
	CHECK	{esp, 0x5555ffe0}, {mem32, 0x1ffe0 + 12, 0x55550000}
	popad
	CHECK	{esp, 0x55550000}
	mov	esp, 0x5555fff8
	mov	cx, 0x8765
	pusha
	CHECK	{esp, 0x5555ffe8}, {mem16, 0x1fff4, 0x8765}
	mov	word [0x9000], 0
	popa
	CHECK	{cx, 0x8765}, {esp, 0x5555fff8}
	; frames
	mov	sp, 0x100
	mov	ebp, 0x77770200
	enter	6, 0
	CHECK	{esp, 0x555500f8}, {ebp, 0x777700fe}, {mem16, 0x100fe, 0x200}
	leave
	CHECK	{esp, 0x55550100}, {ebp, 0x77770200}
	mov	word [ss:0x1fe], 0x4444
	enter	2, 2
	CHECK	{esp, 0x555500f8}, {bp, 0xfe}, {mem16, 0x100fc, 0x4444}, {mem16, 0x100fa, 0xfe}
	o32 leave
	CHECK	{esp, 0x55550102}, {ebp, 0x200}
	; segment registers: POP SS and what follows
	mov	sp, 0x100
	push	es
	push	cs
	push	ss
	CHECK	{mem16, 0x100fe, 0}, {mem16, 0x100fc, 0}, {mem16, 0x100fa, 0x1000}
	mov	dword [ss:0xf6], 0xffffffff
	push	dword 0x2345
	pop	fs
	pop	gs
	CHECK	{fs, 0x2345}, {gs, 0}
	push	word 0
	pop	ss
	mov	esp, STACK
	CHECK	{ss, 0}, {esp, STACK}
	; flags
	push	word 0xffff & ~TF
	popf
	CHECK	{flags, CF|PF|AF|ZF|SF|OF|DF|IF|NT|0x3000, ARITH|DF|IF|NT|0x3000}
	push	dword 0x247fd7 & ~TF & ~IF	; VM and RF are not loaded, AC and ID are
	popfd
	CHECK	{flags, 0x240000, 0x270000}
	push	word 2
	popf
	pushfd
	CHECK	{mem16, STACK - 4, 2}
	DONE
