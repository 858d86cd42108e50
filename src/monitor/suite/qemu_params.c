/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "qemu_params.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../options.h"

struct taking {
	struct qemu_params *p;
	const char *folder;
	char *why;
	size_t whylen;
};

static bool PRINTF_LIKE(2, 3) cannot(struct taking *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->why, t->whylen, fmt, ap);
	va_end(ap);
	return false;
}

/* Does `item` begin like "key=", and what follows? */
static const char *value_of(const char *item, const char *key)
{
	size_t len = strlen(key);
	return !strncmp(item, key, len) && item[len] == '=' ? item + len + 1 : NULL;
}

/* Calls each of the items, which commas separate, until one cannot be met. */
static bool each_item(struct taking *t, const char *value, bool (*take)(struct taking *t, const char *item, bool first))
{
	char *copy = strdup(value), *save = NULL;
	bool ok = copy != NULL, first = true;

	if (!ok)
		return cannot(t, "out of memory");
	for (char *item = strtok_r(copy, ",", &save); ok && item; item = strtok_r(NULL, ",", &save), first = false)
		ok = take(t, item, first);
	free(copy);
	return ok;
}

static bool take_cpu(struct taking *t, const char *value)
{
	return qemu_cpu_take(t->p, value, t->why, t->whylen);
}

/* [size=]N[K|M|G|T], in MiB without a suffix. Other items (slots, maxmem) are for hot-plugging. */
static bool take_memory(struct taking *t, const char *value)
{
	const char *size = value_of(value, "size") ? value_of(value, "size") : value;
	size_t len = strcspn(size, ",");
	char *text = format(isdigit((unsigned char)size[len ? len - 1 : 0]) ? "%.*sM" : "%.*s", (int)len, size);
	uint64_t bytes;
	bool ok = text && !parse_size(text, &bytes) && bytes >= CONFIG_MEMORY_MIN && bytes <= CONFIG_MEMORY_MAX &&
		  !(bytes & PAGE_MASK);

	if (ok) {
		strings_set_option(&t->p->run, "--memory", text);
	}
	free(text);
	return ok || cannot(t, "-m %.40s cannot be given", value);
}

static bool take_append(struct taking *t, const char *value)
{
	strings_set_option(&t->p->run, "--append", value);
	return true;
}

static bool take_file(struct taking *t, const char *option, const char *value)
{
	char *path = format("%s%s%s", *value == '/' ? "" : t->folder, *value == '/' ? "" : "/", value);

	strings_set_option(&t->p->run, option, path);
	free(path);
	return true;
}

static bool take_initrd(struct taking *t, const char *value)
{
	return take_file(t, "--initrd", value);
}

static bool take_bios(struct taking *t, const char *value)
{
	return take_file(t, "--bios", value);
}

static bool machine_item(struct taking *t, const char *item, bool first)
{
	static const char *const fine[] = {
	    "pc",	"vmport=off", "usb=off", "graphics=off",       "pit=on",     "hpet=on",
	    "i8042=on", "acpi=on",    "smm=off", "kernel_irqchip=off", "nvdimm=off", "kernel-irqchip=off"};
	const char *machine = value_of(item, "type");

	if (!machine)
		machine = item;
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		if (!strcmp(machine, fine[i]))
			return true;
	if (!strncmp(machine, "pc-i440fx", strlen("pc-i440fx")))
		return true;
	if (value_of(item, "accel"))
		return !strncmp(value_of(item, "accel"), "tcg", 3) ||
		       cannot(t, "-machine %.40s: there is no such thing", item);
	return cannot(t, first && !strchr(item, '=') ? "there is no machine '%.40s'" : "-machine %.40s cannot be met",
		      item);
}

static bool take_machine(struct taking *t, const char *value)
{
	return each_item(t, value, machine_item);
}

