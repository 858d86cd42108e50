/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restates the invariants of README.md against what the host kernel says is mapped (/proc/self/maps), not against our
 * own tables.
 */
#define _GNU_SOURCE
#include "shadow_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

uint64_t audit_inode(const struct pm_backing *b)
{
	struct stat st;
	return fstat(b->fd, &st) == 0 ? st.st_ino : 0;
}

static void check_page(const struct shadow *sh, const struct host_map *m, gva_t page)
{
	const struct run *r = shadow_find_run(sh, page);
	gpa_t gpa = page & sh->pm->a20_mask;
	const struct pm_region *region = physmem_span(sh->pm, gpa)->region;

	ASSERTF(r, "SH-1: %" PRIx64 " is mapped without a run", page);
	ASSERTF(region && region->backing == r->backing, "SH-2: %" PRIx64 " maps another region's memory", page);
	ASSERTF(m->offset + (page - m->base) == region->offset + (gpa - region->base),
		"SH-2: %" PRIx64 " maps the wrong page", page);
	ASSERTF(!m->executable, "SH-5: %" PRIx64 " is executable", page);
	if (region->kind != PM_RAM)
		ASSERTF(!m->writable, "SH-3: ROM at %" PRIx64 " is writable", page);
	if (physmem_traced(sh->pm, gpa))
		ASSERTF(!m->writable, "SH-4: traced page %" PRIx64 " is writable", page);
}

static void check_map(const struct shadow *sh, const struct host_map *m)
{
	const struct run *r = shadow_find_run(sh, m->base);

	if (!m->readable)
		return;
	ASSERTF(r, "SH-1: %" PRIx64 " is mapped without a run", m->base);
	ASSERTF(m->inode == audit_inode(r->backing), "SH-2: %" PRIx64 " maps another file", m->base);
	/* Within one host mapping and one run, contents and rights are uniform but for traces: those are checked page
	 * by page. */
	for (gva_t page = m->base; page < m->base + m->len; page += PAGE_SIZE)
		check_page(sh, m, page);
}

/* SH-6. The host merges neighbouring mappings: one may show several runs. */
static void check_alias(const struct shadow *sh, const struct host_map *m)
{
	const struct run *r;

	ASSERTF(!m->executable, "SH-5: %" PRIx64 " is executable in the alias", m->base);
	for (gva_t at = m->base; at < m->base + m->len; at = r->base + r->len) {
		r = shadow_find_run(sh, at);
		ASSERTF(r && r->writable, "SH-6: the alias shows %" PRIx64 ", which the window does not", at);
		ASSERTF(m->inode == audit_inode(r->backing) && m->offset + (at - m->base) == r->offset + (at - r->base),
			"SH-6: the alias shows other memory at %" PRIx64, at);
		ASSERTF(r->backing != &sh->pm->ram || r->offset == r->base,
			"SH-6: the alias shows RAM of another number at %" PRIx64, at);
	}
}

void shadow_audit(const struct shadow *sh)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	hva_t window = (hva_t)sh->window, alias = window + SHADOW_ALIAS;
	uint64_t paged_pages[ALL_WINDOWS] = {0}, table_pages = 0;

	for (unsigned i = 0; i < sh->nruns; i++)
		ASSERTF(sh->runs[i].edges == shadow_run_edges(sh, &sh->runs[i]), "SH-11: run %u", i);
	if (!maps)
		return;
	while (fgets(line, sizeof(line), maps)) {
		uint64_t start, end, offset, inode;
		char prot[5], dev[16];
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %15s %" SCNu64, &start, &end, prot, &offset,
			   dev, &inode) != 6)
			continue;
		if (prot[0] != 'r')
			continue;
		struct host_map m = {0, end - start, true, prot[1] == 'w', prot[2] == 'x', offset, inode};
		if (start < window + WINDOW_BYTES && end > window) {
			ASSERTF(start >= window, "SH-1: the guard below the window is mapped (%" PRIx64 ")", start);
			ASSERTF(end <= window + WINDOW_BYTES,
				"SH-1: the guard above the window is mapped (%" PRIx64 ")", end);
			m.base = start - window;
			check_map(sh, &m);
		} else if (start < alias + WINDOW_BYTES && end > alias) {
			ASSERTF(start >= alias && end <= alias + WINDOW_BYTES,
				"SH-6: the alias' guards are mapped (%" PRIx64 ")", start);
			m.base = start - alias;
			check_alias(sh, &m);
		} else {
			const struct window *w = paged_window_at(sh, start);
			table_pages += audit_view_map(sh, start, end - start);
			if (!w)
				continue;
			m.base = start - (hva_t)w->base;
			ASSERTF(m.base + m.len <= WINDOW_BYTES, "SH-1: the guard above window %u is mapped",
				window_number(&sh->paged, w));
			paged_pages[window_number(&sh->paged, w)] += audit_paged_map(sh, w, &m);
		}
	}
	fclose(maps);
	audit_paged(sh, paged_pages);
	audit_views(sh, table_pages);
}
