/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links to other pages under paging. Direct branches to another page go through the table of the present address space
 * (EXIT_TABLE), which always knows where the page leads now. Those that have been there for a while are linked
 * directly: a load, a jump and a line of the table less for each.
 *
 * Blocks are shared by all address spaces, but a link holds in one of them only. So pages of code have owners: out of
 * a page lead links of its owner's, and nobody else runs a block of it without having been seen by the dispatcher
 * before (bt_page_entered). Who enters another's page makes it a shared one, without links to other pages, until an
 * address space that has been alone for a while claims it. Supervisor mode's pages are all its own.
 *
 * A link is broken when the shadow reports that its target's page leads elsewhere, as entries of the table are; there
 * must have been such an entry before. Links are made a few pages at a time, when the vCPU has been interrupted:
 * programs that run for less than that are not worth it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "bt_internal.h"

enum {
	PAGE_HASH_BITS = 14,
	PASS_TICKS = 1 << 21, /* of the time stamp counter, between two passes at least: about a millisecond */
	FEW_PAGES = 8,	      /* looked at in a pass: so many, if the last one made hardly any links, ... */
	MANY_PAGES = 64,      /* ... up to so many */
	REST_MAX = 15,
	ALONE_AFTER = 4, /* passes in a row that found the same address space in user mode */
};

static struct code_page *page(const struct bt *bt, uint32_t number)
{
	return number ? &bt->pages[number - 1] : NULL;
}

static uint32_t number_of(const struct bt *bt, const struct code_page *p)
{
	return (uint32_t)(p - bt->pages) + 1;
}

static gva_t page_of(gva_t linear)
{
	return ALIGN_DOWN(linear, (gva_t)PAGE_SIZE);
}

static uint32_t *bucket(struct bt *bt, gva_t linear)
{
	uint32_t h = (uint32_t)(linear >> PAGE_SHIFT ^ linear >> 32) * 0x9e3779b9u;

	return &bt->page_hash[h >> (32 - PAGE_HASH_BITS)];
}

int bt_pages_init(struct bt *bt)
{
	bt->page_hash = calloc(1u << PAGE_HASH_BITS, sizeof(*bt->page_hash));
	return bt->page_hash ? 0 : -ENOMEM;
}

void bt_pages_destroy(struct bt *bt)
{
	free(bt->page_hash);
}

void bt_pages_reset(struct bt *bt)
{
	memset(bt->page_hash, 0, sizeof(*bt->page_hash) << PAGE_HASH_BITS);
	memset(bt->owned, 0, sizeof(bt->owned));
	bt->npages = bt->free_pages = 0;
}

/* --- owners: a ring of pages for each --- */

static void leave_owner(struct bt *bt, struct code_page *p)
{
	uint32_t *head = &bt->owned[p->owner];

	page(bt, p->previous)->next = p->next;
	page(bt, p->next)->previous = p->previous;
	if (*head == number_of(bt, p))
		*head = p->next == *head ? 0 : p->next;
}

static void join_owner(struct bt *bt, struct code_page *p, unsigned owner)
{
	uint32_t n = number_of(bt, p), *head = &bt->owned[owner];

	p->owner = (uint8_t)owner;
	if (!*head)
		*head = p->next = p->previous = n;
	p->next = *head; /* at the end: behind the first's predecessor */
	p->previous = page(bt, *head)->previous;
	page(bt, p->previous)->next = n;
	page(bt, p->next)->previous = n;
}

static void set_owner(struct bt *bt, struct code_page *p, unsigned owner)
{
	leave_owner(bt, p);
	join_owner(bt, p, owner);
}

static struct code_page *find(struct bt *bt, gva_t linear, gpa_t gpa, bool user)
{
	for (struct code_page *p = page(bt, *bucket(bt, linear)); p; p = page(bt, p->hash_next))
		if (p->linear == linear && p->gpa == gpa && p->user == user)
			return p;
	return NULL;
}

/* Of user mode's pages. An address space that the shadow does not know owns nothing. */
static unsigned present_owner(const struct bt *bt)
{
	return bt->space == SHADOW_SUPERVISOR ? PAGE_SHARED : bt->space;
}

static struct code_page *unused(struct bt *bt)
{
	struct code_page *p = page(bt, bt->free_pages);

	if (!p)
		return &bt->pages[bt->npages++];
	bt->free_pages = p->hash_next;
	return p;
}

static struct code_page *make(struct bt *bt, gva_t linear, gpa_t gpa, bool user)
{
	struct code_page *p = unused(bt);
	uint32_t *head = bucket(bt, linear);

	*p = (struct code_page){.linear = linear, .gpa = gpa, .user = user, .hash_next = *head};
	*head = number_of(bt, p);
	join_owner(bt, p, user ? present_owner(bt) : SHADOW_SUPERVISOR);
	return p;
}

