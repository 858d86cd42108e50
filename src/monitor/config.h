/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the user asked for: the result of parsing the options of `gnomon run`. Strings are the config's own. */
#ifndef GNOMON_MONITOR_CONFIG_H
#define GNOMON_MONITOR_CONFIG_H

#include "cpu/features.h"
#include "opt.h"

/* RAM: what lies above 3 GiB continues at 4 GiB (as on an i440FX). */
#define CONFIG_MEMORY_MIN     (1 * MiB)
#define CONFIG_MEMORY_MAX     (64 * GiB)
#define CONFIG_MEMORY_DEFAULT (256 * MiB)

/* The translation cache. Its code lies in the GiB that MAP_32BIT finds, with whatever else is there. */
#define CONFIG_TC_SIZE_MIN     (1 * MiB)
#define CONFIG_TC_SIZE_MAX     (512 * MiB)
#define CONFIG_TC_SIZE_DEFAULT (64 * MiB)

enum {
	CONFIG_MAX_DISKS = 8,
	CONFIG_MAX_SERIALS = 4,
	CONFIG_MAX_DEBUGCONS = 4,
	CONFIG_MAX_BOOT = 3,
	CONFIG_CPU_VENDOR = 12, /* characters */
};

enum chardev_kind {
	CHARDEV_NONE,
	CHARDEV_STDIO,
	CHARDEV_FILE,
	CHARDEV_UNIX,
};

struct chardev_config {
	enum chardev_kind kind;
	char *path; /* CHARDEV_FILE, CHARDEV_UNIX */
};

struct disk_config {
	char *path;
	bool snapshot; /* writes are forgotten at the end */
	bool virtio;   /* virtio-blk and not IDE */
};

struct debugcon_config {
	uint16_t port;
	char *path;
};

/* Where a debugger may connect: a socket at a path or a TCP port; neither path nor host: nowhere. */
struct gdb_config {
	char *path;
	char *host;
	uint16_t port; /* 0: the host's choice */
	bool wait;     /* the guest stands before its first instruction until the debugger lets it go */
};

enum display_kind {
	DISPLAY_AUTO, /* see config_display() */
	DISPLAY_NONE,
	DISPLAY_TTY,
};

enum engine_kind {
	ENGINE_BT,
	ENGINE_STEP,
};

struct vm_config {
	uint64_t memory; /* bytes, page aligned, CONFIG_MEMORY_MIN..MAX */
	char *cdrom;	 /* NULL: none; so are the paths below */
	char *floppy;
	struct disk_config disks[CONFIG_MAX_DISKS];
	unsigned ndisks;
	char boot[CONFIG_MAX_BOOT + 1]; /* letters of "dca", each at most once, not empty */
	char *kernel;			/* NULL: boot from media; initrd and append may be NULL with a kernel too */
	char *initrd;
	char *append;
	char *bios; /* NULL: the built-in default */
	struct chardev_config serials[CONFIG_MAX_SERIALS];
	unsigned nserials;	       /* 0: no serial port is connected */
	struct chardev_config console; /* virtio console */
	bool has_console;
	bool rng; /* virtio entropy device */
	struct debugcon_config debugcons[CONFIG_MAX_DEBUGCONS];
	unsigned ndebugcons;
	char cpu_vendor[CONFIG_CPU_VENDOR + 1]; /* empty: the host's */
	bool has_debug_exit;
	uint16_t debug_exit; /* its first port */
	bool pc_testdev;
	bool no_reboot; /* a reset by the guest ends the VM */
	char *control;	/* path of the control socket */
	struct gdb_config gdb;
	enum display_kind display;
	bool cpu_max; /* all features, those that cost speed too */
	bool cpu_lm;  /* 64-bit mode, and what came with it */
	struct feature_choice cpu_features;
	enum engine_kind engine;
	bool lockstep;
	bool audit;
	opt_off_t opt_off;
	uint64_t tc_size;      /* bytes */
	unsigned max_mappings; /* 0: vm.max_map_count */
	bool count;	       /* count instructions exactly */
	char *trace;	       /* already valid for trace_select() */
	char *trace_file;      /* NULL: stderr */
	char *stats;	       /* file for the counters at the end */
	char *profile;	       /* folder for a profile; NULL: none is taken */
	bool profile_exact;
	bool perf_map;
	double timeout; /* seconds of host time; 0: none */
};

/* Everything at its default; no allocation. */
void config_init(struct vm_config *cfg);
void config_destroy(struct vm_config *cfg);

bool config_serial_on_stdio(const struct vm_config *cfg);

/* What DISPLAY_AUTO comes to: the terminal where standard input and output are one and no serial port is on it. */
enum display_kind config_display(const struct vm_config *cfg);

#endif
