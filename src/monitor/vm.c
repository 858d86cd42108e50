/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm.h"

#include <stdio.h>
#include <string.h>

#include "bt/bt.h"
#include "cpu/sys.h"
#include "hostsig.h"
#include "large.h"
#include "options.h"
#include "phase.h"
#include "trace.h"

/* --- what the CPU asks of the machine --- */

static uint32_t port_in(void *m, uint16_t port, unsigned size)
{
	struct vm *vm = m;
	uint8_t phase = phase_set(&vm->stats, PHASE_DEVICE);
	uint32_t value = bus_read(&vm->board.ports, port, size);

	phase_set(&vm->stats, phase);
	vm->stats.port_reads++;
	trace(io, "in  %04x/%u -> %x", port, size, value);
	return value;
}

static size_t port_in_block(void *m, uint16_t port, unsigned size, void *buf, size_t count)
{
	struct vm *vm = m;
	uint8_t phase = phase_set(&vm->stats, PHASE_DEVICE);
	size_t n = bus_read_block(&vm->board.ports, port, size, buf, count);

	phase_set(&vm->stats, phase);
	vm->stats.port_reads += n;
	return n;
}

static void port_out(void *m, uint16_t port, unsigned size, uint32_t value)
{
	struct vm *vm = m;
	uint8_t phase = phase_set(&vm->stats, PHASE_DEVICE);

	vm->stats.port_writes++;
	trace(io, "out %04x/%u <- %x", port, size, value);
	bus_write(&vm->board.ports, port, size, value);
	phase_set(&vm->stats, phase);
}

static int intr_ack(void *m)
{
	struct vm *vm = m;
	return board_intr_ack(&vm->board);
}

static uint64_t tsc(void *m)
{
	struct vm *vm = m;
	return vm_tsc(vm);
}

static void mmu_event(void *m, enum mmu_event event, gva_t address)
{
	struct vm *vm = m;

	if (vm->shadow)
		shadow_mmu_event(vm->shadow, event, address);
	if (vm->bt)
		bt_mmu_event(vm->bt, event, address);
}

static bool apic_msr_read(void *m, uint32_t index, uint64_t *value)
{
	struct vm *vm = m;
	return board_apic_msr_read(&vm->board, index, value);
}

static bool apic_msr_write(void *m, uint32_t index, uint64_t value)
{
	struct vm *vm = m;
	return board_apic_msr_write(&vm->board, index, value);
}

static uint64_t cr8_read(void *m)
{
	struct vm *vm = m;
	return lapic_cr8_read(&vm->board.lapic);
}

static void cr8_write(void *m, uint64_t value)
{
	struct vm *vm = m;
	board_cr8_write(&vm->board, value);
}

static void ferr(void *m, bool level)
{
	struct vm *vm = m;
	board_ferr(&vm->board, level);
}

static void guest_resets(struct vm *vm, const char *how)
{
	trace(mode, "%s: the machine resets", how);
	if (vm->cfg->no_reboot) {
		vm_exit_for(vm, (struct vm_end){.reason = VM_END_RESET}, EXIT_POWERED_OFF);
		return;
	}
	if (!vm->reset_pending && vm->event)
		vm->event(vm->event_arg, VM_EVENT_RESET);
	vm->reset_pending = true;
	vm_interrupt(vm);
}

static void triple_fault(void *m)
{
	struct vm *vm = m;

	if (vm->cfg->no_reboot) {
		say("the guest has caused a triple fault");
		vm_exit_for(vm, (struct vm_end){.reason = VM_END_TRIPLE_FAULT}, EXIT_FAILED);
		return;
	}
	guest_resets(vm, "triple fault");
}

static const struct cpu_ops cpu_ops = {
    .port_in = port_in,
    .port_in_block = port_in_block,
    .port_out = port_out,
    .intr_ack = intr_ack,
    .tsc = tsc,
    .mmu_event = mmu_event,
    .apic_msr_read = apic_msr_read,
    .apic_msr_write = apic_msr_write,
    .cr8_read = cr8_read,
    .cr8_write = cr8_write,
    .ferr = ferr,
    .triple_fault = triple_fault,
};

/* --- what the board does to the CPU --- */

static void board_intr(void *arg, bool level)
{
	struct vm *vm = arg;
	vm->cpu.intr = level;
}

