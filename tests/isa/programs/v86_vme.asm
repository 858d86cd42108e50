; SPDX-License-Identifier: GPL-2.0-or-later
; Virtual-8086 mode with CR4.VME: INT n by the redirection bit map with every IOPL, VIF and VIP in CLI, STI, PUSHF, POPF and IRET; CR4.PVI in protected mode; gates that V86
; mode cannot use (SDM vol. 3, 20.2, 20.3, 20.4).
%include "programs/ring0.inc"

VIF	equ 1 << 19
VIP	equ 1 << 20
IOPL0	equ 0
IOPL2	equ 0x2000
IOPL3	equ 0x3000
CR4_VME	equ 1
CR4_PVI	equ 2
IOMAP	equ 0x88		; in the TSS; the bit map of interrupts is before it
MAP	equ TSS_ + IOMAP - 32
VECTOR	equ 0x45
flags	equ 0x7e00	; below 64 KiB, for V86 mode

; Runs a snippet with these flags; it ends with #GP(0) at a label: HLT, or what is not allowed. What it left in EFLAGS but RF.
%macro GP_AT 4	; flags, snippet, label, flags then
	mov	dword [run_flags], (%1) | 2
	xor	ecx, ecx
	mov	edx, %2
	call	run_v86
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	ASSERT	dword [got_eip], %3
	ASSERT	dword [got_eflags], (%4) | RF | VM | 2
%endmacro

RING0_PROGRAM
	mov	word [TSS_ + 0x66], IOMAP
	mov	eax, cr4
	or	eax, CR4_VME
	mov	cr4, eax
	mov	word [VECTOR * 4], handler
	mov	word [VECTOR * 4 + 2], 0
	mov	byte [.rounds], 5
.round:	call	interrupts
	call	flags_
	call	gates
	call	pvi
	dec	byte [.rounds]
	jnz	.round
	CHECK	{esp, STACK}
	DONE
.rounds: db 0