void bt_page_add(struct bt *bt, struct block *b)
{
	gva_t linear = page_of(block_linear(b, 0));
	gpa_t gpa = ALIGN_DOWN(b->gpa, (gpa_t)PAGE_SIZE);
	bool user = context_user(b->ctx);
	struct code_page *p;

	b->page = 0;
	if (!(b->ctx->key.flags & CTX_PAGED) || b->ram_page[0] == NO_PAGE)
		return;
	p = find(bt, linear, gpa, user);
	if (!p)
		p = make(bt, linear, gpa, user);
	b->page = number_of(bt, p);
	p->rest = p->wait = 0;
	b->code_next = p->blocks;
	p->blocks = bt_block_number(bt, b);
}

void bt_page_remove(struct bt *bt, const struct block *b)
{
	uint32_t *p;

	if (!b->page)
		return;
	for (p = &page(bt, b->page)->blocks; bt_block(bt, *p) != b; p = &bt_block(bt, *p)->code_next)
		;
	*p = b->code_next;
}

/* In each list of pages of the same hash. */
void bt_pages_sweep(struct bt *bt)
{
	for (uint32_t i = 0; i < 1u << PAGE_HASH_BITS; i++)
		for (uint32_t *at = &bt->page_hash[i]; *at;) {
			struct code_page *p = page(bt, *at);
			if (p->blocks) {
				at = &p->hash_next;
				continue;
			}
			leave_owner(bt, p);
			*at = p->hash_next;
			*p = (struct code_page){.hash_next = bt->free_pages};
			bt->free_pages = number_of(bt, p);
		}
}

/* --- links --- */

void bt_page_linked(struct bt *bt, const struct block *from, const struct block *to, int more)
{
	if (from->page == to->page)
		return;
	page(bt, from->page)->links_out += (unsigned)more;
	page(bt, to->page)->links_in += (unsigned)more;
}

static void break_links_out(struct bt *bt, struct code_page *p)
{
	uint32_t n = number_of(bt, p);

	for (struct block *b = bt_block(bt, p->blocks); b && p->links_out; b = bt_block(bt, b->code_next))
		for (unsigned i = 0; i < b->nexits; i++) {
			struct bt_exit *x = &bt_exits(bt, b)[i];
			if (x->to && bt_block(bt, x->to)->page != n)
				bt_unlink(bt, x);
		}
}

static void break_links_in(struct bt *bt, struct code_page *p)
{
	uint32_t n = number_of(bt, p), next;

	for (struct block *b = bt_block(bt, p->blocks); b && p->links_in; b = bt_block(bt, b->code_next))
		for (uint32_t x = b->incoming; x; x = next) {
			next = bt_exit(bt, x)->next_from;
			if (bt_block(bt, bt_exit(bt, x)->from)->page != n)
				bt_unlink(bt, bt_exit(bt, x));
		}
}

void bt_page_entered(struct bt *bt, const struct block *b)
{
	struct code_page *p = page(bt, b->page);

	if (!p || !p->user || p->owner == bt->space || p->owner == PAGE_SHARED)
		return;
	break_links_out(bt, p);
	set_owner(bt, p, p->owner == PAGE_NOBODY ? present_owner(bt) : PAGE_SHARED);
}

/* The space cannot come to its page any more without the dispatcher. */
static void disown(struct bt *bt, struct code_page *p)
{
	break_links_out(bt, p);
	set_owner(bt, p, PAGE_NOBODY);
}

static void page_lost(struct bt *bt, unsigned space, gva_t linear)
{
	bool user = space != SHADOW_SUPERVISOR;

	for (struct code_page *p = page(bt, *bucket(bt, linear)); p; p = page(bt, p->hash_next)) {
		if (p->linear != linear || p->user != user)
			continue;
		break_links_in(bt, p);
		if (user && p->owner == space)
			disown(bt, p);
	}
}

void bt_pages_lost(struct bt *bt, unsigned space, gva_t linear, uint64_t len)
{
	struct code_page *p = page(bt, bt->owned[space]);

	if (!p)
		return;
	if (len <= FORGET_PAGES * PAGE_SIZE) {
		for (uint64_t at = 0; at < len; at += PAGE_SIZE)
			page_lost(bt, space, page_of(linear + at));
		return;
	}
	if (space != SHADOW_SUPERVISOR) {
		while (bt->owned[space])
			disown(bt, page(bt, bt->owned[space]));
		return;
	}
	do {
		break_links_out(bt, p);
		p = page(bt, p->next);
	} while (p != page(bt, bt->owned[space]));
}

/* --- passes --- */

