; SPDX-License-Identifier: GPL-2.0-or-later
; What ring changes lead to may depend on more than gates and descriptors. The same code enters and leaves rings again and again while CR4.TSD, EFLAGS.AC and NT change,
; and by segments that are flat but must not be read or pushed to (SDM vol. 3, 2.5, 5.5, 6.12, 6.15, 7.4; vol. 2, IRET, SYSEXIT).
%include "programs/ring0.inc"

VECTOR	equ 0x45
CR0_AM	equ 0x40000
CR4_TSD	equ 4
MSR_CS	equ 0x174	; of SYSENTER
flags	equ V		; of ring 0 when the snippets below leave it
cs_	equ V + 4
eip_	equ V + 8
ss_	equ V + 12
count	equ V + 16
image	equ V + 20	; flags that IRETD loads, of the snippet below
odd	equ V + 0x21

; Runs a snippet a few times over, as it becomes another thing with use; vector, ring, snippet.
%macro USE 3
%rep 4
	mov	ecx, %2
	mov	edx, %3
	call	run
	ASSERT	dword [got_vector], %1
%endrep
%endmacro

RING0_PROGRAM
	mov	ecx, MSR_CS
	mov	eax, X		; X to X + 24: descriptors are not looked at
	xor	edx, edx
	wrmsr
	mov	dword [count], 0
	mov	dword [image], 2
.round:	call	tsd
	call	ac
	call	nt
	call	exec_only
	call	no_stack
	inc	dword [count]
	cmp	dword [count], 3
	jb	.round
	CHECK	{esp, STACK}
	DONE

; RDTSC in ring 3, reached by IRETD of `run` and by SYSEXIT.
tsd:	USE	BACK, 3, rdtsc_
	USE	BACK, 0, sysexit_
	mov	eax, cr4
	or	eax, CR4_TSD
	mov	cr4, eax
	USE	E_GP, 3, rdtsc_
	ASSERT	dword [got_eip], rdtsc_
	ASSERT	dword [got_error], 0
	USE	E_GP, 0, sysexit_
	ASSERT	dword [got_eip], rdtsc_
	USE	E_GP, 1, rdtsc_
	USE	BACK, 0, rdtsc_
	mov	eax, cr4
	and	eax, ~CR4_TSD
	mov	cr4, eax
	USE	BACK, 3, rdtsc_
	USE	BACK, 0, sysexit_
	ret
rdtsc_:	rdtsc
	int	BACK
sysexit_:
	mov	ecx, RSTACK
	mov	edx, rdtsc_
	sysexit
	FAIL

; A misaligned access in ring 3, AC coming from ring 0.
ac:	mov	eax, cr0
	or	eax, CR0_AM
	mov	cr0, eax
	mov	dword [flags], 2
	USE	BACK, 0, .sysexit
	mov	dword [flags], AC | 2
	USE	E_AC, 0, .sysexit
	ASSERT	dword [got_eip], misaligned
	ASSERT_SET dword [got_eflags], AC
	mov	dword [flags], 2
	USE	BACK, 0, .sysexit
	USE	BACK, 3, misaligned
	mov	dword [run_flags], AC | 2
	USE	E_AC, 3, misaligned
	USE	BACK, 2, misaligned
	mov	dword [run_flags], 2
	USE	BACK, 3, misaligned
	; IRETD where AC is set in both rings, in one of them
	mov	dword [cs_], CODE32_3
	mov	dword [ss_], DATA32_3
	mov	dword [eip_], misaligned
	mov	dword [flags], AC | 2
	mov	dword [image], AC | 2
	USE	E_AC, 0, iretd_
	mov	dword [image], 2
	USE	BACK, 0, iretd_
	mov	dword [flags], 2
	USE	BACK, 0, iretd_
	mov	dword [image], AC | 2
	USE	E_AC, 0, iretd_
	mov	dword [image], 2
	mov	eax, cr0
	and	eax, ~CR0_AM
	mov	cr0, eax
	mov	dword [flags], AC | 2
	USE	BACK, 0, .sysexit
	ret
.sysexit:
	push	dword [flags]
	popfd
	mov	ecx, RSTACK
	mov	edx, misaligned
	sysexit
	FAIL
misaligned:
	mov	eax, [odd]
	int	BACK

; IRETD with NT set goes back to the task that the TSS names, whatever its frame says: here to one that is not busy.
nt:	mov	word [TSS_], SEL_TSS2
	mov	dword [cs_], CODE32
	mov	dword [eip_], back
	call	.both
	mov	dword [cs_], CODE32_3
	mov	dword [ss_], DATA32_3
.both:	mov	dword [flags], 2
	USE	BACK, 0, iretd_
	mov	dword [flags], NT | 2
	USE	E_TS, 0, iretd_
	ASSERT	dword [got_error], SEL_TSS2
	ASSERT	dword [got_eip], iretd_.at
	ASSERT_SET dword [got_eflags], NT
	mov	dword [flags], 2
	USE	BACK, 0, iretd_
	ret
back:	int	BACK

; To CS:EIP.
iretd_:	test	byte [cs_], 3
	jz	.same
	push	dword [ss_]
	push	dword RSTACK
.same:	push	dword [image]
	push	dword [cs_]
	push	dword [eip_]
	push	dword [flags]
	popfd
.at:	iretd
	FAIL

; A code segment that is flat, and execute-only: of an interrupt handler, and of ring 3.
exec_only:
	GATE	IDT + 8 * VECTOR, X, AT(read_cs), 0xee
	DESCRIPTOR X, 0, 0xfffff, 0x99, 0xc
	USE	E_GP, 3, .int
	ASSERT	dword [got_eip], read_cs
	ASSERT	dword [got_cs], X
	ASSERT	dword [got_error], 0
	mov	byte [GDT + X + 5], 0x9b
	USE	BACK, 3, .int
	ASSERT	dword [got_cs], X
	mov	byte [GDT + X + 5], 0x99
	USE	E_GP, 3, .int
	DESCRIPTOR X, 0, 0xfffff, 0xf9, 0xc
	mov	dword [flags], 2
	mov	dword [cs_], X | 3
	mov	dword [ss_], DATA32_3
	mov	dword [eip_], read_cs
	USE	E_GP, 0, iretd_
	ASSERT	dword [got_eip], read_cs
	ASSERT	dword [got_cs], X | 3
	mov	byte [GDT + X + 5], 0xfb
	USE	BACK, 0, iretd_
	mov	byte [GDT + X + 5], 0xf9
	USE	E_GP, 0, iretd_
	; within ring 0
	mov	byte [GDT + X + 5], 0x99
	mov	dword [cs_], X
	USE	E_GP, 0, iretd_
	ASSERT	dword [got_cs], X
	ret
.int:	int	VECTOR
	FAIL
read_cs:
	mov	eax, [cs:back]
	int	BACK

; A stack that is flat by base and limit, but expand-down: it has no byte.
no_stack:
	DESCRIPTOR Y, 0, 0xfffff, 0xf7, 0xc
	mov	dword [flags], 2
	mov	dword [cs_], CODE32_3
	mov	dword [ss_], Y | 3
	mov	dword [eip_], push_
	USE	E_SS, 0, iretd_
	ASSERT	dword [got_error], 0
	ASSERT	dword [got_eip], push_
	ASSERT	dword [got_ss0], Y | 3
	mov	byte [GDT + Y + 5], 0xf3
	USE	BACK, 0, iretd_
	mov	byte [GDT + Y + 5], 0xf7
	USE	E_SS, 0, iretd_
	ret
push_:	push	eax
	int	BACK
