; SPDX-License-Identifier: GPL-2.0-or-later
; 32-bit paging: paging_known.inc.
%define PAE 0
%include "programs/paging_known.inc"
