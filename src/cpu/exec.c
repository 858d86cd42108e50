/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "exec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fpu.h"
#include "hostsig.h"
#include "large.h"
#include "masked.h"
#include "mem.h"
#include "reencode.h"
#include "step.h"
#include "sys.h"

enum {
	SLOT_BYTES = 32, /* re-encoded instruction and the jump back */
	SLOTS = 16384,
	CODE_BYTES = SLOTS * SLOT_BYTES,
	BOUNCE_BYTES = 8192,
	DECODED = 4096,
	KNOWN = 4096,
	MAX_TRIES = 4,
};

/* Slots are found by the bytes they hold, so each form of an instruction is written once. */
struct slot_tag {
	uint8_t len;
	uint8_t code[REENCODE_MAX];
};

/* Where an instruction was found last time, by its address: encoding it again takes as long as running it. */
struct known_slot {
	uint8_t bytes[INSN_MAX_BYTES];
	uint8_t len, code_size, align;
	uint32_t slot, written;
};

struct host_exec {
	uint8_t *write;	 /* the slots, writable alias */
	uint8_t *code;	 /* the slots, executable alias; the bounce buffer follows */
	uint8_t *bounce; /* 64-byte aligned */
	struct slot_tag tags[SLOTS];
	uint32_t written[SLOTS]; /* how often */
	struct known_slot known[KNOWN];
	struct insn decoded[DECODED];
	struct decode_cache templates;
	uint64_t flags;
	int vector;	/* of the host exception that ended a slot */
	unsigned tries; /* how often the slot that runs has been begun again */
};

/* What exec_run.S keeps while all registers are the guest's. */
enum { TLS_HOST_RSP, TLS_GPR, TLS_SLOT, TLS_SCRATCH, TLS_RETURN, TLS_FLAGS, TLS_SLOT_RSP, TLS_WORDS };
__thread uint64_t exec_tls[TLS_WORDS] __attribute__((tls_model("local-exec")));

int exec_run(uint64_t *gpr, void *slot, uint64_t *flags);
extern const char exec_load[], exec_return[], exec_returned[], exec_abort[];

int exec_create(struct host_exec **out, bool large)
{
	struct host_exec *x = large_alloc(sizeof(*x), large);
	int err = 0;
	int fd = memfd_create("gnomon-step", MFD_CLOEXEC);

	*out = NULL;
	if (!x || fd < 0 || ftruncate(fd, CODE_BYTES) < 0) {
		err = x ? -errno : -ENOMEM;
		goto fail;
	}
	x->write = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	x->code = mmap(NULL, CODE_BYTES + BOUNCE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (x->write == MAP_FAILED || x->code == MAP_FAILED ||
	    mmap(x->code, CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
		err = -errno;
		goto fail;
	}
	close(fd);
	x->bounce = x->code + CODE_BYTES;
	*out = x;
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	if (x)
		munmap(x, sizeof(*x));
	return err;
}

void exec_count_memory(const struct host_exec *x, struct memory_use *u)
{
	memory_count(u, MEMORY_decoder, x, sizeof(*x));
	memory_count_shared(u, MEMORY_decoder, x->write, CODE_BYTES);
}

void exec_destroy(struct host_exec *x)
{
	if (!x)
		return;
	munmap(x->write, CODE_BYTES);
	munmap(x->code, CODE_BYTES + BOUNCE_BYTES);
	munmap(x, sizeof(*x));
}

static bool in_slots(const struct host_exec *x, uint64_t pc)
{
	return pc >= (uintptr_t)x->code && pc < (uintptr_t)x->code + CODE_BYTES;
}

static void go(ucontext_t *uc, const char *label)
{
	uc->uc_mcontext.gregs[REG_RSP] = (greg_t)exec_tls[TLS_HOST_RSP];
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)label;
	uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)(FLAG_TF | FLAG_AC);
}

