; SPDX-License-Identifier: GPL-2.0-or-later
; Exceptions and software interrupts in real mode, far transfers, segments that wrap or end. (SDM vol. 3, 21.1: real-address mode)
%include "program.inc"

; RAISES vector, text; the instruction that must raise it follows as code up to RAISED. The handler records the vector and the return
; address, and goes on at RAISED.
%macro RAISES 2
	mov word [cs:resume], %%next
	mov word [cs:expected_ip], %%insn
	mov byte [cs:seen], 0xee
	%define RAISES_NEXT %%next
	%define RAISES_VECTOR %1
	%define RAISES_TEXT %2
	%strcat RAISES_IP_TEXT %2, ': return address'
%%insn:
%endmacro
%macro RAISED 0
RAISES_NEXT:
	COMPARE byte [cs:seen], RAISES_VECTOR, RAISES_TEXT
	push ax
	mov ax, [cs:seen_ip]
	COMPARE ax, [cs:expected_ip], RAISES_IP_TEXT
	pop ax
%endmacro

%macro HANDLER 1
handler_%1:
	mov byte [cs:seen], %1
	jmp caught
%endmacro

main:
	HOOK 0, handler_0, old_0
	HOOK 4, handler_4, old_4
	HOOK 5, handler_5, old_5
	HOOK 6, handler_6, old_6
	HOOK 13, handler_13, old_13
	HOOK 12, handler_12, old_12
	call divide
	call traps
	call bounds
	call invalid
	call segments
	call far_transfers
	call flags
	UNHOOK 12, old_12
	UNHOOK 13, old_13
	UNHOOK 6, old_6
	UNHOOK 5, old_5
	UNHOOK 4, old_4
	UNHOOK 0, old_0
	jmp finish

	HANDLER 0
	HANDLER 4
	HANDLER 5
	HANDLER 6
	HANDLER 12
	HANDLER 13
caught:
	push bp
	mov bp, sp
	push ax
	mov ax, [bp + 2]
	mov [cs:seen_ip], ax
	mov ax, [bp + 4]
	mov [cs:seen_cs], ax
	mov ax, [bp + 6]
	mov [cs:seen_flags], ax
	mov ax, [cs:resume]
	mov [bp + 2], ax
	mov [bp + 4], cs
	pop ax
	pop bp
	iret

; --- #DE ---

divide:
	mov dx, 1
	mov ax, 0
	mov bx, 1
	RAISES 0, 'DIV overflow'
	div bx
	RAISED
	COMPARE ax, 0, 'DIV overflow leaves AX'
	COMPARE dx, 1, 'DIV overflow leaves DX'
	xor cl, cl
	RAISES 0, 'DIV by 0'
	div cl
	RAISED
	mov ax, 0x8000
	mov cl, -1
	RAISES 0, 'IDIV overflow'
	idiv cl
	RAISED
	RAISES 0, 'DIV of memory'
	div word [zero]
	RAISED
%ifndef QEMU			; these end QEMU 7.2
	mov edx, 0x80000000
	xor eax, eax
	mov ecx, -1
	RAISES 0, 'IDIV of 64 bits'
	idiv ecx
	RAISED
	RAISES 0, 'AAM 0'
	aam 0
	RAISED
%endif
	; A handler that repairs the divisor and divides again.
	HOOK 0, repair, old_de
	mov bx, 0
	mov ax, 1234
	xor dx, dx
	div bx
	COMPARE ax, 123, 'DIV again after repair: quotient'
	COMPARE dx, 4, 'DIV again after repair: remainder'
	UNHOOK 0, old_de
	ret

repair:
	mov bx, 10
	iret

; --- INTO, INT3, INT n ---

traps:
	mov al, 0x7f
	add al, 1		; sets OF
	mov word [resume], .into
	mov byte [seen], 0xee
	into
.into:
	COMPARE byte [seen], 4, 'INTO with OF'
	COMPARE word [seen_ip], .into, 'INTO: return address'
	xor al, al		; clears OF
	mov byte [seen], 0xee
	into
	COMPARE byte [seen], 0xee, 'INTO without OF'
	HOOK 3, handler_3, old_3
	mov word [resume], .int3
	int3
.int3:
	COMPARE byte [seen], 3, 'INT3'
	COMPARE word [seen_ip], .int3, 'INT3: return address'
	mov word [resume], .int_3
	mov byte [seen], 0xee
	db 0xcd, 3
.int_3:
	COMPARE byte [seen], 3, 'INT 3, two bytes'
	COMPARE word [seen_ip], .int_3, 'INT 3, two bytes: return address'
	UNHOOK 3, old_3
	HOOK 0x60, own_int, old_60
	mov ax, 0
	stc
	std
	int 0x60
	pushf
	cld
	pop bx
	COMPARE ax, 0x1234, 'INT 60h ran'
	mov cx, bx
	and cx, 0x0601		; DF, IF, CF
	COMPARE cx, 0x0601, 'INT 60h: flags restored by IRET'
	and word [inside_flags], 0x0301
	COMPARE word [inside_flags], 0x0001, 'INT 60h: IF and TF clear inside'
	UNHOOK 0x60, old_60
	ret

handler_3:
	mov byte [cs:seen], 3
	jmp caught

own_int:
	pushf
	pop word [cs:inside_flags]
	mov ax, 0x1234
	iret

; --- BOUND ---

bounds:
	mov ax, 9
	RAISES 5, 'BOUND below'
	bound ax, [limits]
	RAISED
	mov ax, 21
	RAISES 5, 'BOUND above'
	bound ax, [limits]
	RAISED
	mov byte [seen], 0xee
	mov ax, 10
	bound ax, [limits]
	mov ax, 20
	bound ax, [limits]
	mov eax, -5
	bound eax, [wide_limits]
	COMPARE byte [seen], 0xee, 'BOUND inside'
	mov eax, -7
	RAISES 5, 'BOUND of 32 bits'
	bound eax, [wide_limits]
	RAISED
	ret

; --- #UD ---

invalid:
	RAISES 6, 'UD2'
	ud2
	RAISED
	RAISES 6, 'LLDT in real mode'
	lldt ax
	RAISED
	RAISES 6, 'VERR in real mode'
	verr ax
	RAISED
	RAISES 6, 'ARPL in real mode'
	arpl ax, bx
	RAISED
	RAISES 6, 'MOV to CS'
	db 0x8e, 0xc8		; mov cs, ax
	RAISED
	RAISES 6, 'LOCK without memory'
	db 0xf0, 0x40		; lock inc ax
	RAISED
	RAISES 6, 'LES with a register'
	db 0xc4, 0xc0, 0x90
	RAISED
	ret

; --- #GP, #SS: segment limits of FFFF; addresses that wrap ---

segments:
	push word WORK_SEG
	pop es
	mov byte [es:0xffff], 0x34
	mov byte [es:0], 0x12
%ifndef QEMU			; TCG knows no limits
	RAISES 13, 'word at FFFF'
	mov ax, [es:0xffff]
	RAISED
	RAISES 13, 'dword at FFFD'
	mov eax, [es:0xfffd]
	RAISED
	RAISES 13, 'write of a word at FFFF'
	mov [es:0xffff], ax
	RAISED
	COMPARE byte [es:0xffff], 0x34, 'write of a word at FFFF: nothing written'
	mov ebx, 0x10000
	RAISES 13, 'offset 10000h'
	mov al, [es:ebx]
	RAISED
%endif
	; 16-bit addressing wraps: BX + SI = 10004h is 4.
	mov byte [es:4], 0x77
	mov bx, 0xfffe
	mov si, 6
	COMPARE byte [es:bx + si], 0x77, 'BX + SI wraps'
	mov byte [es:3], 0x66
	mov bx, 0xffff
	COMPARE byte [es:bx + 4], 0x66, 'BX + displacement wraps'
	; Strings wrap too, but not within an element.
	mov di, 0xfffe
	mov al, 0xab
	mov cx, 4
	rep stosb
	COMPARE di, 2, 'REP STOSB wraps'
	COMPARE byte [es:0xffff], 0xab, 'REP STOSB before the end'
	COMPARE byte [es:1], 0xab, 'REP STOSB behind the end'
%ifndef QEMU
	mov di, 0xfffd
	mov cx, 3
	mov ax, 0xcdcd
	RAISES 13, 'REP STOSW across the end'
	rep stosw
	RAISED
	COMPARE cx, 2, 'REP STOSW across the end: CX'
	COMPARE di, 0xffff, 'REP STOSW across the end: DI'
%endif
	; The stack wraps.
	mov dx, sp
	mov bx, ss
	mov ax, WORK_SEG
	cli
	mov ss, ax
	mov sp, 0
	push word 0x4321
	mov cx, sp
	mov ax, [ss:0xfffe]
	mov ss, bx
	mov sp, dx
	sti
	COMPARE cx, 0xfffe, 'PUSH at SP = 0: SP'
	COMPARE ax, 0x4321, 'PUSH at SP = 0: value'
	cli
	mov ax, WORK_SEG
	mov ss, ax
	mov sp, 0xfffe
	mov word [ss:0xfffe], 0x8765
	pop ax
	mov cx, sp
	mov ss, bx
	mov sp, dx
	sti
	COMPARE cx, 0, 'POP at SP = FFFE: SP'
	COMPARE ax, 0x8765, 'POP at SP = FFFE: value'
