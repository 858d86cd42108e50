/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Without paging, RAM is mapped as it is made, piece by piece (physmem.h), and what has grown together is one run. */
#include "shadow_internal.h"

/* Is there RAM at that distance from the run's beginning, and not in another run? */
static bool is_free(const struct shadow *sh, const struct run *r, uint64_t at)
{
	return physmem_is_made(sh->pm, r->offset + at) && !shadow_find_run(sh, r->base + at);
}

void run_cut_to_made(const struct shadow *sh, struct run *r, gva_t linear)
{
	uint64_t at = linear - r->base, first, end;

	if (!sh->pm->in_pieces || !r->writable || r->backing != &sh->pm->ram)
		return;
	physmem_make(sh->pm, r->offset + at);
	first = at - MIN(at, (r->offset + at) % PM_PIECE);
	end = MIN(r->len, ALIGN_DOWN(r->offset + at, PM_PIECE) + PM_PIECE - r->offset);
	while (first && is_free(sh, r, first - 1))
		first -= MIN(first, PM_PIECE);
	while (end < r->len && is_free(sh, r, end))
		end = MIN(r->len, end + PM_PIECE);
	r->base += first;
	r->offset += first;
	r->len = end - first;
}

/* Does one go on in the other, without an edge between them? */
static bool continues(const struct shadow *sh, const struct run *r, const struct run *next)
{
	return r->base + r->len == next->base && r->offset + r->len == next->offset && r->backing == next->backing &&
	       r->writable == next->writable && run_is_traced(sh, r, r->len - PAGE_SIZE) == run_is_traced(sh, next, 0);
}

/* Takes run i into the last one, which is beside it. low: the one that begins first. */
static void join(struct shadow *sh, unsigned i, const struct run *low)
{
	struct run *last = &sh->runs[sh->nruns - 1], both = *low;

	both.len = sh->runs[i].len + last->len;
	both.edges = sh->runs[i].edges + last->edges;
	run_change_edges(sh, &sh->runs[i], 0);
	run_change_edges(sh, last, both.edges);
	sh->runs[i] = sh->runs[sh->nruns - 2];
	sh->runs[--sh->nruns - 1] = both;
	sh->cpu->stats->mappings--;
}

void runs_join(struct shadow *sh)
{
	unsigned i = 0;

	while (sh->pm->in_pieces && i + 1 < sh->nruns) {
		const struct run *r = &sh->runs[i], *last = &sh->runs[sh->nruns - 1];
		if (continues(sh, r, last))
			join(sh, i, r);
		else if (continues(sh, last, r))
			join(sh, i, last);
		else
			i++;
	}
}
