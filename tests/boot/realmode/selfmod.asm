; SPDX-License-Identifier: GPL-2.0-or-later
; Code that changes itself: operands, opcodes, the very next instruction, through aliases and odd stores, generated, and beside its data.
%include "program.inc"

main:
	call operands
	call opcodes
	call next
	call aliases
	call stores
	call strings
	call generated
	call neighbours
	call pages
	call vectors
	jmp finish

; An immediate and a displacement that change on each turn.
operands:
	xor dx, dx
	mov cx, 300
.turn:
	mov [.immediate + 1], cx
	mov [.displacement + 2], cx
	add word [.displacement + 2], table
.immediate:
	mov ax, 0
	add dx, ax
.displacement:
	mov bl, [0]		; 8a 1e disp16
	mov al, cl
	xor al, 0x5a
	cmp al, bl
	jne .wrong
	loop .turn
.wrong:
	COMPARE cx, 0, 'displacement changed on each turn'
	COMPARE dx, 300 * 301 / 2, 'immediate changed on each turn'
	ret

; ADD, SUB, XOR, AND in turn at one place; a branch that changes its condition and its target.
opcodes:
	mov ax, 0
	mov bx, 7
	mov cx, 200
.turn:
	mov si, cx
	and si, 3
	mov dl, [.codes + si]
	mov [.op], dl
.op:	add ax, bx
	loop .turn
	COMPARE ax, 0x0000, 'opcode changed on each turn'
	mov cx, 4
	xor ax, ax
.branch_turn:
	mov si, cx
	mov dl, [.conditions + si - 1]
	mov [.branch], dl
	cmp cx, 3
.branch:
	je .taken
	jmp .joined
.taken:
	inc ax
.joined:
	loop .branch_turn
	COMPARE ax, 3, 'condition changed on each turn'
	mov byte [.jump + 1], .two - .jump - 2
.jump:	jmp short .one
.one:	mov ax, 1
	jmp .end
.two:	mov ax, 2
.end:
	COMPARE ax, 2, 'target changed'
	mov byte [.jump + 1], .one - .jump - 2
	ret
.codes:		db 0x01, 0x29, 0x31, 0x21	; add, sub, xor, and ax, bx
; for CX = 1 (below), 2 (below), 3 (equal), 4 (above): JE no, JB yes, JE yes, JA yes
.conditions:	db 0x74, 0x72, 0x74, 0x77

; The next instruction, in a straight line: a processor sees it at once.
next:
	mov cx, 50
	xor dx, dx
.turn:
	mov byte [.a + 1], 0x11
.a:	mov al, 0
	mov byte [.a + 1], 0
	mov [.b + 1], cl
.b:	mov ah, 0
	add dx, ax
	loop .turn
	COMPARE dx, (50 * 0x11 + (50 * 51 / 2) * 256) & 0xffff, 'the next instruction'
	; From the middle of a run of NOPs: an instruction that was shorter.
	mov word [.c], 0xc0fe	; inc al
	mov al, 5
.c:	nop
	nop
	COMPARE al, 6, 'two NOPs turned into one instruction'
	mov word [.c], 0x9090
	call .returns
	COMPARE al, 7, 'a NOP turned into RET'
	mov byte [.e], 0x90
	ret
.returns:
	mov al, 7
	mov byte [.e], 0xc3
.e:	nop
	mov al, 8
	ret

; Through other segments.
aliases:
	push es
	mov ax, PROGRAM_SEG - 0x100
	mov es, ax
	mov cx, 20
	xor dx, dx
.turn:
	mov [es:.imm + 1 + 0x1000], cl
.imm:	mov al, 0
	mov ah, 0
	add dx, ax
	mov ax, PROGRAM_SEG + 1
	mov es, ax
	mov [es:.imm2 + 1 - 16], cl
.imm2:	mov al, 0
	mov ah, 0
	add dx, ax
	mov ax, PROGRAM_SEG - 0x100
	mov es, ax
	loop .turn
	COMPARE dx, 2 * 20 * 21 / 2, 'stores through other segments'
	pop es
	ret

; Stores of all kinds onto code.
stores:
	mov cx, 10
.turn:
	; PUSH and CALL write: the stack is on the code.
	mov bp, sp
	mov ax, ss
	mov [.ss], ax
	cli
	mov ax, cs
	mov ss, ax
	mov sp, .pushed + 3
	push cx
	mov sp, bp
	mov ss, [.ss]
	sti
.pushed:
	mov ax, 0		; b8 iw
	COMPARE ax, cx, 'PUSH onto code'
	; XCHG, BTS, XADD, CMPXCHG, INC, SETcc, FISTP, a dword.
	mov al, cl
	xchg [.x1 + 1], al
.x1:	mov dl, 0
	COMPARE dl, cl, 'XCHG onto code'
	mov byte [.x2 + 1], 0
	bts word [.x2 + 1], 3
.x2:	mov dl, 0
	COMPARE dl, 8, 'BTS onto code'
	mov byte [.x3 + 1], 1
	mov dl, cl
	lock xadd [.x3 + 1], dl
.x3:	mov dl, 0
	mov dh, cl
	inc dh
	COMPARE dl, dh, 'XADD onto code'
	mov byte [.x4 + 1], 9
	mov al, 9
	lock cmpxchg [.x4 + 1], cl
.x4:	mov dl, 0
	COMPARE dl, cl, 'CMPXCHG onto code'
	mov byte [.x5 + 1], 0x7f
	inc byte [.x5 + 1]
