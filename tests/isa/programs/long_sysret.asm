; SPDX-License-Identifier: GPL-2.0-or-later
; SYSRET to addresses by which, or by copies of which, the code before it has accessed memory, moved by constants since: over the end of what is canonical, and into other 4 GiB.
%include "programs/long.inc"

T	equ TABLES
TOP	equ 0x800000000000
USER	equ 0x200		; STAR: CS and SS of ring 3 from here on

; From where, through, it ends as, there
%macro RETURNS 4
	mov	r11d, 2
	mov	rcx, %2
	mov	rdx, %1
	call	run
	ASSERT	qword [got_vector], %3
	mov	rax, %4
	ASSERT	[got_rip], rax
%endmacro

LONG_PROGRAM
	mov	qword [PML4 + 255 * 8], (T + 0x1000)|P|W|U
	mov	qword [T + 0x1000 + 511 * 8], (T + 0x2000)|P|W|U
	mov	qword [T + 0x2000 + 511 * 8], (T + 0x3000)|P|W|U
	mov	qword [T + 0x3000 + 511 * 8], FRAMES|P|W|U
	mov	qword [PDPT + 4 * 8], (T + 0x4000)|P|W|U
	mov	qword [PDPT + 7 * 8], (T + 0x4000)|P|W|U
	mov	qword [T + 0x4000], (T + 0x5000)|P|W|U
	mov	qword [T + 0x4000 + 511 * 8], (T + 0x5000)|P|W|U
	mov	qword [T + 0x5000], FRAMES|P|W|U
	mov	qword [T + 0x5000 + 511 * 8], FRAMES|P|W|U
	mov	dword [FRAMES + 8], 0xcd | BACK << 8
	mov	rax, cr3
	mov	cr3, rax
	GET_MSR	EFER
	or	eax, EFER_SCE
	wrmsr
	DESCRIPTOR USER + 8, 0, 0xfffff, 0xf3, 0xc
	DESCRIPTOR USER + 16, 0, 0xfffff, 0xfb, 0xa
	SET_MSR	STAR, (USER | 3) << 48 | CODE64 << 32
	mov	r9d, 5
.round:
	RETURNS	little, TOP - 0x1000, BACK, TOP - 0x1000 + 10
	RETURNS	little, 0x1_0000_0000, BACK, 0x1_0000_000a
	RETURNS	little, 0x1_ffff_f000, BACK, 0x1_ffff_f00a
	RETURNS	little, FRAMES, BACK, FRAMES + 10
	RETURNS	much, 0x1_ffff_f000, E_PF, 0x2_0007_f000
	RETURNS	much, 0x1_0000_0000, E_PF, 0x1_0008_0000
	RETURNS	much, FRAMES - 0x80000 + 8, BACK, FRAMES + 10
	RETURNS	little, TOP - 8, E_GP, little.sysret
	ASSERT	word [got_cs], CODE64
	mov	rax, TOP
	ASSERT	[got_rcx], rax
	RETURNS	much, TOP - 0x1000, E_GP, much.sysret
	ASSERT	word [got_cs], CODE64
	dec	r9d
	jnz	.round
	CHECK	{esp, STACK}
	DONE

little:	mov	rax, [rcx]
	add	rcx, 8
.sysret:
	o64 sysret
much:	mov	rax, [rcx]
	add	rcx, 0x80000
.sysret:
	o64 sysret
