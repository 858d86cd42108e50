; SPDX-License-Identifier: GPL-2.0-or-later
; Single-step traps over everything that is special: interrupts and returns of all kinds, gates, MOV SS, STI, HLT, REP, faults, tasks with the T bit; DR6.BS and RF
; (SDM vol. 3, 17.3.1.4, 6.8.3, 7.2.1).
%include "programs/debug.inc"

buffer	equ 0x30000

DEBUG_PROGRAM
	mov	dword [run_flags], 2
	GATE	IDT + 8 * 0x45, CODE32, AT(quiet), 0xee
	GATE	IDT + 8 * 0x46, CODE32, AT(quiet), 0xef
	GATE	GDT + CALL_GATE, CODE32, AT(quiet_far), 0xec
	mov	byte [IDT + 8 * E_BP + 5], 0xee
	mov	byte [.rounds], 3
.round:
%assign ring 0
%rep 4
	mov	dword [run_flags], TF | 0x3000 | 2
	; TF by IRETD: the first trap behind the first instruction. INT clears TF: none at BACK
	DEBUG	ring, two_nops, 2
	SAW	0, two_nops + 1, D_BS
	SAW	1, two_nops + 2, D_BS
	mov	eax, [code_of + ring * 4]
	SAW_CS	1, ax
	; over INT n: TF comes back with IRETD, the next trap behind the instruction that follows
	DEBUG	ring, over_int, 2
	SAW	0, over_int + 1, D_BS
	SAW	1, over_int.last, D_BS
	DEBUG	ring, over_trap, 2
	SAW	0, over_trap + 1, D_BS
	SAW	1, over_trap.last, D_BS
	; INT3
	DEBUG	ring, over_int3, 1, E_BP
	SAW	0, over_int3 + 1, D_BS
	; a fault: not executed, not trapped; what is saved has TF
	DEBUG	ring, over_fault, 1, E_UD
	SAW	0, over_fault + 1, D_BS
	ASSERT_SET dword [got_eflags], TF
	; far transfers, and a call gate (to ring 0): TF stays
	DEBUG	ring, over_far, 4
	SAW	0, over_far.push, D_BS
	SAW	1, over_far.call, D_BS
	SAW	2, over_far.there, D_BS
	SAW	3, over_far.last, D_BS
	DEBUG	ring, over_gate, 3
	SAW	0, quiet_far, D_BS
	SAW_CS	0, CODE32
	SAW	1, over_gate.last, D_BS
	SAW	2, over_gate.last + 1, D_BS
	; IRETD that clears TF is trapped itself; one that leaves it too
	DEBUG	ring, iretd_off, 5
	SAW	4, iretd_off.last, D_BS
	DEBUG	ring, iretd_on, 5
	SAW	3, iretd_on.last, D_BS
	SAW	4, iretd_on.last + 1, D_BS
	; POPF
	DEBUG	ring, popfd_off, 2
	SAW	1, popfd_off.last, D_BS
	; MOV SS and POP SS: not for one instruction
	DEBUG	ring, mov_ss, 2
	SAW	0, mov_ss.mov, D_BS
	SAW	1, mov_ss.last, D_BS
	DEBUG	ring, pop_ss, 2
	SAW	0, pop_ss.pop, D_BS
	SAW	1, pop_ss.last, D_BS
	; with INT behind it: none of the two
	DEBUG	ring, ss_int, 2
	SAW	0, ss_int.mov, D_BS
	SAW	1, ss_int.last + 1, D_BS
	; LSS has no shadow
	DEBUG	ring, lss_, 4
	SAW	2, lss_.last, D_BS
	; STI holds off interrupts, not traps
	DEBUG	ring, sti_, 3
	SAW	0, sti_ + 1, D_BS
	SAW	1, sti_ + 2, D_BS
	; each round of a REP, with RF saved but after the last; none at all counts as well
	DEBUG	ring, rep_, 6
	SAW	1, rep_.rep, D_BS
	SAW	2, rep_.rep, D_BS, RF
	SAW	3, rep_.rep, D_BS, RF
	SAW	4, rep_.last, D_BS
	DEBUG	ring, rep_none, 3
	SAW	1, rep_none.last, D_BS
	DEBUG	ring, repe_, 5
	SAW	3, repe_.rep, D_BS, RF
	SAW	4, repe_.last, D_BS
%assign ring ring + 1
%endrep
	; HLT: the trap wakes it
	mov	dword [run_flags], TF | 2
	DEBUG	0, over_hlt, 2
	SAW	0, over_hlt + 1, D_BS
	SAW	1, over_hlt + 2, D_BS
	; outward: the trap is taken in the other ring
	DEBUG	0, outward, 6
	SAW	5, outward.there, D_BS
	SAW_CS	5, CODE32_3
	DEBUG	0, outward_on, 7
	SAW	5, outward_on.there, D_BS
	SAW	6, outward_on.there + 1, D_BS
	mov	dword [run_flags], TF | 0x3000 | 2
	mov	dword [db_count], 0
	xor	ecx, ecx
	mov	edx, v86_nops
	call	run_v86
	ASSERT	dword [got_vector], BACK
	ASSERT	dword [db_count], 4
	SAW	0, v86_nops + 1, D_BS
	SAW	1, v86_nops.pop, D_BS
	SAW	2, v86_nops.iret, D_BS
	SAW	3, v86_nops.last, D_BS
	; an interrupt pending: the trap comes first, and the handler of the interrupt runs without
	mov	dword [run_flags], TF | IF | 2
	DEBUG	0, pending, 3
	SAW	0, pending.out, D_BS
	SAW	1, pending.next, D_BS
	SAW	2, pending.next + 1, D_BS
	; TF of MOV to DR and CR, and of a string store that faults half-way
	mov	dword [run_flags], TF | 2
	DEBUG	0, registers, 4
	SAW	3, registers.last, D_BS
	call	tasks
	dec	byte [.rounds]
	jnz	near .round
	CHECK	{esp, STACK}
	DONE
