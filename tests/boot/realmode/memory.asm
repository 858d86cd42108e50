; SPDX-License-Identifier: GPL-2.0-or-later
; Memory size services, equipment, and the A20 gate by each of its switches, for data and for code.
%include "program.inc"

MAX_RANGES	equ 16

main:
	push word 0x40
	pop fs
	push word 0
	pop gs			; GS:x and HMA below: the two ends of the wrap
	int 0x12
	COMPARE ax, [fs:0x13], 'INT 12h'
	cmp ax, 512
	EXPECT a, 'INT 12h: more than 512 KiB'
	cmp ax, 640
	EXPECT be, 'INT 12h: 640 KiB at most'
	int 0x11
	COMPARE ax, [fs:0x10], 'INT 11h'
	test al, 2
	EXPECT nz, 'INT 11h: coprocessor'
	mov cl, al
	mov ah, SYS_MEDIUM
	int SYS
	cmp al, MEDIUM_FLOPPY
	jne .no_floppy
	test cl, 1
	EXPECT nz, 'INT 11h: floppy'
.no_floppy:
	call sizes
	call ranges
	call gate
	jmp finish

; INT 15h: 88h, E801h, C0h, and one that does not exist.
sizes:
	mov ah, 0x88
	int 0x15
	EXPECT nc, '88h'
	cmp ax, 15 * 1024
	EXPECT ae, '88h: 15 MiB or more'
	mov ax, 0xe801
	int 0x15
	EXPECT nc, 'E801h'
	COMPARE ax, 15 * 1024, 'E801h: below 16 MiB'
	movzx ebx, bx
	shl ebx, 16
	mov [above_16m], ebx
	mov ah, 0xc0
	push es
	int 0x15
	mov al, [es:bx + 2]
	pop es
	EXPECT nc, 'C0h'
	COMPARE al, 0xfc, 'C0h: model'
	mov ax, 0xee00
	int 0x15
	EXPECT c, 'INT 15h, AX=EE00h'
	ret

; E820h: ranges that do not overlap, low memory, memory above 1 MiB of the size that E801h tells, ROM not as memory.
ranges:
	xor ebx, ebx
	mov di, map
.next:
	mov eax, 0xe820
	mov edx, 0x534d4150
	mov ecx, 20
	int 0x15
	EXPECT nc, 'E820h'
	COMPARE eax, 0x534d4150, 'E820h: signature'
	COMPARE ecx, 20, 'E820h: length'
	add di, 20
	test ebx, ebx
	jz .all
	cmp di, map + 20 * MAX_RANGES
	jb .next
.all:
	mov [map_end], di
	mov si, map
.range:
	COMPARE dword [si + 12], 0, 'E820h: lengths below 4 GiB'
	cmp dword [si + 16], 1
	jne .checked
	mov eax, [si]
	mov edx, eax
	add edx, [si + 8]
	cmp eax, 0x100000
	jae .high
	cmp edx, 0xa0000
	EXPECT be, 'E820h: memory ends below A0000h or begins above FFFFFh'
	cmp eax, 0
	jne .checked
	shr edx, 10
	COMPARE dx, [fs:0x13], 'E820h: low memory'
	jmp .checked
.high:
	cmp eax, 0x100000
	jne .checked
	sub edx, 0x1000000
	sub edx, [above_16m]
	neg edx
	add edx, 0x10000	; E801h counts in 64 KiB, and may leave out what the BIOS keeps for itself
	cmp edx, 0x110000
	EXPECT b, 'E820h: high memory as in E801h'
	mov byte [high_seen], 1
.checked:
	mov di, map
.other:
	cmp di, si
	je .same
	mov eax, [si]
	cmp eax, [di]
	jb .same
	sub eax, [di]
	cmp eax, [di + 8]
	EXPECT ae, 'E820h: ranges do not overlap'
.same:
	add di, 20
	cmp di, [map_end]
	jb .other
	add si, 20
	cmp si, [map_end]
	jb .range
	COMPARE byte [high_seen], 1, 'E820h: memory at 1 MiB'
	ret

; --- A20 ---

