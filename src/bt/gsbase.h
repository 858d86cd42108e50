/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GS.base of the calling thread. */
#ifndef GNOMON_BT_GSBASE_H
#define GNOMON_BT_GSBASE_H

#include <stdbool.h>

/* Does the host let user mode write it by instruction? */
bool bt_can_wrgsbase(void);
void bt_set_gs_base(unsigned long base);

#endif
