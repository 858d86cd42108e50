; SPDX-License-Identifier: GPL-2.0-or-later
; PAE paging: storm.inc.
%define PAE 1
%include "programs/storm/storm.inc"
