/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loader.h"
#include "file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- complaints --- */

int loader_wrong(struct loader *l, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(l->err, l->errlen, "kernel '%s': ", l->kernel_path);

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < l->errlen)
		vsnprintf(l->err + n, l->errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int no_memory(struct loader *l)
{
	snprintf(l->err, l->errlen, "out of memory");
	return -ENOMEM;
}

/* --- items --- */

void loader_init(struct loader *l, uint64_t ram_below_4g, char *err, size_t errlen)
{
	*l = (struct loader){.kernel_path = "", .err = err, .errlen = errlen};
	l->top = (uint32_t)(MIN(ram_below_4g, 4 * GiB - PAGE_SIZE) & ~PAGE_MASK);
	l->top = l->top > LOADER_TOP_RESERVED ? l->top - LOADER_TOP_RESERVED : 0;
	l->high_end = LOADER_HIGH_BASE;
}

void loader_destroy(struct loader *l)
{
	for (unsigned i = 0; i < LOADER_ITEMS; i++) {
		free(l->item[i].data);
		free(l->item[i].text);
		if (l->item[i].in_file)
			close(l->item[i].fd);
		l->item[i] = (struct loader_blob){0};
	}
	l->nmodules = 0;
}

void loader_let_go(struct loader *l)
{
	for (unsigned i = 0; i < LOADER_ITEMS; i++)
		if (l->item[i].in_file) {
			free(l->item[i].data);
			l->item[i].data = NULL;
		}
}

int loader_make_item(struct loader *l, enum loader_item item, uint32_t len)
{
	l->item[item].data = calloc(1, len ? len : 1);
	l->item[item].len = len;
	return l->item[item].data ? 0 : no_memory(l);
}

/* As many of the file's bytes as are looked into here, all of them being there. */
static int read_head(struct loader *l, enum loader_item item, int fd, uint32_t head, uint32_t len)
{
	uint8_t last;
	ssize_t n;
	int rc = loader_make_item(l, item, head);

	if (rc)
		return rc;
	rc = file_read_all(fd, l->item[item].data, head);
	if (rc)
		return rc;
	l->item[item].len = len;
	n = pread(fd, &last, 1, len - 1);
	return n == 1 ? 0 : n < 0 ? -errno : -ENODATA;
}

/* Nobody looks into modules, nor into more of Linux than its set-up code. */
static int read_data(struct loader *l, enum loader_item item, int fd, uint32_t len)
{
	uint32_t head = item >= LOADER_MODULE ? 0 : MIN(len, LINUX_SETUP_MAX);
	int rc = read_head(l, item, fd, head, len);

	if (rc || item >= LOADER_MODULE || head == len || loader_linux_is(&l->item[item]))
		return rc;
	free(l->item[item].data);
	l->item[item].data = NULL;
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : read_head(l, item, fd, len, len);
}

static int read_item(struct loader *l, enum loader_item item, const char *what, const char *path)
{
	uint64_t len;
	int fd = file_open(path, what, &len, l->err, l->errlen), rc;

	if (fd < 0)
		return fd;
	if (!len) {
		snprintf(l->err, l->errlen, "%s '%s': is empty", what, path);
		rc = -EINVAL;
	} else if (len > l->top) {
		snprintf(l->err, l->errlen, "%s '%s': too large: its %llu KiB do not fit into the guest's memory", what,
			 path, (unsigned long long)(len / KiB));
		rc = -EFBIG;
	} else {
		rc = read_data(l, item, fd, (uint32_t)len);
		if (rc && rc != -ENOMEM)
			snprintf(l->err, l->errlen, "%s '%s': cannot be read: %s", what, path, strerror(-rc));
	}
	if (rc) {
		close(fd);
		return rc;
	}
	l->item[item].in_file = true;
	l->item[item].fd = fd;
	return 0;
}

static int open_module(struct loader *l, char *text, bool whole)
{
	enum loader_item item = LOADER_MODULE + l->nmodules;
	size_t name = whole ? strlen(text) : strcspn(text, " ");
	char *path = strndup(text, name);
	int rc = path ? read_item(l, item, "initrd", path) : no_memory(l);

	free(path);
	l->item[item].text = text;
	l->nmodules++;
	return rc;
}

/* The next of "file args,file args", with doubled commas made single, from malloc; *list is moved behind it. */
static char *next_module(const char **list)
{
	char *text = malloc(strlen(*list) + 1), *to = text;
	const char *p = *list;

	if (!text)
		return NULL;
	for (; *p; p++) {
		if (*p == ',' && p[1] != ',')
			break;
		p += *p == ',';
		*to++ = *p;
	}
	*to = 0;
	*list = *p ? p + 1 : p;
	return text;
}

static int open_modules(struct loader *l, const char *list)
{
	int rc;

	do {
		char *text;
		bool more = true;

		if (l->nmodules == LOADER_MAX_MODULES) {
			snprintf(l->err, l->errlen, "--initrd: more than %d modules", LOADER_MAX_MODULES);
			return -E2BIG;
		}
		text = next_module(&list);
		if (!text)
			return no_memory(l);
		more = list[-1] == ',';
		rc = open_module(l, text, false);
		if (!more)
			break;
	} while (!rc);
	return rc;
}

int loader_open(struct loader *l, const char *kernel, const char *initrd, const char *append)
{
	char *text;
	int rc;

	l->kernel_path = kernel;
	l->append = append;
	rc = read_item(l, LOADER_KERNEL, "kernel", kernel);
	if (rc || !initrd)
		return rc;
	if (loader_kind_of(&l->item[LOADER_KERNEL]) != LOADER_LINUX)
		return open_modules(l, initrd);
	text = strdup(initrd);
	return text ? open_module(l, text, true) : no_memory(l);
}

/* --- the plan --- */

static bool within(uint64_t address, uint64_t len, uint64_t first, uint64_t end)
{
	return address >= first && address <= end && len <= end - address;
}

int loader_add(struct loader *l, enum loader_item item, uint64_t address, uint64_t offset, uint64_t len, uint64_t zero)
{
	uint64_t all = len + zero;

	if (offset > l->item[item].len || len > l->item[item].len - offset)
		return loader_wrong(l, "is truncated: %llu bytes at offset 0x%llx are not there",
				    (unsigned long long)len, (unsigned long long)offset);
	if (all < len || (!within(address, all, LOADER_LOW_FIRST, LOADER_LOW_END) &&
			  !within(address, all, LOADER_HIGH_BASE, l->top)))
		return loader_wrong(l,
				    "does not fit into the guest's memory: 0x%llx bytes at 0x%llx (free for kernels: "
				    "0x%x-0x%x, 0x%x-0x%x)",
				    (unsigned long long)all, (unsigned long long)address, LOADER_LOW_FIRST,
				    LOADER_LOW_END - 1, LOADER_HIGH_BASE, MAX(l->top, LOADER_HIGH_BASE) - 1);
	if (!all)
		return 0;
	if (l->nsegments == LOADER_MAX_SEGMENTS)
		return loader_wrong(l, "has more than %d segments", LOADER_MAX_SEGMENTS);
	l->segment[l->nsegments++] = (struct loader_segment){.item = item,
							     .address = (uint32_t)address,
							     .offset = (uint32_t)offset,
							     .len = (uint32_t)len,
							     .zero = (uint32_t)zero};
	l->high_end = MAX(l->high_end, (uint32_t)(address + all));
	return 0;
}

int loader_add_behind(struct loader *l, enum loader_item item, uint32_t offset, uint32_t len, uint32_t align,
		      uint32_t *address)
{
	uint64_t at = ALIGN_UP((uint64_t)l->high_end, align);

	if (!within(at, len, LOADER_HIGH_BASE, l->top) || l->nsegments == LOADER_MAX_SEGMENTS)
		return -ENOSPC;
	*address = (uint32_t)at;
	return loader_add(l, item, at, offset, len, 0);
}

uint32_t loader_find_low(const struct loader *l, uint32_t len, uint32_t align)
{
	uint32_t at = ALIGN_UP(LOADER_LOW_FIRST, align);
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned i = 0; i < l->nsegments; i++) {
			const struct loader_segment *s = &l->segment[i];
			uint32_t end = s->address + s->len + s->zero;
			if (s->address < at + len && at < end && end <= LOADER_LOW_END) {
				at = ALIGN_UP(end, align);
				moved = true;
			}
		}
	}
	return within(at, len, LOADER_LOW_FIRST, LOADER_LOW_END) ? at : 0;
}

enum loader_kind loader_kind_of(const struct loader_blob *kernel)
{
	if (loader_linux_is(kernel))
		return LOADER_LINUX;
	if (loader_elf_is(kernel))
		return LOADER_ELF;
	return loader_multiboot_is(kernel) ? LOADER_MULTIBOOT : LOADER_UNKNOWN;
}

int loader_plan(struct loader *l)
{
	l->kind = loader_kind_of(&l->item[LOADER_KERNEL]);
	switch (l->kind) {
	case LOADER_LINUX:
		return loader_linux(l);
	case LOADER_ELF:
	case LOADER_MULTIBOOT:
		return loader_multiboot(l);
	default:
		return loader_wrong(l, "is neither a Linux kernel (bzImage) nor an ELF nor a Multiboot file");
	}
}
