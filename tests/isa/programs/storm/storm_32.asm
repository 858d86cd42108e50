; SPDX-License-Identifier: GPL-2.0-or-later
; 32-bit paging: storm.inc.
%define PAE 0
%include "programs/storm/storm.inc"