static unsigned link_page(struct bt *bt, const struct code_page *p)
{
	unsigned made = 0;

	for (struct block *b = bt_block(bt, p->blocks); b; b = bt_block(bt, b->code_next))
		for (unsigned i = 0; i < b->nexits; i++) {
			struct bt_exit *x = &bt_exits(bt, b)[i];
			struct block *to = x->kind == EXIT_TABLE && !x->to
					       ? bt_indirect_lasting(bt, b->ctx, bt_exit_target(bt, x))
					       : NULL;
			if (!to || !to->page || bt_crosses(to))
				continue;
			bt_link(bt, x, to);
			made++;
		}
	return made;
}

/* As link_page(), but a page where there was nothing to do is passed over more and more often. */
static unsigned visit_page(struct bt *bt, struct code_page *p)
{
	unsigned made;

	if (p->wait) {
		p->wait--;
		return 0;
	}
	made = link_page(bt, p);
	p->rest = (uint8_t)(made ? 0 : MIN(2 * p->rest + 1, REST_MAX));
	p->wait = p->rest;
	return made;
}

/* The next pages of an owner's ring, *count of them; adjusts that. */
static void link_pages(struct bt *bt, unsigned owner, unsigned *count)
{
	uint32_t first = bt->owned[owner], at = first;
	unsigned made = 0;

	for (unsigned i = 0; at && i < *count; i++) {
		made += visit_page(bt, page(bt, at));
		at = page(bt, at)->next;
		if (at == first)
			break;
	}
	bt->owned[owner] = at;
	*count = made >= *count ? 2 * *count : *count / 2;
	*count = MIN(MAX(*count, FEW_PAGES), MANY_PAGES);
}

/* Shared pages that the present space uses become its own: the others come to them by the dispatcher from now on. */
static void claim_pages(struct bt *bt)
{
	for (unsigned i = 0; bt->owned[PAGE_SHARED] && i < MANY_PAGES; i++) {
		struct code_page *p = page(bt, bt->owned[PAGE_SHARED]);
		bt->owned[PAGE_SHARED] = p->next;
		if (!bt_indirect_uses(bt, p->linear))
			continue;
		break_links_in(bt, p);
		bt_indirect_claim(bt, p->linear);
		set_owner(bt, p, bt->space);
	}
}

void bt_cross_link(struct bt *bt)
{
	uint64_t now = __rdtsc();

	if (now - bt->cross_pass < PASS_TICKS || bt->lockstep || !opt_on(bt->cpu->opt_off, OPT_CROSS) ||
	    !opt_on(bt->cpu->opt_off, OPT_LINK) || shadow_space(bt->shadow, true) != bt->space)
		return;
	bt->cross_pass = now;
	link_pages(bt, SHADOW_SUPERVISOR, &bt->cross_pages[0]);
	if (bt->space != SHADOW_SUPERVISOR) {
		bt->alone = bt->space == bt->alone_space ? bt->alone + 1 : 0;
		bt->alone_space = bt->space;
		if (bt->alone >= ALONE_AFTER)
			claim_pages(bt);
		link_pages(bt, bt->space, &bt->cross_pages[1]);
	}
}

/* --- audits --- */

void bt_audit_cross(const struct bt *bt, const struct block *from, const struct block *to)
{
	const struct code_page *p = page(bt, from->page);
	gva_t linear = block_linear(to, 0);

	ASSERTF(p && to->page, "BT-9: a link from %" PRIx64 " to %" PRIx64 ", out of what is no page of code",
		block_linear(from, 0), linear);
	ASSERTF(p->owner < SHADOW_SPACES && p->user == (p->owner != SHADOW_SUPERVISOR),
		"BT-9: a link from %" PRIx64 " to %" PRIx64 " is of owner %u's", block_linear(from, 0), linear,
		p->owner);
	ASSERTF(shadow_is_fetched(bt->shadow, linear, to->gpa, p->owner),
		"BT-9: a link from %" PRIx64 " leads to %" PRIx64 ", which space %u may have changed",
		block_linear(from, 0), linear, p->owner);
}

void bt_audit_pages(const struct bt *bt)
{
	for (uint32_t n = 1; n <= bt->npages; n++) {
		const struct code_page *p = page(bt, n);
		unsigned in = 0, out = 0;
		for (const struct block *b = bt_block(bt, p->blocks); b; b = bt_block(bt, b->code_next)) {
			for (uint32_t x = b->incoming; x; x = bt_exit(bt, x)->next_from)
				in += bt_block(bt, bt_exit(bt, x)->from)->page != n;
			for (unsigned i = 0; i < b->nexits; i++)
				out += bt_exits(bt, b)[i].to && bt_block(bt, bt_exits(bt, b)[i].to)->page != n;
		}
		ASSERTF(in == p->links_in && out == p->links_out,
			"BT-9: page %" PRIx64 " has %u links in and %u out, not %u and %u", p->linear, in, out,
			p->links_in, p->links_out);
	}
}
