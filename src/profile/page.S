/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of `gnomon report --html`, as text. */
	.section .rodata
	.globl profile_page, profile_page_end
profile_page:
	.incbin PROFILE_PAGE
profile_page_end:
	.byte 0
	.section .note.GNU-stack, "", @progbits
