; SPDX-License-Identifier: GPL-2.0-or-later
; PAE paging: paging_strings.inc.
%define PAE 1
%include "programs/paging_strings.inc"
