; SPDX-License-Identifier: GPL-2.0-or-later
%define MODE V86
%include "programs/fpu_real.inc"
