; SPDX-License-Identifier: GPL-2.0-or-later
%define MODE REAL
%include "programs/fpu_real.inc"
