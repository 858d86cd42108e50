; SPDX-License-Identifier: GPL-2.0-or-later
; 4-level paging (SDM vol. 3, 4.5 to 4.7): R/W, U/S and XD of all four levels together, pages of 1 GiB and 2 MiB, reserved bits, accessed and dirty bits, error codes, WP, SMEP,
; SMAP, and linear addresses of compatibility mode.
%include "programs/long.inc"

T	equ TABLES		; its tables: T, T + 1000h, T + 2000h under PML4 entry 1
SLOT	equ 1 << 39
PAGE_	equ SLOT + (3 << 30) + (5 << 21) + (7 << 12)
E4	equ PML4 + 8
E3	equ T + 3 * 8
E2	equ T + 0x1000 + 5 * 8
E1	equ T + 0x2000 + 7 * 8
FRAME	equ FRAMES		; holds RET
combination equ V + 0x10
want	equ V + 0x18		; error code, or -1
got	equ V + 0x20

; all of the slot anew, rights of all levels, nothing accessed
%macro FRESH 0
	mov	qword [E4], T|P|W|U
	mov	qword [E3], (T + 0x1000)|P|W|U
	mov	qword [E2], (T + 0x2000)|P|W|U
	mov	qword [E1], FRAME|P|W|U
	FLUSH
%endmacro

%macro FLUSH 0
	mov	rax, cr3
	mov	cr3, rax
%endmacro

; error code, instruction on [RBX]; CR2 is PAGE_
%macro PF 2+
	mov	rbx, PAGE_
	RAISES	E_PF, %1, %2
	mov	rbx, PAGE_
	ASSERT	[got_cr2], rbx
%endmacro

%macro PF_FETCH 1
	mov	rbx, PAGE_
	mov	rdx, jump
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], %1
	mov	rbx, PAGE_
	ASSERT	[got_rip], rbx
	ASSERT	[got_cr2], rbx
%endmacro

%macro FINE 1+
	mov	rbx, PAGE_
	WORKS	%1
%endmacro

LONG_PROGRAM
	mov	byte [FRAME], 0xc3
	FRESH
	call	rights
	call	reserved
	call	large
	call	bits_
	call	supervisor
	call	narrow
	CHECK	{esp, STACK}
	DONE
jump:	jmp	rbx

; Bits 0 to 3: W of the levels, 4 to 7: U, 8 and 9: XD of level 4 and of level 1. Each from ring 0 and 3, read, write, fetch, with and without WP.
rights:	mov	dword [combination], 0
.next:	FRESH
	mov	ebp, [combination]
%macro LEVEL 3	; entry, number, XD's bit or -1
	mov	rax, [%1]
	and	rax, ~(W|U)
	bt	ebp, %2
	jnc	%%no_w
	or	rax, W
%%no_w:	bt	ebp, 4 + %2
	jnc	%%no_u
	or	rax, U
%%no_u:
%if %3 >= 0
	bt	ebp, %3
	jnc	%%no_xd
	bts	rax, 63
%%no_xd:
%endif
	mov	[%1], rax
%endmacro
	LEVEL	E4, 0, 8
	LEVEL	E3, 1, -1
	LEVEL	E2, 2, -1
	LEVEL	E1, 3, 9
	FLUSH
	mov	rax, cr0
	btr	rax, 16
	mov	cr0, rax
	call	accesses
	mov	rax, cr0
	bts	rax, 16
	mov	cr0, rax
	call	accesses
	inc	dword [combination]
	cmp	dword [combination], 1 << 10
	jb	near .next
	FRESH
	mov	rax, cr0
	btr	rax, 16
	mov	cr0, rax
	ret

; R10D: writable, R11D: the user's, R12D: not executable, by the combination; R13D: WP
accesses:
	mov	ebp, [combination]
	mov	eax, ebp
	and	eax, 15
	cmp	eax, 15
	sete	al
	movzx	r10d, al
	mov	eax, ebp
	shr	eax, 4
	and	eax, 15
	cmp	eax, 15
	sete	al
	movzx	r11d, al
	test	ebp, 3 << 8
	setnz	al
	movzx	r12d, al
	mov	rax, cr0
	shr	eax, 16
	and	eax, 1
	mov	r13d, eax
	mov	[V + 0x30], r10
	mov	[V + 0x38], r11
	mov	[V + 0x40], r12
	mov	[V + 0x48], r13
	; ring 0: read
	IN	CODE64, DATA32
	mov	qword [want], -1
	mov	edx, .read
	call	.check
	; write
	mov	qword [want], -1
	mov	eax, [V + 0x30]
	not	eax
	and	eax, [V + 0x48]
	test	eax, 1
	jz	.write0
	mov	qword [want], PF_P|PF_W
.write0:
	mov	edx, .write
	call	.check
	; fetch
	mov	qword [want], -1
	cmp	dword [V + 0x40], 0
	je	.fetch0
	mov	qword [want], PF_P|PF_I
