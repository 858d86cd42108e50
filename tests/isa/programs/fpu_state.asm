; SPDX-License-Identifier: GPL-2.0-or-later
; x87 and SSE state in memory: FNSTENV, FLDENV, FNSAVE, FRSTOR in both protected-mode formats, FXSAVE and FXRSTOR, tags, MXCSR; then every exception unmasked, one by one, x87
; and SSE: which are noticed before, which after the result is stored (SDM vol. 1, 8.1.10, 8.4-8.7, 10.5, 11.5).
%include "isa.inc"
E	equ 0xa000	; environment
S	equ 0xa100	; state
FX	equ 0xa200
M	equ 0xa500

; Adds the exceptions of one x87 instruction that is the first with a pending one.
%macro PENDING 1	; bits of FSW beside ES and B
	FAULTS_PART E_MF, NOERR, fwait
	fnstsw	ax
	and	eax, 0x80bf
	CHECK	{eax, 0x8080 | (%1)}
	fnclex
%endmacro

%macro UNMASK 1
	fninit
	mov	word [M], 0x37f & ~(%1)
	fldcw	[M]
%endmacro

PROGRAM PM32
	mov	edi, E
	mov	ecx, 0x180
	mov	eax, 0xdddddddd
	rep	stosd
	; tags: empty 3, valid 0, zero 1, special 2; TOP 4
	fninit
	fld1
	fldz
	fld	tword [infinity]
	fld	tword [denormal]
	fnstenv	[E]
	fninit
	CHECK	{mem32, E, 0xffff037f}, {mem32, E + 4, 0xffff2000}, {mem32, E + 8, 0xffff1aff}
	CHECK	{mem16, E + 16, 0}
	fninit
	fld1
	fldz
	fld	tword [infinity]
	fld	tword [denormal]
	o16 fnstenv [E + 0x40]
	CHECK	{mem16, E + 0x40, 0x37f}, {mem16, E + 0x42, 0x2000}, {mem16, E + 0x44, 0x1aff}, {mem16, E + 0x4e, 0xdddd}
	; FNSAVE: registers in the order of the stack, then as FNINIT
	fnsave	[S]
	CHECK	{fcw, 0x37f}, {fsw, 0}, {ftw, 0}, {mem32, S + 4, 0xffff2000}, {mem32, S + 8, 0xffff1aff}
	CHECK	{mem32, S + 28, 0x00001234}, {mem32, S + 28 + 4, 0}, {mem16, S + 28 + 8, 0}
	CHECK	{mem32, S + 38 + 4, 0x80000000}, {mem16, S + 38 + 8, 0x7fff}, {mem16, S + 48 + 8, 0}, {mem16, S + 58 + 8, 0x3fff}, {mem32, S + 108, 0xdddddddd}
	; and back: tags are made from what is in the registers
	frstor	[S]
	CHECK	{fsw, 0x2000}, {ftw, 0xf0}
	fxsave	[FX]
	CHECK	{mem16, FX + 2, 0x2000}, {mem8, FX + 4, 0xf0}, {mem32, FX + 32, 0x1234}, {mem16, FX + 48 + 8, 0x7fff}
	o16 fnsave [S]
	CHECK	{mem16, S, 0x37f}, {mem16, S + 2, 0x2000}, {mem16, S + 4, 0x1aff}, {mem32, S + 14, 0x1234}, {mem16, S + 24 + 8, 0x7fff}
	o16 frstor [S]
	fnstenv	[E]
	CHECK	{mem32, E + 8, 0xffff1aff}
	; a tag word that calls registers valid: only empty or not is kept of it
	mov	dword [E + 8], 0xffff00ff
	fldenv	[E]
	fnstenv	[E + 0x40]
	CHECK	{mem32, E + 0x48, 0xffff1aff}
	mov	dword [E + 8], 0xffff3fff
	fldenv	[E]
	fnstenv	[E + 0x40]
	CHECK	{mem32, E + 0x48, 0xffff3fff}, {ftw, 0x80}
	; FLDENV with another TOP, control word, and an exception that is pending then
	mov	dword [E], 0xffff027a
	mov	dword [E + 4], 0xffff3805
	mov	dword [E + 8], 0xffff0000
	fldenv	[E]
	FAULTS_PART E_MF, NOERR, fld1
	fnstsw	ax
	CHECK	{ax, 0xb885}, {fcw, 0x27a}, {ftw, 0xff}
	fnclex
	fnstsw	ax
	CHECK	{ax, 0x3800}
	; pointers are offsets, whatever the segment's base; selectors are not kept
	mov	ax, BASED_4G
	mov	fs, ax
	UNMASK	4
	fld1
.at:	fdiv	dword [fs:M]
	fnstenv	[E]
	fninit
	CHECK	{mem32, E + 12, .at}, {mem32, E + 16, 0x00350000}, {mem32, E + 20, M}, {mem32, E + 24, 0xffff0000}
	; the frames' size and what of them FXSAVE leaves alone
	fninit
	fxrstor	[FX]
	mov	edi, FX
	mov	ecx, 0x80
	mov	eax, 0xdddddddd
	rep	stosd
	fxsave	[FX]
	CHECK	{mem32, FX + 464, 0xdddddddd}, {mem32, FX + 508, 0xdddddddd}, {mem8, FX + 5, 0}, {mem32, FX + 24, 0x1f80}
	; MXCSR_MASK (bit 17 is AMD's): bits outside of it are refused, and nothing is loaded
	mov	eax, [FX + 28]
	and	eax, 0xffff
	or	eax, 0xffbf
	CHECK	{eax, 0xffff}
	mov	word [FX], 0x27f
	mov	dword [FX + 24], 0x00011f80
	FAULTS	E_GP, 0, fxrstor [FX]
	CHECK	{fcw, 0x37f}, {mxcsr, 0x1f80}
	mov	dword [FX + 24], 0x80001f80
	FAULTS	E_GP, 0, fxrstor [FX]
	mov	dword [FX + 24], 0x00009fbf
	mov	eax, [FX + 28]
	test	al, 0x40
	jnz	.daz
	and	byte [FX + 24], ~0x40
.daz:	fxrstor	[FX]
	CHECK	{fcw, 0x27f}
	stmxcsr	[M]
	mov	eax, [FX + 24]
	sub	eax, [M]
	CHECK	{eax, 0}
	mov	dword [M], 0x1f80
	ldmxcsr	[M]
	mov	dword [M], 0x10000
	FAULTS	E_GP, 0, ldmxcsr [M]
	; x87 exceptions. Invalid, divide by zero, denormal: nothing is stored or popped
	mov	ebp, 3
.round:	UNMASK	1
	fldz
	fdiv	st0, st0
	PENDING	1
	CHECK	{ftw, 0x80}
	fstp	dword [M + 8]
	CHECK	{mem32, M + 8, 0}
	UNMASK	1
	fstp	dword [M + 8]		; empty
	PENDING	1
	CHECK	{mem32, M + 8, 0}
	UNMASK	4
	fld1
	fdiv	dword [zero]
	PENDING	4
	fstp	dword [M + 8]
	CHECK	{mem32, M + 8, 0x3f800000}
	UNMASK	2
	fld1
	fadd	dword [small]
	PENDING	2
	fstp	dword [M + 8]
	CHECK	{mem32, M + 8, 0x3f800000}
	; overflow and underflow to memory: not stored, not popped; to a register: stored, with another exponent
	UNMASK	8
	fld	tword [huge]
	mov	dword [M + 8], 0x77777777
	fstp	dword [M + 8]
	PENDING	8
	CHECK	{mem32, M + 8, 0x77777777}, {ftw, 0x80}
	UNMASK	8
	fld	tword [huge]
	fmul	st0, st0
	PENDING	8
	UNMASK	0x10
	fld	tword [tiny]
	mov	dword [M + 8], 0x77777777
	fstp	dword [M + 8]
	PENDING	0x10
	CHECK	{mem32, M + 8, 0x77777777}, {ftw, 0x80}
	; precision: stored and popped all the same
	UNMASK	0x20
	fld	tword [third]
	fstp	dword [M + 8]
	PENDING	0x20
	CHECK	{mem32, M + 8, 0x3eaaaaab}, {ftw, 0}
	; integers: too large
	UNMASK	1
	fld	tword [huge]
	mov	dword [M + 8], 0x77777777
	fistp	dword [M + 8]
	PENDING	1
	CHECK	{mem32, M + 8, 0x77777777}, {ftw, 0x80}
	fninit
	; SSE: MXCSR has the flag, the destination is as it was
	movups	xmm7, [ones]
%macro UNMASK_SSE 1
	mov	dword [M], 0x1f80 & ~((%1) << 7)
	ldmxcsr	[M]
	movaps	xmm0, xmm7
%endmacro
	UNMASK_SSE 1
	xorps	xmm1, xmm1
	FAULTS_PART E_XM, NOERR, divps xmm1, xmm1
	CHECK	{mxcsr, 0x1f01}
	UNMASK_SSE 1
	FAULTS	E_XM, NOERR, addss xmm0, [signaling]
	UNMASK_SSE 2
	FAULTS	E_XM, NOERR, addss xmm0, [small]
	CHECK	{mxcsr, 0x1e82}
	UNMASK_SSE 4
	FAULTS	E_XM, NOERR, divps xmm0, [zeros]
	CHECK	{mxcsr, 0x1d84}
	UNMASK_SSE 8
	movss	xmm0, [big]
	FAULTS	E_XM, NOERR, mulss xmm0, xmm0
	CHECK	{mxcsr, 0x1b88}, {fx, 160, 0x7f000000}
	UNMASK_SSE 0x10
	movss	xmm0, [little]
	FAULTS	E_XM, NOERR, mulss xmm0, xmm0
	UNMASK_SSE 0x20
	FAULTS	E_XM, NOERR, divss xmm0, [three]
	CHECK	{mxcsr, 0x0fa0}, {fx, 160, 0x3f800000}
	; masked and unmasked ones in the same instruction: flags of both
	UNMASK_SSE 4
	movups	xmm1, [zero_and_signaling]
	FAULTS	E_XM, NOERR, divps xmm0, xmm1
	CHECK	{mxcsr, 0x1d85}
	; a flag that is set already and then unmasked raises nothing
	mov	dword [M], 0x1d84
	ldmxcsr	[M]
	addss	xmm0, xmm7
	; conversions
	UNMASK_SSE 1
	mov	eax, 0x55
	FAULTS	E_XM, NOERR, cvtss2si eax, [big]
	CHECK	{eax, 0x55}
	FAULTS	E_XM, NOERR, cvttss2si eax, [big]
	; TS: #NM goes first
	mov	eax, cr0
	or	al, 8
	mov	cr0, eax
	FAULTS	E_NM, NOERR, divps xmm0, [zeros]
	clts
	mov	dword [M], 0x1f80
	ldmxcsr	[M]
	dec	ebp
	jnz	near .round
	CHECK	{esp, STACK}
	DONE
	align	16
ones:	dd 0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000
zeros:	dd 0, 0, 0, 0
zero_and_signaling: dd 0, 0x7fa00000, 0x3f800000, 0x3f800000
signaling: dd 0x7fa00000
small:	dd 0x00000001
big:	dd 0x7f000000
little:	dd 0x00800000
three:	dd 0x40400000
zero:	dd 0
infinity: dd 0, 0x80000000
	dw 0x7fff
denormal: dd 0x1234, 0
	dw 0
huge:	dd 0, 0x80000000
	dw 0x7000
tiny:	dd 0, 0x80000000
	dw 0x1000
third:	dd 0xaaaaaaab, 0xaaaaaaaa
	dw 0x3ffd
