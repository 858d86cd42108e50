/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Translation of 64-bit code: what surrounds the instructions. */
#include "xlat64.h"
#include "bt_profile_internal.h"

void xlat64_load_reg(struct xlat *t, unsigned to, unsigned guest)
{
	emit_load(&t->e, 8, to, AT_HOME_GPR(t, guest));
	if (to == HOST64_DELTA)
		t->delta = DELTA_NONE;
}

void xlat64_store_reg(struct xlat *t, unsigned size, unsigned guest, unsigned from)
{
	emit_store(&t->e, size, from, AT_HOME_GPR(t, guest));
}

void xlat64_load_cpu(struct xlat *t)
{
	emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, cpu));
	t->delta = DELTA_NONE;
}

static void add(struct xlat *t, unsigned scratch, struct host_addr at, unsigned n)
{
	emit_load(&t->e, 8, scratch, at);
	emit_lea(&t->e, 8, scratch, (struct host_addr){(uint8_t)scratch, REG_NONE, 1, (int32_t)n, false, false});
	emit_store(&t->e, 8, scratch, at);
}

void xlat64_count(struct xlat *t, unsigned scratch)
{
	if (t->uncounted && bt_counts(t->bt))
		add(t, scratch, AT_HOME(t, count), t->uncounted);
	t->uncounted = 0;
}

void xlat64_leave(struct xlat *t, unsigned number)
{
	xlat_reloc(t, 0, RELOC_LEAVE64);
	emit_store_imm(&t->e, 4, number, AT_HOME(t, value));
	emit_jmp_to(&t->e, t->bt->stubs.exit64);
}

/* HOST64_T = number. */
static void constant(struct xlat *t, uint64_t number)
{
	if (number == (uint32_t)number)
		emit_mov_imm(&t->e, HOST64_T, (uint32_t)number);
	else
		emit_mov_imm64(&t->e, HOST64_T, number);
}

/* Those who come through the table have RIP in home.target: its low half led here. */
void xlat64_head(struct xlat *t)
{
	uint64_t minus = 0 - t->b->eip;
	struct host_addr difference = {RCX, REG_NONE, 1, (int32_t)minus, false, false};
	uint8_t *same;

	t->delta = DELTA_NONE;
	t->b->chunk_by = CHUNK_BY_NOTHING;
	if (xlat64_probe_target(t, t->b->eip)) {
		if (t->bt->count)
			add(t, HOST64_T, AT_HOME(t, hits), 1);
		return;
	}
	emit_store(&t->e, 8, RCX, AT_HOME(t, rcx));
	emit_load(&t->e, 8, RCX, AT_HOME(t, target));
	if (minus != (uint64_t)(int64_t)(int32_t)minus) {
		emit_mov_imm64(&t->e, HOST64_T, minus);
		difference = (struct host_addr){RCX, HOST64_T, 1, 0, false, false};
	}
	emit_lea(&t->e, 8, RCX, difference);
	same = emit_jrcxz(&t->e);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	emit_jmp_to(&t->e, t->bt->stubs.indirect_miss64);
	emit_target8(&t->e, same);
	emit_load(&t->e, 8, RCX, AT_HOME(t, rcx));
	if (t->bt->count)
		add(t, HOST64_T, AT_HOME(t, hits), 1);
}

/* HOST64_T: the low half of RIP, which is in home.target. */
static void through_table(struct xlat *t)
{
	emit_load(&t->e, 8, HOST64_DELTA, AT_HOME(t, table));
	emit_load(&t->e, 4, HOST64_T, (struct host_addr){HOST64_DELTA, HOST64_T, 4, 0, false, false});
	emit_lea(&t->e, 8, HOST64_T,
		 (struct host_addr){HOST64_T, REG_NONE, 1, (int32_t)t->bt->stubs.indirect_miss64, false, false});
	emit_jmp_reg(&t->e, HOST64_T);
}

void xlat64_jump_table(struct xlat *t, guest_pc_t target)
{
	if (target == (uint64_t)(int64_t)(int32_t)target) {
		emit_store_imm(&t->e, 8, (uint32_t)target, AT_HOME(t, target));
	} else {
		constant(t, target);
		emit_store(&t->e, 8, HOST64_T, AT_HOME(t, target));
	}
	emit_mov_imm(&t->e, HOST64_T, (uint32_t)target);
	through_table(t);
}

