; SPDX-License-Identifier: GPL-2.0-or-later
; INT 13h: geometry, CHS and EDD reads, writes, verification and errors.
%include "program.inc"

main:
	mov ah, SYS_MEDIUM
	int SYS
	mov [medium], al
	mov [drive], dl
	mov [image_lba], ebx
	push word BUFFER_SEG
	pop es
	mov ah, 0		; reset
	mov dl, [drive]
	int 0x13
	EXPECT nc, 'reset'
	cmp byte [medium], MEDIUM_CD
	je cd
	call chs
	cmp byte [medium], MEDIUM_DISK
	jne finish
	call edd
	jmp finish

cd:
	mov dl, [drive]
	mov bx, 0x55aa
	mov ah, 0x41
	int 0x13
	EXPECT nc, '41h'
	COMPARE bx, 0xaa55, '41h: signature'
	call edd_parameters
	COMPARE word [parameters.sector_size], 2048, '48h: sector size'
	mov eax, 1000 / 4	; a run of pattern sectors
	add eax, [image_lba]
	mov cx, 20
	call edd_read
	EXPECT nc, '42h of 20 CD sectors'
	mov eax, 1000
	mov cx, 80
	call check_pattern
	; A write must fail: the medium is read-only.
	mov word [packet.count], 1
	mov ax, 0x4300
	call edd_call
	EXPECT c, '43h to a CD'
	jmp finish

; --- CHS ---

chs:
	xor di, di
	push es
	mov es, di
	mov dl, [drive]
	mov ah, 0x08
	int 0x13
	pop es
	EXPECT nc, '08h'
	mov ax, cx
	and ax, 0x3f
	mov [sectors], ax
	movzx ax, dh
	inc ax
	mov [heads], ax
	mov al, ch
	mov ah, cl
	shr ah, 6
	inc ax
	mov [cylinders], ax
	cmp byte [medium], MEDIUM_DISK
	je .geometry_known
	COMPARE word [sectors], 18, '08h: sectors'
	COMPARE word [heads], 2, '08h: heads'
	COMPARE word [cylinders], 80, '08h: cylinders'
.geometry_known:
	mov si, lbas
.read_one:
	lodsw
	test ax, ax
	jz .read_many
	mov cx, 1
	call chs_read
	EXPECT nc, '02h of one sector'
	cwde
	call check_pattern
	jmp .read_one
.read_many:
	; A track from its first sector.
	mov ax, [sectors]
	imul ax, 60
	mov cx, [sectors]
	call chs_read
	EXPECT nc, '02h of a track'
	cwde
	call check_pattern
	mov cx, 1
	mov ax, 1999
	mov bl, 4		; verify
	call chs_call
	EXPECT nc, '04h'
	mov ah, 1		; status of the last operation
	mov dl, [drive]
	int 0x13
	COMPARE ah, 0, '01h after success'
	mov ah, 0x15
	mov dl, [drive]
	int 0x13
	EXPECT nc, '15h'
	cmp ah, 0
	EXPECT ne, '15h: drive present'
	cmp byte [medium], MEDIUM_CDFLOPPY
	je .read_only
	call chs_write
	ret
.read_only:
	mov ax, SCRATCH_LBA
	mov cx, 1
	mov bl, 3
	call chs_call
	EXPECT c, '03h to a CD'
	ret

chs_write:
	mov bx, 0
	mov cx, 4 * 512
.fill:
	mov [es:bx], bl
	not byte [es:bx]
	inc bx
	loop .fill
	mov ax, SCRATCH_LBA
	mov cx, 4
	mov bl, 3
	call chs_call
	EXPECT nc, '03h'
	call clear_buffer
	call chs_read
	EXPECT nc, '02h of what was written'
	xor bx, bx
	mov cx, 4 * 512
.compare:
	mov al, bl
	not al
	cmp [es:bx], al
	jne .compared
	inc bx
	loop .compare
.compared:
	COMPARE cx, 0, '03h, then 02h'
	; Others are as they were.
	mov ax, SCRATCH_LBA + 4
	mov cx, 1
	call chs_read
	cwde
	call check_pattern
	; The pattern again.
	mov eax, SCRATCH_LBA
	mov cx, 4
	call make_pattern
	mov ax, SCRATCH_LBA
	mov bl, 3
	call chs_call
	EXPECT nc, '03h of the pattern'
	call clear_buffer
	call chs_read
	mov eax, SCRATCH_LBA
	call check_pattern
	; Sectors that do not exist.
	mov ax, 0x0201
	mov cx, 0x0000		; sector 0
	mov dh, 0
	mov dl, [drive]
	xor bx, bx
	int 0x13
	EXPECT c, '02h of sector 0'
	cmp ah, 0
	EXPECT ne, '02h of sector 0: status'
	mov ax, 0x0201
	mov cx, 0xffff		; cylinder 1023, sector 63
	mov dh, 0
	mov dl, [drive]
	int 0x13
	EXPECT c, '02h of cylinder 1023'
	ret

