/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VM as a whole, with firmware of a few instructions: run loop, requests, resets, interrupts, several VMs in one
 * process. */
#include "monitor/vm.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rom.h"

enum { ROM_BYTES = 64 * 1024, ENDED = 42 };

struct machine {
	struct vm *vm;
	struct vm_config cfg;
	char bios[32];
	char out[256]; /* what the guest said */
	atomic_uint said;
	bool stay; /* '!' does not end the VM */
	pthread_t thread;
	int status;
};

static void heard(void *arg, uint8_t byte)
{
	struct machine *m = arg;

	if (m->said < sizeof(m->out) - 1)
		m->out[m->said++] = (char)byte;
	if (byte == '!' && !m->stay)
		vm_exit(m->vm, ENDED);
}

static void make_rom(struct machine *m, const uint8_t *code, const uint8_t *end)
{
	static const uint8_t jump[] = {0xea, 0x00, 0x00, 0x00, 0xf0}; /* jmp f000:0000 */
	uint8_t *rom = calloc(1, ROM_BYTES);
	int fd;

	memcpy(rom, code, (size_t)(end - code));
	memcpy(rom + ROM_BYTES - 16, jump, sizeof(jump));
	strcpy(m->bios, "/tmp/gnomon-rom-XXXXXX");
	fd = mkstemp(m->bios);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, rom, ROM_BYTES), ROM_BYTES);
	close(fd);
	free(rom);
}

static void build(struct machine *m, enum engine_kind engine, const uint8_t *code, const uint8_t *end)
{
	struct vm_chardevs chardevs = {.debugcon[0] = {.send = heard, .arg = m}};
	char err[512];

	memset(m, 0, sizeof(*m));
	make_rom(m, code, end);
	config_init(&m->cfg);
	m->cfg.memory = 4 * MiB;
	m->cfg.engine = engine;
	m->cfg.bios = m->bios;
	m->cfg.ndebugcons = 1;
	m->cfg.debugcons[0].port = 0x402;
	m->vm = aligned_alloc(_Alignof(struct vm), sizeof(struct vm));
	ck_assert_msg(vm_init(m->vm, &m->cfg, &chardevs, err, sizeof(err)) == 0, "%s", err);
}

static void *vcpu(void *arg)
{
	struct machine *m = arg;
	m->status = vm_run(m->vm);
	return NULL;
}

static void start(struct machine *m)
{
	ck_assert_int_eq(pthread_create(&m->thread, NULL, vcpu, m), 0);
}

static void wait_for(struct machine *m, unsigned said)
{
	for (unsigned i = 0; m->said < said; i++) {
		ck_assert_msg(i < 5000, "the guest says only \"%s\"", m->out);
		usleep(1000);
	}
}

static void take_down(struct machine *m)
{
	vm_destroy(m->vm);
	free(m->vm);
	unlink(m->bios);
	m->cfg.bios = NULL;
	config_destroy(&m->cfg);
}

static void end(struct machine *m, int status)
{
	pthread_join(m->thread, NULL);
	ck_assert_int_eq(m->status, status);
	take_down(m);
}

/* The engines, as the argument of loop tests. */
static const enum engine_kind engines[] = {ENGINE_STEP, ENGINE_BT};

#define PROGRAM(name) rom_##name, rom_##name##_end

static void runs_to_the_end(int engine, const uint8_t *code, const uint8_t *code_end, const char *expected)
{
	struct machine m;

	build(&m, engines[engine], code, code_end);
	start(&m);
	pthread_join(m.thread, NULL);
	ck_assert_int_eq(m.status, ENDED);
	ck_assert_str_eq(m.out, expected);
	take_down(&m);
}

START_TEST(every_way_to_reset)
{
	runs_to_the_end(_i, PROGRAM(resets), "01234!");
}
END_TEST

/* --no-reboot: each of the ways to reset ends the VM; the fourth is a triple fault. */
START_TEST(no_reboot)
{
	static const enum vm_end_reason reasons[] = {VM_END_RESET, VM_END_RESET, VM_END_RESET, VM_END_TRIPLE_FAULT};

	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++) {
		struct machine m;

		build(&m, engines[_i], PROGRAM(resets));
		m.cfg.no_reboot = true;
		rtc_cmos_set(&m.vm->board.rtc, 0x40, (uint8_t)i);
		start(&m);
		pthread_join(m.thread, NULL);
		ck_assert_int_eq(m.vm->end.reason, reasons[i]);
		ck_assert_int_eq(m.status, reasons[i] == VM_END_TRIPLE_FAULT);
		take_down(&m);
	}
}
END_TEST

START_TEST(timer_interrupts_wake_a_halted_cpu)
{
	uint64_t before = host_now_ns(), took;

	runs_to_the_end(_i, PROGRAM(ticks), "tttttttttt!");
	took = host_now_ns() - before;
	/* 100 ticks of a millisecond; the machine under us may be slow, but not fast. */
	ck_assert_uint_ge(took, 95 * NS_PER_MS);
}
END_TEST

