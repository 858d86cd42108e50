/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an operation of a storm has done: it must be one of the ways that the model allows. */
#include <string.h>

#include "storm.h"

enum {
	PF_COUNT = ST_VARS + 4,
	PF_ERROR = ST_VARS + 8,
	PF_CR2 = ST_VARS + 12,
	PF_EIP = ST_VARS + 16,
	PF_CS = ST_VARS + 20
};

const char *const storm_names[OP_COUNT] = {"read8",   "read32", "write8", "write16",   "write32", "add",  "xchg",
					   "cmpxchg", "bts",	"btr",	  "cmpxchg8b", "stos",	  "movs", "lods",
					   "movups",  "exec",	"invlpg", "cr3",       "cr4",	  "cr0",  "off_on"};

struct storm_access storm_access_of(const struct storm_op *op)
{
	static const struct {
		uint8_t bytes, access;
	} of[OP_COUNT] = {[OP_READ8] = {1, 0},
			  [OP_READ32] = {4, 0},
			  [OP_WRITE8] = {1, ACCESS_WRITE},
			  [OP_WRITE16] = {2, ACCESS_WRITE},
			  [OP_WRITE32] = {4, ACCESS_WRITE},
			  [OP_ADD] = {4, ACCESS_WRITE},
			  [OP_XCHG] = {4, ACCESS_WRITE},
			  [OP_CMPXCHG] = {4, ACCESS_WRITE},
			  [OP_BTS] = {4, ACCESS_WRITE},
			  [OP_BTR] = {4, ACCESS_WRITE},
			  [OP_CMPXCHG8B] = {8, ACCESS_WRITE},
			  [OP_STOS] = {4, ACCESS_WRITE},
			  [OP_MOVS] = {4, ACCESS_WRITE},
			  [OP_LODS] = {4, 0},
			  [OP_MOVUPS] = {16, ACCESS_WRITE},
			  [OP_EXEC] = {7, ACCESS_EXEC}};
	bool repeats = op->code == OP_STOS || op->code == OP_MOVS || op->code == OP_LODS;

	return (struct storm_access){.linear = op->code == OP_LODS ? op->esi : op->edi,
				     .bytes = of[op->code].bytes,
				     .count = repeats ? op->ecx : 1,
				     .access = of[op->code].access,
				     .is = of[op->code].bytes};
}

/* One way, as it is tried out on a copy of memory. */
struct trial {
	const struct storm *st;
	uint8_t *mem;
	gpa_t page[2]; /* of the access */
	struct storm_op regs;
};

static uint8_t *byte_at(const struct trial *t, uint32_t linear, uint32_t first)
{
	gpa_t page = t->page[(linear ^ first) >= 4096 && linear >> 12 != first >> 12];

	return t->mem + page + (linear & 4095);
}

static uint64_t gather(const struct trial *t, uint32_t linear, unsigned bytes, uint32_t first)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && i < 8; i++)
		value |= (uint64_t)*byte_at(t, linear + i, first) << 8 * i;
	return value;
}

static void scatter(const struct trial *t, uint32_t linear, unsigned bytes, uint64_t value, uint32_t first)
{
	for (unsigned i = 0; i < bytes; i++)
		*byte_at(t, linear + i, first) = i < 8 ? (uint8_t)(value >> 8 * i) : 0;
}

static uint64_t with(uint64_t old, uint64_t value, unsigned bytes)
{
	return bytes == 8 ? value : (old & ~(BIT(8 * bytes) - 1)) | (value & (BIT(8 * bytes) - 1));
}

