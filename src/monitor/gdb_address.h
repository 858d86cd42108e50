/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_MONITOR_GDB_ADDRESS_H
#define GNOMON_MONITOR_GDB_ADDRESS_H

#include "config.h"

/*
 * "[HOST]:PORT" (also after "tcp:"; without HOST only this machine can connect; an IPv6 address in brackets) or
 * "unix:PATH", either with ",wait" behind it. 0; -EINVAL, with what is wrong in err; -ENOMEM.
 */
int gdb_address_parse(const char *text, struct gdb_config *out, char *err, size_t errlen);

#endif