/* The host has not come back from an interrupt, because of the guest's RSP: begin again, or go on behind what is done.
 * A slot's own exception is taken for that a few times. */
static bool rsp_refused(struct host_exec *x, ucontext_t *uc)
{
	uint64_t pc = (uint64_t)uc->uc_mcontext.gregs[REG_RIP], slot = exec_tls[TLS_SLOT];

	if (!hostsig_refused_rsp(uc))
		return false;
	if ((pc > (uintptr_t)exec_load && pc < (uintptr_t)exec_return) || (pc == slot && x->tries < MAX_TRIES)) {
		x->tries += pc == slot;
		uc->uc_mcontext.gregs[REG_RDI] = (greg_t)exec_tls[TLS_GPR];
		go(uc, exec_load);
		return true;
	}
	if ((pc < (uintptr_t)exec_return || pc >= (uintptr_t)exec_returned) && (!in_slots(x, pc) || pc == slot))
		return false;
	exec_tls[TLS_SLOT_RSP] = (uint64_t)uc->uc_mcontext.gregs[REG_RSP];
	go(uc, exec_returned);
	return true;
}

/* A host exception in a slot is the guest's: note the vector and leave the slot. */
static bool on_signal(void *arg, int signo, siginfo_t *info, ucontext_t *uc)
{
	struct host_exec *x = arg;

	if (signo == HOSTSIG_KICK)
		return false;
	if (rsp_refused(x, uc))
		return true;
	if (!in_slots(x, (uint64_t)uc->uc_mcontext.gregs[REG_RIP]))
		return false;
	x->vector = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
	go(uc, exec_abort);
	return true;
}

void exec_attach(struct host_exec *x)
{
	hostsig_add(on_signal, x);
}

void exec_detach(struct host_exec *x)
{
	hostsig_remove(on_signal, x);
}

struct insn *exec_decode_cache(struct host_exec *x, gva_t linear)
{
	return &x->decoded[linear % DECODED];
}

struct decode_cache *exec_templates(struct host_exec *x)
{
	return &x->templates;
}

/* Jump back through thread-local storage: jmp *%fs:disp32. */
static void put_return(uint8_t *at)
{
	static const uint8_t jmp_fs[4] = {0x64, 0xff, 0x24, 0x25};
	int32_t disp = (int32_t)((uintptr_t)&exec_tls[TLS_RETURN] - (uintptr_t)__builtin_thread_pointer());

	memcpy(at, jmp_fs, 4);
	memcpy(at + 4, &disp, 4);
}

/*
 * The slot for an instruction whose operand is at `bounce + align`: writes it if it is not there. NULL if there is no
 * encoding. The tag holds the code with the displacement from a fixed place, so that it does not depend on the slot.
 */
static uint8_t *make_slot(struct host_exec *x, const struct insn *in, unsigned align)
{
	struct reencoding how = {
	    .mem = in->has_mem ? HOST_MEM_RIP : HOST_MEM_NONE, .esp_home = RSP, .disp = (int32_t)align};
	struct slot_tag tag = {0};
	uint64_t hash = 0;

	tag.len = (uint8_t)insn_reencode(in, &how, tag.code);
	if (!tag.len)
		return NULL;
	for (unsigned i = 0; i < tag.len; i++)
		hash = (hash ^ tag.code[i]) * 0x100000001b3ull;
	unsigned n = (unsigned)(hash ^ hash >> 29) % SLOTS;
	uint8_t *code = x->code + n * SLOT_BYTES;
	if (!memcmp(&x->tags[n], &tag, sizeof(tag)))
		return code;

	uint8_t *to = x->write + n * SLOT_BYTES;
	how.disp = (int32_t)(x->bounce + align - (code + tag.len));
	insn_reencode(in, &how, to);
	put_return(to + tag.len);
	x->tags[n] = tag;
	x->written[n]++;
	return code;
}

