/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM with its user around it: terminal, serial ports, control socket, signals. The VM runs on the calling thread,
 * everything else on the I/O thread.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chardev.h"
#include "file.h"
#include "gdb.h"
#include "hostsig.h"
#include "iothread.h"
#include "options.h"
#include "profiler.h"
#include "qmp.h"
#include "stats_json.h"
#include "trace.h"
#include "tty_display.h"
#include "vm.h"

struct serial_end {
	struct session *s;
	unsigned port;
	struct chardev chardev;
	bool open;
};

struct session {
	struct vm *vm;
	const struct vm_config *cfg;
	struct iothread io;
	bool io_made;
	struct serial_end serial[CONFIG_MAX_SERIALS];
	struct serial_end debugcon[CONFIG_MAX_DEBUGCONS];
	struct serial_end console;
	struct tty_display *tty;
	struct io_watch tty_watch;
	struct io_alarm tty_alarm;
	struct io_alarm timeout;
	struct vm_control_ops control;
	struct qmp *qmp;
	struct profiler *profiler;
	struct gdb *gdb;
	FILE *trace_file, *stats_file;
};

/* --- serial ports, consoles and debug consoles --- */

static void send_byte(void *arg, uint8_t byte)
{
	struct serial_end *e = arg;

	if (e->open)
		chardev_write(&e->chardev, &byte, 1);
}

static void send_block(void *arg, const uint8_t *buf, size_t len)
{
	struct serial_end *e = arg;

	if (e->open)
		chardev_write(&e->chardev, buf, len);
}

struct offer {
	struct uart *uart; /* or the other */
	struct virtio_console *console;
	const uint8_t *buf;
	size_t len, taken;
};

static void do_receive(void *arg)
{
	struct offer *o = arg;
	o->taken = o->uart ? uart_receive(o->uart, o->buf, o->len) : virtio_console_receive(o->console, o->buf, o->len);
}

static size_t serial_input(void *arg, const uint8_t *buf, size_t len)
{
	struct serial_end *e = arg;
	struct offer o = {.uart = &e->s->vm->board.uart[e->port], .buf = buf, .len = len};

	return vm_call(e->s->vm, do_receive, &o) ? o.taken : 0;
}

static size_t console_input(void *arg, const uint8_t *buf, size_t len)
{
	struct serial_end *e = arg;
	struct offer o = {.console = &e->s->vm->board.virtio_console, .buf = buf, .len = len};

	return vm_call(e->s->vm, do_receive, &o) ? o.taken : 0;
}

static void user_quits(void *arg)
{
	struct session *s = arg;

	qmp_notify(s->qmp, QMP_EVENT_SHUTDOWN, false, "host-ui");
	vm_exit(s->vm, EXIT_POWERED_OFF);
}

static void serial_quit(void *arg)
{
	struct serial_end *e = arg;
	user_quits(e->s);
}

/* If what an option names could not be opened, the message begins with the option. */
static int opened_for(const char *option, int rc, char *err, size_t errlen)
{
	char *why = rc ? strdup(err) : NULL;

	if (why)
		snprintf(err, errlen, "%s: %s", option, why);
	free(why);
	return rc;
}

/* input: NULL for ends that take none. */
static int open_end(struct session *s, struct serial_end *e, const char *option, const struct chardev_config *cc,
		    size_t (*input)(void *arg, const uint8_t *buf, size_t len), char *err, size_t errlen)
{
	struct chardev_user user = {.input = input, .quit = serial_quit, .arg = e};
	int rc = chardev_open(&e->chardev, &s->io, cc, &user, err, errlen);

	e->open = rc == 0;
	return opened_for(option, rc, err, errlen);
}

static int open_chardevs(struct session *s, struct vm_chardevs *to, char *err, size_t errlen)
{
	int rc = 0;

	for (unsigned n = 0; n < s->cfg->nserials && !rc; n++) {
		struct serial_end *e = &s->serial[n];
		*e = (struct serial_end){.s = s, .port = n};
		to->serial[n] = (struct board_chardev){.send = send_byte, .arg = e};
		if (s->cfg->serials[n].kind != CHARDEV_NONE)
			rc = open_end(s, e, "--serial", &s->cfg->serials[n], serial_input, err, errlen);
	}
	for (unsigned n = 0; n < s->cfg->ndebugcons && !rc; n++) {
		struct serial_end *e = &s->debugcon[n];
		struct chardev_config cc = {.kind = CHARDEV_FILE, .path = s->cfg->debugcons[n].path};
		*e = (struct serial_end){.s = s, .port = n};
		to->debugcon[n] = (struct board_chardev){.send = send_byte, .arg = e};
		rc = open_end(s, e, "--debugcon", &cc, NULL, err, errlen);
	}
	s->console = (struct serial_end){.s = s};
	to->console = (struct board_chardev){.write = send_block, .arg = &s->console};
	if (!rc && s->cfg->has_console && s->cfg->console.kind != CHARDEV_NONE)
		rc = open_end(s, &s->console, "--console", &s->cfg->console, console_input, err, errlen);
	return rc;
}