static void board_nmi(void *arg)
{
	struct vm *vm = arg;
	vm->cpu.nmi = true;
}

static void board_init_signal(void *arg)
{
	struct vm *vm = arg;

	vm->init_pending = true;
	vm_interrupt(vm);
}

static void board_a20(void *arg, bool passed)
{
	struct vm *vm = arg;
	uint64_t before = vm->pm.a20_mask;

	physmem_set_a20(&vm->pm, passed);
	if (vm->pm.a20_mask != before)
		mmu_event(vm, MMU_A20, 0);
}

static void board_wants_reset(void *arg)
{
	guest_resets(arg, "reset line");
}

static void board_power_off(void *arg)
{
	struct vm *vm = arg;

	if (vm->event)
		vm->event(vm->event_arg, VM_EVENT_POWER_OFF);
	vm_exit_for(vm, (struct vm_end){.reason = VM_END_POWER_OFF}, EXIT_POWERED_OFF);
}

static void board_debug_exit(void *arg, uint32_t value)
{
	struct vm *vm = arg;

	if (vm->event)
		vm->event(vm->event_arg, VM_EVENT_POWER_OFF);
	vm_exit_for(vm, (struct vm_end){.reason = VM_END_DEBUG_EXIT, .value = value}, debug_exit_status(value));
}

static void set_suspended(struct vm *vm, bool suspended)
{
	pthread_mutex_lock(&vm->lock);
	vm->suspended = suspended;
	pthread_mutex_unlock(&vm->lock);
}

static void board_suspend(void *arg)
{
	struct vm *vm = arg;

	trace(mode, "suspended to RAM");
	set_suspended(vm, true);
	if (vm->event)
		vm->event(vm->event_arg, VM_EVENT_SUSPEND);
	vm_interrupt(vm);
}

static void board_wakes(void *arg)
{
	vm_wake(arg);
}

static uint64_t guest_tsc(void *arg)
{
	struct vm *vm = arg;
	return cpu_tsc(&vm->cpu);
}

static uint64_t guest_tsc_to_ns(void *arg, uint64_t value)
{
	struct vm *vm = arg;
	uint64_t now = cpu_tsc(&vm->cpu), ns;

	if (value <= now)
		return clock_now(&vm->clock);
	ns = muldiv64(value - now, NS_PER_SEC, vm->tsc_hz);
	return ns > CLOCK_NEVER / 2 ? CLOCK_NEVER / 2 : clock_now(&vm->clock) + ns;
}

/* --- life --- */

static void init_requests(struct vm *vm)
{
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->done, NULL);
	vm->requests_tail = &vm->requests;
}

static int init_cpu(struct vm *vm, char *err, size_t errlen)
{
	enum cpuid_bit refused;

	vm->cpu.pm = &vm->pm;
	vm->cpu.ops = &cpu_ops;
	vm->cpu.machine = vm;
	vm->cpu.stats = &vm->stats;
	vm->cpu.exec = vm->exec;
	vm->cpu.vendor = *vm->cfg->cpu_vendor ? vm->cfg->cpu_vendor : NULL;
	vm->cpu.max = vm->cfg->cpu_max;
	vm->cpu.opt_off = vm->cfg->opt_off;
	vm->cpu.lm = vm->cfg->cpu_lm;
	vm->cpu.chosen = vm->cfg->cpu_features;
	cpu_reset(&vm->cpu, false);
	refused = feature_refused(&vm->cpu);
	if (refused == CPUID_none)
		return 0;
	snprintf(err, errlen, "--cpu +%s: this host does not have it, or what it needs is not shown",
		 feature_name(refused));
	return -ENOTSUP;
}

static int init_board(struct vm *vm, const struct vm_chardevs *chardevs, char *err, size_t errlen)
{
	struct board_config bc = {
	    .vm = vm->cfg,
	    .pm = &vm->pm,
	    .clock = &vm->clock,
	    .cpu =
		{
		    .arg = vm,
		    .intr = board_intr,
		    .nmi = board_nmi,
		    .init = board_init_signal,
		    .a20 = board_a20,
		    .reset = board_wants_reset,
		    .power_off = board_power_off,
		    .debug_exit = board_debug_exit,
		    .suspend = board_suspend,
		    .wake = board_wakes,
		    .tsc_now = guest_tsc,
		    .tsc_to_ns = guest_tsc_to_ns,
		    .x2apic = feature_shown(&vm->cpu, CPUID_x2apic),
		    .tsc_deadline = feature_shown(&vm->cpu, CPUID_tsc_deadline_timer),
		},
	};

	if (chardevs) {
		memcpy(bc.serial, chardevs->serial, sizeof(bc.serial));
		memcpy(bc.debugcon, chardevs->debugcon, sizeof(bc.debugcon));
		bc.console = chardevs->console;
	}
	return board_init(&vm->board, &bc, err, errlen);
}

