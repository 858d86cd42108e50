; SPDX-License-Identifier: GPL-2.0-or-later
; long_syscall on one of AMD's processors
%define AMD 1
%include "programs/long_syscall.inc"