gate:
	mov ax, 0x2403
	int 0x15
	EXPECT nc, '2403h'
	mov ax, 0x2402
	int 0x15
	EXPECT nc, '2402h'
	mov [gate_before], al
	mov si, switches
.next:
	lodsw
	test ax, ax
	jz .done
	mov bp, ax
	mov cx, 2		; twice: old translations must not survive
.again:
	mov al, 1
	call bp
	mov al, 1
	call check_gate
	mov al, 0
	call bp
	mov al, 0
	call check_gate
	loop .again
	mov al, 1
	call bp
	mov al, 1
	call check_gate
	jmp .next
.done:
	mov al, [gate_before]
	call by_bios
	ret

by_bios:
	mov ah, 0x24
	int 0x15
	EXPECT nc, '2400h, 2401h'
	ret

by_port_92:
	mov ah, al
	in al, 0x92
	and al, 0xfc		; bit 0 would reset
	shl ah, 1
	or al, ah
	out 0x92, al
	ret

; 8042: its output port, written through command D1h. Port 92h must not hold the gate open.
by_keyboard:
	push ax
	mov al, 0
	call by_port_92
	pop ax
	push cx
	cli
	mov ah, al
	call .ready
	mov al, 0xd1
	out 0x64, al
	call .ready
	mov al, 0xdd		; reset not asserted, A20 off
	test ah, ah
	jz .send
	or al, 2
.send:
	out 0x60, al
	call .ready
	mov al, 0xff		; no command: some machines want one
	out 0x64, al
	call .ready
	sti
	pop cx
	ret
.ready:
	in al, 0x64
	test al, 2
	jnz .ready
	ret

; AL = 0: 100000h + x must be x; else it must be memory of its own. Looked at by data accesses, one across the border, and by code.
check_gate:
	pushad
	push ds
	mov [expected], al
	cmp bp, by_keyboard	; 2402h tells port 92h's bit only
	je .no_query
	mov ax, 0x2402
	int 0x15
	COMPARE al, [expected], '2402h after a switch'
.no_query:
	cli
	push word 0xffff
	pop es
	mov bx, 0x7e00		; linear 7E00: the boot sector's neighbour, free
	mov dword [gs:bx], 0x11111111
	mov dword [es:bx + 16], 0x22222222
	mov eax, 0x22222222
	cmp byte [expected], 0
	je .wraps
	mov eax, 0x11111111
.wraps:
	COMPARE eax, [gs:bx], 'A20: data'
	; Code: at 0:7E00 it returns 1, at FFFF:7E10 2, if that is another place.
	mov dword [gs:bx], 0xcb01b0	; mov al, 1; retf
	mov ax, 1
	cmp byte [expected], 0
	je .write_other
	mov ax, 2
	mov dword [es:bx + 16], 0xcb02b0
.write_other:
	mov dl, al
	call 0:0x7e00
	COMPARE al, 1, 'A20: code below'
	call 0xffff:0x7e10
	COMPARE al, dl, 'A20: code above'
	; Change the code below: code above is the same code, or it is not.
	mov byte [gs:bx + 1], 3
	call 0:0x7e00
	COMPARE al, 3, 'A20: changed code below'
	call 0xffff:0x7e10
	cmp byte [expected], 0
	jne .own
	mov dl, 3
.own:
	COMPARE al, dl, 'A20: changed code above'
	; A word across FFFFF: its second half is at 0 or at 100000.
	mov al, [gs:0]
	mov ah, al
	cmp byte [expected], 0
	je .straddle
	mov byte [es:0x10], 0x5a
	mov ah, 0x5a
.straddle:
	mov cx, [es:0x0f]
	COMPARE ch, ah, 'A20: a word across the border'
	mov ecx, [es:0x0d]
	shr ecx, 24
	COMPARE cl, ah, 'A20: a dword across the border'
	sti
	pop ds
	popad
	ret

switches:	dw by_bios, by_port_92, by_keyboard, 0
gate_before:	db 0
expected:	db 0
high_seen:	db 0
map_end:	dw 0
above_16m:	dd 0
map:		times 20 * MAX_RANGES db 0
