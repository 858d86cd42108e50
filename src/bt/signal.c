/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host signals in translated code. Faults leave the cache with their address; a kick steps the thread on, one host
 * instruction at a time, to the next boundary of guest instructions and leaves there: no block ever polls.
 */
#define _GNU_SOURCE
#include "bt_internal.h"
#include "hostsig.h"

extern const char bt_enter_critical[], bt_enter_end[], bt_leave_kicked[], bt_leave_fault[], bt_leave_event[],
    bt_leave_indirect[];
extern const char bt_enter64_critical[], bt_enter64_end[], bt_resume64[], bt_resume64_end[], bt_leave64_kicked[],
    bt_leave64_fault[], bt_leave64_event[], bt_leave64_exit[], bt_leave64_exit_found[], bt_leave64_indirect[],
    bt_leave64_indirect_found[];

enum { OPCODE_POPF = 0x9d };

static uint64_t *reg(ucontext_t *uc, int n)
{
	return (uint64_t *)&uc->uc_mcontext.gregs[n];
}

static void go(ucontext_t *uc, const char *label)
{
	*reg(uc, REG_RIP) = (uintptr_t)label;
	*reg(uc, REG_EFL) &= ~(uint64_t)(FLAG_TF | FLAG_RF);
}

/* To what is in enter64.S. */
static void go64(const struct bt *bt, ucontext_t *uc, const char *label)
{
	*reg(uc, REG_RSP) = bt->home->host_rsp;
	*reg(uc, REG_R10) = (uintptr_t)bt->home;
	go(uc, label);
}

static void leave(const struct bt *bt, ucontext_t *uc, const char *label, const char *label64)
{
	struct bt_home *h = bt->home;

	if (!h->code64) {
		go(uc, label);
		return;
	}
	h->stopped[0] = *reg(uc, REG_R10);
	h->stopped[1] = *reg(uc, REG_R11);
	h->rsp_found = *reg(uc, REG_RSP);
	go64(bt, uc, label64);
}

static bool within(uint64_t pc, const char *begin, const char *end)
{
	return pc >= (uintptr_t)begin && pc < (uintptr_t)end;
}

/* --- where the host does not return to the guest's RSP: hostsig_refuses_rsp() --- */

static const int host_regs[HOME_GPRS] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
					 REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

/* Goes on where the signal found the thread, by code that loads RSP. */
static void resume_here(const struct bt *bt, ucontext_t *uc)
{
	struct bt_home *h = bt->home;

	for (unsigned i = 0; i < HOME_GPRS; i++)
		h->image[i] = *reg(uc, host_regs[i]);
	h->entry = *reg(uc, REG_RIP);
	h->flags_found = *reg(uc, REG_EFL) & ~(uint64_t)(FLAG_TF | FLAG_RF);
	h->resuming = true;
	go64(bt, uc, bt_resume64);
}

static bool was_resumed_here(const struct bt *bt, ucontext_t *uc)
{
	const struct bt_home *h = bt->home;

	for (unsigned i = 0; i < HOME_GPRS; i++)
		if (h->image[i] != *reg(uc, host_regs[i]))
			return false;
	return h->resuming && h->entry == *reg(uc, REG_RIP);
}

/* On the way into 64-bit code: not there yet. */
static bool leave_entry64(const struct bt *bt, ucontext_t *uc)
{
	uint64_t pc = *reg(uc, REG_RIP);
	bool last = pc - bt->stubs.enter64 < ENTER64_BYTES;

	if (within(pc, bt_resume64, bt_resume64_end) || (last && bt->home->resuming))
		go64(bt, uc, bt_resume64);
	else if (last || within(pc, bt_enter64_critical, bt_enter64_end))
		go64(bt, uc, bt_leave64_kicked);
	else
		return false;
	return true;
}

/* May the thread stop at pc with complete guest state? */
static bool at_boundary(const struct bt *bt, cache_pc_t pc)
{
	const struct block *b = bt_find_host(bt, pc);
	int n;

	if (!b)
		return false;
	n = bt_find_insn(b, pc);
	if (n < 0 || n >= b->ninsns || (b->map[n].flags & MAP_NO_EVENT))
		return false;
	if ((b->map[n].flags & MAP_REP) && b->body + b->map[n].swap_from == pc)
		return true;
	return b->body + b->map[n].host == pc;
}

