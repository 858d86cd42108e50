; SPDX-License-Identifier: GPL-2.0-or-later
; Entries of SYSCALL that are canonical with addresses of 57 bits only (WRMSR takes them where the processor has such) in 48-bit mode: SYSCALL is done, and what it leads to cannot be fetched
; (SDM vol. 2, SYSCALL; vol. 3, 3.3.7.1).
%include "programs/long.inc"

KERNEL	equ 0x220
USER32	equ 0x203
ENTRY	equ 1 << 50
rounds	equ V + 0x10

LONG_PROGRAM
	mov	byte [IDT + E_GP * 16 + 4], 1
	DESCRIPTOR USER32, 0, 0xfffff, 0xfb, 0xc
	DESCRIPTOR USER32 + 8, 0, 0xfffff, 0xf3, 0xc
	DESCRIPTOR USER32 + 16, 0, 0xfffff, 0xfb, 0xa
	mov	eax, 7
	xor	ecx, ecx
	cpuid
	bt	ecx, 16
	jnc	.end			; there is no such mode
	SET_MSR	EFER, EFER_LME|EFER_NXE|EFER_SCE
	SET_MSR	STAR, (USER32 << 48) | (KERNEL << 32)
	SET_MSR	SFMASK, 0
	IN	USER32 + 16, USER32 + 8
	mov	qword [rounds], 0
	; the code is translated with one that can be entered, then with one that cannot, and so on
.again:	SET_MSR	LSTAR, arrival
	call	enter
	ASSERT	qword [got_vector], BACK
	ASSERT	qword [got_cs], KERNEL
	SET_MSR	LSTAR, ENTRY
	call	enter
	ASSERT	qword [got_vector], E_GP
	ASSERT	qword [got_error], 0
	mov	rax, ENTRY
	ASSERT	[got_rip], rax
	ASSERT	qword [got_cs], KERNEL
	ASSERT	qword [got_ss], KERNEL + 8
	ASSERT	qword [got_rsp], RSTACK
	ASSERT	qword [got_rcx], AT(caller.next)
	ASSERT	qword [got_rdx], 5
	inc	qword [rounds]
	cmp	qword [rounds], 4
	jb	.again
	IN	CODE64, DATA32
	cmp	qword [rounds], 8
	jb	.again
.end:	CHECK	{esp, STACK}
	DONE

enter:	mov	rdx, caller
	call	run
	ret

	align	16
caller:	mov	edx, 4
	inc	edx
	syscall
.next:	int	BACK
arrival:	int	BACK