.fetch0:
	mov	edx, .fetch
	call	.check
	; ring 3
	IN	CODE64_3, DATA32_3
	mov	qword [want], -1
	cmp	dword [V + 0x38], 1
	je	.read3
	mov	qword [want], PF_P|PF_U
.read3:	mov	edx, .read
	call	.check
	cmp	dword [V + 0x38], 1
	jne	.denied
	cmp	dword [V + 0x30], 1
	je	.write3
.denied:
	mov	qword [want], PF_P|PF_U|PF_W
.write3:
	mov	edx, .write
	call	.check
	mov	qword [want], -1
	cmp	dword [V + 0x38], 1
	jne	.no_fetch
	cmp	dword [V + 0x40], 0
	je	.fetch3
.no_fetch:
	mov	qword [want], PF_P|PF_U|PF_I
.fetch3:
	mov	edx, .fetch
	call	.check
	IN	CODE64, DATA32
	ret
.check:	mov	rbx, PAGE_
	mov	al, 0xc3
	call	run
	mov	rbx, [want]
	cmp	rbx, -1
	jne	.faults
	ASSERT	qword [got_vector], BACK
	ret
.faults:
	ASSERT	qword [got_vector], E_PF
	ASSERT	[got_error], rbx
	mov	rbx, PAGE_
	ASSERT	[got_cr2], rbx
	ret
.read:	mov	al, [rbx]
	int	BACK
.write:	mov	[rbx], al
	int	BACK
.fetch:	call	rbx
	int	BACK

; Bits 51 to 40 in each entry that is present, 7 in the upper two levels, XD without NXE; none in what is absent.
reserved:
	mov	ecx, EFER
	rdmsr
%macro RESERVED 2	; entry, bit
	FRESH
	bts	qword [%1], %2
	FLUSH
	PF	PF_P|PF_RSVD, mov al, [rbx]
	PF	PF_P|PF_RSVD|PF_W, mov [rbx], al
	IN	CODE64_3, DATA32_3
	PF	PF_P|PF_RSVD|PF_U, mov al, [rbx]
	IN	CODE64, DATA32
	btr	qword [%1], 0
	PF	0, mov al, [rbx]
	PF	PF_W, lock xadd [rbx], al
	PF_FETCH PF_I
%endmacro
	RESERVED E4, 51
	RESERVED E4, 40
	RESERVED E4, 7
	RESERVED E3, 51
	RESERVED E2, 50
	RESERVED E1, 51
	RESERVED E1, 40
	; a reserved bit outranks rights
	FRESH
	bts	qword [E2], 51
	and	qword [E1], ~U
	FLUSH
	IN	CODE64_3, DATA32_3
	PF	PF_P|PF_RSVD|PF_U, mov al, [rbx]
	IN	CODE64, DATA32
	; without NXE
	SET_MSR	EFER, EFER_LME
%macro XD_RESERVED 1
	FRESH
	bts	qword [%1], 63
	FLUSH
	PF	PF_P|PF_RSVD, mov al, [rbx]
	PF_FETCH PF_P|PF_RSVD	; and no I/D bit
%endmacro
	XD_RESERVED E4
	XD_RESERVED E3
	XD_RESERVED E2
	XD_RESERVED E1
	SET_MSR	EFER, EFER_LME|EFER_NXE
	FRESH
	; what is ignored
	mov	rax, 0x7ff0000000000e00
	or	[E1], rax
	or	qword [E4], 0xe00
	FLUSH
	FINE	mov al, [rbx]
	FRESH
	ret

; 2 MiB and 1 GiB, their PAT bit, reserved address bits, offsets.
large:	mov	qword [E2], PS|P|W|U		; 0 to 2 MiB
	FLUSH
	mov	dword [V + 0x80], 0x2a2a2a2a
	mov	rbx, SLOT + (3 << 30) + (5 << 21) + V + 0x80
	ASSERT	dword [rbx], 0x2a2a2a2a
	mov	qword [E2], PS|P|W|U|(1 << 12)	; PAT
	FLUSH
	ASSERT	dword [rbx], 0x2a2a2a2a
%assign n 13
%rep 3
	mov	qword [E2], PS|P|W|U|(1 << n)
	FLUSH
	PF	PF_P|PF_RSVD, mov al, [rbx]
%assign n n + 3
%endrep
	mov	rax, PS|P|W|U|(1 << 20)
	mov	[E2], rax
	FLUSH
	PF	PF_P|PF_RSVD, mov al, [rbx]
	mov	qword [E3], PS|P|W|U
	FLUSH
	mov	rbx, SLOT + (3 << 30) + V + 0x80
	ASSERT	dword [rbx], 0x2a2a2a2a
	mov	qword [E3], PS|P|U
	FLUSH
	IN	CODE64_3, DATA32_3
	mov	rbx, SLOT + (3 << 30) + V + 0x80
	RAISES	E_PF, PF_P|PF_U|PF_W, mov [rbx], al
	IN	CODE64, DATA32
	mov	rax, PS|P|W|U|(1 << 29)
	mov	[E3], rax
	FLUSH
	PF	PF_P|PF_RSVD, mov al, [rbx]
	mov	qword [E3], PS|P|W|U|(1 << 21)
	FLUSH
	PF	PF_P|PF_RSVD, mov al, [rbx]
	FRESH
	ret

; A in all levels by any access, D in the last one by writes; nothing by what faults.
bits_:	FRESH
	FINE	mov al, [rbx]
	ASSERT	qword [E4], T|P|W|U|A
	ASSERT	qword [E3], (T + 0x1000)|P|W|U|A
	ASSERT	qword [E2], (T + 0x2000)|P|W|U|A
	ASSERT	qword [E1], FRAME|P|W|U|A
	FINE	mov byte [rbx], 0xc3
	ASSERT	qword [E2], (T + 0x2000)|P|W|U|A
	ASSERT	qword [E1], FRAME|P|W|U|A|D
	FRESH
	and	qword [E1], ~U
	FLUSH
	IN	CODE64_3, DATA32_3
	PF	PF_P|PF_U|PF_W, mov [rbx], al
	ASSERT	qword [E1], FRAME|P|W
	IN	CODE64, DATA32
	FRESH
	mov	qword [E2], PS|P|W|U
	FLUSH
	FINE	mov byte [rbx + V + 0x90 - 0x7000], 1
	ASSERT	qword [E2], PS|P|W|U|A|D
	FRESH
	ret

; SMEP and SMAP.
supervisor:
	mov	rax, cr4
	mov	[V + 0x50], rax
	; the program itself is the user's: its pages become the supervisor's
	mov	edi, PT
.mine:	and	qword [rdi], ~U
	add	edi, 8
	cmp	edi, PT + 0x1000
	jb	.mine
	mov	rax, [V + 0x50]
	or	rax, CR4_SMEP
	mov	cr4, rax
	PF_FETCH PF_P|PF_I
	FINE	mov al, [rbx]
	mov	rax, [V + 0x50]
	or	rax, CR4_SMAP|CR4_SMEP
	mov	cr4, rax
	PF	PF_P, mov al, [rbx]
	PF	PF_P|PF_W, mov [rbx], al
	PF_FETCH PF_P|PF_I
	mov	qword [run_flags], 2|AC
	FINE	mov al, [rbx]
	FINE	mov byte [rbx], 0xc3
	PF_FETCH PF_P|PF_I
	; the processor's own accesses: never
	DESCRIPTOR X, PAGE_ & 0xffffffff, 0xff, 0x82, 0
	DESCRIPTOR_HIGH X, PAGE_ >> 32, 0
	mov	eax, X
	lldt	ax
	mov	rdx, .segment
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_error], PF_P
	mov	qword [run_flags], 2
	mov	rbx, PAGE_
	mov	edx, .stac
	call	run
	ASSERT	qword [got_vector], E_PF
	ASSERT	qword [got_rip], AT(.clac_read)
	; of supervisor pages it says nothing
	and	qword [E1], ~U
	FLUSH
	FINE	mov al, [rbx]
	mov	rax, [V + 0x50]
	mov	cr4, rax		; before this code is the user's again
	mov	edi, PT
.theirs: or	qword [rdi], U
	add	edi, 8
	cmp	edi, PT + 0x1000
	jb	.theirs
	FRESH
	ret
.smap:	mov	al, [rbx]
	int	BACK
.segment:
	mov	eax, 4
	mov	ds, ax
	int	BACK
.stac:	stac
	mov	al, [rbx]
	clac
.clac_read:
	mov	al, [rbx]
	int	BACK

; Compatibility mode: 32 bits, whatever base and offset come to; 64-bit code with 32-bit addresses as well.
narrow:	mov	dword [V + 0xa0], 0x12345678
	DESCRIPTOR X, 0xfffff000, 0xfffff, 0xf3, 0xc
	IN	CODE32_3, DATA32_3
	mov	eax, X|3
	mov	fs, ax
	mov	ebx, V + 0xa0 + 0x1000
	WORKS	db 0x64, 0x8b, 0x0b		; MOV ECX, FS:[EBX]
	ASSERT	dword [got_rcx], 0x12345678
	; in 64-bit code base and offset go beyond
	IN	CODE64_3, DATA32_3
	mov	ebx, V + 0xa0 + 0x1000
	RAISES	E_PF, PF_U, mov ecx, [fs:rbx]
	mov	rax, 0x100000000 + V + 0xa0
	ASSERT	[got_cr2], rax
	mov	rbx, 0xfedc00000000 + V + 0xa0
	WORKS	mov ecx, [ebx]
	ASSERT	dword [got_rcx], 0x12345678
	xor	eax, eax
	mov	fs, ax
	IN	CODE64, DATA32
	ret
