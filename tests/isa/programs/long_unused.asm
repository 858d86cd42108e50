; SPDX-License-Identifier: GPL-2.0-or-later
; Sites of ring 0 that have gone to page tables and devices, where registers then hold what is no canonical address and is not accessed: pointers of string instructions that go by other ones, or by
; their low half, or no element at all; bases of bit strings whose bit is far away; stores of which nothing is to be stored.
%include "programs/long.inc"

PT_	equ TABLES
PD_	equ TABLES + 0x1000
DATA_	equ TABLES + 0x3000
MEMORY	equ 0x40000
DEVICE	equ 0x2000000
ELSEWHERE	equ 0x1000000000000000	; and what is added: not canonical
AWAY	equ 0x2000000000000000

; The page of the table has to be in use as one.
%macro AS_TABLE 0
	mov	qword [PT_], MEMORY|P|W|U
	mov	rax, cr3
	mov	cr3, rax
	mov	rbx, 0x1_0000_0000
	mov	eax, [rbx]
%endmacro

LONG_PROGRAM
	mov	qword [PDPT + 4 * 8], PD_|P|W|U
	mov	qword [PD_], PT_|P|W|U
	mov	qword [PD + DEVICE / 0x200000 * 8], DEVICE|P|W|U|PS
	mov	r9d, 3
.round:	call	narrow
	call	loads
	call	strings_of_bits
	call	none
	dec	r9d
	jnz	.round
	CHECK	{esp, STACK}
	DONE

; ECX elements by EDI only
narrow:	mov	r8d, 12
.next:	AS_TABLE
	mov	edi, PT_ + 8
	mov	esi, MEMORY
	mov	ecx, 2
	call	.stos
	ASSERT	rdi, PT_ + 10
	mov	edi, PT_ + 8
	mov	esi, MEMORY
	mov	ecx, 2
	call	.movs
	ASSERT	rsi, MEMORY + 2
	dec	r8d
	jnz	.next
	mov	rdi, ELSEWHERE + DATA_
	mov	ecx, 2
	mov	al, 0x55
	call	.stos
	ASSERT	rdi, DATA_ + 2
	ASSERT	word [DATA_], 0x5555
	mov	rdi, ELSEWHERE + DATA_
	mov	rsi, AWAY + DATA_ + 1
	mov	ecx, 1
	call	.movs
	ASSERT	rdi, DATA_ + 1
	ASSERT	rsi, DATA_ + 2
	ret
.stos:	a32 rep	stosb
	ret
.movs:	a32 rep	movsb
	ret

; RDI is not theirs
loads:	mov	r8d, 12
.next:	mov	esi, DEVICE
	mov	ecx, 1
	call	.lods
	dec	r8d
	jnz	.next
	mov	rdi, ELSEWHERE
	mov	esi, DATA_
	mov	word [DATA_], 0x5678
	mov	ecx, 2
	call	.lods
	ASSERT	al, 0x56
	ASSERT	rsi, DATA_ + 2
	mov	rax, ELSEWHERE
	ASSERT	rdi, rax
	ret
.lods:	rep	lodsb
	ret

; The bit is 2^62 bits before
strings_of_bits:	mov	r8d, 12
.next:	AS_TABLE
	mov	edi, PT_ + 8
	mov	eax, 3
	call	.bts
	dec	r8d
	jnz	.next
	mov	qword [DATA_], 0
	mov	rdi, (ELSEWHERE >> 1) + DATA_
	mov	rax, -(ELSEWHERE >> 1) * 8 + 5
	call	.bts
	ASSERT	qword [DATA_], 1 << 5
	ret
.bts:	bts	[rdi], rax
	ret

; RCX is 0
none:	mov	r8d, 12
.next:	AS_TABLE
	mov	edi, PT_ + 8
	mov	ecx, 2
	call	.stos
	dec	r8d
	jnz	.next
	mov	rdi, ELSEWHERE + DATA_
	xor	ecx, ecx
	call	.stos
	mov	rax, ELSEWHERE + DATA_
	ASSERT	rdi, rax
	ret
.stos:	rep	stosb
	ret
