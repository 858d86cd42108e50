/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `gnomon ctl SOCKET COMMAND`: the control socket for people and scripts. */
#define _GNU_SOURCE
#include "commands.h"
#include "devices/keymap.h"
#include "memory.h"
#include "options.h"
#include "qmp_client.h"
#include "stats.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TYPE_HOLD_MS = 20,
	TYPE_PACE_MS = 2 * TYPE_HOLD_MS, /* the pace at which the VM presses what we send: its queue never fills */
	POLL_MS = 100,
	START_PATIENCE_MS = 3000,
};

/* One invocation. */
struct ctl {
	struct qmp_conn conn;
	const char *command;
	int argc;
	char *const *argv; /* what follows the command */
	char err[512];
};

/* Executes or complains. */
static int execute(struct ctl *ctl, const char *command, json_t *args, json_t **result)
{
	int rc = qmp_execute(&ctl->conn, command, args, result, ctl->err, sizeof(ctl->err));

	if (rc)
		say("%s: %s", ctl->command, ctl->err);
	return rc ? EXIT_FAILED : 0;
}

static int ctl_plain(struct ctl *ctl)
{
	static const char *const names[][2] = {
	    {"reset", "system_reset"}, {"powerdown", "system_powerdown"}, {"wakeup", "system_wakeup"}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(ctl->command, names[i][0]))
			return execute(ctl, names[i][1], NULL, NULL);
	return execute(ctl, ctl->command, NULL, NULL);
}

/* The string member of a command's result, printed or matched by the caller; *result keeps it alive. */
static int fetch_string(struct ctl *ctl, const char *command, const char *member, json_t **result, const char **text)
{
	int status = execute(ctl, command, NULL, result);

	if (status)
		return status;
	*text = json_string_value(json_object_get(*result, member));
	if (!*text) {
		say("%s: the VM's answer has no %s", ctl->command, member);
		json_decref(*result);
		return EXIT_FAILED;
	}
	return 0;
}

static int ctl_status(struct ctl *ctl)
{
	json_t *result;
	const char *text;
	int status = fetch_string(ctl, "query-status", "status", &result, &text);

	if (!status) {
		puts(text);
		json_decref(result);
	}
	return status;
}

static int ctl_text(struct ctl *ctl)
{
	json_t *result;
	const char *text;
	int status = fetch_string(ctl, "x-text", "text", &result, &text);

	if (!status) {
		fputs(text, stdout);
		json_decref(result);
	}
	return status;
}

/* One look at the screen. A screen in a graphics mode has no text: -EPROTO is no failure here. */
static int look(struct ctl *ctl, const regex_t *regex, bool *found)
{
	json_t *result = NULL;
	const char *text;
	int rc = qmp_execute(&ctl->conn, "x-text", NULL, &result, ctl->err, sizeof(ctl->err));

	*found = false;
	if (rc == -EPROTO)
		return 0;
	if (rc) {
		say("%s: %s", ctl->command, ctl->err);
		return EXIT_FAILED;
	}
	text = json_string_value(json_object_get(result, "text"));
	*found = text && !regexec(regex, text, 0, NULL, 0);
	json_decref(result);
	return 0;
}

static int wait_for(struct ctl *ctl, const regex_t *regex, double seconds)
{
	uint64_t deadline = host_now_ns() + (uint64_t)(seconds * 1e9);

	for (;;) {
		bool found;
		int status = look(ctl, regex, &found);
		if (status || found)
			return status;
		if (host_now_ns() >= deadline) {
			say("wait-text: '%s' did not appear within %g s", ctl->argv[0], seconds);
			return EXIT_TIMED_OUT;
		}
		usleep(POLL_MS * 1000);
	}
}

static int ctl_wait_text(struct ctl *ctl)
{
	double seconds = 30;
	regex_t regex;
	char why[128];
	int rc;

	if (ctl->argc != 1 && (ctl->argc != 3 || strcmp(ctl->argv[1], "--timeout"))) {
		say("wait-text takes REGEX [--timeout S]");
		return EXIT_USAGE;
	}
	if (ctl->argc == 3 && parse_seconds(ctl->argv[2], &seconds)) {
		say("wait-text: --timeout: '%s' is not a number of seconds above 0", ctl->argv[2]);
		return EXIT_USAGE;
	}
	rc = regcomp(&regex, ctl->argv[0], REG_EXTENDED | REG_NEWLINE | REG_NOSUB);
	if (rc) {
		regerror(rc, &regex, why, sizeof(why));
		say("wait-text: '%s': %s", ctl->argv[0], why);
		return EXIT_USAGE;
	}
	rc = wait_for(ctl, &regex, seconds);
	regfree(&regex);
	return rc;
}

static int ctl_screendump(struct ctl *ctl)
{
	const char *file = ctl->argv[0], *dot = strrchr(file, '.');
	char *cwd = *file == '/' ? NULL : getcwd(NULL, 0), *path = NULL;
	int status;

	if (!*file) {
		say("screendump: the file name is empty");
		return EXIT_USAGE;
	}
	/* The VM writes it, and its working directory is another. */
	if (*file == '/')
		path = strdup(file);
	else if (!cwd || asprintf(&path, "%s/%s", cwd, file) < 0)
		path = NULL;
	free(cwd);
	if (!path) {
		say("screendump: cannot tell the working directory");
		return EXIT_FAILED;
	}
	status = execute(
	    ctl, "screendump",
	    json_pack("{ssss}", "filename", path, "format", dot && !strcasecmp(dot, ".png") ? "png" : "ppm"), NULL);
	free(path);
	return status;
}

static void add_key(json_t *keys, enum key key)
{
	json_array_append_new(keys, json_pack("{ssss}", "type", "qcode", "data", key_info(key)->name));
}

/* A key by QMP's name, by what people call it, or by its character. */
static bool add_named_key(json_t *keys, const char *name)
{
	static const char *const others[][2] = {
	    {"enter", "ret"},  {"return", "ret"},   {"escape", "esc"},	{"space", "spc"},     {"del", "delete"},
	    {"ins", "insert"}, {"control", "ctrl"}, {"pageup", "pgup"}, {"pagedown", "pgdn"}, {"super", "meta_l"},
	};
	struct key_chord chord;
	enum key key = key_from_name(name);
	uint32_t ch;
	size_t len;

	for (size_t i = 1; i < QKEY_COUNT && name[0] && name[1] && key == QKEY_NONE; i++)
		if (!strcasecmp(name, key_info((enum key)i)->name)) /* F1, Ctrl */
			key = (enum key)i;
	for (size_t i = 0; i < ARRAY_LEN(others) && key == QKEY_NONE; i++)
		if (!strcasecmp(name, others[i][0]))
			key = key_from_name(others[i][1]);
	if (key != QKEY_NONE) {
		add_key(keys, key);
		return true;
	}
	len = utf8_next(name, strlen(name), &ch);
	if (!len || name[len] || !key_from_char(ch, &chord))
		return false;
	if (chord.shift)
		add_key(keys, QKEY_SHIFT);
	add_key(keys, chord.key);
	return true;
}

/* "ctrl-alt-delete" as an array of keys; NULL after a complaint. */
static json_t *parse_combination(const char *text)
{
	json_t *keys = json_array();
	char *copy = strdup(text), *rest = copy, *word;
	bool good = copy && *text;

	if (good && !strcmp(text, "-")) /* the key itself */
		good = add_named_key(keys, "minus");
	else
		while (good && (word = strsep(&rest, "-")))
			good = *word && add_named_key(keys, word);
	free(copy);
	if (good && json_array_size(keys))
		return keys;
	say("key: '%s' is not a key or a combination such as ctrl-alt-delete", text);
	json_decref(keys);
	return NULL;
}

static int ctl_key(struct ctl *ctl)
{
	json_t *all = json_array(), *keys;
	int status = 0;
	size_t i;

	/* Nothing is pressed unless all of it makes sense. */
	for (int a = 0; a < ctl->argc && !status; a++) {
		keys = parse_combination(ctl->argv[a]);
		if (!keys)
			status = EXIT_USAGE;
		else
			json_array_append_new(all, keys);
	}
	if (!status)
		json_array_foreach(all, i, keys)
		{
			status = execute(ctl, "send-key", json_pack("{sO}", "keys", keys), NULL);
			if (status)
				break;
		}
	json_decref(all);
	return status;
}

/* A character of the text, with \n, \t, \e and \\ for those that are awkward in a shell. Its length in bytes; 0 at the
 * end. */
static size_t next_char(const char *text, uint32_t *ch)
{
	static const char escapes[] = "n\nt\te\033\\\\";

	if (*text == '\\')
		for (const char *e = escapes; *e; e += 2)
			if (text[1] == *e) {
				*ch = (uint8_t)e[1];
				return 2;
			}
	return utf8_next(text, strlen(text), ch);
}

