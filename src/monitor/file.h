/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are read whole, with complaints for the user; and files that are written. */
#ifndef GNOMON_MONITOR_FILE_H
#define GNOMON_MONITOR_FILE_H

#include <stdio.h>

#include "base.h"

/*
 * Opens a regular file for reading; *size: its bytes. The descriptor, or a negative errno and a line "<what> '<path>':
 * ..." in err.
 */
int file_open(const char *path, const char *what, uint64_t *size, char *err, size_t errlen);

/* Reads exactly len bytes. 0 or a negative errno; -ENODATA if the file is shorter than it said. */
int file_read_all(int fd, void *to, uint64_t len);

/* Makes a file, or empties it, to be written. The descriptor, or a negative errno: -ENXIO for a FIFO that nobody reads.
 * Writing does not wait for who reads. */
int file_create(const char *path);

/* What a negative errno of file_create() means. */
const char *file_create_error(int rc);

/* The same as a stream, with a line "<option> '<path>': ..." in err if that fails. waits: for who reads. */
int file_create_stream(FILE **file, const char *option, const char *path, bool waits, char *err, size_t errlen);

#endif
