; SPDX-License-Identifier: GPL-2.0-or-later
; Entering and leaving long mode, and the control registers in it (SDM vol. 3, 2.2.1, 2.5, 4.1, 9.8.5): what each step needs, what is reserved, CR8, PCIDs, upper halves.
%include "programs/long.inc"

IDT32	equ 0x21000

; in 64-bit code: the register is the same afterwards
%macro REFUSED_CR 2	; register, value
	mov	rbx, %1
	mov	[V + 0x20], rbx
	mov	rax, %2
	RAISES	E_GP, 0, mov %1, rax
	mov	rbx, %1
	ASSERT	rbx, [V + 0x20]
%endmacro

; WRMSR of EFER
%macro REFUSED_EFER 1
	mov	ebx, %1
	mov	rdx, write_efer
	call	run
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	ASSERT	qword [got_rip], AT(write_efer.wrmsr)
%endmacro

LONG_PROGRAM
	mov	rax, where
	call	rax
	ASSERT	rbx, rax
	call	registers
	call	pcid
	call	there_and_back
	CHECK	{esp, STACK}
	DONE

	align	16
where:	lea	rbx, [rel where]
	ret

registers:
	GET_MSR	EFER
	ASSERT	rax, EFER_LME|EFER_LMA|EFER_NXE
	; LME cannot change while paging is on, LMA not at all
	REFUSED_EFER EFER_NXE
	mov	eax, EFER_LME|EFER_NXE|EFER_SCE
	xor	edx, edx
	mov	ecx, EFER
	wrmsr
	GET_MSR	EFER
	ASSERT	rax, EFER_LME|EFER_LMA|EFER_NXE|EFER_SCE
	REFUSED_EFER EFER_LME|EFER_LMA|EFER_NXE|2
	REFUSED_EFER EFER_LME|EFER_LMA|EFER_NXE|(1 << 12)	; SVME
	; 64-bit code: no way but through compatibility mode
	REFUSED_CR cr0, CR0_PE
	REFUSED_CR cr0, CR0_PG
	REFUSED_CR cr0, CR0_PE|CR0_PG|(1 << 29)
	REFUSED_CR cr0, CR0_PE|CR0_PG|(1 << 32)
	REFUSED_CR cr0, CR0_PE|CR0_PG|(1 << 63)
	REFUSED_CR cr4, 0
	REFUSED_CR cr4, CR4_PAE|CR4_LA57	; only before
	REFUSED_CR cr4, CR4_PAE|(1 << 13)
	REFUSED_CR cr4, CR4_PAE|(1 << 15)
	REFUSED_CR cr4, CR4_PAE|(1 << 32)
	REFUSED_CR cr3, PML4|(1 << 52)
	REFUSED_CR cr3, PML4|(1 << 63)
	REFUSED_CR cr3, PML4|(1 << 51)
	REFUSED_CR dr6, 1 << 32
	REFUSED_CR dr7, 1 << 63
	REFUSED_CR cr8, 16
	REFUSED_CR cr8, 1 << 32
	mov	rax, 0xffff800012345678
	WORKS	mov cr2, rax
	mov	rax, cr2
	mov	rbx, 0xffff800012345678
	ASSERT	rax, rbx
	mov	rax, 0xffff800012345678
	mov	dr0, rax
	mov	rax, dr0
	ASSERT	rax, rbx
	xor	eax, eax
	mov	dr0, rax
	; CR8
	mov	eax, 11
	mov	cr8, rax
	xor	ebx, ebx
	mov	rbx, cr8
	ASSERT	rbx, 11
	IN	CODE64_3, DATA32_3
	RAISES	E_GP, 0, mov rax, cr8
	RAISES	E_GP, 0, mov cr8, rax
	RAISES	E_GP, 0, mov rax, cr0
	RAISES	E_GP, 0, mov rax, dr7
	IN	CODE64, DATA32
	; CR1, 5 to 7, 9 to 15 are none
	RAISES	E_UD, NOERR, db 0x0f, 0x20, 0xc8
	RAISES	E_UD, NOERR, db 0x0f, 0x22, 0xe8
	RAISES	E_UD, NOERR, db 0x44, 0x0f, 0x20, 0xc8
	RAISES	E_UD, NOERR, db 0x44, 0x0f, 0x22, 0xf8
	RAISES	E_UD, NOERR, db 0x44, 0x0f, 0x21, 0xc0
	ret


