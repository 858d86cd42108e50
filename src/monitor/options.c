/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include "devices/debug_exit.h"
#include "gdb_address.h"
#include "trace.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* What an option's parser sees: the config, and where its complaint goes. Parsers return false after wrong(). */
struct parse {
	struct vm_config *cfg;
	const char *option; /* as the user knows it: "--memory" */
	char *err;
	size_t errlen;
	enum options_result result; /* of options_parse() when a parser returns false */
};

/* Every complaint names the option; the caller prints "gnomon: " before it. */
static bool PRINTF_LIKE(2, 3) wrong(struct parse *p, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(p->err, p->errlen, "%s: ", p->option);

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < p->errlen)
		vsnprintf(p->err + n, p->errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

int parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	char *end;
	const char *suffix;
	uint64_t n;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	if (!*end) {
		*bytes = n;
		return 0;
	}
	suffix = strchr(suffixes, toupper((unsigned char)*end));
	if (!suffix || end[1])
		return -EINVAL;
	unsigned shift = 10 * ((unsigned)(suffix - suffixes) + 1);
	if (n > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = n << shift;
	return 0;
}

int parse_seconds(const char *text, double *seconds)
{
	char *end;
	double s;

	/* strtod takes more than we do: signs, hexadecimal, exponents, "inf", "nan". */
	if (!*text || strspn(text, "0123456789.") != strlen(text))
		return -EINVAL;
	s = strtod(text, &end);
	if (*end || end == text)
		return -EINVAL;
	if (!isfinite(s) || s <= 0 || s > 1e9)
		return -ERANGE;
	*seconds = s;
	return 0;
}

static bool take_path(struct parse *p, const char *value, char **path)
{
	if (!*value)
		return wrong(p, "the file name is empty");
	*path = strdup(value);
	return *path || wrong(p, "out of memory");
}

static bool take_unix_path(struct parse *p, const char *value, char **path)
{
	struct sockaddr_un addr;

	if (strlen(value) >= sizeof(addr.sun_path))
		return wrong(p, "the socket path is longer than %zu bytes", sizeof(addr.sun_path) - 1);
	return take_path(p, value, path);
}

/* What follows `prefix` in value, or NULL. */
static const char *after(const char *value, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(value, prefix, len) ? NULL : value + len;
}

static bool parse_memory(struct parse *p, const char *value)
{
	uint64_t bytes;
	int rc = parse_size(value, &bytes);

	if (rc == -EINVAL)
		return wrong(p, "'%s' is not a size such as 256M or 4G", value);
	if (rc || bytes < CONFIG_MEMORY_MIN || bytes > CONFIG_MEMORY_MAX)
		return wrong(p, "'%s' is outside 1M to %lluG", value, (unsigned long long)(CONFIG_MEMORY_MAX / GiB));
	if (bytes & PAGE_MASK)
		return wrong(p, "'%s' is not a multiple of 4K", value);
	p->cfg->memory = bytes;
	return true;
}

/* Without a suffix: MiB. */
static bool parse_tc_size(struct parse *p, const char *value)
{
	bool plain = *value && strspn(value, "0123456789") == strlen(value);
	uint64_t bytes;
	int rc = parse_size(value, &bytes);

	if (rc == -EINVAL)
		return wrong(p, "'%s' is not a size such as 64M", value);
	if (!rc && plain)
		bytes = bytes > CONFIG_TC_SIZE_MAX ? bytes : bytes * MiB;
	if (rc || bytes < CONFIG_TC_SIZE_MIN || bytes > CONFIG_TC_SIZE_MAX)
		return wrong(p, "'%s' is outside 1M to %lluM", value, (unsigned long long)(CONFIG_TC_SIZE_MAX / MiB));
	p->cfg->tc_size = ALIGN_UP(bytes, PAGE_SIZE);
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

/* A vendor's name may hold a comma, so that it is the last item. */
static bool parse_cpu(struct parse *p, const char *value)
{
	for (const char *item = value;; item++) {
		size_t len = strcspn(item, ",");
		if (after(item, "vendor="))
			return take_vendor(p, after(item, "vendor="));
		if (len == 3 && !strncmp(item, "max", len))
			p->cfg->cpu_max = true;
		else if (len == 2 && !strncmp(item, "lm", len))
			p->cfg->cpu_lm = true;
		else
			return wrong(p, "'%s' is not max, lm, vendor=NAME or these separated by commas", value);
		item += len;
		if (!*item)
			return true;
	}
}

static bool parse_cdrom(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->cdrom);
}

static bool parse_floppy(struct parse *p, const char *value)
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

static bool parse_disk(struct parse *p, const char *value)
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

static bool parse_boot(struct parse *p, const char *value)
{
	size_t len = strlen(value);

	if (!len)
		return wrong(p, "the boot order is empty");
	for (size_t i = 0; i < len; i++) {
		if (!strchr("dca", value[i]))
			return wrong(p, "'%c' is not one of d (CD-ROM), c (disk), a (floppy)", value[i]);
		if (memchr(value, value[i], i))
			return wrong(p, "'%c' is there twice", value[i]);
	}
	memcpy(p->cfg->boot, value, len + 1);
	return true;
}

_Static_assert(CONFIG_MAX_BOOT == 3, "a boot order without repetition of the letters d, c, a");

static bool parse_kernel(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->kernel);
}

