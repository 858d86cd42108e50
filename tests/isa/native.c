/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "native.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bt/gsbase.h"
#include "cpu/x86.h"
#include "hostsig.h"

enum {
	MIRROR = 0x30000000, /* host address of guest linear address 0 */
	MIRROR_BYTES = 0x400000,
	FX_LOADED = 288, /* FXSAVE image up to XMM7 */
	FX_BYTES = 416,
	YMM_LOADED = 128,
	FX_PRESENT = 472, /* XSAVE components in a signal's frame, and what is behind that in use */
	FX_HEADER = 512,
	X87_SSE = 3,
	AVX = 4,
	AVX512 = 0xe0,
	MAX_TICKS = 5,
	MAX_TRIES = 4,
	GUARD = 1 << 20,
};

static const int registers[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

#define USER_TOP 0x7ffffffff000ull

enum phase { IDLE, ENTER, INSIDE };

struct native {
	volatile enum phase phase;
	bool wide; /* 64-bit code */
	unsigned ticks;
	uint64_t
	    refused;	/* RIP of the last signal that may have been the host's own (hostsig_refused_rsp()), and ... */
	unsigned tries; /* ... how often it was tried again */
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

static bool has_avx512(const uint8_t *fx)
{
	return (fx[FX_PRESENT] & AVX512) == AVX512;
}

/* XSAVE header behind the FXSAVE image: components present. */
static void mark_present(uint8_t *fx)
{
	fx[FX_HEADER] |= X87_SSE | (fx[FX_PRESENT] & (AVX | AVX512));
}

/* AVX-512's components in a signal's frame, and here. */
static const struct {
	unsigned number, at, bytes;
} parts[] = {{5, NATIVE_K, 8 * 8}, {6, NATIVE_ZMM, 16 * 32}, {7, NATIVE_HI16, 16 * 64}};

static uint8_t *part_in_frame(uint8_t *fx, unsigned i)
{
	static unsigned offsets[ARRAY_LEN(parts)];
	unsigned eax, ecx, edx;

	if (!offsets[i])
		__cpuid_count(0xd, parts[i].number, eax, offsets[i], ecx, edx);
	return fx + offsets[i];
}

static unsigned fx_loaded(const struct native *n)
{
	return n->wide ? FX_BYTES : FX_LOADED;
}

static unsigned ymm_loaded(const struct native *n)
{
	return n->wide ? NATIVE_YMM_BYTES : YMM_LOADED;
}

static uint64_t native_rsp, native_rip;

/* The way in where a signal's return cannot load RSP. */
__attribute__((naked)) static void load_rsp(void)
{
	__asm__("mov %0, %%rsp\n\t"
		"jmp *%1"
		:
		: "m"(native_rsp), "m"(native_rip));
}

static void enter_by_code(greg_t *g, greg_t host_rsp)
{
	native_rsp = (uint64_t)g[REG_RSP];
	native_rip = (uint64_t)g[REG_RIP];
	g[REG_RSP] = host_rsp;
	g[REG_RIP] = (greg_t)(uintptr_t)load_rsp;
}

static void enter(struct native *n, ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;

	memcpy(n->saved, g, sizeof(gregset_t));
	memcpy(n->saved_fx, fx, FX_BYTES);
	for (unsigned i = 0; i < (n->wide ? 16 : 8); i++)
		g[registers[i]] = (greg_t)n->state->gpr[i];
	g[REG_RIP] = (greg_t)n->state->rip;
	g[REG_EFL] = (greg_t)(n->state->rflags | FLAG_1 | FLAG_IF);
	if (!n->wide)
		g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffff00000000ll) | selector(SEG_CS) |
				(greg_t)selector(SEG_GS) << 16 | (greg_t)((uint64_t)selector(SEG_SS) << 48);
	memcpy(fx, n->state->fx, fx_loaded(n));
	if (has_avx(fx))
		memcpy(fx + NATIVE_YMM, n->state->fx + NATIVE_YMM, ymm_loaded(n));
	for (unsigned i = 0; n->wide && has_avx512(fx) && i < ARRAY_LEN(parts); i++)
		memcpy(part_in_frame(fx, i), n->state->fx + parts[i].at, parts[i].bytes);
	mark_present(fx);
	if (n->wide && hostsig_refuses_rsp(uc))
		enter_by_code(g, n->saved[REG_RSP]);
	n->phase = INSIDE;
}

static void leave(struct native *n, ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs;
	struct native_state *s = n->state;
	uint64_t mask = n->wide ? ~0ull : ~0u;

	for (unsigned i = 0; i < (n->wide ? 16 : 8); i++)
		s->gpr[i] = (uint64_t)g[registers[i]] & mask;
	s->rip = (uint64_t)g[REG_RIP] & mask;
	s->rflags = (uint32_t)g[REG_EFL];
	s->trap = (int)g[REG_TRAPNO];
	s->error = (uint32_t)g[REG_ERR];
	s->cr2 = (uint64_t)g[REG_CR2];
	if (n->wide && s->trap == EXC_PF &&
	    s->cr2 >= USER_TOP) /* the host's kernel does not tell what is mapped there */
		s->error &= ~1u;
	memcpy(s->fx, fx, fx_loaded(n));
	if (has_avx(fx)) { /* this program's own are zeros */
		memcpy(s->fx + NATIVE_YMM, fx + NATIVE_YMM, ymm_loaded(n));
		memset(fx + NATIVE_YMM, 0, ymm_loaded(n));
	}
	for (unsigned i = 0; n->wide && has_avx512(fx) && i < ARRAY_LEN(parts); i++) {
		memcpy(s->fx + parts[i].at, part_in_frame(fx, i), parts[i].bytes);
		memset(part_in_frame(fx, i), 0, parts[i].bytes);
	}
	memcpy(g, n->saved, sizeof(gregset_t));
	g[REG_RIP] += 2; /* UD2 */
	memcpy(fx, n->saved_fx, FX_BYTES);
	mark_present(fx);
	n->phase = IDLE;
}

static bool try_again(struct native *n, uint64_t rip)
{
	n->tries = n->refused == rip ? n->tries + 1 : 0;
	n->refused = rip;
	return n->tries < MAX_TRIES;
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
	if (n->phase == ENTER) {
		enter(n, uc);
	} else if (n->wide && hostsig_refused_rsp(uc) && try_again(n, (uint64_t)uc->uc_mcontext.gregs[REG_RIP])) {
		enter_by_code(uc->uc_mcontext.gregs, n->saved[REG_RSP]);
	} else {
		leave(n, uc);
	}
	return true;
}

bool native_has_segments(void)
{
	struct user_desc probe = {.entry_number = 0, .base_addr = MIRROR, .limit = 0xffff, .contents = 2, .useable = 1};
	bool there;

	if (syscall(SYS_modify_ldt, 1, &probe, sizeof(probe)) != 0)
		return false;
	/* A hypervisor without virtualization hardware may keep the table from the processor. */
	__asm__("verr %w1" : "=@ccz"(there) : "r"(selector(0)));
	return there;
}

int native_create(struct native **out)
{
	struct native *n = calloc(1, sizeof(*n));

	*out = NULL;
	if (!n)
		return -ENOMEM;
	if (mmap((void *)(uintptr_t)MIRROR, MIRROR_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
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
	n->wide = false;
	n->phase = ENTER;
	/* The signal's return loads all but these. */
	__asm__ volatile("movw %w0, %%ds\n\tmovw %w1, %%es\n\tmovw %w2, %%gs\n\tud2\n\t"
			 "movw %w3, %%ds\n\tmovw %w3, %%es\n\tmovw %w3, %%gs"
			 :
			 : "r"(selector(SEG_DS)), "r"(selector(SEG_ES)), "r"(selector(SEG_GS)), "r"(0)
			 : "memory", "cc");
	ASSERT(n->phase == IDLE);
	gsbase_changed();
}

bool native_map64(uint64_t base, uint64_t len)
{
	void *p = mmap((void *)(base - GUARD), len + 2 * GUARD, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return p == (void *)(base - GUARD) && !mprotect((void *)base, len, PROT_READ | PROT_WRITE | PROT_EXEC);
}

void native_run64(struct native *n, struct native_state *s, uint64_t gs_base)
{
	n->state = s;
	n->ticks = 0;
	n->refused = 0;
	n->wide = true;
	ASSERT(syscall(SYS_arch_prctl, ARCH_SET_GS, gs_base) == 0);
	n->phase = ENTER;
	__asm__ volatile("ud2" : : : "memory", "cc");
	ASSERT(n->phase == IDLE);
	ASSERT(syscall(SYS_arch_prctl, ARCH_SET_GS, 0) == 0);
	gsbase_changed();
}
