; SPDX-License-Identifier: GPL-2.0-or-later
; INT 10h: text output and scrolling, mode 13h, planar mode 12h with the write modes, VBE with banks and linear. Ends in mode 3.
%include "program.inc"

PAGE_ROWS	equ 25

main:
	push word 0x40
	pop fs
	mov ax, 3
	int 0x10
	call text
	call mode_13
	call mode_12
	call vbe
	mov ax, 3
	int 0x10
	mov ah, 0x0f
	int 0x10
	COMPARE al, 3, '0Fh: mode 3 at the end'
	jmp finish

; --- text ---

text:
	push word 0xb800
	pop es
	mov ah, 0x0f
	int 0x10
	COMPARE ax, 0x5003, '0Fh: mode, columns'
	COMPARE word [es:0], 0x0720, 'mode 3: cleared'
	mov dx, 0x0510
	call move_to
	mov ah, 3
	mov bh, 0
	int 0x10
	COMPARE dx, 0x0510, '03h: cursor'
	mov ax, 0x0941
	mov bx, 0x1e
	mov cx, 3
	int 0x10
	mov ax, [es:(5 * 80 + 16) * 2]
	COMPARE ax, 0x1e41, '09h: first'
	mov ax, [es:(5 * 80 + 18) * 2]
	COMPARE ax, 0x1e41, '09h: third'
	mov ax, [es:(5 * 80 + 19) * 2]
	COMPARE ax, 0x0720, '09h: no fourth'
	mov ah, 8
	mov bh, 0
	int 0x10
	COMPARE ax, 0x1e41, '08h'
	; Teletype: characters, carriage return, line feed, backspace; the cursor in the CRTC follows.
	mov dx, 0x0a4e
	call move_to
	mov si, .tty
.char:
	lodsb
	test al, al
	jz .written
	mov ah, 0x0e
	mov bx, 7
	int 0x10
	jmp .char
.tty:	db 'xyzw', 13, 10, 'q', 8, 'r', 0
.written:
	COMPARE byte [es:(10 * 80 + 79) * 2], 'y', '0Eh: last column'
	COMPARE byte [es:(11 * 80) * 2], 'z', '0Eh: wrapped'
	COMPARE byte [es:(12 * 80) * 2], 'r', '0Eh: CR, LF, BS'
	mov ah, 3
	mov bh, 0
	int 0x10
	COMPARE dx, 0x0c01, '0Eh: cursor'
	mov dx, 0x3d4
	mov al, 0x0e
	out dx, al
	inc dx
	in al, dx
	mov bh, al
	dec dx
	mov al, 0x0f
	out dx, al
	inc dx
	in al, dx
	mov bl, al
	COMPARE bx, 12 * 80 + 1, 'CRTC: cursor'
	; Scrolling at the bottom.
	mov byte [es:(24 * 80) * 2], 'B'
	mov dx, 0x1800
	call move_to
	mov ax, 0x0e0a
	mov bx, 7
	int 0x10
	COMPARE byte [es:(23 * 80) * 2], 'B', '0Eh: LF in the last line scrolls'
	COMPARE byte [es:(24 * 80) * 2], ' ', '0Eh: LF clears the last line'
	; Windows up and down.
	mov word [es:(3 * 80 + 3) * 2], 0x1755
	mov ax, 0x0601
	mov bh, 0x20
	mov cx, 0x0203
	mov dx, 0x0405
	int 0x10
	mov ax, [es:(2 * 80 + 3) * 2]
	COMPARE ax, 0x1755, '06h: up'
	mov ax, [es:(4 * 80 + 5) * 2]
	COMPARE ax, 0x2020, '06h: filled'
	mov ax, 0x0702
	mov bh, 0x30
	mov cx, 0x0203
	mov dx, 0x0405
	int 0x10
	mov ax, [es:(4 * 80 + 3) * 2]
	COMPARE ax, 0x1755, '07h: down'
	mov ax, [es:(2 * 80 + 3) * 2]
	COMPARE ax, 0x3020, '07h: filled'
	; 13h: a string with attributes.
	push cs
	pop es
	mov bp, .string
	mov ax, 0x1303
	mov bx, 0
	mov cx, 2
	mov dx, 0x1405
	int 0x10
	push word 0xb800
	pop es
	mov ax, [es:(20 * 80 + 6) * 2]
	COMPARE ax, 0x1f42, '13h'
	mov dx, 0
	call move_to
	ret
.string:	db 'A', 0x1e, 'B', 0x1f

move_to:
	mov ah, 2
	mov bh, 0
	int 0x10
	ret

; --- 320 x 200, 256 colours ---

mode_13:
	mov ax, 0x13
	int 0x10
	push word 0xa000
	pop es
	COMPARE word [es:1000], 0, 'mode 13h: cleared'
	mov cx, 123
	mov dx, 45
	mov ax, 0x0c5a
	mov bh, 0
	int 0x10
	COMPARE byte [es:45 * 320 + 123], 0x5a, '0Ch: pixel'
	mov byte [es:45 * 320 + 124], 0xa5
	mov cx, 124
	mov ah, 0x0d
	mov bh, 0
	int 0x10
	COMPARE al, 0xa5, '0Dh: pixel'
	xor di, di
	mov al, 0x33
	mov cx, 64000
	rep stosb
	COMPARE di, 64000, 'mode 13h: fill'
	COMPARE byte [es:63999], 0x33, 'mode 13h: last pixel'
	mov bx, 0x11
	mov dh, 0x15
	mov ch, 0x2a
	mov cl, 0x3f
	mov ax, 0x1010
	int 0x10
	xor cx, cx
	mov dh, 0
	mov ax, 0x1015
	mov bx, 0x11
	int 0x10
	COMPARE cx, 0x2a3f, '1015h: green and blue'
	COMPARE dh, 0x15, '1015h: red'
	ret

; --- 640 x 480, 16 colours: planes ---

%macro GC 2	; graphics controller
	mov dx, 0x3ce
	mov ax, %1 | (%2) << 8
	out dx, ax
%endmacro
%macro SEQ 2
	mov dx, 0x3c4
	mov ax, %1 | (%2) << 8
	out dx, ax
%endmacro

mode_12:
	mov ax, 0x12
	int 0x10
	push word 0xa000
	pop es
	; Plane by plane through the map mask; read back plane by plane.
	mov bx, 0x100
	SEQ 2, 1
	mov byte [es:bx], 0x11
	SEQ 2, 2
	mov byte [es:bx], 0x22
	SEQ 2, 4
	mov byte [es:bx], 0x44
	SEQ 2, 8
	mov byte [es:bx], 0x88
	GC 4, 0
	COMPARE byte [es:bx], 0x11, 'planes: 0'
	GC 4, 1
	COMPARE byte [es:bx], 0x22, 'planes: 1'
	GC 4, 2
	COMPARE byte [es:bx], 0x44, 'planes: 2'
	GC 4, 3
	COMPARE byte [es:bx], 0x88, 'planes: 3'
	; Write mode 1 copies all four through the latches.
	SEQ 2, 15
	GC 5, 1
	mov al, [es:bx]
	mov [es:bx + 1], al
	mov si, bx
	lea di, [bx + 2]
	mov cx, 3
	push ds
	push es
	pop ds
	rep movsb		; 100, 101, 102 to 102, 103, 104
	pop ds
	GC 5, 0
	GC 4, 2
	COMPARE byte [es:bx + 1], 0x44, 'write mode 1: plane 2'
	COMPARE byte [es:bx + 4], 0x44, 'write mode 1: plane 2 by MOVSB'
	GC 4, 3
	COMPARE byte [es:bx + 3], 0x88, 'write mode 1: plane 3 by MOVSB'
	; Write mode 2: the data are a colour, the bit mask picks pixels, the others come from the latches.
	GC 5, 2
	GC 8, 0xf0
	mov al, [es:bx]
	mov byte [es:bx], 0x05
	GC 5, 0
	GC 8, 0xff
	GC 4, 0
	COMPARE byte [es:bx], 0xf1, 'write mode 2: plane 0'
	GC 4, 1
	COMPARE byte [es:bx], 0x02, 'write mode 2: plane 1'
	; Set/reset, and XOR.
	GC 0, 0x0a
	GC 1, 0x0f
	mov byte [es:bx], 0
	GC 1, 0
	GC 4, 1
	COMPARE byte [es:bx], 0xff, 'set/reset: plane 1'
	GC 4, 0
	COMPARE byte [es:bx], 0x00, 'set/reset: plane 0'
	GC 3, 0x18
	mov al, [es:bx]
	mov byte [es:bx], 0x3c
	GC 3, 0
	GC 4, 1
	COMPARE byte [es:bx], 0xc3, 'XOR: plane 1'
	; Read mode 1: which pixels have colour 3 (planes 0 and 1 as now: 3c, c3)
	GC 2, 0x0e
	GC 7, 0x0f
	GC 5, 8
	mov al, [es:bx]
	GC 5, 0
	EXPECT e, 'flags survive'
	mov cx, 10
	mov dx, 10
	mov ax, 0x0c0b
	mov bh, 0
	int 0x10
	mov ah, 0x0d
	mov bh, 0
	int 0x10
	COMPARE al, 0x0b, '0Ch, 0Dh in mode 12h'
	ret

