; SPDX-License-Identifier: GPL-2.0-or-later
; SYSENTER of compatibility mode, SYSRET and IRETQ to it
%define AMD 0
%include "programs/long_compat_calls.inc"
