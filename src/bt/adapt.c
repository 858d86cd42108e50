/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adaptation: an instruction that faults into the monitor again and again is retranslated so that it does not: a store
 * beside translated code with a check in line, anything else (device memory) as a callout, which costs a tenth; and
 * back, when it no longer needs it.
 */
#include <inttypes.h>

#include "bt_profile_internal.h"
#include "trace.h"

static unsigned slot(gva_t linear)
{
	return (linear ^ linear >> 12) % SITE_ENTRIES;
}

/* By pages: few have sites, and each instruction that is translated asks. */
static uint64_t *page_word(struct bt *bt, gva_t linear)
{
	return &bt->site_pages[(linear >> PAGE_SHIFT) / 64 % ARRAY_LEN(bt->site_pages)];
}

static struct site *site_of(struct bt *bt, gva_t linear)
{
	struct site *s = &bt->sites[slot(linear)];

	*page_word(bt, linear) |= BIT((linear >> PAGE_SHIFT) % 64);
	if (s->linear != linear)
		*s = (struct site){.linear = linear};
	return s;
}

const struct site *bt_site(struct bt *bt, gva_t linear)
{
	static const struct site plain;
	const struct site *s = &bt->sites[slot(linear)];

	if (!(*page_word(bt, linear) >> ((linear >> PAGE_SHIFT) % 64) & 1))
		return &plain;

	return s->linear == linear ? s : &plain;
}

void bt_site_set(struct bt *bt, const struct site *site)
{
	*site_of(bt, site->linear) = *site;
}

static void retranslate(struct bt *bt, struct block *b)
{
	if (b->valid) {
		bt->losing = BT_LOST_ADAPT;
		bt_invalidate(bt, b, false);
		bt->stats->invalidated_adapt++;
	}
}

void bt_site_faulted(struct bt *bt, struct block *b, gva_t linear, bool was_checked)
{
	struct site *s = site_of(bt, linear);

	/* A block from before the adaptation has come back. */
	if (s->level == SITE_CALLOUT || (s->level == SITE_CHECKED && !was_checked)) {
		retranslate(bt, b);
		return;
	}
	if (++s->faults < ADAPT_AFTER || !opt_on(bt->cpu->opt_off, OPT_ADAPT))
		return;
	s->level = context_code64(b->ctx) ? SITE_CALLOUT : s->level + 1; /* nothing between is there for 64-bit code */
	s->faults = s->cold = 0;
	bt->stats->sites_adapted++;
	trace(bt, "site %" PRIx64 " adapted, level %u", linear, s->level);
	retranslate(bt, b);
}

void bt_site_ran(struct bt *bt, struct block *b, gva_t linear, bool slow)
{
	struct site *s = site_of(bt, linear);

	if (slow) {
		s->cold = 0;
		return;
	}
	if (s->level != SITE_CALLOUT || ++s->cold < COLD_AFTER)
		return;
	*s = (struct site){.linear = linear};
	trace(bt, "site %" PRIx64 " is fast again", linear);
	retranslate(bt, b);
}

/* Of the instruction's place in memory: the next process of the program has it, too. Instructions beside each other
 * are beside each other there: each is asked for when it is translated. */
static uint64_t hash(const struct block *b, unsigned offset, unsigned bits)
{
	const unsigned low = 4;
	gpa_t at = b->gpa + offset;

	return ((at >> low) * 0x9e3779b97f4a7c15u) >> (64 - bits + low) << low | (at & (BIT(low) - 1));
}

/* Most programs have more sites that stray than there are sites: those are counted by a hash, and never less, so that
 * there is an end to it; others of the same hash look up their chunks without need. */
static uint8_t *stray_counter(struct bt *bt, const struct block *b, unsigned offset)
{
	return &bt->strays[hash(b, offset, STRAY_BITS)];
}

bool bt_site_strays(struct bt *bt, const struct block *b, unsigned offset)
{
	return *stray_counter(bt, b, offset) == STRAYS_MAX;
}

void bt_site_strayed(struct bt *bt, struct block *b, unsigned offset)
{
	uint8_t *strays = stray_counter(bt, b, offset);

	*strays += *strays < STRAYS_MAX;
	bt->stats->sites_strayed++;
	trace(bt, "site %" PRIx64 " strayed", block_linear(b, offset));
	retranslate(bt, b);
}

/* --- supervisor code that accesses memory of user mode --- */

/*
 * Such memory changes with every switch of address spaces, and each page would fault in again: sites that do so look
 * up, by the upper bits of the address, whether user mode's window has it. (The same copying loop serves both
 * directions.)
 */
enum { USER_AFTER = 2, REGION_CHANGES = 32 };

