/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP: send-key and input-send-event (QEMU's qapi/ui.json). */
#include "qmp_internal.h"

#include <string.h>

enum {
	HOLD_MS = 100, /* send-key's default */
	HOLD_MAX_MS = 60000,
	MAX_EVENTS = 256, /* of one input-send-event */
};

/* A KeyValue: {"type": "qcode", "data": "ret"} or {"type": "number", "data": 28}. */
static enum key parse_key(const json_t *value, struct qmp_error *e)
{
	const char *type = json_string_value(json_object_get(value, "type"));
	const json_t *data = json_object_get(value, "data");
	enum key key = QKEY_NONE;

	if (type && !strcmp(type, "qcode") && json_is_string(data)) {
		key = key_from_name(json_string_value(data));
		if (key == QKEY_NONE)
			qmp_fail(e, "there is no key '%.64s'", json_string_value(data));
	} else if (type && !strcmp(type, "number") && json_is_integer(data)) {
		json_int_t number = json_integer_value(data);
		key = number >= 0 && number <= 0xff ? key_from_number((unsigned)number) : QKEY_NONE;
		if (key == QKEY_NONE)
			qmp_fail(e, "there is no key with the number %lld", (long long)number);
	} else {
		qmp_fail(e,
			 "a key is {\"type\": \"qcode\", \"data\": NAME} or {\"type\": \"number\", \"data\": NUMBER}");
	}
	return key;
}

json_t *qmp_send_key(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	const json_t *list = json_object_get(args, "keys");
	const json_t *hold = json_object_get(args, "hold-time");
	json_int_t hold_ms = hold ? json_integer_value(hold) : HOLD_MS;
	enum key keys[KEYQUEUE_MAX_CHORD];
	size_t n = json_array_size(list);

	if (!n || n > KEYQUEUE_MAX_CHORD)
		return qmp_fail(e, "Parameter 'keys' takes 1 to %d keys", KEYQUEUE_MAX_CHORD);
	if (hold_ms < 0 || hold_ms > HOLD_MAX_MS)
		return qmp_fail(e, "Parameter 'hold-time' takes 0 to %d milliseconds", HOLD_MAX_MS);
	for (size_t i = 0; i < n; i++) {
		keys[i] = parse_key(json_array_get(list, i), e);
		if (keys[i] == QKEY_NONE)
			return NULL;
	}
	if (keyqueue_chord(&client->qmp->keys, keys, (unsigned)n, (unsigned)hold_ms))
		return qmp_fail(e, "too many keys are waiting to be pressed");
	return json_object();
}

/* What the events of one command come to; moves are added up into one step. */
struct batch {
	bool moved, absolute;
	int x, y, wheel;
	unsigned buttons;
	struct {
		enum key key;
		bool down;
	} keys[MAX_EVENTS];
	unsigned nkeys;
};

static json_t *bad_event(struct qmp_error *e)
{
	return qmp_fail(e, "an event is of type key, btn, rel or abs, with its data (QEMU's InputEvent)");
}

static bool add_key(struct batch *b, const json_t *data, struct qmp_error *e)
{
	const json_t *down = json_object_get(data, "down");
	enum key key = parse_key(json_object_get(data, "key"), e);

	if (key == QKEY_NONE)
		return false;
	if (!json_is_boolean(down))
		return bad_event(e);
	b->keys[b->nkeys].key = key;
	b->keys[b->nkeys++].down = json_is_true(down);
	return true;
}

static bool add_button(struct batch *b, const json_t *data, struct qmp_error *e)
{
	static const char *const names[] = {"left", "right", "middle"};
	const char *name = json_string_value(json_object_get(data, "button"));
	const json_t *down = json_object_get(data, "down");

	if (!name || !json_is_boolean(down))
		return bad_event(e);
	b->moved = true;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i])) {
			b->buttons = json_is_true(down) ? b->buttons | 1u << i : b->buttons & ~(1u << i);
			return true;
		}
	if (!strcmp(name, "wheel-up") || !strcmp(name, "wheel-down")) {
		b->wheel += json_is_true(down) ? (name[6] == 'u' ? -1 : 1) : 0;
		return true;
	}
	return qmp_fail(e, "there is no button '%.64s'", name);
}

static bool add_move(struct batch *b, const json_t *data, bool absolute, struct qmp_error *e)
{
	const char *axis = json_string_value(json_object_get(data, "axis"));
	const json_t *json = json_object_get(data, "value");
	json_int_t value = json_integer_value(json);
	int *to;

	if (!axis || !json_is_integer(json) || (strcmp(axis, "x") && strcmp(axis, "y")))
		return bad_event(e);
	if (value < (absolute ? 0 : -32768) || value > 32767)
		return qmp_fail(e, "%lld is out of range for a %s", (long long)value, absolute ? "position" : "move");
	to = *axis == 'x' ? &b->x : &b->y;
	*to = absolute ? (int)value : *to + (int)value;
	b->moved = true;
	b->absolute |= absolute;
	return true;
}

static bool add_event(struct batch *b, const json_t *event, struct qmp_error *e)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const json_t *data = json_object_get(event, "data");

	if (!type || !json_is_object(data))
		return bad_event(e);
	if (!strcmp(type, "key"))
		return add_key(b, data, e);
	if (!strcmp(type, "btn"))
		return add_button(b, data, e);
	if (!strcmp(type, "rel") || !strcmp(type, "abs"))
		return add_move(b, data, *type == 'a', e);
	return bad_event(e);
}

json_t *qmp_input_send_event(struct qmp_client *client, json_t *args, struct qmp_error *e)
{
	struct qmp *qmp = client->qmp;
	const json_t *events = json_object_get(args, "events");
	struct batch b = {.buttons = qmp->buttons};

	if (json_array_size(events) > MAX_EVENTS)
		return qmp_fail(e, "Parameter 'events' takes %d events at most", MAX_EVENTS);
	/* All or nothing: a batch with a mistake in it does not half happen. */
	for (size_t i = 0; i < json_array_size(events); i++)
		if (!add_event(&b, json_array_get(events, i), e))
			return NULL;
	if (KEYQUEUE_SIZE - qmp->keys.used < b.nkeys)
		return qmp_fail(e, "too many keys are waiting to be pressed");
	for (unsigned i = 0; i < b.nkeys; i++)
		keyqueue_key(&qmp->keys, b.keys[i].key, b.keys[i].down);
	if (b.moved) {
		struct vm_pointer p = {
		    .absolute = b.absolute, .x = b.x, .y = b.y, .wheel = b.wheel, .buttons = b.buttons};
		int rc = qmp->vm->pointer(qmp->vm->arg, &p);
		if (rc)
			return qmp_fail(e, rc == -ENOTSUP ? "this machine has no device for such events"
							  : "the pointing device takes no events now");
		qmp->buttons = b.buttons;
	}
	return json_object();
}
