/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loader_fixture.h"

#include <elf.h>

enum { MAGIC = 0x1badb002, LOW = 0x8000 };

/* --- flat files with addresses in the header --- */

struct header {
	uint32_t magic, flags, checksum, header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

enum { HEADER_AT = 64, FLAT_LEN = 10000 };

static const struct header good = {MAGIC,    0x10003,	    0, 0x200000 + HEADER_AT, 0x200000, 0x200000 + FLAT_LEN,
				   0x300000, 0x200000 + 200};

static void load_flat_at(struct fixture *f, struct header h, uint32_t at, size_t len, uint64_t ram)
{
	uint8_t k[FLAT_LEN];

	memset(k, 0x33, sizeof(k));
	if (!h.checksum)
		h.checksum = -(h.magic + h.flags);
	memcpy(k + at, &h, sizeof(h));
	load(f, k, len, ram, "a b");
}

static void load_flat(struct fixture *f, struct header h)
{
	load_flat_at(f, h, HEADER_AT, FLAT_LEN, 64 * MiB);
}

START_TEST(flat)
{
	struct fixture f;

	load_flat(&f, good);
	accepts(&f);
	ck_assert_int_eq(f.l.kind, LOADER_MULTIBOOT);
	ck_assert_uint_eq(f.l.entry, good.entry_addr);
	ck_assert_uint_eq(memory_at(&f.l, 0x200000), 0x33);
	ck_assert_uint_eq(u32_at(&f.l, 0x200000 + HEADER_AT), MAGIC);
	ck_assert_uint_eq(memory_at(&f.l, 0x200000 + FLAT_LEN - 1), 0x33);
	ck_assert_uint_eq(memory_at(&f.l, 0x200000 + FLAT_LEN), 0);
	ck_assert_uint_eq(memory_at(&f.l, 0x2fffff), 0);
	ck_assert_ptr_null(segment_at(&f.l, 0x300000));
	loader_destroy(&f.l);
}
END_TEST

/* load_end_addr 0: the whole file; bss_end_addr 0: none. What lies before load_addr in the file is not loaded. */
START_TEST(flat_without_ends)
{
	struct header h = good;
	struct fixture f;

	h.load_end_addr = h.bss_end_addr = 0;
	h.load_addr = h.header_addr - 16;
	load_flat(&f, h);
	accepts(&f);
	ck_assert_ptr_null(segment_at(&f.l, h.load_addr - 1));
	ck_assert_uint_eq(u32_at(&f.l, h.header_addr), MAGIC);
	ck_assert_uint_eq(memory_at(&f.l, 0x200000 + FLAT_LEN - 1), 0x33);
	ck_assert_ptr_null(segment_at(&f.l, 0x200000 + FLAT_LEN));
	loader_destroy(&f.l);
}
END_TEST

/* Each row changes one field of the good header. */
static const struct {
	size_t field;
	uint32_t value;
	const char *about;
} bad_flat[] = {
    {offsetof(struct header, checksum), 1, "checksum of its Multiboot header at offset 0x40 is wrong"},
    {offsetof(struct header, flags), 3, "no addresses"},
    {offsetof(struct header, flags), 0x10083, "features 0x80"},
    {offsetof(struct header, header_addr), 0x1fffff, "contradict"},
    {offsetof(struct header, header_addr), 0x200000 + HEADER_AT + 4, "contradict"},
    {offsetof(struct header, load_addr), 0x1fffff, "contradict"},
    {offsetof(struct header, load_addr), 0xfffffff0, "contradict"},
    {offsetof(struct header, load_addr), 0, "contradict"},
    {offsetof(struct header, load_end_addr), 0x200000, "contradict"},
    {offsetof(struct header, load_end_addr), 0x200000 + HEADER_AT, "contradict"},
    {offsetof(struct header, load_end_addr), 0x200000 + FLAT_LEN + 1, "truncated"},
    {offsetof(struct header, load_end_addr), 0xffffffff, "contradict"},
    {offsetof(struct header, bss_end_addr), 0x200000 + FLAT_LEN - 1, "contradict"},
    {offsetof(struct header, bss_end_addr), 64 << 20, "does not fit"},
    {offsetof(struct header, bss_end_addr), 0xffffffff, "does not fit"},
    {offsetof(struct header, entry_addr), 0x1fffff, "entry point"},
    {offsetof(struct header, entry_addr), 0x200000 + FLAT_LEN, "entry point"},
    {offsetof(struct header, entry_addr), 0, "entry point"},
};

START_TEST(flat_refused)
{
	struct header h = good;
	struct fixture f;

	memcpy((char *)&h + bad_flat[_i].field, &bad_flat[_i].value, 4);
	load_flat(&f, h);
	refuses(&f, bad_flat[_i].about);
}
END_TEST

START_TEST(header_cut_off)
{
	struct fixture f;

	/* By the end of the file, and by the end of what is searched. */
	for (size_t len = 4; len < sizeof(struct header); len++) {
		load_flat_at(&f, good, HEADER_AT, HEADER_AT + len, 64 * MiB);
		refuses(&f, "truncated");
		load_flat_at(&f, good, (8192 - (uint32_t)len) & ~3u, FLAT_LEN, 64 * MiB);
		refuses(&f, "truncated");
	}
	for (size_t len = 1; len < 4; len++) {
		load_flat_at(&f, good, HEADER_AT, HEADER_AT + len, 64 * MiB);
		refuses(&f, "neither");
	}
	load_flat_at(&f, good, 8192, FLAT_LEN, 64 * MiB);
	refuses(&f, "neither");
	load_flat_at(&f, good, HEADER_AT + 2, FLAT_LEN, 64 * MiB);
	refuses(&f, "neither");
}
END_TEST

/* --- what the kernel is told --- */

START_TEST(information)
{
	struct fixture f;
	uint32_t info, mods;

	load_flat(&f, good);
	add_module(&f, "first 1", "abc", 3);
	add_module(&f, "second", "0123456789", 10);
	accepts(&f);
	info = f.l.info;
	ck_assert_uint_eq(info & 15, 0);
	ck_assert_uint_lt(info, 640 << 10);
	ck_assert_uint_eq(u32_at(&f.l, info), 0x24d);
	string_is_at(&f.l, u32_at(&f.l, info + 16), "k a b");
	string_is_at(&f.l, u32_at(&f.l, info + 64), "Gnomon");
	ck_assert_uint_eq(u32_at(&f.l, info + 44), 0); /* the memory map is the option ROM's */
	ck_assert_uint_eq(u32_at(&f.l, info + 48), info + 128);
	ck_assert_uint_eq(u32_at(&f.l, info + 20), 2);
	mods = u32_at(&f.l, info + 24);
	ck_assert_uint_eq(u32_at(&f.l, mods), 0x300000);
	ck_assert_uint_eq(u32_at(&f.l, mods + 4), 0x300003);
	string_is_at(&f.l, u32_at(&f.l, mods + 8), "first 1");
	ck_assert_uint_eq(u32_at(&f.l, mods + 16), 0x301000);
	ck_assert_uint_eq(u32_at(&f.l, mods + 20), 0x30100a);
	string_is_at(&f.l, u32_at(&f.l, mods + 24), "second");
	ck_assert_uint_eq(memory_at(&f.l, 0x301009), '9');
	loader_destroy(&f.l);
}
END_TEST

START_TEST(information_beside_a_low_kernel)
{
	struct header h = {MAGIC, 0x10003, 0, LOW + HEADER_AT, LOW, LOW + FLAT_LEN, 0x90000, LOW + 200};
	struct fixture f;

	load_flat(&f, h);
	accepts(&f);
	ck_assert_uint_ge(f.l.info, h.bss_end_addr);
	loader_destroy(&f.l);
	h.bss_end_addr = 0x9eff0;
	load_flat(&f, h);
	refuses(&f, "no room");
	h.bss_end_addr = 0x9f001;
	load_flat(&f, h);
	refuses(&f, "does not fit");
}
END_TEST

START_TEST(long_texts)
{
	char line[70000];
	struct fixture f;

	memset(line, 'x', sizeof(line));
	line[60000] = 0;
	load_flat(&f, good);
	f.l.append = line;
	accepts(&f);
	loader_destroy(&f.l);
	line[60000] = 'x';
	line[65536] = 0;
	load_flat(&f, good);
	f.l.append = line;
	refuses(&f, "too long");
}
END_TEST

START_TEST(module_too_large)
{
	static uint8_t data[61 << 20];
	struct fixture f;

	load_flat(&f, good);
	add_module(&f, "small", "x", 1);
	add_module(&f, "large one", data, sizeof(data));
	refuses(&f, "initrd 'large one': too large");
}
END_TEST

/* --- ELF --- */

enum { ELF_TEXT = 0x1000, ELF_LEN = 0x3000 };

struct elf32 {
	Elf32_Ehdr h;
	Elf32_Phdr p[3];
};

/* Linked at 0xc0200000, loaded at 0x200000; a second segment of zeros only. */
static void make_elf32(struct elf32 *e)
{
	*e = (struct elf32){
	    .h =
		{
		    .e_type = ET_EXEC,
		    .e_machine = EM_386,
		    .e_version = EV_CURRENT,
		    .e_entry = 0xc0200010,
		    .e_phoff = offsetof(struct elf32, p),
		    .e_ehsize = sizeof(e->h),
		    .e_phentsize = sizeof(e->p[0]),
		    .e_phnum = 3,
		},
	    .p =
		{
		    {PT_LOAD, ELF_TEXT, 0xc0200000, 0x200000, 0x2000, 0x2800, PF_R | PF_X, 0x1000},
		    {PT_LOAD, 0, 0xc0400000, 0x400000, 0, 0x1000, PF_R | PF_W, 0x1000},
		    {PT_NOTE, 0x7fffffff, 0, 0, 0x7fffffff, 0, 0, 0},
		},
	};
	memcpy(e->h.e_ident, ELFMAG, SELFMAG);
	e->h.e_ident[EI_CLASS] = ELFCLASS32;
	e->h.e_ident[EI_DATA] = ELFDATA2LSB;
	e->h.e_ident[EI_VERSION] = EV_CURRENT;
}

static void load_elf32(struct fixture *f, const struct elf32 *e, size_t len)
{
	uint8_t k[ELF_LEN];

	memset(k, 0x77, sizeof(k));
	memcpy(k, e, sizeof(*e));
	load(f, k, len, 64 * MiB, NULL);
}

START_TEST(elf)
{
	struct elf32 e;
	struct fixture f;

	make_elf32(&e);
	load_elf32(&f, &e, ELF_LEN);
	accepts(&f);
	ck_assert_int_eq(f.l.kind, LOADER_ELF);
	ck_assert_uint_eq(f.l.entry, 0x200010);
	ck_assert_uint_eq(memory_at(&f.l, 0x200000), 0x77);
	ck_assert_uint_eq(memory_at(&f.l, 0x201fff), 0x77);
	ck_assert_uint_eq(memory_at(&f.l, 0x202000), 0);
	ck_assert_uint_eq(memory_at(&f.l, 0x2027ff), 0);
	ck_assert_ptr_null(segment_at(&f.l, 0x202800));
	ck_assert_uint_eq(memory_at(&f.l, 0x400fff), 0);
	ck_assert_uint_eq(u32_at(&f.l, f.l.info), 0x24d); /* no symbols */
	string_is_at(&f.l, u32_at(&f.l, f.l.info + 16), "k");
	loader_destroy(&f.l);
}
END_TEST

START_TEST(elf_with_physical_entry)
{
	struct elf32 e;
	struct fixture f;

	make_elf32(&e);
	e.h.e_entry = 0x400ffc;
	load_elf32(&f, &e, ELF_LEN);
	accepts(&f);
	ck_assert_uint_eq(f.l.entry, 0x400ffc);
	loader_destroy(&f.l);
}
END_TEST

static const struct {
	size_t field;
	unsigned size;
	uint32_t value;
	const char *about;
} bad_elf[] = {
    {offsetof(struct elf32, h.e_ident[EI_CLASS]), 1, 9, "damaged"},
    {offsetof(struct elf32, h.e_ident[EI_DATA]), 1, ELFDATA2MSB, "another processor"},
    {offsetof(struct elf32, h.e_machine), 2, EM_ARM, "another processor"},
    {offsetof(struct elf32, h.e_machine), 2, EM_X86_64, "another processor"},
    {offsetof(struct elf32, h.e_type), 2, ET_DYN, "type 3"},
    {offsetof(struct elf32, h.e_type), 2, ET_REL, "type 1"},
    {offsetof(struct elf32, h.e_phnum), 2, 0, "no ELF segment"},
    {offsetof(struct elf32, h.e_phnum), 2, 0xfffe, "program headers"},
    {offsetof(struct elf32, h.e_phoff), 4, 0xfffffff0, "program headers"},
    {offsetof(struct elf32, h.e_phoff), 4, ELF_LEN - 8, "program headers"},
    {offsetof(struct elf32, h.e_entry), 4, 0x100000, "entry point 0x100000 is in no segment"},
    {offsetof(struct elf32, p[0].p_offset), 4, ELF_LEN, "truncated"},
    {offsetof(struct elf32, p[0].p_offset), 4, 0xffffffff, "truncated"},
    {offsetof(struct elf32, p[0].p_filesz), 4, 0xffffffff, "larger in the file"},
    {offsetof(struct elf32, p[0].p_filesz), 4, 0x2801, "larger in the file"},
    {offsetof(struct elf32, p[0].p_memsz), 4, 0xffffffff, "does not fit"},
    {offsetof(struct elf32, p[0].p_memsz), 4, 64 << 20, "does not fit"},
    {offsetof(struct elf32, p[0].p_paddr), 4, 0, "does not fit"},
    {offsetof(struct elf32, p[0].p_paddr), 4, 0x9e000, "does not fit"},
    {offsetof(struct elf32, p[0].p_paddr), 4, 0xfffffffe, "does not fit"},
    {offsetof(struct elf32, p[0].p_paddr), 4, (64 << 20) - 0x2800, "does not fit"},
};

START_TEST(elf_refused)
{
	struct elf32 e;
	struct fixture f;

	make_elf32(&e);
	memcpy((char *)&e + bad_elf[_i].field, &bad_elf[_i].value, bad_elf[_i].size);
	load_elf32(&f, &e, ELF_LEN);
	refuses(&f, bad_elf[_i].about);
}
END_TEST

START_TEST(elf_truncated_anywhere)
{
	struct elf32 e;
	struct fixture f;

	make_elf32(&e);
	for (size_t len = 4; len < ELF_LEN; len += len < 300 ? 1 : 501) {
		load_elf32(&f, &e, len);
		refuses(&f, "");
	}
}
END_TEST

START_TEST(elf_of_many_segments)
{
	enum { COUNT = 200 };
	static struct {
		Elf32_Ehdr h;
		Elf32_Phdr p[COUNT];
	} many;
	struct elf32 e;
	struct fixture f;

	make_elf32(&e);
	many.h = e.h;
	many.h.e_phoff = sizeof(many.h);
	many.h.e_phnum = COUNT;
	for (unsigned i = 0; i < COUNT; i++)
		many.p[i] = (Elf32_Phdr){PT_LOAD, 0, 0xc0200000, 0x200000, 0x20, 0x20, PF_R, 1};
	load(&f, &many, sizeof(many), 64 * MiB, NULL);
	refuses(&f, "more than 64 segments");
}
END_TEST

struct elf64 {
	Elf64_Ehdr h;
	Elf64_Phdr p;
	Elf64_Shdr s[3];
	char names[16];
};

static void make_elf64(struct elf64 *e)
{
	*e = (struct elf64){
	    .h = {.e_type = ET_EXEC,
		  .e_machine = EM_X86_64,
		  .e_version = EV_CURRENT,
		  .e_entry = 0xffffffff80100000,
		  .e_phoff = offsetof(struct elf64, p),
		  .e_shoff = offsetof(struct elf64, s),
		  .e_ehsize = sizeof(e->h),
		  .e_phentsize = sizeof(e->p),
		  .e_phnum = 1,
		  .e_shentsize = sizeof(e->s[0]),
		  .e_shnum = 3,
		  .e_shstrndx = 1},
	    .p = {PT_LOAD, PF_R, 0, 0xffffffff80100000, 0x100000, 0x40, 0x1000, 0x1000},
	    .s = {{0},
		  {.sh_type = SHT_STRTAB, .sh_offset = offsetof(struct elf64, names), .sh_size = 16},
		  {.sh_type = SHT_SYMTAB, .sh_offset = 0x12345678, .sh_size = 24}},
	    .names = "\0name",
	};
	memcpy(e->h.e_ident, ELFMAG, SELFMAG);
	e->h.e_ident[EI_CLASS] = ELFCLASS64;
	e->h.e_ident[EI_DATA] = ELFDATA2LSB;
	e->h.e_ident[EI_VERSION] = EV_CURRENT;
}

START_TEST(elf64_and_sections)
{
	struct elf64 e;
	struct fixture f;
	uint32_t table, strings;

	make_elf64(&e);
	load(&f, &e, sizeof(e), 64 * MiB, NULL);
	accepts(&f);
	ck_assert_uint_eq(f.l.entry, 0x100000);
	ck_assert_uint_eq(u32_at(&f.l, f.l.info), 0x26d);
	ck_assert_uint_eq(u32_at(&f.l, f.l.info + 28), 3);
	ck_assert_uint_eq(u32_at(&f.l, f.l.info + 32), sizeof(Elf64_Shdr));
	ck_assert_uint_eq(u32_at(&f.l, f.l.info + 40), 1);
	table = u32_at(&f.l, f.l.info + 36);
	ck_assert_uint_ge(table, 0x101000);
	strings = u32_at(&f.l, table + sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_addr));
	string_is_at(&f.l, strings + 1, "name");
	/* What is not in the file has no address. */
	ck_assert_uint_eq(u32_at(&f.l, table + 2 * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_addr)), 0);
	loader_destroy(&f.l);
}
END_TEST