interrupts:
	; bit clear: the 8086 program's own handler, whatever IOPL is. Below 3, VIF is pushed as IF, with IOPL 3, and cleared instead of IF.
	mov	byte [MAP + VECTOR / 8], ~(1 << VECTOR % 8) & 0xff
	GP_AT	IOPL0 | VIF | CF | IF, int_n, handler, IOPL0 | CF | IF
	call	.frame
	ASSERT	word [RSTACK_V86 - 2], CF | IF | IOPL3 | 2
	GP_AT	IOPL2 | IF | ZF, int_n, handler, IOPL2 | IF | ZF
	call	.frame
	ASSERT	word [RSTACK_V86 - 2], ZF | IOPL3 | 2
	GP_AT	IOPL2 | VIF | VIP | NT | AC, int_n, handler, IOPL2 | VIP | NT | AC
	call	.frame
	ASSERT	word [RSTACK_V86 - 2], IF | NT | IOPL3 | 2
	GP_AT	IOPL3 | IF | VIF, int_n, handler, IOPL3 | VIF
	call	.frame
	ASSERT	word [RSTACK_V86 - 2], IF | IOPL3 | 2
	GP_AT	IOPL3 | VIF, int_n, handler, IOPL3 | VIF
	call	.frame
	ASSERT	word [RSTACK_V86 - 2], IOPL3 | 2
	; and back by its IRET
	mov	word [VECTOR * 4], returns
	GP_AT	IOPL0 | VIF, int_n, int_n.after, IOPL0 | VIF
	GP_AT	IOPL0, int_n, int_n.after, IOPL0
	GP_AT	IOPL3 | IF, int_n, int_n.after, IOPL3 | IF
	mov	word [VECTOR * 4], handler
	; to another segment
	mov	word [VECTOR * 4], handler - 0x7000
	mov	word [VECTOR * 4 + 2], 0x700
	GP_AT	IOPL0, int_n, handler - 0x7000, IOPL0
	ASSERT	dword [got_cs], 0x700
	mov	dword [VECTOR * 4], handler
	; SP wraps between words, not within one
	GP_AT	IOPL0, sp_2, handler, IOPL0
	ASSERT	word [got_esp0], 0xfffc
	mov	dword [run_flags], 2
	xor	ecx, ecx
	mov	edx, sp_1
	call	run_v86
	ASSERT	dword [got_vector], E_SS
	ASSERT	dword [got_error], 0
	ASSERT	word [got_esp0], 1
	; INT 3 of two bytes is redirected, INT3 of one never is
	mov	word [3 * 4], handler
	GP_AT	IOPL0, int_3, handler, IOPL0
	mov	byte [IDT + 8 * E_BP + 5], 0xee
	mov	dword [run_flags], 2
	xor	ecx, ecx
	mov	edx, int3_
	call	run_v86
	ASSERT	dword [got_vector], E_BP
	ASSERT	dword [got_eip], int3_ + 1
	; bit set: #GP below IOPL 3, with IOPL 3 the gate
	mov	byte [MAP + VECTOR / 8], 1 << VECTOR % 8
	GP_AT	IOPL0 | VIF, int_n, int_n.int, IOPL0 | VIF
	GP_AT	IOPL2 | IF, int_n, int_n.int, IOPL2 | IF
	mov	dword [run_flags], IOPL3 | IF | VIF | 2
	xor	ecx, ecx
	mov	edx, int_n
	call	run_v86
	ASSERT	dword [got_vector], VECTOR
	ASSERT	dword [got_eip], int_n.after
	ASSERT	dword [got_eflags], IOPL3 | IF | VIF | VM | 2
	; each bit is that of its own vector
	mov	byte [MAP + VECTOR / 8], ~(1 << VECTOR % 8) & 0xff
	GP_AT	IOPL0, int_46, int_46, IOPL0
	GP_AT	IOPL0, int_n, handler, IOPL0
	mov	byte [MAP + VECTOR / 8], 0
	; without VME, IOPL 3: the gate, IOPL 0: #GP
	mov	eax, cr4
	and	eax, ~CR4_VME
	mov	cr4, eax
	GP_AT	IOPL0 | VIF, int_n, int_n.int, IOPL0 | VIF
	mov	dword [run_flags], IOPL3 | 2
	xor	ecx, ecx
	mov	edx, int_n
	call	run_v86
	ASSERT	dword [got_vector], VECTOR
	mov	eax, cr4
	or	eax, CR4_VME
	mov	cr4, eax
	GP_AT	IOPL0, int_n, handler, IOPL0
	; an interrupt from outside is the monitor's
	mov	dword [run_flags], IF | 2
	xor	ecx, ecx
	mov	edx, irq
	call	run_v86
	ASSERT	dword [got_vector], VECTOR
	ASSERT	dword [got_eip], irq.after
	ret
.frame:	ASSERT	word [got_esp0], RSTACK_V86 - 6
	ASSERT	word [RSTACK_V86 - 4], 0
	ASSERT	word [RSTACK_V86 - 6], int_n.after
	ret

