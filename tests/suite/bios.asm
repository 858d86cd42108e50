; SPDX-License-Identifier: GPL-2.0-or-later
; A ROM in the BIOS's place, of -DKIB=64 or 128: says how far it has come at port 80h, then ends by debug-exit.

DEBUG_EXIT      equ 0f4h
POST            equ 80h

                bits 16
                org 0
                times (KIB - 64) * 1024 db 0ffh
start:          mov al, 1
.step:          out POST, al
                inc al
                cmp al, 6
                jne .step
                mov al, KIB / 64
                out DEBUG_EXIT, al
                hlt
                times KIB * 1024 - 16 - ($ - $$) db 0
                jmp 0f000h:0            ; the reset vector
                times KIB * 1024 - ($ - $$) db 0
