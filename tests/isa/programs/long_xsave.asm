; SPDX-License-Identifier: GPL-2.0-or-later
; XSAVE, XSAVEOPT, XSAVEC, XRSTOR of x87 and SSE state, XSETBV and XGETBV (SDM vol. 1, 13).
%include "programs/long.inc"

CR4_OSXSAVE equ 1 << 18
AREA	equ 0x21000		; areas, 64-byte aligned
BV	equ AREA + 512		; XSTATE_BV
COMP	equ AREA + 520
FILL	equ 0x5a5a5a5a

; the area holds FILL, its header zeros
%macro CLEAR 0
	mov	edi, AREA
	mov	eax, FILL
	mov	ecx, 128
	rep	stosd
	xor	eax, eax
	mov	ecx, 32
	rep	stosd
%endmacro

; in RDX:RAX, for what follows in this ring
%macro MASK 1
	mov	eax, %1
	xor	edx, edx
%endmacro

; instruction; mask in EAX, as RDX is lost on the way: the upper half is zeros
%macro RAISES_M 4+
	jmp	%%over
%%at:	mov	eax, %3
	xor	edx, edx
%%insn:	%4
	int	BACK
%%over:	mov	rdx, %%at
	call	run
	ASSERT	qword [got_vector], %1
	ASSERT	qword [got_error], %2
	ASSERT	qword [got_rip], %%insn
%endmacro

%macro WORKS_M 2+
	jmp	%%over
%%at:	mov	eax, %1
	xor	edx, edx
	%2
	int	BACK
%%over:	mov	rdx, %%at
	call	run
	ASSERT	qword [got_vector], BACK
%endmacro

%macro SET_STATE 0
	fninit
	fld1
	fldpi
	movdqu	xmm0, [data]
	movdqu	xmm15, [data + 16]
	mov	dword [V], 0x3f80
	ldmxcsr	[V]
%endmacro

LONG_PROGRAM
	; not switched on
	RAISES_M E_UD, NOERR, 3, xsave [AREA]
	RAISES_M E_UD, NOERR, 3, xrstor [AREA]
	RAISES_M E_UD, NOERR, 3, xsetbv
	mov	eax, 1
	cpuid
	bt	ecx, 27
	jnc	.off
	FAIL
.off:	mov	rax, cr4
	or	rax, CR4_OSXSAVE
	mov	cr4, rax
	mov	eax, 1
	cpuid
	bt	ecx, 27
	jc	.on
	FAIL
