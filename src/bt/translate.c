/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translation of a block: decode what lies before us on this page (decode_block.c), then emit. */
#include <inttypes.h>
#include <string.h>

#include "bt_profile_internal.h"
#include "cpu/exec.h"
#include "cpu/sys.h"
#include "trace.h"
#include "xlat64.h"

/* Space that one instruction, its exits and stubs can take at most. */
enum { INSN_HOST_MAX = 660, TRANSFER_HOST_MAX = 2900 /* the last of a block */, STUB_BYTES = 104, HEAD_BYTES = 256 };

struct insn_map *xlat_map(const struct xlat *t)
{
	return &t->b->map[t->n];
}

uint16_t xlat_here(const struct xlat *t)
{
	return (uint16_t)(emit_pc(&t->e) - t->b->body);
}

void xlat_count(struct xlat *t)
{
	xlat64_count(t, context_code64(t->ctx) ? HOST64_T : HOST_T2);
}

/* A debugger's: nothing of the instruction is executed here. */
static void breakpoint(struct xlat *t)
{
	t->uncounted--;
	xlat_leave_before(t, EXIT_BREAK);
	t->adapted = t->ended = true;
}

/* Would the checks of the row raise an exception in this context? */
static bool checks_fail(const struct xlat *t, const struct insn_row *row)
{
	unsigned flags = t->ctx->key.flags;
	bool real = !(flags & CTX_PROTECTED) || (flags & CTX_V86);

	if ((row->checks & CHK_PROTECTED) && real)
		return true;
	if ((row->checks & CHK_CPL0) && (flags & CTX_CPL3))
		return true;
	if ((row->checks & (CHK_FPU | CHK_MMX | CHK_SSE | CHK_AVX | CHK_AVX512 | CHK_XSAVE)) && (flags & CTX_NO_FPU))
		return true;
	if (((row->checks & CHK_XSAVE) && !(flags & CTX_XSAVE)) ||
	    ((row->checks & CHK_AVX) && (!(flags & CTX_AVX) || real)) ||
	    ((row->checks & CHK_AVX512) && (!(flags & CTX_AVX512) || real)))
		return true;
	if ((row->checks & CHK_SSE) && !(flags & CTX_SSE))
		return true;
	if ((row->checks & CHK_FWAIT) && (flags & CTX_WAIT_TRAPS))
		return true;
	if (row->checks & (context_code64(t->ctx) ? CHK_NO64 : CHK_ONLY64))
		return true;
	return !cpu_has(t->bt->cpu, row->feature) || (t->in->vl && !cpu_has(t->bt->cpu, FEAT_AVX512VL));
}

/* The same on the host, and its operand is accessed: whoever looks at the page first may take it for that. */
static bool is_ident(const struct xlat *t)
{
	return insn_rows[t->in->id].class == CLASS_IDENT && !insn_masked(t->in);
}

/* REWRITE and those CALLOUT instructions that have a translation. */
static bool rewrite(struct xlat *t)
{
	opt_off_t off = t->bt->cpu->opt_off;

	switch (t->in->id) {
	case INSN_PUSH:
		return xlat_push(t);
	case INSN_PUSH_SREG:
		return xlat_push_sreg(t);
	case INSN_POP:
		return xlat_pop(t);
	case INSN_PUSHA:
	case INSN_PUSHAD:
		return xlat_pusha(t);
	case INSN_POPA:
	case INSN_POPAD:
		return xlat_popa(t);
	case INSN_LEAVE:
		return xlat_leave(t);
	case INSN_BT_MEM_REG:
	case INSN_BTS_MEM_REG:
	case INSN_BTR_MEM_REG:
	case INSN_BTC_MEM_REG:
		return xlat_bit_string(t);
	case INSN_XLAT:
		return xlat_xlat(t);
	case INSN_VMASKMOVPS: /* the same on the host: what only C bodies need to know is where they fault */
	case INSN_VMASKMOVPD:
	case INSN_VPMASKMOVD:
	case INSN_VPMASKMOVQ:
	case INSN_VZEROUPPER:
	case INSN_VZEROALL:
		return xlat_ident(t);
	case INSN_MOV_FROM_SREG:
		return xlat_read_sreg(t);
	case INSN_MOV_TO_SREG:
	case INSN_POP_SREG:
		return opt_on(off, OPT_SEGMENTS) && xlat_load_sreg(t);
	case INSN_SYSENTER:
		return opt_on(off, OPT_SYSENTER) && xlat_sysenter(t);
	case INSN_SYSCALL:
		return opt_on(off, OPT_SYSENTER) && xlat_syscall_compat(t);
	case INSN_SYSEXIT:
		return opt_on(off, OPT_SYSENTER) && xlat_sysexit(t);
	case INSN_INT:
		return opt_on(off, OPT_GATES) && xlat_int(t);
	case INSN_IRETD:
		return opt_on(off, OPT_GATES) && xlat_iret(t);
	case INSN_VERW:
		return opt_on(off, OPT_GATES) && xlat_verw(t);
	case INSN_MOV_CR:
		return opt_on(off, OPT_CONTROL) && xlat_read_cr(t);
	case INSN_RDTSC:
	case INSN_RDTSCP:
		return opt_on(off, OPT_RDTSC) && xlat_rdtsc(t);
	default:
		return (opt_on(off, OPT_FLAGS) && xlat_flags(t)) ||
		       (opt_on(off, OPT_STRINGS) && xlat_string(t, SITE_PLAIN));
	}
}