static bool parse_initrd(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->initrd);
}

static bool parse_append(struct parse *p, const char *value)
{
	p->cfg->append = strdup(value);
	return p->cfg->append || wrong(p, "out of memory");
}

static bool parse_bios(struct parse *p, const char *value)
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

static bool parse_serial(struct parse *p, const char *value)
{
	if (p->cfg->nserials == CONFIG_MAX_SERIALS)
		return wrong(p, "more than %d serial ports", CONFIG_MAX_SERIALS);
	if (!parse_chardev(p, value, &p->cfg->serials[p->cfg->nserials]))
		return false;
	p->cfg->nserials++;
	return true;
}

static bool parse_console(struct parse *p, const char *value)
{
	return p->cfg->has_console = parse_chardev(p, value, &p->cfg->console);
}

static bool parse_rng(struct parse *p, const char *value)
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

static bool parse_debug_exit(struct parse *p, const char *value)
{
	const char *end = value;
	bool number = isdigit((unsigned char)*value);

	if (number && !parse_port(p, value, 0x10000 - DEBUG_EXIT_PORTS, &end, &p->cfg->debug_exit))
		return false;
	p->cfg->has_debug_exit = true;
	return (number && !*end) || wrong(p, "'%s' is not a port such as 0xf4", value);
}

static bool parse_pc_testdev(struct parse *p, const char *value)
{
	return p->cfg->pc_testdev = true;
}

static bool parse_no_reboot(struct parse *p, const char *value)
{
	return p->cfg->no_reboot = true;
}

static bool parse_debugcon(struct parse *p, const char *value)
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

static bool parse_control(struct parse *p, const char *value)
{
	const char *path = after(value, "unix:");

	if (!path)
		return wrong(p, "'%s' is not unix:PATH", value);
	return take_unix_path(p, path, &p->cfg->control);
}

static bool parse_gdb(struct parse *p, const char *value)
{
	char why[200];
	int rc = gdb_address_parse(value, &p->cfg->gdb, why, sizeof(why));

	return !rc || wrong(p, "%s", rc == -ENOMEM ? "out of memory" : why);
}

static bool parse_display(struct parse *p, const char *value)
{
	if (!strcmp(value, "none"))
		p->cfg->display = DISPLAY_NONE;
	else if (!strcmp(value, "tty"))
		p->cfg->display = DISPLAY_TTY;
	else
		return wrong(p, "'%s' is not none or tty", value);
	return true;
}

static bool parse_engine(struct parse *p, const char *value)
{
	if (!strcmp(value, "bt"))
		p->cfg->engine = ENGINE_BT;
	else if (!strcmp(value, "step"))
		p->cfg->engine = ENGINE_STEP;
	else
		return wrong(p, "'%s' is not bt or step", value);
	return true;
}

static bool parse_lockstep(struct parse *p, const char *value)
{
	return p->cfg->lockstep = true;
}

static bool parse_audit(struct parse *p, const char *value)
{
	return p->cfg->audit = true;
}

static bool parse_max_mappings(struct parse *p, const char *value)
{
	enum { LEAST = 1000 };
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || n < LEAST || n > UINT_MAX)
		return wrong(p, "'%s' is not a number of mappings: at least %d are needed", value, LEAST);
	p->cfg->max_mappings = (unsigned)n;
	return true;
}

static bool parse_opt(struct parse *p, const char *value)
{
	char bad[64];

	if (!strcmp(value, "help")) {
		p->result = OPTIONS_OPT_HELP;
		return false;
	}
	return !opt_select(value, &p->cfg->opt_off, bad, sizeof(bad)) ||
	       wrong(p, "'%s' is not -NAME or +NAME of an optimisation (--opt help lists them)", bad);
}

static bool parse_count(struct parse *p, const char *value)
{
	return p->cfg->count = true;
}

static bool parse_trace(struct parse *p, const char *value)
{
	char bad[64];

	if (!*value)
		return wrong(p, "no category is named");
	/* Selecting is how trace.h checks; that it takes effect now is what the user asked for. */
	if (trace_select(value, bad, sizeof(bad)))
		return wrong(p, "'%s' is not a trace category", bad);
	return take_path(p, value, &p->cfg->trace);
}

static bool parse_trace_file(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->trace_file);
}

static bool parse_stats(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->stats);
}

static bool parse_profile(struct parse *p, const char *value)
{
	return take_path(p, value, &p->cfg->profile);
}

static bool parse_perf_map(struct parse *p, const char *value)
{
	return p->cfg->perf_map = true;
}

static bool parse_profile_exact(struct parse *p, const char *value)
{
	return p->cfg->profile_exact = true;
}

static bool parse_timeout(struct parse *p, const char *value)
{
	int rc = parse_seconds(value, &p->cfg->timeout);

	if (rc == -EINVAL)
		return wrong(p, "'%s' is not a number of seconds", value);
	return !rc || wrong(p, "'%s' seconds: more than 0 and at most 1000000000 is meant", value);
}

