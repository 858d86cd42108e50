/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: the QEMU Machine Protocol (QEMU's docs/interop/qmp-spec), as existing clients speak it, with a
 * few commands of ours (x-...). The commands are in qmp_commands.def. Runs on the I/O thread; several clients at a
 * time.
 */
#ifndef GNOMON_MONITOR_QMP_H
#define GNOMON_MONITOR_QMP_H

#include "control.h"
#include "iothread.h"

struct qmp;

enum qmp_event {
	QMP_EVENT_SHUTDOWN,
	QMP_EVENT_RESET,
	QMP_EVENT_STOP,
	QMP_EVENT_RESUME,
	QMP_EVENT_POWERDOWN,
	QMP_EVENT_SUSPEND,
	QMP_EVENT_WAKEUP,
};

/*
 * Listens at path; before the I/O thread starts. io, vm and what it points to must outlive it. NULL on failure, with
 * one line in err.
 */
struct qmp *qmp_open(struct iothread *io, const struct vm_control_ops *vm, const char *path, char *err, size_t errlen);

/* After the I/O thread has ended: sends what is left as far as clients take it, and removes the socket. NULL: nothing.
 */
void qmp_close(struct qmp *qmp);

/*
 * Any thread: tells clients of what the guest or the user at the terminal did (by_guest says which). What a QMP command
 * caused is told without that. SHUTDOWN and RESET carry the reason, one of QAPI's ShutdownCause ("guest-shutdown",
 * "guest-reset", "host-signal", "host-ui" ...), a string that must stay. NULL qmp: nothing.
 */
void qmp_notify(struct qmp *qmp, enum qmp_event event, bool by_guest, const char *reason);

#endif