.on:	; XCR0
	xor	ecx, ecx
	xgetbv
	ASSERT	eax, 1
	ASSERT	edx, 0
	xor	ecx, ecx
	RAISES_M E_GP, 0, 2, xsetbv	; x87 always
	xor	ecx, ecx
	RAISES_M E_GP, 0, 0, xsetbv
	xor	ecx, ecx
	RAISES_M E_GP, 0, 0x80000003, xsetbv
	xor	ecx, ecx
	RAISES_M E_GP, 0, 5, xsetbv	; AVX without SSE
	mov	ecx, 1
	RAISES_M E_GP, 0, 3, xsetbv
	IN	CODE64_3, DATA32_3
	xor	ecx, ecx
	RAISES_M E_GP, 0, 3, xsetbv
	IN	CODE64, DATA32
	xor	ecx, ecx
	MASK	3
	xsetbv
	xor	ecx, ecx
	xgetbv
	ASSERT	eax, 3
	mov	eax, 13
	xor	ecx, ecx
	cpuid
	or	eax, 0xe4		; AVX, AVX-512: see avx.asm, long_avx512.asm
	ASSERT	eax, 0xe7
	ASSERT	ebx, 576
	; #NM, alignment, addresses
	mov	rax, cr0
	bts	rax, 3
	mov	cr0, rax
	RAISES_M E_NM, NOERR, 3, xsave [AREA]
	RAISES_M E_NM, NOERR, 3, xrstor [AREA]
	clts
	RAISES_M E_GP, 0, 3, xsave [AREA + 32]
	RAISES_M E_GP, 0, 3, xrstor [AREA + 8]
	mov	rbx, 0x800000000000
	RAISES_M E_GP, 0, 3, xsave [rbx]
	; all of it
	SET_STATE
	CLEAR
	MASK	-1
	xsave64	[AREA]
	ASSERT	qword [BV], 3
	ASSERT	qword [COMP], 0
	ASSERT	word [AREA], 0x37f
	ASSERT	byte [AREA + 4], 0xc0
	ASSERT	dword [AREA + 24], 0x3f80
	ASSERT	word [AREA + 32 + 8], 0x4000	; pi's exponent
	ASSERT	word [AREA + 48 + 8], 0x3fff
	ASSERT	dword [AREA + 160], 0x03020100
	ASSERT	dword [AREA + 160 + 15 * 16], 0x13121110
	ASSERT	dword [AREA + 416], FILL
	ASSERT	dword [AREA + 508], FILL
	; and back
	fninit
	pxor	xmm0, xmm0
	pxor	xmm15, xmm15
	mov	dword [V], 0x1f80
	ldmxcsr	[V]
	MASK	-1
	xrstor64 [AREA]
	fstp	qword [V]
	mov	rax, 0x400921fb54442d18
	ASSERT	[V], rax
	movq	rax, xmm15
	mov	rbx, [data + 16]
	ASSERT	rax, rbx
	stmxcsr	[V]
	ASSERT	dword [V], 0x3f80
	; parts: the rest of memory, header bits and state stay
	SET_STATE
	CLEAR
	mov	qword [BV], 2
	MASK	1
	xsave	[AREA]
	ASSERT	qword [BV], 3
	ASSERT	dword [AREA + 160], FILL
	ASSERT	dword [AREA + 24], FILL
	ASSERT	word [AREA], 0x37f
	CLEAR
	MASK	2
	xsave	[AREA]
	ASSERT	qword [BV], 2
	ASSERT	word [AREA], FILL & 0xffff
	ASSERT	dword [AREA + 24], 0x3f80
	pxor	xmm0, xmm0
	MASK	1
	xrstor	[AREA]			; x87 is not there: initialised. SSE is not asked for
	movq	rax, xmm0
	ASSERT	rax, 0
	fnstcw	[V]
	ASSERT	word [V], 0x37f
	fnstsw	ax
	ASSERT	ax, 0
	MASK	2
	xrstor	[AREA]
	movq	rax, xmm0
	mov	rbx, [data]
	ASSERT	rax, rbx
	; MXCSR of the standard form counts whether SSE state is there or not
	mov	qword [BV], 0
	mov	dword [AREA + 24], 0x5f80
	MASK	2
	xrstor	[AREA]
	stmxcsr	[V]
	ASSERT	dword [V], 0x5f80
	movq	rax, xmm0
	ASSERT	rax, 0
	mov	dword [AREA + 24], 0x10000000
	RAISES_M E_GP, 0, 2, xrstor [AREA]
	WORKS_M	1, xrstor [AREA]
	mov	dword [AREA + 24], 0x1f80
	; the header
	mov	qword [BV], 4
	RAISES_M E_GP, 0, 3, xrstor [AREA]
	mov	qword [BV], 3
	mov	qword [COMP], 1
	RAISES_M E_GP, 0, 3, xrstor [AREA]
	mov	qword [COMP], 0
	mov	byte [COMP + 15], 1
	RAISES_M E_GP, 0, 3, xrstor [AREA]
	mov	byte [COMP + 15], 0
	mov	byte [COMP + 30], 1	; ignored in the standard form
	WORKS_M	3, xrstor [AREA]
	mov	byte [COMP + 30], 0
	; XSAVEC: a header of its own, compacted
	SET_STATE
	CLEAR
	mov	byte [COMP + 30], 0x77
	MASK	3
	xsavec	[AREA]
	ASSERT	qword [BV], 3
	mov	rax, (1 << 63) | 3
	ASSERT	[COMP], rax
	ASSERT	byte [COMP + 30], 0
	fninit
	pxor	xmm0, xmm0
	MASK	3
	xrstor	[AREA]
	movq	rax, xmm0
	mov	rbx, [data]
	ASSERT	rax, rbx
	; what it names must be in XCR0, what is there must be named
	mov	rax, (1 << 63) | 7
	mov	[COMP], rax
	RAISES_M E_GP, 0, 3, xrstor [AREA]
	mov	rax, (1 << 63) | 1
	mov	[COMP], rax
	RAISES_M E_GP, 0, 3, xrstor [AREA]
	mov	qword [BV], 1
	mov	byte [COMP + 30], 1
	RAISES_M E_GP, 0, 3, xrstor [AREA]
	mov	byte [COMP + 30], 0
	MASK	3
	xrstor	[AREA]			; MXCSR is initialised with SSE state
	stmxcsr	[V]
	ASSERT	dword [V], 0x1f80
	; XSAVEOPT: as XSAVE
	SET_STATE
	CLEAR
	MASK	3
	xsaveopt [AREA]
	ASSERT	qword [BV], 3
	ASSERT	dword [AREA + 160], 0x03020100
	; compatibility mode: XMM0 to 7
	CLEAR
	IN	CODE32_3, DATA32_3
	mov	rdx, .save32
	mov	eax, DATA32_3
	mov	ds, ax
	call	run
	ASSERT	qword [got_vector], BACK
	ASSERT	dword [AREA + 160], 0x03020100
	ASSERT	dword [AREA + 160 + 15 * 16], FILL
	IN	CODE64, DATA32
	CHECK	{esp, STACK}
	DONE
	bits	32
.save32:
	mov	eax, 3
	xor	edx, edx
	xsave	[AREA]
	int	BACK
	bits	64

	align	16
data:
%assign i 0
%rep 32
	db	i
%assign i i + 1
%endrep
