/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of landings: what RET and indirect JMP and CALL of 64-bit code go by. By the lowest 16 bits of RIP, and
 * entries are addresses, so that it takes a jump to find a block; those that have none lead to stubs.no_landing, which
 * asks the indirect table (indirect.c). A block that is landed in compares RIP with its own (xlat64_landing.c).
 *
 * Each indirect table of a context that has landings has one, with a part of what that holds: the blocks that were
 * filled in last, of those with the same 16 bits. It lies below the view of its address space, where code of the
 * context finds it by a constant displacement from GS.base. It is a private mapping of a file that has no landings:
 * what of it is written takes memory. Before it is made, branches through it fault.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bt_internal.h"

enum {
	MAX_CONTEXTS_LANDING = SHADOW_VIEW_BELOW / LANDINGS_BYTES,
	PAGE_LANDINGS = LANDINGS / LANDING_PAGES,
	HOST_PAGES = 3, /* which the host's page tables take for one */
};

_Static_assert(MAX_CONTEXTS_LANDING <= UINT8_MAX, "context.landings");

int bt_landings_init(struct bt *bt)
{
	uint64_t page[PAGE_LANDINGS];

	bt->no_landings = memfd_create("gnomon-landings", MFD_CLOEXEC);
	if (bt->no_landings < 0)
		return -errno;
	for (unsigned i = 0; i < PAGE_LANDINGS; i++)
		page[i] = bt->stubs.no_landing;
	for (unsigned i = 0; i < LANDING_PAGES; i++)
		if (pwrite(bt->no_landings, page, sizeof(page), (off_t)(i * sizeof(page))) != (ssize_t)sizeof(page))
			return -ENOMEM;
	return 0;
}

void bt_landings_destroy(struct bt *bt)
{
	if (bt->no_landings > 0)
		close(bt->no_landings);
}

void bt_landings_choose(struct bt *bt, struct context *c)
{
	opt_off_t off = bt->cpu->opt_off;

	c->landings = 0;
	if (context_code64(c) && !(c->key.flags & CTX_LA57) && opt_on(off, OPT_LANDINGS) && opt_on(off, OPT_TABLE) &&
	    bt->ncontexts_landing < MAX_CONTEXTS_LANDING)
		c->landings = (uint8_t)++bt->ncontexts_landing;
}

void bt_landings_make(struct bt *bt, const struct context *c, unsigned space, struct indirect_table *t)
{
	hva_t view = shadow_view_by_space(bt->shadow, space);
	void *at = (void *)(view - (hva_t)c->landings * LANDINGS_BYTES);

	if (t->landings || !c->landings || !view ||
	    mmap(at, LANDINGS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, bt->no_landings, 0) == MAP_FAILED)
		return;
	t->landings = at;
	t->no_landing = bt->stubs.no_landing;
	memset(t->landing_pages, 0, sizeof(t->landing_pages));
	bt->table_pages += HOST_PAGES;
}

static unsigned pages_of(const struct indirect_table *t)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ARRAY_LEN(t->landing_pages); i++)
		count += (unsigned)__builtin_popcountll(t->landing_pages[i]);
	return count;
}

void bt_landings_give_back(struct bt *bt, struct indirect_table *t)
{
	if (!t->landings)
		return;
	/* In place of what is there: whatever mappings the host has room for, this makes fewer of them. If it has not,
	 * what is left has no landings. */
	if (mmap(t->landings, LANDINGS_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		madvise(t->landings, LANDINGS_BYTES, MADV_DONTNEED);
	bt->table_pages -= HOST_PAGES + pages_of(t);
	t->landings = NULL;
}

static bool written(const struct indirect_table *t, uint32_t n)
{
	return t->landing_pages[n / PAGE_LANDINGS / 64] >> (n / PAGE_LANDINGS % 64) & 1;
}

static void set(struct bt *bt, struct indirect_table *t, uint32_t n, uint64_t to)
{
	if (!written(t, n)) {
		t->landing_pages[n / PAGE_LANDINGS / 64] |= BIT(n / PAGE_LANDINGS % 64);
		bt->table_pages++;
	}
	t->landings[n] = to;
}

void bt_landings_fill(struct bt *bt, unsigned space, struct indirect_table *t, const struct block *b)
{
	bt_landings_make(bt, b->ctx, space, t);
	if (t->landings && b->landing)
		set(bt, t, (uint32_t)b->eip % LANDINGS, bt_landing(b));
}

void bt_landings_forget(struct indirect_table *t, uint32_t eip)
{
	if (t->landings && t->entries[eip] && written(t, eip % LANDINGS))
		t->landings[eip % LANDINGS] = t->no_landing;
}

void bt_landings_forget_all(struct indirect_table *t, uint32_t eip, unsigned count)
{
	for (unsigned i = 0; t->landings && i < count; i++)
		bt_landings_forget(t, eip + i);
}

bool bt_landings_missed(const struct bt *bt)
{
	return bt->home->code64 && bt->frame.reason == LEAVE_FAULT && shadow_below_view(bt->shadow, bt->frame.address);
}
