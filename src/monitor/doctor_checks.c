/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of doctor.def. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bt/bt.h"
#include "bt/gsbase.h"
#include "doctor.h"
#include "hostsig.h"
#include "vm.h"

#define GIB(bytes) ((double)(bytes) / (double)GiB)

static void PRINTF_LIKE(3, 4) set(struct finding *f, enum finding_status status, const char *fmt, ...)
{
	va_list ap;

	f->status = status;
	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
}

static void PRINTF_LIKE(2, 3) advise(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->advice, sizeof(f->advice), fmt, ap);
	va_end(ap);
}

/* The number in a file of /proc or /sys. False: there is none. */
static bool number_in(const char *path, long long *n)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fscanf(file, "%lld", n) == 1;

	if (file)
		fclose(file);
	return ok;
}

static void check_processor(struct finding *f)
{
	const char *lacks = bt_host_lacks();

	if (!lacks) {
		set(f, FINDING_OK, "has them");
		return;
	}
	set(f, FINDING_MISSING, "without %s", lacks);
	advise(f,
	       "a processor of 2013 or later, or a hypervisor that shows %s; gnomon run --engine step works without, "
	       "many times slower",
	       lacks);
}

static void check_avx(struct finding *f)
{
	doctor_avx(f);
}

/* Two mappings of a memfd, one of them executable; a return instruction written through one runs in the other. */
static bool code_runs(int fd)
{
	uint8_t *write = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint8_t *run = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	bool ok = write != MAP_FAILED && run != MAP_FAILED;

	if (ok) {
		void (*fn)(void);
		write[0] = 0xc3;
		memcpy(&fn, &run, sizeof(fn));
		fn();
	}
	if (write != MAP_FAILED)
		munmap(write, PAGE_SIZE);
	if (run != MAP_FAILED)
		munmap(run, PAGE_SIZE);
	return ok;
}

static void check_code(struct finding *f)
{
	int fd = memfd_create("gnomon-doctor", MFD_CLOEXEC);
	bool ok = fd >= 0 && !ftruncate(fd, PAGE_SIZE) && code_runs(fd);

	if (ok) {
		set(f, FINDING_OK, "a memfd can be executed");
	} else {
		set(f, FINDING_MISSING, "a memfd cannot be %s: %s", fd < 0 ? "made" : "executed", strerror(errno));
		advise(f, "sysctl vm.memfd_noexec=0; or a security policy (SELinux execmem, a container's seccomp "
			  "profile) that allows it");
	}
	if (fd >= 0)
		close(fd);
}

static void check_windows(struct finding *f)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY) {
		set(f, FINDING_OK, "address space is not limited");
		return;
	}
	set(f, FINDING_HINT, "address space is limited to %.1f GiB", GIB(limit.rlim_cur));
	advise(f, "ulimit -v unlimited: windows take more than 100 GiB of addresses, without memory behind them");
}

static void check_firmware(struct finding *f)
{
	if (!access(BOARD_BIOS_DEFAULT, R_OK)) {
		set(f, FINDING_OK, "%s", BOARD_BIOS_DEFAULT);
		return;
	}
	set(f, FINDING_MISSING, "%s: %s", BOARD_BIOS_DEFAULT, strerror(errno));
	advise(f, "install the package seabios, or name an image (--bios FILE)");
}

/* The whole of it but the guest: memory, board, translator, windows, signals, timers. */
static void check_start(struct finding *f)
{
	struct vm *vm = aligned_alloc(_Alignof(struct vm), sizeof(*vm));
	struct vm_config cfg;
	char err[sizeof(f->found) - 8] = "out of memory";
	int rc = -ENOMEM;

	config_init(&cfg);
	if (vm)
		rc = vm_init(vm, &cfg, NULL, err, sizeof(err));
	if (!rc) {
		vm_exit(vm, 0);
		rc = vm_run(vm);
		if (rc)
			vm_run_error(rc, err, sizeof(err));
		vm_destroy(vm);
	}
	free(vm);
	config_destroy(&cfg);
	if (rc)
		set(f, FINDING_MISSING, "%s", err);
	else
		set(f, FINDING_OK, "works");
}

static void check_memory(struct finding *f)
{
	const uint64_t comfortable = CONFIG_MEMORY_DEFAULT + 256 * MiB;
	uint64_t bytes = doctor_free_memory();

	if (!bytes) {
		set(f, FINDING_OK, "not known");
		return;
	}
	set(f, bytes < comfortable ? FINDING_HINT : FINDING_OK, "%llu MiB to be had",
	    (unsigned long long)(bytes / MiB));
	if (bytes < comfortable)
		advise(f, "%llu MiB for a guest with the default of %llu MiB; more, or a smaller guest (--memory)",
		       (unsigned long long)(comfortable / MiB), (unsigned long long)(CONFIG_MEMORY_DEFAULT / MiB));
}

