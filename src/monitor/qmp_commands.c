/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: what a command is and what it does. */
#include "qmp_internal.h"
#include "stats_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *qmp_fail(struct qmp_error *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->desc, sizeof(e->desc), fmt, ap);
	va_end(ap);
	return NULL;
}

static json_t *version(void)
{
	int major = 0, minor = 0, micro = 0;

	sscanf(GNOMON_VERSION, "%d.%d.%d", &major, &minor, &micro);
	/* Clients look for the member "qemu"; the package tells who we are. */
	return json_pack("{s{sisisi}ss}", "qemu", "major", major, "minor", minor, "micro", micro, "package",
			 "gnomon-" GNOMON_VERSION);
}

json_t *qmp_greeting(void)
{
	return json_pack("{s{soso}}", "QMP", "version", version(), "capabilities", json_array());
}

static json_t *done(int rc, const char *what, struct qmp_error *e)
{
	return rc ? qmp_fail(e, "%s failed: %s", what, strerror(-rc)) : json_object();
}

static json_t *qmp_capabilities(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	const json_t *enable = json_object_get(args, "enable");

	if (json_array_size(enable)) {
		const char *name = json_string_value(json_array_get(enable, 0));
		return qmp_fail(e, "Capability '%.64s' is not available", name ? name : "?");
	}
	client->negotiated = true;
	return json_object();
}

static json_t *query_commands(struct qmp_client *client, json_t *args, struct qmp_error *e);

static json_t *query_version(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	return version();
}

static json_t *query_status(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	static const char *const names[] = {
	    [VM_RUNNING] = "running",
	    [VM_PAUSED] = "paused",
	    [VM_SUSPENDED] = "suspended",
	    [VM_SHUTDOWN] = "shutdown",
	};
	enum vm_status status = client->qmp->vm->status(client->qmp->vm->arg);

	return json_pack("{sssbsb}", "status", names[status], "running", status == VM_RUNNING, "singlestep", false);
}

/* stop and cont: the event is for a change only. */
static json_t *set_running(struct qmp_client *client, bool run, struct qmp_error *e)
{
	const struct vm_control_ops *vm = client->qmp->vm;
	enum vm_status status = vm->status(vm->arg);
	bool change = (status == VM_RUNNING || status == VM_SUSPENDED) != run;
	int rc = run ? vm->cont(vm->arg) : vm->stop(vm->arg);

	if (!rc && change)
		qmp_emit(client->qmp, run ? QMP_EVENT_RESUME : QMP_EVENT_STOP, false, NULL);
	return done(rc, run ? "cont" : "stop", e);
}

static json_t *stop(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	return set_running(client, false, e);
}

static json_t *cont(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	return set_running(client, true, e);
}

static json_t *system_reset(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	int rc = client->qmp->vm->reset(client->qmp->vm->arg);

	if (!rc)
		qmp_emit(client->qmp, QMP_EVENT_RESET, false, "host-qmp-system-reset");
	return done(rc, "system_reset", e);
}

static json_t *system_powerdown(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	int rc = client->qmp->vm->powerdown(client->qmp->vm->arg);

	if (!rc)
		qmp_emit(client->qmp, QMP_EVENT_POWERDOWN, false, NULL);
	return done(rc, "system_powerdown", e);
}

static json_t *system_wakeup(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	int rc = client->qmp->vm->wakeup(client->qmp->vm->arg);

	if (rc == -EINVAL)
		return qmp_fail(e, "Unable to wake up: guest is not in suspended state");
	return done(rc, "system_wakeup", e);
}

static json_t *quit(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	int rc = client->qmp->vm->quit(client->qmp->vm->arg);

	if (!rc)
		qmp_emit(client->qmp, QMP_EVENT_SHUTDOWN, false, "host-qmp-quit");
	return done(rc, "quit", e);
}

static json_t *screendump(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	const struct vm_control_ops *vm = client->qmp->vm;
	const char *path = json_string_value(json_object_get(args, "filename"));
	const char *format = json_string_value(json_object_get(args, "format"));
	char err[256] = "";
	int rc;

	if (!format)
		format = "ppm"; /* QAPI's default */
	if (strcmp(format, "png") && strcmp(format, "ppm"))
		return qmp_fail(e, "Parameter 'format' does not accept value '%.64s'", format);
	rc = vm->screendump(vm->arg, path, format, err, sizeof(err));
	if (rc)
		return qmp_fail(e, "%s", *err ? err : strerror(-rc));
	return json_object();
}