/* clang-format off */
static const struct option_row {
	struct option_info info;
	bool (*parse)(struct parse *p, const char *value);
} option_rows[] = {
#define OPTION(id, name, argument, many, help) {{name, argument, many, help}, parse_##id},
#include "options.def"
#undef OPTION
};
/* clang-format on */

const struct option_info *options_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
		if (strlen(option_rows[i].info.name) == len && !strncmp(option_rows[i].info.name, name, len))
			return &option_rows[i].info;
	return NULL;
}

/* The row of "--name" or "--name=value"; *value: what follows the '=', or NULL. */
static const struct option_row *find_option(const char *arg, const char **value)
{
	size_t len = strcspn(arg + 2, "=");
	const struct option_info *info = options_find(arg + 2, len);

	*value = arg[2 + len] ? arg + 2 + len + 1 : NULL;
	return info ? container_of(info, struct option_row, info) : NULL;
}

static enum options_result fail(char *err, size_t errlen, const char *fmt, const char *arg)
{
	snprintf(err, errlen, fmt, arg, arg);
	return OPTIONS_WRONG;
}

/* What only the options together show. */
static enum options_result check_together(const struct vm_config *cfg, char *err, size_t errlen)
{
	if (cfg->display == DISPLAY_TTY && config_serial_on_stdio(cfg))
		return fail(err, errlen, "--display tty and --serial stdio%s both want the terminal", "");
	if (cfg->lockstep && cfg->engine == ENGINE_STEP)
		return fail(err, errlen, "--lockstep checks the translator: it does not go with --engine step%s", "");
	if (cfg->lockstep && (cfg->gdb.path || cfg->gdb.host))
		return fail(err, errlen, "--gdb does not go with --lockstep%s", "");
	if (!cfg->kernel && (cfg->initrd || cfg->append))
		return fail(err, errlen, "%s without --kernel", cfg->initrd ? "--initrd" : "--append");
	if (cfg->trace_file && !cfg->trace)
		return fail(err, errlen, "--trace-file without --trace%s", "");
	if ((cfg->profile_exact || cfg->perf_map) && !cfg->profile)
		return fail(err, errlen, "--%s without --profile", cfg->perf_map ? "perf-map" : "profile-exact");
	return OPTIONS_OK;
}

enum options_result options_parse(struct vm_config *cfg, int argc, char *const *argv, char *err, size_t errlen)
{
	bool seen[ARRAY_LEN(option_rows)] = {false};

	for (int i = 0; i < argc; i++) {
		const char *value, *arg = argv[i];
		const struct option_row *row;
		char option[32];
		struct parse p = {.cfg = cfg, .option = option, .err = err, .errlen = errlen, .result = OPTIONS_WRONG};

		if (!strcmp(arg, "--help") || !strcmp(arg, "-h"))
			return OPTIONS_HELP;
		if (!strcmp(arg, "--version"))
			return OPTIONS_VERSION;
		if (strncmp(arg, "--", 2))
			return fail(err, errlen,
				    *arg == '-' ? "unknown option '%s'" : "unexpected argument '%s' (--cdrom %s?)",
				    arg);
		row = find_option(arg, &value);
		if (!row)
			return fail(err, errlen, "unknown option '%s'", arg);
		snprintf(option, sizeof(option), "--%s", row->info.name);
		if (seen[row - option_rows] && !row->info.many)
			return fail(err, errlen, "%s is given twice", option);
		seen[row - option_rows] = true;
		if (!row->info.argument && value)
			return fail(err, errlen, "%s takes no value", option);
		if (row->info.argument && !value) {
			if (i + 1 == argc)
				return fail(err, errlen, "%s needs a value", option);
			value = argv[++i];
		}
		if (!row->parse(&p, value))
			return p.result;
	}
	return check_together(cfg, err, errlen);
}

static void print_row(FILE *out, const char *left, const char *help)
{
	enum { LEFT = 32 };

	fprintf(out, "  %-*s", LEFT - 2, left);
	if (strlen(left) > LEFT - 3)
		fprintf(out, "\n%*s", LEFT, "");
	for (; *help; help++) {
		fputc(*help, out);
		if (*help == '\n')
			fprintf(out, "%*s", LEFT, "");
	}
	fputc('\n', out);
}

void options_print_row(FILE *out, const struct option_info *o)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "",
		 o->many ? " ..." : "");
	print_row(out, left, o->help);
}

void options_print_opts(FILE *out)
{
	fprintf(out, "Optimisations; --opt -NAME switches one off, --opt -all all of them:\n");
	for (enum opt o = 0; o < OPT_COUNT; o++)
		print_row(out, opt_name(o), opt_help(o));
}

void options_print_help(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(option_rows); i++)
		options_print_row(out, &option_rows[i].info);
	print_row(out, "--version", "show the version");
	print_row(out, "--help", "show this");
	fprintf(out, "\nTrace categories:\n");
	for (enum trace_cat cat = 0; cat < TRACE_COUNT; cat++)
		print_row(out, trace_name(cat), trace_help(cat));
}
