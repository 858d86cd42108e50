/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_all(int fd, void *to, uint64_t len)
{
	uint8_t *p = to;

	while (len) {
		ssize_t n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		p += n;
		len -= (uint64_t)n;
	}
	return 0;
}

int file_open(const char *path, const char *what, uint64_t *size, char *err, size_t errlen)
{
	/* O_NONBLOCK: not to wait for the writer of a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = -errno;
		snprintf(err, errlen, "%s '%s': %s", what, path, strerror(-rc));
	} else if (!S_ISREG(st.st_mode)) {
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
		snprintf(err, errlen, "%s '%s': %s", what, path,
			 S_ISDIR(st.st_mode) ? "is a directory" : "is not a regular file");
	} else {
		*size = (uint64_t)st.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int file_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);

	return fd < 0 ? -errno : fd;
}

const char *file_create_error(int rc)
{
	return rc == -ENXIO ? "is a FIFO that nobody reads, or a socket" : strerror(-rc);
}

int file_create_stream(FILE **file, const char *option, const char *path, bool waits, char *err, size_t errlen)
{
	int fd = file_create(path), rc = MIN(fd, 0);

	if (!rc && waits && fcntl(fd, F_SETFL, O_WRONLY) < 0)
		rc = -errno;
	*file = rc ? NULL : fdopen(fd, "w");
	if (!rc && !*file)
		rc = -errno;
	if (rc && fd >= 0)
		close(fd);
	if (rc)
		snprintf(err, errlen, "%s '%s': %s", option, path, file_create_error(rc));
	return rc;
}