/* The two that are there anyway (see plan.c). */
static bool take_device(struct taking *t, const char *value)
{
	static const char *const exits[] = {"isa-debug-exit,iobase=0xf4,iosize=0x4",
					    "isa-debug-exit,iobase=0xf4,iosize=0x04",
					    "isa-debug-exit,iobase=0xf4,iosize=4", "pc-testdev"};

	for (size_t i = 0; i < ARRAY_LEN(exits); i++)
		if (!strcmp(value, exits[i]))
			return true;
	return cannot(t, "there is no device '%.60s'", value);
}

static bool take_cpus(struct taking *t, const char *value)
{
	const char *n = value_of(value, "cpus") ? value_of(value, "cpus") : value;

	t->p->cpus = (unsigned)strtoul(n, NULL, 10);
	return (isdigit((unsigned char)*n) && t->p->cpus) || cannot(t, "-smp %.40s cannot be met", value);
}

static bool take_display(struct taking *t, const char *value)
{
	return !strcmp(value, "none") || cannot(t, "-display %.40s: tests run without", value);
}

static bool take_serial(struct taking *t, const char *value)
{
	return !strcmp(value, "stdio") || cannot(t, "-serial %.40s: it is the test's output", value);
}

static bool take_net(struct taking *t, const char *value)
{
	return !strcmp(value, "none") || cannot(t, "there is no network (%.40s)", value);
}

static bool take_vga(struct taking *t, const char *value)
{
	return !strcmp(value, "std") || !strcmp(value, "none") || cannot(t, "there is no adapter '%.40s'", value);
}

static bool take_accel(struct taking *t, const char *value)
{
	return !strncmp(value, "tcg", 3) || cannot(t, "-accel %.40s: there is no such thing", value);
}

static bool take_kvm(struct taking *t, const char *value)
{
	return cannot(t, "KVM only");
}

static bool take_nothing(struct taking *t, const char *value)
{
	return true;
}

/* Two dashes are as good as one. has: it is followed by a value. */
static const struct {
	const char *name;
	bool has;
	bool (*take)(struct taking *t, const char *value);
} options[] = {
    {"cpu", true, take_cpu},
    {"m", true, take_memory},
    {"append", true, take_append},
    {"initrd", true, take_initrd},
    {"bios", true, take_bios},
    {"machine", true, take_machine},
    {"M", true, take_machine},
    {"device", true, take_device},
    {"smp", true, take_cpus},
    {"display", true, take_display},
    {"serial", true, take_serial},
    {"net", true, take_net},
    {"nic", true, take_net},
    {"vga", true, take_vga},
    {"accel", true, take_accel},
    {"enable-kvm", false, take_kvm},
    {"no-reboot", false, take_nothing},
    {"nodefaults", false, take_nothing},
    {"nographic", false, take_nothing},
    {"name", true, take_nothing},
    {"no-user-config", false, take_nothing},
};

static bool take_option(struct taking *t, const struct strings *words, unsigned *i)
{
	const char *word = words->v[*i], *name = word + 1 + (word[1] == '-');
	const char *value = *i + 1 < words->n && *words->v[*i + 1] != '-' ? words->v[*i + 1] : NULL;

	if (*word != '-')
		return cannot(t, "'%.40s' is not an option", word);
	for (size_t n = 0; n < ARRAY_LEN(options); n++) {
		if (strcmp(name, options[n].name))
			continue;
		if (options[n].has && ++*i == words->n)
			return cannot(t, "%.40s is the last word and needs a value", word);
		return options[n].take(t, words->v[*i]);
	}
	return cannot(t, "%.40s%s%.40s: not known here", word, value ? " " : "", value ? value : "");
}

bool qemu_params_take(struct qemu_params *p, const struct strings *words, const char *folder, char *why, size_t whylen)
{
	struct taking t = {.p = p, .folder = folder, .why = why, .whylen = whylen};

	for (unsigned i = 0; i < words->n; i++)
		if (!take_option(&t, words, &i)) {
			make_printable(why);
			return false;
		}
	return true;
}

void qemu_params_free(struct qemu_params *p)
{
	strings_free(&p->run);
}
