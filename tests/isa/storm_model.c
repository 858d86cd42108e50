/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of paging. A translation may be held if it was valid, with A set all along, at any time since it was last
 * flushed; so may an entry of the directory. An access goes through one that is held, or walks the tables.
 */
#include <string.h>

#include "storm.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
enum { ERR_P = 1, ERR_W = 2, ERR_U = 4, ERR_R = 8, ERR_I = 16 };

#define NX BIT(63)
/* Bits that are reserved for any processor: 62:52. The model knows no others; nobody sets them. */
#define RESERVED (BIT(63) - BIT(52))

unsigned storm_entry_bytes(const struct storm_model *s)
{
	return s->pae ? 8 : 4;
}

unsigned storm_large_bytes(const struct storm_model *s)
{
	return s->pae ? 2 * MiB : 4 * MiB;
}

uint32_t storm_page(const struct storm_model *s, unsigned region, unsigned page)
{
	return ST_PLAY + region * storm_large_bytes(s) + (ST_FIRST + page) * 4096;
}

bool storm_find_page(const struct storm_model *s, uint32_t linear, unsigned *region, unsigned *page)
{
	*region = (linear - ST_PLAY) / storm_large_bytes(s);
	*page = (linear % storm_large_bytes(s)) / 4096 - ST_FIRST;
	return linear >= ST_PLAY && *region < ST_REGIONS && *page < ST_PAGES;
}

gpa_t storm_pde_at(const struct storm_model *s, gpa_t dir, unsigned region)
{
	return dir + (ST_PLAY / storm_large_bytes(s) + region) * storm_entry_bytes(s);
}

static uint64_t entry(const struct storm_model *s, gpa_t at)
{
	return load_le(s->mem + at, storm_entry_bytes(s));
}

static uint64_t reserved(const struct storm_model *s)
{
	return s->pae ? RESERVED : 0;
}

/* What a walk finds. */
struct found {
	bool present, reserved;
	bool accessed; /* A was set all along */
	struct leaf leaf;
	gpa_t at[2]; /* of the entries used: directory (0 if it was held), table (0 if large) */
};

static struct leaf leaf_of(const struct storm_model *s, uint64_t pde, uint64_t pte, gpa_t gpa)
{
	uint64_t last = pde & PS ? pde : pte, both = pde & PS ? pde : pde & pte;

	return (struct leaf){.gpa = gpa,
			     .w = both & W,
			     .u = both & U,
			     .nx = s->pae && ((pde & NX) || (last & NX)),
			     .g = s->pge && (last & G),
			     .d = last & D,
			     .large = pde & PS};
}

/* Frames lie twice in the guest's memory: at ISA_ALIAS again. */
static gpa_t ram_of(gpa_t gpa)
{
	return gpa >= ISA_ALIAS ? gpa - ISA_ALIAS : gpa;
}

static struct found walk(const struct storm_model *s, uint64_t pde, gpa_t pde_at, unsigned page)
{
	struct found f = {.at = {pde_at, 0}};
	uint64_t pte, address = s->pae ? BIT(52) - 4096 : 0xfffff000u;
	gpa_t offset = (ST_FIRST + page) * 4096ull;

	if (!(pde & P))
		return f;
	if (pde & reserved(s)) {
		f.reserved = true;
		return f;
	}
	if (pde & PS) {
		f.present = true;
		f.accessed = pde & A;
		f.leaf = leaf_of(s, pde, 0, ram_of((pde & address & ~(uint64_t)(storm_large_bytes(s) - 1)) + offset));
		return f;
	}
	f.at[1] = (pde & address) + (ST_FIRST + page) * storm_entry_bytes(s);
	pte = entry(s, f.at[1]);
	if (!(pte & P))
		return f;
	f.reserved = pte & reserved(s);
	f.present = !f.reserved;
	f.accessed = pde & pte & A;
	f.leaf = leaf_of(s, pde, pte, ram_of(pte & address));
	return f;
}

static bool allowed(const struct storm_model *s, const struct leaf *l, unsigned access, bool user)
{
	if (user && !l->u)
		return false;
	if ((access & ACCESS_WRITE) && !l->w && (user || s->wp))
		return false;
	return !(access & ACCESS_EXEC) || !l->nx;
}

static void add_fault(struct option *out, unsigned *n, unsigned error)
{
	ASSERT(*n < MAX_OPTIONS);
	out[(*n)++] = (struct option){.fault = true, .error = (uint8_t)error};
}

static void add_walk(const struct storm_model *s, const struct found *f, unsigned access, bool user, struct option *out,
		     unsigned *n, unsigned error)
{
	struct option o = {.gpa = f->leaf.gpa, .leaf = f->leaf};

	o.leaf.d |= access & ACCESS_WRITE;
	if (!f->present || !allowed(s, &f->leaf, access, user)) {
		unsigned why = (f->present || f->reserved ? ERR_P : 0) | (f->reserved ? ERR_R : 0);
		add_fault(out, n, error | why);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		bool last = i == 1 || !f->at[1];
		if (!f->at[i])
			continue;
		o.ad[o.nad].at = f->at[i];
		o.ad[o.nad++].set = A | (last && (access & ACCESS_WRITE) ? D : 0);
	}
	ASSERT(*n < MAX_OPTIONS);
	out[(*n)++] = o;
}