.rounds: db 0

; A task whose T bit is set: #DB before its first instruction. TF is that of the task.
tasks:	mov	edi, TSS2
	mov	ecx, 0x68 / 4
	xor	eax, eax
	rep	stosd
	mov	dword [TSS2 + 0x20], task
	mov	dword [TSS2 + 0x24], 2
	mov	dword [TSS2 + 0x38], 0xd000
	mov	dword [TSS2 + 0x48], DATA32
	mov	dword [TSS2 + 0x4c], CODE32
	mov	dword [TSS2 + 0x50], DATA32
	mov	dword [TSS2 + 0x54], DATA32
	mov	word [TSS2 + 0x64], 1
	DESCRIPTOR SEL_TSS2, TSS2, 0x67, 0x89, 0
	mov	dword [run_flags], 2
	DEBUG	0, call_task, 1
	SAW	0, task, D_BT
	clts
	; it returns to a task whose bit is set as well
	mov	word [TSS_ + 0x64], 1
	mov	dword [TSS2 + 0x20], task
	DEBUG	0, call_task, 2
	SAW	0, task, D_BT
	SAW	1, call_task.last, D_BT
	mov	word [TSS_ + 0x64], 0
	clts
	; a task with TF: behind its first instruction
	mov	dword [run_flags], 2
	mov	word [TSS2 + 0x64], 0
	mov	dword [TSS2 + 0x20], stepped
	mov	dword [TSS2 + 0x24], TF | 2
	DEBUG	0, call_task, 3
	SAW	0, stepped.push, D_BS
	SAW	2, stepped.iret, D_BS
	clts
	ret
task:	nop
	iretd
	jmp	task
stepped: nop
.push:	push	dword NT | 2
	popfd
.iret:	iretd
call_task:
	call	SEL_TSS2:0
.last:	nop
	int	BACK

quiet:	nop
	nop
	iretd
quiet_far:
	retf

two_nops:
	nop
	nop
	int	BACK
over_int:
	nop
	int	0x45
	nop
.last:	int	BACK
over_trap:
	nop
	int	0x46
	nop
.last:	int	BACK
over_int3:
	nop
	int3
	FAIL
over_fault:
	nop
	ud2
	FAIL
over_far:
	push	cs
.push:	push	dword .there
.call:	retf
	FAIL
.there:	nop
.last:	int	BACK
over_gate:
	call	CALL_GATE | 3:0
.last:	nop
	int	BACK
iretd_off:
	pushfd
	and	dword [esp], ~TF
	push	cs
	push	dword .last
	iretd
	FAIL
.last:	int	BACK
iretd_on:
	pushfd
	push	cs
	push	dword .last
	iretd
	FAIL
.last:	nop
	int	BACK
popfd_off:
	push	dword 0x3002
	popfd
.last:	int	BACK
mov_ss:	mov	eax, ss
.mov:	mov	ss, ax
	nop
.last:	int	BACK
pop_ss:	push	ss
.pop:	pop	ss
	nop
.last:	int	BACK
ss_int:	mov	eax, ss
.mov:	mov	ss, ax
	int	0x45
.last:	nop
	int	BACK
lss_:	mov	[V], esp
	mov	[V + 4], ss
	lss	esp, [V]
.last:	nop
	int	BACK
sti_:	cli
	sti
	cli
	int	BACK
rep_:	mov	edi, buffer
	mov	ecx, 3
.rep:	rep	stosb
.last:	nop
	int	BACK
rep_none:
	mov	ecx, 0
	rep	stosb
.last:	nop
	int	BACK
repe_:	mov	edi, buffer
	mov	esi, buffer
	mov	ecx, 2
.rep:	repe	cmpsb
.last:	int	BACK
over_hlt:
	nop
	hlt
	int	BACK
outward:
	push	dword DATA32_3
	push	dword RSTACK
	push	dword 2
	push	dword CODE32_3
	push	dword .there
	iretd
.there:	int	BACK
outward_on:
	push	dword DATA32_3
	push	dword RSTACK
	push	dword TF | 2
	push	dword CODE32_3
	push	dword .there
	iretd
.there:	nop
	int	BACK
pending:
	mov	al, 0x45
.out:	out	P_IRQ, al
.next:	nop
	int	BACK
registers:
	mov	eax, dr3
	mov	dr3, eax
	mov	eax, cr0
	mov	cr0, eax
.last:	int	BACK
	bits 16
v86_nops:
	nop
	push	ss
.pop:	pushf
.iret:	nop
.last:	int	BACK
	bits 32
