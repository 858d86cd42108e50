/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_board.h"

enum { MEDIUM_BYTES = 1440 * 1024 };

/* A file in memory that starts like an ISO 9660 image; its path. */
static char *make_medium(struct board_fuzz *f)
{
	uint8_t sector[2048] = {0};
	char path[64];
	int fd = memfd_create("fuzz", 0);

	if (fd < 0 || ftruncate(fd, MEDIUM_BYTES) < 0)
		exit(FUZZ_SKIPPED);
	sector[0] = 1;
	memcpy(sector + 1, "CD001\1", 6);
	if (pwrite(fd, sector, sizeof(sector), 16 * sizeof(sector)) < 0)
		exit(FUZZ_SKIPPED);
	f->media[f->nmedia++] = fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return strdup(path);
}

void board_fuzz_init(struct board_fuzz *f, uint64_t seed, bool manual)
{
	char err[512];

	memset(f, 0, sizeof(*f));
	f->r = rng_seeded(seed);
	config_init(&f->cfg);
	f->cfg.memory = 8 * MiB;
	f->cfg.display = DISPLAY_NONE;
	f->cfg.cdrom = make_medium(f);
	f->cfg.floppy = make_medium(f);
	f->cfg.disks[0] = (struct disk_config){.path = make_medium(f), .snapshot = true};
	f->cfg.disks[1] = (struct disk_config){.path = make_medium(f), .virtio = true};
	f->cfg.ndisks = 2;
	f->cfg.pc_testdev = true;
	f->vm = aligned_alloc(64, ALIGN_UP(sizeof(*f->vm), 64));
	if (!f->vm || vm_init(f->vm, &f->cfg, NULL, err, sizeof(err))) {
		fprintf(stderr, "no machine: %s\n", f->vm ? err : "memory");
		exit(FUZZ_SKIPPED);
	}
	f->vm->clock.manual = manual;
}

void board_fuzz_destroy(struct board_fuzz *f)
{
	vm_destroy(f->vm);
	free(f->vm);
	config_destroy(&f->cfg);
	for (unsigned i = 0; i < f->nmedia; i++)
		close(f->media[i]);
}