unsigned storm_options(const struct storm_model *s, uint32_t linear, unsigned access, bool user, struct option *out)
{
	unsigned n = 0, region, page;
	unsigned error = (access & ACCESS_WRITE ? ERR_W : 0) | (user ? ERR_U : 0);
	struct found f;
	gpa_t at;

	if (!storm_find_page(s, linear, &region, &page)) { /* the identity mapping: never a fault */
		out[0] = (struct option){.gpa = linear & ~4095u};
		return 1;
	}
	if ((access & ACCESS_EXEC) && s->pae)
		error |= ERR_I;
	at = storm_pde_at(s, s->dir, region);
	f = walk(s, entry(s, at), at, page);
	add_walk(s, &f, access, user, out, &n, error);
	for (unsigned i = 0; i < s->npde[region]; i++) {
		f = walk(s, s->pde[region][i], 0, page);
		add_walk(s, &f, access, user, out, &n, error);
	}
	for (unsigned i = 0; i < s->ntlb[region][page]; i++) {
		const struct leaf *l = &s->tlb[region][page][i];
		if (!allowed(s, l, access, user))
			add_fault(out, &n, error | ERR_P);
		else if (!(access & ACCESS_WRITE) || l->d)
			out[n++] = (struct option){.gpa = l->gpa, .leaf = *l};
	}
	return n;
}

static void hold_leaf(struct storm_model *s, unsigned region, unsigned page, const struct leaf *l)
{
	unsigned *n = &s->ntlb[region][page];

	for (unsigned i = 0; i < *n; i++) {
		const struct leaf *h = &s->tlb[region][page][i];
		if (h->gpa == l->gpa && h->w == l->w && h->u == l->u && h->nx == l->nx && h->g == l->g &&
		    h->d == l->d && h->large == l->large)
			return;
	}
	if (*n < MAX_CACHED)
		s->tlb[region][page][(*n)++] = *l;
	s->full |= *n >= MAX_CACHED / 2;
}

void storm_used(struct storm_model *s, uint32_t linear, const struct option *o)
{
	unsigned region, page;

	if (o && !o->fault && storm_find_page(s, linear, &region, &page))
		hold_leaf(s, region, page, &o->leaf);
}

static void hold_pde(struct storm_model *s, unsigned region, uint64_t pde)
{
	unsigned *n = &s->npde[region];

	if (!(pde & P) || (pde & (PS | reserved(s))) || !(pde & A))
		return;
	for (unsigned i = 0; i < *n; i++)
		if (s->pde[region][i] == pde)
			return;
	if (*n < MAX_CACHED)
		s->pde[region][(*n)++] = pde;
	s->full |= *n >= MAX_CACHED / 2;
}

void storm_note(struct storm_model *s)
{
	for (unsigned region = 0; region < ST_REGIONS; region++) {
		uint64_t now = entry(s, storm_pde_at(s, s->dir, region));
		hold_pde(s, region, now);
		for (unsigned page = 0; page < ST_PAGES; page++) {
			struct found f = walk(s, now, 0, page);
			if (f.present && f.accessed)
				hold_leaf(s, region, page, &f.leaf);
			for (unsigned i = 0; i < s->npde[region]; i++) {
				f = walk(s, s->pde[region][i], 0, page);
				if (f.present && f.accessed)
					hold_leaf(s, region, page, &f.leaf);
			}
		}
	}
}

static bool is_large_now(const struct storm_model *s, unsigned region)
{
	return (entry(s, storm_pde_at(s, s->dir, region)) & (P | PS)) == (P | PS);
}

void storm_invlpg(struct storm_model *s, uint32_t linear)
{
	unsigned region, page;
	bool found = storm_find_page(s, linear, &region, &page);

	memset(s->npde, 0, sizeof(s->npde));
	if (found)
		s->ntlb[region][page] = 0;
	/* All entries of a page that is large, if the tables still say that it is. */
	if (linear < ST_PLAY || region >= ST_REGIONS || !is_large_now(s, region))
		return;
	for (page = 0; page < ST_PAGES; page++) {
		unsigned kept = 0;
		for (unsigned i = 0; i < s->ntlb[region][page]; i++)
			if (!s->tlb[region][page][i].large)
				s->tlb[region][page][kept++] = s->tlb[region][page][i];
		s->ntlb[region][page] = kept;
	}
}

void storm_faulted(struct storm_model *s, uint32_t linear)
{
	unsigned region, page;

	if (!storm_find_page(s, linear, &region, &page))
		return;
	s->npde[region] = 0;
	s->ntlb[region][page] = 0;
}

void storm_flush(struct storm_model *s, bool also_global)
{
	memset(s->npde, 0, sizeof(s->npde));
	s->full = false;
	for (unsigned region = 0; region < ST_REGIONS; region++) {
		for (unsigned page = 0; page < ST_PAGES; page++) {
			unsigned kept = 0;
			for (unsigned i = 0; i < s->ntlb[region][page] && !also_global; i++)
				if (s->tlb[region][page][i].g)
					s->tlb[region][page][kept++] = s->tlb[region][page][i];
			s->ntlb[region][page] = kept;
		}
	}
}
