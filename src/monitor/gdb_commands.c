/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packets of the remote protocol. Handled on the vCPU thread, while the I/O thread waits: they may look at all. */
#include "gdb_internal.h"
#include "gdb_regs.h"
#include "vm.h"

#include <stdlib.h>
#include <string.h>

/* --- how the guest stands --- */

static void put_stop(struct gdb *gdb)
{
	const struct debugger *d = &gdb->debugger;
	static const char *const watch_names[] = {
	    [WATCH_WRITE] = "watch", [WATCH_READ] = "rwatch", [WATCH_READ | WATCH_WRITE] = "awatch"};
	int signal = d->reason == DEBUGGER_INTERRUPT ? GDB_SIGINT
		     : d->reason == DEBUGGER_RESET   ? GDB_SIGABRT
						     : GDB_SIGTRAP;

	gdb_format(&gdb->reply, "T%02xthread:1;", signal);
	if (d->reason == DEBUGGER_WATCHPOINT)
		gdb_format(&gdb->reply, "%s:%llx;", watch_names[d->watch_on], (unsigned long long)d->watch_at);
	if (d->reason == DEBUGGER_BREAKPOINT && gdb->tells_breaks)
		gdb_text(&gdb->reply, debugger_breakpoint_kind(d, d->stop_pc) == 1 ? "hwbreak:;" : "swbreak:;");
}

static void do_tell_stop(void *arg)
{
	struct gdb *gdb = arg;

	if (!debugger_stopped(&gdb->debugger))
		return;
	gdb->running = false;
	put_stop(gdb);
}

void gdb_tell_stop(struct gdb *gdb)
{
	vm_call(gdb->vm, do_tell_stop, gdb);
}

static enum gdb_answer stop_reason(struct gdb *gdb, const char *s)
{
	put_stop(gdb);
	return ANSWER;
}

/* --- running --- */

static enum gdb_answer resume(struct gdb *gdb, bool step)
{
	gdb->running = true;
	debugger_resume(&gdb->debugger, step);
	return NO_ANSWER;
}

/* c, s [address]; C, S signal[;address]: signals mean nothing to a machine. */
static enum gdb_answer resume_at(struct gdb *gdb, const char *s, bool signal, bool step)
{
	uint64_t n;

	if (signal && !gdb_take_number(&s, &n))
		return ANSWER_INVALID;
	if (signal && *s && !gdb_take(&s, ";"))
		return ANSWER_INVALID;
	if (*s) {
		if (!gdb_take_number(&s, &n) || *s)
			return ANSWER_INVALID;
		gdb->vm->cpu.rip = n & size_mask(cpu_code64(&gdb->vm->cpu) ? 8 : 4);
	}
	return resume(gdb, step);
}

static enum gdb_answer cont(struct gdb *gdb, const char *s)
{
	return resume_at(gdb, s, false, false);
}

static enum gdb_answer cont_signal(struct gdb *gdb, const char *s)
{
	return resume_at(gdb, s, true, false);
}

static enum gdb_answer step(struct gdb *gdb, const char *s)
{
	return resume_at(gdb, s, false, true);
}

static enum gdb_answer step_signal(struct gdb *gdb, const char *s)
{
	return resume_at(gdb, s, true, true);
}

/* vCont;rFIRST,END: steps within the range, which saves a reply for each instruction of a line. */
static enum gdb_answer step_range(struct gdb *gdb, const char *s)
{
	uint64_t first, end;

	if (!gdb_take_range(&s, &first, &end) || (*s && *s != ':' && *s != ';'))
		return ANSWER_INVALID;
	gdb->running = true;
	debugger_step_range(&gdb->debugger, first, end);
	return NO_ANSWER;
}

/* vCont;action[:thread];... With one thread, the first that there is counts. */
static enum gdb_answer vcont(struct gdb *gdb, const char *s)
{
	switch (*s) {
	case 'c':
	case 'C':
		return resume(gdb, false);
	case 's':
	case 'S':
		return resume(gdb, true);
	case 'r':
		return step_range(gdb, s + 1);
	default:
		return ANSWER_INVALID;
	}
}

static enum gdb_answer vcont_actions(struct gdb *gdb, const char *s)
{
	gdb_text(&gdb->reply, "vCont;c;C;s;S;r");
	return ANSWER;
}

/* --- breakpoints --- */

