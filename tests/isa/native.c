/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "native.h"

#include <asm/ldt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/x86.h"
#include "hostsig.h"

enum {
	MIRROR = 0x30000000, /* host address of guest linear address 0 */
	MIRROR_BYTES = 0x400000,
	FX_LOADED = 288, /* FXSAVE image up to XMM7 */
	FX_BYTES = 416,
	FX_PRESENT = 472, /* XSAVE components in a signal's frame, and what is behind that in use */
	FX_HEADER = 512,
	X87_SSE = 3,
	AVX = 4,
	MAX_TICKS = 5,
};

enum phase { IDLE, ENTER, INSIDE };

struct native {
	volatile enum phase phase;
	unsigned ticks;
	struct native_state *state;
	gregset_t saved;
	uint8_t saved_fx[FX_BYTES];
	struct native_segment segments[SEG_COUNT];
	bool is_set[SEG_COUNT];
};

static uint16_t selector(unsigned seg)
{
	return (uint16_t)(seg << 3 | SEL_TI | 3);
}

static bool has_avx(const uint8_t *fx)
{
	return fx[FX_PRESENT] & AVX;
}

/* XSAVE header behind the FXSAVE image: components present. */
static void mark_present(uint8_t *fx)
{
	fx[FX_HEADER] |= X87_SSE | (fx[FX_PRESENT] & AVX);
}

static void enter(struct native *n, ucontext_t *uc)
{
	static const int order[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};
	greg_t *g = uc->uc_mcontext.gregs;
	uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;

	memcpy(n->saved, g, sizeof(gregset_t));
	memcpy(n->saved_fx, fx, FX_BYTES);
	for (unsigned i = 0; i < 8; i++)
		g[order[i]] = n->state->gpr[i];
	g[REG_RIP] = n->state->eip;
	g[REG_EFL] = n->state->eflags | FLAG_1 | FLAG_IF;
	g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffff00000000ll) | selector(SEG_CS) | (greg_t)selector(SEG_GS) << 16 |
			(greg_t)((uint64_t)selector(SEG_SS) << 48);
	memcpy(fx, n->state->fx, FX_LOADED);
	if (has_avx(fx))
		memcpy(fx + NATIVE_YMM, n->state->fx + NATIVE_YMM, NATIVE_YMM_BYTES);
	mark_present(fx);
	n->phase = INSIDE;
}

static void leave(struct native *n, ucontext_t *uc)
{
	static const int order[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};
	greg_t *g = uc->uc_mcontext.gregs;
	uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
	struct native_state *s = n->state;

	for (unsigned i = 0; i < 8; i++)
		s->gpr[i] = (uint32_t)g[order[i]];
	s->eip = (uint32_t)g[REG_RIP];
	s->eflags = (uint32_t)g[REG_EFL];
	s->trap = (int)g[REG_TRAPNO];
	s->error = (uint32_t)g[REG_ERR];
	memcpy(s->fx, fx, FX_LOADED);
	if (has_avx(fx)) { /* this program's own are zeros */
		memcpy(s->fx + NATIVE_YMM, fx + NATIVE_YMM, NATIVE_YMM_BYTES);
		memset(fx + NATIVE_YMM, 0, NATIVE_YMM_BYTES);
	}
	memcpy(g, n->saved, sizeof(gregset_t));
	g[REG_RIP] += 2; /* UD2 */
	memcpy(fx, n->saved_fx, FX_BYTES);
	mark_present(fx);
	n->phase = IDLE;
}

static bool on_signal(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	struct native *n = arg;

	if (n->phase == IDLE)
		return false;
	if (signo == HOSTSIG_KICK) { /* the machine's timer: a loop without end is none of ours to compare */
		if (n->phase == INSIDE && ++n->ticks == MAX_TICKS) {
			leave(n, uc);
			n->state->trap = NATIVE_ENDLESS;
		}
		return false;
	}
	if (n->phase == ENTER)
		enter(n, uc);
	else
		leave(n, uc);
	return true;
}

int native_create(struct native **out)
{
	struct native *n = calloc(1, sizeof(*n));
	struct user_desc probe = {.entry_number = 0, .base_addr = MIRROR, .limit = 0xffff, .contents = 2, .useable = 1};

	*out = NULL;
	if (!n)
		return -ENOMEM;
	if (syscall(SYS_modify_ldt, 1, &probe, sizeof(probe)) != 0 ||
	    mmap((void *)(uintptr_t)MIRROR, MIRROR_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		 -1, 0) == MAP_FAILED) {
		free(n);
		return -ENOSYS;
	}
	hostsig_add(on_signal, n);
	*out = n;
	return 0;
}

void native_destroy(struct native *n)
{
	if (!n)
		return;
	hostsig_remove(on_signal, n);
	munmap((void *)(uintptr_t)MIRROR, MIRROR_BYTES);
	free(n);
}

void native_map(struct native *n, uint32_t base, uint32_t len)
{
	ASSERT(base + len <= MIRROR_BYTES);
	ASSERT(mmap((void *)(uintptr_t)(MIRROR + base), len, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
}

uint8_t *native_memory(struct native *n, uint32_t linear)
{
	return (uint8_t *)(uintptr_t)(MIRROR + linear);
}

void native_set_segment(struct native *n, unsigned seg, const struct native_segment *s)
{
	bool pages = s->limit > 0xfffff;
	struct user_desc d = {.entry_number = seg,
			      .base_addr = MIRROR + s->base,
			      .limit = pages ? s->limit >> 12 : s->limit,
			      .seg_32bit = s->big,
			      .contents = s->code   ? 2
					  : s->down ? 1
						    : 0,
			      .read_exec_only = s->code ? 0 : s->read_only,
			      .limit_in_pages = pages,
			      .useable = 1};

	if (n->is_set[seg] && !memcmp(&n->segments[seg], s, sizeof(*s)))
		return;
	ASSERT(syscall(SYS_modify_ldt, 1, &d, sizeof(d)) == 0);
	n->segments[seg] = *s;
	n->is_set[seg] = true;
}

void native_run(struct native *n, struct native_state *s)
{
	n->state = s;
	n->ticks = 0;
	n->phase = ENTER;
	/* The signal's return loads all but these. */
	__asm__ volatile("movw %w0, %%ds\n\tmovw %w1, %%es\n\tmovw %w2, %%gs\n\tud2\n\t"
			 "movw %w3, %%ds\n\tmovw %w3, %%es\n\tmovw %w3, %%gs"
			 :
			 : "r"(selector(SEG_DS)), "r"(selector(SEG_ES)), "r"(selector(SEG_GS)), "r"(0)
			 : "memory", "cc");
	ASSERT(n->phase == IDLE);
}
