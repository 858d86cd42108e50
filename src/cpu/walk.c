/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page walker: one loop over a per-mode geometry (SDM vol. 3, 4.3-4.7). */
#include "mem.h"

struct geometry {
	uint8_t levels;
	uint8_t entry_bytes;
	uint8_t index_bits;
};

static const struct geometry geometry_32 = {2, 4, 10};
static const struct geometry geometry_pae = {2, 8, 9}; /* below the PDPTEs, which are registers */
static const struct geometry geometry_4level = {4, 8, 9};
static const struct geometry geometry_5level = {5, 8, 9};

enum { MAX_LEVELS = 5 };

#define PTE_ADDR_64 (BIT(52) - PAGE_SIZE)

struct walk {
	struct cpu *cpu;
	gva_t gva;
	enum access access;
	bool user;
	const struct geometry *g;
	gpa_t at[MAX_LEVELS + 1]; /* where the entry of each level is */
	uint64_t entry[MAX_LEVELS + 1];
};

static bool page_fault(const struct walk *w, uint16_t error, struct x86_fault *f)
{
	const struct cpu *cpu = w->cpu;
	bool nx = (cpu->efer & EFER_NXE) && (cpu->cr4 & CR4_PAE);

	if (w->access & ACC_WRITE)
		error |= PF_W;
	if (w->user)
		error |= PF_U;
	if ((w->access & ACC_EXEC) && (nx || (cpu->cr4 & CR4_SMEP)))
		error |= PF_I;
	*f = (struct x86_fault){.vector = EXC_PF, .has_error = true, .error = error, .address = w->gva};
	return false;
}

static uint64_t read_entry(struct cpu *cpu, gpa_t at, unsigned size)
{
	uint64_t entry = 0, offset;

	if (LIKELY(physmem_ram_offset(cpu->pm, at & cpu->pm->a20_mask, &offset)))
		return load_le(cpu->pm->ram.host + offset, size);
	cpu_phys_read(cpu, at, &entry, size);
	return entry;
}

/* Reserved bits of a present entry; leaf: it maps a page. */
static uint64_t reserved_bits(const struct walk *w, unsigned level, bool leaf)
{
	const struct cpu *cpu = w->cpu;
	uint64_t reserved;

	if (w->g->entry_bytes == 4) /* 4-MiB pages: bits 20:13 are address bits 39:32 (PSE-36), 21 is reserved */
		return leaf && level == 2 ? BIT(21) : 0;
	reserved = PTE_ADDR_64 & ~(BIT(PHYSMEM_BITS) - 1);
	if (w->g == &geometry_pae)
		reserved |= BIT(63) - BIT(52);
	if (!(cpu->efer & EFER_NXE))
		reserved |= PTE_NX;
	if (leaf && level > 1)
		reserved |= (BIT(12 + 9 * (level - 1)) - 1) & ~(BIT(13) - 1);
	if (!leaf && level >= 4)
		reserved |= PTE_PS;
	return reserved;
}

static bool is_leaf(const struct walk *w, unsigned level, uint64_t entry)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_PS) || level > 3)
		return false;
	return w->g->entry_bytes == 8 || (w->cpu->cr4 & CR4_PSE);
}

static gpa_t leaf_address(const struct walk *w, unsigned level, uint64_t entry, uint64_t page_size)
{
	gpa_t base = entry & PTE_ADDR_64 & ~(page_size - 1);

	if (w->g->entry_bytes == 4) {
		base = entry & 0xffffffffull & ~(page_size - 1);
		if (level == 2)
			base |= (entry >> 13 & 0xff) << 32;
	}
	return base | (w->gva & (page_size - 1));
}

static bool check_rights(const struct walk *w, const struct translation *t, struct x86_fault *f)
{
	const struct cpu *cpu = w->cpu;

	if (w->user && !t->user)
		return page_fault(w, PF_P, f);
	if ((w->access & ACC_WRITE) && !t->writable && (w->user || (cpu->cr0 & CR0_WP)))
		return page_fault(w, PF_P, f);
	if (w->access & ACC_EXEC) {
		if (!t->executable)
			return page_fault(w, PF_P, f);
		if (!w->user && t->user && (cpu->cr4 & CR4_SMEP))
			return page_fault(w, PF_P, f);
	} else if (!w->user && t->user && (cpu->cr4 & CR4_SMAP)) {
		/* Implicit supervisor accesses are never exempt (4.6.1). */
		if ((w->access & ACC_SYSTEM) || !(cpu->rflags & FLAG_AC))
			return page_fault(w, PF_P, f);
	}
	return true;
}

