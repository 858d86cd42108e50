/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bt/bt_internal.h"
#include "cpu/event.h"
#include "cpu/seg.h"
#include "cpu/step.h"
#include "cpu/sys.h"
#include "hostsig.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define TICK_NS	   (10 * NS_PER_MS)  /* looks whether time is up */
#define TIMEOUT_NS (60 * NS_PER_SEC) /* where signals are slow, lockstep takes a third of it */

const char *const isa_engine_names[ENGINES] = {"step", "bt", "lockstep", "bt_few", "bt_plain"};

uint32_t machine_random(struct machine *m)
{
	m->random = m->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(m->random >> 33);
}

uint64_t machine_peek(struct machine *m, gpa_t at, unsigned len)
{
	uint64_t value = 0;

	physmem_read(&m->pm, at, &value, len);
	return value;
}

void machine_poke(struct machine *m, gpa_t at, unsigned len, uint64_t value)
{
	physmem_write(&m->pm, at, &value, len);
}

/* --- what the CPU asks --- */

static uint32_t port_in(void *arg, uint16_t port, unsigned size)
{
	struct machine *m = arg;
	uint32_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)m->ports[(port + i) & 0xff] << (8 * i);
	return value;
}

static void set_timer(struct machine *m, uint64_t ns)
{
	struct itimerspec its = {.it_value = {.tv_nsec = (long)ns}, .it_interval = {.tv_nsec = (long)TICK_NS}};

	timer_settime(m->timer, 0, &its, NULL);
}

static void set_async(struct machine *m, uint8_t vector)
{
	m->async = vector;
	set_timer(m, vector ? 20000 + machine_random(m) % 200000 : TICK_NS);
}

static uint64_t storm_ns(struct machine *m)
{
	return 2000 + machine_random(m) % 30000;
}

void machine_set_storm(struct machine *m, bool storm)
{
	m->storm = storm;
	set_timer(m, storm ? storm_ns(m) : TICK_NS);
}

static void mmu_event(void *arg, enum mmu_event event, gva_t address)
{
	struct machine *m = arg;

	if (m->shadow)
		shadow_mmu_event(m->shadow, event, address);
	if (m->bt)
		bt_mmu_event(m->bt, event, address);
}

static void port_out(void *arg, uint16_t port, unsigned size, uint32_t value)
{
	struct machine *m = arg;

	switch (port) {
	case ISA_PORT_CHECK:
	case ISA_PORT_SNAP:
		if (m->check)
			m->check(m, port == ISA_PORT_SNAP);
		break;
	case ISA_PORT_DONE:
		m->done = true;
		m->stop = 1;
		raise(HOSTSIG_KICK);
		break;
	case ISA_PORT_IRQ:
		m->vector = (uint8_t)value;
		m->cpu.intr = true;
		break;
	case ISA_PORT_ASYNC:
		set_async(m, (uint8_t)value);
		break;
	case ISA_PORT_NMI:
		m->cpu.nmi = true;
		break;
	case ISA_PORT_DMA:
		machine_poke(m, m->dma_at, size, value);
		break;
	case ISA_PORT_DMA_AT:
		m->dma_at = value;
		break;
	case ISA_PORT_WAKE:
		m->wake = (uint8_t)value;
		break;
	case ISA_PORT_FERR:
		m->ferr_vector = (uint8_t)value;
		break;
	case ISA_PORT_A20:
		physmem_set_a20(&m->pm, value & 1);
		mmu_event(m, MMU_A20, 0);
		break;
	default:
		for (unsigned i = 0; i < size; i++)
			m->ports[(port + i) & 0xff] = (uint8_t)(value >> (8 * i));
	}
}

static int intr_ack(void *arg)
{
	struct machine *m = arg;

	m->cpu.intr = false;
	return m->vector;
}

static uint64_t tsc(void *arg)
{
	return 0;
}

static bool no_msr_read(void *arg, uint32_t index, uint64_t *value)
{
	return false;
}

static bool no_msr_write(void *arg, uint32_t index, uint64_t value)
{
	return false;
}

static uint64_t cr8_read(void *arg)
{
	return ((struct machine *)arg)->cr8;
}

static void cr8_write(void *arg, uint64_t value)
{
	((struct machine *)arg)->cr8 = value;
}

static void ferr(void *arg, bool level)
{
	struct machine *m = arg;

	m->ferr = level;
	m->stop = 1;
	if (level && m->ferr_vector) {
		m->vector = m->ferr_vector;
		m->cpu.intr = true;
	}
}

static void triple_fault(void *arg)
{
	struct machine *m = arg;

	m->triple = true;
	m->stop = 1;
}

