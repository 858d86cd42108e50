/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * isa_storm ENGINE storm_(32|pae) IMAGE KNOWN_FAILURES [ROUNDS [SEED]]: storms of page-table changes, flushes and
 * accesses under an engine; see storm.h.
 */
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "storm.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
enum { ROUNDS = 6, STEPS = 3000, CR0_ON = 0x80000033u, CR4_ON = 0x600 };

static uint32_t choose(struct storm *st, uint32_t n)
{
	return machine_random(st->m) % n;
}

static bool one_in(struct storm *st, uint32_t n)
{
	return choose(st, n) == 0;
}

/* --- the guest's tables --- */

static uint32_t random_flags(struct storm *st)
{
	return (one_in(st, 8) ? 0 : P) | (one_in(st, 4) ? 0 : W) | (one_in(st, 4) ? 0 : U) | (choose(st, 2) ? A : 0) |
	       (one_in(st, 4) ? D : 0) | (one_in(st, 4) ? G : 0);
}

static uint32_t random_frame(struct storm *st)
{
	switch (choose(st, 6)) {
	case 0:
		return ST_TABLES + choose(st, ST_NTABLES) * 4096;
	case 1:
		return ISA_ALIAS + ST_FRAMES + choose(st, ST_NFRAMES) * 4096;
	default:
		return ST_FRAMES + choose(st, ST_NFRAMES) * 4096;
	}
}

static uint32_t random_pte(struct storm *st)
{
	return random_frame(st) | random_flags(st);
}

static uint32_t random_pde(struct storm *st)
{
	uint32_t flags = random_flags(st);

	if (one_in(st, 3))
		return (choose(st, 2) ? ISA_ALIAS : 0) | flags | PS;
	return (ST_TABLES + choose(st, ST_NTABLES) * 4096) | flags;
}

/* The high half of an entry of eight bytes. */
static uint32_t random_high(struct storm *st)
{
	return one_in(st, 4) ? 0x80000000u : one_in(st, 12) ? 1u << (20 + choose(st, 11)) : 0;
}

static gpa_t dir_of(unsigned space)
{
	return ST_DIRS + space * 4096;
}

static uint32_t root_of(const struct storm *st, unsigned space)
{
	return st->s.pae ? ST_PDPTS + space * 32 : (uint32_t)dir_of(space);
}

static gpa_t table_entry(const struct storm *st, unsigned table, unsigned page)
{
	return ST_TABLES + table * 4096 + (ST_FIRST + page) * storm_entry_bytes(&st->s);
}

static void set_tables(struct storm *st)
{
	unsigned size = storm_entry_bytes(&st->s);
	bool global = choose(st, 2);

	for (gpa_t at = 0; at < ISA_RAM; at += 4096) /* always accessed and dirty: not of interest */
		machine_poke(st->m, ST_IDENTITY + at / 4096 * size, size, at | P | W | U | A | D | (global ? G : 0));
	for (unsigned space = 0; space < ST_SPACES; space++) {
		machine_poke(st->m, dir_of(space), size, ST_IDENTITY | P | W | U | A);
		machine_poke(st->m, ST_PDPTS + 32 * space, 8, dir_of(space) | P);
		for (unsigned region = 0; region < ST_REGIONS; region++)
			machine_poke(st->m, storm_pde_at(&st->s, dir_of(space), region), size, random_pde(st));
	}
	for (unsigned table = 0; table < ST_NTABLES; table++)
		for (unsigned page = 0; page < ST_PAGES; page++)
			machine_poke(st->m, table_entry(st, table, page), size, random_pte(st));
	for (unsigned frame = 0; frame < ST_NFRAMES; frame++) {
		static const uint8_t code[] = {0xb8, 0, 0, 0, 0, 0xcd, 0x42};
		gpa_t at = ST_FRAMES + frame * 4096;
		physmem_write(&st->m->pm, at + ST_CODE, code, sizeof(code));
		machine_poke(st->m, at + ST_CODE + 1, 4, frame);
		machine_poke(st->m, at, 4, frame);
	}
}

/* --- operations --- */

/* An offset in a page at which `bytes` may be written: not over code but for its immediate. */
static uint32_t random_offset(struct storm *st, unsigned bytes)
{
	uint32_t entries = ST_FIRST * storm_entry_bytes(&st->s);

	switch (choose(st, 4)) {
	case 0:
		return choose(st, 12) * 4;
	case 1: /* not zeros: halves of entries are written, and an address shall come out */
		if (bytes > 8)
			return 0;
		return entries + choose(st, ST_PAGES - 1) * storm_entry_bytes(&st->s);
	case 2:
		return bytes <= 4 ? ST_CODE + 1 : 0xfc0;
	default:
		return 0xfc0 + choose(st, 8) * 4 + (bytes <= 4 ? choose(st, 4) : 0);
	}
}

static uint32_t random_page(struct storm *st, unsigned pages)
{
	return storm_page(&st->s, choose(st, ST_REGIONS), choose(st, pages));
}

/* Does every way in which the page may be executed lead to code? */
static bool runs_code(const struct storm *st, uint32_t linear, bool user)
{
	struct option o[MAX_OPTIONS];
	unsigned n = storm_options(&st->s, linear, ACCESS_EXEC, user, o);

	for (unsigned i = 0; i < n; i++)
		if (!o[i].fault && o[i].gpa - ST_FRAMES >= ST_NFRAMES * 4096)
			return false;
	return true;
}

static void repeated_access(struct storm *st)
{
	struct storm_op *op = &st->op;
	bool crosses = choose(st, 2);

	op->ecx = 1 + choose(st, 12);
	op->edi = crosses ? random_page(st, ST_PAGES - 1) + 0xfe0 + choose(st, 8) * 4 : random_page(st, ST_PAGES);
	op->esi = ST_FRAMES + choose(st, ST_NFRAMES) * 4096 + choose(st, 8) * 4;
	if (op->code == OP_LODS) {
		uint32_t swap = op->esi;
		op->esi = op->edi;
		op->edi = swap;
	}
}

static void random_access(struct storm *st)
{
	struct storm_op *op = &st->op;
	struct storm_access a;

	op->code = choose(st, OP_EXEC + 1);
	op->eax = op->code == OP_ADD ? 0 : random_pte(st);
	op->ebx = random_pte(st);
	op->ecx = op->code == OP_BTS || op->code == OP_BTR ? choose(st, 7) : random_pte(st);
	if (op->code == OP_CMPXCHG8B && st->s.pae)
		op->ecx = random_high(st);
	if (op->code == OP_WRITE16) /* good with all high halves */
		op->eax &= ~0xc000u;
	a = storm_access_of(op);
	if (op->code == OP_STOS || op->code == OP_MOVS || op->code == OP_LODS) {
		repeated_access(st);
		return;
	}
	if (op->code == OP_EXEC) {
		op->edi = random_page(st, ST_PAGES) + ST_CODE;
		if (!runs_code(st, op->edi, op->ring == 3))
			op->code = OP_READ32;
		return;
	}
	if (one_in(st, 6) && a.bytes > 1)
		op->edi = random_page(st, ST_PAGES - 1) + 4097 - a.bytes + choose(st, a.bytes - 1);
	else
		op->edi = random_page(st, ST_PAGES) + random_offset(st, a.bytes);
}

/* Changes an entry at its physical address, in one of the ways that instructions offer. */
static void change_entry(struct storm *st, gpa_t at, uint32_t value, bool pde)
{
	struct storm_op *op = &st->op;
	uint64_t old = load_le(st->s.mem + at, 8);
	static const enum storm_code ways[] = {OP_WRITE32, OP_WRITE32, OP_XCHG, OP_CMPXCHG, OP_WRITE8,	 OP_WRITE16,
					       OP_BTS,	   OP_BTR,     OP_STOS, OP_MOVS,    OP_CMPXCHG8B};
	unsigned n = pde ? 4 : st->s.pae ? ARRAY_LEN(ways) : ARRAY_LEN(ways) - 1;

	op->code = ways[choose(st, n)];
	op->edi = (uint32_t)at;
	op->eax = value;
	op->ecx = value;
	if (st->s.pae && one_in(st, 3) && n > 4) {
		op->code = choose(st, 2) ? OP_WRITE32 : OP_XCHG;
		op->edi += 4;
		op->eax = random_high(st);
		return;
	}
	switch (op->code) {
	case OP_CMPXCHG:
		op->eax = one_in(st, 4) ? value : (uint32_t)old;
		break;
	case OP_WRITE8:
		op->eax = random_flags(st) & 0x7f;
		break;
	case OP_WRITE16: /* flags, and the low bits of the address as they were */
		op->eax = ((uint32_t)old & 0xf000) | random_flags(st);
		break;
	case OP_BTS:
	case OP_BTR: /* A and D often: what clears them and flushes is to see them again */
		op->ecx = choose(st, 2) ? 5 + choose(st, 2) : choose(st, 7);
		break;
	case OP_STOS:
		op->ecx = 1;
		break;
	case OP_MOVS:
		op->ecx = storm_entry_bytes(&st->s) / 4;
		op->esi = (uint32_t)table_entry(st, choose(st, ST_NTABLES), choose(st, ST_PAGES));
		break;
	case OP_CMPXCHG8B:
		op->eax = (uint32_t)old;
		op->edx = one_in(st, 4) ? 77 : (uint32_t)(old >> 32);
		op->ebx = value;
		op->ecx = random_high(st);
		break;
	default:
		break;
	}
}

static void random_control(struct storm *st)
{
	struct storm_op *op = &st->op;

	op->ring = 0;
	switch (choose(st, 16)) {
	case 0:
		op->code = OP_CR4;
		op->eax = CR4_ON | (st->s.pae ? 0x20 : 0x10) | (choose(st, 2) ? 0x80 : 0);
		break;
	case 1:
		op->code = OP_CR0;
		op->eax = CR0_ON | (choose(st, 2) ? 0x10000 : 0);
		break;
	case 2:
		op->code = OP_OFF_ON;
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		op->code = OP_CR3;
		op->eax = root_of(st, choose(st, ST_SPACES));
		break;
	default:
		op->code = OP_INVLPG;
		op->edi = random_page(st, ST_PAGES) + choose(st, 4096);
		if (one_in(st, 8)) /* elsewhere in a page that may be large */
			op->edi = ST_PLAY + choose(st, ST_REGIONS * storm_large_bytes(&st->s));
	}
}

static void random_op(struct storm *st)
{
	struct storm_op *op = &st->op;
	unsigned what = choose(st, 100);

	*op = (struct storm_op){.ring = choose(st, 2) * 3, .edx = 0x11111111};
	if (st->s.full) { /* the model's tables are */
		op->code = OP_OFF_ON;
		op->ring = 0;
	} else if (what < 45) {
		random_access(st);
	} else if (what < 65) {
		change_entry(st, table_entry(st, choose(st, ST_NTABLES), choose(st, ST_PAGES)), random_pte(st), false);
	} else if (what < 72) {
		gpa_t at = storm_pde_at(&st->s, dir_of(choose(st, ST_SPACES)), choose(st, ST_REGIONS));
		change_entry(st, at, random_pde(st), true);
	} else if (what < 78) { /* data and code, past the tables */
		op->code = choose(st, 2) ? OP_WRITE32 : OP_ADD;
		op->eax = machine_random(st->m);
		op->edi = ST_FRAMES + choose(st, ST_NFRAMES) * 4096 + (choose(st, 2) ? ST_CODE + 1 : choose(st, 8) * 4);
	} else {
		random_control(st);
	}
}

/* --- a storm --- */