/* Sets A in every entry used, and D in the leaf (level `leaf`) on a write. */
static void set_accessed_dirty(struct walk *w, unsigned leaf)
{
	struct cpu_journal *journal = w->cpu->journal;

	/* Not undone and compared by lockstep: a TLB (the shadow) may have set them before. */
	w->cpu->journal = NULL;
	w->cpu->setting_ad = true;
	for (unsigned level = w->g->levels; level >= leaf; level--) {
		uint64_t set = PTE_A;
		if (level == leaf && (w->access & ACC_WRITE))
			set |= PTE_D;
		if ((w->entry[level] & set) == set)
			continue;
		w->entry[level] |= set;
		if (journal && journal->accessed)
			journal->accessed(journal->arg, w->at[level], w->g->entry_bytes);
		cpu_phys_write(w->cpu, w->at[level], &w->entry[level], w->g->entry_bytes);
	}
	w->cpu->setting_ad = false;
	w->cpu->journal = journal;
}

/* Where the walk starts; *level_out its level. False: not present (PAE) . */
static bool walk_root(struct walk *w, gpa_t *table, struct x86_fault *f)
{
	const struct cpu *cpu = w->cpu;

	if (!(cpu->cr4 & CR4_PAE)) {
		w->g = &geometry_32;
		*table = cpu->cr3 & 0xfffff000ull;
	} else if (!cpu_long(cpu)) {
		uint64_t pdpte = cpu->pdpte[w->gva >> 30 & 3];
		w->g = &geometry_pae;
		if (!(pdpte & PTE_P))
			return page_fault(w, 0, f);
		*table = pdpte & PTE_ADDR_64;
	} else {
		w->g = cpu->cr4 & CR4_LA57 ? &geometry_5level : &geometry_4level;
		*table = cpu->cr3 & PTE_ADDR_64;
	}
	return true;
}

bool cpu_walk(struct cpu *cpu, gva_t gva, enum access access, bool user, bool set_ad, struct translation *out,
	      struct x86_fault *f)
{
	struct walk w = {.cpu = cpu, .gva = gva, .access = access, .user = user};
	struct translation t = {.writable = true, .user = true, .executable = true, .accessed = true};
	gpa_t table = 0;

	if (!cpu_paging(cpu)) {
		*out = (struct translation){.gpa = gva,
					    .page_size = 4 * MiB,
					    .writable = true,
					    .user = true,
					    .executable = true,
					    .accessed = true,
					    .dirty = true};
		return true;
	}
	/* Operands and stacks are checked before they come here; this is for code, tables and the TSS. */
	if (cpu_long(cpu) && !cpu_canonical(cpu, gva))
		return x86_raise_error(f, EXC_GP, 0);
	if (!walk_root(&w, &table, f))
		return false;
	for (unsigned level = w.g->levels;; level--) {
		unsigned shift = 12 + w.g->index_bits * (level - 1);
		uint64_t index = gva >> shift & (BIT(w.g->index_bits) - 1);

		w.at[level] = table + index * w.g->entry_bytes;
		uint64_t entry = w.entry[level] = read_entry(cpu, w.at[level], w.g->entry_bytes);
		if (!(entry & PTE_P))
			return page_fault(&w, 0, f);
		bool leaf = is_leaf(&w, level, entry);
		if (entry & reserved_bits(&w, level, leaf))
			return page_fault(&w, PF_P | PF_RSVD, f);
		t.writable &= !!(entry & PTE_W);
		t.user &= !!(entry & PTE_U);
		t.accessed &= set_ad || (entry & PTE_A);
		if (w.g->entry_bytes == 8)
			t.executable &= !(entry & PTE_NX);
		if (!leaf) {
			table = w.g->entry_bytes == 8 ? entry & PTE_ADDR_64 : entry & 0xfffff000ull;
			continue;
		}
		t.page_size = BIT(shift);
		t.gpa = leaf_address(&w, level, entry, t.page_size);
		t.global = entry & PTE_G;
		if (!check_rights(&w, &t, f))
			return false;
		if (set_ad)
			set_accessed_dirty(&w, level);
		t.dirty = w.entry[level] & PTE_D;
		*out = t;
		return true;
	}
}

bool cpu_load_pdptes(struct cpu *cpu, uint64_t cr3, struct x86_fault *f)
{
	uint64_t pdpte[4];
	/* Bits 2:1, 8:5 and above the physical address width are reserved in a present PDPTE (table 4-8). */
	uint64_t reserved = ~(BIT(PHYSMEM_BITS) - 1) | 0x1e6;

	cpu_phys_read(cpu, cr3 & 0xffffffe0ull, pdpte, sizeof(pdpte));
	for (unsigned i = 0; i < 4; i++)
		if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
			return x86_raise_error(f, EXC_GP, 0);
	__builtin_memcpy(cpu->pdpte, pdpte, sizeof(pdpte));
	return true;
}