static int ctl_type(struct ctl *ctl)
{
	struct key_chord chord;
	const char *p;
	uint32_t ch;
	size_t len;
	int status = 0;

	for (p = ctl->argv[0]; (len = next_char(p, &ch)); p += len)
		if (!key_from_char(ch, &chord)) {
			say("type: '%.*s' is not on a US keyboard", (int)len, p);
			return EXIT_USAGE;
		}
	for (p = ctl->argv[0]; (len = next_char(p, &ch)) && !status; p += len) {
		json_t *keys = json_array();
		key_from_char(ch, &chord);
		if (chord.ctrl)
			add_key(keys, QKEY_CTRL);
		if (chord.alt)
			add_key(keys, QKEY_ALT);
		if (chord.shift)
			add_key(keys, QKEY_SHIFT);
		add_key(keys, chord.key);
		status = execute(ctl, "send-key", json_pack("{sosi}", "keys", keys, "hold-time", TYPE_HOLD_MS), NULL);
		usleep(TYPE_PACE_MS * 1000);
	}
	return status;
}

static int ctl_stats(struct ctl *ctl)
{
	json_t *result, *value;
	const char *name;
	int status = execute(ctl, "x-stats", NULL, &result);

	if (status)
		return status;
	json_object_foreach(result, name, value)
	{
		const char *help = "";
		for (unsigned i = 0; i < stat_count; i++)
			if (!strcmp(stat_table[i].name, name))
				help = stat_table[i].help;
		printf("%-24s%16lld  %s\n", name, (long long)json_integer_value(value), help);
	}
	json_decref(result);
	return 0;
}

static int ctl_memory(struct ctl *ctl)
{
	json_t *result;
	int status = execute(ctl, "x-memory", NULL, &result);

	if (status)
		return status;
	for (unsigned i = 0; i <= MEMORY_KINDS; i++) {
		const char *name = i < MEMORY_KINDS ? memory_names[i] : "beyond_ram";
		const char *help = i < MEMORY_KINDS ? memory_helps[i] : "all but guest_ram";
		double bytes = (double)json_integer_value(json_object_get(result, name));
		printf("%-24s%12.1f MiB  %s\n", name, bytes / MiB, help);
	}
	json_decref(result);
	return 0;
}

/* clang-format off */
static const struct ctl_row {
	const char *name;
	int (*run)(struct ctl *ctl);
	int min, max;
	const char *arguments, *help;
} rows[] = {
#define CTL(name, function, min, max, arguments, help) {name, function, min, max, arguments, help},
#include "ctl.def"
#undef CTL
};
/* clang-format on */

static int print_help(void)
{
	printf("Usage: gnomon ctl SOCKET COMMAND [ARGUMENTS]\n\n"
	       "Controls a VM that was started with `gnomon run --control unix:SOCKET`.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char left[64];
		snprintf(left, sizeof(left), "%s %s", rows[i].name, rows[i].arguments);
		printf("  %-32s%s\n", left, rows[i].help);
	}
	return 0;
}

static const struct ctl_row *find_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* A VM that has just been started may not have made its socket yet: waiting covers that too. */
static int connect_to(struct ctl *ctl, const char *path, unsigned patience_ms)
{
	uint64_t deadline = host_now_ns() + patience_ms * NS_PER_MS;

	for (;;) {
		int rc = qmp_connect(&ctl->conn, path, ctl->err, sizeof(ctl->err));
		if (!rc)
			return 0;
		if ((rc != -ENOENT && rc != -ECONNREFUSED) || host_now_ns() >= deadline) {
			say("%s", ctl->err);
			return rc;
		}
		usleep(POLL_MS * 1000);
	}
}

int command_ctl(int argc, char *const *argv)
{
	struct ctl ctl = {0};
	const struct ctl_row *row;
	int status;

	for (int i = 0; i < argc && i < 2; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return print_help();
	if (argc < 2) {
		say("ctl takes a socket and a command (gnomon ctl --help)");
		return EXIT_USAGE;
	}
	row = find_row(argv[1]);
	if (!row) {
		say("unknown ctl command '%s' (gnomon ctl --help)", argv[1]);
		return EXIT_USAGE;
	}
	ctl.command = row->name;
	ctl.argc = argc - 2;
	ctl.argv = argv + 2;
	if (ctl.argc < row->min || ctl.argc > row->max) {
		say("%s takes %s", row->name, *row->arguments ? row->arguments : "no arguments");
		return EXIT_USAGE;
	}
	if (connect_to(&ctl, argv[0], row->run == ctl_wait_text ? START_PATIENCE_MS : 0))
		return EXIT_FAILED;
	status = row->run(&ctl);
	qmp_disconnect(&ctl.conn);
	return status;
}