static void check_overcommit(struct finding *f)
{
	enum { NEVER = 2 };
	long long mode;

	if (!number_in("/proc/sys/vm/overcommit_memory", &mode) || mode != NEVER) {
		set(f, FINDING_OK, "allowed");
		return;
	}
	set(f, FINDING_HINT, "forbidden (vm.overcommit_memory=2)");
	advise(f, "sysctl vm.overcommit_memory=0: what is only reserved counts as used, some 300 MiB");
}

static void check_mappings(struct finding *f)
{
	enum { USUAL = 65530, PLENTY = 262144 };
	long long n;

	if (!number_in("/proc/sys/vm/max_map_count", &n)) {
		set(f, FINDING_OK, "limit not known");
		return;
	}
	set(f, n < USUAL ? FINDING_HINT : FINDING_OK, "vm.max_map_count=%lld", n);
	if (n < PLENTY)
		advise(f,
		       "sysctl vm.max_map_count=%d: guests with many large processes keep more of them mapped (gnomon "
		       "run --stats: spaces_recycled)",
		       PLENTY);
}

static void check_fsgsbase(struct finding *f)
{
	static const char faster[] =
	    "a processor with FSGSBASE and Linux 5.9 or later (not booted with nofsgsbase) would be faster";

	hostsig_thread_init();
	switch (gsbase_kind()) {
	case GSBASE_KEPT:
		set(f, FINDING_OK, "by instruction (WRGSBASE)");
		return;
	case GSBASE_LOST:
		set(f, FINDING_HINT, "by instruction (WRGSBASE), but what it writes is lost with the processor");
		break;
	case GSBASE_CALL:
		set(f, FINDING_HINT, "by system call");
		break;
	}
	advise(f, "%s", faster);
}

static void check_tsc(struct finding *f)
{
	if (vm_host_tsc_invariant()) {
		set(f, FINDING_OK, "invariant");
		return;
	}
	set(f, FINDING_HINT, "not invariant");
	advise(
	    f,
	    "each of the guest's RDTSC asks the host's clock; hypervisors can show an invariant TSC (CPUID 80000007h)");
}

static void check_processors(struct finding *f)
{
	cpu_set_t set_of;
	int n = sched_getaffinity(0, sizeof(set_of), &set_of) ? 1 : CPU_COUNT(&set_of);

	set(f, n < 2 ? FINDING_HINT : FINDING_OK, "%d", n);
	if (n < 2)
		advise(f, "with two, output to terminal, files and sockets takes no time from the guest");
}

static void check_descriptors(struct finding *f)
{
	enum { ENOUGH = 256 };
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit)) {
		set(f, FINDING_OK, "limit not known");
		return;
	}
	set(f, limit.rlim_cur < ENOUGH ? FINDING_HINT : FINDING_OK, "up to %llu", (unsigned long long)limit.rlim_cur);
	if (limit.rlim_cur < ENOUGH)
		advise(f, "ulimit -n %d", ENOUGH);
}

static void check_faults(struct finding *f)
{
	enum { SLOW_NS = 15000 };
	struct doctor_costs c = doctor_measure();
	bool slow = c.fault + c.map_page > SLOW_NS;

	set(f, slow ? FINDING_HINT : FINDING_OK, "signal %.1f us, mapping a page %.1f us, system call %.2f us",
	    (double)c.fault / 1000, (double)c.map_page / 1000, (double)c.system_call / 1000);
	if (slow)
		advise(f, "a busy machine, or a sandbox that intercepts signals and system calls (gVisor, ptrace): "
			  "systems with paging run slower in it");
}

static void check_perf(struct finding *f)
{
	enum { ANY_USER = 2 };
	long long paranoid;

	if (!number_in("/proc/sys/kernel/perf_event_paranoid", &paranoid)) {
		set(f, FINDING_OK, "no perf events; gnomon's own profiler (--profile) needs none");
	} else if (paranoid <= ANY_USER || !geteuid()) {
		set(f, FINDING_OK, "allowed");
	} else {
		set(f, FINDING_HINT,
		    "not allowed (kernel.perf_event_paranoid=%lld); gnomon's own profiler (--profile) needs none",
		    paranoid);
		advise(f, "sysctl kernel.perf_event_paranoid=2");
	}
}

static void check_kvm(struct finding *f)
{
	if (access("/dev/kvm", R_OK | W_OK)) {
		set(f, FINDING_OK, "no virtualization hardware to be had: what Gnomon is for");
		return;
	}
	set(f, FINDING_HINT, "there is /dev/kvm");
	advise(f,
	       "where it works (a hypervisor around this machine may only show it), monitors that use it are faster");
}

const struct doctor_check doctor_checks[DOCTOR_COUNT] = {
#define DOCTOR(id, name, use) [DOCTOR_##id] = {name, use, check_##id},
#include "doctor.def"
#undef DOCTOR
};
