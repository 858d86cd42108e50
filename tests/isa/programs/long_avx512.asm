; SPDX-License-Identifier: GPL-2.0-or-later
; AVX-512 and its state in 64-bit mode and compatibility mode: when it raises #UD and #NM, what clears upper parts of registers, operands of which a mask leaves out elements that would fault,
; gathers and scatters that fault half-way, XSAVE and its like in both forms (SDM vol. 1, 13, 15; vol. 2, 2.7).
%include "programs/long.inc"

CR4_OSXSAVE equ 1 << 18
AREA	equ 0x21000		; of XSAVE, 64-byte aligned; 4 KiB
BV	equ AREA + 512		; XSTATE_BV
COMP	equ AREA + 520
FILL	equ 0x5a5a5a5a
OUT_	equ 0x30000
EDGE	equ 0x32000		; a page that comes and goes, behind one that stays
ALL	equ 0xe7
AT_K	equ V + 0x40		; where the standard form has opmask registers, upper halves, ZMM16 to ZMM31
AT_ZMM	equ V + 0x48
AT_HI16	equ V + 0x50
SCRATCH equ V + 0x60

%macro ABSENT_PAGE 0
	mov	qword [PT + (EDGE >> 12) * 8], 0
	invlpg	[EDGE]
%endmacro

%macro PRESENT_PAGE 0
	mov	qword [PT + (EDGE >> 12) * 8], EDGE|P|W|U
	invlpg	[EDGE]
%endmacro

; a register (of 64 bytes) holds those at an address. RCX, RSI, RDI are lost
%macro IS 2
	vmovdqu64 [OUT_], %1
	mov	esi, OUT_
	mov	edi, %2
	mov	ecx, 8
	repe	cmpsq
	je	%%ok
	FAIL
%%ok:
%endmacro

; quadwords in memory are the same. RCX, RSI, RDI are lost
%macro SAME 3	; address, address, how many
	lea	rsi, [%1]
	lea	rdi, [%2]
	mov	ecx, %3
	repe	cmpsq
	je	%%ok
	FAIL
%%ok:
%endmacro

; an opmask register. RAX is lost
%macro K_IS 2
	kmovq	[SCRATCH], %1
	mov	rax, %2
	ASSERT	[SCRATCH], rax
%endmacro

%macro SET_K 2
	mov	rax, %2
	kmovq	%1, rax
%endmacro

%macro FAULTS_AT 3+
	RAISES	E_PF, %1, %3
	mov	rax, %2
	ASSERT	[got_cr2], rax
%endmacro

; mask, instruction: in RDX:RAX
%macro MASKED 2+
	mov	eax, %1
	xor	edx, edx
	%2
%endmacro

%macro CLEAR 0
	mov	edi, AREA
	mov	eax, FILL
	mov	ecx, 1024
	rep	stosd
	mov	edi, BV
	xor	eax, eax
	mov	ecx, 16
	rep	stosd
%endmacro

LONG_PROGRAM WITH_LM|WITH_AVX512
	mov	qword [PT + (EDGE >> 12) * 8], EDGE|P|W|U
	call	switches
	call	state
	call	masks
	call	broadcasts
	call	packed
	call	gathers
	call	scatters
	call	fields
	call	areas
	call	compatibility
	IN	CODE64, DATA32
	CHECK	{esp, STACK}
	DONE

; XCR0 with that value raises #GP
%macro REFUSED 1
	mov	rdx, %%at
	jmp	%%over
%%at:	mov	eax, %1
	xor	edx, edx
	xor	ecx, ecx
	xsetbv
	int	BACK
%%over:	call	run
	ASSERT	qword [got_vector], E_GP
%endmacro

