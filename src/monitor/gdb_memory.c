/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory for the debugger: by the CPU's page tables, but without A and D bits, devices, or faults. */
#include "cpu/mem.h"
#include "gdb_internal.h"
#include "vm.h"

static void no_read(void *arg, gpa_t gpa, void *buf, unsigned len)
{
	__builtin_memset(buf, 0, len);
}

static void no_write(void *arg, gpa_t gpa, const void *buf, unsigned len)
{
}

static void no_note(void *arg, gpa_t gpa, unsigned len)
{
}

/* Either kind of page, whatever SMAP thinks of the one and the U bit of the other. */
bool gdb_translate(struct vm *vm, gva_t at, struct translation *t)
{
	/* Page tables in device memory have no entries for us. */
	struct cpu_journal no_devices = {.write = no_note, .io_read = no_read, .io_write = no_write};
	struct cpu *cpu = &vm->cpu;
	struct x86_fault f;
	bool ok;

	if (!cpu_long(cpu))
		at = (uint32_t)at;
	cpu->journal = &no_devices;
	ok = cpu_walk(cpu, at, ACC_READ, false, false, t, &f) || cpu_walk(cpu, at, ACC_READ, true, false, t, &f);
	cpu->journal = NULL;
	return ok;
}

/* The memory behind a linear address, up to the end of its page. */
static uint8_t *find(struct vm *vm, gva_t at, gpa_t *gpa, size_t *left)
{
	struct translation t;
	uint64_t contiguous;
	uint8_t *host;

	if (!gdb_translate(vm, at, &t))
		return NULL;
	*gpa = t.gpa & vm->pm.a20_mask;
	host = physmem_host(&vm->pm, *gpa, &contiguous);
	*left = (size_t)MIN(contiguous, PAGE_SIZE - (*gpa & PAGE_MASK));
	return host;
}

size_t gdb_read_memory(struct vm *vm, gva_t at, uint8_t *to, size_t len)
{
	size_t done = 0, n;
	gpa_t gpa;

	while (done < len) {
		const uint8_t *host = find(vm, at + done, &gpa, &n);
		if (!host)
			break;
		n = MIN(n, len - done);
		__builtin_memcpy(to + done, host, n);
		done += n;
	}
	return done;
}

static bool writable(struct vm *vm, gva_t at, size_t len)
{
	size_t n;
	gpa_t gpa;

	for (; len; at += n, len -= n) {
		if (!find(vm, at, &gpa, &n) || physmem_span(&vm->pm, gpa)->region->kind != PM_RAM)
			return false;
		n = MIN(n, len);
	}
	return true;
}

bool gdb_write_memory(struct vm *vm, gva_t at, const uint8_t *from, size_t len)
{
	size_t n;
	gpa_t gpa;

	if (!writable(vm, at, len))
		return false;
	for (; len; at += n, from += n, len -= n) {
		/* Found anew each time: what was written may have been a page table. */
		if (!find(vm, at, &gpa, &n))
			return false;
		n = MIN(n, len);
		physmem_write(&vm->pm, gpa, from, n); /* translated code and shadowed tables hear of it */
	}
	return true;
}
