; SPDX-License-Identifier: GPL-2.0-or-later
; Breakpoints in debug registers: code (with RF), data by kind, length and alignment, I/O with CR4.DE; reserved bits, general detection, DR4 and DR5 (SDM vol. 3, 17.2, 17.3).
%include "programs/debug.inc"

W	equ 0x30000	; what is watched
PORT	equ 0x140
CR4_DE	equ 8

; One access: raises one #DB with these bits of DR6, behind it; or none.
%macro HITS 2+
	mov	dword [db_count], 0
%%at:	%2
%%behind:
	ASSERT	dword [db_count], 1
	SAW	0, %%behind, %1
%endmacro

%macro MISSES 1+
	mov	dword [db_count], 0
	%1
	ASSERT	dword [db_count], 0
%endmacro

DEBUG_PROGRAM
	mov	byte [.rounds], 3
.round:	call	registers
	call	data
	call	strings
	call	code
	call	ports
	call	both
	call	detect
	dec	byte [.rounds]
	jnz	near .round
	CHECK	{esp, STACK}
	DONE
.rounds: db 0

registers:
	; bits that cannot be written
	SET_DR	6, -1
	mov	eax, dr6
	and	eax, 0xffff0ff0 | DR6_BITS
	ASSERT	eax, 0xffff0ff0 | DR6_BITS
	SET_DR	6, 0
	mov	eax, dr6
	ASSERT	eax, 0xffff0ff0
	SET_DR	7, 0
	mov	eax, dr7
	ASSERT	eax, 0x400
	SET_DR	7, 0xffff0000
	mov	eax, dr7
	ASSERT	eax, 0xffff0400
	SET_DR	7, 0xdf00		; no enables
	mov	eax, dr7
	ASSERT	eax, 0x700		; GE, LE, and bit 10
	SET_DR	7, 0
	; DR4, DR5: the same as DR6, DR7 unless CR4.DE
	mov	eax, 0x300
	mov	dr5, eax
	mov	eax, dr7
	ASSERT	eax, 0x700
	mov	eax, dr4
	ASSERT	eax, 0xffff0ff0
	SET_DR	7, 0
	mov	eax, cr4
	or	eax, CR4_DE
	mov	cr4, eax
	xor	ecx, ecx
	mov	edx, .dr4
	call	run
	ASSERT	dword [got_vector], E_UD
	xor	ecx, ecx
	mov	edx, .dr5
	call	run
	ASSERT	dword [got_vector], E_UD
	mov	eax, cr4
	and	eax, ~CR4_DE
	mov	cr4, eax
	mov	ecx, 3
	mov	edx, .dr0
	call	run
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	SET_DR	0, 0x12345678
	SET_DR	3, 0x87654321
	mov	eax, dr0
	ASSERT	eax, 0x12345678
	mov	eax, dr3
	ASSERT	eax, 0x87654321
	ret
.dr0:	mov	eax, dr0
.dr4:	mov	eax, dr4
.dr5:	mov	dr5, eax

; All kinds of accesses. EBX: W.
data:	mov	ebx, W
	SET_DR	0, W + 4
	SET_DR	7, L(0) | WRITE(0, 4)
	HITS	B0, mov [ebx + 4], eax
	HITS	B0, mov [ebx + 7], al
	HITS	B0, mov [ebx + 1], eax		; the last byte of it
	HITS	B0, mov [ebx + 7], eax
	MISSES	mov [ebx], eax
	MISSES	mov [ebx + 8], eax
	MISSES	mov eax, [ebx + 4]
	MISSES	cmp [ebx + 4], eax
	HITS	B0, add [ebx + 4], eax
	HITS	B0, inc byte [ebx + 5]
	HITS	B0, xchg [ebx + 4], ax
	HITS	B0, lock xadd [ebx + 4], eax
	HITS	B0, bts dword [ebx + 4], 3
	MISSES	bt dword [ebx + 4], 3
	HITS	B0, setz [ebx + 4]
	HITS	B0, not dword [ebx + 4]
	HITS	B0, shl word [ebx + 6], 1
	HITS	B0, fnstcw [ebx + 4]
	fninit
	fldz
	HITS	B0, fst qword [ebx]
	HITS	B0, fst dword [ebx + 4]
	HITS	B0, movups [ebx], xmm0
	MISSES	movups xmm0, [ebx]
	HITS	B0, movd [ebx + 4], mm0
	emms
	HITS	B0, mov [ebx + 4], ds
	HITS	B0, sgdt [ebx]
	HITS	B0, smsw [ebx + 4]
	HITS	B0, stmxcsr [ebx + 4]
	HITS	B0, fxsave [ebx - 256]
	mov	[V], esp
	mov	esp, W + 8
	HITS	B0, push eax
	MISSES	push eax
	mov	esp, W + 8
	HITS	B0, pushfd
	mov	esp, W + 12
	HITS	B0, pushad
	mov	esp, W + 8
	mov	dword [db_count], 0
	call	.called
	jmp	.on
