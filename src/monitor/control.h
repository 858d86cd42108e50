/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the control socket and the terminal reach the VM, and nothing more. */
#ifndef GNOMON_MONITOR_CONTROL_H
#define GNOMON_MONITOR_CONTROL_H

#include "base.h"
#include "devices/keymap.h"
#include "memory.h"
#include "stats.h"

enum vm_status {
	VM_RUNNING,
	VM_PAUSED,
	VM_SUSPENDED, /* by the guest, to RAM */
	VM_SHUTDOWN,  /* powered off, or on the way out */
};

/* One step of a pointing device. */
struct vm_pointer {
	bool absolute; /* x and y are positions of 0..32767, else movements, right and down positive */
	int x, y;
	int wheel;	  /* towards the user positive */
	unsigned buttons; /* held after this step: bit 0 left, 1 right, 2 middle */
};

/*
 * All are called on the I/O thread and come back when the VM has done it (quit: when it has been told). 0 or a negative
 * errno unless said otherwise. None of them may be NULL.
 */
struct vm_control_ops {
	void *arg;
	enum vm_status (*status)(void *arg);
	int (*stop)(void *arg); /* 0 too if it is stopped already */
	int (*cont)(void *arg);
	int (*reset)(void *arg);
	int (*powerdown)(void *arg); /* presses the ACPI power button */
	int (*wakeup)(void *arg);    /* from suspension; -EINVAL: it is not suspended */
	int (*quit)(void *arg);
	/* format: "png" or "ppm". On error a reason in err (one line). */
	int (*screendump)(void *arg, const char *path, const char *format, char *err, size_t errlen);
	/* -EAGAIN: the keyboard's queue is full; the caller tries again later. */
	int (*key)(void *arg, enum key key, bool down);
	/* -ENOTSUP: no device for it (absolute positions). */
	int (*pointer)(void *arg, const struct vm_pointer *p);
	/* The text screen as UTF-8, a newline after each row; malloc'ed. NULL: the screen is in a graphics mode. */
	char *(*text)(void *arg);
	int (*stats)(void *arg, struct stats *out);
	int (*memory)(void *arg, struct memory_use *out);
	/* What --profile knows so far, as JSON (jansson's json_t, a new reference); NULL: no profile is taken. */
	struct json_t *(*profile)(void *arg);
};

#endif