START_TEST(elf64_beyond_4g)
{
	struct elf64 e;
	struct fixture f;

	make_elf64(&e);
	e.p.p_paddr = 4 * GiB + MiB;
	load(&f, &e, sizeof(e), 8 * GiB, NULL);
	refuses(&f, "does not fit");
	make_elf64(&e);
	e.p.p_memsz = UINT64_MAX;
	load(&f, &e, sizeof(e), 8 * GiB, NULL);
	refuses(&f, "does not fit");
	make_elf64(&e);
	e.p.p_offset = UINT64_MAX - 8;
	load(&f, &e, sizeof(e), 8 * GiB, NULL);
	refuses(&f, "truncated");
}
END_TEST

/* Damaged section headers cost the symbols, not the boot. */
START_TEST(damaged_sections)
{
	struct elf64 e;
	struct fixture f;

	make_elf64(&e);
	e.h.e_shnum = 60000;
	load(&f, &e, sizeof(e), 64 * MiB, NULL);
	accepts(&f);
	loader_destroy(&f.l);
	make_elf64(&e);
	e.h.e_shoff = UINT64_MAX - 64;
	load(&f, &e, sizeof(e), 64 * MiB, NULL);
	accepts(&f);
	loader_destroy(&f.l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loader_multiboot");
	TCase *multiboot = tcase_create("multiboot"), *elfs = tcase_create("elf");

	tcase_add_test(multiboot, flat);
	tcase_add_test(multiboot, flat_without_ends);
	tcase_add_loop_test(multiboot, flat_refused, 0, ARRAY_LEN(bad_flat));
	tcase_add_test(multiboot, header_cut_off);
	tcase_add_test(multiboot, information);
	tcase_add_test(multiboot, information_beside_a_low_kernel);
	tcase_add_test(multiboot, long_texts);
	tcase_add_test(multiboot, module_too_large);
	tcase_add_test(elfs, elf);
	tcase_add_test(elfs, elf_with_physical_entry);
	tcase_add_loop_test(elfs, elf_refused, 0, ARRAY_LEN(bad_elf));
	tcase_add_test(elfs, elf_truncated_anywhere);
	tcase_add_test(elfs, elf_of_many_segments);
	tcase_add_test(elfs, elf64_and_sections);
	tcase_add_test(elfs, elf64_beyond_4g);
	tcase_add_test(elfs, damaged_sections);
	suite_add_tcase(suite, multiboot);
	suite_add_tcase(suite, elfs);
	return run_suite(suite);
}
