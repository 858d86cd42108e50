; SPDX-License-Identifier: GPL-2.0-or-later
; SYSENTER and SYSEXIT under paging: a kernel that ring 3 cannot reach otherwise.
%define PAE 0
%include "programs/paging.inc"

MSR_CS	equ 0x174
MSR_ESP	equ 0x175
MSR_EIP	equ 0x176
K	equ PLAY + 0x5000	; the kernel's code, K + 0x1000: its stack; nothing of either is the user's
KSTACK	equ K + 0x1ff0
KCODE	equ FREE		; four descriptors in a row
KDATA	equ FREE + 8
UCODE	equ FREE + 16 + 3
UDATA	equ FREE + 24 + 3

%macro SET_MSR 2
	mov	ecx, %1
	mov	eax, %2
	xor	edx, edx
	wrmsr
%endmacro

; In ring 3: the kernel adds 1 to EAX.
%macro SYSCALL_ 0
	mov	ecx, esp
	mov	edx, %%back
	sysenter
	NEVER
%%back:
%endmacro

PAGING_PROGRAM
	mov	eax, nothing
	mov	edi, NOTHING
	call	set_gate
	; descriptors that say something else than what is loaded
	mov	dword [GDT + KCODE], 0xffff
	mov	dword [GDT + KCODE + 4], 0
	mov	dword [GDT + KDATA + 4], 0
	mov	esi, kernel
	mov	edi, FRAME(1)
	mov	ecx, kernel_end - kernel
	rep	movsb
	SET_PTE	K, FRAME(1)|P
	SET_PTE	K + 0x1000, FRAME(2)|P|W
	; not set: neither instruction works
	SET_MSR	MSR_CS, 0
	SET_MSR	MSR_ESP, KSTACK
	SET_MSR	MSR_EIP, K
	FAULTS	E_GP, 0, sysenter
	FAULTS	E_GP, 0, sysexit
	TO_RING3
	FAULTS	E_GP, 0, sysenter
	FAULTS	E_GP, 0, sysexit
	TO_RING0
	SET_MSR	MSR_CS, 3		; RPL only
	TO_RING3
	FAULTS	E_GP, 0, sysenter
	TO_RING0
	SET_MSR	MSR_CS, KCODE
	mov	ecx, MSR_CS
	rdmsr
	CHECK	{eax, KCODE}, {edx, 0}
	mov	ecx, MSR_EIP
	rdmsr
	CHECK	{eax, K}
	; from ring 3: stack, flags, the rest as it was
	TO_RING3
	FAULTS	E_GP, 0, sysexit
	mov	ebx, 0x11111111
	mov	esi, 0x22222222
	mov	edi, 0x33333333
	mov	eax, 5
	mov	ebp, 0x44444444
	stc
	SYSCALL_
	CHECK	{eax, 6}, {ebx, 0x11111111}, {esi, 0x22222222}, {edi, 0x33333333}, {ebp, 0x44444444}, {cs, UCODE}, {ss, UDATA}, {mem32, FRAME(2) + 0xfec, 0x77777777}
	CHECK	{mem32, FRAME(2) + 0xfe8, KCODE}, {mem32, FRAME(2) + 0xfe4, KDATA}
	; IF is cleared, and stays so
	CHECK	{flags, 0, IF|VM}, {mem32, FRAME(2) + 0xfe0, KSTACK - 12}
	; descriptors that an interrupt's return can load
	mov	dword [GDT + KCODE], 0xffff
	mov	dword [GDT + KCODE + 4], 0xcf9b00
	mov	dword [GDT + KDATA], 0xffff
	mov	dword [GDT + KDATA + 4], 0xcf9300
	mov	dword [GDT + FREE + 16], 0xffff
	mov	dword [GDT + FREE + 20], 0xcffb00
	mov	dword [GDT + FREE + 24], 0xffff
	mov	dword [GDT + FREE + 28], 0xcff300
	; the kernel's pages are not the user's
	PAGE_FAULT PF_P|PF_U, K, mov eax, [K]
	PAGE_FAULT PF_P|PF_U|PF_W, K + 0x1000, mov [K + 0x1000], eax
	xor	eax, eax
	mov	ebx, 2000
.loop:	SYSCALL_
	dec	ebx
	jnz	.loop
	CHECK	{eax, 2000}, {cs, UCODE}
	; mixed with interrupts and faults in ring 3
	mov	ebx, 200
	xor	eax, eax
.mixed:	SYSCALL_
	int	NOTHING
	CATCH	.caught
	mov	[K], eax
.caught:
	CAUGHT
	dec	ebx
	jnz	.mixed
	CHECK	{eax, 200}, {cs, UCODE}, {ss, UDATA}, {mem32, pf_error, PF_P|PF_W|PF_U}
	; a kernel that moves
	TO_RING0
	SET_PTE	K + 0x2000, FRAME(1)|P
	mov	byte [FRAME(1) + add_one - kernel + 2], 10
	SET_MSR	MSR_EIP, K + 0x2000
	TO_RING3
	mov	eax, 1
	SYSCALL_
	CHECK	{eax, 11}
	mov	byte [FRAME(1) + add_one - kernel + 2], 20
	SYSCALL_
	CHECK	{eax, 31}
	; to a user's page that is not there: the fault is ring 3's
	mov	ecx, esp
	mov	edx, K + 0x9000
	CATCH	.absent
	sysenter
.absent:
	CAUGHT
	CHECK	{mem32, pf_eip, K + 0x9000}, {mem32, pf_cr2, K + 0x9000}, {mem32, pf_error, PF_U}, {mem32, pf_cs, UCODE}
	; to a kernel that is not there: ring 0's, on its stack
	TO_RING0
	SET_PTE	K + 0x2000, 0
	invlpg	[K + 0x2000]
	TO_RING3
	mov	ebx, esp
	CATCH	.absent2
	sysenter
.absent2:
	CAUGHT
	CHECK	{mem32, pf_eip, K + 0x2000}, {mem32, pf_error, 0}, {mem32, pf_cs, KCODE}, {cs, KCODE}, {ss, KDATA}, {esp, KSTACK}
	mov	esp, ebx
	; from ring 0 to ring 0
	SET_PTE	K, FRAME(1)|P
	SET_MSR	MSR_EIP, K
	mov	eax, 1
	mov	ecx, ebx
	mov	edx, .out
	sysenter
.out:	CHECK	{eax, 21}, {cs, UCODE}
	TO_RING0
	CHECK	{esp, STACK}
	DONE
NOTHING	equ 0x44
nothing:
	iretd

kernel:	push	dword 0x77777777
	push	cs
	push	ss
	push	esp
add_one:
	lea	eax, [byte eax + 1]
	sysexit
kernel_end:
