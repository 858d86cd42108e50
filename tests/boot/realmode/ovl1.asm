; SPDX-License-Identifier: GPL-2.0-or-later
; First overlay: AX = AX * 3 + CX sum of BX words at DS:SI. Another one is loaded over it.
	cpu 386
	bits 16
	org 0

	jmp near entry
	times 512 - ($ - $$) db 0x90	; lies in the second sector
entry:
	push bx
	push si
	imul ax, 3
	xor cx, cx
.next:
	add cx, [si]
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
	; A tail on a second page, called through a register.
tail:
	mov di, 0x1111
	retf