/* As the next process of the program will: copies look, too. */
static bool looks(const struct xlat *t)
{
	return t->like ? t->like->map[t->n].flags & MAP_LOOKS : bt_look_pays(t->bt, t->b, xlat_map(t)->guest);
}

static bool translate_insn64(struct xlat *t, enum site_level level)
{
	bool ident = is_ident(t);

	if (t->last && xlat64_rsp_looks_behind(t) && !cpu_canonical(t->bt->cpu, t->eip + t->in->len)) {
		xlat_single_step(t);
		return true;
	}
	if (level != SITE_PLAIN)
		return ident ? xlat64_ident_guarded(t)
			     : opt_on(t->bt->cpu->opt_off, OPT_STRINGS) && xlat64_string_guarded(t);
	if (looks(t)) {
		xlat_map(t)->flags |= MAP_LOOKS;
		if (ident ? xlat64_ident_present(t)
			  : opt_on(t->bt->cpu->opt_off, OPT_STRINGS) && xlat64_string_guarded(t))
			return true;
		xlat64_look_at_stack(t);
	}
	return xlat64_insn(t);
}

static void translate_insn(struct xlat *t)
{
	static const struct site plain;
	const struct insn_row *row = &insn_rows[t->in->id];
	gva_t linear = block_linear(t->b, xlat_map(t)->guest);
	const struct site *site;
	enum site_level level;
	bool done, present = false;

	if (UNLIKELY(t->bt->nbreakpoints) && bt_is_breakpoint(t->bt, linear)) {
		breakpoint(t);
		return;
	}
	if (t->in->id == INSN_INVALID || row->class == CLASS_UNDEF || checks_fail(t, row)) {
		xlat_single_step(t);
		return;
	}
	site = t->like ? &plain : bt_site(t->bt, linear);
	level = site->level;
	t->user = site->user && (t->ctx->key.flags & (CTX_PAGED | CTX_CPL3 | CTX_NO_USER | CTX_CODE64)) == CTX_PAGED;
	if (!context_code64(t->ctx) && level == SITE_PLAIN && (t->ctx->key.flags & CTX_PAGED) && looks(t)) {
		xlat_map(t)->flags |= MAP_LOOKS;
		present = true;
	}
	t->adapted |= level != SITE_PLAIN || t->user;
	if (context_code64(t->ctx))
		done = translate_insn64(t, level);
	else if (level != SITE_PLAIN && is_ident(t) && (t->ctx->key.flags & (CTX_PAGED | CTX_CPL3)) == CTX_PAGED)
		done = xlat_ident_guarded(t);
	else if ((level != SITE_PLAIN || present) && opt_on(t->bt->cpu->opt_off, OPT_STRINGS) && xlat_string_guarded(t))
		done = true;
	else if (level == SITE_CALLOUT)
		done = false;
	else if (level == SITE_CHECKED && (t->ctx->key.flags & CTX_PAGED))
		done = false; /* granules are those of physical addresses */
	else if (level == SITE_CHECKED)
		done = is_ident(t) ? xlat_ident_checked(t) : xlat_string(t, level);
	else if (row->class == CLASS_IDENT)
		done = (present && is_ident(t) && xlat_ident_present(t)) || xlat_ident(t);
	else if (row->class == CLASS_BRANCH)
		done = xlat_branch(t);
	else
		done = rewrite(t);
	if (!done)
		xlat_callout(t);
}