static json_t *x_text(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	char *text = client->qmp->vm->text(client->qmp->vm->arg);
	json_t *result;

	if (!text)
		return qmp_fail(e, "the screen is in a graphics mode");
	result = json_pack("{ss}", "text", text);
	free(text);
	return result ? result : qmp_fail(e, "the screen's text is not UTF-8");
}

static json_t *x_stats(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	struct stats stats;
	int rc = client->qmp->vm->stats(client->qmp->vm->arg, &stats);

	return rc ? done(rc, "x-stats", e) : stats_json(&stats);
}

static json_t *x_memory(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	struct memory_use use;
	int rc = client->qmp->vm->memory(client->qmp->vm->arg, &use);

	return rc ? done(rc, "x-memory", e) : memory_json(&use);
}

static json_t *x_profile(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	json_t *profile = client->qmp->vm->profile(client->qmp->vm->arg);

	return profile ? profile : qmp_fail(e, "no profile is taken (gnomon run --profile)");
}

/* clang-format off */
static const struct qmp_command {
	const char *name;
	json_t *(*run)(struct qmp_client *client, json_t *args, struct qmp_error *e);
	const char *args;
} commands[] = {
#define QMP_COMMAND(name, function, args) {name, function, args},
#include "qmp_commands.def"
#undef QMP_COMMAND
};
/* clang-format on */

static json_t *query_commands(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		json_array_append_new(list, json_pack("{ss}", "name", commands[i].name));
	return list;
}

static bool has_type(const json_t *value, char type)
{
	switch (type) {
	case 's':
		return json_is_string(value);
	case 'i':
		return json_is_integer(value);
	default:
		return json_is_array(value);
	}
}

/* Arguments against their description: what is missing, of the wrong type, or not expected at all. */
static bool check_args(const char *spec, json_t *args, struct qmp_error *e)
{
	size_t known = 0;

	while (*spec) {
		size_t len = strcspn(spec, ":");
		char name[32], type = spec[len + 1];
		bool optional = spec[len + 2] == '?';
		const json_t *value;

		snprintf(name, sizeof(name), "%.*s", (int)len, spec);
		value = json_object_get(args, name);
		if (!value && !optional)
			return qmp_fail(e, "Parameter '%s' is missing", name);
		if (value && !has_type(value, type))
			return qmp_fail(e, "Invalid parameter type for '%s', expected: %s", name,
					type == 's'   ? "string"
					: type == 'i' ? "integer"
						      : "array");
		known += value != NULL;
		spec += len + 2 + optional;
		spec += *spec == ' ';
	}
	if (known != json_object_size(args))
		return qmp_fail(e, "There is a parameter that this command does not know");
	return true;
}

static json_t *run(struct qmp_client *client, json_t *command, struct qmp_error *e)
{
	json_t *args = json_object_get(command, "arguments"), *result;
	json_t *none = NULL;
	const char *name, *key;
	json_t *value;

	json_object_foreach(command, key,
			    value) if (strcmp(key, "execute") && strcmp(key, "arguments") &&
				       strcmp(key, "id")) return qmp_fail(e, "QMP input member '%.64s' is unexpected",
									  key);
	name = json_string_value(json_object_get(command, "execute"));
	if (!name)
		return qmp_fail(e, "QMP input lacks member 'execute' (a string)");
	if (args && !json_is_object(args))
		return qmp_fail(e, "QMP input member 'arguments' must be an object");
	e->class = "CommandNotFound";
	if (!strcmp(name, "qmp_capabilities") == client->negotiated)
		return client->negotiated ? qmp_fail(e, "Capabilities negotiation is already complete, command ignored")
					  : qmp_fail(e, "Expecting capabilities negotiation with 'qmp_capabilities'");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(name, commands[i].name))
			continue;
		e->class = NULL;
		if (!args)
			args = none = json_object();
		result = check_args(commands[i].args, args, e) ? commands[i].run(client, args, e) : NULL;
		json_decref(none);
		return result;
	}
	return qmp_fail(e, "The command %.64s has not been found", name);
}

json_t *qmp_dispatch(struct qmp_client *client, json_t *command)
{
	struct qmp_error e = {.class = NULL, .desc = "out of memory"};
	json_t *id = json_object_get(command, "id");
	json_t *result = run(client, command, &e);
	json_t *answer;

	if (result)
		answer = json_pack("{so}", "return", result);
	else
		answer = json_pack("{s{ssss}}", "error", "class", e.class ? e.class : "GenericError", "desc", e.desc);
	if (!answer) /* the reason quoted something that is not UTF-8 */
		answer = json_pack("{s{ssss}}", "error", "class", "GenericError", "desc", "the command failed");
	if (id)
		json_object_set(answer, "id", id);
	return answer;
}