flags_:	; CLI and STI
	GP_AT	IOPL0 | VIF | IF, cli_, cli_.after, IOPL0 | IF
	GP_AT	IOPL2 | IF, cli_, cli_.after, IOPL2 | IF
	GP_AT	IOPL0, sti_, sti_.after, IOPL0 | VIF
	GP_AT	IOPL0 | VIP, cli_, cli_.after, IOPL0 | VIP
	GP_AT	IOPL0 | VIP, sti_, sti_, IOPL0 | VIP
	GP_AT	IOPL2 | VIP | IF, sti_, sti_, IOPL2 | VIP | IF
	GP_AT	IOPL3 | VIP, sti_, sti_.after, IOPL3 | VIP | IF
	GP_AT	IOPL3 | IF | VIF, cli_, cli_.after, IOPL3 | VIF
	; PUSHF
	GP_AT	IOPL0 | VIF, pushf_, pushf_.after, IOPL0 | VIF
	ASSERT	word [RSTACK_V86 - 2], IOPL3 | IF | 2
	GP_AT	IOPL2 | IF | CF, pushf_, pushf_.after, IOPL2 | IF | CF
	ASSERT	word [RSTACK_V86 - 2], IOPL3 | CF | 2
	GP_AT	IOPL3 | IF | CF, pushf_, pushf_.after, IOPL3 | IF | CF
	ASSERT	word [RSTACK_V86 - 2], IOPL3 | IF | CF | 2
	GP_AT	IOPL0 | VIF, pushfd_, pushfd_, IOPL0 | VIF
	GP_AT	IOPL2, pushfd_, pushfd_, IOPL2
	GP_AT	IOPL3 | VIF | AC, pushfd_, pushfd_.after, IOPL3 | VIF | AC
	ASSERT	dword [RSTACK_V86 - 4], IOPL3 | VIF | AC | 2	; VM is not shown
	; POPF: IF goes to VIF; with VIP, or with TF, #GP
	mov	dword [flags], IF | CF
	GP_AT	IOPL0, popf_, popf_.after, IOPL0 | VIF | CF
	GP_AT	IOPL2 | IF | VIF, popf_, popf_.after, IOPL2 | IF | VIF | CF
	GP_AT	IOPL0 | VIP, popf_, popf_.popf, IOPL0 | VIP
	ASSERT	word [got_esp0], RSTACK_V86 - 2
	GP_AT	IOPL3 | VIP, popf_, popf_.after, IOPL3 | VIP | IF | CF
	mov	dword [flags], IOPL3 | NT
	GP_AT	IOPL0 | VIF | IF, popf_, popf_.after, IOPL0 | IF | NT
	GP_AT	IOPL2 | VIP | VIF, popf_, popf_.after, IOPL2 | VIP | NT
	mov	dword [flags], TF
	GP_AT	IOPL0 | VIF, popf_, popf_.popf, IOPL0 | VIF
	mov	dword [flags], IF
	GP_AT	IOPL0, popfd_, popfd_.popf, IOPL0
	; IRET
	mov	dword [flags], IF | CF
	GP_AT	IOPL0, iret_, iret_.after, IOPL0 | VIF | CF
	GP_AT	IOPL2 | VIP, iret_, iret_.iret, IOPL2 | VIP
	ASSERT	word [got_esp0], RSTACK_V86 - 6
	GP_AT	IOPL3 | VIP | VIF, iret_, iret_.after, IOPL3 | VIP | VIF | IF | CF
	mov	dword [flags], IOPL3 | DF
	GP_AT	IOPL0 | VIF | IF, iret_, iret_.after, IOPL0 | IF | DF
	mov	dword [flags], TF | IF
	GP_AT	IOPL0, iret_, iret_.iret, IOPL0
	mov	dword [flags], IF
	GP_AT	IOPL0, iretd_, iretd_.iret, IOPL0
	GP_AT	IOPL2 | VIF, iretd_, iretd_.iret, IOPL2 | VIF
	GP_AT	IOPL3, iretd_, iretd_.after, IOPL3 | IF
	ret

; From V86 mode an interrupt must come to ring 0.
gates:	mov	byte [MAP + VECTOR / 8], 0xff
	GATE	IDT + 8 * VECTOR, CODE32_1, AT(v86_cli_code), 0xee
	call	.try
	ASSERT	dword [got_error], CODE32_1 & ~3
	GATE	IDT + 8 * VECTOR, X, AT(v86_cli_code), 0xee
	mov	al, 0x9f		; conforming
	call	describe_x
	call	.try
	ASSERT	dword [got_error], X
	mov	al, 0xff
	call	describe_x
	call	.try
	ASSERT	dword [got_error], X
	call	reset_idt
	mov	byte [IDT + 8 * VECTOR + 5], 0x8e
	call	.try
	ASSERT	dword [got_error], VECTOR * 8 + 2
	; a 16-bit gate: words, among them those of the segment registers
	mov	byte [IDT + 8 * VECTOR + 5], 0xe6
	mov	dword [run_flags], IOPL3 | IF | 2
	mov	ecx, 0
	mov	edx, loads
	call	run_v86
	ASSERT	dword [got_vector], VECTOR
	ASSERT	dword [got_esp], STACK0 - 18
	ASSERT	word [got_frame], loads.after
	ASSERT	word [got_frame + 4], IOPL3 | IF | 2
	ASSERT	word [got_frame + 6], RSTACK_V86
	ASSERT	word [got_frame + 10], 0x1001
	ASSERT	word [got_frame + 12], 0x1002
	ASSERT	word [got_frame + 14], 0x1003
	ASSERT	word [got_frame + 16], 0x1004
	ASSERT	word [got_es], 0
	ASSERT	word [got_ds], 0
	call	reset_idt
	mov	ecx, 0
	mov	edx, loads
	call	run_v86
	ASSERT	dword [got_esp], STACK0 - 36
	ASSERT	dword [got_v86], 0x1001
	ASSERT	dword [got_v86 + 4], 0x1002
	ASSERT	dword [got_v86 + 8], 0x1003
	ASSERT	dword [got_v86 + 12], 0x1004
	ret
