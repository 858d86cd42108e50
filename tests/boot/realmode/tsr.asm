; SPDX-License-Identifier: GPL-2.0-or-later
; Resident programs: code moved to the top of memory that hooks BIOS interrupts, in a chain, with a stack of its own, and goes away again.
%include "program.inc"

RESIDENT_KB	equ 2
HOOKED		equ 3		; how many are installed

main:
	push word 0x40
	pop fs
	push word 0
	pop gs
	mov ax, [fs:0x13]
	mov [memory_before], ax
	mov cx, HOOKED
.install:
	call install
	loop .install
	int 0x12
	mov bx, [memory_before]
	sub bx, HOOKED * RESIDENT_KB
	COMPARE ax, bx, 'INT 12h: less memory'
	; All of them answer, the last installed first.
	mov ax, 0xc0de
	xor dx, dx
	int 0x2f
	COMPARE dx, HOOKED, 'INT 2Fh: all answer'
	; They see disk reads ...
	mov cx, 5
.read:
	push cx
	push word BUFFER_SEG
	pop es
	xor di, di
	mov bx, PATTERN_LBA + 60
	mov ah, SYS_READ
	int SYS
	EXPECT nc, 'a sector read'
	COMPARE word [es:0], PATTERN_LBA + 60, 'its data'
	pop cx
	loop .read
	call counts
	mov ax, [disk]
	COMPARE ax, HOOKED * 5, 'INT 13h: calls seen'
	; ... and teletype characters, of which the first installed changes one.
	push word 0xb800
	pop es
	mov ah, 3
	mov bh, 0
	int 0x10
	mov ah, 0x0e
	mov al, '~'
	mov bx, 7
	int 0x10
	mov al, dh
	mov ah, 80
	mul ah
	movzx bx, dl
	add bx, ax
	shl bx, 1
	COMPARE byte [es:bx], '-', 'INT 10h: a character changed'
	mov ax, 0x0e08
	mov bx, 7
	int 0x10
	; Ticks: INT 1Ch and INT 8, on their own stack.
	mov cx, 4
.tick:
	mov ax, [fs:0x6c]
.wait:
	hlt
	cmp ax, [fs:0x6c]
	je .wait
	loop .tick
	call counts
	mov ax, [ticks]
	cmp ax, HOOKED * 3
	EXPECT ae, 'INT 8: ticks seen'
	; A program may be loaded and run meanwhile: an overlay.
	push word WORK_SEG
	pop es
	xor bx, bx
	mov si, overlay
	mov ah, SYS_LOAD
	int SYS
	EXPECT nc, 'an overlay loaded through them'
	call WORK_SEG:4096
	COMPARE di, 0x1111, 'the overlay runs'
	; Uninstall, last first.
	mov cx, HOOKED
.remove:
	mov ax, 0xdead
	int 0x2f
	loop .remove
	int 0x12
	COMPARE ax, [memory_before], 'INT 12h: memory is back'
	mov ax, 0xc0de
	xor dx, dx
	int 0x2f
	COMPARE dx, 0, 'INT 2Fh: nobody answers'
	mov ah, 0
	int 0x1a
	mov bx, dx
.alive:
	hlt
	mov ah, 0
	int 0x1a
	cmp dx, bx
	je .alive
	EXPECT ne, 'ticks still come'
	jmp finish

; [disk] and [ticks]: sums over all
counts:
	mov word [disk], 0
	mov word [ticks], 0
	mov ax, 0xc0de
	xor dx, dx
	int 0x2f
	ret

; Puts a copy at the top of memory.
install:
	pusha
	push es
	sub word [fs:0x13], RESIDENT_KB
	mov ax, [fs:0x13]
	shl ax, 6
	mov es, ax
	mov si, resident
	xor di, di
	mov cx, resident_end - resident
	cld
	rep movsb
	cmp dword [gs:0x2f * 4], 0	; without DOS nobody is there
	jne .chained
	mov word [gs:0x2f * 4], nobody
	mov [gs:0x2f * 4 + 2], cs
.chained:
	mov [es:r_report], word report
	mov [es:r_report + 2], cs
	cli
%macro TAKE 3
	mov eax, [gs:%1 * 4]
	mov [es:%3], eax
	mov word [gs:%1 * 4], %2
	mov [gs:%1 * 4 + 2], es
%endmacro
	TAKE 0x13, r_int_13, r_old_13
	TAKE 0x10, r_int_10, r_old_10
	TAKE 0x08, r_int_8, r_old_8
	TAKE 0x2f, r_int_2f, r_old_2f
	sti
	pop es
	popa
	ret

nobody:
	iret

; Each resident tells its counts: AX ticks, BX disk calls.
report:
	add [cs:ticks], ax
	add [cs:disk], bx
	retf

disk:		dw 0
ticks:		dw 0
memory_before:	dw 0
overlay:	db 'ovl1', 0, 0, 0, 0

; --- the resident part, at offset 0 of a segment of its own ---
resident:
r_int_13	equ $ - resident
	inc word [cs:r_disk_count]
	jmp far [cs:r_old_13]

r_int_10	equ $ - resident
	cmp ax, 0x0e7e
	jne .chain
	mov al, '-'
	pushf
	call far [cs:r_old_10]
	mov al, '~'
	iret
.chain:
	jmp far [cs:r_old_10]

; On its own stack; SS:SP of the interrupted are kept in the code segment.
r_int_8	equ $ - resident
	mov [cs:r_saved_sp], sp
	mov [cs:r_saved_ss], ss
	push cs
	pop ss
	mov sp, r_stack
	pushad
	push ds
	push cs
	pop ds
	inc word [r_tick_count]
	mov cx, 100
	xor ax, ax
r_work:
	add ax, cx
	loop r_work
	mov [r_scratch], ax
	pop ds
	popad
	mov ss, [cs:r_saved_ss]
	mov sp, [cs:r_saved_sp]
	jmp far [cs:r_old_8]

r_int_2f	equ $ - resident
	cmp ax, 0xc0de
	je r_answer
	cmp ax, 0xdead
	je r_remove
	jmp far [cs:r_old_2f]
r_answer:
	inc dx
	push ax
	push bx
	mov ax, [cs:r_tick_count]
	mov bx, [cs:r_disk_count]
	call far [cs:r_report]
	pop bx
	pop ax
	jmp far [cs:r_old_2f]
r_remove:
	push ds
	push eax
	push word 0
	pop ds
%macro GIVE 2
	mov eax, [cs:%2]
	mov [%1 * 4], eax
%endmacro
	GIVE 0x13, r_old_13
	GIVE 0x10, r_old_10
	GIVE 0x08, r_old_8
	GIVE 0x2f, r_old_2f
	add word [0x413], RESIDENT_KB
	pop eax
	pop ds
	iret
	align 4
r_old_13	equ $ - resident
	dd 0
r_old_10	equ $ - resident
	dd 0
r_old_8		equ $ - resident
	dd 0
r_old_2f	equ $ - resident
	dd 0
r_report	equ $ - resident
	dd 0
r_saved_sp	equ $ - resident
	dw 0
r_saved_ss	equ $ - resident
	dw 0
r_disk_count	equ $ - resident
	dw 0
r_tick_count	equ $ - resident
	dw 0
r_scratch	equ $ - resident
	dw 0
	times 128 db 0
r_stack		equ $ - resident
resident_end:
