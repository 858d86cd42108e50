; SPDX-License-Identifier: GPL-2.0-or-later
; What CPUID shows works and what it does not show raises #UD; bits of CR4 likewise; MSRs: unknown ones, reserved bits, values that are none, other rings (SDM vol. 2, CPUID;
; vol. 3, 2.5, 11.11, 11.12; vol. 4).
%include "programs/ring0.inc"

entry_	equ V		; of the tables
expect_	equ V + 4
cr4_	equ V + 8
CR4_OSXSAVE equ 1 << 18

; leaf, register (0 to 3: EAX, EBX, ECX, EDX), bit, the instruction's bytes (8 at most)
%macro FEATURE 4+
	dd %1
	db %2, %3
%%begin: db %4
	times 10 - ($ - %%begin) db 0x90
%endmacro
NEVER_SHOWN equ 0xff	; as the bit: always #UD here

; index, low, high, E_GP or BACK
%macro MSR 4
	dd %1, %2, %3, %4
%endmacro

RING0_PROGRAM
	call	enable_avx
	mov	eax, cr4
	mov	[cr4_], eax
	mov	byte [.rounds], 2
.round:	call	features
	call	control
	call	msrs
	call	msr_values
	call	tsc
	dec	byte [.rounds]
	jnz	.round
	CHECK	{esp, STACK}
	DONE
.rounds: db 0

; what CPUID shows of XSAVE and AVX is usable from here on
enable_avx:
	mov	eax, 1
	xor	ecx, ecx
	cpuid
	bt	ecx, 26
	jnc	.none
	mov	eax, cr4
	or	eax, CR4_OSXSAVE
	mov	cr4, eax
	mov	eax, 13
	xor	ecx, ecx
	cpuid
	and	eax, 7
	xor	edx, edx
	xor	ecx, ecx
	xsetbv
.none:	ret

features:
	mov	dword [entry_], table
.next:	mov	esi, [entry_]
	mov	dword [expect_], E_UD
	cmp	byte [esi + 5], NEVER_SHOWN
	je	.run
	mov	eax, [esi]
	xor	ecx, ecx
	cpuid
	mov	[V + 16], eax
	mov	[V + 20], ebx
	mov	[V + 24], ecx
	mov	[V + 28], edx
	mov	esi, [entry_]
	movzx	eax, byte [esi + 4]
	movzx	ecx, byte [esi + 5]
	bt	[V + 16 + eax * 4], ecx
	jnc	.run
	mov	dword [expect_], BACK
.run:	mov	edi, .code
	add	esi, 6
	mov	ecx, 10
	rep	movsb
	mov	eax, W
	mov	ebx, W
	xor	ecx, ecx
	mov	edx, .code
	call	run
	mov	esi, [entry_]
	mov	ebx, [expect_]
	ASSERT	[got_vector], ebx
	; not at CPL 0 alone
	mov	eax, W
	mov	ebx, W
	mov	ecx, 3
	mov	edx, .code
	call	run
	mov	esi, [entry_]
	mov	ebx, [expect_]
	ASSERT	[got_vector], ebx
	add	dword [entry_], 16
	cmp	dword [entry_], table_end
	jb	near .next
	ret
	align	16
.code:	times 10 nop
	int	BACK

; EAX and EBX: W, ECX and EDX as they come
	align	4
table:	FEATURE	1, 3, 8, 0x0f, 0xc7, 0x0b		; CMPXCHG8B
	FEATURE	1, 3, 15, 0x0f, 0x40, 0xc9		; CMOV
	FEATURE	1, 3, 19, 0x0f, 0xae, 0x3b		; CLFLUSH
	FEATURE	1, 3, 23, 0x0f, 0x6e, 0xc1		; MMX
	FEATURE	1, 3, 24, 0x0f, 0xae, 0x03		; FXSAVE
	FEATURE	1, 3, 25, 0x0f, 0x58, 0xc1		; SSE
	FEATURE	1, 3, 26, 0x66, 0x0f, 0x58, 0xc1	; SSE2
	FEATURE	1, 2, 0, 0xf2, 0x0f, 0x7c, 0xc1		; SSE3: HADDPS
	FEATURE	1, 2, 1, 0x66, 0x0f, 0x3a, 0x44, 0xc1, 0; PCLMULQDQ
	FEATURE	1, 2, 9, 0x66, 0x0f, 0x38, 0x00, 0xc1	; SSSE3: PSHUFB
	FEATURE	1, 2, 12, 0xc4, 0xe2, 0x69, 0xa8, 0xc1	; FMA
	FEATURE	1, 2, 19, 0x66, 0x0f, 0x38, 0x40, 0xc1	; SSE4.1: PMULLD
	FEATURE	1, 2, 20, 0x66, 0x0f, 0x38, 0x37, 0xc1	; SSE4.2: PCMPGTQ
	FEATURE	1, 2, 22, 0x0f, 0x38, 0xf0, 0x0b	; MOVBE
	FEATURE	1, 2, 23, 0xf3, 0x0f, 0xb8, 0xc9	; POPCNT
	FEATURE	1, 2, 25, 0x66, 0x0f, 0x38, 0xdc, 0xc1	; AESENC
	FEATURE	1, 2, 27, 0x31, 0xc9, 0x0f, 0x01, 0xd0	; XGETBV of XCR0, by OSXSAVE
	FEATURE	1, 2, 28, 0xc5, 0xf0, 0x58, 0xc2	; AVX: VADDPS
	FEATURE	1, 2, 29, 0xc4, 0xe2, 0x79, 0x13, 0xc1	; F16C
	FEATURE	1, 2, 30, 0x0f, 0xc7, 0xf1		; RDRAND
	FEATURE	7, 1, 3, 0xc4, 0xe2, 0x70, 0xf2, 0xca	; BMI1: ANDN
	FEATURE	7, 1, 5, 0xc5, 0xf5, 0xfe, 0xc2		; AVX2: VPADDD
	FEATURE	7, 1, 8, 0xc4, 0xe2, 0x73, 0xf5, 0xca	; BMI2: PDEP
	FEATURE	7, 1, 18, 0x0f, 0xc7, 0xf9		; RDSEED
	FEATURE	7, 1, 19, 0x66, 0x0f, 0x38, 0xf6, 0xc9	; ADX: ADCX
	FEATURE	7, 1, 23, 0x66, 0x0f, 0xae, 0x3b	; CLFLUSHOPT
	FEATURE	7, 1, 24, 0x66, 0x0f, 0xae, 0x33	; CLWB
	FEATURE	7, 1, 29, 0x0f, 0x38, 0xc8, 0xc1	; SHA1NEXTE
	FEATURE	7, 2, 8, 0x66, 0x0f, 0x38, 0xcf, 0xc1	; GF2P8MULB
	FEATURE	7, 2, 22, 0xf3, 0x0f, 0xc7, 0xf9	; RDPID
	FEATURE	7, 2, 27, 0x0f, 0x38, 0xf9, 0x0b	; MOVDIRI
	FEATURE	7, 3, 14, 0x0f, 0x01, 0xe8		; SERIALIZE
	FEATURE	0x80000001, 3, 27, 0x0f, 0x01, 0xf9	; RDTSCP
	FEATURE	0x80000001, 3, 31, 0x0f, 0x0f, 0xc1, 0x9e	; 3DNow!: PFADD
	FEATURE	0x80000001, 2, 6, 0x66, 0x0f, 0x79, 0xc1	; SSE4A: EXTRQ
	FEATURE	0x80000001, 2, 11, 0x8f, 0xe9, 0x78, 0x81, 0xc1	; XOP
	FEATURE	0x80000001, 2, 16, 0xc4, 0xe3, 0x71, 0x68, 0xc2, 0x30	; FMA4
	FEATURE	1, 2, 3, 0x0f, 0x01, 0xc8		; MONITOR
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x01, 0xc1	; VMCALL
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x01, 0xc2	; VMLAUNCH
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x01, 0xd8	; VMRUN
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x01, 0xd9	; VMMCALL
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x01, 0xd5	; XEND
	FEATURE	0, 0, NEVER_SHOWN, 0xc7, 0xf8, 0, 0, 0, 0	; XBEGIN
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x01, 0xee	; RDPKRU
	FEATURE	0, 0, NEVER_SHOWN, 0xf3, 0x0f, 0xae, 0xc1	; RDFSBASE outside 64-bit mode
	FEATURE	0, 0, NEVER_SHOWN, 0xf3, 0x0f, 0xae, 0xf1	; UMONITOR
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x01, 0xf8	; SWAPGS outside 64-bit mode
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x04		; nothing
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x0a
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x0c
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x36
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x39
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x7a, 0xc0
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0xa6, 0xc0
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0x0b		; UD2
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0xb9, 0xc0	; UD1
	FEATURE	0, 0, NEVER_SHOWN, 0x0f, 0xff, 0xc0	; UD0
table_end:
W	equ 0x30000

; Each bit of CR4 can be set if CPUID shows what it is for; else #GP.
control:
	mov	dword [V + 32], 0
.bit:	mov	ecx, [V + 32]
	mov	eax, [.leaves + ecx * 8]
	mov	dword [expect_], E_GP
	cmp	eax, -1
	je	.try
	mov	dword [expect_], BACK
	test	eax, eax
	je	.try
	xor	ecx, ecx
	cpuid
	mov	[V + 16], eax
	mov	[V + 20], ebx
	mov	[V + 24], ecx
	mov	[V + 28], edx
	mov	ecx, [V + 32]
	movzx	eax, byte [.leaves + ecx * 8 + 4]
	movzx	ecx, byte [.leaves + ecx * 8 + 5]
	bt	[V + 16 + eax * 4], ecx
	jc	.try
	mov	dword [expect_], E_GP
.try:	mov	ecx, [V + 32]
	mov	eax, 1
	shl	eax, cl
	or	eax, [cr4_]
	xor	ecx, ecx
	mov	edx, .set
	call	run
	mov	eax, cr4
	mov	ebx, [cr4_]
	mov	cr4, ebx
	mov	esi, [V + 32]
	mov	ecx, [expect_]
	ASSERT	[got_vector], ecx
	cmp	ecx, BACK
	je	.was_set
	ASSERT	eax, ebx
.was_set:
	inc	dword [V + 32]
	cmp	dword [V + 32], 32
	jb	near .bit
	ret
.set:	mov	cr4, eax
	int	BACK
; leaf (-1: reserved, 0: always there), register, bit
%macro CR4_BIT 1-3 0, 0
	dd %1
	db %2, %3, 0, 0
%endmacro
	align	8
.leaves:
	CR4_BIT	1, 3, 1		; VME
	CR4_BIT	1, 3, 1		; PVI
	CR4_BIT	1, 3, 4		; TSD
	CR4_BIT	1, 3, 2		; DE
	CR4_BIT	1, 3, 3		; PSE
	CR4_BIT	1, 3, 6		; PAE
	CR4_BIT	1, 3, 7		; MCE
	CR4_BIT	1, 3, 13	; PGE
	CR4_BIT	0		; PCE
	CR4_BIT	1, 3, 24	; OSFXSR
	CR4_BIT	1, 3, 25	; OSXMMEXCPT
	CR4_BIT	7, 2, 2		; UMIP
	CR4_BIT	-1		; LA57: 64-bit processors only
	CR4_BIT	1, 2, 5		; VMXE
	CR4_BIT	1, 2, 6		; SMXE
	CR4_BIT	-1
	CR4_BIT	7, 1, 0		; FSGSBASE
	CR4_BIT	-1		; PCIDE: long mode only
	CR4_BIT	1, 2, 26	; OSXSAVE
	CR4_BIT	-1
	CR4_BIT	7, 1, 7		; SMEP
	CR4_BIT	7, 1, 20	; SMAP
	CR4_BIT	7, 2, 3		; PKE
	CR4_BIT	-1		; CET: not shown
%rep 8
	CR4_BIT	-1
%endrep

; Written with each of these; what is refused changes nothing.
msrs:	mov	dword [entry_], .table
.next:	mov	esi, [entry_]
	mov	eax, [esi]
	xor	ecx, ecx
	mov	edx, .read
	call	run
	mov	eax, [got_eax]
	mov	[V + 40], eax
	mov	eax, [got_edx]
	mov	[V + 44], eax
	mov	esi, [entry_]
	mov	eax, [esi]
	mov	ebx, [esi + 4]
	mov	ebp, [esi + 8]
	xor	ecx, ecx
	mov	edx, .write
	call	run
	mov	esi, [entry_]
	mov	ebx, [esi + 12]
	ASSERT	[got_vector], ebx
	cmp	ebx, BACK
	je	.written
	ASSERT	dword [got_error], 0
	mov	eax, [esi]
	xor	ecx, ecx
	mov	edx, .read
	call	run
	cmp	dword [got_vector], BACK
	jne	.done
	mov	eax, [got_eax]
	ASSERT	[V + 40], eax
	mov	eax, [got_edx]
	ASSERT	[V + 44], eax
	jmp	.done
.written:
	mov	ecx, [esi]
	rdmsr
	ASSERT	eax, [esi + 4]
	ASSERT	edx, [esi + 8]
	; put back
	mov	eax, [V + 40]
	mov	edx, [V + 44]
	wrmsr
.done:	; never in ring 3
	mov	esi, [entry_]
	mov	eax, [esi]
	mov	ecx, 3
	mov	edx, .read
	call	run
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	add	dword [entry_], 16
	cmp	dword [entry_], .table_end
	jb	near .next
	ret
.read:	mov	ecx, eax
	rdmsr
	int	BACK
.write:	mov	ecx, eax
	mov	eax, ebx
	mov	edx, ebp
	wrmsr
	int	BACK
	align	4
.table:	MSR	0x174, 0xfffc, 0, BACK			; SYSENTER_CS
	MSR	0x175, 0xdeadbeef, 0, BACK
	MSR	0x176, 0xcafebabe, 0, BACK
	MSR	0x277, 0x00070406, 0x00070406, BACK	; PAT
	MSR	0x277, 0x01050406, 0x00070406, BACK
	MSR	0x277, 0x00070402, 0x00070406, E_GP	; types 2, 3 and from 8 on
	MSR	0x277, 0x00070406, 0x03070406, E_GP
	MSR	0x277, 0x00080406, 0x00070406, E_GP
	MSR	0x277, 0x00070486, 0x00070406, E_GP
	MSR	0x2ff, 0xc06, 0, BACK			; MTRR_DEF_TYPE
	MSR	0x2ff, 0x106, 0, E_GP
	MSR	0x2ff, 0x1006, 0, E_GP
	MSR	0x2ff, 0x006, 1, E_GP
	MSR	0x2ff, 0x002, 0, E_GP
	MSR	0x2ff, 0x007, 0, E_GP
	MSR	0x200, 0x12345006, 0, BACK		; PHYSBASE0
	MSR	0x200, 0x12345106, 0, E_GP
	MSR	0x200, 0x12345003, 0, E_GP
	MSR	0x200, 0x12345006, 0x80000000, E_GP
	MSR	0x201, 0xfffff800, 0xf, BACK		; PHYSMASK0
	MSR	0x201, 0xfffff801, 0xf, E_GP
	MSR	0x201, 0xfffff800, 0x80000000, E_GP
	MSR	0x250, 0x06060606, 0x06060606, BACK	; FIX64K
	MSR	0x250, 0x06060206, 0x06060606, E_GP
	MSR	0x26f, 0x05050505, 0x00010406, BACK
	MSR	0x26f, 0x05050505, 0x07010406, E_GP	; UC- is of the PAT only
	MSR	0xfe, 0x508, 0, E_GP			; MTRRCAP
	MSR	0x179, 0, 0, E_GP			; MCG_CAP
	MSR	0xc0000080, 0, 0, BACK			; EFER
	MSR	0xc0000080, 0x800, 0, BACK		; NXE
	MSR	0xc0000080, 2, 0, E_GP
	MSR	0xc0000080, 0x200, 0, E_GP
	MSR	0xc0000080, 0, 0x80000000, E_GP
	MSR	0xc0000081, 0, 0, E_GP			; STAR and the like: without LM none
	MSR	0xc0000082, 0, 0, E_GP
	MSR	0xc0000100, 0, 0, E_GP
	MSR	0xc0000102, 0, 0, E_GP
	MSR	0x480, 0, 0, E_GP			; VMX
	MSR	0xda0, 0, 0, E_GP			; XSS
	MSR	0x12345678, 0, 0, E_GP
	MSR	0x40000070, 0, 0, E_GP
	MSR	0xffffffff, 0, 0, E_GP
.table_end:

; Leaves agree with each other and with MSRs.
msr_values:
	mov	eax, 1
	cpuid
	mov	esi, edx
	mov	eax, 0x80000001
	cpuid
	; bits that AMD repeats, if at all: those of leaf 1
	and	edx, 0x0183f3ff
	jz	.intel
	and	esi, 0x0183f3ff
	ASSERT	edx, esi
.intel:	mov	ecx, 0xfe
	rdmsr
	ASSERT	al, 8
	; a leaf that is too high gives the highest one, or zeros; none faults
	mov	eax, 0x7fffffff
	xor	ecx, ecx
	cpuid
	mov	eax, 0x8fffffff
	cpuid
	; at any CPL, and the upper half of nothing is kept
	xor	eax, eax
	mov	ecx, 3
	mov	edx, .snippet
	call	run
	ASSERT	dword [got_vector], BACK
	xor	eax, eax
	cpuid
	ASSERT	eax, [got_eax]
	ASSERT	ebx, [got_ebx]
	ASSERT	ecx, [got_ecx]
	ASSERT	edx, [got_edx]
	; the ID flag can be changed: iret_flags
	ret
.snippet:
	cpuid
	int	BACK

; CR4.TSD, RDPMC without CR4.PCE
tsc:	mov	ecx, 3
	mov	edx, .rdtsc
	call	run
	ASSERT	dword [got_vector], BACK
	mov	eax, [cr4_]
	or	eax, 4
	mov	cr4, eax
	mov	ecx, 3
	mov	edx, .rdtsc
	call	run
	ASSERT	dword [got_vector], E_GP
	ASSERT	dword [got_error], 0
	mov	ecx, 1
	mov	edx, .rdtsc
	call	run
	ASSERT	dword [got_vector], E_GP
	xor	ecx, ecx
	mov	edx, .rdtsc
	call	run
	ASSERT	dword [got_vector], BACK
	mov	eax, [cr4_]
	mov	cr4, eax
	mov	ecx, 3
	mov	edx, .rdtsc
	call	run
	ASSERT	dword [got_vector], BACK
	mov	ecx, 3
	mov	edx, .rdpmc
	call	run
	ASSERT	dword [got_vector], E_GP
	ret
.rdtsc:	rdtsc
	int	BACK
.rdpmc:	xor	ecx, ecx
	rdpmc
	int	BACK
