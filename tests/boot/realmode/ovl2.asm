; SPDX-License-Identifier: GPL-2.0-or-later
; Second overlay, of the same shape: AX = AX - 5, CX = exclusive or of the words.
	cpu 386
	bits 16
	org 0

	jmp near entry
	times 512 - ($ - $$) db 0x90
entry:
	push bx
	push si
	sub ax, 5
	xor cx, cx
.next:
	xor cx, [si]
	add si, 2
	dec bx
	jnz .next
	pop si
	pop bx
	inc word [cs:calls]
	mov dx, [cs:calls]
	retf
calls:	dw 0
	times 4096 - ($ - $$) db 0x90
tail:
	mov di, 0x2222
	retf