; With PCIDs the low bits of CR3 name one, and bit 63 is a wish.
pcid:	mov	rax, cr3
	mov	[V], rax
	or	rax, 0x18			; PCD and PWT: cannot be a PCID that is not 0
	mov	cr3, rax
	REFUSED_CR cr4, CR4_PAE|CR4_PCIDE
	mov	rax, [V]
	mov	cr3, rax
	mov	rax, cr4
	mov	[V + 8], rax
	or	rax, CR4_PCIDE
	mov	cr4, rax
	mov	rax, [V]
	or	rax, 0xabc
	mov	cr3, rax
	mov	rbx, cr3
	ASSERT	rax, rbx
	bts	rax, 63
	mov	cr3, rax
	mov	rbx, cr3
	btr	rax, 63
	ASSERT	rax, rbx
	REFUSED_CR cr3, PML4|(1 << 62)
	; INVPCID: types, reserved bits, ring
	mov	qword [V + 0x40], 0xabc
	mov	qword [V + 0x48], 0
	xor	eax, eax
	WORKS	invpcid rax, [V + 0x40]
	mov	eax, 3
	WORKS	invpcid rax, [V + 0x40]
	mov	eax, 4
	RAISES	E_GP, 0, invpcid rax, [V + 0x40]
	mov	qword [V + 0x40], 0x1000
	mov	eax, 1
	RAISES	E_GP, 0, invpcid rax, [V + 0x40]
	mov	qword [V + 0x40], 0
	mov	rax, 1 << 63
	mov	[V + 0x48], rax
	xor	eax, eax
	RAISES	E_GP, 0, invpcid rax, [V + 0x40]
	IN	CODE64_3, DATA32_3
	mov	eax, 2
	RAISES	E_GP, 0, invpcid rax, [V + 0x40]
	IN	CODE64, DATA32
	mov	rax, [V]
	mov	cr3, rax
	mov	rax, [V + 8]
	mov	cr4, rax
	ret

write_efer:
	mov	eax, ebx
	xor	edx, edx
	mov	ecx, EFER
.wrmsr:	wrmsr
	int	BACK

; Out through compatibility mode, the steps back in refused one by one, and in again; paging of other kinds on the way.
there_and_back:
	mov	[V + 0x10], rsp
	mov	r9, 0x99aabbccddeeff00
	jmp	dword far [.out]
	bits	32
.compat:
	mov	eax, cr0
	and	eax, ~CR0_PG
	mov	cr0, eax			; leaves long mode: PE and PAE still set
	mov	ecx, EFER
	rdmsr
	ASSERT	eax, EFER_LME|EFER_NXE|EFER_SCE
	mov	ax, DATA32
	mov	ss, ax
	mov	ds, ax
	mov	es, ax
	mov	edi, IDT32			; the harness's handlers
	mov	eax, STUBS32
	mov	ecx, 32
.gate:	mov	[edi], ax
	mov	word [edi + 2], CODE32
	mov	dword [edi + 4], 0x8e00
	add	edi, 8
	add	eax, 16
	loop	.gate
	lidt	[.idt32]
	; LME, but no PAE
	mov	eax, cr4
	and	eax, ~CR4_PAE
	mov	cr4, eax
	mov	eax, cr0
	or	eax, CR0_PG
	FAULTS	E_GP, 0, mov cr0, eax
	; PCIDE needs long mode
	mov	eax, CR4_PAE|CR4_OSFXSR|CR4_PCIDE
	FAULTS	E_GP, 0, mov cr4, eax
	; a 16-bit TSS, code with L
	mov	eax, CR4_PAE|CR4_OSFXSR
	mov	cr4, eax
	DESCRIPTOR X, TSS_, 0xff, 0x81, 0
	mov	ax, X
	ltr	ax
	mov	eax, cr0
	or	eax, CR0_PG
	FAULTS	E_GP, 0, mov cr0, eax
	DESCRIPTOR X, TSS_, 0xff, 0x89, 0
	mov	ax, X
	ltr	ax
	jmp	CODE64:.with_l			; L means nothing yet, D is clear: 16-bit code
	bits	16
