/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "phase.h"

const struct phase_info phase_table[PHASE_COUNT] = {
#define PHASE(id, name, share, help) [PHASE_##id] = {name, PHASE_SHARE_##share, help},
#include "phase.def"
#undef PHASE
};

const char *const phase_share_names[PHASE_SHARE_COUNT] = {
    [PHASE_SHARE_USER] = "user code",
    [PHASE_SHARE_KERNEL] = "kernel code",
    [PHASE_SHARE_MONITOR] = "monitor",
    [PHASE_SHARE_TRANSLATOR] = "translator",
    [PHASE_SHARE_DEVICES] = "devices",
    [PHASE_SHARE_IDLE] = "idle",
    [PHASE_SHARE_HOST] = "host (waiting for a processor)",
};
