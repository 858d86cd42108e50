; SPDX-License-Identifier: GPL-2.0-or-later
; Programs that are loaded over each other, relocated, moved and unpacked where they stand.
%include "program.inc"

main:
	call overlays
	call exe
	call moved
	call unpacked
	jmp finish

; --- overlays: one place, two programs in turn ---

overlays:
	mov cx, 6
.next:
	push cx
	mov si, name_1
	call load_overlay
	mov word [tail], 0x1111
	call run_overlay_1
	call run_overlay_1
	mov si, name_2
	call load_overlay
	mov word [tail], 0x2222
	call run_overlay_2
	call run_overlay_2
	call run_overlay_2
	pop cx
	loop .next
	ret

load_overlay:
	mov word [loaded_calls], 0
	push word WORK_SEG
	pop es
	xor bx, bx
	mov ah, SYS_LOAD
	int SYS
	EXPECT nc, 'an overlay loaded'
	push cs
	pop es
	ret

run_overlay_1:
	mov ax, 100
	mov bx, 4
	mov si, words
	call WORK_SEG:0
	COMPARE ax, 300, 'overlay 1: AX'
	COMPARE cx, 1 + 2 + 0x0f00 + 0x10, 'overlay 1: sum'
	jmp ran

run_overlay_2:
	mov ax, 100
	mov bx, 4
	mov si, words
	call WORK_SEG:0
	COMPARE ax, 95, 'overlay 2: AX'
	COMPARE cx, 1 ^ 2 ^ 0x0f00 ^ 0x10, 'overlay 2: exclusive or'
ran:
	inc word [loaded_calls]
	COMPARE dx, [loaded_calls], 'overlay: calls counted in its own data'
	call WORK_SEG:4096
	COMPARE di, [tail], 'overlay: its second page'
	ret

; --- an MZ loader, to three places ---

exe:
	HOOK 0x60, exe_exit, old_60
	mov word [place], WORK_SEG + 0x800
	call .load
	call .load		; again: fresh data
	mov word [place], WORK_SEG + 0x801	; its own segments overlap the first's
	call .load
	mov word [place], 0x8000
	call .load
	UNHOOK 0x60, old_60
	ret
.load:
	mov es, [place]
	xor bx, bx
	mov si, name_exe
	mov ah, SYS_LOAD
	int SYS
	EXPECT nc, 'the EXE loaded'
	COMPARE word [es:0], 'MZ', 'EXE: signature'
	; Add the segment of the image to each word of the list.
	mov dx, [place]
	add dx, [es:8]
	mov cx, [es:6]
	mov si, [es:24]
.relocate:
	mov di, [es:si]
	mov ax, [es:si + 2]
	add ax, dx
	mov fs, ax
	add [fs:di], dx
	add si, 4
	loop .relocate
	mov [exe_sp], sp
	mov ax, [es:14]
	add ax, dx
	mov cx, [es:16]
	mov bx, [es:20]
	mov si, [es:22]
	add si, dx
	mov ss, ax
	mov sp, cx
	push si
	push bx
	retf
exe_exit:
	mov dx, cs
	mov ds, dx
	mov es, dx
	xor dx, dx
	mov ss, dx
	mov sp, [exe_sp]
	sti
	COMPARE ax, 2 * 55 + 1000, 'EXE: result'
	COMPARE bx, 1, 'EXE: fresh data'
	ret

; --- code that moves itself, up and down, over itself ---

moved:
	push word WORK_SEG
	pop es
	mov si, mover
	mov di, 0x100
	mov cx, mover_end - mover
	rep movsb
	mov bp, 0
	mov dx, 8		; moves left
	call WORK_SEG:0x100
	COMPARE bp, 8 + 7 + 6 + 5 + 4 + 3 + 2 + 1, 'code that moves itself'
	push cs
	pop es
	cld
	ret

; Runs anywhere: adds DX to BP, copies itself 17 bytes up or 16 down, over itself, and goes on in the copy.
mover:
	call .here
.here:
	pop bx
	sub bx, .here - mover	; offset of this copy
	add bp, dx
	dec dx
	jz .done
	push cs
	pop ds
	mov dword [0x8000], 0xe0ffa4f3	; rep movsb; jmp ax: out of reach of the copies
	mov cx, mover_end - mover
	test dl, 1
	jz .down
	std			; up: from the end
	lea si, [bx + mover_end - mover - 1]
	lea di, [si + 17]
	lea ax, [bx + 17]
	jmp .copy
.down:
	cld
	mov si, bx
	lea di, [si - 16]
	lea ax, [bx - 16]
.copy:
	mov bx, 0x8000
	jmp bx
.done:
	cld
	push word PROGRAM_SEG
	pop ds
	retf
mover_end:

; --- unpacking in place ---

unpacked:
	mov cx, 2
.again:
	push cx
	push word WORK_SEG
	pop es
	mov bx, 0x4000		; packed data, at the end of where they go
	mov si, name_packed
	mov ah, SYS_LOAD
	int SYS
	EXPECT nc, 'the packed program loaded'
	; Move them up so that they end where the unpacked program will end, and some.
	mov ax, [es:bx]		; size unpacked
	mov [unpacked_size], ax
	mov si, bx
	add si, cx
	dec si
	mov di, ax
	add di, 64
	mov dx, di
	sub dx, cx
	inc dx			; where they begin now
	push ds
	push es
	pop ds
	std
	rep movsb
	cld
	mov si, dx
	xor di, di
	call unpack
	pop ds
	COMPARE di, [unpacked_size], 'unpacked size'
	call WORK_SEG:0
	COMPARE ax, bx, 'unpacked program: its sum'
	push cs
	pop es
	pop cx
	dec cx
	jnz .again
	ret

; LZSS as pack() of image.py makes it: DS:SI to ES:DI, in one segment.
unpack:
	lodsw
	mov bp, ax
.group:
	mov dl, [si]
	inc si
	mov dh, 8
.item:
	cmp di, bp
	jae .done
	shr dl, 1
	jc .literal
	lodsw
	mov cx, ax
	and cx, 15
	add cx, 3
	shr ax, 4
	inc ax
	mov bx, di
	sub bx, ax
	push si
	mov si, bx
	rep movsb
	pop si
	jmp .counted
.literal:
	movsb
.counted:
	dec dh
	jnz .item
	jmp .group
.done:
	ret

name_1:		db 'ovl1', 0, 0, 0, 0
name_2:		db 'ovl2', 0, 0, 0, 0
name_exe:	db 'exe', 0, 0, 0, 0, 0
name_packed:	db 'packed', 0, 0
words:		dw 1, 2, 0x0f00, 0x10
loaded_calls:	dw 0
tail:		dw 0
place:		dw 0
exe_sp:		dw 0
unpacked_size:	dw 0
	align 4
old_60:		dd 0