void xlat_head(struct xlat *t)
{
	t->b->indirect = (uint32_t)emit_pc(&t->e);
	if (context_code64(t->ctx)) {
		xlat64_head(t);
	} else if (t->bt->count) {
		emit_load(&t->e, 8, HOST_T1, AT_HOME(t, hits));
		emit_lea(&t->e, 8, HOST_T1, (struct host_addr){HOST_T1, REG_NONE, 1, 1, false, false});
		emit_store(&t->e, 8, HOST_T1, AT_HOME(t, hits));
	}
	t->b->body = (uint32_t)emit_pc(&t->e);
}

static void emit_body(struct xlat *t, const struct insn *ins, unsigned count)
{
	struct block *b = t->b;

	t->in_body = true;
	xlat64_foresee(t);
	xlat64_near_forget(t);
	bt_profile_count_entry(t);
	if (context_code64(t->ctx)) {
		xlat64_begin_pair(t);
		xlat64_behind_begin(t, ins, count);
	}
	t->eip = b->eip;
	for (t->n = 0; t->n < count && !t->ended; t->n++) {
		struct insn_map *map = xlat_map(t);
		t->in = &ins[t->n];
		t->rest = count - t->n - 1;
		t->last = !t->rest;
		if (context_code64(t->ctx) && t->last && t->n && xlat64_rsp_looks_behind(t))
			break;
		if (!xlat_stack_may_lag(t))
			xlat_stack_update(t);
		map[0].host = xlat_here(t);
		map[0].uncounted = (uint8_t)t->uncounted;
		map[0].esp = (int8_t)t->esp_pending;
		if (context_code64(t->ctx))
			xlat64_note(t, &map[0]);
		map[1].guest = (uint16_t)(map[0].guest + t->in->len);
		t->uncounted++;
		if (context_code64(t->ctx))
			xlat64_rsp_refresh(t);
		translate_insn(t);
		/* xlat_has_room() relies on it. */
		ASSERTF(!t->bt->audit || xlat_here(t) - map[0].host <= (t->ended ? TRANSFER_HOST_MAX : INSN_HOST_MAX),
			"%s is translated to %u bytes", t->bt->stats->insn_names[t->in->id],
			xlat_here(t) - map[0].host);
		t->eip += t->in->len;
	}
	b->ninsns = (uint8_t)t->n;
	b->guest_len = b->map[t->n].guest;
	xlat_stack_update(t);
	b->map[t->n].host = xlat_here(t);
	b->map[t->n].uncounted = (uint8_t)t->uncounted;
	if (context_code64(t->ctx))
		xlat64_note(t, &b->map[t->n]);
	b->open = !t->ended;
	if (b->open) {
		if (context_code_size(t->ctx) == 2)
			t->eip &=
			    t->ctx->key.cs_limit > 0xffff ? 0xffffffffu : 0x1ffffu; /* past the limit: faults there */
		if (t->rsp_stale)
			xlat64_rsp_leave(t);
		else if (context_code64(t->ctx) && !cpu_canonical(t->bt->cpu, t->eip))
			xlat_leave_before(t, EXIT_STEP);
		else
			xlat_link(t, t->eip, -1);
	}
}

bool xlat_has_room(const struct bt *bt, unsigned area)
{
	const size_t largest =
	    BLOCK_MAX_INSNS * (INSN_HOST_MAX + STUB_BYTES) + TRANSFER_HOST_MAX + HEAD_BYTES + sizeof(struct block) +
	    2 * BLOCK_MAX_INSNS * sizeof(struct bt_exit) + (BLOCK_MAX_INSNS + 1) * sizeof(struct insn_map) +
	    BLOCK_MAX_INSNS * (sizeof(struct insn) + INSN_MAX_BYTES) + MAX_RELOCS * sizeof(struct bt_reloc);

	return bt_cache_used(bt) + largest <= bt->cache_bytes &&
	       bt->areas[area].end.code + largest <= bt->areas[area].code_limit;
}

static void copy_source(struct bt *bt, struct block *b)
{
	uint8_t *to = &bt->sources[bt->nsources];
	unsigned len, rest;
	const uint8_t *code = bt_code_at(bt, b->gpa, &len);

	b->source = to;
	bt->nsources += b->guest_len;
	memset(to, 0, b->guest_len); /* a block on what is not memory only single-steps */
	len = MIN(len, (unsigned)b->guest_len);
	if (code)
		memcpy(to, code, len);
	code = len < b->guest_len ? bt_code_at(bt, b->next_page, &rest) : NULL;
	if (code)
		memcpy(to + len, code, b->guest_len - len);
}

static void copy_relocs(struct bt *bt, struct xlat *t)
{
	if (t->adapted || t->nrelocs > MAX_RELOCS)
		return;
	t->b->copyable = true;
	t->b->relocs = bt->nrelocs;
	t->b->nrelocs = (uint16_t)t->nrelocs;
	memcpy(&bt->relocs[bt->nrelocs], t->relocs, t->nrelocs * sizeof(*t->relocs));
	bt->nrelocs += t->nrelocs;
}

void xlat_insert(struct xlat *t)
{
	struct bt *bt = t->bt;
	struct block *b = t->b;

	ASSERTF(!t->e.full, "block at %" PRIx64 " does not fit", block_linear(b, 0));
	t->area->end.blocks++;
	t->area->end.exits += b->nexits;
	t->area->end.code = ALIGN_UP((size_t)(t->e.p - bt->cache_write), 16);
	bt->stats->host_bytes_emitted += (uint64_t)(t->e.p - t->e.start);
	bt->stats->cache_bytes_used = bt_cache_used(bt);
	bt_populate_ahead(bt);
	bt_insert(bt, b);
	bt_audit_emitted(bt, b);
	if (bt->audit && ++bt->audit_countdown % AUDIT_EVERY == 0)
		bt_audit(bt);
	trace(bt, "block %" PRIx64 " ctx %u: %u insns, %u bytes -> %u bytes", block_linear(b, 0), b->ctx->id, b->ninsns,
	      b->guest_len, b->body_len);
}

static void commit(struct bt *bt, struct xlat *t)
{
	struct block *b = t->b;
	bool alone = bt_profile_wants(bt, b->eip, b->gpa);

	bt->nmaps += b->ninsns + 1u;
	bt->stats->blocks_translated++;
	bt->stats->insns_translated += b->ninsns;
	bt->stats->guest_bytes_translated += b->guest_len;
	copy_source(bt, b);
	copy_relocs(bt, t);
	bt_profile_translated(bt, b);
	xlat_insert(t);
	if (!alone)
		bt_place_add(bt, b);
}

bool xlat_begin(struct xlat *t, struct bt *bt, unsigned area, struct context *ctx, guest_pc_t eip, gpa_t gpa)
{
	const struct cache_mark *end = &bt->areas[area].end;

	if (!xlat_has_room(bt, area) && !bt_make_room(bt, area))
		return false;
	t->bt = bt;
	t->area = &bt->areas[area];
	t->ctx = ctx;
	t->b = &bt->blocks[end->blocks];
	*t->b = (struct block){.ctx = ctx, .eip = eip};
	t->b->gpa = gpa;
	t->b->exits = end->exits + 1;
	t->pair[0] = t->b->pair[0] = R10;
	t->pair[1] = t->b->pair[1] = R11;
	t->e = (struct emit){.end = bt->cache_write + t->area->code_limit, .run = bt->cache_run + end->code};
	t->e.p = t->e.start = bt->cache_write + end->code;
	return true;
}

bool xlat_block(struct xlat *t, unsigned max_insns)
{
	struct insn ins[BLOCK_MAX_INSNS];
	unsigned count;

	t->b->map = &t->bt->maps[t->bt->nmaps];
	t->b->insns = t->bt->ninsns;
	memset(t->b->map, 0, (BLOCK_MAX_INSNS + 1) * sizeof(*t->b->map));
	count = xlat_decode(t, ins, MIN(max_insns, (unsigned)BLOCK_MAX_INSNS));
	if (t->unfetched)
		return false;
	if (context_code64(t->ctx))
		xlat64_choose_pair(t, ins, count);
	xlat_head(t);
	emit_body(t, ins, count);
	xlat_stubs(t);
	return true;
}

struct block *bt_translate(struct bt *bt, struct context *ctx, guest_pc_t eip, gpa_t gpa, unsigned max_insns)
{
	struct context_key key = ctx->key;
	struct xlat t;

	memset(&t, 0, offsetof(struct xlat, relocs));
	if (!xlat_begin(&t, bt, AREA_TRANSLATED, ctx, eip, gpa)) {
		ctx = bt_context(bt);
		ASSERT(ctx && !memcmp(&ctx->key, &key, sizeof(key)));
		bt->ctx = ctx;
		xlat_begin(&t, bt, AREA_TRANSLATED, ctx, eip, gpa);
	}
	if (!xlat_block(&t, max_insns))
		return NULL;
	commit(bt, &t);
	return t.b;
}