.called:
	ASSERT	dword [db_count], 1
	SAW	0, .called, B0
	ret
.on:	mov	esp, W + 4
	MISSES	pop eax
	mov	esp, [V]
	; reads too
	SET_DR	7, G(0) | DATA(0, 4)
	HITS	B0, mov eax, [ebx + 4]
	HITS	B0, mov [ebx + 4], eax
	HITS	B0, cmp byte [ebx + 7], 0
	HITS	B0, test [ebx + 4], ax
	HITS	B0, movzx eax, word [ebx + 3]
	HITS	B0, fld qword [ebx]
	fninit
	HITS	B0, movups xmm0, [ebx]
	mov	dword [ebx + 4], 0x1f80
	HITS	B0, ldmxcsr [ebx + 4]
	HITS	B0, imul eax, [ebx + 4], 3
	HITS	B0, cmovc eax, [ebx + 4]
	HITS	B0, push dword [ebx + 4]
	HITS	B0, pop dword [ebx + 4]
	mov	ecx, -1
	HITS	B0, bt [ebx + 8], ecx
	MISSES	mov eax, [ebx + 8]
	MISSES	lea eax, [ebx + 4]
	MISSES	nop dword [ebx + 4]
	MISSES	prefetcht0 [ebx + 4]
	; lengths: 1, 2, 4; the address is aligned to them
	SET_DR	7, L(0) | DATA(0, 1)
	HITS	B0, mov al, [ebx + 4]
	MISSES	mov al, [ebx + 5]
	HITS	B0, mov eax, [ebx + 1]
	MISSES	mov eax, [ebx]
	SET_DR	7, L(0) | DATA(0, 2)
	HITS	B0, mov al, [ebx + 5]
	MISSES	mov al, [ebx + 6]
	SET_DR	0, W + 7		; 4 bytes there: from W + 4
	SET_DR	7, L(0) | DATA(0, 4)
	HITS	B0, mov al, [ebx + 4]
	MISSES	mov al, [ebx + 8]
	; several of them; those that are not enabled say nothing of themselves
	SET_DR	0, W
	SET_DR	1, W + 1
	SET_DR	2, W + 2
	SET_DR	3, W + 8
	SET_DR	7, L(0) | L(1) | G(2) | G(3) | WRITE(0, 1) | DATA(1, 1) | DATA(2, 2) | WRITE(3, 4)
	HITS	B1 | B2, mov eax, [ebx]
	HITS	B0 | B1 | B2, mov [ebx], eax
	HITS	B2, mov [ebx + 3], al
	HITS	B3, mov [ebx + 11], al
	HITS	B0, and byte [ebx], 0
	; an instruction that faults has not been there
	SET_DR	7, L(1) | DATA(1, 1)
	mov	eax, 0
	mov	dword [db_count], 0
	xor	ecx, ecx
	mov	edx, .faults
	call	run
	ASSERT	dword [got_vector], E_DE
	ASSERT	dword [db_count], 0
	mov	ebx, W
	; MOV SS and POP SS from there: it waits until the next instruction is done, as in INT n, where it meets the handler
	mov	[ebx], ss
	SET_DR	0, W
	SET_DR	7, L(0) | DATA(0, 2)
	mov	dword [db_count], 0
	mov	ss, [ebx]
	nop
