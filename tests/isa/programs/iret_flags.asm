; SPDX-License-Identifier: GPL-2.0-or-later
; Which flags POPF and IRET change: every bit, set and cleared, 16- and 32-bit, from every CPL with every IOPL, within a ring, outward and to and from V86 mode; what
; PUSHF shows; the flags that INT n saves, which are the same (SDM vol. 2, POPF, IRET; vol. 3, 2.3).
%include "programs/ring0.inc"

VIF	equ 1 << 19
VIP	equ 1 << 20
ID	equ 1 << 21
IOPL	equ 0x3000
; all but TF and RF, which have programs of their own
ALL	equ ARITH | IF | DF | IOPL | NT | AC | VIF | VIP | ID | 2
OS	equ ARITH | DF | NT

cpl	equ V
old	equ V + 4	; flags before
value	equ V + 8	; popped
bit_	equ V + 12
mask	equ V + 16	; what may change
to_cs	equ V + 28
to_ss	equ V + 32

; For values that differ from the old flags in each one bit, in all, and in none: runs the snippet and compares what flags it comes back with.
%macro BITS_ 1
	mov	dword [bit_], 1
%%bit:	mov	eax, [old]
	xor	eax, [bit_]
	and	eax, ALL
	call	%1
	mov	eax, [old]
	not	eax
	and	eax, ALL
	call	%1
	shl	dword [bit_], 1
	cmp	dword [bit_], 1 << 22
	jb	%%bit
%endmacro

; The expected flags: EBX.
%macro EXPECTED 0
	mov	ebx, [mask]
	mov	ecx, [old]
	not	ebx
	and	ecx, ebx
	not	ebx
	and	ebx, [value]
	or	ebx, ecx
	or	ebx, 2
%endmacro

; Flags before: none, all, IOPL n. EAX.
%macro OLDS 1
	mov	eax, 2 | IOPL
	call	%1
	mov	eax, 2
	call	%1
	mov	eax, ALL & ~NT
	call	%1
	mov	eax, ALL & ~NT & ~IOPL
	call	%1
	mov	eax, 0x1000 | IF | AC | 2
	call	%1
	mov	eax, 0x2000 | ID | CF | 2
	call	%1
%endmacro

RING0_PROGRAM
	mov	dword [cpl], 0
.cpl:	OLDS	rings
	inc	dword [cpl]
	cmp	dword [cpl], 4
	jb	near .cpl
	OLDS	v86
	CHECK	{esp, STACK}
	DONE

; EAX: the flags before.
rings:	mov	[old], eax
	; 32 bits: POPFD leaves VIF, VIP, VM alone; all leave IOPL to CPL 0 and IF to CPL <= IOPL
	mov	ebx, OS | AC | ID
	call	privileged
	mov	[mask], ebx
	BITS_	try_popfd
	; what CPL 0 returns with
	cmp	dword [cpl], 0
	jne	.not0
	or	dword [mask], VIF | VIP
.not0:	mov	ecx, [cpl]
.out:	mov	eax, [code_of + ecx * 4]
	mov	[to_cs], eax
	mov	eax, [data_of + ecx * 4]
	mov	[to_ss], eax
	push	ecx
	BITS_	try_iretd
	pop	ecx
	inc	ecx
	cmp	ecx, 4
	jb	near .out
	mov	ebx, OS
	call	privileged
	mov	[mask], ebx
	BITS_	try_popfw
	mov	ecx, [cpl]
.outw:	mov	eax, [code_of + ecx * 4]
	mov	[to_cs], eax
	mov	eax, [data_of + ecx * 4]
	mov	[to_ss], eax
	push	ecx
	BITS_	try_iretw
	pop	ecx
	inc	ecx
	cmp	ecx, 4
	jb	near .outw
	ret

; EBX |= IOPL at CPL 0, IF where CPL <= IOPL.
privileged:
	mov	ecx, [cpl]
	test	ecx, ecx
	jnz	.not0
	or	ebx, IOPL
.not0:	mov	eax, [old]
	shr	eax, 12
	and	eax, 3
	cmp	ecx, eax
	ja	.no
	or	ebx, IF
.no:	ret

