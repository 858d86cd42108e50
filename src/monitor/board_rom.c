/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware images: files into memory that the guest sees as ROM. */
#include "board.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads exactly len bytes. 0 or a negative errno; -ENODATA if the file is shorter than it said. */
static int read_all(int fd, uint8_t *to, uint64_t len)
{
	while (len) {
		ssize_t n = read(fd, to, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		to += n;
		len -= (uint64_t)n;
	}
	return 0;
}

int board_load_rom(struct pm_backing *rom, const char *path, const char *what, uint64_t size, uint64_t max,
		   uint64_t granule, char *err, size_t errlen)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc = 0;

	*rom = (struct pm_backing){.fd = -1};
	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = -errno;
		snprintf(err, errlen, "%s '%s': %s", what, path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
		snprintf(err, errlen, "%s '%s': %s", what, path,
			 S_ISDIR(st.st_mode) ? "is a directory" : "is not a regular file");
		goto out;
	}
	if (st.st_size <= 0 || (uint64_t)st.st_size > max || (uint64_t)st.st_size % granule) {
		rc = -EINVAL;
		snprintf(err, errlen, "%s '%s': %lld bytes; a multiple of %llu up to %llu is expected", what, path,
			 (long long)st.st_size, (unsigned long long)granule, (unsigned long long)max);
		goto out;
	}
	rc = pm_backing_init(rom, "gnomon-rom", size ? size : (uint64_t)st.st_size);
	if (!rc)
		rc = read_all(fd, rom->host, (uint64_t)st.st_size);
	if (rc) {
		snprintf(err, errlen, "%s '%s': cannot be read: %s", what, path, strerror(-rc));
		pm_backing_destroy(rom);
	}
out:
	if (fd >= 0)
		close(fd);
	return rc;
}
