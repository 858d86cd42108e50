// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows about disks of a VM. The drivers are modules of the guest's kernel, loaded when the first of these rows runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define REQUEST	   (64u << 10)
#define PER_MIB	   ((1u << 20) / REQUEST)
#define PATIENCE_S 10

/* Whole, in memory; freed by the end of the row's process. */
static char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *data;

	need(fd >= 0 && fstat(fd, &st) == 0, path);
	data = calloc(1, (size_t)st.st_size + 1);
	need(data && read(fd, data, (size_t)st.st_size) == st.st_size, path);
	close(fd);
	*size = (size_t)st.st_size;
	return data;
}

/* In the order of their list, in which each stands behind those that it needs. */
static void load_modules(void)
{
	size_t size;
	char *order = read_file("/modules/order", &size);

	for (char *name = strtok(order, "\n"); name; name = strtok(NULL, "\n")) {
		char path[128], *module;

		snprintf(path, sizeof(path), "/modules/%s.ko", name);
		module = read_file(path, &size);
		need(syscall(SYS_init_module, module, size, "") == 0 || errno == EEXIST, path);
		free(module);
	}
}

static int open_disk(const char *path, int how)
{
	int fd = open(path, how | O_DIRECT);

	if (fd < 0)
		load_modules();
	for (unsigned tries = 0; fd < 0 && tries < PATIENCE_S * 100; tries++) {
		usleep(10000);
		fd = open(path, how | O_DIRECT);
	}
	need(fd >= 0, path);
	return fd;
}

struct disk {
	int fd;
	bool write;
	off_t size, at;
	void *buffer;
};

static void do_disk(uint64_t count, void *arg)
{
	struct disk *d = arg;

	for (count *= PER_MIB; count; count--) {
		ssize_t n =
		    d->write ? pwrite(d->fd, d->buffer, REQUEST, d->at) : pread(d->fd, d->buffer, REQUEST, d->at);

		need(n == (ssize_t)REQUEST, "transfer");
		d->at += REQUEST;
		if (d->at + (off_t)REQUEST > d->size)
			d->at = 0;
	}
}

static void disk(const char *path, bool write)
{
	struct disk d = {.fd = open_disk(path, write ? O_WRONLY : O_RDONLY), .write = write};

	d.size = lseek(d.fd, 0, SEEK_END);
	need(d.size >= (off_t)REQUEST && !posix_memalign(&d.buffer, PAGE, REQUEST), path);
	memset(d.buffer, 0x5a, REQUEST);
	measure(do_disk, &d, 1);
	need(fsync(d.fd) == 0, "fsync");
}

void row_virtio_read(void)
{
	disk("/dev/vda", false);
}

void row_virtio_write(void)
{
	disk("/dev/vda", true);
}

void row_ide_read(void)
{
	disk("/dev/sda", false);
}

void row_ide_write(void)
{
	disk("/dev/sda", true);
}
