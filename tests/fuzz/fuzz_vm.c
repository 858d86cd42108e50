/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random guest code on the whole board, with its real devices, interrupts and real time: the VM ends when it is told
 * to, and lockstep finds no difference. Time makes a run not quite reproducible.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cpu/seg.h"
#include "fuzz_board.h"

enum { CODE = 0x8000, CODE_BYTES = 0x1000, HANDLER = 0x7000, TABLES = 0x1000, RUN_MS = 40, ENDED = 55 };

static void put(struct board_fuzz *f, gpa_t at, const void *bytes, unsigned len)
{
	physmem_write(&f->vm->pm, at, bytes, len);
}

/* IN and OUT at ports where there are devices, and stores to device windows, between random instructions. */
static unsigned device_access(struct rng *r, uint8_t *out, unsigned size)
{
	static const uint16_t ports[] = {
	    0x20,  0x21,  0xa0,	 0xa1,	0x40,  0x42,  0x43,  0x60,  0x64,  0x61,  0x70,	  0x71,	 0x92,	0x00,  0x08,
	    0x0b,  0x80,  0x1f0, 0x1f2, 0x1f6, 0x1f7, 0x170, 0x177, 0x3c0, 0x3c4, 0x3c5,  0x3ce, 0x3cf, 0x3d4, 0x3d5,
	    0x3da, 0x3f2, 0x3f4, 0x3f5, 0x3f8, 0x3f9, 0x3fd, 0x510, 0x511, 0x514, 0x518,  0xcf8, 0xcfc, 0x1ce, 0x1cf,
	    0x600, 0x604, 0xb2,	 0x4d0, 0xcf9, 0x402, 0xe0,  0xe4,  0xe4,  0xe9,  0x2001, 0x2010};
	uint16_t port = rng_percent(r, 90) ? RNG_PICK(r, ports) : (uint16_t)rng_u32(r);
	unsigned n = 0;

	out[n++] = 0xb8; /* mov eax */
	store_le(out + n, size, rng_percent(r, 50) ? rng_below(r, 256) : rng_u32(r));
	n += size;
	if (rng_percent(r, 25)) { /* mov [window], eax */
		static const uint32_t windows[] = {0xa0000,    0xb8000, 0xfee00000, 0xfec00000, 0xfed00000,
						   0xe0000000, 0xc0000, 0xf0000,    0xff000000};
		out[n++] = size == 4 ? 0xa3 : 0x67;
		if (size == 2)
			out[n++] = 0xa3;
		store_le(out + n, 4, RNG_PICK(r, windows) + rng_below(r, 0x400));
		return n + 4;
	}
	out[n++] = 0xba;
	store_le(out + n, size, port);
	n += size;
	if (rng_percent(r, 40))
		out[n++] = size == 2 ? 0x90 : 0x66;
	out[n++] = 0xec + rng_below(r, 4);
	return n;
}

static void put_code(struct board_fuzz *f, unsigned size)
{
	uint8_t code[CODE_BYTES + 64];
	unsigned n = 0;

	while (n + 128 < CODE_BYTES) {
		unsigned len = 80 + rng_below(&f->r, 40);
		if (rng_percent(&f->r, 70)) {
			n += device_access(&f->r, code + n, size);
			continue;
		}
		/* The generator leaves room at its end, filled with HLT: of no use here. */
		fuzz_code(&f->r, code + n, len, size, CODE + n, CODE + n);
		n += len - 64;
	}
	code[n++] = 0xe9; /* again */
	store_le(code + n, size, (uint64_t)0 - n - size);
	put(f, CODE, code, n + size);
}

/* Handlers that skip a byte and acknowledge interrupts; for 32-bit code without looking for error codes, which makes it
 * wilder. */
static void put_handlers(struct board_fuzz *f, unsigned size)
{
	static const uint8_t handler16[] = {0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0x55,
					    0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf};
	static const uint8_t handler32[] = {0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xff, 0x04, 0x24, 0xcf};
	static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};

	put(f, TABLES, gdt, sizeof(gdt));
	put(f, HANDLER, size == 2 ? handler16 : handler32, size == 2 ? sizeof(handler16) : sizeof(handler32));
	for (unsigned v = 0; v < 256; v++) {
		uint64_t gate = 0x00008e0000080000ull | HANDLER;
		uint32_t vector = HANDLER;
		put(f, TABLES + 0x100 + 8 * v, &gate, 8);
		put(f, 4 * v, &vector, 4);
	}
}

static void start_state(struct board_fuzz *f, unsigned size)
{
	struct cpu *cpu = &f->vm->cpu;

	for (unsigned i = 0; i < 8; i++)
		cpu->gpr[i] = rng_percent(&f->r, 50) ? rng_below(&f->r, 0x20000) : rng_u32(&f->r);
	cpu->gpr[RSP] = 0x6f00;
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		cpu_set_real_segment(cpu, i, 0);
		if (size == 4)
			cpu_segment_from_descriptor(&cpu->seg[i], i == SEG_CS ? 8 : 16,
						    i == SEG_CS ? 0x00cf9b000000ffff : 0x00cf93000000ffff);
	}
	if (size == 4) {
		cpu->cr0 |= CR0_PE;
		cpu->gdtr = (struct dtable){.base = TABLES, .limit = 23};
		cpu->idtr = (struct dtable){.base = TABLES + 0x100, .limit = 0x7ff};
	}
	cpu->rflags = FLAG_1 | (rng_percent(&f->r, 70) ? FLAG_IF : 0);
	cpu->rip = cpu->next_rip = CODE;
}

static void *end_soon(void *arg)
{
	nanosleep(&(struct timespec){.tv_nsec = RUN_MS * (long)NS_PER_MS}, NULL);
	vm_exit(arg, ENDED);
	return NULL;
}

static bool run_case(uint64_t seed, const char *variant)
{
	struct board_fuzz f;
	pthread_t thread;
	unsigned size;
	int status;

	board_fuzz_init(&f, seed, false);
	f.cfg.engine = !strcmp(variant, "step") ? ENGINE_STEP : ENGINE_BT;
	f.cfg.lockstep = !strcmp(variant, "lockstep");
	f.cfg.audit = rng_percent(&f.r, 20);
	f.vm->engine = vm_find_engine(&f.cfg);
	size = rng_percent(&f.r, 50) ? 2 : 4;
	put_code(&f, size);
	put_handlers(&f, size);
	start_state(&f, size);
	if (pthread_create(&thread, NULL, end_soon, f.vm)) {
		perror("thread");
		return false;
	}
	status = vm_run(f.vm);
	pthread_join(thread, NULL);
	board_fuzz_destroy(&f);
	/* 0: the guest has powered the machine off. */
	if (status == ENDED || status == 0)
		return true;
	fprintf(stderr, "the VM ended with status %d\n", status);
	return false;
}

int main(int argc, char **argv)
{
	static const char *const variants[] = {"step", "bt", "lockstep", NULL};

	return fuzz_main(
	    argc, argv, &(struct fuzzer){.name = "fuzz_vm", .variants = variants, .run = run_case, .case_seconds = 30});
}