static void close_chardevs(struct session *s)
{
	for (unsigned n = 0; n < CONFIG_MAX_SERIALS; n++)
		if (s->serial[n].open)
			chardev_close(&s->serial[n].chardev);
	for (unsigned n = 0; n < CONFIG_MAX_DEBUGCONS; n++)
		if (s->debugcon[n].open)
			chardev_close(&s->debugcon[n].chardev);
	if (s->console.open)
		chardev_close(&s->console.chardev);
}

/* --- the screen in the terminal --- */

static int tty_snapshot(void *arg, struct vga_text_screen *out)
{
	struct session *s = arg;
	return vm_text_screen(s->vm, out);
}

static int tty_picture(void *arg, struct picture *out)
{
	struct session *s = arg;
	return vm_picture(s->vm, out);
}

static void tty_key(void *arg, const char *qcode, bool down)
{
	struct session *s = arg;
	enum key key = key_from_name(qcode);

	if (key != QKEY_NONE)
		vm_key(s->vm, key, down);
}

static void tty_ready(void *arg, short revents)
{
	struct session *s = arg;

	if (tty_display_input(s->tty) < 0)
		iothread_unwatch(&s->io, &s->tty_watch);
}

static void tty_tick(void *arg)
{
	struct session *s = arg;

	tty_display_tick(s->tty);
	iothread_alarm(&s->io, &s->tty_alarm, TTY_DISPLAY_TICK_MS * NS_PER_MS);
}

static int open_tty(struct session *s)
{
	struct tty_display_ops ops = {
	    .arg = s, .snapshot = tty_snapshot, .picture = tty_picture, .key = tty_key, .quit = user_quits};
	int rc = tty_display_create(&s->tty, &ops, STDIN_FILENO, STDOUT_FILENO);

	if (rc) {
		say("--display tty: %s",
		    rc == -ENOTTY ? "standard input and output must be a terminal" : strerror(-rc));
		return rc;
	}
	hostsig_set_last_words(tty_display_emergency_restore);
	s->tty_watch = (struct io_watch){.fd = tty_display_fd(s->tty), .events = POLLIN, .ready = tty_ready, .arg = s};
	s->tty_alarm = (struct io_alarm){.fire = tty_tick, .arg = s};
	rc = iothread_watch(&s->io, &s->tty_watch);
	return rc ? rc : iothread_alarm(&s->io, &s->tty_alarm, TTY_DISPLAY_TICK_MS * NS_PER_MS);
}

/* --- ends --- */

static void caught(void *arg, int signo)
{
	struct session *s = arg;

	if (signo == SIGWINCH)
		return;
	if (signo == SIGXCPU)
		say("the limit of CPU time (ulimit -t) is reached");
	qmp_notify(s->qmp, QMP_EVENT_SHUTDOWN, false, "host-signal");
	vm_exit(s->vm, signo == SIGXCPU ? EXIT_FAILED : EXIT_POWERED_OFF);
}

/* What the guest did to the machine. */
static void tell_clients(void *arg, enum vm_event event)
{
	struct session *s = arg;

	if (event == VM_EVENT_SUSPEND)
		qmp_notify(s->qmp, QMP_EVENT_SUSPEND, true, NULL);
	else if (event == VM_EVENT_WAKE)
		qmp_notify(s->qmp, QMP_EVENT_WAKEUP, true, NULL);
	else if (event == VM_EVENT_POWER_OFF)
		qmp_notify(s->qmp, QMP_EVENT_SHUTDOWN, true, "guest-shutdown");
	else
		qmp_notify(s->qmp, QMP_EVENT_RESET, true, "guest-reset");
}

static void time_is_up(void *arg)
{
	struct session *s = arg;
	vm_exit_for(s->vm, (struct vm_end){.reason = VM_END_TIMEOUT}, EXIT_TIMED_OUT);
}

/* The terminal is the user's again before anything is printed. */
static void before_dump(void *arg)
{
	struct session *s = arg;

	tty_display_emergency_restore();
	for (unsigned n = 0; n < CONFIG_MAX_SERIALS; n++)
		if (s->serial[n].open)
			chardev_panic(&s->serial[n].chardev);
	if (s->console.open)
		chardev_panic(&s->console.chardev);
}

static int open_trace(struct session *s, char *err, size_t errlen)
{
	char bad[32];

	if (s->cfg->trace_file) {
		int rc = file_create_stream(&s->trace_file, "--trace-file", s->cfg->trace_file, false, err, errlen);
		if (rc)
			return rc;
		trace_set_file(s->trace_file);
	}
	return s->cfg->trace ? trace_select(s->cfg->trace, bad, sizeof(bad)) : 0;
}

