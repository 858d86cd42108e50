/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `gnomon top SOCKET`: what a running VM does, second by second. */
#include "commands.h"
#include "options.h"
#include "phase.h"
#include "qmp_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One look at the VM. */
struct look {
	uint64_t at; /* host_now_ns() */
	json_t *stats;
	json_t *profile; /* NULL: none is taken */
};

static double counter(const json_t *j, const char *name)
{
	return json_number_value(json_object_get(j, name));
}

static int take(struct qmp_conn *conn, struct look *l, char *err, size_t errlen)
{
	int rc = qmp_execute(conn, "x-stats", NULL, &l->stats, err, errlen);

	l->at = host_now_ns();
	l->profile = NULL;
	if (!rc) {
		rc = qmp_execute(conn, "x-profile", NULL, &l->profile, err, errlen);
		if (rc == -EPROTO)
			rc = 0; /* without --profile there is none */
	}
	return rc;
}

static void drop(struct look *l)
{
	json_decref(l->stats);
	json_decref(l->profile);
}

static void print_shares(const struct look *a, const struct look *b, double ns)
{
	const json_t *before = json_object_get(a->profile, "phase_ns"), *now = json_object_get(b->profile, "phase_ns");
	double share[PHASE_SHARE_COUNT] = {0}, sum = 0;

	for (unsigned i = 0; i < PHASE_COUNT; i++)
		share[phase_table[i].share] += counter(now, phase_table[i].name) - counter(before, phase_table[i].name);
	share[PHASE_SHARE_IDLE] += counter(b->profile, "idle_ns") - counter(a->profile, "idle_ns");
	for (unsigned i = 0; i < PHASE_SHARE_HOST; i++)
		sum += share[i];
	share[PHASE_SHARE_HOST] = MAX(ns - sum, 0);
	for (unsigned i = 0; i < PHASE_SHARE_COUNT; i++) {
		double part = MIN(MAX(share[i] / ns, 0), 1);
		printf("  %-32s %6.1f%%  %.*s\n", phase_share_names[i], 100 * part, (int)(part * 40 + 0.5),
		       "########################################");
	}
}

static void print_rates(const struct look *a, const struct look *b, double seconds)
{
	static const char *const shown[] = {
	    "dispatcher_lookups",
	    "dispatcher_misses",
	    "blocks_translated",
	    "link_misses",
	    "indirect_misses",
	    "callouts",
	    "hidden_faults",
	    "true_faults",
	    "exceptions",
	    "interrupts",
	    "halts",
	    "stepped_mmio",
	    "port_reads",
	    "port_writes",
	    "mappings_made",
	    "table_syncs",
	    "flushes",
	};

	printf("\n  %-24s %16s %18s\n", "counter", "a second", "in all");
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		double now = counter(b->stats, shown[i]);
		printf("  %-24s %16.0f %18.0f\n", shown[i], (now - counter(a->stats, shown[i])) / seconds, now);
	}
}

static void show(const struct look *a, const struct look *b, bool screen)
{
	double ns = (double)(b->at - a->at);

	if (screen)
		printf("\033[H\033[J"); /* from the top of an empty screen */
	printf("Gnomon: ");
	if (json_object_get(b->stats, "insns_executed")) /* else they are not counted */
		printf("%.0f million guest instructions a second; ",
		       (counter(b->stats, "insns_executed") - counter(a->stats, "insns_executed")) / ns * 1e3);
	printf("cache %.1f of %.1f MiB, %.0f blocks\n\n", counter(b->stats, "cache_bytes_used") / (double)MiB,
	       counter(b->stats, "cache_bytes_total") / (double)MiB, counter(b->stats, "blocks_live"));
	if (a->profile && b->profile)
		print_shares(a, b, ns);
	else
		printf("  (where time goes is known of VMs that run with --profile)\n");
	print_rates(a, b, ns / 1e9);
	fflush(stdout);
}

static int watch(struct qmp_conn *conn, double interval, bool once)
{
	struct look before, now;
	char err[512];
	int rc = take(conn, &before, err, sizeof(err));
	bool screen = !once && isatty(STDOUT_FILENO);

	while (!rc) {
		usleep((useconds_t)(interval * 1e6));
		rc = take(conn, &now, err, sizeof(err));
		if (rc)
			break;
		show(&before, &now, screen);
		drop(&before);
		before = now;
		if (once || ferror(stdout))
			break;
	}
	if (rc == -ECONNRESET)
		printf("The VM has ended.\n");
	else if (rc)
		say("top: %s", err);
	return rc && rc != -ECONNRESET ? EXIT_FAILED : 0;
}

static int print_help(void)
{
	printf("Usage: gnomon top SOCKET [--once] [--interval SECONDS]\n\n"
	       "Shows what a VM does that was started with `gnomon run --control unix:SOCKET`, every second until "
	       "Ctrl-C.\n"
	       "With --profile it shows where time goes, too.\n\n"
	       "  --once               print one interval and end\n"
	       "  --interval SECONDS   0.1 to 3600 (default 1)\n");
	return EXIT_POWERED_OFF;
}

int command_top(int argc, char *const *argv)
{
	const char *socket = NULL;
	struct qmp_conn conn;
	double interval = 1;
	bool once = false;
	char err[512];
	int status;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return print_help();
		if (!strcmp(argv[i], "--once")) {
			once = true;
		} else if (!strcmp(argv[i], "--interval") && i + 1 < argc) {
			if (parse_seconds(argv[++i], &interval) || interval < 0.1 || interval > 3600) {
				say("top: --interval: '%s' is not a number of seconds from 0.1 to 3600", argv[i]);
				return EXIT_USAGE;
			}
		} else if (*argv[i] == '-' || socket) {
			say("top: unexpected '%s' (gnomon top --help)", argv[i]);
			return EXIT_USAGE;
		} else {
			socket = argv[i];
		}
	}
	if (!socket) {
		say("top takes a socket (gnomon top --help)");
		return EXIT_USAGE;
	}
	if (qmp_connect(&conn, socket, err, sizeof(err))) {
		say("%s", err);
		return EXIT_FAILED;
	}
	status = watch(&conn, interval, once);
	qmp_disconnect(&conn);
	return status;
}