START_TEST(a20_by_either_port)
{
	runs_to_the_end(_i, PROGRAM(a20), "0113!");
}
END_TEST

START_TEST(x87_errors_raise_interrupt_13)
{
	runs_to_the_end(_i, PROGRAM(fpu), "F!");
}
END_TEST

static void note_thread(void *arg)
{
	*(pthread_t *)arg = pthread_self();
}

START_TEST(calls_run_on_the_vcpu_thread)
{
	struct machine m;
	pthread_t seen = 0;

	build(&m, engines[_i], PROGRAM(spin));
	m.stay = true;
	start(&m);
	wait_for(&m, 1);
	for (unsigned i = 0; i < 1000; i++) {
		seen = 0;
		ck_assert(vm_call(m.vm, note_thread, &seen));
		ck_assert(pthread_equal(seen, m.thread));
	}
	vm_exit(m.vm, 3);
	end(&m, 3);
}
END_TEST

START_TEST(calls_wake_a_sleeping_cpu)
{
	struct machine m;
	pthread_t seen = 0;

	build(&m, engines[_i], PROGRAM(halt));
	m.stay = true;
	start(&m);
	wait_for(&m, 1);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert(vm_call(m.vm, note_thread, &seen));
	vm_exit(m.vm, 3);
	end(&m, 3);
}
END_TEST

struct caller {
	struct machine *m;
	pthread_t thread;
	atomic_uint done;
};

static void nothing(void *arg)
{
}

static void *call_until_the_end(void *arg)
{
	struct caller *c = arg;

	while (vm_call(c->m->vm, nothing, NULL))
		c->done++;
	return NULL;
}