/* A region that is both to the guest's kernel stays supervisor mode's in the end. */
static void set_region(struct bt *bt, uint32_t address, bool user)
{
	unsigned r = address >> USER_REGION_SHIFT;

	if (bt->cpu->bt_user_region[r] == user || (user && bt->region_changes[r] == REGION_CHANGES))
		return;
	bt->cpu->bt_user_region[r] = user;
	bt->region_changes[r] += user;
}

void bt_site_touched_user(struct bt *bt, struct block *b, gva_t linear, uint32_t address, bool looked)
{
	struct site *s = site_of(bt, linear);

	if (!opt_on(bt->cpu->opt_off, OPT_USER))
		return;
	set_region(bt, address, true);
	if (!s->user && ++s->user_faults < USER_AFTER)
		return;
	if (!s->user) {
		s->user = true;
		bt->stats->sites_user++;
		trace(bt, "site %" PRIx64 " looks which window to use", linear);
	}
	if (!looked) /* now, or before the adaptation */
		retranslate(bt, b);
}

void bt_site_missed_user(struct bt *bt, uint32_t address)
{
	set_region(bt, address, false);
}

/* --- code that comes to new pages --- */

/*
 * A signal costs as much as a thousand looks at a page's state, and much of what takes one does so once in each
 * process: an instruction that has taken LOOK_AFTER, by its place in RAM, looks first. What looks cost is seen where
 * time is spent, which the guest's timer tells: a block that it interrupts goes without them, if they have not saved
 * LOOK_PAYS signals since; and the next time they take twice as many faults to come back.
 */
enum { LOOK_AFTER = 3, LOOK_PAYS = 200, LONGER_MAX = 6 };

static struct look *look_of(struct bt *bt, const struct block *b, unsigned offset)
{
	return &bt->looks[hash(b, offset, LOOK_BITS)];
}

/* Faults to the next time that it looks. */
static unsigned enough(const struct look *l)
{
	return LOOK_AFTER << l->longer;
}

bool bt_look_pays(struct bt *bt, const struct block *b, unsigned offset)
{
	const struct look *l = look_of(bt, b, offset);

	return l->faults >= enough(l) && opt_on(bt->cpu->opt_off, OPT_LOOK);
}

void bt_look_faulted(struct bt *bt, struct block *b, unsigned n)
{
	struct look *l = look_of(bt, b, b->map[n].guest);

	l->faults += l->faults < UINT16_MAX;
	if ((b->map[n].flags & MAP_LOOKS) || !bt_look_pays(bt, b, b->map[n].guest))
		return;
	if (l->faults == enough(l)) {
		bt->stats->sites_guarded++;
		trace(bt, "site %" PRIx64 " looks whether its page is mapped", block_linear(b, b->map[n].guest));
	}
	retranslate(bt, b);
}

void bt_looks_sampled(struct bt *bt, struct block *b)
{
	bool fewer = false;

	for (unsigned n = 0; n < b->ninsns; n++) {
		struct look *l = look_of(bt, b, b->map[n].guest);
		if (!(b->map[n].flags & MAP_LOOKS) || l->faults < enough(l))
			continue;
		if (l->faults - enough(l) >= LOOK_PAYS) {
			l->faults = (uint16_t)enough(l);
			continue;
		}
		l->faults = 0;
		l->longer += l->longer < LONGER_MAX;
		fewer = true;
	}
	if (fewer)
		retranslate(bt, b);
}

/* --- pages that are known only (shadow/known.c) --- */

/*
 * A page that is known for code that looks, and then accessed by code that does not, costs a signal that mapping it at
 * once would have saved: about as much as mapping it and taking it away again. So each site has a score. When that is
 * used up its pages are mapped, and one is tried again later and later.
 */
enum { IN_VAIN_COSTS = 4, KNOWS_MAX = 16, KNOWS_MIN = -64, LATER_MAX = 4 };

struct look *bt_look_knows(struct bt *bt, const struct block *b, unsigned n)
{
	struct look *l = look_of(bt, b, b->map[n].guest);

	if (l->knows >= 0)
		return l;
	l->knows++;
	return NULL;
}

static struct known *known_at(struct bt *bt, hva_t address)
{
	return &bt->known[(address >> PAGE_SHIFT) % KNOWN_PAGES];
}

void bt_page_known(struct bt *bt, struct look *by, hva_t address)
{
	*known_at(bt, address) = (struct known){address >> PAGE_SHIFT, by};
	if (by->knows < KNOWS_MAX)
		by->knows++;
	else
		by->later = 0;
}

void bt_known_in_vain(struct bt *bt, hva_t address)
{
	struct known *k = known_at(bt, address);
	struct look *l = k->by;

	bt->stats->known_in_vain++;
	if (!l || k->page != address >> PAGE_SHIFT)
		return;
	l->knows = (int8_t)MAX(l->knows - (IN_VAIN_COSTS << l->later), KNOWS_MIN);
	l->later += l->knows < 0 && l->later < LATER_MAX;
	k->by = NULL;
}