static enum gdb_answer set_break(struct gdb *gdb, const char *s, bool set)
{
	static const uint8_t watched[] = {[2] = WATCH_WRITE, [3] = WATCH_READ, [4] = WATCH_READ | WATCH_WRITE};
	uint64_t type, len;
	gva_t at;
	int rc;

	if (!gdb_take_number(&s, &type) || !gdb_take(&s, ",") || !gdb_take_range(&s, &at, &len))
		return ANSWER_INVALID;
	if (type >= ARRAY_LEN(watched))
		return ANSWER; /* empty: there is no such kind */
	if (type < 2)
		rc = debugger_set_breakpoint(&gdb->debugger, at, (unsigned)type, set);
	else
		rc = debugger_set_watchpoint(&gdb->debugger, at, len, watched[type], set);
	return rc == -ENOSPC ? ANSWER_NO_SPACE : rc ? ANSWER_INVALID : ANSWER_OK;
}

static enum gdb_answer insert_break(struct gdb *gdb, const char *s)
{
	return set_break(gdb, s, true);
}

static enum gdb_answer remove_break(struct gdb *gdb, const char *s)
{
	return set_break(gdb, s, false);
}

/* --- the session --- */

static enum gdb_answer supported(struct gdb *gdb, const char *s)
{
	gdb->tells_breaks = strstr(s, "swbreak+") && strstr(s, "hwbreak+");
	gdb_format(&gdb->reply, "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+",
		   GDB_PACKET_MAX);
	return ANSWER;
}

static enum gdb_answer no_ack_mode(struct gdb *gdb, const char *s)
{
	gdb->no_ack = true;
	return ANSWER_OK;
}

static enum gdb_answer read_features(struct gdb *gdb, const char *s)
{
	size_t size, n;
	const char *xml = gdb_target_xml(&size);
	uint64_t offset, len;

	if (!gdb_take_range(&s, &offset, &len))
		return ANSWER_INVALID;
	if (offset >= size) {
		gdb_text(&gdb->reply, "l");
		return ANSWER;
	}
	n = (size_t)MIN(len, size - offset);
	gdb_text(&gdb->reply, n == size - offset ? "l" : "m");
	if (gdb_binary(&gdb->reply, xml + offset, n) < n)
		gdb->reply.data[1] = 'm';
	return ANSWER;
}

static enum gdb_answer monitor_command(struct gdb *gdb, const char *s)
{
	char command[256] = "", *text = NULL;
	size_t len = strlen(s) / 2, size = 0;
	FILE *out;

	if (len >= sizeof(command) || !gdb_take_hex(&s, command, len) || *s)
		return ANSWER_INVALID;
	out = open_memstream(&text, &size);
	if (!out)
		return ANSWER_NO_SPACE;
	gdb_monitor(gdb, command, out);
	fclose(out);
	if (text)
		gdb_hex(&gdb->reply, text, MIN(size, gdb_room(&gdb->reply) / 2));
	free(text);
	return size ? ANSWER : ANSWER_OK;
}

static enum gdb_answer thread_info(struct gdb *gdb, const char *s)
{
	static const char *const activities[] = {"runs", "halted", "waits (MWAIT)", "shut down", "waits for SIPI"};
	const struct cpu *cpu = &gdb->vm->cpu;
	char text[64];
	int n = snprintf(text, sizeof(text), "CPL %u, %s", cpu->cpl, activities[cpu->activity]);

	gdb_hex(&gdb->reply, text, (size_t)n);
	return ANSWER;
}

/* The only thread is 1; 0 and -1 mean any and all. */
static bool is_thread(const char *s)
{
	return !strcmp(s, "1") || !strcmp(s, "01") || !strcmp(s, "0") || !strcmp(s, "-1");
}

static enum gdb_answer select_thread(struct gdb *gdb, const char *s)
{
	return *s && is_thread(s + 1) ? ANSWER_OK : ANSWER_INVALID;
}

static enum gdb_answer thread_alive(struct gdb *gdb, const char *s)
{
	return is_thread(s) ? ANSWER_OK : ANSWER_INVALID;
}

static enum gdb_answer first_threads(struct gdb *gdb, const char *s)
{
	gdb_text(&gdb->reply, "m1");
	return ANSWER;
}

static enum gdb_answer more_threads(struct gdb *gdb, const char *s)
{
	gdb_text(&gdb->reply, "l");
	return ANSWER;
}

static enum gdb_answer current_thread(struct gdb *gdb, const char *s)
{
	gdb_text(&gdb->reply, "QC1");
	return ANSWER;
}

