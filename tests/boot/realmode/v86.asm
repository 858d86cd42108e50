; SPDX-License-Identifier: GPL-2.0-or-later
; A virtual-8086 monitor, as EMM386 and the like: this program turns itself into its guest. The monitor reflects interrupts into the BIOS's
; table and emulates what IOPL forbids, at each IOPL, and again with CR4.VME where there is that. (SDM vol. 3, chapter 20)
%include "program.inc"

CODE16	equ 0x08	; these are all at PROGRAM_SEG
DATA16	equ 0x10
FLAT	equ 0x18
CODE32	equ 0x20
DATA32	equ 0x28
TSS	equ 0x30

IRQ_BASE	equ 0x50	; INT vectors of the monitor: 8 to F are exceptions here
IRQ_BASE_2	equ 0x58
VM		equ 0x20000
VIF		equ 0x80000
VIP		equ 0x100000
EXIT_INT	equ 0x6f	; leaves V86 mode

main:
	pushfd
	pop eax
	mov ecx, eax
	xor eax, 0x00200000
	push eax
	popfd
	pushfd
	pop eax
	push ecx
	popfd
	cmp eax, ecx
	EXPECT ne, 'CPUID'
	mov eax, 1
	cpuid
	and edx, 2
	mov [has_vme], edx
	call prepare

	mov dword [iopl], 0x3000
	call in_v86
	mov dword [iopl], 0x2000
	call in_v86
	mov dword [iopl], 0x1000
	call in_v86
	mov dword [iopl], 0x0000
	call in_v86
	cmp dword [has_vme], 0
	je .no_vme
	mov byte [vme], 1
	mov dword [iopl], 0x0000
	call in_v86
	call vif
	mov dword [iopl], 0x3000
	call in_v86
.no_vme:
	call forbidden_ports
	; All as before: BIOS works, interrupts come.
	mov ah, 0
	int 0x1a
	mov bx, dx
.tick:
	hlt
	mov ah, 0
	int 0x1a
	cmp dx, bx
	je .tick
	EXPECT ne, 'ticks in real mode again'
	jmp finish

; One pass: enter V86 mode, run the checks there, come back.
in_v86:
	mov word [emulated], 0
	mov word [reflected], 0
	mov word [interrupts], 0
	call enter_v86
	call checks_in_v86
	call leave_v86
	; At IOPL 3 without VME, INT n goes to the monitor through the IDT; with IOPL < 3 through #GP; with VME not at all.
	mov ax, [emulated]
	cmp byte [vme], 1
	je .vme
	cmp dword [iopl], 0x3000
	je .iopl3
	cmp ax, 100
	EXPECT a, 'IOPL < 3: instructions emulated'
	jmp .irqs
.iopl3:
	cmp ax, 4
	EXPECT be, 'IOPL 3: nothing but HLT emulated'
	cmp word [reflected], 10
	EXPECT a, 'IOPL 3: INT n reflected'
	jmp .irqs
.vme:
	cmp word [reflected], 2
	EXPECT be, 'VME: INT n redirected'
.irqs:
	cmp word [interrupts], 3
	EXPECT ae, 'interrupts reflected'
	ret