void xlat64_jump_home(struct xlat *t)
{
	xlat64_count(t, HOST64_DELTA);
	xlat64_end_pair(t);
	emit_load(&t->e, 4, HOST64_T, AT_HOME(t, target));
	through_table(t);
	t->ended = true;
}

void xlat64_jump_indirect(struct xlat *t, enum xlat_branch_kind kind)
{
	(void)kind; /* counted in 32-bit code only */
	emit_store(&t->e, 8, HOST64_T, AT_HOME(t, target));
	if (!xlat64_probes(t)) {
		emit_store_imm(&t->e, 4, HOME_FROM((unsigned)(t->b - t->bt->blocks), t->n), AT_HOME(t, from));
		t->adapted = true; /* no copies */
	}
	xlat64_count(t, HOST64_DELTA);
	if (HOST64_T == R10) {
		emit_mov(&t->e, 4, HOST64_T, HOST64_T);
		xlat64_end_pair(t);
	} else {
		xlat64_end_pair(t);
		emit_load(&t->e, 4, HOST64_T, AT_HOME(t, target));
	}
	through_table(t);
	t->ended = true;
}

/* Those that have a translation here; all others are callouts. */
static bool rewrite(struct xlat *t)
{
	switch (t->in->id) {
	case INSN_PUSH:
		return xlat64_push(t);
	case INSN_POP:
		return xlat64_pop(t);
	case INSN_LEAVE:
		return xlat64_leave_frame(t);
	case INSN_BT_MEM_REG:
	case INSN_BTS_MEM_REG:
	case INSN_BTR_MEM_REG:
	case INSN_BTC_MEM_REG:
		return xlat64_bit_string(t);
	case INSN_VMASKMOVPS: /* as in 32-bit code */
	case INSN_VMASKMOVPD:
	case INSN_VPMASKMOVD:
	case INSN_VPMASKMOVQ:
	case INSN_VZEROUPPER:
	case INSN_VZEROALL:
		return xlat64_ident(t);
	case INSN_RDTSC:
	case INSN_RDTSCP:
		return opt_on(t->bt->cpu->opt_off, OPT_RDTSC) && xlat64_rdtsc(t);
	case INSN_SYSCALL:
		return opt_on(t->bt->cpu->opt_off, OPT_SYSENTER) && xlat64_syscall(t);
	case INSN_SYSRET:
		return opt_on(t->bt->cpu->opt_off, OPT_SYSENTER) && xlat64_sysret(t);
	case INSN_IRETQ:
		return opt_on(t->bt->cpu->opt_off, OPT_GATES) && xlat64_iret(t);
	case INSN_SWAPGS:
		return xlat64_swapgs(t);
	case INSN_RDFSBASE:
	case INSN_RDGSBASE:
	case INSN_WRFSBASE:
	case INSN_WRGSBASE:
		return opt_on(t->bt->cpu->opt_off, OPT_BASES) && xlat64_bases(t);
	case INSN_MOV_CR:
		return opt_on(t->bt->cpu->opt_off, OPT_CONTROL) && xlat64_read_cr(t);
	case INSN_MOV_FROM_SREG:
		return xlat64_read_sreg(t);
	case INSN_VERW:
		return opt_on(t->bt->cpu->opt_off, OPT_GATES) && xlat64_verw(t);
	case INSN_PUSHFQ:
	case INSN_POPFQ:
	case INSN_CLI:
	case INSN_STI:
		return opt_on(t->bt->cpu->opt_off, OPT_FLAGS) && xlat64_flags(t);
	default:
		return opt_on(t->bt->cpu->opt_off, OPT_STRINGS) && xlat64_string(t);
	}
}

bool xlat64_insn(struct xlat *t)
{
	const struct insn_row *row = &insn_rows[t->in->id];
	bool done;

	xlat64_rsp_before(t);
	if (row->class == CLASS_IDENT)
		done = xlat64_ident(t);
	else if (row->class == CLASS_BRANCH)
		done = xlat64_branch(t);
	else
		done = rewrite(t);
	xlat64_near_behind(t);
	return done;
}