; CR4.OSXSAVE, XCR0, CR0.TS, CR0.EM
switches:
	RAISES	E_UD, NOERR, vaddps zmm0, zmm1, zmm2
	RAISES	E_UD, NOERR, kmovq k1, k2
	mov	rax, cr4
	or	rax, CR4_OSXSAVE
	mov	cr4, rax
	REFUSED	0x27
	REFUSED	0x47
	REFUSED	0x87
	REFUSED	0x67
	REFUSED	0xc7
	REFUSED	0xe3
	REFUSED	0xe5
	REFUSED	0xef
	xor	ecx, ecx
	MASKED	7, xsetbv
	RAISES	E_UD, NOERR, vaddps zmm0, zmm1, zmm2
	RAISES	E_UD, NOERR, vaddps xmm16, xmm1, xmm2
	RAISES	E_UD, NOERR, kmovq k1, k2
	RAISES	E_UD, NOERR, vmovdqu8 zmm0{k1}, [OUT_]
	mov	eax, 13
	xor	ecx, ecx
	cpuid
	ASSERT	eax, ALL
	ASSERT	ebx, 832
	mov	ebx, ecx
	mov	[SCRATCH], rbx		; bytes for all
	xor	ecx, ecx
	MASKED	ALL, xsetbv
	xgetbv
	ASSERT	eax, ALL
	mov	eax, 13
	xor	ecx, ecx
	cpuid
	ASSERT	ebx, [SCRATCH]
	mov	eax, 13
	mov	ecx, 1
	cpuid
	ASSERT	ebx, 576 + 256 + 64 + 512 + 1024
	mov	eax, 13
	mov	ecx, 5
	cpuid
	ASSERT	eax, 64
	mov	[AT_K], rbx
	mov	eax, 13
	mov	ecx, 6
	cpuid
	ASSERT	eax, 512
	mov	[AT_ZMM], rbx
	mov	eax, 13
	mov	ecx, 7
	cpuid
	ASSERT	eax, 1024
	mov	[AT_HI16], rbx
	add	ebx, 1024
	ASSERT	[SCRATCH], rbx
	WORKS	vaddps zmm0, zmm1, zmm2
	WORKS	kmovq k1, k2
	mov	rax, cr0
	bts	rax, 3			; TS
	mov	cr0, rax
	RAISES	E_NM, NOERR, vaddps zmm0, zmm1, zmm2
	RAISES	E_NM, NOERR, kortestw k1, k2
	RAISES	E_NM, NOERR, vpgatherdd zmm0{k1}, [rbx + zmm1]
	clts
	mov	rax, cr0
	bts	rax, 2			; EM is nothing to it
	mov	cr0, rax
	WORKS	vaddps zmm0, zmm1, zmm2
	mov	rax, cr0
	btr	rax, 2
	mov	cr0, rax
	IN	CODE64_3, DATA32_3
	WORKS	vpaddd zmm16, zmm1, [OUT_]
	IN	CODE64, DATA32
	ret

; what keeps upper parts, what clears them
state:	vmovdqu64 zmm0, [bytes]
	vmovdqu64 zmm15, [bytes]
	vmovdqu64 zmm16, [bytes]
	vmovdqu64 zmm31, [more]
	SET_K	k1, 0x123456789abcdef0
	SET_K	k7, 0xfedcba9876543210
	pxor	xmm0, xmm0		; SSE
	IS	zmm0, bytes_but_16
	cpuid				; the monitor's code
	in	al, 0x80
	IS	zmm0, bytes_but_16
	IS	zmm15, bytes
	IS	zmm16, bytes
	IS	zmm31, more
	K_IS	k1, 0x123456789abcdef0
	K_IS	k7, 0xfedcba9876543210
	vmovdqa	ymm0, ymm15		; VEX
	IS	zmm0, bytes_32
	vmovdqa32 ymm17, ymm31
	IS	zmm17, more_32
	vpaddd	xmm0, xmm15, [zeros]
	IS	zmm0, bytes_16
	vzeroupper
	IS	zmm15, bytes_16
	IS	zmm16, bytes
	IS	zmm31, more
	vmovdqu64 zmm3, [bytes]
	vzeroall
	IS	zmm3, zeros
	IS	zmm31, more
	K_IS	k1, 0x123456789abcdef0
	; a C body that writes a VEX register
	vmovdqu64 zmm2, [bytes]
	vpcmpeqd xmm4, xmm4, xmm4
	vpxor	xmm5, xmm5, xmm5
	mov	ebx, bytes
	vpgatherdd xmm2, [rbx + xmm5], xmm4
	vpxorq	zmm4, zmm4, zmm4
	vpbroadcastd xmm4, [bytes]
	IS	zmm2, .gathered
	ret
	align	64