static const struct cpu_ops machine_ops = {
    .port_in = port_in,
    .port_out = port_out,
    .intr_ack = intr_ack,
    .tsc = tsc,
    .mmu_event = mmu_event,
    .apic_msr_read = no_msr_read,
    .apic_msr_write = no_msr_write,
    .cr8_read = cr8_read,
    .cr8_write = cr8_write,
    .ferr = ferr,
    .triple_fault = triple_fault,
};

static uint64_t io_read_bytes(void *dev, uint64_t offset, unsigned size)
{
	struct machine *m = dev;

	return load_le(m->io_bytes + offset, size);
}

static void io_write_bytes(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct machine *m = dev;

	store_le(m->io_bytes + offset, size, value);
}

static const struct io_ops io_ops = {"bytes", io_read_bytes, io_write_bytes, IO_8 | IO_16 | IO_32};

static bool on_kick(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	struct machine *m = arg;

	if (signo == HOSTSIG_KICK)
		m->stop = 1;
	return false;
}

/* --- a machine --- */

static void require(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "%s: %s\n", what, strerror(-rc));
		exit(2);
	}
}

static void add_memory(struct machine *m)
{
	require(physmem_init(&m->pm, ISA_RAM), "memory");
	m->ram =
	    (struct pm_region){.name = "ram", .kind = PM_RAM, .len = ISA_RAM, .enabled = true, .backing = &m->pm.ram};
	m->alias = (struct pm_region){
	    .name = "alias", .kind = PM_RAM, .base = ISA_ALIAS, .len = MiB, .enabled = true, .backing = &m->pm.ram};
	m->high = (struct pm_region){
	    .name = "high", .kind = PM_RAM, .base = ISA_HIGH, .len = MiB, .enabled = true, .backing = &m->pm.ram};
	m->io = (struct pm_region){
	    .name = "io", .kind = PM_IO, .base = ISA_IO, .len = PAGE_SIZE, .enabled = true, .ops = &io_ops, .dev = m};
	physmem_add(&m->pm, &m->ram);
	physmem_add(&m->pm, &m->alias);
	physmem_add(&m->pm, &m->high);
	physmem_add(&m->pm, &m->io);
}

static void add_timer(struct machine *m)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = HOSTSIG_KICK};

	ev.sigev_notify_thread_id = gettid();
	require(timer_create(CLOCK_MONOTONIC, &ev, &m->timer) < 0 ? -errno : 0, "timer");
	set_timer(m, TICK_NS);
}

struct machine *machine_create(enum isa_engine engine)
{
	struct machine *m = aligned_alloc(64, ALIGN_UP(sizeof(*m), 64));

	require(m ? 0 : -ENOMEM, "machine");
	memset(m, 0, sizeof(*m));
	m->engine = engine;
	m->random = 1;
	m->timeout_ns = TIMEOUT_NS;
	require(hostsig_thread_init(), "signals");
	hostsig_add(on_kick, m);
	add_memory(m);
	require(exec_create(&m->exec, false), "executor");
	exec_attach(m->exec);
	m->cpu.pm = &m->pm;
	m->cpu.ops = &machine_ops;
	m->cpu.machine = m;
	m->cpu.stats = &m->stats;
	m->cpu.exec = m->exec;
	m->cpu.max = true;
	m->cpu.opt_off = engine == ENGINE_BT_PLAIN ? OPT_ALL_OFF : 0;
	m->cpu.tsc_line.ratio = 1; /* RDTSC is translated, though time stands still */
	machine_set_processor(m, false, false);
	cpu_reset(&m->cpu, false);
	if (engine != ENGINE_STEP) {
		require(shadow_create(&m->shadow, &(struct shadow_config){.cpu = &m->cpu,
									  .audit = true,
									  .max_mappings = engine == ENGINE_BT_FEW}),
			"shadow");
		require(bt_create(
			    &m->bt,
			    &(struct bt_config){.cpu = &m->cpu, .shadow = m->shadow, .stop = &m->stop, .audit = true}),
			"translator");
	}
	add_timer(m);
	return m;
}

void machine_destroy(struct machine *m)
{
	timer_delete(m->timer);
	bt_destroy(m->bt);
	shadow_destroy(m->shadow);
	exec_detach(m->exec);
	exec_destroy(m->exec);
	hostsig_remove(on_kick, m);
	physmem_destroy(&m->pm);
	free(m);
}

void machine_set_processor(struct machine *m, bool lm, bool amd)
{
	m->cpu.lm = lm;
	m->cpu.vendor = amd ? "AuthenticAMD" : "GenuineIntel"; /* programs go by Intel's manual, unless they say so */
	m->cpu.features = 0;
}

