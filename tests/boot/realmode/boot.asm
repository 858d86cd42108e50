; SPDX-License-Identifier: GPL-2.0-or-later
; Boot sector: loads the kernel through INT 13h and enters it. -DMEDIUM=...: by CHS from floppies and disks, by EDD from CDs.
%include "layout.inc"
	cpu 386
	bits 16
	org 0x7c00

	jmp short start
	nop
	times 8 - ($ - $$) db 0
image_lba:	dd 0	; filled by image.py: where the image begins on a CD, in 2048 bytes

start:
	cli
	xor ax, ax
	mov ss, ax
	mov sp, STACK_TOP
	mov ds, ax
	jmp 0:.here	; CS may be 07c0
.here:
	sti
	mov [drive], dl
	mov ax, KERNEL_SEG
	mov es, ax
%if MEDIUM == MEDIUM_CD
	mov eax, [image_lba]
	mov [packet_lba], eax
	mov si, packet
	mov ah, 0x42
	mov dl, [drive]
	int 0x13
	jc failed
%else
	push es
	mov ah, 0x08
	mov dl, [drive]
	xor di, di
	mov es, di
	int 0x13
	pop es
	jc failed
	and cx, 0x3f
	mov [sectors], cx
	movzx dx, dh
	inc dx
	mov [heads], dx
	mov si, KERNEL_LBA
.next:
	mov ax, si
	xor dx, dx
	div word [sectors]
	mov cx, dx
	inc cx		; sector
	xor dx, dx
	div word [heads]
	mov ch, al
	shl ah, 6
	or cl, ah
	mov dh, dl
	mov dl, [drive]
	xor bx, bx
	mov di, 4
.again:
	mov ax, 0x0201
	int 0x13
	jnc .read
	xor ah, ah
	int 0x13
	dec di
	jnz .again
	jmp failed
.read:
	mov ax, es
	add ax, 512 / 16
	mov es, ax
	inc si
	cmp si, KERNEL_LBA + KERNEL_SECTORS
	jb .next
%endif
	mov dl, [drive]
	mov al, MEDIUM
	mov ebx, [image_lba]
%if MEDIUM == MEDIUM_CD
	jmp KERNEL_SEG + KERNEL_LBA * 32:0	; the boot sector came along
%else
	jmp KERNEL_SEG:0
%endif

failed:
	mov si, message
.char:
	lodsb
	test al, al
	jz .stop
	mov ah, 0x0e
	mov bx, 7
	int 0x10
	out DEBUG_PORT, al
	jmp .char
.stop:
	hlt
	jmp .stop

message:	db 'REALMODE: FAIL: the kernel could not be read', 10, 0
drive:		db 0
sectors:	dw 0
heads:		dw 0
	align 4
packet:		db 16, 0
		dw (KERNEL_LBA + KERNEL_SECTORS + 3) / 4
		dw 0, KERNEL_SEG
packet_lba:	dq 0

	times 510 - ($ - $$) db 0
	dw 0xaa55