/* A kick or a step on the way to a boundary. */
static void approach_boundary(struct bt *bt, ucontext_t *uc)
{
	cache_pc_t pc = (cache_pc_t)*reg(uc, REG_RIP);

	if (at_boundary(bt, pc)) {
		bt->signal_stepping = false;
		bt->frame.pc = pc;
		bt->stats->async_exits++;
		leave(bt, uc, bt_leave_event, bt_leave64_event);
		return;
	}
	if (bt->home->code64 && hostsig_refuses_rsp(uc)) { /* interrupts will stop it, at a boundary in the end */
		bt->signal_stepping = false;
		resume_here(bt, uc);
		return;
	}
	bt->signal_stepping = true;
	bt->stats->forward_steps++;
	/* POPF would load the trap flag as it was pushed before. */
	if (*(const uint8_t *)pc == OPCODE_POPF)
		*(uint64_t *)*reg(uc, REG_RSP) |= FLAG_TF;
	*reg(uc, REG_EFL) |= FLAG_TF;
}

static bool on_kick(struct bt *bt, ucontext_t *uc)
{
	uint64_t pc = *reg(uc, REG_RIP);

	if (within(pc, bt_enter_critical, bt_enter_end)) {
		*reg(uc, REG_R10) = (uintptr_t)&bt->frame;
		go(uc, bt_leave_kicked);
	} else if (!leave_entry64(bt, uc)) {
		if (!bt_in_cache(bt, pc))
			bt->frame.kick = 1; /* seen before the next entry */
		else if (!bt->signal_stepping)
			approach_boundary(bt, uc);
	}
	return false; /* others may want to know too */
}

static bool on_fault(struct bt *bt, siginfo_t *info, ucontext_t *uc)
{
	bt->signal_stepping = false;
	bt->frame.pc = *reg(uc, REG_RIP);
	bt->frame.address = (uint64_t)info->si_addr;
	bt->frame.trap = *reg(uc, REG_TRAPNO);
	bt->frame.error = *reg(uc, REG_ERR);
	leave(bt, uc, bt_leave_fault, bt_leave64_fault);
	return true;
}

/*
 * An exception that may be the host's, which has not returned to the guest's RSP. At a boundary of instructions the
 * cache is left, as for a fault of the instruction; elsewhere the same instruction is tried again, and if that raises
 * it once more, it is the guest's.
 */
static bool rsp_refused(struct bt *bt, ucontext_t *uc)
{
	/* Up to where RSP has been noted. */
	static const struct {
		const char *from, *found;
	} ways_out[] = {{bt_leave64_exit, bt_leave64_exit_found}, {bt_leave64_indirect, bt_leave64_indirect_found}};
	uint64_t pc = *reg(uc, REG_RIP);
	bool in_stubs;

	if (!bt->home->code64 || !hostsig_refused_rsp(uc))
		return false;
	if (leave_entry64(bt, uc))
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(ways_out); i++) {
		if (!within(pc, ways_out[i].from, ways_out[i].found))
			continue;
		bt->home->rsp_found = *reg(uc, REG_RSP);
		go64(bt, uc, ways_out[i].found);
		return true;
	}
	in_stubs = pc - bt->cache_run < bt->areas[AREA_TRANSLATED].begin.code;
	if (!in_stubs && (!bt_in_cache(bt, pc) || at_boundary(bt, pc) || was_resumed_here(bt, uc)))
		return false;
	resume_here(bt, uc);
	return true;
}

/* Has the thread jumped to an entry of a table's that has not been written yet? T0 is the EIP. */
static bool at_no_entry(const struct bt *bt, ucontext_t *uc)
{
	return !*reg(uc, REG_RIP) && !bt->home->code64 && *reg(uc, REG_R14) == bt->frame.cpu;
}

static bool on_signal(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	struct bt *bt = arg;
	bool in_cache = bt_in_cache(bt, *reg(uc, REG_RIP));

	if (signo == HOSTSIG_KICK)
		return on_kick(bt, uc);
	if (signo == SIGTRAP && bt->signal_stepping) {
		if (in_cache) {
			approach_boundary(bt, uc);
		} else { /* it has left by itself */
			bt->signal_stepping = false;
			*reg(uc, REG_EFL) &= ~(uint64_t)FLAG_TF;
		}
		return true;
	}
	if (rsp_refused(bt, uc))
		return true;
	if (signo == SIGSEGV && at_no_entry(bt, uc)) {
		bt->stats->indirect_unmade++;
		go(uc, bt_leave_indirect);
		return true;
	}
	return in_cache && on_fault(bt, info, uc);
}

void bt_signals_attach(struct bt *bt)
{
	hostsig_add(on_signal, bt);
}

void bt_signals_detach(struct bt *bt)
{
	hostsig_remove(on_signal, bt);
}
