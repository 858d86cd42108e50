; SPDX-License-Identifier: GPL-2.0-or-later
; x87, MMX and SSE: results, state, unmasked exceptions, saved environments.
%include "isa.inc"
PROGRAM PM32
	fninit
	CHECK	{fcw, 0x37f}, {fsw, 0}, {ftw, 0}
	fld1
	fldpi
	faddp
	fst	qword [0xa000]
	CHECK	{mem32, 0xa000, 0xaa22168c}, {mem32, 0xa004, 0x401090fd}, {ftw, 0x80}
	fistp	dword [0xa008]
	CHECK	{mem32, 0xa008, 4}, {ftw, 0}, {fsw, 0x20}
	fldz
	fld1
	fcomi	st1
	CHECK	{flags, 0, ZF|PF|CF}
	fcomip	st1
	fcomi	st0
	CHECK	{flags, ZF, ZF|PF|CF}
	fstp	st0
	CHECK	{ftw, 0}
	fild	word [.three]
	fimul	dword [.seven]
	fisttp	qword [0xa010]
	CHECK	{mem32, 0xa010, 21}, {mem32, 0xa014, 0}
	fnstcw	[0xa020]
	fnstsw	ax
	CHECK	{mem16, 0xa020, 0x37f}
	; stack overflow, masked
	fninit
	times 9 fld1
	fnstsw	ax
	and	eax, 0x7f
	CHECK	{eax, 0x41}
	; unmasked: comes with the next waiting instruction
	fninit
	mov	word [0xa020], 0x37b	; ZM clear
	fldcw	[0xa020]
	fld1
	fldz
	fdivp				; no trap yet
	mov	ebx, 5
	CHECK	{ebx, 5}
.mf:	FAULTS_PART E_MF, NOERR, fld1
	fnstsw	ax
	and	eax, 0x84
	CHECK	{eax, 0x84}
.mf2:	FAULTS_PART E_MF, NOERR, fwait
	fnclex
	fwait
	fninit
	; the environment: instruction pointer and opcode area
	mov	ecx, 100		; an AMD host that lets another process run meanwhile loses the pointer
.env:	fninit
	fld1
.fip:	fadd	st0, st0
	fnstenv	[0xa040]
	cmp	dword [0xa04c], .fip
	loopne	.env
	CHECK	{mem32, 0xa04c, .fip}, {mem16, 0xa040, 0x37f}
	fninit
	fldenv	[0xa040]
	fnsave	[0xa080]
	CHECK	{mem16, 0xa080, 0x37f}, {fcw, 0x37f}, {ftw, 0}
	frstor	[0xa080]
	o16 fnstenv [0xa040]
	; unmasked denormal etc. in memory operand: the store faults with the next
	fninit
	; MMX
	mov	eax, 0x01020304
	movd	mm0, eax
	punpcklbw mm0, mm0
	paddb	mm0, mm0
	movq	[0xa100], mm0
	CHECK	{mem32, 0xa100, 0x06060808}, {mem32, 0xa104, 0x02020404}, {ftw, 0xff}
	pmovmskb eax, mm0
	emms
	CHECK	{eax, 0}, {ftw, 0}
	; SSE
	mov	dword [0xa110], 0x3f800000
	mov	dword [0xa114], 0x40000000
	mov	dword [0xa118], 0x40400000
	mov	dword [0xa11c], 0x40800000
	movaps	xmm0, [0xa110]
	addps	xmm0, xmm0
	mulss	xmm0, [0xa114]
	movups	[0xa124], xmm0
	CHECK	{mem32, 0xa124, 0x40800000}, {mem32, 0xa128, 0x40800000}, {mem32, 0xa12c, 0x40c00000}, {mem32, 0xa130, 0x41000000}
	cvttss2si eax, xmm0
	movmskps ebx, xmm0
	ucomiss	xmm0, [0xa110]
	CHECK	{eax, 4}, {ebx, 0}, {flags, 0, ZF|PF|CF}
	pshufd	xmm1, xmm0, 0x1b
	movd	ecx, xmm1
	CHECK	{ecx, 0x41000000}
	sqrtsd	xmm2, xmm2
	; unmasked division by zero
	mov	dword [0xa140], 0x1d80
	ldmxcsr	[0xa140]
	xorps	xmm3, xmm3
	FAULTS_PART E_XM, NOERR, divps xmm0, xmm3
	CHECK	{mxcsr, 0x1d84}
	; the same without OSXMMEXCPT: #UD
	mov	eax, cr4
	and	eax, ~0x400
	mov	cr4, eax
	FAULTS_PART E_UD, NOERR, divps xmm0, xmm3
	or	eax, 0x400
	mov	cr4, eax
	mov	dword [0xa140], 0x1f80
	ldmxcsr	[0xa140]
	divps	xmm0, xmm3
	stmxcsr	[0xa144]
	CHECK	{mem32, 0xa144, 0x1f84}
	mov	dword [0xa140], 0xffff0000
	FAULTS	E_GP, 0, ldmxcsr [0xa140]
	; FXSAVE and FXRSTOR
	mov	dword [0xa3f0], 0x77777777
	fld1
	fxsave	[0xa200]
	CHECK	{mem16, 0xa200, 0x37f}, {mem8, 0xa204, 0x80}
	fninit
	xorps	xmm0, xmm0
	fxrstor	[0xa200]
	CHECK	{ftw, 0x80}, {fcw, 0x37f}
	FAULTS	E_GP, 0, fxsave [0xa208]
	FAULTS	E_GP, 0, fxrstor [0xa208]
	; a loop through the translator
	fninit
	fld1
	fldz
	mov	ecx, 100
.sum:	fadd	st0, st1
	movd	xmm7, ecx
	paddd	xmm6, xmm7
	loop	.sum
	fistp	dword [0xa150]
	CHECK	{mem32, 0xa150, 100}
	DONE
	align 4
.three:	dw 3
.seven:	dd 7
