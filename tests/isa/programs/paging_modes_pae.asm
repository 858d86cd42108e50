; SPDX-License-Identifier: GPL-2.0-or-later
%define PAE 1
%include "programs/paging_modes.inc"
