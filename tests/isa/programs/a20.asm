; SPDX-License-Identifier: GPL-2.0-or-later
; Address bit 20 masked: data, code and page tables; entries of directories and tables too.
%include "isa.inc"
HIGH	equ 0x100000
LOW	equ 0x10000		; and HIGH + LOW, which is the same with the mask
DIR	equ 0x40000
TABLE	equ 0x41000
PLAY	equ 0x400000
%macro A20 1
	push	eax
	mov	al, %1
	out	P_A20, al
	pop	eax
%endmacro
%macro IS 2
	mov	eax, %1
	cmp	eax, %2
	je	%%ok
	NEVER
%%ok:
%endmacro
PROGRAM PM32
	mov	ebp, 20
.round:	mov	dword [LOW], 0x11111111
	mov	dword [HIGH + LOW], 0x22222222
	A20	0
	IS	[HIGH + LOW], 0x11111111
	mov	dword [HIGH + LOW + 4], 0x33333333
	IS	[LOW + 4], 0x33333333
	A20	1
	IS	[HIGH + LOW], 0x22222222
	IS	[LOW + 4], 0x33333333
	; an access across the border of megabytes
	mov	dword [HIGH], 0x66665555
	mov	dword [HIGH - 4], 0x44443333
	mov	ebx, [0]
	mov	dword [0], 0x88887777
	IS	[HIGH - 2], 0x55554444
	A20	0
	IS	[HIGH - 2], 0x77774444
	mov	dword [HIGH - 2], 0xbbbbaaaa
	IS	[0], 0x8888bbbb
	A20	1
	IS	[HIGH], 0x66665555
	IS	[HIGH - 4], 0xaaaa3333
	mov	[0], ebx
	; code
	mov	dword [LOW + 0x100], 0x000001b8	; mov eax, 1; ret
	mov	word [LOW + 0x104], 0xc300
	mov	dword [HIGH + LOW + 0x100], 0x000002b8
	mov	word [HIGH + LOW + 0x104], 0xc300
	mov	ecx, 4
.code:	call	HIGH + LOW + 0x100
	IS	eax, 2
	A20	0
	call	HIGH + LOW + 0x100
	IS	eax, 1
	mov	byte [HIGH + LOW + 0x101], 5
	call	HIGH + LOW + 0x100
	IS	eax, 5
	call	LOW + 0x100
	IS	eax, 5
	mov	byte [LOW + 0x101], 1
	A20	1
	dec	ecx
	jnz	.code
	; strings
	mov	edi, HIGH - 16
	mov	eax, 0x99999999
	mov	ebx, [0]
	mov	esi, [4]
	mov	ecx, 6
	A20	0
	rep	stosd
	A20	1
	IS	[0], 0x99999999
	IS	[4], 0x99999999
	IS	[HIGH - 4], 0x99999999
	IS	[HIGH], 0x66665555
	mov	[0], ebx
	mov	[4], esi
	call	paging
	dec	ebp
	jnz	.round
	CHECK	{esp, STACK}
	DONE

; The directory and the table lie below HIGH, others in the same places above it.
paging:	mov	edi, DIR
	mov	ecx, 2048
	xor	eax, eax
	rep	stosd
	mov	edi, HIGH + 0x10000
	mov	ecx, 2048
	rep	stosd
	mov	dword [DIR], 0x83	; 0 to 4 MiB
	mov	dword [DIR + PLAY / 0x400000 * 4], TABLE | 3
	mov	dword [TABLE], LOW | 3
	mov	dword [TABLE + 4], (HIGH + LOW) | 3
	mov	eax, cr4
	or	al, 0x10
	mov	cr4, eax
	mov	eax, DIR
	mov	cr3, eax
	mov	ebx, cr0
	mov	edx, ebx
	or	edx, 0x80000000
	mov	cr0, edx
	mov	dword [LOW], 0x11111111
	mov	dword [HIGH + LOW], 0x22222222
	IS	[PLAY], 0x11111111
	IS	[PLAY + 0x1000], 0x22222222
	A20	0
	IS	[PLAY], 0x11111111
	IS	[PLAY + 0x1000], 0x11111111
	IS	[HIGH + LOW], 0x11111111
	mov	dword [PLAY + 0x1000], 0x44444444
	IS	[PLAY], 0x44444444
	IS	[LOW], 0x44444444
	A20	1
	IS	[PLAY + 0x1000], 0x22222222
	IS	[PLAY], 0x44444444
	; the table's own address: HIGH + LOW + 0x1000, of which the mask makes LOW + 0x1000
	mov	dword [HIGH + LOW + 0x1000], (LOW + 0x2000) | 3
	mov	dword [LOW + 0x1000], (LOW + 0x3000) | 3
	mov	dword [LOW + 0x2000], 2
	mov	dword [LOW + 0x3000], 3
	mov	dword [DIR + PLAY / 0x400000 * 4], (HIGH + LOW + 0x1000) | 3
	mov	eax, DIR
	mov	cr3, eax
	IS	[PLAY], 2
	A20	0
	IS	[PLAY], 3
	A20	1
	IS	[PLAY], 2
	mov	cr0, ebx
	ret