.try:	mov	dword [run_flags], IOPL3 | 2
	xor	ecx, ecx
	mov	edx, int_n
	call	run_v86
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_eip], int_n.int
	ret

; CLI and STI of ring 3 in protected mode.
%macro PVI_CASE 5	; ring, flags, snippet, vector, flags then
	mov	dword [run_flags], (%2) | 2
	mov	ecx, %1
	mov	edx, %3
	call	run
	ASSERT	dword [got_vector], %4
	mov	eax, [got_eflags]
	and	eax, ~RF
	ASSERT	eax, (%5) | 2
%endmacro
pvi:	PVI_CASE 3, IOPL0, cli32, E_GP, IOPL0
	PVI_CASE 3, IOPL0, sti32, E_GP, IOPL0
	mov	eax, cr4
	or	eax, CR4_PVI
	mov	cr4, eax
	PVI_CASE 3, IOPL0 | VIF | IF, cli32, BACK, IOPL0 | IF
	PVI_CASE 3, IOPL2, sti32, BACK, IOPL2 | VIF
	PVI_CASE 3, IOPL2 | VIP, sti32, E_GP, IOPL2 | VIP
	PVI_CASE 3, IOPL2 | VIP | VIF, cli32, BACK, IOPL2 | VIP
	PVI_CASE 3, IOPL3 | VIP, sti32, BACK, IOPL3 | VIP | IF
	PVI_CASE 3, IOPL3 | IF | VIF, cli32, BACK, IOPL3 | VIF
	; PUSHF and POPF are not touched by it, nor are the other rings
	PVI_CASE 3, IOPL0 | VIF, popf32, BACK, IOPL0 | VIF
	ASSERT	dword [got_eax], VIF | 2
	PVI_CASE 2, IOPL0 | VIF, cli32, E_GP, IOPL0 | VIF
	PVI_CASE 1, IOPL0, sti32, E_GP, IOPL0
	PVI_CASE 2, IOPL2, sti32, BACK, IOPL2 | IF
	PVI_CASE 0, VIF, sti32, BACK, VIF | IF
	PVI_CASE 0, VIF | VIP | IF, cli32, BACK, VIF | VIP
	mov	eax, cr4
	and	eax, ~CR4_PVI
	mov	cr4, eax
	ret
cli32:	cli
	int	BACK
sti32:	sti
	int	BACK
popf32:	pushfd
	mov	eax, [esp]
	or	dword [esp], IF
	popfd
	int	BACK
v86_cli_code:
	FAIL
	bits 16
int_n:	nop
.int:	int	VECTOR
.after:	hlt
int_46:	int	0x46
int_3:	db 0xcd, 3
	hlt
int3_:	int3
	hlt
sp_2:	mov	sp, 2
	int	VECTOR
	hlt
sp_1:	mov	sp, 1
	int	VECTOR
	hlt
handler: hlt
returns: iret
irq:	mov	al, VECTOR
	out	P_IRQ, al
.after:	hlt
cli_:	cli
.after:	hlt
sti_:	sti
.after:	hlt
pushf_:	pushf
.after:	hlt
pushfd_: pushfd
.after:	hlt
popf_:	push	word [flags]
.popf:	popf
.after:	hlt
popfd_:	push	dword [flags]
.popf:	popfd
.after:	hlt
iret_:	push	word [flags]
	push	cs
	push	word .after
.iret:	iret
.after:	hlt
iretd_:	push	dword [flags]
	push	dword 0
	push	dword .after
.iret:	iretd
.after:	hlt
loads:	mov	ax, 0x1001
	mov	es, ax
	inc	ax
	mov	ds, ax
	inc	ax
	mov	fs, ax
	inc	ax
	mov	gs, ax
	int	VECTOR
.after:	hlt
	bits 32