static void print_op(const struct storm_op *op)
{
	fprintf(stderr, "%-9s ring %u eax %08x ecx %08x edx %08x ebx %08x esi %08x edi %08x\n", storm_names[op->code],
		op->ring, op->eax, op->ecx, op->edx, op->ebx, op->esi, op->edi);
}

static void end_storm(struct storm *st)
{
	st->m->done = true;
	st->m->stop = 1;
}

/* The first operations make a known state of what the guest has set up itself. */
static void begin_storm(struct storm *st)
{
	const uint8_t *ram = physmem_host(&st->m->pm, 0, NULL);

	set_tables(st);
	memcpy(st->s.mem, ram, ISA_RAM);
	st->op = (struct storm_op){.code = OP_CR3, .eax = root_of(st, 0)};
}

static void on_check(struct machine *m, bool snap)
{
	struct storm *st = m->arg;

	if (!st->steps) {
		begin_storm(st);
	} else if (!storm_check(st)) {
		fprintf(stderr, "step %lu, after\n", st->steps);
		for (unsigned i = 0; i < ARRAY_LEN(st->history); i++)
			print_op(&st->history[(st->steps + i) % ARRAY_LEN(st->history)]);
		st->failures++;
		end_storm(st);
		return;
	} else if (st->steps == 1) {
		st->op = (struct storm_op){.code = OP_OFF_ON};
	} else {
		random_op(st);
	}
	if (st->steps++ == st->limit) {
		end_storm(st);
		return;
	}
	st->history[(st->steps - 1) % ARRAY_LEN(st->history)] = st->op;
	physmem_write(&m->pm, ST_OP, &st->op, sizeof(st->op));
}

static unsigned run_storm(struct storm *st, const struct program *p, uint64_t seed)
{
	struct machine *m = st->m;
	enum isa_stop why;

	machine_reset(m, p->mode, p->entry);
	physmem_write(&m->pm, p->load, p->text, p->text_bytes);
	m->random = seed;
	m->check = on_check;
	m->arg = st;
	st->steps = st->failures = 0;
	memset(st->s.ntlb, 0, sizeof(st->s.ntlb));
	memset(st->s.npde, 0, sizeof(st->s.npde));
	st->s.full = st->s.pge = st->s.wp = false;
	why = machine_run(m);
	if (why != STOP_DONE) {
		fprintf(stderr, "stopped (%d) at %x:%llx, step %lu, by\n", why, m->cpu.seg[SEG_CS].selector,
			(unsigned long long)m->cpu.rip, st->steps);
		print_op(&st->op);
		st->failures++;
	}
	machine_audit(m);
	if (st->failures)
		fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
	return st->failures;
}

int main(int argc, char **argv)
{
	struct storm *st = calloc(1, sizeof(*st));
	struct program p;
	unsigned engine = 0, rounds = argc > 5 ? (unsigned)atoi(argv[5]) : ROUNDS, failures = 0;
	uint64_t seed = argc > 6 ? strtoull(argv[6], NULL, 0) : 1;

	if (argc < 5)
		return 2;
	while (engine < ENGINES && strcmp(argv[1], isa_engine_names[engine]))
		engine++;
	if (engine == ENGINES || !program_load(&p, argv[3]))
		return 2;
	st->m = machine_create(engine);
	st->s.pae = strstr(argv[2], "pae");
	st->s.mem = malloc(ISA_RAM);
	st->scratch = malloc(ISA_RAM);
	st->limit = STEPS;
	for (unsigned i = 0; i < rounds && !failures; i++)
		failures += run_storm(st, &p, seed + i);
	if (st->faults < st->accesses / 20 || st->faults > st->accesses * 3 / 4) {
		fprintf(stderr, "%lu accesses, %lu faults: not a mixture\n", st->accesses, st->faults);
		failures++;
	}
	machine_destroy(st->m);
	program_free(&p);
	free(st->s.mem);
	free(st->scratch);
	free(st);
	return known_result(argv[4], argv[1], argv[2], failures);
}
