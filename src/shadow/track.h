/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces: write protection of guest physical pages that somebody must know writes to.
 */
#ifndef GNOMON_TRACK_H
#define GNOMON_TRACK_H

#include "shadow.h"

/* Who wants to know: a bit of the page's trace byte (physmem_trace). */
enum track_client { TRACK_CODE = 1, TRACK_PAGE_TABLE = 2, TRACK_CLIENTS = 2 };

/*
 * Called before [gpa, gpa + len) of a page traced by the client is overwritten with data, by the CPU or a device; len
 * stays within the page. The callback may release the trace.
 */
typedef void track_fn(void *arg, gpa_t gpa, const uint8_t *data, unsigned len);

/* fn: NULL ends it. The client's traces stay as they are. */
void track_subscribe(struct shadow *sh, enum track_client who, track_fn *fn, void *arg);

/* Write-protects the page in every window. False if it is not RAM (ROM and the like need no trace). */
bool track_protect(struct shadow *sh, gpa_t gpa, enum track_client who);
/* offset: of the page in RAM, since the memory map may have changed meanwhile. */
void track_release(struct shadow *sh, uint64_t offset, enum track_client who);

/* Watches (or no longer watches) [offset, offset + len) of a traced page of RAM: see shadow_watched(). Calls are
 * paired; len at least 1. */
void track_watch(struct shadow *sh, uint64_t offset, unsigned len, bool on);

#endif
