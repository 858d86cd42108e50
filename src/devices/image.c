/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "devices/image.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CLUSTER = 64 * 1024, /* unit of the overlay */
	SECTOR = 512,
	CD_BLOCK = 2048,
	FLOPPY_MAX = 2880 * 1024,
	ISO_PVD = 16 * CD_BLOCK,    /* ISO 9660 (ECMA-119) 6.7.1 */
	ISO_PVD_VOLUME_BLOCKS = 80, /* 8.4.8: number of logical blocks, little-endian first */
	ISO_PVD_BLOCK_SIZE = 128,   /* 8.4.12 */
};

PRINTF_LIKE(4, 5) static int fail(char *err, size_t errlen, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return code;
}

/* All of [offset, offset + len) of a file; what is behind its end reads as zeros. */
static int read_fully(int fd, uint64_t offset, uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n < 0 ? -errno : 0;
			memset(buf, 0, len);
			return err;
		}
		buf += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_fully(int fd, uint64_t offset, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buf += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The size of a file or block device. */
static int measure(struct image *im, const char *path, char *err, size_t errlen)
{
	struct stat st;

	if (fstat(im->fd, &st) < 0)
		return fail(err, errlen, -errno, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return fail(err, errlen, -EISDIR, "%s: is a directory, expected a disk image", path);
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(im->fd, BLKGETSIZE64, &im->size) < 0)
			return fail(err, errlen, -errno, "%s: cannot tell its size: %s", path, strerror(errno));
	} else if (S_ISREG(st.st_mode)) {
		im->size = (uint64_t)st.st_size;
	} else {
		return fail(err, errlen, -EINVAL, "%s: neither a file nor a block device", path);
	}
	if (!im->size)
		return fail(err, errlen, -EINVAL, "%s: is empty", path);
	return 0;
}

/* 1 if it is a complete ISO 9660 volume, 0 if it is none. A file that ends before what its descriptor announces is
 * truncated. */
static int check_iso(struct image *im, const char *path, char *err, size_t errlen)
{
	uint8_t pvd[CD_BLOCK];
	uint64_t need;
	int code;

	if (im->size < ISO_PVD + CD_BLOCK)
		return fail(err, errlen, -EINVAL, "%s: truncated: %llu bytes are too short for a CD image", path,
			    (unsigned long long)im->size);
	code = read_fully(im->fd, ISO_PVD, pvd, sizeof(pvd));
	if (code)
		return fail(err, errlen, code, "%s: %s", path, strerror(-code));
	if (memcmp(pvd, "\1CD001", 6)) /* not ISO 9660 (an audio-less UDF, say): nothing to compare with */
		return 0;
	need = load_le(pvd + ISO_PVD_VOLUME_BLOCKS, 4) * load_le(pvd + ISO_PVD_BLOCK_SIZE, 2);
	if (im->size < need)
		return fail(err, errlen, -EINVAL, "%s: truncated: the ISO is %llu bytes long, the file %llu", path,
			    (unsigned long long)need, (unsigned long long)im->size);
	return 1;
}

static int check_size(struct image *im, const char *path, unsigned flags, char *err, size_t errlen)
{
	if (flags & IMAGE_FLOPPY) {
		if (im->size < SECTOR)
			return fail(err, errlen, -EINVAL, "%s: truncated: %llu bytes are less than a sector", path,
				    (unsigned long long)im->size);
		if (im->size > FLOPPY_MAX)
			return fail(err, errlen, -EFBIG, "%s: too large for a floppy disk (%llu bytes, at most %u)",
				    path, (unsigned long long)im->size, FLOPPY_MAX);
		return 0;
	}
	if (flags & IMAGE_CDROM) {
		int code = check_iso(im, path, err, errlen);
		if (code)
			return MIN(code, 0); /* some tools pad a whole volume to sectors of 512 bytes only */
	}
	if (im->size % im->block_size)
		return fail(err, errlen, -EINVAL, "%s: truncated: %llu bytes are not a multiple of %u", path,
			    (unsigned long long)im->size, im->block_size);
	return 0;
}

/*
 * Who writes an image is alone with it; who only reads it is with others that do. Locks of the open file, which another
 * VM, this one's other drives and QEMU see: they end with it, however the process ends. A file system that has no locks
 * has none.
 */
static int lock(struct image *im, const char *path, bool writes, char *err, size_t errlen)
{
	struct flock whole = {.l_type = writes ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(im->fd, F_OFD_SETLK, &whole) == 0 || (errno != EAGAIN && errno != EACCES))
		return 0;
	return fail(err, errlen, -EBUSY, "%s: is in use by another VM or drive%s", path,
		    writes ? " (an image that is written to cannot be shared)" : ", which writes to it");
}

/* An unnamed file where temporary files go. */
static int make_overlay(struct image *im, const char *path, char *err, size_t errlen)
{
	const char *dir = getenv("TMPDIR");
	char name[4096];

	if (!dir || !*dir)
		dir = "/tmp";
	im->overlay_fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (im->overlay_fd < 0) { /* not every file system has O_TMPFILE */
		snprintf(name, sizeof(name), "%s/gnomon-snapshot-XXXXXX", dir);
		im->overlay_fd = mkostemp(name, O_CLOEXEC);
		if (im->overlay_fd >= 0)
			unlink(name);
	}
	if (im->overlay_fd < 0)
		return fail(err, errlen, -errno, "%s: snapshot: cannot make a temporary file in %s: %s", path, dir,
			    strerror(errno));
	im->overlay_map = calloc(im->size / CLUSTER / 8 + 1, 1);
	if (!im->overlay_map)
		return fail(err, errlen, -ENOMEM, "%s: snapshot: out of memory", path);
	return 0;
}

/* O_NONBLOCK: opening a FIFO by mistake must not wait. */
static int open_as(const char *path, bool writes)
{
	return open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
}

int image_open(struct image *im, const char *path, unsigned flags, char *err, size_t errlen)
{
	bool writes;
	int code;

	if (flags & IMAGE_CDROM)
		flags |= IMAGE_READONLY;
	writes = !(flags & (IMAGE_READONLY | IMAGE_SNAPSHOT));
	*im = (struct image){.fd = -1, .overlay_fd = -1, .block_size = flags & IMAGE_CDROM ? CD_BLOCK : SECTOR};
	im->readonly = flags & IMAGE_READONLY;
	im->fd = open_as(path, writes);
	if (im->fd < 0 && (errno == EACCES || errno == EROFS) && writes && (flags & IMAGE_FLOPPY)) {
		writes = false;
		im->readonly = true; /* floppy disks may be write-protected */
		im->fd = open_as(path, writes);
	}
	if (im->fd < 0) {
		code = -errno;
		if (code == -EISDIR)
			return fail(err, errlen, code, "%s: is a directory, expected a disk image", path);
		return fail(err, errlen, code, "%s: %s", path, strerror(-code));
	}
	code = measure(im, path, err, errlen);
	if (!code)
		code = lock(im, path, writes, err, errlen);
	if (!code)
		code = check_size(im, path, flags, err, errlen);
	if (!code && (flags & IMAGE_SNAPSHOT) && !im->readonly)
		code = make_overlay(im, path, err, errlen);
	if (code)
		image_close(im);
	return code;
}

void image_close(struct image *im)
{
	if (im->fd >= 0)
		close(im->fd);
	if (im->overlay_fd >= 0)
		close(im->overlay_fd);
	free(im->overlay_map);
	*im = (struct image){.fd = -1, .overlay_fd = -1};
}

static bool overlaid(const struct image *im, uint64_t cluster)
{
	return im->overlay_map && (im->overlay_map[cluster / 8] & BIT(cluster % 8));
}

/* How many of `left` bytes from offset lie in clusters that are all overlaid, or all not. */
static size_t run_length(const struct image *im, uint64_t offset, size_t left)
{
	bool first = overlaid(im, offset / CLUSTER);
	size_t n;

	if (!im->overlay_map)
		return left;
	n = MIN(left, CLUSTER - offset % CLUSTER);
	while (n < left && overlaid(im, (offset + n) / CLUSTER) == first)
		n += MIN(left - n, (size_t)CLUSTER);
	return n;
}

