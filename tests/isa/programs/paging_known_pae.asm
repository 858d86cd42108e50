; SPDX-License-Identifier: GPL-2.0-or-later
; PAE paging: paging_known.inc.
%define PAE 1
%include "programs/paging_known.inc"