.gathered: dd 0x03020100, 0x03020100, 0x03020100, 0x03020100
	times 12 dd 0

; elements that a mask leaves out do not fault, nor are they changed
masks:	vmovdqu64 zmm1, [bytes]
	vmovdqu64 [EDGE - 64], zmm1
	vmovdqu64 [EDGE], zmm1
	ABSENT_PAGE
	mov	rbx, EDGE - 12
	SET_K	k1, 7
	vmovdqu32 zmm2{k1}{z}, [rbx]
	IS	zmm2, .loaded
	SET_K	k1, 0xfff
	vmovdqu8 xmm2{k1}{z}, [rbx]
	IS	zmm2, .loaded
	SET_K	k1, 0
	WORKS	vmovdqu8 zmm2{k1}{z}, [EDGE]
	IS	zmm2, zeros
	vmovdqu64 zmm2, [bytes]
	WORKS	vpaddd zmm2{k1}, zmm2, [EDGE]
	IS	zmm2, bytes
	WORKS	vmovdqu64 [EDGE]{k1}, zmm2
	WORKS	vaddss xmm2{k1}, xmm2, [EDGE]
	vmovdqu64 zmm2, [bytes]
	SET_K	k2, 8
	mov	r10, EDGE - 12
	FAULTS_AT 0, EDGE, vmovdqu32 zmm2{k2}, [r10]
	IS	zmm2, bytes
	FAULTS_AT 2, EDGE, vmovdqu32 [r10]{k2}, zmm1
	SET_K	k2, 0x8001
	FAULTS_AT 2, EDGE + 48, vmovdqu32 [r10]{k2}, zmm1
	ASSERT	dword [EDGE - 12], 0x37363534	; nothing has been stored
	SET_K	k2, 5
	vmovdqu32 [r10]{k2}, zmm1
	ASSERT	dword [EDGE - 12], 0x03020100
	ASSERT	dword [EDGE - 8], 0x3b3a3938
	ASSERT	dword [EDGE - 4], 0x0b0a0908
	; all of a vector whose elements go elsewhere
	RAISES	E_GP, 0, vmovdqa64 zmm2, [EDGE - 96]
	WORKS	vmovdqa64 xmm2, [EDGE - 96]
	RAISES	E_GP, 0, vmovdqa32 zmm2, [EDGE - 32]
	mov	rbx, 0x7fffffffffe0
	RAISES	E_GP, 0, vmovdqu64 zmm2, [rbx + 0x10]
	PRESENT_PAGE
	vmovdqu64 zmm2, [EDGE - 64 + 4]
	ASSERT	dword [EDGE], 0x03020100
	; conversions: fewer bytes in memory than in the register
	ABSENT_PAGE
	mov	rbx, EDGE - 4
	vmovdqu64 zmm1, [bytes]
	WORKS	vpmovdb [EDGE - 16], zmm1
	ASSERT	dword [EDGE - 16], 0x0c080400
	SET_K	k1, 15
	WORKS	vpmovdb [rbx]{k1}, zmm1
	ASSERT	dword [EDGE - 4], 0x0c080400
	SET_K	k1, 16
	FAULTS_AT 2, EDGE, vpmovdb [rbx]{k1}, zmm1
	SET_K	k1, 15
	vpmovzxbd zmm2{k1}{z}, [rbx]
	IS	zmm2, .widened
	PRESENT_PAGE
	ret
	align	64
.loaded: dd 0x37363534, 0x3b3a3938, 0x3f3e3d3c
	times 13 dd 0
.widened: dd 0, 4, 8, 12
	times 12 dd 0