static bool run_engine(struct machine *m)
{
	struct cpu *cpu = &m->cpu;

	if (m->engine == ENGINE_LOCKSTEP)
		return bt_lockstep(m->bt, UINT64_MAX);
	if (m->engine != ENGINE_STEP) {
		bt_run(m->bt);
		return true;
	}
	while (!m->stop && cpu->activity == CPU_RUNNING && !cpu_event_ready(cpu))
		cpu_step(cpu);
	return true;
}

/* Vector of the stub in whose HLT the CPU stands, or -1. */
static int stub_vector(const struct cpu *cpu)
{
	uint32_t base = cpu_protected(cpu) ? ISA_STUBS32 : ISA_STUBS16;
	uint64_t at = (cpu_code_size(cpu) == 8 ? (uint32_t)cpu_linear_pc(cpu) : cpu_linear_pc(cpu)) - 1;

	return at >= base && at < base + 256u * ISA_STUB_BYTES && at % ISA_STUB_BYTES == 0
		   ? (int)((at - base) / ISA_STUB_BYTES)
		   : -1;
}

static void kicked(struct machine *m)
{
	m->stop = 0;
	if (m->storm)
		set_timer(m, storm_ns(m));
	if (m->async) {
		m->vector = m->async;
		m->cpu.intr = true;
		m->async_count++;
		set_async(m, m->async);
	}
}

/* What counts for a timeout: a host with other work is not a guest that hangs. */
static uint64_t own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

enum isa_stop machine_run(struct machine *m)
{
	struct cpu *cpu = &m->cpu;
	uint64_t end = own_ns() + m->timeout_ns;

	while (own_ns() < end) {
		cpu_take_event(cpu);
		if (m->triple)
			return STOP_TRIPLE;
		if (cpu->activity == CPU_HALTED && stub_vector(cpu) >= 0)
			return STOP_FAULT;
		if ((cpu->activity == CPU_HALTED || cpu->activity == CPU_MWAIT) && m->wake) {
			m->vector = m->wake;
			m->wake = 0;
			cpu->intr = true;
			cpu->activity = cpu->activity == CPU_MWAIT ? CPU_RUNNING : CPU_HALTED;
			continue;
		}
		if (m->done || cpu->activity == CPU_HALTED)
			return STOP_DONE;
		if (!run_engine(m))
			return STOP_LOCKSTEP;
		if (m->stop)
			kicked(m);
	}
	return STOP_TIMEOUT;
}

void machine_audit(struct machine *m)
{
	if (m->engine == ENGINE_STEP)
		return;
	shadow_audit(m->shadow);
	bt_audit(m->bt);
}

static bool pushes_error(unsigned vector)
{
	return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC;
}

/* A word of the frame `offset` bytes above the stack pointer, which may wrap. */
static uint64_t frame_word(const struct machine *m, unsigned offset, unsigned size)
{
	const struct cpu *cpu = &m->cpu;
	uint64_t at = (cpu->gpr[RSP] + offset) & size_mask(cpu_stack_size(cpu));

	return machine_peek((struct machine *)m, (uint32_t)(cpu->seg[SEG_SS].base + at), size);
}

struct isa_frame machine_frame(const struct machine *m)
{
	const struct cpu *cpu = &m->cpu;
	bool real = !cpu_protected(cpu);
	struct isa_frame f = {.vector = (uint8_t)stub_vector(cpu), .width = real ? 2 : cpu_long(cpu) ? 8 : 4};
	uint64_t mask = size_mask(cpu_stack_size(cpu));
	unsigned at = 0;

	f.bottom = (uint32_t)(cpu->seg[SEG_SS].base + (cpu->gpr[RSP] & mask));
	if (!real && pushes_error(f.vector)) {
		f.has_error = true;
		f.error = (uint32_t)frame_word(m, 0, 4);
		at = f.width;
	}
	f.eip_at = f.bottom + at;
	f.eip = frame_word(m, at, f.width);
	f.cs = (uint32_t)frame_word(m, at + f.width, 2);
	f.eflags = (uint32_t)frame_word(m, at + 2 * f.width, f.width);
	at += 3 * f.width;
	f.ss = cpu->seg[SEG_SS].selector;
	f.esp = (cpu->gpr[RSP] + at) & mask;
	if (!real && ((f.eflags & FLAG_VM) || (f.cs & 3))) {
		f.esp = frame_word(m, at, f.width == 8 ? 8 : 4);
		f.ss = (uint32_t)frame_word(m, at + f.width, 2);
		at += f.eflags & FLAG_VM ? 24 : 2 * f.width;
	}
	f.bytes = at;
	return f;
}

void machine_resume(struct machine *m, const struct isa_frame *frame, uint32_t eip)
{
	machine_poke(m, frame->eip_at, frame->width, eip);
	/* A code breakpoint or the like does not matter here, but RF must not outlive the frame. */
	m->cpu.activity = CPU_RUNNING;
}
