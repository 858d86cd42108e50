; SPDX-License-Identifier: GPL-2.0-or-later
; long_syscall on one of Intel's processors
%define AMD 0
%include "programs/long_syscall.inc"
