; SPDX-License-Identifier: GPL-2.0-or-later
; Timer and clock: INT 8 and 1Ch, INT 1Ah, the PIT's counters, INT 15h waits, the RTC's periodic interrupt.
%include "program.inc"

main:
	push word 0x40
	pop fs
	call ticks
	call pit
	call fast
	call clock
	call waits
	call rtc
	jmp finish

; --- INT 1Ah, INT 8, INT 1Ch ---

ticks:
	HOOK 0x1c, count_1c, old_1c
	HOOK 8, count_8, old_8
	call next_tick
	mov ah, 0
	int 0x1a
	mov bx, dx
	COMPARE dx, [fs:0x6c], 'INT 1Ah: the BIOS data area'
	mov word [count], 0
	mov word [count_chained], 0
	mov cx, 4
.tick:
	call next_tick
	loop .tick
	mov ah, 0
	int 0x1a
	sub dx, bx
	COMPARE dx, 4, 'INT 1Ah after four ticks'
	COMPARE word [count], 4, 'INT 8: interrupts in four ticks'
	COMPARE word [count_chained], 4, 'INT 1Ch: calls in four ticks'
	UNHOOK 8, old_8
	UNHOOK 0x1c, old_1c
	; Without interrupts the count stands still; a missed tick comes at STI.
	cli
	mov ax, [fs:0x6c]
	call busy
	COMPARE ax, [fs:0x6c], 'no tick under CLI'
	sti
	nop
	nop
	mov bx, [fs:0x6c]
	sub bx, ax
	cmp bx, 1
	EXPECT ae, 'a tick after STI'
	cmp bx, 2		; the one missed may be made up for
	EXPECT be, 'two ticks after STI at most'
	; Setting the count, and midnight.
	mov ah, 0
	int 0x1a
	push cx
	push dx
	mov cx, 0x18
	mov dx, 0xaf
	mov ah, 1
	int 0x1a
	call next_tick
	call next_tick
	mov ah, 0
	int 0x1a
	COMPARE al, 1, 'INT 1Ah: midnight has passed'
	COMPARE cx, 0, 'INT 1Ah: count behind midnight'
	mov ah, 0
	int 0x1a
	COMPARE al, 0, 'INT 1Ah: midnight is told once'
	pop dx
	pop cx
	mov ah, 1
	int 0x1a
	ret

count_8:
	inc word [cs:count]
	jmp far [cs:old_8]

count_1c:
	inc word [cs:count_chained]
	jmp far [cs:old_1c]

; More than a tick: as many reads of a counter as it takes to see it wrap twice.
busy:
	push ax
	push bx
	push cx
	mov cx, 2
.wrap:
	call read_pit
	mov bx, ax
.next:
	call read_pit
	cmp ax, bx
	mov bx, ax
	jbe .next
	loop .wrap
	pop cx
	pop bx
	pop ax
	ret

; AX = counter 0, latched
read_pit:
	mov al, 0
	out 0x43, al
	in al, 0x40
	mov ah, al
	in al, 0x40
	xchg al, ah
	ret

next_tick:
	push ax
	mov ax, [fs:0x6c]
.wait:
	hlt
	cmp ax, [fs:0x6c]
	je .wait
	pop ax
	ret

; --- the PIT ---

pit:
	; Counter 0 runs down. SeaBIOS leaves it in mode 2 or 3, low byte then high byte.
	mov cx, 100
	xor dx, dx
.look:
	call read_pit
	mov bx, ax
	call read_pit
	cmp ax, bx
	ja .wrapped		; once in 65536 counts
	jmp .counted
.wrapped:
	inc dx
.counted:
	loop .look
	cmp dx, 3
	EXPECT b, 'PIT: counter 0 runs down'
	; Read-back of the status of counter 0.
	mov al, 0xe2
	out 0x43, al
	in al, 0x40
	and al, 0x3f
	mov bl, al
	and bl, 0x31
	COMPARE bl, 0x30, 'PIT: status: two bytes, binary'
	; Counter 2 in mode 0: OUT, seen in port 61h, rises at the end.
	in al, 0x61
	mov [port_61], al
	and al, 0xfd
	or al, 1
	out 0x61, al
	mov al, 0xb0
	out 0x43, al
	mov al, 0x00
	out 0x42, al
	mov al, 0x10
	out 0x42, al		; 4096 counts: 3.4 ms
	in al, 0x61
	test al, 0x20
	EXPECT z, 'PIT: OUT 2 low after loading'
	xor ecx, ecx
.wait:
	inc ecx
	in al, 0x61
	test al, 0x20
	jnz .out
	cmp ecx, 0x1000000
	jb .wait
.out:
	cmp ecx, 0x1000000
	EXPECT b, 'PIT: OUT 2 rises'
	; With the gate off it holds.
	in al, 0x61
	and al, 0xfe
	out 0x61, al
	mov al, 0xb0
	out 0x43, al
	mov al, 0
	out 0x42, al
	out 0x42, al
	mov al, 0x80
	out 0x43, al
	in al, 0x42
	mov bl, al
	in al, 0x42
	mov bh, al
	mov cx, 1000
.hold:
	loop .hold
	mov al, 0x80
	out 0x43, al
	in al, 0x42
	mov dl, al
	in al, 0x42
	mov dh, al
%ifndef QEMU
	COMPARE bx, dx, 'PIT: counter 2 holds without its gate'
%endif
	mov al, [port_61]
	out 0x61, al
	ret