static uint8_t *find_slot(struct host_exec *x, const struct insn *in, unsigned align, uint64_t rip)
{
	struct known_slot *k = &x->known[(rip ^ align) % KNOWN];
	uint8_t *code;

	if (k->len == in->len && k->align == align && k->code_size == in->code_size &&
	    k->written == x->written[k->slot] && !memcmp(k->bytes, in->bytes, in->len))
		return x->code + k->slot * SLOT_BYTES;
	code = make_slot(x, in, align);
	if (!code)
		return NULL;
	k->slot = (uint32_t)(code - x->code) / SLOT_BYTES;
	k->written = x->written[k->slot];
	k->len = in->len;
	k->align = (uint8_t)align;
	k->code_size = in->code_size;
	memcpy(k->bytes, in->bytes, in->len);
	return code;
}

static bool uses_fpu(const struct insn *in)
{
	return insn_rows[in->id].checks & (CHK_FPU | CHK_MMX | CHK_SSE | CHK_AVX | CHK_AVX512 | CHK_FWAIT);
}

void exec_fix_fop(struct cpu *cpu, const struct insn *in, uint8_t host_modrm)
{
	unsigned fop = (unsigned)load_le(&cpu->fpu.image[FX_FOP], 2);
	unsigned high = (in->bytes[in->opcode_off] & 7u) << 8;

	if (in->has_mem && fop == (high | host_modrm))
		store_le(&cpu->fpu.image[FX_FOP], 2, high | in->modrm);
}

/* The x87 instruction and data pointers must name guest addresses (vol. 1, 8.1.8). `before`: those from before the
 * instruction. */
static void fix_fpu_pointers(struct cpu *cpu, const struct insn *in, const uint8_t *slot, uint64_t offset,
			     const struct fpu_pointers *before, bool whole)
{
	struct host_exec *x = cpu->exec;
	uint64_t mask = whole ? UINT64_MAX : UINT32_MAX;
	uint64_t fip = load_le(&cpu->fpu.image[FX_FIP], 8);
	uint64_t fdp = load_le(&cpu->fpu.image[FX_FDP], 8);

	fpu_forget_bases(cpu, before);
	if (fip == ((uintptr_t)slot & mask)) {
		store_le(&cpu->fpu.image[FX_FIP], 8, cpu->rip);
		cpu->fip_base = (uint32_t)cpu->seg[SEG_CS].base;
		exec_fix_fop(cpu, in, (in->modrm & 0x38) | 5); /* HOST_MEM_RIP */
	}
	if (in->has_mem && ((fdp - (uintptr_t)x->bounce) & mask) < BOUNCE_BYTES) {
		store_le(&cpu->fpu.image[FX_FDP], 8, offset);
		cpu->fdp_base = (uint32_t)cpu->seg[in->seg].base;
	}
}

