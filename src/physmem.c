/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "physmem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "large.h"

int pm_backing_init(struct pm_backing *b, const char *name, uint64_t size)
{
	int err;

	*b = (struct pm_backing){.fd = -1, .size = ALIGN_UP(size, PAGE_SIZE)};
	b->fd = memfd_create(name, MFD_CLOEXEC);
	if (b->fd < 0)
		return -errno;
	if (ftruncate(b->fd, (off_t)b->size) < 0)
		goto fail;
	b->host = large_reserve(b->size, 0);
	if (b->host && mmap(b->host, b->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, b->fd,
			    0) != MAP_FAILED)
		return 0;
fail:
	err = -errno;
	if (b->host)
		munmap(b->host, b->size);
	close(b->fd);
	*b = (struct pm_backing){.fd = -1};
	return err;
}

void pm_backing_destroy(struct pm_backing *b)
{
	if (b->host)
		munmap(b->host, b->size);
	if (b->fd >= 0)
		close(b->fd);
	*b = (struct pm_backing){.fd = -1};
}

void pm_backing_clear(struct pm_backing *b)
{
	if (fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)b->size) < 0)
		memset(b->host, 0, b->size);
}

int physmem_init(struct physmem *pm, uint64_t ram_bytes)
{
	int err;

	memset(pm, 0, sizeof(*pm));
	pm->a20_mask = ~0ull;
	pm->spans[0] = (struct pm_span){0, BIT(PHYSMEM_BITS), NULL};
	pm->nspans = 1;
	err = pm_backing_init(&pm->ram, "gnomon-ram", ram_bytes);
	if (err)
		return err;
	pm->traced = calloc(pm->ram.size >> PAGE_SHIFT, 1);
	pm->made = calloc(pm->ram.size / PM_PIECE / 64 + 1, sizeof(*pm->made));
	pm->made_here = calloc(pm->ram.size / PM_PIECE / 64 + 1, sizeof(*pm->made_here));
	if (!pm->traced || !pm->made || !pm->made_here) {
		physmem_destroy(pm);
		return -ENOMEM;
	}
	return 0;
}

void physmem_destroy(struct physmem *pm)
{
	pm_backing_destroy(&pm->ram);
	free(pm->traced);
	free(pm->made);
	free(pm->made_here);
	pm->traced = NULL;
	pm->made = pm->made_here = NULL;
}

/* The enabled region of the highest priority at gpa; *end is lowered to where the answer may change. */
static const struct pm_region *winner(const struct physmem *pm, gpa_t gpa, gpa_t *end)
{
	const struct pm_region *best = NULL;

	for (unsigned i = 0; i < pm->nregions; i++) {
		const struct pm_region *r = pm->regions[i];
		if (!r->enabled || gpa >= r->base + r->len)
			continue;
		if (gpa < r->base) {
			*end = MIN(*end, r->base);
			continue;
		}
		*end = MIN(*end, r->base + r->len);
		if (!best || r->priority > best->priority)
			best = r;
	}
	return best;
}

void physmem_forget(struct physmem *pm, gpa_t base, uint64_t len)
{
	pm->generation++;
	for (unsigned i = 0; i < pm->nlisteners; i++)
		if (pm->listeners[i].map_changed)
			pm->listeners[i].map_changed(pm->listeners[i].arg, base, len);
}

/* Does RAM or ROM answer anywhere in [base, base + len)? */
static bool any_memory(const struct physmem *pm, gpa_t base, uint64_t len)
{
	for (const struct pm_span *s = physmem_span(pm, base);; s++) {
		if (s->region && (s->region->kind == PM_RAM || s->region->kind == PM_ROM))
			return true;
		if (base + len <= s->base + s->len)
			return false;
	}
}

/* Of RAM, if there is any. */
static void find_widest(struct physmem *pm)
{
	uint64_t len = 0;

	pm->widest = 0;
	for (unsigned i = 0; i < pm->nspans; i++) {
		const struct pm_span *s = &pm->spans[i];
		if (!s->region || s->region->kind != PM_RAM || s->len < len)
			continue;
		pm->widest = i;
		len = s->len;
	}
}

/*
 * Recomputes the spans and tells listeners that [base, base + len) may have changed, if there is memory or was: a
 * kernel that looks at its BARs has them vanish and come back one after the other.
 */
