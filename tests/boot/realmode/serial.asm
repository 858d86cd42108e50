; SPDX-License-Identifier: GPL-2.0-or-later
; INT 14h sends a line (whoever runs the test looks for it), then the UART in loopback: data, FIFO, modem lines, interrupt 4.
%include "program.inc"

COM1	equ 0x3f8

main:
	push word 0x40
	pop fs
	COMPARE word [fs:0], COM1, 'BIOS data area: COM1'
	mov ax, 0x00e3		; 9600, 8N1
	mov dx, 0
	int 0x14
	test ah, 0x80
	EXPECT z, 'INT 14h, 00h'
	test ah, 0x60
	EXPECT nz, 'INT 14h, 00h: ready to send'
	mov si, line
.char:
	lodsb
	test al, al
	jz .sent
	mov ah, 1
	mov dx, 0
	int 0x14
	test ah, 0x80
	EXPECT z, 'INT 14h, 01h'
	jmp .char
.sent:
	mov ah, 3
	mov dx, 0
	int 0x14
	test ah, 0x20
	EXPECT nz, 'INT 14h, 03h: can send'
	call loopback
	call interrupts
	mov dx, COM1 + 4
	mov al, 3
	out dx, al
	jmp finish

loopback:
	mov dx, COM1 + 4
	mov al, 0x10
	out dx, al
	mov dx, COM1 + 2
	mov al, 7		; FIFO on, emptied
	out dx, al
	in al, dx
	and al, 0xc0
	COMPARE al, 0xc0, '16550: FIFO'
	mov dx, COM1
	mov al, 'A'
	mov cx, 3
.send:
	out dx, al
	inc al
	call settle
	loop .send
	mov bl, 'A'
	mov cx, 3
.receive:
	mov dx, COM1 + 5
	in al, dx
	test al, 1
	EXPECT nz, 'loopback: data ready'
	mov dx, COM1
	in al, dx
	COMPARE al, bl, 'loopback: data'
	inc bl
	loop .receive
	mov dx, COM1 + 5
	in al, dx
	test al, 1
	EXPECT z, 'loopback: empty'
	; RTS, DTR, OUT1, OUT2 come back as CTS, DSR, RI, DCD.
	mov dx, COM1 + 6
	in al, dx
	mov dx, COM1 + 4
	mov al, 0x1a
	out dx, al
	mov dx, COM1 + 6
	in al, dx
%ifdef QEMU			; which tells no changes in loopback
	or al, 0x09
%endif
	COMPARE al, 0x99, 'loopback: modem lines'
	in al, dx
	COMPARE al, 0x90, 'loopback: changes are told once'
	ret

interrupts:
	HOOK 0x0c, on_irq, old_irq
	cli
	in al, 0x21
	mov [mask], al
	and al, 0xef
	out 0x21, al
	mov dx, COM1 + 4
	mov al, 0x18		; loopback, OUT2
	out dx, al
	mov dx, COM1 + 6
	in al, dx
	mov dx, COM1 + 1
	mov al, 1
	out dx, al
	sti
	mov dx, COM1
	mov al, 'I'
	out dx, al
	mov ax, [fs:0x6c]
	add ax, 9
.wait:
	cmp byte [received], 0
	jne .came
	cmp ax, [fs:0x6c]
	jne .wait
.came:
	COMPARE byte [received], 'I', 'interrupt 4: data'
	COMPARE byte [identified], 4, 'interrupt 4: cause'
	mov dx, COM1 + 1
	mov al, 0
	out dx, al
	mov al, [mask]
	out 0x21, al
	UNHOOK 0x0c, old_irq
	ret

on_irq:
	push ax
	push dx
	mov dx, COM1 + 2
	in al, dx
	and al, 0x0f
	mov [cs:identified], al
	mov dx, COM1
	in al, dx
	mov [cs:received], al
	mov al, 0x20
	out 0x20, al
	pop dx
	pop ax
	iret

settle:
	push ax
	push dx
	mov dx, COM1 + 5
.wait:
	in al, dx
	test al, 0x40
	jz .wait
	pop dx
	pop ax
	ret

line:		db 'Serial line of the real-mode tests', 13, 10, 0
mask:		db 0
received:	db 0
identified:	db 0
	align 4
old_irq:	dd 0
