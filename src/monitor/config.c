/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void config_init(struct vm_config *cfg)
{
	*cfg = (struct vm_config){
	    .memory = CONFIG_MEMORY_DEFAULT,
	    .cpu_lm = true,
	    .tc_size = CONFIG_TC_SIZE_DEFAULT,
	    .boot = "dca",
	    .rng = true,
	};
}

void config_destroy(struct vm_config *cfg)
{
	for (unsigned i = 0; i < cfg->ndisks; i++)
		free(cfg->disks[i].path);
	for (unsigned i = 0; i < cfg->nserials; i++)
		free(cfg->serials[i].path);
	for (unsigned i = 0; i < cfg->ndebugcons; i++)
		free(cfg->debugcons[i].path);
	free(cfg->console.path);
	free(cfg->cdrom);
	free(cfg->floppy);
	free(cfg->kernel);
	free(cfg->initrd);
	free(cfg->append);
	free(cfg->bios);
	free(cfg->control);
	free(cfg->gdb.path);
	free(cfg->gdb.host);
	free(cfg->trace);
	free(cfg->trace_file);
	free(cfg->stats);
	free(cfg->profile);
	memset(cfg, 0, sizeof(*cfg));
}

bool config_serial_on_stdio(const struct vm_config *cfg)
{
	for (unsigned i = 0; i < cfg->nserials; i++)
		if (cfg->serials[i].kind == CHARDEV_STDIO)
			return true;
	return cfg->has_console && cfg->console.kind == CHARDEV_STDIO;
}

enum display_kind config_display(const struct vm_config *cfg)
{
	if (cfg->display != DISPLAY_AUTO)
		return cfg->display;
	if (config_serial_on_stdio(cfg) || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return DISPLAY_NONE;
	return DISPLAY_TTY;
}