/* Several callers at once, and the end in the midst of it: nobody hangs. */
START_TEST(callers_are_released_at_the_end)
{
	struct caller callers[4];
	struct machine m;

	build(&m, engines[_i], PROGRAM(spin));
	m.stay = true;
	start(&m);
	for (unsigned i = 0; i < ARRAY_LEN(callers); i++) {
		callers[i].m = &m;
		callers[i].done = 0;
		pthread_create(&callers[i].thread, NULL, call_until_the_end, &callers[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(callers); i++) /* each gets its turn, or the test's time is up */
		while (!callers[i].done)
			usleep(1000);
	vm_exit(m.vm, 5);
	for (unsigned i = 0; i < ARRAY_LEN(callers); i++)
		pthread_join(callers[i].thread, NULL);
	ck_assert(!vm_call(m.vm, nothing, NULL));
	end(&m, 5);
}
END_TEST

static void count(void *arg)
{
	++*(atomic_uint *)arg;
}

START_TEST(posts_are_carried_out_once)
{
	static atomic_uint counted;
	struct vm_request r = {.fn = count, .arg = &counted};
	struct machine m;

	counted = 0;
	build(&m, engines[_i], PROGRAM(spin));
	m.stay = true;
	vm_post(m.vm, &r);
	vm_post(m.vm, &r); /* queued already: the same one */
	start(&m);
	wait_for(&m, 1);
	ck_assert(vm_call(m.vm, nothing, NULL));
	ck_assert_uint_eq(counted, 1);
	vm_post(m.vm, &r);
	ck_assert(vm_call(m.vm, nothing, NULL)); /* in the order of their coming */
	ck_assert_uint_eq(counted, 2);
	vm_exit(m.vm, 3);
	end(&m, 3);
}
END_TEST

START_TEST(a_pause_stops_the_virtual_clock)
{
	struct vm_control_ops ops;
	uint64_t before, after;
	struct machine m;

	build(&m, engines[_i], PROGRAM(spin));
	m.stay = true;
	ops = vm_control(m.vm);
	start(&m);
	wait_for(&m, 1);
	ck_assert_int_eq(ops.status(ops.arg), VM_RUNNING);
	ck_assert_int_eq(ops.stop(ops.arg), 0);
	ck_assert_int_eq(ops.stop(ops.arg), 0);
	ck_assert_int_eq(ops.status(ops.arg), VM_PAUSED);
	before = clock_now(&m.vm->clock);
	usleep(20000);
	ck_assert_uint_eq(clock_now(&m.vm->clock), before);
	ck_assert_int_eq(ops.cont(ops.arg), 0);
	usleep(20000);
	ck_assert_int_eq(ops.stop(ops.arg), 0);
	after = clock_now(&m.vm->clock);
	ck_assert_uint_ge(after - before, 15 * NS_PER_MS);
	ck_assert_int_eq(ops.quit(ops.arg), 0);
	end(&m, 0);
	ck_assert_uint_gt(after, before);
}
END_TEST

/* The reset button while running, sleeping and paused. */
START_TEST(the_reset_button)
{
	struct vm_control_ops ops;
	struct machine m;

	build(&m, engines[_i], PROGRAM(halt));
	m.stay = true;
	ops = vm_control(m.vm);
	start(&m);
	wait_for(&m, 1);
	ck_assert_int_eq(ops.reset(ops.arg), 0);
	wait_for(&m, 2);
	ck_assert_int_eq(ops.stop(ops.arg), 0);
	ck_assert_int_eq(ops.reset(ops.arg), 0);
	ck_assert_int_eq(ops.cont(ops.arg), 0);
	wait_for(&m, 3);
	vm_exit(m.vm, 3);
	end(&m, 3);
}
END_TEST

/* Nothing is shared: two machines at once, of different engines, each with its own program. */
static void wait_until_asleep(struct machine *m)
{
	for (unsigned i = 0; vm_status(m->vm) != VM_SUSPENDED; i++) {
		ck_assert_msg(i < 5000, "not suspended after \"%s\"", m->out);
		usleep(1000);
	}
}

/* Memory survives, the processor stops with the very instruction, and the BIOS and ACPI's status tell of it. */
START_TEST(suspend_to_ram)
{
	struct vm_control_ops ops;
	struct machine m;

	build(&m, engines[_i], PROGRAM(sleeps));
	ops = vm_control(m.vm);
	start(&m);
	wait_for(&m, 3); /* "ses": the RTC's alarm */
	wait_until_asleep(&m);
	ck_assert_int_eq(ops.wakeup(ops.arg), 0);
	wait_for(&m, 5);
	wait_until_asleep(&m);
	ck_assert_int_eq(ops.key(ops.arg, QKEY_A, true), 0);
	wait_for(&m, 7);
	wait_until_asleep(&m);
	ck_assert_int_eq(ops.powerdown(ops.arg), 0);
	pthread_join(m.thread, NULL);
	ck_assert_str_eq(m.out, "sesasasb!");
	ck_assert_int_eq(m.status, ENDED);
	ck_assert_int_eq(ops.wakeup(ops.arg), -EINVAL);
	take_down(&m);
}
END_TEST

/* The reset button ends it, too: the machine starts from the beginning. */
START_TEST(reset_while_suspended)
{
	struct vm_control_ops ops;
	struct machine m;

	build(&m, engines[_i], PROGRAM(sleeps));
	ops = vm_control(m.vm);
	start(&m);
	wait_for(&m, 3);
	wait_until_asleep(&m);
	ck_assert_int_eq(ops.reset(ops.arg), 0);
	wait_for(&m, 5);
	ck_assert_int_eq(memcmp(m.out, "sesse", 5), 0); /* the alarm of its second life may be quick */
	vm_exit(m.vm, 3);
	end(&m, 3);
}
END_TEST

START_TEST(two_machines_in_one_process)
{
	struct machine a, b;

	build(&a, ENGINE_BT, PROGRAM(resets));
	build(&b, engines[_i], PROGRAM(ticks));
	start(&a);
	start(&b);
	pthread_join(a.thread, NULL);
	pthread_join(b.thread, NULL);
	ck_assert_str_eq(a.out, "01234!");
	ck_assert_str_eq(b.out, "tttttttttt!");
	take_down(&a);
	take_down(&b);
}
END_TEST

/* The same thread can run one after the other. */
START_TEST(one_after_the_other)
{
	for (unsigned n = 0; n < 3; n++) {
		struct machine m;
		build(&m, engines[_i], PROGRAM(a20));
		ck_assert_int_eq(vm_run(m.vm), ENDED);
		ck_assert_str_eq(m.out, "0113!");
		take_down(&m);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vm");
	TCase *tc = tcase_create("vm");
	int n = ARRAY_LEN(engines), failed;
	SRunner *runner;

	tcase_add_loop_test(tc, every_way_to_reset, 0, n);
	tcase_add_loop_test(tc, no_reboot, 0, n);
	tcase_add_loop_test(tc, timer_interrupts_wake_a_halted_cpu, 0, n);
	tcase_add_loop_test(tc, a20_by_either_port, 0, n);
	tcase_add_loop_test(tc, x87_errors_raise_interrupt_13, 0, n);
	tcase_add_loop_test(tc, calls_run_on_the_vcpu_thread, 0, n);
	tcase_add_loop_test(tc, calls_wake_a_sleeping_cpu, 0, n);
	tcase_add_loop_test(tc, callers_are_released_at_the_end, 0, n);
	tcase_add_loop_test(tc, posts_are_carried_out_once, 0, n);
	tcase_add_loop_test(tc, a_pause_stops_the_virtual_clock, 0, n);
	tcase_add_loop_test(tc, the_reset_button, 0, n);
	tcase_add_loop_test(tc, suspend_to_ram, 0, n);
	tcase_add_loop_test(tc, reset_while_suspended, 0, n);
	tcase_add_loop_test(tc, two_machines_in_one_process, 0, n);
	tcase_add_loop_test(tc, one_after_the_other, 0, n);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
