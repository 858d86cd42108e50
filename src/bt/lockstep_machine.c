/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the CPU exchanges with the machine and writes to memory in lockstep: recorded while the single-stepper runs on
 * the real machine, answered from the record when the translator repeats it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/mem.h"
#include "lockstep_internal.h"
#include "shadow/track.h"

/* Records a new exchange, or finds the recorded one; NULL if there is none like it. */
static struct answer *exchange(struct lockstep *ls, enum answer_kind kind, uint64_t where, uint64_t size)
{
	struct answer *a;

	if (!ls->replaying) {
		if (ls->nanswers == MAX_ANSWERS) {
			ls->overflow = ls->no_way_back = true;
			ls->nanswers = 0;
		}
		a = &ls->answers[ls->nanswers++];
		*a = (struct answer){.kind = (uint8_t)kind, .ok = true, .where = where, .size = size};
		return a;
	}
	a = &ls->answers[ls->next_answer];
	if (ls->next_answer == ls->nanswers || a->kind != kind || a->where != where || a->size != size) {
		ls->differs = true;
		fprintf(stderr,
			"lockstep: the translator asks for %u %" PRIx64 " (%" PRIu64
			"), which the single-stepper did not\n",
			kind, where, size);
		return NULL;
	}
	ls->next_answer++;
	return a;
}

static bool sent_differs(struct lockstep *ls, const struct answer *a, uint64_t value)
{
	if (a && a->value != value) {
		fprintf(stderr, "lockstep: %" PRIx64 " sent to %" PRIx64 ", single-stepped %" PRIx64 "\n", value,
			a->where, a->value);
		ls->differs = true;
	}
	return false;
}

static uint32_t port_in(void *m, uint16_t port, unsigned size)
{
	struct lockstep *ls = m;
	struct answer *a = exchange(ls, ANS_PORT_IN, port, size);

	if (a && !ls->replaying) {
		ls->inside = true;
		a->value = ls->real_ops->port_in(ls->before.machine, port, size);
		ls->inside = false;
	}
	return a ? (uint32_t)a->value : 0;
}

static void port_out(void *m, uint16_t port, unsigned size, uint32_t value)
{
	struct lockstep *ls = m;
	struct answer *a = exchange(ls, ANS_PORT_OUT, port, size);

	if (ls->replaying) {
		sent_differs(ls, a, value);
		return;
	}
	a->value = value;
	ls->inside = true;
	ls->real_ops->port_out(ls->before.machine, port, size, value);
	ls->inside = false;
}

static uint64_t tsc(void *m)
{
	struct lockstep *ls = m;
	struct answer *a;

	if (ls->inside) /* the local APIC, about its deadline */
		return ls->real_ops->tsc(ls->before.machine);
	a = exchange(ls, ANS_TSC, 0, 0);

	if (a && !ls->replaying)
		a->value = ls->real_ops->tsc(ls->before.machine);
	return a ? a->value : 0;
}

static bool msr_read(void *m, uint32_t index, uint64_t *value)
{
	struct lockstep *ls = m;
	struct answer *a = exchange(ls, ANS_MSR_READ, index, 0);

	if (a && !ls->replaying) {
		ls->inside = true;
		a->ok = ls->real_ops->apic_msr_read(ls->before.machine, index, &a->value);
		ls->inside = false;
	}
	*value = a ? a->value : 0;
	return a && a->ok;
}

static bool msr_write(void *m, uint32_t index, uint64_t value)
{
	struct lockstep *ls = m;
	struct answer *a = exchange(ls, ANS_MSR_WRITE, index, 0);

	if (ls->replaying)
		return sent_differs(ls, a, value) || (a && a->ok);
	a->value = value;
	ls->inside = true;
	a->ok = ls->real_ops->apic_msr_write(ls->before.machine, index, value);
	ls->inside = false;
	return a->ok;
}

static uint64_t cr8_read(void *m)
{
	struct lockstep *ls = m;
	struct answer *a = exchange(ls, ANS_CR8_READ, 0, 0);

	if (a && !ls->replaying)
		a->value = ls->real_ops->cr8_read(ls->before.machine);
	return a ? a->value : 0;
}

static void cr8_write(void *m, uint64_t value)
{
	struct lockstep *ls = m;
	struct answer *a = exchange(ls, ANS_CR8_WRITE, 0, 0);

	if (ls->replaying) {
		sent_differs(ls, a, value);
		return;
	}
	a->value = value;
	ls->real_ops->cr8_write(ls->before.machine, value);
}

static void mmu_event(void *m, enum mmu_event event, gva_t address)
{
	struct lockstep *ls = m;

	/* In both runs: the translator's own mappings must follow what it does. Global pages may outlive a load of CR3
	 * there, but not in the single-stepper, which keeps nothing. */
	ls->flushed = true;
	ls->real_ops->mmu_event(ls->before.machine, event == MMU_CR3 ? MMU_CR4 : event, address);
}

static void ferr(void *m, bool level)
{
	struct lockstep *ls = m;

	if (!ls->replaying)
		ls->real_ops->ferr(ls->before.machine, level);
}