; The real-mode program: EXPECT and the kernel work here too, through INT SYS.
checks_in_v86:
	; CR0.PE shows, by SMSW, which is not privileged.
	smsw ax
	test al, 1
	EXPECT nz, 'SMSW: PE'
	; VM does not show, and IOPL is what the monitor says.
	pushfd
	pop eax
	test eax, VM
	EXPECT z, 'PUSHFD: VM'
	; CLI and STI show in PUSHF (emulated or not), PUSHF, POPF keep the status flags.
	cli
	pushf
	pop ax
	sti
	pushf
	pop bx
	test ax, 0x200
	EXPECT z, 'CLI, PUSHF'
	test bx, 0x200
	EXPECT nz, 'STI, PUSHF'
	push word 0x0ad5
	popf
	pushf
	pop ax
	cld
	and ax, 0x0ed5
	COMPARE ax, 0x0ad5, 'POPF, PUSHF'
	; A BIOS call for each kind: video, memory, disk, keyboard, time.
	mov ah, 0x0f
	int 0x10
	COMPARE al, 3, 'INT 10h, 0Fh'
	mov ah, 3
	mov bh, 0
	int 0x10
	mov si, dx
	mov ax, 0x0e0d
	mov bx, 7
	int 0x10
	mov ah, 3
	mov bh, 0
	int 0x10
	COMPARE dl, 0, 'INT 10h, 0Eh'
	mov dx, si
	mov ah, 2
	mov bh, 0
	int 0x10
	int 0x12
	cmp ax, 512
	EXPECT a, 'INT 12h'
	push es
	push word BUFFER_SEG
	pop es
	mov bx, PATTERN_LBA + 40
	mov di, 0
	mov dword [es:0], 0
	mov ah, SYS_READ
	int SYS
	EXPECT nc, 'a sector read'
	mov eax, PATTERN_LBA + 40
	COMPARE [es:0], eax, 'the sector: first dword'
	add eax, 508 << 20
	COMPARE [es:508], eax, 'the sector: last dword'
	; Addresses wrap at 64 KiB in a segment and go to FFFF:FFFF.
	push word WORK_SEG
	pop es
	mov di, 0xffff
	mov al, 0x5a
	stosb
	COMPARE byte [es:0xffff], 0x5a, 'STOSB at FFFF'
	COMPARE di, 0, 'STOSB at FFFF: DI'
	pop es
	mov ah, 1
	int 0x16
	EXPECT z, 'INT 16h, 01h'
	mov ax, 0x1c0d
	mov cx, ax
	mov ah, 5
	int 0x16
	mov ah, 0
	int 0x16
	COMPARE ax, 0x1c0d, 'INT 16h, 05h and 00h'
	; Timer interrupts come, HLT ends with them.
	push es
	push word 0x40
	pop es
	mov cx, 2
.tick:
	mov ax, [es:0x6c]
.wait:
	sti
	hlt
	cmp ax, [es:0x6c]
	je .wait
	loop .tick
	mov ah, 0
	int 0x1a
	COMPARE dx, [es:0x6c], 'INT 1Ah'
	; Under CLI they do not.
	cli
	mov ax, [es:0x6c]
	call busy
	mov bx, [es:0x6c]
	sti
	COMPARE ax, bx, 'CLI holds interrupts off'
	mov cx, 16			; other interrupts end HLT, too
.let_in:
	hlt
	cmp ax, [es:0x6c]
	loope .let_in
	EXPECT ne, 'STI lets them in'
	; Hooks work as in real mode.
	HOOK 0x1c, own_tick, old_1c
	mov word [own_ticks], 0
	mov ax, [es:0x6c]
	add ax, 2
.hooked:
	hlt
	cmp ax, [es:0x6c]
	jg .hooked
	UNHOOK 0x1c, old_1c
	cmp word [own_ticks], 2
	EXPECT ae, 'INT 1Ch hooked'
	; Exceptions reach the real-mode vectors: #DE, INTO, INT3.
	HOOK 0, on_divide, old_0
	mov byte [seen], 0
	mov ax, 5
	xor dl, dl
	div dl
.divided:
	COMPARE byte [seen], 1, '#DE'
	UNHOOK 0, old_0
	HOOK 4, on_overflow, old_4
	mov byte [seen], 0
	mov al, 0x7f
	inc al
	into
	COMPARE byte [seen], 2, 'INTO'
	UNHOOK 4, old_4
	HOOK 3, on_break, old_3
	mov byte [seen], 0
	int3
	COMPARE byte [seen], 3, 'INT3'
	UNHOOK 3, old_3
	; TF: one step at a time, through the monitor.
	HOOK 1, on_step, old_1
	mov word [steps], 0
	pushf
	pop ax
	mov bx, ax
	or ax, 0x100
	push ax
	popf
	nop
	nop
	push bx
	popf
	nop
	UNHOOK 1, old_1
	cmp word [steps], 3
	EXPECT ae, 'TF: steps'
	cmp word [steps], 5
	EXPECT be, 'TF: steps at most'
	; A port that the I/O map allows, one that it traps.
	in al, 0x61
	mov dx, 0x2ff		; in the map as trapped: the monitor gives 5A
	in al, dx
	COMPARE al, 0x5a, 'trapped port'
	; Far calls and loads of segments are as in real mode; other descriptors have no meaning.
	mov ax, 0x1234
	mov fs, ax
	mov bx, fs
	COMPARE bx, 0x1234, 'FS loaded'
	call PROGRAM_SEG + 0x20:.far - 0x200
	COMPARE dx, PROGRAM_SEG + 0x20, 'far CALL'
	pop es
	ret
.far:
	mov dx, cs
	retf

own_tick:
	inc word [cs:own_ticks]
	jmp far [cs:old_1c]

on_divide:
	mov byte [cs:seen], 1
	push bp
	mov bp, sp
	mov word [bp + 2], checks_in_v86.divided
	pop bp
	iret

on_overflow:
	mov byte [cs:seen], 2
	iret

on_break:
	mov byte [cs:seen], 3
	iret

on_step:
	inc word [cs:steps]
	iret

; More than a tick, without interrupts.
busy:
	pusha
	mov cx, 2
.wrap:
	call .read
	mov bx, ax
.next:
	call .read
	cmp ax, bx
	mov bx, ax
	jbe .next
	loop .wrap
	popa
	ret
.read:
	mov al, 0
	out 0x43, al
	in al, 0x40
	mov ah, al
	in al, 0x40
	xchg al, ah
	ret

; With VME at IOPL 0, CLI and STI work on VIF without the monitor.
vif:
	in al, 0x21
	push ax
	mov al, 0xff		; no interrupt now: STI would be emulated to deliver it
	out 0x21, al
	call enter_v86
	mov word [emulated], 0
	cli
	mov bx, [emulated]
	pushf
	pop ax
	sti
	pushf
	pop dx
	mov cx, [emulated]
	call leave_v86
	COMPARE bx, 0, 'VME: CLI is not emulated'
	test ax, 0x200
	EXPECT z, 'VME: PUSHF after CLI'
	test dx, 0x200
	EXPECT nz, 'VME: PUSHF after STI'
	COMPARE cx, 0, 'VME: STI, PUSHF are not emulated'
	pop ax
	out 0x21, al
	ret

; The I/O map holds at IOPL 3 too.
forbidden_ports:
	mov byte [vme], 0
	mov dword [iopl], 0x3000
	or byte [io_map + 0x61 / 8], 2
	call enter_v86
	mov word [emulated], 0
	in al, 0x61
	mov bx, [emulated]
	call leave_v86
	and byte [io_map + 0x61 / 8], 0xfd
	COMPARE bx, 1, 'IN of a trapped port at IOPL 3'
	ret

; --- into V86 mode and out of it ---

; Fills in the tables; once.
prepare:
	mov eax, PROGRAM_SEG * 16
	or [gdt + CODE16 + 2], eax
	or [gdt + DATA16 + 2], eax
	or [gdt + CODE32 + 2], eax
	or [gdt + DATA32 + 2], eax
	lea ebx, [eax + tss]
	or [gdt + TSS + 2], ebx
	lea ebx, [eax + gdt]
	mov [gdtr + 2], ebx
	lea ebx, [eax + idt]
	mov [idtr + 2], ebx
	mov di, idt
	mov ax, stubs
	xor cx, cx
.gate:
	mov [di], ax
	mov word [di + 2], CODE32
	mov word [di + 4], 0xee00	; 32-bit interrupt gate, DPL 3: for INT n at IOPL 3
	mov word [di + 6], 0
	add di, 8
	add ax, STUB_SIZE
	inc cx
	cmp cx, 256
	jb .gate
	mov byte [idt + 13 * 8 + 5], 0x8e	; not for INT 13
	mov di, tss
	mov cx, TSS_SIZE / 2
	xor ax, ax
	rep stosw
	mov dword [tss + 4], monitor_stack
	mov dword [tss + 8], DATA32
	mov word [tss + 102], io_map - tss
	or byte [io_map - 32 + EXIT_INT / 8], 1 << (EXIT_INT % 8)
	or byte [io_map + 0x2ff / 8], 1 << (0x2ff % 8)
	mov byte [io_map + 8192], 0xff
	ret

; Returns in V86 mode.
enter_v86:
	cli
	pop word [v86_ip]
	mov [v86_sp], sp
	mov ax, IRQ_BASE | IRQ_BASE_2 << 8
	call remap
	cmp byte [has_vme], 0
	je .no_cr4
	mov eax, cr4
	or al, [vme]
	mov cr4, eax
.no_cr4:
	mov al, [vme]
	cmp dword [iopl], 0x3000
	jne .vif
	mov al, 0
.vif:
	mov [vif_mode], al
	mov dword [pending], 0
	and byte [gdt + TSS + 5], 0xfd	; not busy
	lgdt [gdtr]
	lidt [idtr]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp CODE32:monitor_start

leave_v86:
	int EXIT_INT		; comes back in real mode
	ret

; In real mode: master and slave PIC to AL and AH.
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

back16:
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
	lidt [real_idtr]
	mov ax, [left + SAVED_SS]
	mov ss, ax
	mov sp, [left + SAVED_ESP]
	cmp byte [has_vme], 0
	je .no_cr4
	mov eax, cr4
	and al, 0xfe
	mov cr4, eax
.no_cr4:
	mov ax, 0x7008
	call remap
	mov es, [left + SAVED_ES]
	mov fs, [left + SAVED_FS]
	mov gs, [left + SAVED_GS]
	mov eax, [left + SAVED_EAX]
	mov ebx, [left + SAVED_EBX]
	mov ecx, [left + SAVED_ECX]
	mov edx, [left + SAVED_EDX]
	mov esi, [left + SAVED_ESI]
	mov edi, [left + SAVED_EDI]
	push dword [left + SAVED_EFLAGS]
	and dword [esp], 0x8d5	; status flags only
	popfd
	sti
	jmp [left + SAVED_EIP]

; --- the monitor: 32-bit code ---

; The stack behind PUSHAD
SAVED_EDI	equ 0
SAVED_ESI	equ 4
SAVED_EBX	equ 16
SAVED_EDX	equ 20
SAVED_ECX	equ 24
SAVED_EAX	equ 28
SAVED_VECTOR	equ 32
SAVED_EIP	equ 40
SAVED_CS	equ 44
SAVED_EFLAGS	equ 48
SAVED_ESP	equ 52
SAVED_SS	equ 56
SAVED_ES	equ 60
SAVED_FS	equ 68
SAVED_GS	equ 72
SAVED_SIZE	equ 76

	bits 32
monitor_start:
	mov ax, DATA32
	mov ds, ax
	mov ss, ax
	mov esp, monitor_stack
	mov ax, TSS
	ltr ax
	xor eax, eax
	lldt ax
	push dword 0
	push dword 0
	push dword PROGRAM_SEG
	push dword PROGRAM_SEG
	push dword 0
	movzx eax, word [v86_sp]
	push eax
	mov eax, VM | 0x202
	or eax, [iopl]
	cmp byte [vif_mode], 0
	je .no_vif
	or eax, VIF
.no_vif:
	push eax
	push dword PROGRAM_SEG
	movzx eax, word [v86_ip]
	push eax
	iretd

; Each pushes 0 where the processor pushes no error code, and its number.
STUB_SIZE	equ 12
stubs:
%assign vector 0
%rep 256
%if vector == 8 || (vector >= 10 && vector <= 14)
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
	mov eax, DATA32
	mov ds, eax
	mov eax, FLAT
	mov es, eax
	cld
	mov ebp, esp
	test dword [ebp + SAVED_EFLAGS], VM
	jz fatal
	mov eax, [ebp + SAVED_VECTOR]
	cmp eax, 13
	je emulate
	mov ecx, eax
	sub ecx, IRQ_BASE
	cmp ecx, 16
	jb external
	cmp eax, EXIT_INT
	je leave
	cmp eax, 8
	je fatal
	cmp eax, 0x10
	jae .int_n
	cmp eax, 10
	jae fatal
	jmp .exception
.int_n:
	inc word [reflected]
.exception:
	call reflect
resume:
	popad
	add esp, 8
	iretd

fatal:
	; There is no way on: tell, and stop.
	mov al, [ebp + SAVED_VECTOR]
	shr al, 4
	call .digit
	mov al, [ebp + SAVED_VECTOR]
	and al, 15
	call .digit
	mov esi, .message
.next:
	lodsb
	out DEBUG_PORT, al
	test al, al
	jnz .next
.stop:
	hlt
	jmp .stop
.digit:
	add al, '0'
	cmp al, '9'
	jbe .out
	add al, 'a' - '0' - 10
.out:
	out DEBUG_PORT, al
	ret
.message:
	db 'h: FAIL: exception that the monitor has no answer for', 10, 0

leave:
	mov esi, esp
	mov edi, left
	push ds
	pop es
	mov ecx, SAVED_SIZE / 4
	rep movsd
	jmp CODE16:back16

external:
	inc word [interrupts]
	cmp byte [vif_mode], 0
	je .deliver
	test dword [ebp + SAVED_EFLAGS], VIF
	jnz .deliver
	bts [pending], ecx
	or dword [ebp + SAVED_EFLAGS], VIP
	jmp resume
.deliver:
	call external_vector
	call reflect
	jmp resume

; EAX = real-mode vector of interrupt line ECX
external_vector:
	lea eax, [ecx + 8]
	cmp ecx, 8
	jb .done
	add eax, 0x70 - 16
.done:
	ret

; Makes the guest go through vector EAX of the table at 0.
reflect:
	push eax
	call get_flags
	call push16
	mov ebx, [ebp + SAVED_CS]
	call push16
	mov ebx, [ebp + SAVED_EIP]
	call push16
	pop eax
	mov ecx, [es:eax * 4]
	movzx edx, cx
	shr ecx, 16
	mov [ebp + SAVED_EIP], edx
	mov [ebp + SAVED_CS], ecx
	mov ecx, ~0x0300		; TF, IF
	cmp byte [vif_mode], 0
	je .mask
	mov ecx, ~(VIF | 0x0100)
.mask:
	and [ebp + SAVED_EFLAGS], ecx
	ret

; EBX = flags as the guest sees them
get_flags:
	mov ebx, [ebp + SAVED_EFLAGS]
	and ebx, 0x00244dd5 | 0x0200
	or ebx, 0x3002
	cmp byte [vif_mode], 0
	je .done
	and ebx, ~0x0200
	test dword [ebp + SAVED_EFLAGS], VIF
	jz .done
	or ebx, 0x0200
.done:
	ret

; The guest loads EBX into its 16-bit flags.
set_flags:
	mov eax, [ebp + SAVED_EFLAGS]
	cmp byte [vif_mode], 0
	jne .vif
	and eax, ~0x4fd5
	and ebx, 0x4fd5
	or eax, ebx
	mov [ebp + SAVED_EFLAGS], eax
	ret
.vif:
	and eax, ~(0x4dd5 | VIF)
	mov ecx, ebx
	and ebx, 0x4dd5
	or eax, ebx
	mov [ebp + SAVED_EFLAGS], eax
	test ecx, 0x0200
	jz .done
	or dword [ebp + SAVED_EFLAGS], VIF
	; One of the interrupts that waited comes now.
	bsf ecx, [pending]
	jz .done
	btr [pending], ecx
	cmp dword [pending], 0
	jne .more
	and dword [ebp + SAVED_EFLAGS], ~VIP
.more:
	call external_vector
	call reflect
.done:
	ret

push16:
	sub word [ebp + SAVED_ESP], 2
	call stack_address
	mov [es:edx], bx
	ret

pop16:
	call stack_address
	movzx ebx, word [es:edx]
	add word [ebp + SAVED_ESP], 2
	ret

stack_address:
	movzx edx, word [ebp + SAVED_SS]
	shl edx, 4
	movzx ecx, word [ebp + SAVED_ESP]
	add edx, ecx
	ret

; #GP: what IOPL, the I/O map or the privilege level forbid.
emulate:
	inc word [emulated]
	movzx esi, word [ebp + SAVED_CS]
	shl esi, 4
	add esi, [ebp + SAVED_EIP]
	mov edi, esi
	xor ah, ah		; 66h seen
.next:
	mov al, [es:esi]
	inc esi
	cmp al, 0x66
	jne .opcode
	mov ah, 1
	jmp .next
.opcode:
	mov ecx, esi
	sub ecx, edi
	cmp al, 0xfa
	je .cli
	cmp al, 0xfb
	je .sti
	cmp al, 0x9c
	je .pushf
	cmp al, 0x9d
	je .popf
	cmp al, 0xcd
	je .int
	cmp al, 0xcf
	je .iret
	cmp al, 0xf4
	je .hlt
	cmp al, 0xe4
	je .in_imm
	cmp al, 0xec
	je .in_dx
	jmp fatal
.hlt:
	dec word [emulated]
.skip:
	add word [ebp + SAVED_EIP], cx
	jmp resume
.cli:
	add word [ebp + SAVED_EIP], cx
	call get_flags
	and ebx, ~0x0200
	call set_flags
	jmp resume
.sti:
	add word [ebp + SAVED_EIP], cx
	call get_flags
	or ebx, 0x0200
	call set_flags
	jmp resume
.pushf:
	add word [ebp + SAVED_EIP], cx
	call get_flags
	test ah, ah
	jz .pushf16
	push ebx
	shr ebx, 16
	call push16
	pop ebx
.pushf16:
	call push16
	jmp resume
.popf:
	add word [ebp + SAVED_EIP], cx
	call pop16
	test ah, ah
	jz .popf16
	push ebx
	call pop16
	pop ebx
.popf16:
	call set_flags
	jmp resume
.int:
	movzx eax, byte [es:esi]
	inc ecx
	add word [ebp + SAVED_EIP], cx
	cmp eax, EXIT_INT
	je leave
	call reflect
	jmp resume
.iret:
	test ah, ah
	jnz fatal
	call pop16
	mov [ebp + SAVED_EIP], ebx
	call pop16
	mov [ebp + SAVED_CS], ebx
	call pop16
	call set_flags
	jmp resume
.in_imm:
	movzx edx, byte [es:esi]
	inc ecx
	in al, dx
	mov [ebp + SAVED_EAX], al
	jmp .skip
.in_dx:
	mov edx, [ebp + SAVED_EDX]
	cmp dx, 0x2ff
	jne fatal
	mov byte [ebp + SAVED_EAX], 0x5a
	jmp .skip

	align 8
gdt:		dq 0
		dq 0x00009a000000ffff	; CODE16
		dq 0x000092000000ffff	; DATA16
		dq 0x00cf92000000ffff	; FLAT
		dq 0x00409a000000ffff	; CODE32
		dq 0x004092000000ffff	; DATA32
		dq 0x0000890000000000 | (TSS_SIZE - 1)
gdtr:		dw $ - gdt - 1
		dd 0
idtr:		dw 256 * 8 - 1
		dd 0
real_idtr:	dw 0x3ff
		dd 0
	align 4
iopl:		dd 0
has_vme:	dd 0
pending:	dd 0
old_0:		dd 0
old_1:		dd 0
old_1c:		dd 0
old_3:		dd 0
old_4:		dd 0
emulated:	dw 0
reflected:	dw 0
interrupts:	dw 0
steps:		dw 0
own_ticks:	dw 0
v86_ip:		dw 0
v86_sp:		dw 0
vme:		db 0
vif_mode:	db 0
seen:		db 0

; Behind the program
	align 16
		absolute $
idt:		resb 256 * 8
tss:		resb 104 + 32	; with the map of INT n that go to the monitor in spite of VME
io_map:		resb 8192 + 2
TSS_SIZE	equ $ - tss
		resb 2048 + 6
monitor_stack:
left:		resb SAVED_SIZE