; --- EDD ---

edd:
	mov dl, [drive]
	mov bx, 0x55aa
	mov ah, 0x41
	int 0x13
	EXPECT nc, '41h'
	COMPARE bx, 0xaa55, '41h: signature'
	test cl, 1
	EXPECT nz, '41h: packets'
	call edd_parameters
	COMPARE word [parameters.sector_size], 512, '48h: sector size'
	COMPARE dword [parameters.total], 16128, '48h: sectors'
	mov eax, 16000
	mov cx, 127
	call edd_read
	EXPECT nc, '42h of 127 sectors'
	call check_pattern
	mov eax, 1003
	mov cx, 1
	call edd_read
	EXPECT nc, '42h of one sector'
	call check_pattern
	; Write, read by CHS, restore.
	mov eax, 7000
	mov cx, 8
	call make_pattern
	mov dword [packet.lba], SCRATCH_LBA + 8
	mov [packet.count], cx
	mov ax, 0x4300
	call edd_call
	EXPECT nc, '43h'
	call clear_buffer
	mov ax, SCRATCH_LBA + 8
	call chs_read
	mov eax, 7000
	call check_pattern
	mov eax, SCRATCH_LBA + 8
	call make_pattern
	mov ax, 0x4300
	call edd_call
	EXPECT nc, '43h of the pattern'
	; The end of the disk, and behind it.
	mov eax, 16127
	mov cx, 1
	call edd_read
	EXPECT nc, '42h of the last sector'
	call check_pattern
	mov eax, 16128
	call edd_read
	EXPECT c, '42h behind the last sector'
	ret

edd_parameters:
	mov word [parameters], 26
	mov si, parameters
	mov dl, [drive]
	mov ah, 0x48
	int 0x13
	EXPECT nc, '48h'
	ret

; CX sectors from EAX to ES:0. CF: error.
edd_read:
	mov [packet.lba], eax
	mov [packet.count], cx
	push ax
	mov ax, 0x4200
	call edd_call
	pop ax
	ret

edd_call:
	mov [packet.segment], es
	mov si, packet
	mov dl, [drive]
	int 0x13
	ret

; --- helpers: AX or EAX, CX, ES stay ---

chs_read:
	mov bl, 2
; Function BL for CX sectors from LBA AX at ES:0. CF: error.
chs_call:
	pusha
	mov bp, cx
	xor dx, dx
	div word [sectors]
	mov cl, dl
	inc cl
	xor dx, dx
	div word [heads]
	mov dh, dl
	mov ch, al
	shl ah, 6
	or cl, ah
	mov ah, bl
	xor bx, bx
	mov dl, [drive]
	mov [buffer_count], bp
	mov al, [buffer_count]
	int 0x13
	popa
	ret

; Do the CX sectors at ES:0 hold the pattern of LBA EAX on?
check_pattern:
	pushad
	xor di, di
.sector:
	mov ebx, eax
	mov dx, 128
.word:
	cmp [es:di], ebx
	jne .end
	add ebx, 4 << 20
	add di, 4
	dec dx
	jnz .word
	inc eax
	loop .sector
.end:
	cmp cx, 0
	mov edx, [es:di]
	mov ecx, edi
	EXPECT e, 'sectors as expected (eax: LBA, ecx: offset, edx: found, ebx: expected)'
	popad
	ret

make_pattern:
	pushad
	xor di, di
.sector:
	mov ebx, eax
	mov dx, 128
.word:
	mov [es:di], ebx
	add ebx, 4 << 20
	add di, 4
	dec dx
	jnz .word
	inc eax
	loop .sector
	popad
	ret

clear_buffer:
	pusha
	xor di, di
	xor ax, ax
	mov cx, 0x8000
	rep stosw
	popa
	ret

lbas:		dw 1000, 1017, 1018, 1035, 1036, 1500, 2303, 2879, 0
medium:		db 0
drive:		db 0
	align 4
image_lba:	dd 0
sectors:	dw 0
heads:		dw 0
cylinders:	dw 0
buffer_count:	dw 0
packet:		db 16, 0
.count:		dw 0
.offset:	dw 0
.segment:	dw 0
.lba:		dq 0
parameters:	dw 26, 0
.cylinders:	dd 0
.heads:		dd 0
.sectors:	dd 0
.total:		dq 0
.sector_size:	dw 0