/* At the end of the session the guest is let go and not killed. */
static enum gdb_answer attached(struct gdb *gdb, const char *s)
{
	gdb_text(&gdb->reply, "1");
	return ANSWER;
}

static enum gdb_answer extended_mode(struct gdb *gdb, const char *s)
{
	return ANSWER_OK;
}

static enum gdb_answer restart(struct gdb *gdb, const char *s)
{
	debugger_restart(&gdb->debugger);
	return NO_ANSWER;
}

static enum gdb_answer run_again(struct gdb *gdb, const char *s)
{
	debugger_restart(&gdb->debugger);
	put_stop(gdb);
	return ANSWER;
}

static enum gdb_answer detach(struct gdb *gdb, const char *s)
{
	gdb->leaving = true;
	return ANSWER_OK;
}

static enum gdb_answer kill_guest(struct gdb *gdb, const char *s)
{
	vm_exit(gdb->vm, 0);
	gdb->leaving = true;
	return NO_ANSWER;
}

static enum gdb_answer kill_process(struct gdb *gdb, const char *s)
{
	kill_guest(gdb, s);
	return ANSWER_OK;
}

/* --- all of them --- */

/* exact: nothing follows. running: also while the guest runs, when others are not listened to. */
static const struct row {
	const char *name;
	bool exact, running;
	enum gdb_answer (*handle)(struct gdb *gdb, const char *rest);
} rows[] = {
    {"?", true, false, stop_reason},
    {"g", true, false, gdb_read_registers},
    {"G", false, false, gdb_write_registers},
    {"p", false, false, gdb_read_register},
    {"P", false, false, gdb_write_register},
    {"m", false, false, gdb_read_memory_packet},
    {"M", false, false, gdb_write_memory_packet},
    {"X", false, false, gdb_write_binary_packet},
    {"c", false, false, cont},
    {"C", false, false, cont_signal},
    {"s", false, false, step},
    {"S", false, false, step_signal},
    {"vCont?", true, false, vcont_actions},
    {"vCont;", false, false, vcont},
    {"Z", false, false, insert_break},
    {"z", false, false, remove_break},
    {"qSupported", false, false, supported},
    {"QStartNoAckMode", true, false, no_ack_mode},
    {"qXfer:features:read:target.xml:", false, false, read_features},
    {"qRcmd,", false, false, monitor_command},
    {"qfThreadInfo", true, false, first_threads},
    {"qsThreadInfo", true, false, more_threads},
    {"qThreadExtraInfo,", false, false, thread_info},
    {"qC", true, false, current_thread},
    {"qAttached", false, false, attached},
    {"H", false, false, select_thread},
    {"T", false, false, thread_alive},
    {"!", true, false, extended_mode},
    {"R", false, false, restart},
    {"vRun", false, false, run_again},
    {"vAttach;", false, false, stop_reason},
    {"D", false, true, detach},
    {"k", true, true, kill_guest},
    {"vKill", false, true, kill_process},
};

static bool put_answer(struct gdb_packet *reply, enum gdb_answer answer)
{
	static const uint8_t errors[] = {
	    [ANSWER_INVALID] = GDB_E_INVALID,
	    [ANSWER_FAULT] = GDB_E_FAULT,
	    [ANSWER_NOT_PERMITTED] = GDB_E_NOT_PERMITTED,
	    [ANSWER_NO_SPACE] = GDB_E_NO_SPACE,
	};

	if (answer == ANSWER_OK)
		gdb_text(reply, "OK");
	else if (answer > ANSWER_OK)
		gdb_format(reply, "E%02x", errors[answer]);
	return answer != NO_ANSWER;
}

struct dispatch {
	struct gdb *gdb;
	bool reply;
};

static void do_dispatch(void *arg)
{
	struct dispatch *d = arg;
	struct gdb *gdb = d->gdb;
	const char *s = gdb->in.data;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		const char *rest = s;
		if (!gdb_take(&rest, row->name) || (row->exact && *rest))
			continue;
		d->reply = (!gdb->running || row->running) && put_answer(&gdb->reply, row->handle(gdb, rest));
		return;
	}
	d->reply = !gdb->running; /* empty: not known here */
}

bool gdb_dispatch(struct gdb *gdb)
{
	struct dispatch d = {.gdb = gdb};

	return vm_call(gdb->vm, do_dispatch, &d) && d.reply;
}
