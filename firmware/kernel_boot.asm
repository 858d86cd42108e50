; SPDX-License-Identifier: GPL-2.0-or-later
; Option ROM behind --kernel: a boot device that copies pieces of fw_cfg items to where they belong, and enters what is
; there. Which pieces and how to enter, the monitor has written into the table at 40h (src/monitor/kernel_boot.c); how
; kernels are laid out, only the monitor knows. The BIOS finds the ROM as fw_cfg file genroms/gnomon-kernel.bin.
;
; Uses 7000h-7bffh as its stack (nothing is loaded below 8000h), and the BIOS's INT 10h, 12h, 15h, 18h.
	cpu 486
	bits 16
	org 0

ROM_SIZE	equ 2048
STACK_TOP	equ 0x7c00
MAX_SEGMENTS	equ 64
MAX_MMAP	equ 48		; entries of the memory map

FW_CFG_DMA	equ 0x518	; low half of the address; the high half is 0
DMA_ERROR	equ 0x01
DMA_READ	equ 0x02
DMA_SKIP	equ 0x04
DMA_SELECT	equ 0x08
NO_ITEM		equ 0x3fff	; reads as zeros, ZEROS_MAX at a time
ZEROS_MAX	equ 0x100000

; Multiboot information (Multiboot Specification 0.6.96, 3.3), and the memory map that we put behind it
MBI_MEM_LOWER	equ 4
MBI_MEM_UPPER	equ 8
MBI_MMAP_LENGTH	equ 44
MBI_MMAP	equ 128
MMAP_ENTRY	equ 24		; its size (20), then what INT 15h AX=E820h returns
MULTIBOOT_MAGIC	equ 0x2badb002

	db 0x55, 0xaa, ROM_SIZE / 512
	xor ax, ax			; entered here during POST: nothing to set up
	retf
	times 0x18 - ($ - $$) db 0
	dw 0				; no PCI data structure
	dw pnp

; Plug and Play BIOS Specification 1.0a, 3.2
	times 0x20 - ($ - $$) db 0
pnp:	db "$PnP", 1, 2			; revision, length in 16 bytes
	dw 0				; no further header
	db 0, 0				; reserved; checksum: filled in
	dd 0				; device identifier
	dw manufacturer, product
	db 0, 0, 0			; device type
	db 0x04				; device indicators: initial program load device
	dw 0, 0, boot, 0, 0		; boot connection, disconnect, bootstrap entry, reserved, resource info
	times 0x40 - ($ - $$) db 0

; struct rom_table in src/monitor/kernel_boot.c
table:
signature:	db "GNKB"
mode:		dw 0			; 0: real mode, 1: Multiboot
count:		dw 0			; of segments
entry:		dd 0			; Multiboot: EIP
info:		dd 0			; Multiboot: where the information is, below 640 KiB, a multiple of 16
real_segment:	dw 0			; real mode: all segments but CS, which is 20h more; IP is 0
real_sp:	dw 0
segments:	times MAX_SEGMENTS * 20 db 0
; of a segment
SEG_KEY		equ 0			; fw_cfg item
SEG_ADDRESS	equ 4			; where to (physical)
SEG_OFFSET	equ 8			; where in the item it begins
SEG_LENGTH	equ 12
SEG_ZERO	equ 16			; bytes of zeros behind it
SEG_SIZE	equ 20

manufacturer:	db "Gnomon", 0
product:	db "Kernel given with --kernel", 0
failed_text:	db "The kernel could not be loaded.", 13, 10, 0

; Bootstrap entry vector.
boot:
	cli
	cld
	xor ax, ax
	mov ss, ax
	mov sp, STACK_TOP
	sti
	push cs
	pop ds
	mov si, segments
	mov di, [count]
.next:
	test di, di
	jz .loaded
	call load
	jc .failed
	add si, SEG_SIZE
	dec di
	jmp .next
.loaded:
	cmp word [mode], 0
	je enter_real
	jmp enter_multiboot
.failed:
	mov si, failed_text
.print:
	lodsb
	test al, al
	jz .over
	mov ah, 0x0e
	mov bx, 7
	int 0x10
	jmp .print
.over:
	int 0x18			; the next boot device

; The segment at SI. CF: it failed. Keeps SI, DI.
load:
	mov eax, [si + SEG_KEY]
	shl eax, 16
	mov al, DMA_SELECT | DMA_SKIP
	mov ecx, [si + SEG_OFFSET]
	call dma
	jc .out
	mov eax, DMA_READ
	mov ecx, [si + SEG_LENGTH]
	mov ebx, [si + SEG_ADDRESS]
	call dma
	jc .out
	add ebx, [si + SEG_LENGTH]
	mov ebp, [si + SEG_ZERO]
.zero:
	mov ecx, ebp
	cmp ecx, ZEROS_MAX
	jbe .few
	mov ecx, ZEROS_MAX
.few:
	test ecx, ecx			; CF is clear
	jz .out
	mov eax, NO_ITEM << 16 | DMA_SELECT | DMA_READ
	call dma
	jc .out
	add ebx, ecx
	sub ebp, ecx
	jmp .zero
.out:
	ret

; fw_cfg access: EAX control word, ECX length, EBX address. CF: it failed. Keeps all but EAX, EDX.
; The descriptor is big-endian: control, length, address (64 bits).
dma:
	push ebp
	bswap ebx
	push ebx
	bswap ebx
	push dword 0
	bswap ecx
	push ecx
	bswap ecx
	bswap eax
	push eax
	mov bp, sp
	movzx eax, sp			; SS is 0
	bswap eax
	mov dx, FW_CFG_DMA
	out dx, eax
.busy:
	mov eax, [bp]
	bswap eax
	test eax, ~DMA_ERROR
	jnz .busy
	lea sp, [bp + 16]
	pop ebp
	shr eax, 1			; DMA_ERROR
	ret

; Linux boot protocol, 16-bit entry
enter_real:
	cli
	mov ax, [real_segment]
	mov sp, [real_sp]
	mov ss, ax
	add ax, 0x20
	push ax
	push word 0
	mov ax, ss
	mov ds, ax
	mov es, ax
	mov fs, ax
	mov gs, ax
	retf

; Multiboot Specification 0.6.96, 3.2
enter_multiboot:
	call describe_memory
	cli
	in al, 0x92			; A20, should the BIOS have left it masked; bit 0 would reset
	or al, 2
	and al, ~1
	out 0x92, al
	mov ebx, [info]
	mov esi, [entry]
	xor ecx, ecx
	mov cx, cs
	shl ecx, 4
	lea eax, [ecx + gdt]
	push eax
	push word gdt.end - gdt - 1
	mov bp, sp
	o32 lgdt [bp]
	push dword gdt.code - gdt
	add ecx, flat
	push ecx
	mov eax, cr0
	or al, 1
	mov cr0, eax
	o32 retf

	bits 32
flat:
	mov eax, gdt.data - gdt
	mov ds, eax
	mov es, eax
	mov fs, eax
	mov gs, eax
	mov ss, eax
	mov eax, MULTIBOOT_MAGIC
	jmp esi

	bits 16
; Fills in what only the BIOS knows: mem_lower, mem_upper, the memory map.
describe_memory:
	mov eax, [info]
	shr eax, 4
	mov es, ax
	int 0x12			; KiB from 0
	movzx eax, ax
	mov [es:MBI_MEM_LOWER], eax
	xor ebx, ebx
	mov di, MBI_MMAP
.next:
	mov dword [es:di], MMAP_ENTRY - 4
	add di, 4
	mov eax, 0xe820
	mov ecx, MMAP_ENTRY - 4
	mov edx, 'PAMS'			; "SMAP", most significant byte first
	int 0x15
	lea di, [di - 4]
	jc .over
	cmp eax, 'PAMS'
	jne .over
	call note_upper
	add di, MMAP_ENTRY
	test ebx, ebx
	jz .over
	cmp di, MBI_MMAP + MAX_MMAP * MMAP_ENTRY
	jb .next
.over:
	sub di, MBI_MMAP
	movzx edi, di
	mov [es:MBI_MMAP_LENGTH], edi
	ret

; mem_upper: KiB from 1 MiB to the first hole, if the entry at ES:DI is the memory that begins there or before.
note_upper:
	cmp dword [es:di + 20], 1	; type: available
	jne .no
	cmp dword [es:di + 8], 0	; base, high half
	jne .no
	mov eax, [es:di + 4]
	cmp eax, 0x100000
	ja .no
	mov edx, [es:di + 16]		; length, high half
	add eax, [es:di + 12]
	adc edx, 0
	sub eax, 0x100000
	sbb edx, 0
	jc .no
	shrd eax, edx, 10
	mov [es:MBI_MEM_UPPER], eax
.no:
	ret

; Descriptors with their accessed bits set, since this memory is read-only.
	align 8
gdt:	dq 0
.code:	dq 0x00cf9b000000ffff
.data:	dq 0x00cf93000000ffff
.end:

	times ROM_SIZE - ($ - $$) db 0