/* The element at a linear address: registers and memory of the trial. */
static void carry_out(struct trial *t, uint32_t linear, unsigned bytes, uint32_t first)
{
	struct storm_op *r = &t->regs;
	uint64_t old = gather(t, linear, bytes, first), now = old;

	switch (r->code) {
	case OP_READ8:
	case OP_READ32:
	case OP_LODS:
		r->eax = (uint32_t)with(r->eax, old, bytes);
		break;
	case OP_EXEC:
		r->eax = (uint32_t)(old >> 8);
		break;
	case OP_WRITE8:
	case OP_WRITE16:
	case OP_WRITE32:
	case OP_STOS:
		now = r->eax;
		break;
	case OP_ADD:
		now = old + r->eax;
		break;
	case OP_XCHG:
		now = r->eax;
		r->eax = (uint32_t)old;
		break;
	case OP_CMPXCHG:
		now = r->eax == (uint32_t)old ? r->ecx : old;
		r->eax = (uint32_t)old;
		break;
	case OP_BTS:
		now = old | BIT(r->ecx & 31);
		break;
	case OP_BTR:
		now = old & ~BIT(r->ecx & 31);
		break;
	case OP_CMPXCHG8B:
		if (old == ((uint64_t)r->edx << 32 | r->eax)) {
			now = (uint64_t)r->ecx << 32 | r->ebx;
		} else {
			r->eax = (uint32_t)old;
			r->edx = (uint32_t)(old >> 32);
		}
		break;
	case OP_MOVS:
		now = load_le(t->mem + r->esi, 4); /* identity-mapped */
		break;
	case OP_MOVUPS:
		now = 0;
		break;
	}
	if (storm_access_of(r).access & ACCESS_WRITE)
		scatter(t, linear, bytes, now, first);
	if (r->code == OP_MOVS || r->code == OP_LODS)
		r->esi += 4;
	if (r->code == OP_MOVS || r->code == OP_STOS)
		r->edi += 4;
	if (r->code == OP_MOVS || r->code == OP_STOS || r->code == OP_LODS)
		r->ecx--;
}

static void set_ad(const struct trial *t, const struct option *o)
{
	for (unsigned i = 0; i < o->nad; i++)
		t->mem[o->ad[i].at] |= o->ad[i].set;
}

/* Bits that may or may not be set: taken from what is. */
static void maybe_ad(const struct trial *t, const struct option *o, const uint8_t *is)
{
	for (unsigned i = 0; i < o->nad; i++)
		t->mem[o->ad[i].at] |= o->ad[i].set & is[o->ad[i].at];
}

static const struct {
	gpa_t from, bytes;
} compared[] = {{ST_FRAMES, ST_NFRAMES * 4096}, {0x100000, ISA_RAM - 0x100000}};

static bool same_memory(const uint8_t *a, const uint8_t *b)
{
	for (unsigned i = 0; i < ARRAY_LEN(compared); i++)
		if (memcmp(a + compared[i].from, b + compared[i].from, compared[i].bytes))
			return false;
	return true;
}

static void copy_memory(uint8_t *to, const uint8_t *from)
{
	for (unsigned i = 0; i < ARRAY_LEN(compared); i++)
		memcpy(to + compared[i].from, from + compared[i].from, compared[i].bytes);
}

static bool same_registers(const struct storm_op *is, const struct storm_op *expected)
{
	return is->eax == expected->eax && is->ecx == expected->ecx && is->edx == expected->edx &&
	       is->esi == expected->esi && is->edi == expected->edi;
}

/* What the guest reports. */
struct outcome {
	struct storm_op regs;
	uint32_t count, error, cr2, eip, cs, op_eip;
	const uint8_t *ram;
};

static bool fault_is(const struct outcome *is, const struct storm_access *a, unsigned error, uint32_t cr2,
		     const struct storm_op *op)
{
	return is->count == 1 && is->error == error && is->cr2 == cr2 && (is->cs & 3) == op->ring &&
	       is->eip == (a->access & ACCESS_EXEC ? a->linear : is->op_eip);
}

/* Tries one way: first and second page (NULL if there is none). */
static bool try_way(const struct storm *st, const struct outcome *is, const struct storm_access *a,
		    const struct option *one, const struct option *two)
{
	struct trial t = {.st = st, .mem = st->scratch, .regs = st->op};
	uint32_t second = (a->linear | 4095) + 1;
	bool faults = one->fault || (two && two->fault);

	if (faults ? !fault_is(is, a, one->fault ? one->error : two->error, one->fault ? a->linear : second, &st->op)
		   : is->count != 0)
		return false;
	copy_memory(t.mem, st->s.mem);
	t.page[0] = one->gpa;
	t.page[1] = two ? two->gpa : 0;
	/* Of an access across pages, the half that does not fault may have been looked up before the other. */
	if (faults && two && a->count == 1)
		maybe_ad(&t, one->fault ? two : one, is->ram);
	else if (!one->fault)
		set_ad(&t, one);
	if (!faults && two)
		set_ad(&t, two);
	for (unsigned i = 0; i < a->count && !one->fault; i++) {
		uint32_t at = a->linear + i * a->bytes;
		if (two && two->fault && at + a->bytes > second)
			break;
		carry_out(&t, at, a->bytes, a->linear);
	}
	return same_registers(&is->regs, &t.regs) && same_memory(is->ram, t.mem);
}