static void rebuild(struct physmem *pm, gpa_t base, uint64_t len)
{
	gpa_t limit = BIT(PHYSMEM_BITS);
	bool memory = any_memory(pm, base, len);
	unsigned n = 0;

	for (gpa_t at = 0, end; at < limit; at = end) {
		end = limit;
		const struct pm_region *r = winner(pm, at, &end);
		if (n && pm->spans[n - 1].region == r) {
			pm->spans[n - 1].len += end - at;
			continue;
		}
		ASSERT(n < PM_MAX_SPANS);
		pm->spans[n++] = (struct pm_span){at, end - at, r};
	}
	pm->nspans = n;
	find_widest(pm);
	if (memory || any_memory(pm, base, len))
		physmem_forget(pm, base, len);
	else
		pm->generation++;
}

void physmem_add(struct physmem *pm, struct pm_region *r)
{
	ASSERTF(pm->nregions < PM_MAX_REGIONS, "region %s", r->name);
	ASSERT(r->len && !((r->base | r->len) & PAGE_MASK));
	if (r->kind == PM_RAM || r->kind == PM_ROM)
		ASSERT(r->backing && r->offset + r->len <= r->backing->size);
	pm->regions[pm->nregions++] = r;
	if (r->enabled)
		rebuild(pm, r->base, r->len);
}

void physmem_enable(struct physmem *pm, struct pm_region *r, bool enabled)
{
	if (r->enabled == enabled)
		return;
	r->enabled = enabled;
	rebuild(pm, r->base, r->len);
}

void physmem_move(struct physmem *pm, struct pm_region *r, gpa_t base, bool enabled)
{
	if (base != r->base) {
		physmem_enable(pm, r, false);
		/* A guest may put a BAR anywhere: what leaves the space is not decoded. */
		if ((base & PAGE_MASK) || base >= BIT(PHYSMEM_BITS) || r->len > BIT(PHYSMEM_BITS) - base)
			return;
		r->base = base;
	}
	physmem_enable(pm, r, enabled);
}

void physmem_set_kind(struct physmem *pm, struct pm_region *r, enum pm_kind kind, bool enabled)
{
	if (r->kind == kind && r->enabled == enabled)
		return;
	physmem_enable(pm, r, false); /* as what it was */
	r->kind = kind;
	physmem_enable(pm, r, enabled);
}

void physmem_set_len(struct physmem *pm, struct pm_region *r, uint64_t len)
{
	uint64_t both = MAX(len, r->len);

	if (len == r->len)
		return;
	r->len = len;
	if (r->enabled)
		rebuild(pm, r->base, both);
}

void physmem_listen(struct physmem *pm, struct pm_listener listener)
{
	ASSERT(pm->nlisteners < PM_MAX_LISTENERS);
	pm->listeners[pm->nlisteners++] = listener;
}

void physmem_unlisten(struct physmem *pm, const void *arg)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < pm->nlisteners; i++)
		if (pm->listeners[i].arg != arg)
			pm->listeners[kept++] = pm->listeners[i];
	pm->nlisteners = kept;
}

const struct pm_span *physmem_span(const struct physmem *pm, gpa_t gpa)
{
	unsigned low = 0, high = pm->nspans - 1;
	const struct pm_span *widest = &pm->spans[pm->widest];

	if (LIKELY(gpa - widest->base < widest->len))
		return widest;
	if (gpa >= BIT(PHYSMEM_BITS)) {
		static const struct pm_span beyond = {BIT(PHYSMEM_BITS), -BIT(PHYSMEM_BITS), NULL};
		return &beyond;
	}
	while (low < high) {
		unsigned mid = (low + high + 1) / 2;
		if (pm->spans[mid].base <= gpa)
			low = mid;
		else
			high = mid - 1;
	}
	return &pm->spans[low];
}

/* Memory behind gpa in a span of RAM or ROM; *left: bytes to the end of the span. */
static uint8_t *span_host(const struct pm_span *s, gpa_t gpa, uint64_t *left)
{
	const struct pm_region *r = s->region;

	*left = s->base + s->len - gpa;
	if (!r || (r->kind != PM_RAM && r->kind != PM_ROM))
		return NULL;
	return r->backing->host + r->offset + (gpa - r->base);
}