.behind_ss:
	ASSERT	dword [db_count], 1
	SAW	0, .behind_ss, B0
	GATE	IDT + 8 * 0x45, CODE32, AT(.handler), 0xee
	mov	dword [db_count], 0
	mov	ss, [ebx]
	int	0x45
	ASSERT	dword [db_count], 1
	SAW	0, .handler, B0
	SAW_CS	0, CODE32
	call	reset_idt
	call	debug_gate
	SET_DR	7, 0
	ret
.handler:
	iretd
.faults: div	dword [W]
	int	BACK

strings:
	mov	ebx, W
	SET_DR	0, W + 8
	SET_DR	7, L(0) | WRITE(0, 4)
	; the trap comes behind the round that wrote there; RF is saved in the middle
	mov	dword [db_count], 0
	mov	edi, W
	mov	ecx, 4
.rep:	rep	stosd
.behind:
	ASSERT	dword [db_count], 1
	SAW	0, .rep, B0, RF
	ASSERT	ecx, 0
	mov	dword [db_count], 0
	mov	edi, W
	mov	ecx, 3
.rep2:	rep	stosd
.behind2:
	ASSERT	dword [db_count], 1
	SAW	0, .behind2, B0
	mov	dword [db_count], 0
	mov	edi, W
	mov	ecx, 16
.rep3:	rep	stosb
	ASSERT	dword [db_count], 4
	SAW	3, .rep3, B0, RF
	SET_DR	7, L(0) | DATA(0, 4)
	mov	dword [db_count], 0
	mov	esi, W
	mov	edi, W + 0x100
	mov	ecx, 4
.rep4:	rep	movsd
	ASSERT	dword [db_count], 1
	SAW	0, .rep4, B0, RF
	mov	edi, W + 8
	mov	esi, W + 8
	HITS	B0, lodsd
	HITS	B0, scasd
	mov	esi, W + 8
	mov	edi, W + 0x108
	HITS	B0, cmpsb
	mov	edi, W + 8
	mov	ecx, 0
	MISSES	rep stosd
	SET_DR	7, 0
	ret

code:	SET_DR	0, .at
	SET_DR	1, .at2
	SET_DR	2, .handler
	SET_DR	3, .rep
	SET_DR	7, L(0) | EXEC(0)
	mov	dword [db_rf], 1
	; a fault: before the instruction, with RF clear in what is saved; RF then lets it pass once
	mov	dword [db_count], 0
	mov	ecx, 3
	xor	edx, edx
.at:	inc	edx
	loop	.at
	ASSERT	dword [db_count], 3
	SAW	0, .at, B0
	SAW	2, .at, B0
	ASSERT	edx, 3
	; behind MOV SS: not
	SET_DR	7, L(1) | EXEC(1)
	mov	eax, ss
	mov	dword [db_count], 0
	mov	ss, ax
.at2:	nop
	ASSERT	dword [db_count], 0
	mov	ecx, 2
.again:	jmp	.at2b
.at2b:	call	.use2
	loop	.again
	ASSERT	dword [db_count], 2
	; the first instruction of a handler; RF of the interrupted flags does not count there
	SET_DR	7, L(2) | EXEC(2)
	GATE	IDT + 8 * 0x45, CODE32, AT(.handler), 0xee
	mov	dword [db_count], 0
	int	0x45
	ASSERT	dword [db_count], 1
	SAW	0, .handler, B2
	push	dword RF | 2
	push	cs
	push	dword .here
	iretd
.here:	int	0x45
	ASSERT	dword [db_count], 2
	; what IRETD returns to: with RF, and without
	SET_DR	2, .there
	mov	dword [db_count], 0
	push	dword RF | 2
	push	cs
	push	dword .there
	iretd
.there:	nop
	ASSERT	dword [db_count], 0
	push	dword 2
	push	cs
	push	dword .there
	mov	eax, .there2
	mov	dr2, eax
	mov	dword [esp], .there2
	iretd
.there2: nop
	ASSERT	dword [db_count], 1
	SAW	0, .there2, B2
	; RF does not come by POPF, nor by a 16-bit IRET
	SET_DR	2, .there3
	mov	dword [db_count], 0
	push	dword RF | 2
	popfd
.there3: nop
	ASSERT	dword [db_count], 1
	; a REP: once, before its first round
	SET_DR	7, L(3) | EXEC(3)
	mov	dword [db_count], 0
	mov	edi, W
	mov	ecx, 5