/* Guest time of an instruction in lockstep, which would else spend most of its time on ticks and time-outs. */
enum { LOCKSTEP_INSN_NS = 40 };

int vm_init(struct vm *vm, const struct vm_config *cfg, const struct vm_chardevs *chardevs, char *err, size_t errlen)
{
	int rc;

	memset(vm, 0, sizeof(*vm));
	vm->cfg = cfg;
	vm->engine = vm_find_engine(cfg);
	vm_tsc_init(vm);
	vm->kick_at = CLOCK_NEVER;
	init_requests(vm);
	clock_init(&vm->clock, false);
	if (vm->cfg->lockstep)
		clock_count(&vm->clock, &vm->stats.insns_executed, LOCKSTEP_INSN_NS);
	rc = physmem_init(&vm->pm, cfg->memory);
	if (rc) {
		snprintf(err, errlen, "cannot get %llu MiB of memory for the guest: %s",
			 (unsigned long long)(cfg->memory / MiB), strerror(-rc));
		return rc;
	}
	vm->pm.in_pieces = opt_on(cfg->opt_off, OPT_PIECES);
	vm->pm.large = opt_on(cfg->opt_off, OPT_LARGE) && (!opt_on(cfg->opt_off, OPT_SMALL) || large_pays());
	rc = exec_create(&vm->exec, vm->pm.large);
	if (rc) {
		snprintf(err, errlen, "cannot set up the single-stepper: %s", strerror(-rc));
		physmem_destroy(&vm->pm);
		return rc;
	}
	rc = init_cpu(vm, err, errlen);
	if (!rc)
		rc = init_board(vm, chardevs, err, errlen);
	if (rc) {
		exec_destroy(vm->exec);
		physmem_destroy(&vm->pm);
	}
	return rc;
}

void vm_destroy(struct vm *vm)
{
	board_destroy(&vm->board);
	exec_destroy(vm->exec);
	physmem_destroy(&vm->pm);
	pthread_cond_destroy(&vm->done);
	pthread_mutex_destroy(&vm->lock);
}

void vm_reset(struct vm *vm)
{
	bool wakes = vm->wake_pending && !vm->reset_pending;

	trace(mode, "%s", wakes ? "wakes up" : "reset");
	vm->reset_pending = vm->init_pending = vm->wake_pending = false;
	set_suspended(vm, false);
	if (wakes)
		board_wake(&vm->board);
	else
		board_reset(&vm->board);
	cpu_reset(&vm->cpu, false);
	for (int e = MMU_CR0; e <= MMU_EFER; e++)
		mmu_event(vm, e, 0);
}

void vm_wake(struct vm *vm)
{
	if (!vm->suspended || vm->wake_pending)
		return;
	vm->wake_pending = true;
	if (vm->event)
		vm->event(vm->event_arg, VM_EVENT_WAKE);
	vm_interrupt(vm);
}

void vm_interrupt(struct vm *vm)
{
	vm->stop = 1;
	/* Within the engine the flag alone may be read late: the signal takes effect like one from outside. */
	if (vm->in_engine)
		pthread_kill(pthread_self(), HOSTSIG_KICK);
}

void vm_pause(struct vm *vm, unsigned by, bool paused)
{
	pthread_mutex_lock(&vm->lock);
	vm->paused = paused ? vm->paused | by : vm->paused & ~by;
	pthread_mutex_unlock(&vm->lock);
	vm_tsc_run(vm, !vm->paused);
	if (vm->paused) {
		clock_stop(&vm->clock);
	} else {
		/* The host timer went on, and may have fired for a virtual time that is still to come. */
		vm->kick_at = CLOCK_NEVER;
		clock_start(&vm->clock);
	}
}
