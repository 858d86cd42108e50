; SPDX-License-Identifier: GPL-2.0-or-later
; The kernel: runs each program of the directory that is flagged so, prints a line about each and one about all, and powers off.
%include "layout.inc"
	cpu 386
	bits 16
	org 0

entry:
	mov cx, cs
	mov ds, cx
	mov [medium], al
	mov [drive], dl
	mov [image_lba], ebx
	xor ax, ax
	mov es, ax
	mov word [es:SYS * 4], system
	mov [es:SYS * 4 + 2], cs
	mov si, hello
	call puts
	call read_directory
	mov si, directory
.next:
	cmp byte [si], 0
	je finish
	test word [si + ENTRY_FLAGS], FLAG_RUN
	jz .skip
	call run
.skip:
	add si, ENTRY_SIZE
	cmp si, directory + 512
	jb .next

finish:
	mov si, total
	call puts
	mov bx, [checks]
	call decimal
	mov si, total_checks
	call puts
	mov bx, [failures]
	mov si, all_passed
	test bx, bx
	jz .print
	call decimal
	mov si, some_failed
.print:
	call puts
	; Time for whoever reads the screen, then ACPI S5, where PMBASE of the PIIX4 says.
	mov cx, 9
.wait:
	mov ax, [es:0x46c]
.tick:
	hlt
	cmp ax, [es:0x46c]
	je .tick
	loop .wait
	mov eax, 0x80000b40	; 00:01.3, config 40h
	mov dx, 0xcf8
	out dx, eax
	mov dx, 0xcfc
	in ax, dx
	and ax, 0xffc0
	lea dx, [eax + 4]	; PM1a control
	mov ax, 0x2000		; SLP_EN, S5
	out dx, ax
.stop:
	hlt
	jmp .stop

; Runs the program of directory entry SI.
run:
	pushad
	push es
	mov di, line
	mov cx, 8
	push si
.name:
	mov al, [si]
	inc si
	mov [di], al
	inc di
	loop .name
	mov si, line
	call puts
	pop si
	push word PROGRAM_SEG
	pop es
	xor bx, bx
	call load
	jc .unread
	mov si, running
	call puts
	mov [stack], sp
	mov eax, 0x11111111	; programs start with the same registers always
	mov ebx, eax
	mov ecx, eax
	mov edx, eax
	mov esi, eax
	mov edi, eax
	mov ebp, eax
	cld
	call PROGRAM_SEG:0
	cli
	mov bx, cs
	mov ds, bx
	xor bx, bx
	mov ss, bx
	mov sp, [stack]
	mov es, bx
	sti
	cld
	add [failures], ax
	add [checks], cx
	mov bx, cx
	call decimal
	mov si, ok
	test ax, ax
	jz .report
	mov si, failed
	jmp .report
.unread:
	inc word [failures]
	mov si, unread
.report:
	call puts
	pop es
	popad
	ret

system:
	sti
	cld
	pushad
	mov bp, sp
	push ds
	push es
	cmp ah, SYS_PUTS
	je .puts
	cmp ah, SYS_PUTC
	je .putc
	cmp ah, SYS_HEX
	je .hex
	cmp ah, SYS_DECIMAL
	je .decimal
	cmp ah, SYS_LOAD
	je .load
	cmp ah, SYS_READ
	je .read
	mov al, [cs:medium]	; SYS_MEDIUM
	mov [bp + 28], al
	mov al, [cs:drive]
	mov [bp + 20], al
	mov eax, [cs:image_lba]
	mov [bp + 16], eax
	jmp .done
.puts:
	call puts
	jmp .done
.putc:
	call putc
	jmp .done
.hex:
	call hex
	jmp .done
.decimal:
	call decimal
	jmp .done
.load:
	push ds
	push es
	push cs
	pop es
	mov di, line
	mov cx, 8
	rep movsb
	pop es
	pop ds
	push cs
	pop ds
	mov si, line
	call find
	jc .error
	call load
	jc .error
	mov [bp + 24], cx
	jmp .done
.read:
	push cs
	pop ds
	call read_sector
	jc .error
.done:
	and byte [bp + 36], 0xfe	; CF in the flags of the caller
	jmp .return
.error:
	or byte [bp + 36], 1
.return:
	pop es
	pop ds
	popad
	iret

; SI = directory entry with the name at DS:SI (8 bytes, DS = CS). CF: none.
find:
	push es
	push ds
	pop es
	push cx
	push di
	mov di, directory
