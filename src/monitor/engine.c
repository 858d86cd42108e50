/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engines: how guest instructions are executed. */
#include "vm.h"

#include "bt/bt.h"
#include "cpu/event.h"
#include "cpu/step.h"
#include "phase.h"
#include "profiler.h"

static int step_create(struct vm *vm)
{
	vm->stats.insns_counted = true;
	return 0;
}

static void step_destroy(struct vm *vm)
{
}

static bool step_run(struct vm *vm)
{
	struct cpu *cpu = &vm->cpu;

	/* Asked first: delivering one event may have caused the next (a breakpoint on its stack). */
	phase_set(&vm->stats, PHASE_STEP);
	while (!vm->stop && cpu->activity == CPU_RUNNING && !cpu_event_ready(cpu)) {
		vm->stats.stepped_engine++;
		vm->stats.insns_executed += cpu_step_counts(cpu);
	}
	return true;
}

static const struct vm_engine engine_step = {"step", step_create, step_destroy, step_run};

static int translator_create(struct vm *vm)
{
	int rc = shadow_create(
	    &vm->shadow,
	    &(struct shadow_config){.cpu = &vm->cpu, .audit = vm->cfg->audit, .max_mappings = vm->cfg->max_mappings});

	if (rc)
		return rc;
	rc = bt_create(&vm->bt, &(struct bt_config){.cpu = &vm->cpu,
						    .shadow = vm->shadow,
						    .stop = &vm->stop,
						    .cache_bytes = vm->cfg->tc_size,
						    .count = vm->cfg->count,
						    .audit = vm->cfg->audit,
						    .profile = !vm->profiler		? BT_PROFILE_OFF
							       : vm->cfg->profile_exact ? BT_PROFILE_EXACT
											: BT_PROFILE_SAMPLED,
						    .before_flush = profiler_save_blocks,
						    .before_flush_arg = vm->profiler});
	if (rc) {
		shadow_destroy(vm->shadow);
		vm->shadow = NULL;
	}
	return rc;
}

static void translator_destroy(struct vm *vm)
{
	bt_destroy(vm->bt);
	shadow_destroy(vm->shadow);
	vm->bt = NULL;
	vm->shadow = NULL;
}

static bool translator_run(struct vm *vm)
{
	bt_run(vm->bt);
	return true;
}

static bool lockstep_run(struct vm *vm)
{
	return bt_lockstep(vm->bt, clock_next_count(&vm->clock));
}

static const struct vm_engine engine_bt = {"bt", translator_create, translator_destroy, translator_run};
static const struct vm_engine engine_lockstep = {"lockstep", translator_create, translator_destroy, lockstep_run};

const struct vm_engine *vm_find_engine(const struct vm_config *cfg)
{
	if (cfg->lockstep)
		return &engine_lockstep;
	return cfg->engine == ENGINE_STEP ? &engine_step : &engine_bt;
}
