/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ELF kernels, 32-bit and 64-bit, by libelf. Whatever their class, they are entered in 32-bit protected mode. */
#include "loader.h"

#include <gelf.h>
#include <libelf.h>
#include <string.h>

bool loader_elf_is(const struct loader_blob *kernel)
{
	return kernel->len >= SELFMAG && !memcmp(kernel->data, ELFMAG, SELFMAG);
}

static Elf *open_elf(const struct loader_blob *k, GElf_Ehdr *header)
{
	Elf *elf;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return NULL;
	elf = elf_memory((char *)k->data, k->len);
	if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, header))
		return elf;
	elf_end(elf);
	return NULL;
}

static int check_header(struct loader *l, const GElf_Ehdr *h)
{
	unsigned machine = h->e_ident[EI_CLASS] == ELFCLASS64 ? EM_X86_64 : EM_386;

	if (h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != machine)
		return loader_wrong(l, "is an ELF file for another processor (machine %u)", h->e_machine);
	if (h->e_type != ET_EXEC)
		return loader_wrong(l, "is an ELF file of type %u; an executable (%u) is expected", h->e_type, ET_EXEC);
	return 0;
}

static int add_segments(struct loader *l, Elf *elf, const GElf_Ehdr *h)
{
	uint64_t entry = h->e_entry;
	bool there = false;
	size_t count;
	GElf_Phdr p;

	/* libelf takes as many as the file holds; we insist on all. */
	if (elf_getphdrnum(elf, &count) || (h->e_phnum != PN_XNUM && count != h->e_phnum))
		return loader_wrong(l, "its ELF program headers are damaged or truncated");
	for (size_t i = 0; i < count; i++) {
		int rc;

		if (!gelf_getphdr(elf, (int)i, &p))
			return loader_wrong(l, "its ELF program headers are damaged or truncated");
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		if (p.p_filesz > p.p_memsz)
			return loader_wrong(l, "ELF segment %zu is larger in the file than in memory", i);
		rc = loader_add(l, LOADER_KERNEL, p.p_paddr, p.p_offset, p.p_filesz, p.p_memsz - p.p_filesz);
		if (rc)
			return rc;
		/* An entry point in linear addresses means the physical one: nothing is paged yet. */
		if (!there && h->e_entry >= p.p_vaddr && h->e_entry - p.p_vaddr < p.p_memsz) {
			entry = h->e_entry - p.p_vaddr + p.p_paddr;
			there = true;
		}
	}
	if (!l->nsegments)
		return loader_wrong(l, "has no ELF segment to load");
	for (unsigned i = 0; i < l->nsegments && !there; i++)
		there = entry >= l->segment[i].address &&
			entry - l->segment[i].address < (uint64_t)l->segment[i].len + l->segment[i].zero;
	if (!there)
		return loader_wrong(l, "its entry point 0x%llx is in no segment", (unsigned long long)entry);
	l->entry = (uint32_t)entry;
	return 0;
}

int loader_elf_segments(struct loader *l)
{
	GElf_Ehdr header;
	Elf *elf = open_elf(&l->item[LOADER_KERNEL], &header);
	int rc;

	if (!elf)
		return loader_wrong(l, "its ELF header is damaged or truncated");
	rc = check_header(l, &header);
	if (!rc)
		rc = add_segments(l, elf, &header);
	elf_end(elf);
	return rc;
}

/* --- symbols --- */

static void put_section(const GElf_Ehdr *h, uint8_t *to, size_t i, const GElf_Shdr *s)
{
	Elf32_Shdr s32 = {.sh_name = s->sh_name,
			  .sh_type = s->sh_type,
			  .sh_flags = (Elf32_Word)s->sh_flags,
			  .sh_addr = (Elf32_Addr)s->sh_addr,
			  .sh_offset = (Elf32_Off)s->sh_offset,
			  .sh_size = (Elf32_Word)s->sh_size,
			  .sh_link = s->sh_link,
			  .sh_info = s->sh_info,
			  .sh_addralign = (Elf32_Word)s->sh_addralign,
			  .sh_entsize = (Elf32_Word)s->sh_entsize};

	if (h->e_ident[EI_CLASS] == ELFCLASS64)
		memcpy(to + i * sizeof(*s), s, sizeof(*s)); /* GElf is the 64-bit form */
	else
		memcpy(to + i * sizeof(s32), &s32, sizeof(s32));
}

/* Symbol and string tables are not in any segment: they go behind the kernel, where there is room. */
static void load_table(struct loader *l, GElf_Shdr *s)
{
	uint32_t file_len = l->item[LOADER_KERNEL].len, address;

	if ((s->sh_type != SHT_SYMTAB && s->sh_type != SHT_STRTAB) || s->sh_flags & SHF_ALLOC || !s->sh_size)
		return;
	if (s->sh_offset > file_len || s->sh_size > file_len - s->sh_offset)
		return;
	if (!loader_add_behind(l, LOADER_KERNEL, (uint32_t)s->sh_offset, (uint32_t)s->sh_size, 16, &address))
		s->sh_addr = address;
}

static int add_sections(struct loader *l, Elf *elf, const GElf_Ehdr *h, uint32_t info[4])
{
	size_t each = h->e_ident[EI_CLASS] == ELFCLASS64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr), count, names;
	uint32_t address;
	int rc;

	/* libelf has checked the count against the file's length. */
	if (elf_getshdrnum(elf, &count) || elf_getshdrstrndx(elf, &names) || !count ||
	    count > l->item[LOADER_KERNEL].len / each)
		return 0;
	rc = loader_make_item(l, LOADER_SYMBOLS, (uint32_t)(count * each));
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		GElf_Shdr s;
		if (!gelf_getshdr(elf_getscn(elf, i), &s))
			return 0;
		load_table(l, &s);
		put_section(h, l->item[LOADER_SYMBOLS].data, i, &s);
	}
	if (loader_add_behind(l, LOADER_SYMBOLS, 0, (uint32_t)(count * each), 16, &address))
		return 0;
	info[0] = (uint32_t)count;
	info[1] = (uint32_t)each;
	info[2] = address;
	info[3] = (uint32_t)names;
	return 0;
}

int loader_elf_symbols(struct loader *l, uint32_t info[4])
{
	GElf_Ehdr header;
	Elf *elf = l->kind == LOADER_ELF ? open_elf(&l->item[LOADER_KERNEL], &header) : NULL;
	int rc;

	memset(info, 0, 4 * sizeof(*info));
	if (!elf)
		return 0;
	rc = add_sections(l, elf, &header, info);
	elf_end(elf);
	return rc;
}