%macro TRY_FLAGS 1
try_%1:	mov	[value], eax
	mov	eax, [old]
	mov	[run_flags], eax
	mov	eax, [value]
	mov	ecx, [cpl]
	mov	edx, %1
	call	run
	ASSERT	dword [got_vector], BACK
	EXPECTED
	ASSERT	[got_eflags], ebx
	; PUSHFD, after everything else
	mov	eax, [got_ebx]
	ASSERT	eax, ebx
	ret
%endmacro
	TRY_FLAGS popfd_
	TRY_FLAGS iretd_
	TRY_FLAGS popfw_
	TRY_FLAGS iretw_
try_popfd equ try_popfd_
try_iretd equ try_iretd_
try_popfw equ try_popfw_
try_iretw equ try_iretw_

popfd_:	push	eax
	popfd
	pushfd
	pop	ebx
	int	BACK
iretd_:	push	dword [to_ss]
	push	dword RSTACK1 - 0x100
	push	eax
	push	dword [to_cs]
	push	dword .there
	iretd
.there:	pushfd
	pop	ebx
	int	BACK
popfw_:	push	ax
	popfw
	pushfd
	pop	ebx
	int	BACK
iretw_:	push	word [to_ss]
	push	word 0x1000
	push	ax
	push	word [to_cs]
	push	word .there
	o16 iret
.there:	pushfd
	pop	ebx
	int	BACK

; To V86 mode all of EFLAGS is loaded. There, IOPL 3 needed; POPF and IRET change IF, never IOPL, VIF, VIP.
v86:	mov	[old], eax
	mov	dword [mask], ALL
	BITS_	try_to_v86
	or	dword [old], IOPL
	mov	dword [mask], OS | AC | ID | IF
	BITS_	try_v86_popfd
	BITS_	try_v86_iretd
	mov	dword [mask], OS | IF
	BITS_	try_v86_popfw
	BITS_	try_v86_iretw
	; below IOPL 3: #GP(0) from all of them, but the flags are as they were loaded
	mov	eax, [old]
	and	eax, ~IOPL
	or	eax, 0x2000
	mov	[run_flags], eax
	mov	esi, .refused
.refuse:
	push	esi
	xor	ecx, ecx
	mov	edx, [esi]
	call	run_v86
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	mov	eax, [run_flags]
	or	eax, VM | RF
	ASSERT	[got_eflags], eax
	pop	esi
	add	esi, 4
	cmp	esi, .refused_end
	jb	near .refuse
	ret
.refused: dd v86_popfd, v86_popfw, v86_iretd, v86_iretw, v86_pushfd, v86_pushfw, v86_cli, v86_sti
.refused_end:

%macro TRY_V86 1
try_%1:	mov	[value], eax
	mov	eax, [old]
	mov	[run_flags], eax
	mov	eax, [value]
	xor	ecx, ecx
	mov	edx, %1
	call	run_v86
	ASSERT	dword [got_vector], BACK
	EXPECTED
	or	ebx, VM
	ASSERT	[got_eflags], ebx
	ASSERT_CLEAR dword [got_flags], VM | NT | TF | IF
	ret
%endmacro
try_to_v86:
	mov	[value], eax
	mov	[run_flags], eax
	or	dword [run_flags], IOPL
	xor	ecx, ecx
	mov	edx, v86_back
	call	run_v86
	ASSERT	dword [got_vector], BACK
	mov	eax, [run_flags]
	or	eax, VM | 2
	ASSERT	[got_eflags], eax
	ASSERT	dword [got_cs], 0
	ASSERT	dword [got_esp], STACK0 - 36
	ret
	TRY_V86	v86_popfd
	TRY_V86	v86_popfw
	TRY_V86	v86_iretd
	TRY_V86	v86_iretw
	bits 16
v86_popfd:
	push	eax
	popfd
v86_back:
	int	BACK
v86_popfw:
	push	ax
	popf
	int	BACK
v86_iretd:
	push	eax
	push	dword 0
	push	dword v86_back
	iretd
v86_iretw:
	push	ax
	push	word 0
	push	word v86_back
	iret
v86_pushfd:
	pushfd
	int	BACK
v86_pushfw:
	pushf
	int	BACK
v86_cli:
	cli
	int	BACK
v86_sti:
	sti
	int	BACK
	bits 32
