; SPDX-License-Identifier: GPL-2.0-or-later
; Single-stepping as debuggers do it: TF, where it is delayed and what it sees, and breakpoints in debug registers. (SDM vol. 3, 18.3)
%include "program.inc"

MAX_STEPS	equ 64

; STEPS label, ...: the addresses that the handler must have seen, in order.
%macro STEPS 2-*
	mov si, %%list
	mov di, %%text
	mov cx, %0 - 1
	call check_steps
	jmp %%over
%%text:
	db %1, 0
	%rotate 1
%%list:
	%rep %0 - 1
		dw %1
		%rotate 1
	%endrep
%%over:
%endmacro

main:
	HOOK 1, stepped, old_1
	call plain
	call delayed
	call strings
	call interrupts
	call branches
	call breakpoints
	UNHOOK 1, old_1
	jmp finish

; Records the return address.
stepped:
	push bp
	mov bp, sp
	push bx
	push ax
	mov bx, [cs:step_count]
	cmp bx, MAX_STEPS
	jae .full
	mov ax, [bp + 2]
	shl bx, 1
	mov [cs:steps + bx], ax
	shr bx, 1
	inc bx
	mov [cs:step_count], bx
.full:
	mov eax, dr6
	or [cs:dr6_seen], eax
	and eax, 0xffff0ff0	; the processor sets, software clears
	mov dr6, eax
	cmp byte [cs:set_rf], 0
	je .done
	; An instruction breakpoint is a fault: RF, which only a 32-bit IRET can set, keeps it from coming again. Turn it off instead.
	xor eax, eax
	mov dr7, eax
.done:
	pop ax
	pop bx
	pop bp
	iret

begin:
	pop ax
	mov word [step_count], 0
	mov dword [dr6_seen], 0
	pushf
	pop bx
	mov [quiet], bx
	or bx, 0x100
	push bx
	push cs
	push ax
	iret			; the first step is behind the instruction that follows

%macro END 0
	push word [quiet]
	popf
%endmacro

; --- straight code ---

plain:
	call begin
.a:	mov cx, 3
.b:	add cx, cx
.c:	nop
.d:	END
.e:	nop
	COMPARE cx, 6, 'traced instructions run'
	STEPS 'straight code', .b, .c, .d, .d4, .e
	test word [dr6_seen], 0x4000
	EXPECT nz, 'DR6.BS'
	ret
.d4	equ .d + 4

; --- instructions that hold the trap back ---

delayed:
	call begin
.a:	mov ax, ss
.b:	mov ss, ax		; no trap behind it
.c:	nop
.d:	push ss
.e:	pop ss			; nor behind it
.f:	nop
%ifndef QEMU
.g:	sti			; STI holds interrupts back, not the trap
%else
.g:	nop
%endif
.h:	nop
.i:	END
.j:	nop
	STEPS 'MOV SS, POP SS, STI', .b, .d, .e, .g, .h, .i, .i4, .j
	; POPF that sets TF: the trap is behind the next instruction.
	mov word [step_count], 0
	pushf
	pop ax
	mov [quiet], ax
	or ax, 0x100
	push ax
.k:	popf
.l:	nop
.m:	nop
.n:	END
.o:	nop
	STEPS 'POPF', .m, .n, .n4, .o
	ret
.i4	equ .i + 4
.n4	equ .n + 4

; --- repeated strings: one trap an iteration ---

strings:
	push es
	push word WORK_SEG
	pop es
	mov di, 0
	mov al, 0x5a
	mov cx, 3
	mov word [step_count], 0
	pushf
	pop bx
	mov [quiet], bx
	or bx, 0x100
	push bx
	popf
.a:	rep stosb
.b:	nop
.c:	END
.d:	nop
	COMPARE di, 3, 'REP STOSB under TF: DI'
	STEPS 'REP STOSB', .a, .a, .b, .c, .c4, .d
	pop es
	ret
.c4	equ .c + 4

; --- interrupts: the handler is not traced, what follows INT is ---

interrupts:
	HOOK 0x60, handler_60, old_60
	HOOK 0, handler_de, old_0
	call begin