uint8_t *physmem_host(const struct physmem *pm, gpa_t gpa, uint64_t *len_out)
{
	uint64_t left;
	uint8_t *host = span_host(physmem_span(pm, gpa), gpa, &left);

	if (len_out)
		*len_out = left;
	return host;
}

/* The next piece of a device access: up to 8 bytes, not across an 8-byte boundary of the device. */
static unsigned io_piece(uint64_t offset, uint64_t len)
{
	return (unsigned)MIN(len, 8 - (offset & 7));
}

void physmem_read(struct physmem *pm, gpa_t gpa, void *buf, uint64_t len)
{
	uint8_t *to = buf;

	while (len) {
		const struct pm_span *s = physmem_span(pm, gpa);
		uint64_t n;
		const uint8_t *host = span_host(s, gpa, &n);
		n = MIN(n, len);
		if (host) {
			memcpy(to, host, n);
		} else if (s->region && s->region->kind == PM_IO) {
			uint64_t offset = gpa - s->region->base;
			n = io_piece(offset, n);
			store_le(to, (unsigned)n, io_read(s->region->ops, s->region->dev, offset, (unsigned)n));
		} else {
			memset(to, 0xff, n);
		}
		gpa += n;
		to += n;
		len -= n;
	}
}

static void tell_traced(struct physmem *pm, gpa_t gpa, const uint8_t *data, uint64_t len)
{
	while (len) {
		uint64_t n = MIN(len, PAGE_SIZE - (gpa & PAGE_MASK));
		if (physmem_traced(pm, gpa))
			for (unsigned i = 0; i < pm->nlisteners; i++)
				if (pm->listeners[i].traced_write)
					pm->listeners[i].traced_write(pm->listeners[i].arg, gpa, data, (unsigned)n);
		gpa += n;
		data += n;
		len -= n;
	}
}

void physmem_write(struct physmem *pm, gpa_t gpa, const void *buf, uint64_t len)
{
	const uint8_t *from = buf;

	while (len) {
		const struct pm_span *s = physmem_span(pm, gpa);
		uint64_t n;
		uint8_t *host = span_host(s, gpa, &n);
		n = MIN(n, len);
		if (host && s->region->kind == PM_RAM) {
			n = MIN(n, PM_PIECE - (uint64_t)(host - s->region->backing->host) % PM_PIECE);
			physmem_make_here(pm, host);
			tell_traced(pm, gpa, from, n);
			memcpy(host, from, n);
		} else if (s->region && s->region->kind == PM_IO) {
			uint64_t offset = gpa - s->region->base;
			n = io_piece(offset, n);
			io_write(s->region->ops, s->region->dev, offset, (unsigned)n, load_le(from, (unsigned)n));
		}
		gpa += n;
		from += n;
		len -= n;
	}
}

bool physmem_ram_offset(const struct physmem *pm, gpa_t gpa, uint64_t *offset)
{
	const struct pm_region *r = physmem_span(pm, gpa)->region;

	if (!r || r->backing != &pm->ram)
		return false;
	*offset = r->offset + (gpa - r->base);
	return true;
}

/* The trace byte of the RAM page behind gpa, or NULL. */
static uint8_t *trace_byte(const struct physmem *pm, gpa_t gpa)
{
	uint64_t offset;

	return physmem_ram_offset(pm, gpa, &offset) ? &pm->traced[offset >> PAGE_SHIFT] : NULL;
}

bool physmem_trace(struct physmem *pm, gpa_t gpa, uint8_t who)
{
	uint8_t *t = trace_byte(pm, gpa);

	if (t)
		*t |= who;
	return t != NULL;
}

void physmem_untrace(struct physmem *pm, gpa_t gpa, uint8_t who)
{
	uint8_t *t = trace_byte(pm, gpa);

	if (t)
		*t &= (uint8_t)~who;
}

uint8_t physmem_traced(const struct physmem *pm, gpa_t gpa)
{
	const uint8_t *t = trace_byte(pm, gpa);
	return t ? *t : 0;
}

void physmem_set_a20(struct physmem *pm, bool enabled)
{
	uint64_t mask = enabled ? ~0ull : ~(uint64_t)MiB;

	if (mask == pm->a20_mask)
		return;
	pm->a20_mask = mask;
	physmem_forget(pm, 0, BIT(PHYSMEM_BITS));
}
