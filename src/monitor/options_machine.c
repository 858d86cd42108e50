/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that say what machine it is: processor, memory, drives, devices, what is booted. */
#include "options_internal.h"

#include "devices/debug_exit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool parse_memory(struct parse *p, const char *value)
{
	uint64_t bytes;
	int rc = parse_size(value, &bytes);

	if (rc == -EINVAL)
		return wrong(p, "'%s' is not a size such as 256M or 4G", value);
	if (rc || bytes < CONFIG_MEMORY_MIN || bytes > CONFIG_MEMORY_MAX)
		return wrong(p, "'%s' is outside 1M to %lluG%s", value, (unsigned long long)(CONFIG_MEMORY_MAX / GiB),
			     isdigit((unsigned char)value[strlen(value) - 1]) ? " (without a suffix it is bytes)" : "");
	if (bytes & PAGE_MASK)
		return wrong(p, "'%s' is not a multiple of 4K", value);
	p->cfg->memory = bytes;
	return true;
}

static bool take_vendor(struct parse *p, const char *vendor)
{
	size_t printable = 0;

	while (isprint((unsigned char)vendor[printable]))
		printable++;
	if (printable != CONFIG_CPU_VENDOR || vendor[printable])
		return wrong(p, "vendor '%s' is not %d characters of ASCII", vendor, CONFIG_CPU_VENDOR);
	strcpy(p->cfg->cpu_vendor, vendor);
	return true;
}

/* item: "+NAME" or "-NAME", of len characters. */
static bool take_feature(struct parse *p, const char *item, size_t len)
{
	enum cpuid_bit bit = feature_find(item + 1, len - 1);

	if (bit == CPUID_none)
		return wrong(p, "there is no feature '%.*s' to show or hide (gnomon doctor names them)", (int)len - 1,
			     item + 1);
	feature_choose(&p->cfg->cpu_features, bit, *item == '+');
	if (bit == CPUID_lm)
		p->cfg->cpu_lm = *item == '+';
	return true;
}

/* A vendor's name may hold a comma, so that it is the last item. */
bool parse_cpu(struct parse *p, const char *value)
{
	for (const char *item = value;; item++) {
		size_t len = strcspn(item, ",");
		if (after(item, "vendor="))
			return take_vendor(p, after(item, "vendor="));
		if (len == 3 && !strncmp(item, "max", len))
			p->cfg->cpu_max = true;
		else if (len == 2 && !strncmp(item, "lm", len))
			p->cfg->cpu_lm = true;
		else if (*item != '-' && *item != '+')
			return wrong(
			    p, "'%s' is not max, lm, +FEATURE, -FEATURE, vendor=NAME or these separated by commas",
			    value);
		else if (!take_feature(p, item, len))
			return false;
		item += len;
		if (!*item)
			return true;
	}
}

bool parse_cdrom(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->cdrom);
}

bool parse_floppy(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->floppy);
}

/* Cuts `suffix` off the end of text. False: it does not end so. */
static bool cut(char *text, const char *suffix)
{
	size_t len = strlen(text), n = strlen(suffix);

	if (len < n || strcmp(text + len - n, suffix))
		return false;
	text[len - n] = 0;
	return true;
}

/* From the end, since file names may hold commas. */
static void take_disk_suffixes(struct disk_config *disk)
{
	bool again = true;

	while (again) {
		again = true;
		if (cut(disk->path, ",snapshot"))
			disk->snapshot = true;
		else if (cut(disk->path, ",if=virtio"))
			disk->virtio = true;
		else
			again = cut(disk->path, ",if=ide");
	}
}

bool parse_disk(struct parse *p, const char *value)
{
	struct disk_config disk = {0};
	const char *rest;

	if (p->cfg->ndisks == CONFIG_MAX_DISKS)
		return wrong(p, "more than %d disks", CONFIG_MAX_DISKS);
	if (!take_path(p, value, &disk.path))
		return false;
	take_disk_suffixes(&disk);
	rest = strrchr(disk.path, ',');
	if (!*disk.path)
		wrong(p, "the file name is empty");
	else if (rest && after(rest, ",if="))
		wrong(p, "'%s' is not ide or virtio", rest + strlen(",if="));
	else
		rest = NULL;
	if (!*disk.path || rest) {
		free(disk.path);
		return false;
	}
	p->cfg->disks[p->cfg->ndisks++] = disk;
	return true;
}

_Static_assert(CONFIG_MAX_BOOT == 3, "a boot order without repetition of the letters d, c, a");