static void triple_fault(void *m)
{
	struct lockstep *ls = m;

	if (!ls->replaying)
		ls->real_ops->triple_fault(ls->before.machine);
}

static void machine_reads(struct lockstep *ls, gpa_t gpa, void *buf, unsigned len)
{
	ls->inside = true;
	physmem_read(ls->bt->pm, gpa, buf, len);
	ls->inside = false;
}

static void device_read(void *arg, gpa_t gpa, void *buf, unsigned len)
{
	struct lockstep *ls = arg;
	uint8_t *to = buf;

	for (unsigned done = 0; done < len; done += 8) {
		unsigned n = MIN(len - done, 8u);
		struct answer *a = exchange(ls, ANS_MMIO_READ, gpa + done, n);
		if (a && !ls->replaying)
			machine_reads(ls, gpa + done, &a->value, n);
		store_le(to + done, n, a ? a->value : 0);
	}
}

/* The device may write memory, which earlier blocks of the unit would then read in the second run. */
static void device_written(struct lockstep *ls)
{
	gva_t linear = block_linear(ls->blocks[ls->nblocks - 1].b, 0);

	if (ls->nblocks > 1)
		ls->overflow = ls->no_way_back = true;
	ls->alone[linear % ALONE] = linear;
}

static void device_write(void *arg, gpa_t gpa, const void *buf, unsigned len)
{
	struct lockstep *ls = arg;

	for (unsigned done = 0; done < len; done += 8) {
		unsigned n = MIN(len - done, 8u);
		uint64_t value = load_le((const uint8_t *)buf + done, n);
		struct answer *a = exchange(ls, ANS_MMIO_WRITE, gpa + done, n);
		if (ls->replaying) {
			sent_differs(ls, a, value);
			continue;
		}
		a->value = value;
		device_written(ls);
		ls->inside = true;
		physmem_write(ls->bt->pm, gpa + done, &value, n);
		ls->inside = false;
	}
}

/* --- memory --- */

/* Does the translator's shadow depend on the page? */
static bool is_page_table(const struct physmem *pm, gpa_t gpa)
{
	uint64_t offset;

	return physmem_ram_offset(pm, gpa, &offset) && (pm->traced[offset >> PAGE_SHIFT] & TRACK_PAGE_TABLE);
}

/* Notes what stands in memory before a write. */
static void note(struct lockstep *ls, gpa_t gpa, unsigned len, bool mark)
{
	while (len) {
		unsigned n = MIN(len, (unsigned)WRITE_PIECE);
		uint64_t left;
		const uint8_t *host = physmem_host(ls->bt->pm, gpa, &left);
		if (ls->nwrites == MAX_WRITES)
			ls->overflow = ls->no_way_back = true;
		if (host && ls->nwrites < MAX_WRITES) {
			struct written *w = &ls->writes[ls->nwrites++];
			n = (unsigned)MIN(n, left);
			w->gpa = gpa;
			w->len = (uint8_t)n;
			w->mark = mark;
			memcpy(w->before, host, n);
		}
		gpa += n;
		len -= n;
	}
}

static void on_write(void *arg, gpa_t gpa, unsigned len)
{
	struct lockstep *ls = arg;

	if (ls->replaying)
		return;
	ls->tables_written |= is_page_table(ls->bt->pm, gpa);
	note(ls, gpa, len, false);
}

/* Accessed and dirty bits stay set in the second run, in which an earlier instruction of the unit may look at them. */
static void on_accessed(void *arg, gpa_t gpa, unsigned len)
{
	struct lockstep *ls = arg;

	if (ls->replaying)
		return;
	ls->overflow |= ls->started > 1 || ls->nblocks > 1;
	note(ls, gpa, len, true);
}

void lockstep_note_writes(struct lockstep *ls)
{
	for (unsigned i = 0; i < ls->nwrites; i++)
		memcpy(ls->writes[i].after, physmem_host(ls->bt->pm, ls->writes[i].gpa, NULL), ls->writes[i].len);
}

void lockstep_undo_writes(struct lockstep *ls, bool marks)
{
	for (unsigned i = ls->nwrites; i-- > 0;) {
		const struct written *w = &ls->writes[i];
		const struct pm_region *r = physmem_span(ls->bt->pm, w->gpa)->region;
		if (!r || r->kind != PM_RAM || (w->mark && !marks))
			continue;
		bt_invalidate_bytes(ls->bt, w->gpa, w->before, w->len);
		memcpy(physmem_host(ls->bt->pm, w->gpa, NULL), w->before, w->len);
	}
}

void lockstep_attach(struct lockstep *ls)
{
	ls->ops = (struct cpu_ops){.port_in = port_in,
				   .port_out = port_out,
				   .tsc = tsc,
				   .mmu_event = mmu_event,
				   .apic_msr_read = msr_read,
				   .apic_msr_write = msr_write,
				   .cr8_read = cr8_read,
				   .cr8_write = cr8_write,
				   .ferr = ferr,
				   .triple_fault = triple_fault};
	ls->journal = (struct cpu_journal){
	    .write = on_write, .io_read = device_read, .io_write = device_write, .accessed = on_accessed, .arg = ls};
}