.rep:	rep	stosb
	ASSERT	dword [db_count], 1
	SAW	0, .rep, B3
	; not by an address in the middle of an instruction
	SET_DR	3, .long + 1
	mov	dword [db_count], 0
.long:	mov	eax, 0x90909090
	ASSERT	dword [db_count], 0
	; in ring 3, and a fault there: RF is in what it saves
	SET_DR	3, .fault
	mov	dword [db_count], 0
	mov	ecx, 3
	mov	edx, .fault
	call	run
	ASSERT	dword [got_vector], E_UD
	ASSERT	dword [db_count], 1
	SAW_CS	0, CODE32_3
	ASSERT_SET dword [got_eflags], RF
	SET_DR	7, 0
	mov	dword [db_rf], 0
	call	reset_idt
	jmp	debug_gate
.fault:	ud2
.handler:
	iretd
.use2:	SET_DR	1, .use3
.use3:	nop
	ret

ports:	mov	eax, cr4
	or	eax, CR4_DE
	mov	cr4, eax
	SET_DR	0, PORT
	SET_DR	1, PORT + 4
	SET_DR	7, L(0) | IO(0, 1) | L(1) | IO(1, 4)
	mov	edx, PORT
	mov	ebx, W
	HITS	B0, out dx, al
	HITS	B0, in al, dx
	HITS	B0, in ax, dx
	HITS	B0, out dx, eax
	add	edx, 3
	HITS	B1, in eax, dx
	MISSES	in al, dx
	add	edx, 4
	HITS	B1, in al, dx
	HITS	B1, out dx, al
	inc	edx
	MISSES	in al, dx
	mov	edx, PORT
	mov	esi, W
	mov	edi, W
	HITS	B0, insb
	HITS	B0, outsw
	mov	dword [db_count], 0
	mov	ecx, 3
.rep:	rep	outsb
.behind:
	ASSERT	dword [db_count], 3
	SAW	0, .rep, B0, RF
	SAW	2, .behind, B0
	; memory at that address is something else
	MISSES	mov al, [PORT]
	mov	eax, cr4
	and	eax, ~CR4_DE
	mov	cr4, eax
	SET_DR	7, 0
	ret

; With single steps at once
both:	SET_DR	0, W
	SET_DR	1, .at
	SET_DR	7, L(0) | WRITE(0, 4) | L(1) | EXEC(1)
	mov	dword [run_flags], TF | 2
	mov	dword [db_rf], 1
	DEBUG	0, .snippet, 4
	SAW	0, .snippet + 1, D_BS
	SAW	1, .at, D_BS | B0
	; RF, which its handler left set, keeps the breakpoint from the instruction
	SAW	2, .at + 1, D_BS
	SAW	3, .at + 2, D_BS
	mov	dword [run_flags], 2
	mov	dword [db_rf], 0
	SET_DR	7, 0
	ret
.snippet:
	nop
	mov	[W], eax
.at:	nop
	nop
	int	BACK

detect:	xor	ecx, ecx
	mov	edx, .get
	SET_DR	7, GD
	GATE	IDT + 8 * E_DB, CODE32, AT(ring0_handler_1), 0x8e
	call	run
	ASSERT	dword [got_vector], E_DB
	ASSERT	dword [got_eip], .get
	ASSERT_SET dword [got_eflags], RF
	mov	eax, dr7		; GD is off
	ASSERT	eax, 0x400
	mov	eax, dr6
	and	eax, DR6_BITS
	ASSERT	eax, D_BD
	SET_DR	6, 0
	SET_DR	7, GD
	xor	ecx, ecx
	mov	edx, .set
	call	run
	ASSERT	dword [got_vector], E_DB
	ASSERT	dword [got_eip], .set
	SET_DR	6, 0
	SET_DR	7, GD
	mov	ecx, 3
	mov	edx, .get
	call	run
	ASSERT	dword [got_vector], E_GP
	; still set: turned off by way of the exception
	xor	ecx, ecx
	mov	edx, .get
	call	run
	ASSERT	dword [got_vector], E_DB
	call	debug_gate
	SET_DR	7, 0
	SET_DR	6, 0
	ret
.get:	mov	eax, dr0
	FAIL
.set:	mov	dr6, eax
	FAIL
