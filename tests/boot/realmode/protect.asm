; SPDX-License-Identifier: GPL-2.0-or-later
; Protected mode without paging, from real mode and back: 16- and 32-bit segments, rings, gates, tasks, error codes, interrupts.
; (SDM vol. 3, chapters 5 to 7)
%include "program.inc"

CODE16	equ 0x08	; at PROGRAM_SEG, as are those that follow
DATA16	equ 0x10
CODE32	equ 0x18
DATA32	equ 0x20
CODE3	equ 0x28 | 3
DATA3	equ 0x30 | 3
GATE3	equ 0x38 | 3	; call gate, DPL 3, to ring 0, with two parameters
TSS_MAIN	equ 0x40
TSS_OTHER	equ 0x48
ABSENT	equ 0x50
SMALL	equ 0x58	; 16 bytes
READONLY	equ 0x60
DOWN	equ 0x68	; expand-down: below 1000h nothing
TASK_GATE	equ 0x70
CONFORMING	equ 0x78

IRQ_BASE	equ 0x50
LEAVE_INT	equ 0x81
TASK_INT	equ 0x82

; In protected mode: the fault that the next instruction must raise, and its error code. Code segments are not writable: results go to a
; list, which real mode checks.
%assign FAULTS_EXPECTED 0
%macro FAULTS 2
	%assign FAULTS_EXPECTED FAULTS_EXPECTED + 1
	mov dword [expected], (%1) << 16 | (%2)
	mov dword [resume], %%next
	%define FAULTS_NEXT %%next
%endmacro
%macro DONE 0
	call no_fault		; not reached if it faults
FAULTS_NEXT:
%endmacro
; NOTE number, value: one result, compared in real mode
%macro NOTE 2
	push dword %2
	push dword %1
	call note
%endmacro

main:
	call prepare
	call enter
	; Real mode again.
	mov si, notes
	mov cx, [note_count]
	COMPARE cx, NOTES_IN_ALL, 'number of results'
.note:
	mov eax, [si + 4]
	mov ebx, [si]
	mov edx, [si + 8]
	cmp eax, ebx
	EXPECT e, 'result (eax: found, ebx: expected, edx: behind it)'
	add si, 12
	loop .note
	mov ax, [faults_seen]
	COMPARE ax, FAULTS_IN_ALL, 'faults seen'
	COMPARE word [faults_wrong], 0, 'faults of another kind than expected'
	cmp word [ticks], 3
	EXPECT ae, 'timer interrupts in protected mode'
	push word 0
	pop fs
	mov ax, [fs:0x46c]
.tick:
	hlt
	cmp ax, [fs:0x46c]
	je .tick
	EXPECT ne, 'ticks in real mode again'
	jmp finish

prepare:
	mov eax, PROGRAM_SEG * 16
	mov di, gdt + 8
	mov cx, (gdt_end - gdt) / 8 - 1
.base:
	mov dl, [di + 5]
	and dl, 0x1f
	cmp dl, 0x0c		; call gate
	je .gate
	cmp dl, 0x05		; task gate
	je .gate
	add [di + 2], eax
.gate:
	add di, 8
	loop .base
	lea ebx, [eax + gdt]
	mov [gdtr + 2], ebx
	lea ebx, [eax + idt]
	mov [idtr + 2], ebx
	mov di, idt
	mov ax, stubs
	mov cx, 0x60
.idt:
	mov [di], ax
	mov word [di + 2], CODE32
	mov dword [di + 4], 0x00008e00
	add di, 8
	add ax, STUB_SIZE
	loop .idt
	mov word [idt + LEAVE_INT * 8], leave_handler
	mov word [idt + LEAVE_INT * 8 + 2], CODE32
	mov dword [idt + LEAVE_INT * 8 + 4], 0x0000ee00	; DPL 3
	mov dword [idt + TASK_INT * 8], TSS_OTHER << 16
	mov dword [idt + TASK_INT * 8 + 4], 0x00008500	; task gate
	mov dword [idt + 3 * 8 + 4], 0x0000ee00
	mov dword [tss_main + 4], stack_ring0
	mov dword [tss_main + 8], DATA32
	mov word [tss_main + 102], 104
	mov dword [tss_other + 32], other_task
	mov dword [tss_other + 36], 0x2
	mov dword [tss_other + 56], stack_other
	mov dword [tss_other + 72], DATA32
	mov dword [tss_other + 76], CODE32
	mov dword [tss_other + 80], DATA32
	mov dword [tss_other + 84], DATA32
	mov dword [tss_other + 88], 0
	mov dword [tss_other + 92], 0
	mov word [tss_other + 102], 104
	ret

enter:
	cli
	pop word [return_ip]
	mov [real_sp], sp
	mov ax, IRQ_BASE | (IRQ_BASE + 8) << 8
	call remap
	lgdt [gdtr]
	lidt [idtr]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp CODE16:.in16
.in16:
	mov ax, DATA16
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov sp, stack_ring0
	; 16-bit protected mode: near and far calls, strings, a 32-bit far jump.
	call .near
	call CODE16:.far
	mov [in16], dx
	jmp dword CODE32:in32
.near:
	mov dx, 5
	ret
.far:
	add dx, 6
	retf

remap:
	mov bx, ax
	in al, 0x21
	mov cl, al
	in al, 0xa1
	mov ch, al
	mov al, 0x11
	out 0x20, al
	out 0xa0, al
	mov al, bl
	out 0x21, al
	mov al, bh
	out 0xa1, al
	mov al, 4
	out 0x21, al
	mov al, 2
	out 0xa1, al
	mov al, 1
	out 0x21, al
	out 0xa1, al
	mov al, cl
	out 0x21, al
	mov al, ch
	out 0xa1, al
	ret

leave16:
	mov ax, DATA16
	mov ds, ax
	mov es, ax
	mov fs, ax
	mov gs, ax
	mov ss, ax
	mov eax, cr0
	and al, 0xfe
	mov cr0, eax
	jmp PROGRAM_SEG:.real
.real:
	mov ax, cs
	mov ds, ax
	mov es, ax
	xor ax, ax
	mov ss, ax
	mov sp, [real_sp]
	lidt [real_idtr]
	mov ax, 0x7008
	call remap
	push word 0
	popf
	sti
	jmp [return_ip]

; --- 32-bit code ---
	bits 32
in32:
	mov ax, DATA32
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov esp, stack_ring0
	mov ax, TSS_MAIN
	ltr ax
	xor eax, eax
	lldt ax
	movzx eax, word [in16]
	NOTE 11, eax
	call privileged_state
	call faults
	call queries
	call tasks
	call timer
	; To ring 3, which comes back through LEAVE_INT.
	push dword DATA3
	push dword stack_ring3
	push dword 0x202
	push dword CODE3
	push dword ring3
	iretd

privileged_state:
	str eax
	movzx eax, ax
	NOTE TSS_MAIN, eax
	sldt eax
	movzx eax, ax
	NOTE 0, eax
	mov eax, cs
	NOTE CODE32, eax
	smsw eax
	and eax, 1
	NOTE 1, eax
	sub esp, 8
	sgdt [esp]
	movzx eax, word [esp]
	NOTE gdt_end - gdt - 1, eax
	sidt [esp]
	movzx eax, word [esp]
	NOTE IDT_SIZE - 1, eax
	add esp, 8
	; Busy: the descriptor says so.
	movzx eax, byte [gdt + TSS_MAIN + 5]
	NOTE 0x8b, eax
	ret

faults:
%ifndef QEMU			; TCG checks no types and no limits at an access
	xor eax, eax
	mov fs, ax
	FAULTS 13, 0
	mov al, [fs:0]		; null selector
	DONE
	FAULTS 13, 0
	mov byte [cs:scratch], 0	; code is not writable
	DONE
	mov eax, READONLY
	mov fs, ax
	movzx ecx, byte [fs:scratch]
	FAULTS 13, 0
	mov byte [fs:scratch], 1
	DONE
%endif
	FAULTS 11, ABSENT
	mov eax, ABSENT
	mov gs, ax
	DONE
	FAULTS 12, ABSENT
	mov eax, ABSENT
	mov ss, ax
	DONE
	FAULTS 13, 0x200 & 0xfff8
	mov eax, 0x200		; beyond the GDT
	mov es, ax
	DONE
	FAULTS 13, 0
	xor eax, eax
	mov ss, ax
	DONE
%ifndef QEMU
	mov eax, SMALL
	mov fs, ax
	mov al, [fs:15]
	FAULTS 13, 0
	mov al, [fs:16]
	DONE
	FAULTS 13, 0
	mov eax, [fs:13]	; runs over its end
	DONE
	mov eax, [fs:12]
	mov eax, DOWN
	mov fs, ax
	mov al, [fs:0x1000]
	FAULTS 13, 0
	mov al, [fs:0xfff]
	DONE
	FAULTS 13, 0
	mov eax, [fs:0xfffffffe]	; above its upper end
	DONE
	; SS: expand-up limit FFFF.
	mov ebp, 0x10000
	FAULTS 12, 0
	mov eax, [ebp]
	DONE
%endif
	FAULTS 13, DATA32
	jmp DATA32:0		; no code
	DONE
	FAULTS 13, CODE3 & 0xfffc
	jmp CODE3 & 0xfffc:ring3	; DPL 3 from ring 0
	DONE
	FAULTS 13, TSS_MAIN
	mov eax, TSS_MAIN
	ltr ax			; busy
	DONE
	FAULTS 13, 0x60 * 8 + 2
	int 0x60		; a gate of type 0
	DONE
	FAULTS 6, 0
	ud2
	DONE
	FAULTS 0, 0
	xor ecx, ecx
	div ecx
	DONE
%ifndef QEMU
	FAULTS 13, 0
	mov eax, cr0
	or eax, 0x80000000	; PG without PE
	and al, 0xfe
	mov cr0, eax
	DONE
	FAULTS 13, 0
	mov eax, 0x10000
	jmp eax			; beyond the limit of CS
	DONE
%endif
	mov ax, DATA32
	mov es, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	ret

queries:
	mov ax, CODE32
	verr ax
	setz al
	movzx eax, al
	NOTE 1, eax
	mov ax, CODE32
	verw ax
	setz al
	movzx eax, al
	NOTE 0, eax
	mov ax, ABSENT
	lar ecx, ax
	setz al
	movzx eax, al
	NOTE 1, eax
	and ecx, 0xff00
	NOTE 0x1200, ecx
	mov ax, SMALL
	lsl ecx, ax
	NOTE 15, ecx
	mov ax, 0x1f8
	lsl ecx, ax
	setz al
	movzx eax, al
	NOTE 0, eax
	mov ax, DATA32
	mov cx, 3
	arpl ax, cx
	movzx eax, ax
	NOTE DATA32 | 3, eax
	; A conforming segment runs at the caller's level.
	call CONFORMING:.conforming
	NOTE CONFORMING, edx
	ret
.conforming:
	mov edx, cs
	retf

; JMP and CALL to another task, back by IRET, the task gate of an interrupt.
tasks:
	mov dword [other_runs], 0
	mov ebx, 0x12345678
	call TSS_OTHER:0
	NOTE 1, [other_runs]
	NOTE 0x12345678, ebx	; registers are the task's own
	str eax
	movzx eax, ax
	NOTE TSS_MAIN, eax
	mov eax, cr0
	and eax, 8
	NOTE 8, eax		; TS
	clts
	call TASK_GATE:0
	NOTE 2, [other_runs]
	int TASK_INT
	NOTE 3, [other_runs]
	movzx eax, word [tss_other]
	NOTE TSS_MAIN, eax	; back link
	clts
	ret

other_task:
	inc dword [other_runs]
	mov ebx, 0x0badcafe
	pushfd
	pop eax
	and eax, 0x4000
	NOTE 0x4000, eax	; NT
	str eax
	movzx eax, ax
	NOTE TSS_OTHER, eax
	iretd
	jmp other_task		; the next switch goes on here

timer:
	sti
	mov eax, [ticks]
	add eax, 2
.wait:
	hlt
	cmp [ticks], eax
	jb .wait
	cli
	ret

; --- ring 3 ---
ring3:
	mov ax, DATA3
	mov ds, ax
	mov es, ax
	mov eax, cs
	and eax, 3
	NOTE 3, eax
	FAULTS 13, 0
	cli
	DONE
	FAULTS 13, 0
	hlt
	DONE
	FAULTS 13, 0
	in al, 0x21
	DONE
	FAULTS 13, 0
	mov eax, cr0
	DONE
	FAULTS 13, 0
	lgdt [gdtr]
	DONE
	FAULTS 13, DATA32
	mov eax, DATA32
	mov fs, ax		; DPL 0
	DONE
	FAULTS 13, CODE32
	call CODE32:ring3
	DONE
	FAULTS 13, 0x50 * 8 + 2
	int 0x50		; a gate with DPL 0
	DONE
	; IF does not change by POPF.
	push dword 0x2
	popfd
	pushfd
	pop eax
	and eax, 0x200
	NOTE 0x200, eax
	; Through the gate and back: two parameters, on the other stack.
	mov esi, esp
	push dword 30
	push dword 12
	call GATE3:0xdeadbeef
	NOTE 42, eax
	NOTE 0, ecx		; its CPL
	mov eax, esp
	sub eax, esi
	NOTE 0, eax
	mov eax, ss
	NOTE DATA3, eax
	; Timer interrupts come at ring 3, across rings.
	mov eax, [ticks]
	inc eax
.wait:
	cmp [ticks], eax
	jb .wait
	int LEAVE_INT

ring0_gate:
	mov ecx, cs
	and ecx, 3
	mov eax, [esp + 8]
	add eax, [esp + 12]
	retf 8

leave_handler:
	mov eax, cs
	and eax, 3
	mov cx, DATA32
	mov ds, cx
	jmp CODE16:leave16

; --- handlers ---
STUB_SIZE	equ 12
stubs:
%assign vector 0
%rep 0x60
%if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
	nop
	nop
%else
	push byte 0
%endif
	push strict dword vector
	jmp strict near caught
%assign vector vector + 1
%endrep

caught:
	pushad
	push ds
	mov eax, DATA32
	mov ds, eax
	mov eax, [esp + 36]
	cmp eax, IRQ_BASE
	jae .irq
	cmp eax, 3
	je .return
	inc word [faults_seen]
	shl eax, 16
	mov ax, [esp + 40]
	cmp eax, [expected]
	je .good
	inc word [faults_wrong]
	NOTE [expected], eax
.good:
	mov dword [expected], 0xffffffff
	mov eax, [resume]
	mov [esp + 44], eax
.return:
	pop ds
	popad
	add esp, 8
	iretd
.irq:
	cmp eax, IRQ_BASE
	jne .other_irq
	inc dword [ticks]
.other_irq:
	mov al, 0x20
	cmp byte [esp + 36], IRQ_BASE + 8
	jb .master
	out 0xa0, al
.master:
	out 0x20, al
	jmp .return

no_fault:
	inc word [faults_wrong]
	push eax
	mov eax, [resume]
	mov [esp + 4], eax
	NOTE [expected], 0
	pop eax
	ret

; [esp + 4] expected, [esp + 8] found
note:
	push eax
	push ebx
	movzx ebx, word [note_count]
	cmp ebx, MAX_NOTES
	jae .full
	imul ebx, ebx, 12
	mov eax, [esp + 12]
	mov [notes + ebx], eax
	mov eax, [esp + 16]
	mov [notes + ebx + 4], eax
	mov eax, [esp + 8]
	mov [notes + ebx + 8], eax
	inc word [note_count]
.full:
	pop ebx
	pop eax
	ret 8

	align 8
gdt:		dq 0
		dq 0x00009a000000ffff	; CODE16
		dq 0x000092000000ffff	; DATA16
		dq 0x00409a000000ffff	; CODE32
		dq 0x004092000000ffff	; DATA32
		dq 0x0040fa000000ffff	; CODE3
		dq 0x0040f2000000ffff	; DATA3
		dw ring0_gate, CODE32, 0xec02, 0	; GATE3
		dq 0x0000890000000067 + (tss_main - start) * 0x10000
		dq 0x0000890000000067 + (tss_other - start) * 0x10000
		dq 0x004012000000ffff	; ABSENT
		dq 0x004092000000000f	; SMALL
		dq 0x004090000000ffff	; READONLY
		dq 0x0040960000000fff	; DOWN
		dw 0, TSS_OTHER, 0xe500, 0	; TASK_GATE
		dq 0x00409e000000ffff	; CONFORMING
gdt_end:
gdtr:		dw gdt_end - gdt - 1
		dd 0
IDT_SIZE	equ 0x90 * 8
idtr:		dw IDT_SIZE - 1
		dd 0
real_idtr:	dw 0x3ff
		dd 0
	align 4
expected:	dd 0
resume:		dd 0
ticks:		dd 0
other_runs:	dd 0
in16:		dw 0
return_ip:	dw 0
real_sp:	dw 0
faults_seen:	dw 0
faults_wrong:	dw 0
note_count:	dw 0
scratch:	db 0
	align 8
tss_main:	times 108 db 0
tss_other:	times 108 db 0
idt:		times IDT_SIZE db 0
		times 512 db 0
stack_ring0:	times 512 db 0
stack_ring3:	times 512 db 0
stack_other:
MAX_NOTES	equ 80
notes:		times MAX_NOTES * 12 db 0
NOTES_IN_ALL	equ 1 + 7 + 8 + 7 + 3 * 2 + 6	; `other_task` runs three times
FAULTS_IN_ALL	equ FAULTS_EXPECTED