.a:	nop
.b:	int 0x60
.c:	nop
.d:	xor dl, dl
.e:	div dl			; the handler goes on at .f
.f:	nop
.g:	END
.h:	nop
	STEPS 'INT n, #DE', .b, .d, .e, .g, .g4, .h
	COMPARE word [handled], 2, 'INT n, #DE under TF: handlers ran'
	test word [flags_60], 0x100
	EXPECT z, 'INT n clears TF'
	UNHOOK 0, old_0
	UNHOOK 0x60, old_60
	ret
.g4	equ .g + 4

handler_60:
	pushf
	pop word [cs:flags_60]
	inc word [cs:handled]
	iret			; sets TF again: the trap is behind the next instruction

handler_de:
	push bp
	mov bp, sp
	mov word [bp + 2], interrupts.f
	inc word [cs:handled]
	pop bp
	iret

; --- branches, calls, loops ---

branches:
	call begin
.a:	mov cx, 2
.b:	loop .b
.c:	call .sub
.d:	jmp .f
.e:	nop
.f:	stc
.g:	jnc .e
.h:	END
.i:	nop
	STEPS 'branches', .b, .b, .c, .sub, .sub1, .d, .f, .g, .h, .h4, .i
	ret
.sub:	nop
.sub1:	ret
.h4	equ .h + 4

; --- debug registers ---

breakpoints:
%ifndef QEMU			; data breakpoints end QEMU 7.2's TCG
	mov word [step_count], 0
	mov dword [dr6_seen], 0
	mov byte [set_rf], 1
	mov eax, PROGRAM_SEG * 16 + .here
	mov dr0, eax
	mov eax, 0x00000002	; G0, execution
	mov dr7, eax
	nop
.here:	inc cx
	STEPS 'execution breakpoint', .here
	test byte [dr6_seen], 1
	EXPECT nz, 'DR6.B0'
	; Data: the trap is behind the instruction that writes.
	mov word [step_count], 0
	mov dword [dr6_seen], 0
	mov eax, PROGRAM_SEG * 16 + watched
	mov dr1, eax
	mov eax, 0x00d00008	; G1, writes, 4 bytes
	mov dr7, eax
	mov eax, [watched]	; a read does not count
	inc byte [watched + 2]
.behind:
	nop
	STEPS 'write breakpoint', .behind
	test byte [dr6_seen], 2
	EXPECT nz, 'DR6.B1'
	; Reads and writes.
	mov word [step_count], 0
	mov dword [dr6_seen], 0
	mov eax, 0x00f00008
	mov dr7, eax
	mov al, [watched + 3]
.read:
	nop
	STEPS 'read breakpoint', .read
	; GD: an access to a debug register.
	mov word [step_count], 0
	mov dword [dr6_seen], 0
	mov eax, 0x00002000
	mov dr7, eax
.general:
	mov ebx, dr7		; faults, the handler clears DR7
	STEPS 'general detect', .general
	test word [dr6_seen], 0x2000
	EXPECT nz, 'DR6.BD'
%endif
	mov byte [set_rf], 0
	xor eax, eax
	mov dr7, eax
	mov dr0, eax
	mov dr1, eax
	ret

; Do the CX words at SI equal what was recorded? DI: text, for the report.
check_steps:
	mov ax, cx
	mov bx, [step_count]
	cmp ax, bx
	EXPECT e, 'number of steps (eax: expected, ebx: found):'
	je .compare
	push si
	mov si, di
	mov ah, SYS_PUTS
	int SYS
	pop si
.compare:
	mov di, steps
.next:
	mov ax, [si]
	mov bx, [di]
	cmp ax, bx
	EXPECT e, 'step (eax: expected, ebx: found, ecx: steps left)'
	add si, 2
	add di, 2
	loop .next
	ret

step_count:	dw 0
quiet:		dw 0
handled:	dw 0
flags_60:	dw 0
set_rf:		db 0
		db 0
	align 4
watched:	dd 0
dr6_seen:	dd 0
old_0:		dd 0
old_1:		dd 0
old_60:		dd 0
steps:		times MAX_STEPS dw 0
