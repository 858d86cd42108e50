/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VM as the control socket and the terminal see it: each operation is carried out on the vCPU thread. */
#include "bt/bt.h"
#include "file.h"
#include "profiler.h"
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/picture.h"

static enum vm_status op_status(void *arg)
{
	return vm_status(arg);
}

static void do_stop(void *arg)
{
	vm_pause(arg, VM_PAUSED_BY_USER, true);
}

static void do_cont(void *arg)
{
	vm_pause(arg, VM_PAUSED_BY_USER, false);
}

static void do_reset(void *arg)
{
	struct vm *vm = arg;
	vm->reset_pending = true;
}

static void do_powerdown(void *arg)
{
	struct vm *vm = arg;
	acpi_pm_power_button(&vm->board.acpi);
}

static void do_wakeup(void *arg)
{
	vm_wake(arg);
}

static int call(struct vm *vm, void (*fn)(void *arg), void *arg)
{
	return vm_call(vm, fn, arg) ? 0 : -ECANCELED;
}

static int op_stop(void *arg)
{
	return call(arg, do_stop, arg);
}

static int op_cont(void *arg)
{
	return call(arg, do_cont, arg);
}

static int op_reset(void *arg)
{
	return call(arg, do_reset, arg);
}

static int op_powerdown(void *arg)
{
	return call(arg, do_powerdown, arg);
}

static int op_wakeup(void *arg)
{
	return vm_status(arg) == VM_SUSPENDED ? call(arg, do_wakeup, arg) : -EINVAL;
}

static int op_quit(void *arg)
{
	vm_exit(arg, 0);
	return 0;
}

/* --- the screen --- */

struct render {
	struct vm *vm;
	struct picture *picture;
	struct vga_text_screen *text;
	int rc;
};

static void do_render(void *arg)
{
	struct render *r = arg;
	r->rc = vga_render(&r->vm->board.vga, r->picture);
}

static void do_text(void *arg)
{
	struct render *r = arg;
	r->rc = vga_text_cells(&r->vm->board.vga, r->text);
}

int vm_picture(struct vm *vm, struct picture *out)
{
	struct render r = {.vm = vm, .picture = out};
	return vm_call(vm, do_render, &r) ? r.rc : -ECANCELED;
}

int vm_text_screen(struct vm *vm, struct vga_text_screen *out)
{
	struct render r = {.vm = vm, .text = out};
	return vm_call(vm, do_text, &r) ? r.rc : -ECANCELED;
}

static int op_screendump(void *arg, const char *path, const char *format, char *err, size_t errlen)
{
	struct picture picture = {0};
	int rc = vm_picture(arg, &picture);

	if (!rc)
		rc = strcmp(format, "ppm") ? picture_write_png(&picture, path) : picture_write_ppm(&picture, path);
	if (rc)
		snprintf(err, errlen, "cannot write '%s': %s", path, file_create_error(rc));
	picture_free(&picture);
	return rc;
}

static char *op_text(void *arg)
{
	struct vga_text_screen *screen = malloc(sizeof(*screen));
	char *text = malloc(VGA_TEXT_BYTES);

	if (!screen || !text || vm_text_screen(arg, screen) || vga_text_format(screen, text, VGA_TEXT_BYTES) < 0) {
		free(text);
		text = NULL;
	}
	free(screen);
	return text;
}

/* --- keyboard and mouse --- */

struct input {
	struct vm *vm;
	enum key key;
	bool down;
	const struct vm_pointer *pointer;
	int rc;
};

static void do_key(void *arg)
{
	struct input *in = arg;

	if (in->down)
		vm_wake(in->vm);
	if (!i8042_can_take_key(&in->vm->board.i8042))
		in->rc = -EAGAIN;
	else
		i8042_key(&in->vm->board.i8042, in->key, in->down);
}

int vm_key(struct vm *vm, enum key key, bool down)
{
	struct input in = {.vm = vm, .key = key, .down = down};
	return vm_call(vm, do_key, &in) ? in.rc : -ECANCELED;
}

static int op_key(void *arg, enum key key, bool down)
{
	return vm_key(arg, key, down);
}

static void do_pointer(void *arg)
{
	struct input *in = arg;
	const struct vm_pointer *p = in->pointer;
	i8042_mouse(&in->vm->board.i8042, p->x, p->y, p->wheel, p->buttons);
}

static int op_pointer(void *arg, const struct vm_pointer *p)
{
	struct input in = {.vm = arg, .pointer = p};

	if (p->absolute)
		return -ENOTSUP;
	return vm_call(arg, do_pointer, &in) ? 0 : -ECANCELED;
}

/* --- statistics --- */

struct stats_copy {
	struct vm *vm;
	struct stats *out;
};

static void do_stats(void *arg)
{
	struct stats_copy *c = arg;

	vm_collect_stats(c->vm);
	*c->out = c->vm->stats;
}

static int op_stats(void *arg, struct stats *out)
{
	struct stats_copy c = {.vm = arg, .out = out};
	return call(arg, do_stats, &c);
}

struct memory_request {
	const struct vm *vm;
	struct memory_use *out;
	int rc;
};

static void do_memory(void *arg)
{
	struct memory_request *r = arg;

	r->rc = vm_count_memory(r->vm, r->out);
}

static int op_memory(void *arg, struct memory_use *out)
{
	struct memory_request r = {.vm = arg, .out = out};
	int rc = call(arg, do_memory, &r);

	return rc ? rc : r.rc;
}

static struct json_t *op_profile(void *arg)
{
	struct vm *vm = arg;

	return vm->profiler ? profiler_json(vm->profiler) : NULL;
}

void vm_collect_stats(struct vm *vm)
{
	if (vm->bt)
		bt_collect_stats(vm->bt);
}

struct vm_control_ops vm_control(struct vm *vm)
{
	return (struct vm_control_ops){
	    .arg = vm,
	    .status = op_status,
	    .stop = op_stop,
	    .cont = op_cont,
	    .reset = op_reset,
	    .powerdown = op_powerdown,
	    .wakeup = op_wakeup,
	    .quit = op_quit,
	    .screendump = op_screendump,
	    .key = op_key,
	    .pointer = op_pointer,
	    .text = op_text,
	    .stats = op_stats,
	    .memory = op_memory,
	    .profile = op_profile,
	};
}