bool parse_boot(struct parse *p, const char *value)
{
	size_t len = strlen(value);

	if (!len)
		return wrong(p, "the boot order is empty");
	if (strspn(value, "dca") != len)
		return wrong(p, "'%s' is not made of d (CD-ROM), c (disk) and a (floppy)", value);
	for (size_t i = 0; i < len; i++) {
		if (memchr(value, value[i], i))
			return wrong(p, "'%c' is there twice", value[i]);
	}
	memcpy(p->cfg->boot, value, len + 1);
	return true;
}

bool parse_kernel(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->kernel);
}

bool parse_initrd(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->initrd);
}

bool parse_append(struct parse *p, const char *value)
{
	p->cfg->append = strdup(value);
	return p->cfg->append || wrong(p, "out of memory");
}

bool parse_bios(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->bios);
}

static bool parse_chardev(struct parse *p, const char *value, struct chardev_config *to)
{
	const char *path;

	*to = (struct chardev_config){.kind = CHARDEV_NONE};
	if (!strcmp(value, "stdio")) {
		if (config_serial_on_stdio(p->cfg))
			return wrong(p, "stdio is taken by another serial port or console");
		to->kind = CHARDEV_STDIO;
	} else if ((path = after(value, "file:"))) {
		to->kind = CHARDEV_FILE;
		return take_path(p, path, &to->path);
	} else if ((path = after(value, "unix:"))) {
		to->kind = CHARDEV_UNIX;
		return take_unix_path(p, path, &to->path);
	} else if (strcmp(value, "none")) {
		return wrong(p, "'%s' is not stdio, file:PATH, unix:PATH or none", value);
	}
	return true;
}

bool parse_serial(struct parse *p, const char *value)
{
	if (p->cfg->nserials == CONFIG_MAX_SERIALS)
		return wrong(p, "more than %d serial ports", CONFIG_MAX_SERIALS);
	if (!parse_chardev(p, value, &p->cfg->serials[p->cfg->nserials]))
		return false;
	p->cfg->nserials++;
	return true;
}

bool parse_console(struct parse *p, const char *value)
{
	return p->cfg->has_console = parse_chardev(p, value, &p->cfg->console);
}

bool parse_rng(struct parse *p, const char *value)
{
	p->cfg->rng = !strcmp(value, "on");
	return p->cfg->rng || !strcmp(value, "off") || wrong(p, "'%s' is not on or off", value);
}

/* A port at the beginning of value; what follows it is *end. */
static bool parse_port(struct parse *p, const char *value, unsigned last, const char **end, uint16_t *port)
{
	char *behind;
	unsigned long n = strtoul(value, &behind, 0);

	*end = behind;
	*port = (uint16_t)n;
	return n <= last || wrong(p, "port %.*s is beyond 0x%x", (int)(behind - value), value, last);
}

bool parse_debug_exit(struct parse *p, const char *value)
{
	const char *end = value;
	bool number = isdigit((unsigned char)*value);

	if (number && !parse_port(p, value, 0x10000 - DEBUG_EXIT_PORTS, &end, &p->cfg->debug_exit))
		return false;
	p->cfg->has_debug_exit = true;
	return (number && !*end) || wrong(p, "'%s' is not a port such as 0xf4", value);
}

bool parse_pc_testdev(struct parse *p, const char *value)
{
	return p->cfg->pc_testdev = true;
}

bool parse_no_reboot(struct parse *p, const char *value)
{
	return p->cfg->no_reboot = true;
}

bool parse_debugcon(struct parse *p, const char *value)
{
	struct debugcon_config *con = &p->cfg->debugcons[p->cfg->ndebugcons];
	const char *path = NULL, *end;
	uint16_t port = 0;

	if (p->cfg->ndebugcons == CONFIG_MAX_DEBUGCONS)
		return wrong(p, "more than %d debug consoles", CONFIG_MAX_DEBUGCONS);
	if (isdigit((unsigned char)*value)) {
		if (!parse_port(p, value, 0xffff, &end, &port))
			return false;
		path = after(end, ":file:");
	}
	if (!path)
		return wrong(p, "'%s' is not PORT:file:PATH", value);
	for (unsigned i = 0; i < p->cfg->ndebugcons; i++)
		if (p->cfg->debugcons[i].port == port)
			return wrong(p, "port 0x%x is there twice", port);
	if (!take_path(p, path, &con->path))
		return false;
	con->port = port;
	p->cfg->ndebugcons++;
	return true;
}