%ifndef QEMU
	mov bp, 0xffff
	RAISES 12, 'word at SS:FFFF'
	mov ax, [bp]
	RAISED
	; Code that runs up to the end of its segment and beyond it.
	mov word [es:0xfffe], 0x9090
	mov word [resume], .ran_out
	mov byte [seen], 0xee
	jmp WORK_SEG:0xfffe
.ran_out:
	COMPARE byte [seen], 13, 'code running out of its segment'
	COMPARE word [seen_cs], WORK_SEG, 'code running out of its segment: CS'
	COMPARE word [seen_ip], 0, 'code running out of its segment: IP'
%endif
	ret

; --- far calls, jumps, returns ---

far_transfers:
	mov ax, sp
	call PROGRAM_SEG:.callee
	COMPARE dx, 0x5151, 'far CALL, immediate'
	COMPARE ax, sp, 'far CALL, RETF: SP'
	xor dx, dx
	call far [.pointer]
	COMPARE dx, 0x5151, 'far CALL through memory'
	push word 7
	push word 8
	call far [.pointer_args]
	COMPARE dx, 15, 'RETF 4: arguments'
	COMPARE ax, sp, 'RETF 4: SP'
	; The same place through another segment.
	call PROGRAM_SEG + 0x10:.alias - 0x100
	COMPARE dx, PROGRAM_SEG + 0x10, 'far CALL through an overlapping segment'
	jmp far [.pointer_jump]
	EXPECT o, 'far JMP not taken'
.jumped:
	COMPARE sp, ax, 'far JMP: SP'
	push cs
	push word .retf_target
	retf
	EXPECT o, 'RETF as a jump not taken'
.retf_target:
	pushf
	push cs
	push word .iret_target
	iret
	EXPECT o, 'IRET as a jump not taken'
.iret_target:
	COMPARE sp, ax, 'IRET as a jump: SP'
	; 32-bit operands.
	push word 0
	push cs
	push word 0
	push word .retf32_target
	o32 retf
	EXPECT o, '32-bit RETF not taken'
.retf32_target:
	COMPARE sp, ax, '32-bit RETF: SP'
	call dword far [.pointer32]
	COMPARE dx, 0x3232, '32-bit far CALL'
	COMPARE sp, ax, '32-bit far CALL: SP'
	; Near calls through memory and registers.
	mov bx, .near
	call bx
	COMPARE dx, 0x4e4e, 'CALL BX'
	xor dx, dx
	call [.near_pointer]
	COMPARE dx, 0x4e4e, 'CALL through memory'
	ret
.callee:
	mov dx, 0x5151
	retf
.callee_args:
	mov bp, sp
	mov dx, [bp + 4]
	add dx, [bp + 6]
	retf 4
.alias:
	mov dx, cs
	retf
.callee32:
	mov dx, 0x3232
	o32 retf
.near:
	mov dx, 0x4e4e
	ret
.pointer:	dw .callee, PROGRAM_SEG
.pointer_args:	dw .callee_args, PROGRAM_SEG
.pointer_jump:	dw .jumped, PROGRAM_SEG
.pointer32:	dd .callee32
		dw PROGRAM_SEG
.near_pointer:	dw .near

; --- PUSHF, POPF, LAHF, SAHF: which bits stick ---

flags:
	pushf
	pop bx
	push word 0x7cd5	; all but TF and IF
	popf
	pushf
	pop ax
	push bx
	popf
	COMPARE ax, 0x7cd7, 'POPF, PUSHF: IOPL, NT, DF, OF and status'
	push word 0
	popf
	pushf
	pop ax
	push bx
	popf
	COMPARE ax, 0x0002, 'POPF of 0'
	mov ah, 0xd5
	sahf
	lahf
	COMPARE ah, 0xd7, 'SAHF, LAHF'
	; EFLAGS.ID and AC can be changed, VM and RF cannot.
	pushfd
	pop ecx
	mov eax, ecx
	xor eax, 0x00240000
	or eax, 0x00030000
	push eax
	popfd
	pushfd
	pop edx
	push ecx
	popfd
	xor edx, ecx
	and edx, 0x00270000
	COMPARE edx, 0x00240000, 'POPFD: ID and AC change, RF and VM do not'
	ret

	align 4
limits:		dw 10, 20
wide_limits:	dd -6, 5
zero:		dw 0
seen:		db 0
		db 0
seen_ip:	dw 0
seen_cs:	dw 0
seen_flags:	dw 0
inside_flags:	dw 0
resume:		dw 0
expected_ip:	dw 0
	align 4
old_0:		dd 0
old_3:		dd 0
old_4:		dd 0
old_5:		dd 0
old_6:		dd 0
old_12:		dd 0
old_13:		dd 0
old_60:		dd 0
old_de:		dd 0
