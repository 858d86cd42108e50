; SPDX-License-Identifier: GPL-2.0-or-later
%define PAE 0
%include "programs/paging_modes.inc"