; --- the PIT at 1193 Hz, as games do: the BIOS is called at its own rate ---

fast:
	cli
	mov al, 0x34
	out 0x43, al
	mov ax, 1000
	out 0x40, al
	mov al, ah
	out 0x40, al
	HOOK 8, fast_tick, old_8
	mov dword [fast_count], 0
	mov word [fast_sum], 0
	sti
	call next_tick
	mov ecx, [fast_count]
	call next_tick
	call next_tick
	mov ebx, [fast_count]
	sub ebx, ecx
	cli
	mov al, 0x36
	out 0x43, al
	mov al, 0
	out 0x40, al
	out 0x40, al
	UNHOOK 8, old_8
	sti
	cmp ebx, 130
	EXPECT ae, 'INT 8 at 1193 Hz: at least 130 in two BIOS ticks'
	cmp ebx, 133
	EXPECT be, 'INT 8 at 1193 Hz: at most 133 in two BIOS ticks'
	call next_tick
	call next_tick
	ret

fast_tick:
	push ax
	inc dword [cs:fast_count]
	add word [cs:fast_sum], 1000
	jc .chain
	mov al, 0x20
	out 0x20, al
	pop ax
	iret
.chain:
	pop ax
	jmp far [cs:old_8]

; --- date and time ---

clock:
	mov ah, 2
	int 0x1a
	EXPECT nc, 'INT 1Ah, 02h'
	cmp ch, 0x24
	EXPECT b, '02h: hours'
	cmp cl, 0x60
	EXPECT b, '02h: minutes'
	cmp dh, 0x60
	EXPECT b, '02h: seconds'
	mov bl, dh
	; The next second comes within 20 ticks or so.
	mov si, 0
.second:
	call next_tick
	inc si
	mov ah, 2
	int 0x1a
	cmp dh, bl
	jne .changed
	cmp si, 40
	jb .second
.changed:
	cmp si, 20
	EXPECT be, '02h: a second in at most 20 ticks'
	mov ah, 4
	int 0x1a
	EXPECT nc, 'INT 1Ah, 04h'
	COMPARE ch, 0x20, '04h: century'
	cmp dh, 0x12
	EXPECT be, '04h: month'
	cmp dl, 0x31
	EXPECT be, '04h: day'
	ret

; --- INT 15h: 86h (wait), 83h (flag when time is up) ---

waits:
	call next_tick
	mov bx, [fs:0x6c]
	mov cx, 3
	mov dx, 0x0d40		; 200,000 us: 3.6 ticks
	mov ah, 0x86
	int 0x15
	EXPECT nc, '86h'
	mov ax, [fs:0x6c]
	sub ax, bx
	cmp ax, 3
	EXPECT ae, '86h: not too short'
	cmp ax, 8
	EXPECT be, '86h: not too long'
	mov byte [flag], 0
	push cs
	pop es
	mov bx, flag
	mov cx, 1
	mov dx, 0
	mov ax, 0x8300
	int 0x15
	EXPECT nc, '83h'
	mov bx, [fs:0x6c]
.wait:
	mov ax, [fs:0x6c]
	sub ax, bx
	cmp ax, 36
	ja .late
	test byte [flag], 0x80
	jz .wait
.late:
	test byte [flag], 0x80
	EXPECT nz, '83h: flag'
	ret

; --- RTC: 1024 interrupts a second through IRQ 8 ---

rtc:
	cli
	HOOK 0x70, rtc_tick, old_70
	mov word [count], 0
	mov al, 0x8a
	out 0x70, al
	in al, 0x71
	mov [saved_a], al
	and al, 0xf0
	or al, 6
	xchg ah, al
	mov al, 0x8a
	out 0x70, al
	mov al, ah
	out 0x71, al
	mov al, 0x8b
	out 0x70, al
	in al, 0x71
	mov [saved_b], al
	or al, 0x40
	xchg ah, al
	mov al, 0x8b
	out 0x70, al
	mov al, ah
	out 0x71, al
	mov al, 0x0c
	out 0x70, al
	in al, 0x71
	in al, 0xa1
	mov [saved_mask], al
	and al, 0xfe
	out 0xa1, al
	sti
	call next_tick
	mov cx, [count]
	call next_tick
	call next_tick
	call next_tick
	mov ax, [count]
	sub ax, cx
	cli
	mov bl, al
	mov al, 0x8b
	out 0x70, al
	mov al, [saved_b]
	out 0x71, al
	mov al, 0x8a
	out 0x70, al
	mov al, [saved_a]
	out 0x71, al
	mov al, 0x0d
	out 0x70, al
	mov al, [saved_mask]
	out 0xa1, al
	UNHOOK 0x70, old_70
	sti
	mov al, bl
	cmp al, 50		; 168.75, but a busy host may be late for some: they are lost
	EXPECT ae, 'RTC: at least 50 interrupts in three ticks'
	cmp al, 200
	EXPECT be, 'RTC: at most 200 interrupts in three ticks'
	ret

rtc_tick:
	push ax
	inc word [cs:count]
	mov al, 0x0c
	out 0x70, al
	in al, 0x71
	mov al, 0x20
	out 0xa0, al
	out 0x20, al
	pop ax
	iret

	align 4
old_8:		dd 0
old_1c:		dd 0
old_70:		dd 0
fast_count:	dd 0
fast_sum:	dw 0
count:		dw 0
count_chained:	dw 0
port_61:	db 0
flag:		db 0
saved_a:	db 0
saved_b:	db 0
saved_mask:	db 0