static bool is_way(struct storm *st, const struct outcome *is, const struct storm_access *a, const struct option *one,
		   const struct option *two)
{
	if (!try_way(st, is, a, one, two))
		return false;
	storm_used(&st->s, a->linear, one);
	storm_used(&st->s, (a->linear | 4095) + 1, two);
	return true;
}

static bool check_access(struct storm *st, const struct outcome *is, const struct storm_access *a)
{
	struct option one[MAX_OPTIONS], two[MAX_OPTIONS];
	bool user = st->op.ring == 3;
	unsigned n1 = storm_options(&st->s, a->linear, a->access, user, one), n2 = 0;
	uint32_t last = a->linear + a->bytes * a->count - 1;

	if (last >> 12 != a->linear >> 12)
		n2 = storm_options(&st->s, last & ~4095u, a->access, user, two);
	for (unsigned i = 0; i < n1; i++) {
		if (!n2) {
			if (is_way(st, is, a, &one[i], NULL))
				return true;
			continue;
		}
		for (unsigned j = 0; j < n2; j++)
			if (is_way(st, is, a, &one[i], &two[j]))
				return true;
	}
	fprintf(stderr, "none of the %u and %u ways that are possible:\n", n1, n2);
	for (unsigned i = 0; i < n1 + n2; i++) {
		const struct option *o = i < n1 ? &one[i] : &two[i - n1];
		if (o->fault)
			fprintf(stderr, "\tfault %x\n", o->error);
		else
			fprintf(stderr, "\tpage %llx, by %u entries\n", (unsigned long long)o->gpa, o->nad);
	}
	return false;
}

static void follow_control(struct storm *st)
{
	const struct storm_op *op = &st->op;
	struct storm_model *s = &st->s;
	bool pge = op->eax & BIT(7);

	switch (op->code) {
	case OP_INVLPG:
		storm_invlpg(s, op->edi);
		break;
	case OP_CR3:
		s->dir = s->pae ? load_le(s->mem + op->eax, 8) & ~4095ull : op->eax;
		storm_flush(s, false);
		break;
	case OP_CR4:
		if (pge != s->pge)
			storm_flush(s, true);
		s->pge = pge;
		break;
	case OP_CR0:
		s->wp = op->eax & BIT(16);
		break;
	case OP_OFF_ON:
		storm_flush(s, true);
		break;
	}
}

static struct outcome outcome_of(const struct storm *st)
{
	const uint8_t *ram = physmem_host(&st->m->pm, 0, NULL);
	struct outcome is = {.ram = ram,
			     .count = (uint32_t)load_le(ram + PF_COUNT, 4),
			     .error = (uint32_t)load_le(ram + PF_ERROR, 4),
			     .cr2 = (uint32_t)load_le(ram + PF_CR2, 4),
			     .eip = (uint32_t)load_le(ram + PF_EIP, 4),
			     .cs = (uint32_t)load_le(ram + PF_CS, 4)};

	memcpy(&is.regs, ram + ST_OP, sizeof(is.regs));
	is.op_eip = is.regs.code; /* the guest has replaced the number */
	return is;
}

static void print_difference(const uint8_t *is, const uint8_t *was)
{
	for (unsigned i = 0; i < ARRAY_LEN(compared); i++)
		for (gpa_t at = compared[i].from; at < compared[i].from + compared[i].bytes; at += 4)
			if (memcmp(is + at, was + at, 4))
				fprintf(stderr, "\tmemory at %llx: %08x, was %08x\n", (unsigned long long)at,
					(uint32_t)load_le(is + at, 4), (uint32_t)load_le(was + at, 4));
}

bool storm_check(struct storm *st)
{
	struct storm_access a = storm_access_of(&st->op);
	struct outcome is = outcome_of(st);
	bool good;

	if (a.is)
		good = check_access(st, &is, &a);
	else
		good = is.count == 0 && same_memory(is.ram, st->s.mem);
	if (!good) {
		fprintf(stderr, "eax %x ecx %x edx %x esi %x edi %x", is.regs.eax, is.regs.ecx, is.regs.edx,
			is.regs.esi, is.regs.edi);
		fprintf(stderr, is.count ? ", fault %x at %x (%x:%x)\n" : "\n", is.error, is.cr2, is.cs, is.eip);
		print_difference(is.ram, st->s.mem);
		return false;
	}
	copy_memory(st->s.mem, is.ram);
	st->accesses += a.is;
	st->faults += is.count;
	if (is.count)
		storm_faulted(&st->s, is.cr2);
	follow_control(st);
	storm_note(&st->s);
	return true;
}
