/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the loaders share: a loader over bytes in memory, and guest memory as the plan would leave it. */
#ifndef GNOMON_TESTS_LOADER_FIXTURE_H
#define GNOMON_TESTS_LOADER_FIXTURE_H

#include "monitor/loader.h"

#include "../run_suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	struct loader l;
	char err[512];
};

static inline void put_item(struct loader *l, enum loader_item item, const void *data, size_t len)
{
	l->item[item].data = malloc(len ? len : 1);
	memcpy(l->item[item].data, data, len);
	l->item[item].len = (uint32_t)len;
}

static inline void load(struct fixture *f, const void *kernel, size_t len, uint64_t ram, const char *append)
{
	loader_init(&f->l, ram, f->err, sizeof(f->err));
	*f->err = 0;
	f->l.kernel_path = "k";
	f->l.append = append;
	put_item(&f->l, LOADER_KERNEL, kernel, len);
}

static inline void add_module(struct fixture *f, const char *text, const void *data, size_t len)
{
	enum loader_item item = LOADER_MODULE + f->l.nmodules++;

	put_item(&f->l, item, data, len);
	f->l.item[item].text = strdup(text);
}

/* The plan fails, and its only line contains `about`. */
static inline void refuses(struct fixture *f, const char *about)
{
	ck_assert_int_lt(loader_plan(&f->l), 0);
	ck_assert_msg(strstr(f->err, about), "'%s' is not about '%s'", f->err, about);
	ck_assert_ptr_null(strchr(f->err, '\n'));
	loader_destroy(&f->l);
}

static inline void accepts(struct fixture *f)
{
	int rc = loader_plan(&f->l);
	ck_assert_msg(rc == 0, "%d: %s", rc, f->err);
}

/* The segment that holds a guest address, or NULL. The last one counts, as in memory. */
static inline const struct loader_segment *segment_at(const struct loader *l, uint32_t address)
{
	const struct loader_segment *found = NULL;

	for (unsigned i = 0; i < l->nsegments; i++) {
		const struct loader_segment *s = &l->segment[i];
		if (address >= s->address && address - s->address < s->len + s->zero)
			found = s;
	}
	return found;
}

static inline uint8_t memory_at(const struct loader *l, uint32_t address)
{
	const struct loader_segment *s = segment_at(l, address);

	ck_assert_msg(s, "nothing is at %x", address);
	address -= s->address;
	return address < s->len ? l->item[s->item].data[s->offset + address] : 0;
}

static inline uint32_t u32_at(const struct loader *l, uint32_t address)
{
	uint32_t v = 0;

	for (unsigned i = 4; i--;)
		v = v << 8 | memory_at(l, address + i);
	return v;
}

static inline void string_is_at(const struct loader *l, uint32_t address, const char *text)
{
	do
		ck_assert_int_eq(memory_at(l, address++), *text);
	while (*text++);
}

#endif