.x5:	mov dl, 0
	COMPARE dl, 0x80, 'INC onto code'
	stc
	setc [.x6 + 1]
.x6:	mov dl, 0
	COMPARE dl, 1, 'SETC onto code'
	mov [.x7word], cx
	fninit
	fild word [.x7word]
	fistp word [.x7 + 1]
	fwait
.x7:	mov dx, 0
	COMPARE dx, cx, 'FISTP onto code'
	mov [.x8 + 2], ecx
.x8:	mov edx, 0
	COMPARE dx, cx, 'a dword onto code'
	dec cx
	jnz near .turn
	ret
.ss:		dw 0
.x7word:	dw 0

; REP MOVSB and STOSB over the code that follows, and over themselves.
strings:
	mov cx, 5
.turn:
	push cx
	mov si, .version_1
	test cl, 1
	jz .copy
	mov si, .version_2
.copy:
	mov di, .target
	mov cx, .version_2 - .version_1
	rep movsb
.target:
	mov ax, 0
	mov bx, 0
	pop cx
	test cl, 1
	jz .even
	COMPARE ax, 0x2222, 'REP MOVSB ahead of itself: odd'
	jmp .next
.even:
	COMPARE ax, 0x1111, 'REP MOVSB ahead of itself: even'
.next:
	add ax, 1
	COMPARE ax, bx, 'REP MOVSB ahead of itself: second instruction'
	dec cx
	jnz near .turn
	; Onto itself.
	mov word [.self], 0xaaf3
	mov word [.self + 2], 0x9090
	mov di, .self
	mov al, 0x90
	mov cx, 4
.self:	rep stosb
	nop
	nop
	cmp di, .self + 2	; the rest of it, or what it has turned into: NOP, STOSB
	EXPECT ae, 'REP STOSB over itself'
	ret
.version_1:
	mov ax, 0x1111
	mov bx, 0x1112
.version_2:
	mov ax, 0x2222
	mov bx, 0x2223

; A routine generated anew on each turn, called there.
generated:
	push es
	push word WORK_SEG
	pop es
	mov cx, 200
	xor bp, bp
.turn:
	mov di, 0x500
	mov al, 0xb8		; mov ax, cx
	stosb
	mov ax, cx
	stosw
	mov si, cx
	and si, 7
	inc si
.emit:				; some INC AX
	mov al, 0x40
	stosb
	dec si
	jnz .emit
	mov al, 0xcb		; retf
	stosb
	call WORK_SEG:0x500
	mov dx, cx
	and dx, 7
	inc dx
	add dx, cx
	cmp ax, dx
	jne .wrong
	loop .turn
.wrong:
	COMPARE cx, 0, 'code generated on each turn'
	pop es
	ret

; Data that change all the time on the page, and in the cache line, of the code that runs.
neighbours:
	mov ecx, 60000
	mov dword [.counter], 0
	jmp .turn
	align 4
.counter:	dd 0
.turn:
	inc dword [.counter]
	dec ecx
	jnz .turn
	mov eax, [.counter]
	COMPARE eax, 60000, 'a counter beside its loop'
	; Then the loop itself changes after all.
	mov byte [.change + 1], 2
	mov cx, 1000
	xor ax, ax
.again:
	inc dword [.counter]
.change:
	add al, 1		; 04 ib
	dec cx
	jnz .again
	COMPARE al, 2000 & 0xff, 'then the loop is changed'
	mov byte [.change + 1], 1
	ret

; An instruction across a page border; each half changed.
pages:
	push es
	push word WORK_SEG
	pop es
	mov cx, 10
.turn:
	mov byte [es:0x1ffe], 0xb8	; mov ax, imm16: 1ffe, 1fff | 2000
	mov [es:0x1fff], cl
	mov byte [es:0x2000], 0x33
	mov byte [es:0x2001], 0xcb
	call WORK_SEG:0x1ffe
	mov dh, 0x33
	mov dl, cl
	COMPARE ax, dx, 'across pages'
	mov [es:0x2000], cl
	call WORK_SEG:0x1ffe
	mov dh, cl
	COMPARE ax, dx, 'across pages: the second changed'
	mov byte [es:0x1ffe], 0xba	; mov dx
	mov ax, 0x7777
	mov dx, 0
	call WORK_SEG:0x1ffe
	mov bh, cl
	mov bl, cl
	COMPARE dx, bx, 'across pages: the first changed'
	COMPARE ax, 0x7777, 'across pages: AX left alone'
	dec cx
	jnz .turn
	pop es
	ret

; The interrupt table is data of the processor: entries that change on each turn.
vectors:
	push es
	push word 0
	pop es
	cli
	mov eax, [es:0x60 * 4]
	mov [.old], eax
	mov [es:0x60 * 4 + 2], cs
	mov cx, 20
	xor dx, dx
.turn:
	mov ax, .one
	test cl, 1
	jz .set
	mov ax, .two
.set:
	mov [es:0x60 * 4], ax
	int 0x60
	loop .turn
	mov eax, [.old]
	mov [es:0x60 * 4], eax
	sti
	COMPARE dx, 10 * 1 + 10 * 0x100, 'a vector changed on each turn'
	pop es
	ret
.one:
	inc dl
	iret
.two:
	inc dh
	iret
	align 4
.old:		dd 0

; XOR 5A of each index, for `operands`
table:
%assign i 0
%rep 301
	db (i ^ 0x5a) & 0xff
%assign i i + 1
%endrep
