/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware images: files into memory that the guest sees as ROM. */
#include "board.h"
#include "file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int board_load_rom(struct pm_backing *rom, const char *path, const char *what, uint64_t size, uint64_t max,
		   uint64_t granule, char *err, size_t errlen)
{
	uint64_t len;
	int fd, rc;

	*rom = (struct pm_backing){.fd = -1};
	fd = file_open(path, what, &len, err, errlen);
	if (fd < 0)
		return fd;
	if (!len || len > max || len % granule) {
		rc = -EINVAL;
		snprintf(err, errlen, "%s '%s': %llu bytes; a multiple of %llu up to %llu is expected", what, path,
			 (unsigned long long)len, (unsigned long long)granule, (unsigned long long)max);
		goto out;
	}
	rc = pm_backing_init(rom, "gnomon-rom", size ? size : len);
	if (!rc)
		rc = file_read_all(fd, rom->host, len);
	if (rc) {
		snprintf(err, errlen, "%s '%s': cannot be read: %s", what, path, strerror(-rc));
		pm_backing_destroy(rom);
	}
out:
	close(fd);
	return rc;
}
