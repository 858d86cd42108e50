/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names are kept in chunks, which do not move. */
struct name_chunk {
	struct name_chunk *next;
	size_t used;
	char bytes[64 * 1024];
};

enum {
	NAME_MAX_BYTES = 512,
	LAST_BYTES = 4096, /* how far the last symbol is taken to reach */
	MAX_SYMBOLS = 1 << 22,
};

void symbols_init(struct symbols *s)
{
	*s = (struct symbols){0};
}

void symbols_destroy(struct symbols *s)
{
	while (s->names) {
		struct name_chunk *next = s->names->next;
		free(s->names);
		s->names = next;
	}
	free(s->list);
	symbols_init(s);
}

static const char *keep_name(struct symbols *s, const char *name, size_t len)
{
	char *to;

	if (!s->names || sizeof(s->names->bytes) - s->names->used < len + 1) {
		struct name_chunk *c = malloc(sizeof(*c));
		if (!c)
			return NULL;
		c->next = s->names;
		c->used = 0;
		s->names = c;
	}
	to = s->names->bytes + s->names->used;
	/* Printed and put into pages as they are: what is no part of a name in C or assembly becomes '?'. */
	for (size_t i = 0; i < len; i++)
		to[i] = name[i] > ' ' && name[i] < 0x7f && !strchr("<>&\"'\\", name[i]) ? name[i] : '?';
	to[len] = 0;
	s->names->used += len + 1;
	return to;
}

bool symbols_add(struct symbols *s, uint64_t address, uint64_t size, char type, const char *name, size_t name_len)
{
	struct symbol *list;

	if (!strchr("TtWwVvi", type) || !name_len || !address || s->count == MAX_SYMBOLS)
		return true;
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 1024;
		list = realloc(s->list, s->room * sizeof(*list));
		if (!list)
			return false;
		s->list = list;
	}
	name = keep_name(s, name, MIN(name_len, (size_t)NAME_MAX_BYTES));
	if (!name)
		return false;
	s->list[s->count++] = (struct symbol){address, size, name};
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->size != y->size ? (x->size < y->size ? -1 : 1) : strcmp(x->name, y->name);
}

void symbols_finish(struct symbols *s)
{
	uint64_t next = 0;

	if (s->count)
		qsort(s->list, s->count, sizeof(*s->list), by_address);
	for (size_t i = s->count; i-- > 0;) {
		struct symbol *y = &s->list[i];
		if (i + 1 < s->count && s->list[i + 1].address != y->address)
			next = s->list[i + 1].address;
		if (!y->size)
			y->size = next ? next - y->address : LAST_BYTES;
	}
}

const struct symbol *symbols_at(const struct symbols *s, uint64_t address)
{
	size_t low = 0, high = s->count;

	while (low < high) { /* the first one above */
		size_t mid = (low + high) / 2;
		if (s->list[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	/* Of several at one address, the last is the largest. */
	return low && address - s->list[low - 1].address < s->list[low - 1].size ? &s->list[low - 1] : NULL;
}

/* --- files --- */

static int load_elf(struct symbols *s, int fd)
{
	Elf *elf;
	Elf_Scn *section = NULL;
	int rc = 0;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		rc = -EINVAL;
	while (!rc && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		Elf_Data *data;
		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_SYMTAB || !header.sh_entsize)
			continue;
		data = elf_getdata(section, NULL);
		for (uint64_t i = 0; data && i < header.sh_size / header.sh_entsize && i < MAX_SYMBOLS; i++) {
			GElf_Sym sym;
			const char *name;
			if (!gelf_getsym(data, (int)i, &sym))
				break;
			if (GELF_ST_TYPE(sym.st_info) != STT_FUNC &&
			    (GELF_ST_TYPE(sym.st_info) != STT_NOTYPE || sym.st_shndx >= SHN_LORESERVE))
				continue;
			name = elf_strptr(elf, header.sh_link, sym.st_name);
			if (name && sym.st_shndx != SHN_UNDEF &&
			    !symbols_add(s, sym.st_value, sym.st_size, 'T', name, strlen(name)))
				rc = -ENOMEM;
		}
	}
	if (elf)
		elf_end(elf);
	return rc;
}

static int load_lines(struct symbols *s, FILE *f)
{
	char line[1024];
	unsigned good = 0, bad = 0;

	while (fgets(line, sizeof(line), f)) {
		char type, name[NAME_MAX_BYTES];
		unsigned long long address;
		if (sscanf(line, "%llx %c %511s", &address, &type, name) != 3) {
			if (++bad > 100 && bad > good)
				break;
			continue;
		}
		good++;
		if (!symbols_add(s, address, 0, type, name, strlen(name)))
			return -ENOMEM;
	}
	return ferror(f) ? -EIO : good > bad ? 0 : -EINVAL;
}

int symbols_load(struct symbols *s, const char *path, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	char magic[4] = {0};
	size_t before = s->count;
	int rc;

	if (!f) {
		rc = -errno;
		snprintf(err, errlen, "symbols '%s': %s", path, strerror(-rc));
		return rc;
	}
	rc = fread(magic, 1, sizeof(magic), f) == sizeof(magic) && !memcmp(magic, ELFMAG, SELFMAG);
	rewind(f);
	rc = rc ? load_elf(s, fileno(f)) : load_lines(s, f);
	fclose(f);
	if (rc == -EINVAL)
		snprintf(err, errlen, "symbols '%s': neither an ELF file nor lines of 'ADDRESS TYPE NAME'", path);
	else if (rc)
		snprintf(err, errlen, "symbols '%s': %s", path, strerror(-rc));
	else if (s->count == before)
		snprintf(err, errlen, "symbols '%s': no symbols of code are in it", path);
	return rc ? rc : s->count == before ? -ENODATA : 0;
}