.with_l:
	mov	eax, cr0
	or	eax, CR0_PG
	FAULTS	E_GP, 0, mov cr0, eax
	jmp	dword CODE32:.legacy
	bits	32
.legacy:
	; the descriptor bits of long mode mean nothing: SYSCALL is Intel's 64-bit mode's only
	FAULTS	E_UD, NOERR, syscall
	; LME off: PAE paging, with its own tables
	mov	ecx, EFER
	mov	eax, EFER_NXE
	xor	edx, edx
	wrmsr
	mov	dword [TABLES], PD|P
	mov	dword [TABLES + 4], 0
	mov	dword [TABLES + 8], 0
	mov	dword [TABLES + 16], 0
	mov	dword [TABLES + 24], 0
	mov	eax, TABLES
	mov	cr3, eax
	mov	eax, cr0
	or	eax, CR0_PG
	mov	cr0, eax
	mov	ecx, EFER
	rdmsr
	ASSERT	eax, EFER_NXE
	; now LME cannot be set
	mov	eax, EFER_NXE|EFER_LME
	xor	edx, edx
	FAULTS	E_GP, 0, wrmsr
	; LA57 can, and changes nothing
	mov	eax, cr4
	or	eax, CR4_LA57
	mov	cr4, eax
	mov	eax, [V]
	mov	eax, cr4
	and	eax, ~CR4_LA57
	mov	cr4, eax
	mov	eax, cr0
	and	eax, ~CR0_PG
	mov	cr0, eax
	; and back: five levels this time
	mov	ecx, EFER
	mov	eax, EFER_NXE|EFER_LME
	xor	edx, edx
	wrmsr
	mov	edi, TABLES
	xor	eax, eax
	mov	ecx, 0x400
	rep	stosd
	mov	dword [TABLES], PML4|P|W|U
	mov	dword [TABLES + 255 * 8], PML4|P|W|U
	mov	dword [TABLES + 16 * 8], PML4|P|W|U
	mov	eax, TABLES
	mov	cr3, eax
	mov	eax, CR4_PAE|CR4_OSFXSR|CR4_LA57
	mov	cr4, eax
	mov	eax, cr0
	or	eax, CR0_PG
	mov	cr0, eax
	jmp	CODE64:.long
	bits	64
.out:	dd	.compat
	dw	CODE32
.idt32:	dw	0xff
	dd	IDT32
.long:	mov	rsp, [V + 0x10]
	lidt	[reset_idt.idtr]
	mov	rax, 0x99aabbccddeeff00
	ASSERT	r9, rax				; kept, as on processors
	mov	byte [GDT + TSS64 + 5], 0x89
	mov	eax, TSS64
	ltr	ax
	; the same code, reached by addresses that differ in one of the upper bits only: it runs with each of them
	mov	rax, where
	call	rax
	ASSERT	rbx, rax
	mov	rcx, 1 << 52
	add	rax, rcx
	call	rax
	ASSERT	rbx, rax
	; 57 bits
	mov	rax, 255 << 48
	or	rax, V
	mov	dword [V], 0x57575757
	ASSERT	dword [rax], 0x57575757
	mov	rax, 1 << 56
	RAISES	E_GP, 0, mov ebx, [rax]
	mov	rax, 1 << 47
	RAISES	E_PF, 0, mov ebx, [rax]
	mov	rax, 1 << 47
	ASSERT	[got_cr2], rax
	; a target that is not there: the fault is at the target
	mov	rax, 2 << 48
	mov	rdx, .jump
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], PF_I
	mov	rax, 2 << 48
	ASSERT	[got_rip], rax
	ASSERT	[got_cr2], rax
	REFUSED_CR cr4, CR4_PAE|CR4_OSFXSR
	ret
.jump:	jmp	rax
