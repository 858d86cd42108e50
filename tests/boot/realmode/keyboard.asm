; SPDX-License-Identifier: GPL-2.0-or-later
; Keyboard: scan codes that the 8042 is told to hand over (command D2h) go through IRQ 1, INT 9 and INT 15h/4Fh to INT 16h; then keys
; that whoever runs the test must type.
%include "program.inc"

main:
	push word 0x40
	pop fs
	call drain
	mov ah, 1
	int 0x16
	EXPECT z, '01h: no key'
	; Each: scan code bytes, and what INT 16h gives.
	mov si, keys
.key:
	lodsb
	test al, al
	jz .keys_done
	movzx cx, al
.code:
	lodsb
	call send
	loop .code
	call wait_key
	EXPECT nz, '11h: a key waits'
	mov dx, ax
	mov ah, 0x10
	int 0x16
	COMPARE ax, dx, '10h: the key that 11h saw'
	lodsw
	COMPARE ax, dx, '10h: scan code and character'
	jmp .key
.keys_done:
	; Modifiers show in 02h and 12h.
	mov al, 0x2a
	call send
	mov ah, 2
	int 0x16
	and al, 0x0f
	COMPARE al, 2, '02h: left shift down'
	mov al, 0x1d
	call send
	mov ah, 0x12
	int 0x16
	and ax, 0x010f
	COMPARE ax, 0x0106, '12h: left shift and control down'
	mov al, 0x9d
	call send
	mov al, 0xaa
	call send
	mov ah, 2
	int 0x16
	and al, 0x0f
	COMPARE al, 0, '02h: nothing down'
	mov al, 0x3a		; caps lock
	call send
	mov al, 0xba
	call send
	mov ah, 2
	int 0x16
	test al, 0x40
	EXPECT nz, '02h: caps lock'
	mov al, 0x3a
	call send
	mov al, 0xba
	call send
	mov ah, 2
	int 0x16
	test al, 0x40
	EXPECT z, '02h: caps lock off'
	call drain
	; A key pushed into the buffer; the buffer takes 15.
	mov dx, 0
.push:
	mov ah, 5
	mov cx, dx
	add cx, 0x1e61
	int 0x16
	test al, al
	jnz .full
	inc dx
	cmp dx, 40
	jb .push
.full:
	COMPARE dx, 15, '05h: size of the buffer'
	mov cx, 15
	mov dx, 0x1e61
.pull:
	mov ah, 0x10
	int 0x16
	COMPARE ax, dx, '10h: keys in order'
	inc dx
	loop .pull
	mov ah, 0x11
	int 0x16
	EXPECT z, '11h: empty again'
	call hooks
	call controller
	call typed
	jmp finish

; INT 15h/4Fh may change or drop scan codes; INT 9 may be taken over.
hooks:
	HOOK 0x15, intercept, old_15
	mov al, 0x1e		; a: becomes b
	call send
	mov al, 0x9e
	call send
	mov al, 0x2e		; c: dropped
	call send
	mov al, 0xae
	call send
	mov al, 0x20		; d: as it is
	call send
	mov al, 0xa0
	call send
	UNHOOK 0x15, old_15
	call wait_key
	mov ah, 0
	int 0x16
	COMPARE ax, 0x3062, '4Fh: a key changed'
	call wait_key
	mov ah, 0
	int 0x16
	COMPARE ax, 0x2064, '4Fh: a key dropped, the next is there'
	mov ah, 1
	int 0x16
	EXPECT z, '01h: nothing left'
	HOOK 9, own_irq, old_9
	mov al, 0x1f
	call send
	mov al, 0x9f
	call send
	UNHOOK 9, old_9
	COMPARE byte [irq_count], 2, 'INT 9 taken over: two interrupts'
	COMPARE byte [irq_code], 0x9f, 'INT 9 taken over: last code'
	mov ah, 1
	int 0x16
	EXPECT z, 'INT 9 taken over: INT 16h sees nothing'
	ret

intercept:
	cmp ah, 0x4f
	jne .chain
	cmp al, 0x1e
	je .change
	cmp al, 0x9e
	je .change
	and al, 0x7f
	cmp al, 0x2e
	je .drop
.keep:
	mov al, [cs:last_sent]
	stc
	retf 2
.change:
	and al, 0x80
	or al, 0x30
	stc
	retf 2
.drop:
	mov al, [cs:last_sent]
	clc
	retf 2
.chain:
	jmp far [cs:old_15]

own_irq:
	push ax
	in al, 0x60
	mov [cs:irq_code], al
	inc byte [cs:irq_count]
	mov al, 0x20
	out 0x20, al
	pop ax
	iret

; The 8042 itself: self-test, interface test, command byte; the keyboard's echo, without interrupts.
controller:
	cli
	mov al, 0xaa
	call command
	call receive
	COMPARE al, 0x55, '8042: self-test'
	mov al, 0xab
	call command
	call receive
	COMPARE al, 0, '8042: interface test'
	mov al, 0x60
	call command
	mov al, 0x60		; no interrupts, translation, mouse off
	out 0x60, al
	mov al, 0x20
	call command
	call receive
	COMPARE al, 0x60, '8042: command byte'
	mov al, 0xee
	call to_keyboard
	call receive
	COMPARE al, 0xee, 'keyboard: echo'
	mov al, 0xf2
	call to_keyboard
	call receive
	COMPARE al, 0xfa, 'keyboard: F2h acknowledged'
	call receive
	COMPARE al, 0xab, 'keyboard: identity, first byte'
	call receive
	COMPARE al, 0x41, 'keyboard: identity, second byte (translated)'
	mov al, 0x60
	call command
	mov al, 0x61
	out 0x60, al
	sti
	; The interrupt that the self-test's answer raised may still come, as a key.
	mov cx, 2
.tick:
	mov ax, [fs:0x6c]
.wait:
	hlt
	cmp ax, [fs:0x6c]
	je .wait
	loop .tick
	jmp drain

command:
	push ax
.busy:
	in al, 0x64
	test al, 2
	jnz .busy
	pop ax
	out 0x64, al
.taken:
	in al, 0x64
	test al, 2
	jnz .taken
	ret

to_keyboard:
	out 0x60, al
	ret

; AL = the next byte; after long nothing: 0FEh
receive:
	push cx
	push dx
	mov dx, 8
	xor cx, cx
.wait:
	in al, 0x64
	test al, 1
	jnz .there
	loop .wait
	dec dx
	jnz .wait
	mov al, 0xfe
	jmp .done
.there:
	in al, 0x60
.done:
	pop dx
	pop cx
	ret

; Whoever runs the test types this line when the request is on the screen.
typed:
	mov si, request
	mov ah, SYS_PUTS
	int SYS
	mov di, wanted
.next:
	mov ah, 0
	int 0x16
	cmp al, [di]
	EXPECT e, 'typed: the character (eax: scan code and character)'
	jne .done
	mov ah, SYS_PUTC
	int SYS
	inc di
	cmp byte [di], 0
	jne .next
.done:
	mov al, 10
	mov ah, SYS_PUTC
	int SYS
	ret

; Hands AL to the keyboard interrupt, and returns when that has been.
send:
	push ax
	push cx
	mov [cs:last_sent], al
	push ax
	cli
	mov al, 0xd2
	call command
	pop ax
	out 0x60, al
	sti
	mov cx, 0
.wait:
	in al, 0x64
	test al, 1
	loopnz .wait
	mov cx, 100
.settle:
	in al, 0x64
	loop .settle
	pop cx
	pop ax
	ret

; ZF and AX as INT 16h, 11h, after at most some ticks.
wait_key:
	push dx
	mov dx, [fs:0x6c]
	add dx, 9
.again:
	mov ah, 0x11
	int 0x16
	jnz .done
	push dx
	sub dx, [fs:0x6c]
	cmp dx, 0
	pop dx
	jg .again
	xor ax, ax		; sets ZF
.done:
	pop dx
	ret

drain:
	mov ah, 0x11
	int 0x16
	jz .done
	mov ah, 0x10
	int 0x16
	jmp drain
.done:
	ret

%macro KEY 2-*
	db %0 - 1
	%rep %0 - 1
		db %1
		%rotate 1
	%endrep
	dw %1
%endmacro

keys:
	KEY 0x1e, 0x9e, 0x1e61			; a
	KEY 0x2a, 0x1e, 0x9e, 0xaa, 0x1e41	; A
	KEY 0x1d, 0x1e, 0x9e, 0x9d, 0x1e01	; ctrl-a
	KEY 0x38, 0x1e, 0x9e, 0xb8, 0x1e00	; alt-a
	KEY 0x1c, 0x9c, 0x1c0d			; enter
	KEY 0x01, 0x81, 0x011b			; escape
	KEY 0x3b, 0xbb, 0x3b00			; f1
	KEY 0x57, 0xd7, 0x8500			; f11
	KEY 0x2a, 0x3b, 0xbb, 0xaa, 0x5400	; shift-f1
	KEY 0xe0, 0x48, 0xe0, 0xc8, 0x48e0	; up
	KEY 0xe0, 0x4d, 0xe0, 0xcd, 0x4de0	; right
	KEY 0xe0, 0x53, 0xe0, 0xd3, 0x53e0	; delete
	KEY 0x2a, 0x02, 0x82, 0xaa, 0x0221	; !
	KEY 0x3a, 0xba, 0x1e, 0x9e, 0x1e41	; caps lock, a
	KEY 0x2a, 0x1e, 0x9e, 0xaa, 0x1e61	; shift-a, caps lock
	KEY 0x3a, 0xba, 0x1e, 0x9e, 0x1e61	; caps lock off, a
	db 0

request:	db 10, '  Type "Gnomon 42" and Enter: ', 0
wanted:		db 'Gnomon 42', 13, 0
last_sent:	db 0
irq_count:	db 0
irq_code:	db 0
	align 4
old_15:		dd 0
old_9:		dd 0