.next:
	mov cx, 8
	push si
	push di
	repe cmpsb
	pop di
	pop si
	je .found
	add di, ENTRY_SIZE
	cmp di, directory + 512
	jb .next
	stc
	jmp .done
.found:
	mov si, di
	clc
.done:
	pop di
	pop cx
	pop es
	ret

; Loads the file of directory entry SI to ES:BX; CX = bytes, CF: error.
load:
	push ax
	push bx
	push di
	push es
	mov di, bx
	mov bx, [si + ENTRY_LBA]
	mov cx, [si + ENTRY_BYTES]
	add cx, 511
	shr cx, 9
.next:
	call read_sector
	jc .done
	mov ax, es
	add ax, 512 / 16
	mov es, ax
	inc bx
	loop .next
	mov cx, [si + ENTRY_BYTES]
	clc
.done:
	pop es
	pop di
	pop bx
	pop ax
	ret

read_directory:
	push cs
	pop es
	mov di, directory
	mov bx, DIRECTORY_LBA
	call read_sector
	push word 0
	pop es
	ret

; Reads sector BX of the image to ES:DI. CF: error.
read_sector:
	pushad
	cmp byte [medium], MEDIUM_FLOPPY
	je .chs
	cmp byte [medium], MEDIUM_CDFLOPPY
	je .chs
	movzx eax, bx
	cmp byte [medium], MEDIUM_CD
	je .cd
	mov [packet.lba], eax
	mov [packet.offset], di
	mov [packet.segment], es
	mov word [packet.count], 1
	call edd
	jmp .done
.cd:
	shr eax, 2
	add eax, [image_lba]
	mov [packet.lba], eax
	mov word [packet.offset], bounce
	mov [packet.segment], cs
	mov word [packet.count], 1
	call edd
	jc .done
	and bx, 3
	shl bx, 9
	lea si, [bounce + bx]
	mov cx, 512
	rep movsb
	clc
	jmp .done
.chs:
	mov ax, bx
	mov bx, di
	mov dl, 18
	div dl		; AL = track, AH = sector - 1
	mov cl, ah
	inc cl
	xor dh, dh
	shr al, 1
	adc dh, 0
	mov ch, al
	mov dl, [drive]
	mov ax, 0x0201
	int 0x13
.done:
	popad
	ret

edd:
	mov si, packet
	mov dl, [drive]
	mov ah, 0x42
	int 0x13
	ret

; Prints to the screen and to the debug port.
putc:
	push ax
	push bx
	push bp
	push si
	push di
	push ds
	push es
	out DEBUG_PORT, al
	cmp al, 10
	jne .print
	mov ax, 0x0e0d
	mov bx, 7
	int 0x10
	mov al, 10
.print:
	mov ah, 0x0e
	mov bx, 7
	int 0x10
	pop es
	pop ds
	pop di
	pop si
	pop bp
	pop bx
	pop ax
	ret

puts:
	push ax
	push si
.next:
	lodsb
	test al, al
	jz .done
	call putc
	jmp .next
.done:
	pop si
	pop ax
	ret

hex:
	push ax
	push cx
	mov cx, 4
.next:
	rol bx, 4
	mov al, bl
	and al, 15
	cmp al, 10
	sbb al, 0x69
	das
	call putc
	loop .next
	pop cx
	pop ax
	ret

decimal:
	push ax
	push cx
	push dx
	push bx
	mov ax, bx
	mov bx, 10
	xor cx, cx
.divide:
	xor dx, dx
	div bx
	push dx
	inc cx
	test ax, ax
	jnz .divide
.print:
	pop ax
	add al, '0'
	call putc
	loop .print
	pop bx
	pop dx
	pop cx
	pop ax
	ret

hello:		db 10, 'Real-mode tests', 10, 0
running:	db ' ', 0
ok:		db ' checks, ok', 10, 0
failed:		db ' checks, FAILED', 10, 0
unread:		db ' could not be read', 10, 0
total:		db 'REALMODE: ', 0
total_checks:	db ' checks, ', 0
all_passed:	db 'PASS', 10, 0
some_failed:	db ' failed: FAIL', 10, 0
line:		times 9 db 0
medium:		db 0
drive:		db 0
	align 4
image_lba:	dd 0
checks:		dw 0
failures:	dw 0
stack:		dw 0
packet:		db 16, 0
.count:		dw 0
.offset:	dw 0
.segment:	dw 0
.lba:		dq 0
	align 16
directory:	times 512 db 0
bounce:		times 2048 db 0

%if $ - $$ > KERNEL_SECTORS * 512
%error the kernel is too large
%endif