/* The guest exception for a host one. True: nothing to raise (FERR# asserted, the instruction is retried). */
static bool host_exception(struct cpu *cpu, struct x86_fault *f)
{
	switch (cpu->exec->vector) {
	case EXC_DE:
		return x86_raise(f, EXC_DE);
	case EXC_MF:
		if (cpu->cr0 & CR0_NE)
			return x86_raise(f, EXC_MF);
		/* The CPU waits for the interrupt that FERR# raises through the board (vol. 1, 8.7.2). */
		cpu->ops->ferr(cpu->machine, true);
		cpu->next_rip = cpu->rip;
		return true;
	case EXC_XM:
		return x86_raise(f, cpu->cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
	case EXC_UD:
		return x86_raise(f, EXC_UD);
	default: /* alignment of SSE operands, reserved MXCSR bits, ... */
		return x86_raise_error(f, EXC_GP, 0);
	}
}

static bool run(struct cpu *cpu, const struct insn *in, uint8_t *slot, uint64_t offset, struct x86_fault *f)
{
	struct host_exec *x = cpu->exec;
	bool fpu = uses_fpu(in), legacy = !(insn_rows[in->id].checks & (CHK_AVX | CHK_AVX512));
	enum fpu_width width = legacy ? FPU_XMM : fpu_width(cpu); /* legacy SSE leaves upper parts alone */
	const uint64_t live = FLAGS_ARITH | FLAG_DF;
	struct fpu_pointers loaded;

	exec_tls[TLS_RETURN] = (uintptr_t)exec_return;
	x->flags = (cpu->rflags & live) | FLAG_1 | FLAG_IF;
	if (fpu)
		fpu_load(cpu, &loaded, width);
	x->tries = 0;
	int failed = exec_run(cpu->gpr, slot, &x->flags);
	if (fpu) {
		bool whole = fpu_save(cpu, &loaded, width);
		fix_fpu_pointers(cpu, in, slot, offset, &loaded, whole);
	}
	if (failed)
		return host_exception(cpu, f);
	cpu->rflags = (cpu->rflags & ~live) | (x->flags & live);
	return true;
}

/* Instructions that leave parts of a large save area as they are need them in the bounce buffer. */
enum { STATE_AREA_MIN = 64, FXSAVE_BYTES = 512 };

enum { X87_EXCEPTIONS = 0x3f, X87_PRECISION = 0x20, X87_IMAGE = 160 };

/* Does the x87 store look for exceptions first? An unmasked one but #P keeps it from being made (vol. 1, 8.5.1
 * to 8.5.6): memory is not even asked. */
static bool may_not_store(const struct cpu *cpu, const struct insn *in)
{
	switch (in->id) {
	case INSN_FST:
	case INSN_FSTP:
	case INSN_FIST:
	case INSN_FISTP:
	case INSN_FISTTP:
	case INSN_FBSTP:
		return in->has_mem && (~cpu->fpu.image[0] & X87_EXCEPTIONS);
	}
	return false;
}

static bool was_not_stored(const struct cpu *cpu)
{
	return cpu->fpu.image[2] & ~cpu->fpu.image[0] & X87_EXCEPTIONS & ~X87_PRECISION;
}

static bool run_x87_store(struct cpu *cpu, const struct insn *in, uint8_t *slot, uint64_t offset, struct x86_fault *f)
{
	uint8_t before[X87_IMAGE];

	memcpy(before, cpu->fpu.image, sizeof(before));
	if (!run(cpu, in, slot, offset, f))
		return false;
	if (cpu->next_rip == cpu->rip || was_not_stored(cpu) ||
	    cpu_write_bytes(cpu, in->seg, offset, in->mem_size, cpu->exec->bounce, f))
		return true;
	memcpy(cpu->fpu.image, before, sizeof(before));
	return false;
}

static bool fetch_operand(struct cpu *cpu, const struct insn *in, uint64_t offset, uint8_t *bounce, struct x86_fault *f)
{
	if (in->mask.kind)
		return masked_fetch(cpu, in, offset, bounce, f);
	if (in->mem_write && !cpu_probe_write(cpu, in->seg, offset, in->mem_size, f))
		return false;
	if (in->mem_read || (in->mem_write && in->mem_size > STATE_AREA_MIN))
		return cpu_read_bytes(cpu, in->seg, offset, in->mem_size, bounce, f);
	return true;
}

/* Outside 64-bit mode FXSAVE leaves all behind XMM7 as it is (volume 1, 10.5.1). */
static unsigned stored_bytes(const struct insn *in)
{
	enum { FXSAVE_TO_XMM7 = 288 };

	return in->id == INSN_FXSAVE && in->code_size != 8 ? FXSAVE_TO_XMM7 : in->mem_size;
}

/* FNSTENV and its like in real-address and V86 mode, whose format the host has not run it in. `before`: the pointers
 * that it has stored. */
static void fix_environment(struct cpu *cpu, const struct insn *in, uint8_t *image, const struct fpu_pointers *before)
{
	struct fpu_pointers loaded;

	switch (in->id) {
	case INSN_FNSTENV:
	case INSN_FNSAVE:
		fpu_image_to_real(image, in->mem_size, before);
		break;
	case INSN_FLDENV:
	case INSN_FRSTOR:
		loaded = fpu_image_pointers(image, in->mem_size);
		fpu_set_linear_pointers(cpu, &loaded);
		break;
	}
}

static gva_t operand_linear(const struct cpu *cpu, unsigned seg, uint64_t offset)
{
	bool based = !cpu_code64(cpu) || seg == SEG_FS || seg == SEG_GS;
	return offset + (based ? cpu->seg[seg].base : 0);
}

/*
 * An operand whose page faults: if the instruction wants it aligned and it is not, that is #GP, which comes first
 * (vol. 3, 6.9). Which instructions do, the host knows: this one is tried on the bounce buffer, and nothing is kept.
 */
static void alignment_first(struct cpu *cpu, const struct insn *in, uint8_t *slot, unsigned align, struct x86_fault *f)
{
	unsigned wanted = in->mem_size == 32 || in->mem_size == 64 ? in->mem_size : 16;
	bool x87 = (insn_rows[in->id].checks & CHK_FPU) && in->mem_size < FXSAVE_BYTES; /* never aligned */
	uint32_t fip_base = cpu->fip_base, fdp_base = cpu->fdp_base;
	uint64_t gpr[ARRAY_LEN(cpu->gpr)], rflags = cpu->rflags;
	struct fpu_state fpu = cpu->fpu;
	struct x86_fault tried;

	if (f->vector != EXC_PF || align % wanted == 0 || x87)
		return;
	memcpy(gpr, cpu->gpr, sizeof(gpr));
	if (!run(cpu, in, slot, 0, &tried) && tried.vector == EXC_GP)
		*f = tried;
	memcpy(cpu->gpr, gpr, sizeof(gpr));
	cpu->fpu = fpu;
	cpu->fip_base = fip_base;
	cpu->fdp_base = fdp_base;
	cpu->rflags = rflags;
}

bool exec_insn(struct cpu *cpu, const struct insn *in, struct x86_fault *f)
{
	struct host_exec *x = cpu->exec;
	uint64_t offset = 0;
	unsigned align = 0;

	if (uses_fpu(in))
		cpu_fpu_sync(cpu);
	if (in->has_mem) {
		offset = insn_ea(cpu, in);
		if (in->agen) { /* LEA */
			gpr_write(cpu, in->op[0].reg, in->op[0].size, offset);
			return true;
		}
		if (in->mem_size > BOUNCE_BYTES - 64 || in->vsib)
			return x86_raise(f, EXC_UD);
		if (in->mem_size >= 16) /* alignment checks of SSE see the guest's alignment */
			align = (unsigned)operand_linear(cpu, in->seg, offset) & 63;
	}
	uint8_t *slot = find_slot(x, in, align, cpu->rip);
	if (!slot)
		return x86_raise(f, EXC_UD);
	struct fpu_pointers before = fpu_linear_pointers(cpu);
	if (may_not_store(cpu, in))
		return run_x87_store(cpu, in, slot, offset, f);
	if (in->has_mem && !fetch_operand(cpu, in, offset, x->bounce + align, f)) {
		alignment_first(cpu, in, slot, align, f);
		return false;
	}
	if (!run(cpu, in, slot, offset, f))
		return false;
	if (cpu->next_rip == cpu->rip) /* FERR#: it has not been executed */
		return true;
	if (cpu_real_segments(cpu))
		fix_environment(cpu, in, x->bounce + align, &before);
	if (in->mem_write && in->mask.kind)
		return masked_store(cpu, in, offset, x->bounce + align, f);
	if (in->mem_write)
		return cpu_write_bytes(cpu, in->seg, offset, stored_bytes(in), x->bounce + align, f);
	return true;
}
