/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On top of cpu_fixture.h: decodes bytes at CS:RIP and runs the handler of their row, with a machine that logs port
 * accesses. */
#ifndef GNOMON_TESTS_INSN_FIXTURE_H
#define GNOMON_TESTS_INSN_FIXTURE_H

#include "cpu_fixture.h"

#include "cpu/step.h"
#include "cpu/sys.h"

enum { PORT_LOG = 64 };

static struct {
	uint16_t port;
	uint8_t size;
	bool out;
	uint32_t value;
} port_log[PORT_LOG];
static unsigned ports;
static uint32_t port_next; /* what the next read gives; it counts up */
static uint64_t tsc_now, cr8_value;
static unsigned mmu_events[MMU_A20 + 1];
static gva_t mmu_address;

static uint32_t fake_in(void *m, uint16_t port, unsigned size)
{
	if (ports < PORT_LOG) {
		port_log[ports].port = port;
		port_log[ports].size = (uint8_t)size;
		port_log[ports].out = false;
	}
	ports++;
	return port_next++;
}

static void fake_out(void *m, uint16_t port, unsigned size, uint32_t value)
{
	if (ports < PORT_LOG) {
		port_log[ports].port = port;
		port_log[ports].size = (uint8_t)size;
		port_log[ports].out = true;
		port_log[ports].value = value;
	}
	ports++;
}

static uint64_t fake_tsc(void *m)
{
	return tsc_now;
}

static void fake_mmu_event(void *m, enum mmu_event event, gva_t address)
{
	mmu_events[event]++;
	mmu_address = address;
}

static bool fake_apic_read(void *m, uint32_t index, uint64_t *value)
{
	*value = 0xfee00900;
	return index == MSR_APIC_BASE;
}

static bool fake_apic_write(void *m, uint32_t index, uint64_t value)
{
	return index == MSR_APIC_BASE;
}

static uint64_t fake_cr8_read(void *m)
{
	return cr8_value;
}

static void fake_cr8_write(void *m, uint64_t value)
{
	cr8_value = value;
}

static const struct cpu_ops insn_ops = {.port_in = fake_in,
					.port_out = fake_out,
					.tsc = fake_tsc,
					.mmu_event = fake_mmu_event,
					.apic_msr_read = fake_apic_read,
					.apic_msr_write = fake_apic_write,
					.cr8_read = fake_cr8_read,
					.cr8_write = fake_cr8_write,
					.intr_ack = on_intr_ack,
					.triple_fault = on_triple_fault};

static void insn_setup(void)
{
	setup();
	cpu.ops = &insn_ops;
	cpu_has(&cpu, FEAT_BASE); /* fills the cache, which is part of no state */
	ports = port_next = 0;
	tsc_now = cr8_value = 0;
	memset(mmu_events, 0, sizeof(mmu_events));
}

static struct insn insn_now;

/* Decodes at CS:RIP and runs checks and handler. The instruction must have one. */
static inline bool run_bytes(const uint8_t *bytes, unsigned len)
{
	int err = insn_decode(&insn_now, bytes, len, cpu_code_size(&cpu));

	ck_assert_msg(!err, "decoding %02x %02x: %d", bytes[0], bytes[1], err);
	ck_assert_uint_eq(insn_now.len, len);
	ck_assert_msg(insn_rows[insn_now.id].handler, "%s has no handler", insn_name(&insn_now));
	if (!cpu_insn_checks(&cpu, &insn_now, &fault))
		return false;
	cpu.next_rip = cpu.rip + len;
	return insn_rows[insn_now.id].handler(&cpu, &insn_now, &fault);
}

/* run(0x90): the bytes of one instruction. */
#define RUN(...) run_bytes((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define OK(...)	 WORKS(RUN(__VA_ARGS__))

/* The instruction faults and changes nothing (but next_rip, which nobody looks at then). */
#define RAISES(vec, ...)                                                                                               \
	do {                                                                                                           \
		memcpy(&before, &cpu, sizeof(cpu));                                                                    \
		memset(&fault, 0xee, sizeof(fault));                                                                   \
		ck_assert_msg(!RUN(__VA_ARGS__), "%s succeeds", insn_name(&insn_now));                                 \
		ck_assert_msg(fault.vector == (vec), "%s: fault %u(%x)", insn_name(&insn_now), fault.vector,           \
			      fault.error);                                                                            \
		if (fault.vector != EXC_UD && fault.vector != EXC_DB && fault.vector != EXC_BR &&                      \
		    fault.vector != EXC_DE && fault.vector != EXC_NM && fault.vector != EXC_PF)                        \
			ck_assert_msg(fault.has_error &&fault.error == 0, "%s: error code", insn_name(&insn_now));     \
		cpu.next_rip = before.next_rip;                                                                        \
		check_unchanged(insn_name(&insn_now));                                                                 \
	} while (0)

static inline bool flag(uint64_t which)
{
	return cpu.rflags & which;
}

static inline TCase *insn_case(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);
	tcase_add_checked_fixture(tc, insn_setup, teardown);
	suite_add_tcase(s, tc);
	return tc;
}

#endif
