/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gdb's `monitor` commands. */
#include "gdb_internal.h"
#include "gdb_regs.h"
#include "vm.h"

#include <string.h>

typedef void command_fn(struct gdb *gdb, const char *rest, FILE *out);
static command_fn help;

static void reset(struct gdb *gdb, const char *rest, FILE *out)
{
	debugger_restart(&gdb->debugger);
	fprintf(out, "The machine has been reset and stands before its first instruction. (flushregs)\n");
}

static void quit(struct gdb *gdb, const char *rest, FILE *out)
{
	vm_exit(gdb->vm, 0);
	gdb->leaving = true;
	fprintf(out, "The VM ends.\n");
}

static void info_registers(struct gdb *gdb, const char *rest, FILE *out)
{
	cpu_dump(out, &gdb->vm->cpu);
}

static void info_status(struct gdb *gdb, const char *rest, FILE *out)
{
	const struct vm *vm = gdb->vm;

	fprintf(out, "engine %s, %.6f s of guest time, stopped by the debugger%s\n", vm->engine->name,
		(double)clock_now(&vm->clock) / 1e9, vm->paused & VM_PAUSED_BY_USER ? " and by the user" : "");
	fprintf(out, "%u breakpoints, %u watchpoints, stop at resets: %s\n", gdb->debugger.nbreakpoints,
		gdb->debugger.watch.count, gdb->debugger.catch_resets ? "on" : "off");
}

static void catch_resets(struct gdb *gdb, const char *rest, FILE *out)
{
	bool on = !strcmp(rest, "on");

	if (!on && strcmp(rest, "off"))
		fprintf(out, "on or off?\n");
	else
		gdb->debugger.catch_resets = on;
}

/* An address as users write it; false with a complaint. */
static bool take_address(const char **s, uint64_t *n, FILE *out)
{
	gdb_take(s, "0x");
	if (gdb_take_number(s, n) && (!**s || **s == ' '))
		return true;
	fprintf(out, "an address in hexadecimal is expected\n");
	return false;
}

static void translate(struct gdb *gdb, const char *rest, FILE *out)
{
	struct translation t;
	uint64_t at;

	if (!take_address(&rest, &at, out))
		return;
	if (!gdb_translate(gdb->vm, at, &t)) {
		fprintf(out, "%llx is not mapped\n", (unsigned long long)at);
		return;
	}
	fprintf(out, "%llx -> %llx, page of %llu KiB: %s, %s%s%s%s%s\n", (unsigned long long)at,
		(unsigned long long)t.gpa, (unsigned long long)t.page_size >> 10, t.user ? "user" : "supervisor",
		t.writable ? "writable" : "read-only", t.executable ? "" : ", no execution", t.global ? ", global" : "",
		t.accessed ? ", accessed" : "", t.dirty ? ", dirty" : "");
}

static void physical(struct gdb *gdb, const char *rest, FILE *out)
{
	enum { WORDS = 16 };
	uint64_t at, left;
	const uint8_t *host;

	if (!take_address(&rest, &at, out))
		return;
	for (unsigned i = 0; i < WORDS; i++, at += 4) {
		host = physmem_host(&gdb->vm->pm, at, &left);
		if (!host || left < 4) {
			fprintf(out, "%s%llx is not memory\n", i % 4 ? "\n" : "", (unsigned long long)at);
			return;
		}
		if (i % 4 == 0)
			fprintf(out, "%08llx:", (unsigned long long)at);
		fprintf(out, " %08x%s", (unsigned)load_le(host, 4), i % 4 == 3 ? "\n" : "");
	}
}

static const struct command {
	const char *name, *argument, *help;
	command_fn *run;
} commands[] = {
    {"help", "", "show this", help},
    {"info registers", "", "all of the CPU's state, with the hidden parts of segments", info_registers},
    {"info status", "", "how the VM stands", info_status},
    {"reset", "", "reset the machine, and stop before its first instruction", reset},
    {"stop-at-reset", "on|off", "stop, with everything as it is, when the guest resets or triple-faults", catch_resets},
    {"translate", "ADDR", "where a linear address leads by the guest's page tables", translate},
    {"xp", "ADDR", "64 bytes of physical memory", physical},
    {"quit", "", "end the VM", quit},
};

static void help(struct gdb *gdb, const char *rest, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "%-14s %-6s  %s\n", commands[i].name, commands[i].argument, commands[i].help);
}

void gdb_monitor(struct gdb *gdb, const char *command, FILE *out)
{
	while (*command == ' ')
		command++;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *rest = command;
		if (!gdb_take(&rest, commands[i].name) || (*rest && *rest != ' '))
			continue;
		while (*rest == ' ')
			rest++;
		if (*rest && !*commands[i].argument)
			fprintf(out, "'%s' takes no argument\n", commands[i].name);
		else
			commands[i].run(gdb, rest, out);
		return;
	}
	fprintf(out, "unknown command; 'monitor help' shows them\n");
}
