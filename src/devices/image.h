/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disk images: raw files (or block devices), read and written synchronously.
 */
#ifndef GNOMON_DEVICES_IMAGE_H
#define GNOMON_DEVICES_IMAGE_H

#include "base.h"

enum image_flags {
	IMAGE_READONLY = 1,
	IMAGE_SNAPSHOT = 2, /* writes go to an unnamed temporary file and are forgotten at close */
	IMAGE_CDROM = 4,    /* blocks of 2048 bytes; read-only; checked against an ISO 9660 volume descriptor */
	IMAGE_FLOPPY = 8,   /* any size from a sector up to 2.88 MB; need not be a multiple of 512 */
};

struct image {
	int fd; /* -1: closed, or no medium */
	bool readonly;
	uint64_t size;	      /* bytes */
	uint32_t block_size;  /* 512 or 2048 */
	uint64_t flushes;     /* image_flush() calls that reached the disk */
	int overlay_fd;	      /* snapshot's temporary file, or -1 */
	uint8_t *overlay_map; /* one bit a cluster: it is in the overlay */
};

/*
 * Opens `path`, for nobody else if it is written to (-EBUSY: it is in use). A floppy whose file may not be written to
 * is write-protected. 0, or a negative errno and one line in err (at most errlen bytes with the 0; it names the file
 * and what is wrong with it, without a newline). Snapshots take disk space in $TMPDIR (/tmp) as they are written, never
 * more than the image's size, and a bit of memory for each cluster of 64 KiB.
 */
int image_open(struct image *im, const char *path, unsigned flags, char *err, size_t errlen);
void image_close(struct image *im);

static inline bool image_present(const struct image *im)
{
	return im->fd >= 0;
}

/*
 * len bytes at offset. What lies beyond the end reads as zeros and is not written (-ENOSPC). 0 or a negative errno
 * (-EIO, -EROFS, ...); on a read error the buffer's rest is zeros.
 */
int image_read(struct image *im, uint64_t offset, void *buf, size_t len);
int image_write(struct image *im, uint64_t offset, const void *buf, size_t len);

/*
 * Makes a range read as zeros, with a hole in the file where `unmap` is set and the file system has them. Limits and
 * errors as image_write. Where the file cannot
 * do it, zeros are written.
 */
int image_zero(struct image *im, uint64_t offset, uint64_t len, bool unmap);

/* The guest has no more use for a range: a hint, which may do nothing. What it reads as afterwards is undefined. */
int image_discard(struct image *im, uint64_t offset, uint64_t len);

/* Everything written before is on stable storage after it (a snapshot has none: success). 0 or a negative errno. */
int image_flush(struct image *im);

#endif
