; SPDX-License-Identifier: GPL-2.0-or-later
; Unreal mode: segments keep the limits and bases they had in protected mode until they are loaded. (SDM vol. 3, 9.9.2 and 3.4.4)
%include "program.inc"

FLAT	equ 8
CODE	equ 16
DATA	equ 24
SMALL	equ 32

main:
	mov ax, 0x2401
	int 0x15
	EXPECT nc, 'A20 on'
	cli
	mov ax, cs
	movzx eax, ax
	shl eax, 4
	mov ebx, eax
	or [gdt + CODE + 2], eax	; base; the upper byte is 0
	or [gdt + DATA + 2], eax
	add eax, gdt
	mov [gdtr + 2], eax
	lgdt [gdtr]
	; DS, ES, FS, GS flat, and back.
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp CODE:.protected
.protected:
	mov dx, FLAT
	mov ds, dx
	mov es, dx
	mov fs, dx
	mov gs, dx
	and al, 0xfe
	mov cr0, eax
	jmp PROGRAM_SEG:.real
.real:
	; Not loaded since: base 0, 4 GiB.
	mov dword [dword 0x200000], 0x12345678
	mov ecx, 0x300000
	mov dword [es:ecx], 0x9abcdef0
	mov eax, [fs:dword 0x200000]
	mov ebx, [gs:ecx]
	; Loaded: base changes, the limit stays.
	push cs
	pop ds
	COMPARE eax, 0x12345678, '2 MiB through FS'
	COMPARE ebx, 0x9abcdef0, '3 MiB through GS'
	mov eax, [dword 0x200000 - PROGRAM_SEG * 16]
	COMPARE eax, 0x12345678, '2 MiB through DS, loaded in real mode'
	sti
	; Interrupts and BIOS calls in between keep it (they load segments in real mode only, but may reset limits: so look at FS, which they leave).
	push word 0
	pop fs
	mov cx, 2
.tick:
	mov ax, [fs:0x46c]
.wait:
	hlt
	cmp ax, [fs:0x46c]
	je .wait
	loop .tick
	mov eax, [fs:dword 0x200000]
	COMPARE eax, 0x12345678, '2 MiB after interrupts'
	; Copies with 32-bit addresses.
	push word 0
	pop es
	mov esi, source
	mov edi, 0x400000
	mov ecx, 64
	a32 rep movsd
	COMPARE ecx, 0, '32-bit MOVSD: ECX'
	COMPARE edi, 0x400100, '32-bit MOVSD: EDI'
	mov eax, [es:dword 0x4000fc]
	COMPARE eax, 0x3f3f3f3f, '32-bit MOVSD: data'
	mov edi, 0x400000
	mov esi, source
	mov ecx, 64
	a32 repe cmpsd
	EXPECT e, '32-bit CMPSD'
	mov edi, 0x500000
	mov eax, 0x55aa55aa
	mov ecx, 0x10000
	a32 rep stosd
	mov eax, [es:dword 0x53fffc]
	COMPARE eax, 0x55aa55aa, '32-bit STOSD across pages'
	; Code at 1 MiB and above from a 32-bit buffer: what is copied down runs.
	mov byte [es:dword 0x600000], 0xb0	; mov al, 42; retf
	mov dword [es:dword 0x600001], 0x0000cb2a
	mov esi, 0x600000
	push ds
	push es
	pop ds
	push word WORK_SEG
	pop es
	mov edi, 0x10
	mov ecx, 8
	a32 rep movsb
	pop ds
	call WORK_SEG:0x10
	COMPARE al, 42, 'code copied down'
	; Small limits outlive the switch too.
	cli
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp CODE:.protected_again
.protected_again:
	mov dx, SMALL
	mov gs, dx
	mov dx, DATA
	mov ds, dx
	mov es, dx
	and al, 0xfe
	mov cr0, eax
	jmp PROGRAM_SEG:.real_again
.real_again:
	push cs
	pop ds
	push cs
	pop es
	sti
	HOOK 13, on_fault, old_13
	mov al, [gs:0xff]
	COMPARE byte [faulted], 0, 'limit FFh: last byte'
%ifndef QEMU			; TCG knows no limits
	mov word [resume], .beyond
	mov al, [gs:0x100]
.beyond:
	COMPARE byte [faulted], 1, 'limit FFh: behind it'
%endif
	; Everything as it was.
	cli
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp CODE:.protected_last
.protected_last:
	mov dx, DATA
	mov ds, dx
	mov es, dx
	mov fs, dx
	mov gs, dx
	and al, 0xfe
	mov cr0, eax
	jmp PROGRAM_SEG:.real_last
.real_last:
	push cs
	pop ds
	push cs
	pop es
	push cs
	pop fs
	push cs
	pop gs
	sti
%ifndef QEMU
	mov byte [faulted], 0
	mov word [resume], .normal
	mov ecx, 0x10000
	mov al, [fs:ecx]
.normal:
	COMPARE byte [faulted], 1, 'limit FFFFh again'
%endif
	UNHOOK 13, old_13
	jmp finish

on_fault:
	push bp
	mov bp, sp
	push ax
	mov byte [cs:faulted], 1
	mov ax, [cs:resume]
	mov [bp + 2], ax
	pop ax
	pop bp
	iret

	align 8
gdt:		dq 0
		dq 0x00cf92000000ffff	; flat data
		dq 0x00009a000000ffff	; code, 64 KiB, base to be filled in
		dq 0x000092000000ffff	; data, 64 KiB, base to be filled in
		dq 0x00009200000000ff	; 256 bytes at 0
gdtr:		dw $ - gdt - 1
		dd 0
faulted:	db 0
		db 0
resume:		dw 0
	align 4
old_13:		dd 0
source:
%assign i 0
%rep 64
	dd i * 0x01010101
%assign i i + 1
%endrep
