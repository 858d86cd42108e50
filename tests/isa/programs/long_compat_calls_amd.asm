; SPDX-License-Identifier: GPL-2.0-or-later
; long_compat_calls on one of AMD's processors: SYSCALL
%define AMD 1
%include "programs/long_compat_calls.inc"