; one element in memory, whatever there are in the register
broadcasts:
	vmovdqu64 zmm1, [bytes]
	mov	dword [EDGE - 4], 0x01010101
	ABSENT_PAGE
	mov	rbx, EDGE - 4
	WORKS	vpaddd zmm2, zmm1, [rbx]{1to16}
	vpaddb	zmm3, zmm1, [ones]
	vpaddd	zmm2, zmm1, [rbx]{1to16}
	vpcmpeqb k1, zmm2, zmm3
	K_IS	k1, -1
	FAULTS_AT 0, EDGE, vpaddd zmm2, zmm1, [EDGE]{1to16}
	SET_K	k1, 0
	WORKS	vpaddd zmm2{k1}, zmm1, [EDGE]{1to16}
	SET_K	k1, 0x8000
	FAULTS_AT 0, EDGE, vpaddd zmm2{k1}, zmm1, [EDGE]{1to16}
	WORKS	vpaddd ymm2{k1}, ymm1, [EDGE]{1to8}
	SET_K	k1, 0x1111		; of four doublewords the first
	vbroadcasti32x4 zmm2{k1}{z}, [rbx]
	IS	zmm2, .first
	SET_K	k1, 0x0020
	FAULTS_AT 0, EDGE, vbroadcasti32x4 zmm2{k1}, [rbx]
	PRESENT_PAGE
	ret
	align	64
.first:	times 4 dd 0x01010101, 0, 0, 0

; as many elements as the mask has bits
packed:	vmovdqu64 zmm1, [bytes]
	vmovdqu64 [EDGE - 64], zmm1
	ABSENT_PAGE
	SET_K	k1, 0x8421
	WORKS	vpcompressd [EDGE - 16]{k1}, zmm1
	ASSERT	dword [EDGE - 16], 0x03020100
	ASSERT	dword [EDGE - 12], 0x17161514
	ASSERT	dword [EDGE - 8], 0x2b2a2928
	ASSERT	dword [EDGE - 4], 0x3f3e3d3c
	FAULTS_AT 2, EDGE, vpcompressd [EDGE - 12]{k1}, zmm1
	vpexpandd zmm2{k1}{z}, [EDGE - 16]
	vmovdqu32 zmm3{k1}{z}, zmm1
	vpcmpeqd k2, zmm2, zmm3
	K_IS	k2, 0xffff
	FAULTS_AT 0, EDGE, vpexpandd zmm2{k1}, [EDGE - 12]
	PRESENT_PAGE
	ret

gathers:
	mov	edi, EDGE - 64
	xor	eax, eax
.fill:	stosd
	inc	eax
	cmp	eax, 32
	jb	.fill
	SET_K	k1, -1
	vmovdqu64 zmm21, [.index]
	mov	rbx, EDGE
	vpgatherdd zmm18{k1}, [rbx + zmm21 * 4]
	IS	zmm18, .gathered
	K_IS	k1, 0
	ABSENT_PAGE
	vmovdqu64 zmm2, [bytes]
	SET_K	k1, 0xffff
	mov	r10, EDGE
	FAULTS_AT 0, EDGE + 4 * 4, vpgatherdd zmm2{k1}, [r10 + zmm21 * 4]
	K_IS	k1, 0xfffc
	PRESENT_PAGE
	vpgatherdd zmm2{k1}, [r10 + zmm21 * 4]
	IS	zmm2, .gathered
	; doublewords by indexes of 64 bits; not all
	vmovdqu64 zmm2, [bytes]
	vpmovsxdq zmm3, [.index]
	SET_K	k3, 0x81
	vpgatherqd ymm2{k3}, [r10 + zmm3 * 4]
	IS	zmm2, .halves
	K_IS	k3, 0
	; quadwords by indexes of 32 bits, all bits of the register's number
	SET_K	k4, 0xff
	vmovdqa32 ymm29, [.index]
	vgatherdpd zmm30{k4}, [r10 + ymm29 * 4 + 0x100 - 0x100]
	vpsrlq	zmm4, zmm30, 32
	vpmovqd	ymm4, zmm4
	IS	zmm4, .behind
	mov	rbx, 1 << 47
	SET_K	k4, 4
	RAISES	E_GP, 0, vgatherdpd zmm30{k4}, [rbx + ymm29 * 4]
	K_IS	k4, 4
	ret
	align	64
.index:	dd -1, -16, 4, 0, 5, -2, 1, 14, 3, 3, 7, 8, -9, -10, 12, 13
.gathered: dd 15, 0, 20, 16, 21, 14, 17, 30, 19, 19, 23, 24, 7, 6, 28, 29
.halves: dd 15, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 30
	times 8 dd 0
.behind: dd 16, 1, 21, 17, 22, 15, 18, 31
	times 8 dd 0

scatters:
	vmovdqu64 zmm1, [bytes]
	vmovdqu64 zmm21, [gathers.index]
	mov	rbx, EDGE
	SET_K	k1, 0xffff
	vpscatterdd [rbx + zmm21 * 4]{k1}, zmm1
	K_IS	k1, 0
	ASSERT	dword [EDGE - 4], 0x03020100
	ASSERT	dword [EDGE - 64], 0x07060504
	ASSERT	dword [EDGE + 12], 0x27262524	; the last of two
	ASSERT	dword [EDGE + 52], 0x3f3e3d3c
	mov	dword [EDGE - 4], 0
	mov	dword [EDGE - 8], 0
	ABSENT_PAGE
	SET_K	k1, 0xffff
	mov	r11, EDGE
	FAULTS_AT 2, EDGE + 16, vpscatterdd [r11 + zmm21 * 4]{k1}, zmm1
	K_IS	k1, 0xfffc
	ASSERT	dword [EDGE - 4], 0x03020100	; stored
	ASSERT	dword [EDGE - 8], 0
	SET_K	k1, 0x20
	vpscatterdd [r11 + zmm21 * 4]{k1}, zmm1
	ASSERT	dword [EDGE - 8], 0x17161514
	PRESENT_PAGE
	ret

; all bits of EVEX that name registers, of vectors and of addresses
fields:	vmovdqu64 zmm1, [bytes]
	mov	r12, EDGE
	mov	r13, EDGE - 0x1000
	mov	r9, 0x40
	mov	r10, 0x80
	mov	r11, EDGE
%assign i 0
%rep 32
	vmovdqu64 zmm %+ i, [bytes]
%assign i i + 1
%endrep
	vmovdqu64 [r12 + 64], zmm31
	vmovdqu64 [r12 + r9 * 2], zmm16
	vmovdqu64 [r13 + r10 + 0x1000], zmm8
	vmovdqu64 [r11 + r10 - 64 * 3], zmm24
	vpaddb	zmm25, zmm9, [r12 + r9]
	vpaddb	zmm26, zmm17, [r11 - 64]
	vpaddb	zmm10, zmm30, [r11 + r10 * 1 - 0x40]
	vpaddb	zmm27, zmm9, zmm1
	IS	zmm25, .twice
	IS	zmm26, .twice
	IS	zmm10, .twice
	IS	zmm27, .twice
	vpaddb	xmm28, xmm27, xmm27
	vpsubb	xmm28, xmm28, xmm27
	vpxorq	zmm28, zmm28, zmm27
	vmovdqa32 ymm28, ymm28
	vpbroadcastq zmm20, r10
	vmovq	rax, xmm20
	ASSERT	rax, 0x80
	vpbroadcastd ymm20, r11d
	vpextrq	r11, xmm20, 1
	mov	rax, EDGE | EDGE << 32
	ASSERT	r11, rax
	SET_K	k5, 0xf0f0
	kmovw	r10d, k5
	ASSERT	r10, 0xf0f0
	kmovd	k6, r10d
	kortestd k6, k5
	jz	.bad
	kxorq	k5, k5, k6
	kortestq k5, k5
	jnz	.bad
	ret
.bad:	FAIL
	ret
	align	64
.twice:
%assign i 0
%rep 64
	db	2 * i
%assign i i + 1
%endrep

; XSAVE and its like, in both forms
areas:	vmovdqu64 zmm0, [bytes]
	vmovdqu64 zmm15, [more]
	vmovdqu64 zmm16, [more]
	vmovdqu64 zmm31, [bytes]
	SET_K	k0, 0
%assign i 1
%rep 7
	SET_K	k %+ i, 0x1111111111111111 * i
%assign i i + 1
%endrep
	CLEAR
	MASKED	ALL, xsave64 [AREA]
	ASSERT	dword [BV], ALL & ~1
	mov	ebp, AREA
	mov	r8, [AT_K]
	mov	rax, 0x7777777777777777
	ASSERT	[rbp + r8 + 56], rax
	mov	r8, [AT_ZMM]
	SAME	rbp + r8, bytes + 32, 4
	mov	r8, [AT_ZMM]
	SAME	rbp + r8 + 15 * 32, more + 32, 4
	mov	r8, [AT_HI16]
	SAME	rbp + r8, more, 8
	mov	r8, [AT_HI16]
	SAME	rbp + r8 + 15 * 64, bytes, 8
	; what the mask leaves out stays as it is: in the area, in the registers
	SET_K	k7, 0
	vpxorq	zmm31, zmm31, zmm31
	MASKED	0x20, xrstor64 [AREA]
	K_IS	k7, 0x7777777777777777
	IS	zmm31, zeros
	MASKED	0x80, xrstor64 [AREA]
	IS	zmm31, bytes
	vzeroupper
	MASKED	0x40, xrstor64 [AREA]
	vextracti64x4 ymm1, zmm15, 1
	vmovdqu	ymm2, [more + 32]
	vpcmpeqb k1, ymm1, ymm2
	K_IS	k1, 0xffffffff
	MASKED	ALL, xrstor64 [AREA]
	IS	zmm0, bytes
	IS	zmm15, more
	; not there: initialised
	mov	qword [BV], ALL & ~0xa1
	MASKED	ALL, xrstor64 [AREA]
	IS	zmm15, more
	IS	zmm16, zeros
	IS	zmm31, zeros
	K_IS	k7, 0
	; in use, or as initialised
	mov	ecx, 1
	xgetbv
	ASSERT	eax, 0x46
	vmovdqu64 zmm20, [more]
	SET_K	k3, 0x123
	CLEAR
	MASKED	ALL, xsaveopt64 [AREA]
	ASSERT	dword [BV], ALL & ~1
	vzeroall
	CLEAR
	MASKED	ALL, xsaveopt64 [AREA]
	ASSERT	dword [BV], 0xa0
	mov	r8, [AT_ZMM]
	ASSERT	dword [rbp + r8], FILL
	; compacted: without what XCOMP_BV has not
	vmovdqu64 zmm0, [bytes]
	CLEAR
	MASKED	ALL, xsavec64 [AREA]
	mov	rax, (1 << 63) | ALL
	ASSERT	[COMP], rax
	ASSERT	dword [BV], ALL & ~1
	ASSERT	dword [AREA + 576 + 256 + 24], 0x123
	SAME	AREA + 576 + 256 + 64, bytes + 32, 4
	SAME	AREA + 576 + 256 + 64 + 512 + 4 * 64, more, 8
	ASSERT	dword [AREA + 576 + 256 + 64 + 512 + 1024], FILL
	CLEAR
	MASKED	0xa0, xsavec64 [AREA]
	ASSERT	dword [BV], 0xa0
	ASSERT	dword [AREA + 576 + 24], 0x123
	SAME	AREA + 576 + 64 + 4 * 64, more, 8
	ASSERT	dword [AREA + 576 + 64 + 1024], FILL
	vpxorq	zmm20, zmm20, zmm20
	SET_K	k3, 0
	MASKED	ALL, xrstor64 [AREA]
	IS	zmm20, more
	IS	zmm0, zeros
	K_IS	k3, 0x123
	; only what is there is accessed
	CLEAR
	vzeroall
	ABSENT_PAGE
	SET_K	k3, 0
	vpxorq	zmm20, zmm20, zmm20
	MASKED	ALL, xsavec64 [EDGE - 576]
	MASKED	ALL, xrstor64 [EDGE - 576]
	vmovdqu64 zmm20, [bytes]
	mov	rdx, .save
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], 2
	mov	qword [EDGE - 576 + 512], 0x80
	mov	rdx, .restore
	call	run
	ASSERT	qword [got_vector], E_PF
	IS	zmm20, bytes
	PRESENT_PAGE
	; a component that XCR0 has not
	xor	ecx, ecx
	MASKED	7, xsetbv
	CLEAR
	mov	qword [BV], 0x20
	mov	rdx, .absent
	call	run
	ASSERT	qword [got_vector], E_GP
	xor	ecx, ecx
	MASKED	ALL, xsetbv
	ret
.save:	MASKED	ALL, xsavec64 [EDGE - 576]
	int	BACK
.restore: MASKED ALL, xrstor64 [EDGE - 576]
	int	BACK
.absent: MASKED	ALL, xrstor64 [AREA]
	int	BACK

; compatibility mode knows eight registers of each kind
compatibility:
	vmovdqu64 zmm0, [bytes]
	vmovdqu64 zmm8, [bytes]
	vmovdqu64 zmm16, [more]
	vmovdqu64 zmm31, [bytes]
	SET_K	k2, 0x5555
	CLEAR
	IN	CODE32_3, DATA32_3
	mov	eax, DATA32_3
	mov	ds, eax
	mov	rdx, .save32
	call	run
	ASSERT	qword [got_vector], BACK
	mov	ebp, AREA
	mov	r8, [AT_ZMM]
	SAME	rbp + r8, bytes + 32, 4
	mov	r8, [AT_ZMM]
	ASSERT	dword [rbp + r8 + 8 * 32], FILL
	mov	r8, [AT_HI16]
	ASSERT	dword [rbp + r8], FILL
	mov	rdx, .upper32
	call	run
	ASSERT	qword [got_vector], BACK
	IS	zmm8, bytes
	IS	zmm0, bytes_16
	IS	zmm16, more
	IS	zmm31, bytes
	mov	rdx, .compute32
	call	run
	ASSERT	qword [got_vector], BACK
	IS	zmm1, .computed
	IS	zmm8, bytes
	IS	zmm16, more
	K_IS	k2, 0x00ff
	mov	rdx, .stack32
	call	run
	ASSERT	qword [got_vector], BACK
	IS	zmm2, bytes
	vmovdqu64 zmm1, [bytes]
	vmovdqu64 [EDGE - 64], zmm1
	ABSENT_PAGE
	mov	rdx, .masked32
	call	run
	ASSERT	qword [got_vector], BACK
	IS	zmm1, .last
	mov	rdx, .faults32
	call	run
	ASSERT	qword [got_vector], E_PF
	mov	eax, EDGE
	ASSERT	[got_cr2], rax
	PRESENT_PAGE
	ret
	bits	32
.save32: mov	eax, ALL
	xor	edx, edx
	xsave	[AREA]
	int	BACK
.upper32: vzeroupper
	int	BACK
.compute32:
	mov	eax, 0x00ff
	kmovd	k2, eax
	mov	ecx, more
	vmovdqu64 zmm2, [ecx]
	vpord	zmm3, zmm3, zmm3
	mov	edx, 1
	vporq	zmm1{k2}{z}, zmm2, [ecx + edx * 8 - 8]
	vpbroadcastd zmm4, ecx
	vmovdqu64 [OUT_ + 64], zmm1
	vmovdqu32 zmm1{k2}{z}, [OUT_ + 64]
	int	BACK
.stack32:
	sub	esp, 64
	vmovdqu64 zmm2, [bytes]
	vmovdqu64 [esp], zmm2
	vpxord	zmm2, zmm2, zmm2
	vmovdqu64 zmm2, [esp]
	add	esp, 64
	int	BACK
.masked32:
	mov	eax, 1
	kmovw	k1, eax
	vmovdqu32 zmm1{k1}{z}, [EDGE - 4]
	int	BACK
.faults32:
	mov	eax, 3
	kmovw	k1, eax
	vmovdqu32 zmm1{k1}{z}, [EDGE - 4]
	int	BACK
	bits	64
	align	64
.computed:
%assign i 64
%rep 32
	db	i * 3 & 0xff
%assign i i + 1
%endrep
	times 32 db 0
.last:	dd 0x3f3e3d3c
	times 15 dd 0

	align	64
bytes:
%assign i 0
%rep 64
	db	i
%assign i i + 1
%endrep
more:
%assign i 64
%rep 64
	db	i * 3 & 0xff
%assign i i + 1
%endrep
more_32:
%assign i 64
%rep 32
	db	i * 3 & 0xff
%assign i i + 1
%endrep
	times 32 db 0
bytes_16:
%assign i 0
%rep 16
	db	i
%assign i i + 1
%endrep
	times 48 db 0
bytes_32:
%assign i 0
%rep 32
	db	i
%assign i i + 1
%endrep
	times 32 db 0
bytes_but_16: times 16 db 0
%assign i 16
%rep 48
	db	i
%assign i i + 1
%endrep
zeros:	times 64 db 0
ones:	times 64 db 1