; --- VBE ---

vbe:
	push cs
	pop es
	mov di, buffer
	mov dword [di], 'VBE2'
	mov ax, 0x4f00
	int 0x10
	COMPARE ax, 0x004f, '4F00h'
	COMPARE dword [buffer], 'VESA', '4F00h: signature'
	cmp word [buffer + 4], 0x200
	EXPECT ae, '4F00h: version'
	; Mode 101h: 640 x 480, 8 bits.
	mov di, buffer
	mov ax, 0x4f01
	mov cx, 0x101
	int 0x10
	COMPARE ax, 0x004f, '4F01h'
	COMPARE word [buffer + 18], 640, '4F01h: width'
	COMPARE word [buffer + 20], 480, '4F01h: height'
	COMPARE byte [buffer + 25], 8, '4F01h: bits'
	mov eax, [buffer + 40]
	mov [linear], eax
	test eax, eax
	EXPECT nz, '4F01h: linear framebuffer'
	mov ax, 0x4f02
	mov bx, 0x101
	int 0x10
	COMPARE ax, 0x004f, '4F02h'
	mov ax, 0x4f03
	int 0x10
	and bx, 0x3fff
	COMPARE bx, 0x101, '4F03h'
	; Banks of 64 KiB.
	push word 0xa000
	pop es
	mov cx, 0
.fill:
	mov dx, cx
	call bank
	mov [es:0x1234], cl
	inc cx
	cmp cx, 4
	jb .fill
	mov cx, 0
.check:
	mov dx, cx
	call bank
	COMPARE [es:0x1234], cl, '4F05h: banks'
	inc cx
	cmp cx, 4
	jb .check
	mov ax, 0x4f05
	mov bx, 0x100
	mov dx, 0
	int 0x10
	COMPARE dx, 3, '4F05h: bank read back'
	; 16 bits a pixel, display start, scan line length.
	mov ax, 0x4f02
	mov bx, 0x4111		; 640 x 480 x 16, linear
	int 0x10
	COMPARE ax, 0x004f, '4F02h: linear'
	mov ax, 0x4f06
	mov bx, 0
	mov cx, 800
	int 0x10
	COMPARE ax, 0x004f, '4F06h'
	COMPARE bx, 1600, '4F06h: bytes a line'
	mov ax, 0x4f07
	mov bx, 0
	mov cx, 8
	mov dx, 4
	int 0x10
	COMPARE ax, 0x004f, '4F07h'
	mov ax, 0x4f07
	mov bx, 1
	xor cx, cx
	xor dx, dx
	int 0x10
	COMPARE dx, 4, '4F07h: first line'
	mov ax, 0x4f02
	mov bx, 0x3fff
	int 0x10
	cmp ax, 0x004f
	EXPECT ne, '4F02h of a mode that does not exist'
	ret

bank:
	push ax
	push bx
	mov ax, 0x4f05
	mov bx, 0
	int 0x10
	pop bx
	pop ax
	ret

	align 4
linear:		dd 0
buffer:		times 512 db 0
