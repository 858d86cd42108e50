; SPDX-License-Identifier: GPL-2.0-or-later
; What image.py packs and overlay.asm unpacks in place: a table with repetitions and code that sums it.
	cpu 386
	bits 16
	org 0

	push si
	push cx
	xor ax, ax
	xor dx, dx
	mov si, table
	mov cx, (table_end - table) / 2
.next:
	add ax, [cs:si]
	adc dx, 0
	add si, 2
	loop .next
	mov bx, [cs:sum]
	pop cx
	pop si
	retf
%assign total 0
%macro WORDS 2
%assign i 0
%rep %1
	dw (%2) & 0xffff
%assign total total + ((%2) & 0xffff)
%assign i i + 1
%endrep
%endmacro
table:
	WORDS 300, 0x1234
	WORDS 200, i * 7
	WORDS 300, 0x1234
	WORDS 500, (i % 10) * 257
	WORDS 200, i * 7
	WORDS 1000, 0
	WORDS 64, i * i * 31
table_end:
sum:	dw total & 0xffff