/* No line is to be missing unsaid. */
static int close_trace(struct session *s)
{
	bool lost;

	if (!s->trace_file)
		return 0;
	trace_set_file(NULL);
	lost = ferror(s->trace_file);
	lost |= fclose(s->trace_file) != 0;
	s->trace_file = NULL;
	if (lost)
		say("--trace-file '%s': not all lines could be written", s->cfg->trace_file);
	return lost ? -EIO : 0;
}

/* Closes the file. */
static int write_stats(struct session *s)
{
	FILE *out = s->stats_file;
	int rc;

	if (!out)
		return 0;
	s->stats_file = NULL;
	rc = stats_json_write(out, &s->vm->stats, &s->vm->memory);
	if (fclose(out) && !rc)
		rc = -errno;
	if (rc)
		say("cannot write the statistics to %s: %s", s->cfg->stats, strerror(-rc));
	return rc;
}

static int open_host(struct session *s, struct vm_chardevs *chardevs, char *err, size_t errlen)
{
	int rc = iothread_init(&s->io);

	if (rc) {
		snprintf(err, errlen, "cannot start: %s", strerror(-rc));
		return rc;
	}
	s->io_made = true;
	rc = iothread_catch_signals(&s->io, caught, s);
	if (!rc && s->cfg->timeout > 0) {
		s->timeout = (struct io_alarm){.fire = time_is_up, .arg = s};
		rc = iothread_alarm(&s->io, &s->timeout, (uint64_t)(s->cfg->timeout * 1e9));
	}
	return rc ? rc : open_chardevs(s, chardevs, err, errlen);
}

static int open_user(struct session *s, char *err, size_t errlen)
{
	int rc = 0;

	s->vm->dump_first = before_dump;
	s->vm->dump_arg = s;
	s->control = vm_control(s->vm);
	s->vm->event = tell_clients;
	s->vm->event_arg = s;
	if (s->cfg->control) {
		s->qmp = qmp_open(&s->io, &s->control, s->cfg->control, err, errlen);
		rc = opened_for("--control", s->qmp ? 0 : -EIO, err, errlen);
	}
	if (!rc && (s->cfg->gdb.path || s->cfg->gdb.host)) {
		s->gdb = gdb_open(&s->io, s->vm, &s->cfg->gdb, err, errlen);
		rc = opened_for("--gdb", s->gdb ? 0 : -EIO, err, errlen);
	}
	/* Before the run, so that hours are not lost for a mistake in a path. */
	if (!rc && s->cfg->stats)
		rc = file_create_stream(&s->stats_file, "--stats", s->cfg->stats, false, err, errlen);
	if (!rc && config_display(s->cfg) == DISPLAY_TTY) {
		rc = open_tty(s);
		if (rc)
			*err = 0;
	}
	return rc;
}

static void close_all(struct session *s, bool vm_made)
{
	iothread_stop(&s->io);
	tty_display_destroy(s->tty);
	qmp_close(s->qmp);
	gdb_close(s->gdb);
	close_chardevs(s);
	profiler_close(s->profiler);
	if (s->io_made)
		iothread_destroy(&s->io);
	if (vm_made)
		vm_destroy(s->vm);
	close_trace(s);
	if (s->stats_file)
		fclose(s->stats_file);
}

static int run(struct session *s, char *err, size_t errlen)
{
	int rc = iothread_start(&s->io);
	bool lost;

	if (!rc)
		rc = vm_run(s->vm);
	iothread_stop(&s->io);
	lost = profiler_close(s->profiler) < 0;
	s->profiler = NULL;
	if (rc < 0)
		vm_run_error(rc, err, errlen);
	lost |= write_stats(s) < 0;
	lost |= close_trace(s) < 0;
	return rc < 0 || lost ? EXIT_FAILED : rc;
}

int vm_main(const struct vm_config *cfg, struct vm_end *end)
{
	struct session *s = calloc(1, sizeof(*s));
	struct vm *vm = aligned_alloc(_Alignof(struct vm), sizeof(*vm));
	struct vm_chardevs chardevs = {0};
	char err[512] = "";
	int status = EXIT_FAILED, rc;
	bool vm_made = false;

	if (end)
		*end = (struct vm_end){.reason = VM_END_FAILED};
	if (!s || !vm) {
		say("out of memory");
		goto out;
	}
	s->cfg = cfg;
	s->vm = vm;
	rc = open_trace(s, err, sizeof(err));
	if (rc)
		goto close;
	rc = open_host(s, &chardevs, err, sizeof(err));
	if (!rc) {
		rc = vm_init(vm, cfg, &chardevs, err, sizeof(err));
		vm_made = rc == 0;
	}
	if (!rc && cfg->profile)
		rc = profiler_open(&s->profiler, vm, &s->io, err, sizeof(err));
	if (!rc)
		rc = open_user(s, err, sizeof(err));
	if (!rc)
		status = run(s, err, sizeof(err));
	if (end && vm_made)
		*end = vm->end;
close:
	close_all(s, vm_made);
	if (*err)
		say("%s", err);
out:
	free(vm);
	free(s);
	return status;
}