int image_read(struct image *im, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;
	int err = 0;

	if (!image_present(im) || offset >= im->size) {
		memset(buf, 0, len);
		return image_present(im) ? 0 : -ENODEV;
	}
	if (len > im->size - offset) {
		size_t have = (size_t)(im->size - offset);
		memset(to + have, 0, len - have);
		len = have;
	}
	while (len) {
		size_t n = run_length(im, offset, len);
		int code = read_fully(overlaid(im, offset / CLUSTER) ? im->overlay_fd : im->fd, offset, to, n);
		err = err ? err : code;
		offset += n;
		to += n;
		len -= n;
	}
	return err;
}

/* Brings a cluster into the overlay before a part of it is written. */
static int copy_cluster(struct image *im, uint64_t cluster)
{
	uint8_t buf[4096];
	uint64_t at = cluster * CLUSTER;
	uint64_t end = MIN(at + CLUSTER, im->size);
	int err;

	for (size_t n; at < end; at += n) {
		n = (size_t)MIN(end - at, sizeof(buf));
		err = read_fully(im->fd, at, buf, n);
		if (!err)
			err = write_fully(im->overlay_fd, at, buf, n);
		if (err)
			return err;
	}
	return 0;
}

static int write_overlay(struct image *im, uint64_t offset, const uint8_t *from, size_t len)
{
	while (len) {
		uint64_t cluster = offset / CLUSTER;
		size_t n = MIN(len, CLUSTER - offset % CLUSTER);
		int err = 0;
		if (!overlaid(im, cluster) && n < CLUSTER)
			err = copy_cluster(im, cluster);
		if (!err)
			err = write_fully(im->overlay_fd, offset, from, n);
		if (err)
			return err;
		im->overlay_map[cluster / 8] |= (uint8_t)BIT(cluster % 8);
		offset += n;
		from += n;
		len -= n;
	}
	return 0;
}

int image_write(struct image *im, uint64_t offset, const void *buf, size_t len)
{
	bool beyond;
	int err;

	if (!image_present(im))
		return -ENODEV;
	if (im->readonly)
		return -EROFS;
	beyond = offset > im->size || len > im->size - offset;
	if (beyond)
		len = offset < im->size ? (size_t)(im->size - offset) : 0;
	err = im->overlay_map ? write_overlay(im, offset, buf, len) : write_fully(im->fd, offset, buf, len);
	return err ? err : beyond ? -ENOSPC : 0;
}

/* 0, -EROFS, -ENODEV or -ENOSPC: whether a range may be changed. */
static int check_range(const struct image *im, uint64_t offset, uint64_t len)
{
	if (!image_present(im))
		return -ENODEV;
	if (im->readonly)
		return -EROFS;
	return offset > im->size || len > im->size - offset ? -ENOSPC : 0;
}

int image_zero(struct image *im, uint64_t offset, uint64_t len, bool unmap)
{
	static const uint8_t zeros[16 * 1024];
	int err = check_range(im, offset, len);

	if (!err && len && !im->overlay_map) {
		int mode = (unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | FALLOC_FL_KEEP_SIZE;
		if (fallocate(im->fd, mode, (off_t)offset, (off_t)len) == 0)
			return 0;
	}
	while (!err && len) {
		size_t n = (size_t)MIN(len, sizeof(zeros));
		err = image_write(im, offset, zeros, n);
		offset += n;
		len -= n;
	}
	return err;
}

int image_discard(struct image *im, uint64_t offset, uint64_t len)
{
	int err = check_range(im, offset, len);

	/* A snapshot keeps what it has: the image below is not to be touched. */
	if (!err && len && !im->overlay_map)
		fallocate(im->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len);
	return err;
}

int image_flush(struct image *im)
{
	if (!image_present(im))
		return -ENODEV;
	if (im->readonly || im->overlay_map)
		return 0;
	if (fdatasync(im->fd) < 0)
		return -errno;
	im->flushes++;
	return 0;
}
