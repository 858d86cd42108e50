; SPDX-License-Identifier: GPL-2.0-or-later
; An MZ program: two code segments, data and a stack of its own, joined by relocations. Exits through INT 60h with AX = result.
	cpu 386
	bits 16
	org 0

HEADER	equ 64
%define SEG_OF(label) ((label - image) / 16)

header:
	db 'MZ'
	dw (end - header) % 512
	dw (end - header + 511) / 512
	dw (relocations_end - relocations) / 4
	dw HEADER / 16
	dw 0x40, 0xffff			; memory wanted
	dw SEG_OF(stack), 0x200		; SS, SP
	dw 0				; checksum
	dw start, 0			; IP, CS
	dw relocations - header
	dw 0
relocations:
	dw fixup_1 - image, 0
	dw fixup_2 - image, 0
	dw fixup_3 - second, SEG_OF(second)
	dw fixup_4 - data, SEG_OF(data)
relocations_end:
	times HEADER - ($ - header) db 0

image:
start	equ $ - image
	mov ax, SEG_OF(data)
fixup_1	equ $ - 2
	mov ds, ax
	mov cx, 10
	xor ax, ax
again:
	push cx
	push ax
	db 0x9a				; call second:twice
	dw twice
fixup_2:
	dw SEG_OF(second)
	pop ax
	pop cx
	add ax, dx
	loop again
	call far [far_pointer - data]
	int 0x60
	align 16, db 0x90

second:
twice	equ $ - second			; DX = 2 * CX, through data
	mov bx, sp
	mov dx, [ss:bx + 6]
	mov [value - data], dx
	push ds
	mov bx, SEG_OF(data)
fixup_3	equ $ - 2
	mov ds, bx
	shl word [value - data], 1
	mov dx, [value - data]
	pop ds
	retf
last	equ $ - second
	add ax, 1000
	inc word [runs - data]
	mov bx, [runs - data]
	retf
	align 16, db 0x90

data:
value:		dw 0
runs:		dw 0
far_pointer:	dw last
fixup_4:	dw SEG_OF(second)
	align 16, db 0
stack:
	times 16 db 0
end:
