; SPDX-License-Identifier: GPL-2.0-or-later
; Test kernels for `gnomon test`, one for each way to end: -DPASSES, -DFAILS ... (CMakeLists.txt). What they print goes to
; the first serial port.

COM1            equ 3f8h
DEBUG_EXIT      equ 0f4h

MULTIBOOT_MAGIC equ 1badb002h
BOOTED          equ 2badb002h           ; in EAX
INFO_MEM_UPPER  equ 8                   ; in what EBX points to
INFO_CMDLINE    equ 16

                bits 32
                section .text align=4
                dd MULTIBOOT_MAGIC, 3, -(MULTIBOOT_MAGIC + 3)

                global start
start:          mov esp, stack_end
                cmp eax, BOOTED
                jne bad
                mov esi, text
                call print
%ifdef PASSES
                xor eax, eax
                jmp exit
%elifdef FAILS
                mov eax, 1
                jmp exit
%elifdef SKIPS
                mov eax, 77 >> 1
                jmp exit
%elifdef ABORTS
                mov eax, 127 >> 1
                jmp exit
%elifdef HANGS
                jmp $
%elifdef TRIPLE_FAULTS
                lidt [no_idt]
                int3
%elifdef RESETS
                mov al, 0feh
                out 64h, al
                jmp $
%elifdef FLOODS
.again:         mov esi, text
                call print
                jmp .again
%elifdef POWERS_OFF                     ; S5 by the PIIX4's PM1a control, whose base is in register 40h of 00:01.3
                mov dx, 0cf8h
                mov eax, 80000b40h
                out dx, eax
                mov dx, 0cfch
                in eax, dx
                and eax, 0ffc0h
                lea edx, [eax + 4]
                mov ax, 2000h
                out dx, ax
                jmp $
%elifdef ECHOES                         ; its command line, behind the kernel's name, as the name of a test
                mov esi, [ebx + INFO_CMDLINE]
                call print
                mov esi, newline
                call print
                xor eax, eax
                jmp exit
%elifdef LOOKS                          ; at what suites expect of a machine
                mov edi, ebx
                mov dx, 0e0h            ; pc-testdev: one register at two places
                mov eax, 12345678h
                out dx, eax
                mov dx, 0e9h
                in al, dx
                cmp al, 56h
                jne bad
                mov dword [0ff000ffch], 0cafeh
                cmp word [0ff000ffch], 0cafeh
                jne bad
                mov dx, 510h            ; fw_cfg: one processor
                mov ax, 5
                out dx, ax
                mov dx, 511h
                in al, dx
                cmp al, 1
                jne bad
                mov dx, 510h            ; and memory, as Multiboot says (KiB from 1 MiB), but for the BIOS's tables
                mov ax, 3
                out dx, ax
                mov dx, 511h
                mov ecx, 4
.size:          in al, dx
                ror eax, 8
                loop .size
                sub eax, 100000h
                shr eax, 10
                sub eax, [edi + INFO_MEM_UPPER]
                cmp eax, 256
                ja bad
                mov dx, 2003h           ; an interrupt line, seen in the 8259's request register
                mov al, 1
                out dx, al
                mov al, 0ah
                out 20h, al
                in al, 20h
                test al, 8
                jz bad
                mov dx, 2003h
                mov al, 0
                out dx, al
                xor eax, eax
                jmp exit
%else
%error "no kind of kernel is named"
%endif

bad:            mov esi, bad_text
                call print
                mov eax, 1
exit:           mov dx, DEBUG_EXIT
                out dx, eax
                hlt
                jmp $

; The text at ESI, up to a 0.
print:          mov dx, COM1 + 5
.wait:          in al, dx
                test al, 20h
                jz .wait
                mov dx, COM1
                lodsb
                test al, al
                jz .done
                out dx, al
                jmp print
.done:          ret

                section .data align=4
no_idt:         dw 0
                dd 0
bad_text:       db "FAIL: the machine is not what it should be", 10, 0
newline:        db 10, 0
%ifdef PASSES
text:           db "PASS: one", 13, 10, "PASS: two", 13, 10, "INFO: PASS: not a result", 10, "SUMMARY: 2 tests", 10, 0
%elifdef FAILS
text:           db "PASS: one", 10, "FAIL: <two> & ", 34, "#", 34, " ", 1, 27, "[31m", 0ffh, " ]]>", 10
                db "FAIL: three", 10, "SUMMARY: 3 tests, 2 unexpected failures", 10, 0
%elifdef SKIPS
text:           db "SKIP: nothing to test here", 10, "SUMMARY: 1 tests, 1 skipped", 10, 0
%elifdef ECHOES
text:           db "PASS: ", 0
%else
text:           db "on the way", 10, 0
%endif

                section .bss align=16
                resb 4096
stack_end:
