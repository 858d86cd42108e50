/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the loaders of --kernel: images in order, damaged a little or a lot. Whatever the plan, its segments lie in
 * their items and in guest memory; a refusal is one line.
 */
#include "fuzz.h"
#include "monitor/loader.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 200, MAX_IMAGE = 24 << 10 };

struct image {
	uint8_t data[MAX_IMAGE];
	uint32_t len;
	uint32_t header_len; /* where damage matters most */
};

static void make_linux(struct rng *r, struct image *im)
{
	static const uint16_t versions[] = {0x200, 0x201, 0x202, 0x203, 0x204, 0x206, 0x20a, 0x20c, 0x20f};
	uint8_t *k = im->data;
	unsigned sects = 1 + rng_below(r, 8);

	im->len = (sects + 1) * 512 + 1 + rng_below(r, 8192);
	im->header_len = 0x268;
	k[0x1f1] = (uint8_t)sects;
	store_le(k + 0x1f4, 4, (im->len - (sects + 1) * 512) / 16);
	store_le(k + 0x1fe, 2, 0xaa55);
	memcpy(k + 0x202, "HdrS", 4);
	store_le(k + 0x206, 2, RNG_PICK(r, versions));
	k[0x211] = rng_percent(r, 80);
	store_le(k + 0x22c, 4, rng_percent(r, 50) ? 0x37ffffff : 0x7fffffff);
	store_le(k + 0x238, 4, rng_below(r, 4096));
	store_le(k + 0x258, 8, rng_percent(r, 50) ? 16 * MiB : MiB);
	store_le(k + 0x260, 4, rng_below(r, 16 << 20));
}

static uint32_t put_multiboot(struct rng *r, struct image *im, uint32_t at, bool addresses)
{
	uint32_t flags = rng_below(r, 4) | (addresses ? 0x10000 : 0), load = 0x100000 + (rng_below(r, 64) << 12);
	uint32_t h[8] = {0x1badb002, flags, -(0x1badb002 + flags), load + at, load};

	if (rng_percent(r, 50))
		h[5] = load + im->len - rng_below(r, 256);
	if (rng_percent(r, 50))
		h[6] = load + im->len + rng_below(r, 1 << 20);
	h[7] = load + rng_below(r, im->len);
	memcpy(im->data + at, h, sizeof(h));
	return at + sizeof(h);
}

static void make_flat(struct rng *r, struct image *im)
{
	im->len = 8192 + rng_below(r, 8192);
	im->header_len = put_multiboot(r, im, rng_below(r, 1024) * 4, true);
}

/* Program headers, then section headers with their names; everything else is contents. */
#define MAKE_ELF(bits)                                                                                                 \
	static void make_elf##bits(struct rng *r, struct image *im)                                                    \
	{                                                                                                              \
		struct {                                                                                               \
			Elf##bits##_Ehdr h;                                                                            \
			Elf##bits##_Phdr p[8];                                                                         \
			Elf##bits##_Shdr s[8];                                                                         \
		} e = {.h = {.e_type = ET_EXEC,                                                                        \
			     .e_machine = bits == 32 ? EM_386 : EM_X86_64,                                             \
			     .e_version = EV_CURRENT,                                                                  \
			     .e_phoff = sizeof(e.h),                                                                   \
			     .e_shoff = sizeof(e.h) + sizeof(e.p),                                                     \
			     .e_ehsize = sizeof(e.h),                                                                  \
			     .e_phentsize = sizeof(e.p[0]),                                                            \
			     .e_shentsize = sizeof(e.s[0])}};                                                          \
                                                                                                                       \
		im->len = 4096 + rng_below(r, 16384);                                                                  \
		im->header_len = sizeof(e);                                                                            \
		memcpy(e.h.e_ident, ELFMAG, SELFMAG);                                                                  \
		e.h.e_ident[EI_CLASS] = ELFCLASS##bits;                                                                \
		e.h.e_ident[EI_DATA] = ELFDATA2LSB;                                                                    \
		e.h.e_ident[EI_VERSION] = EV_CURRENT;                                                                  \
		e.h.e_phnum = (uint16_t)(1 + rng_below(r, 8));                                                         \
		e.h.e_shnum = (uint16_t)rng_below(r, 9);                                                               \
		e.h.e_shstrndx = (uint16_t)rng_below(r, 8);                                                            \
		for (unsigned i = 0; i < 8; i++) {                                                                     \
			uint32_t offset = rng_below(r, im->len), len = rng_below(r, im->len - offset);                 \
			e.p[i].p_type = rng_percent(r, 80) ? PT_LOAD : PT_NOTE;                                        \
			e.p[i].p_offset = offset;                                                                      \
			e.p[i].p_filesz = len;                                                                         \
			e.p[i].p_memsz = len + rng_below(r, 8192);                                                     \
			e.p[i].p_paddr = rng_percent(r, 90) ? 0x100000 + (i << 20) : LOADER_LOW_FIRST + (i << 14);     \
			e.p[i].p_vaddr = e.p[i].p_paddr + (rng_percent(r, 50) ? 0xc0000000 : 0);                       \
			e.s[i].sh_type = rng_below(r, 4);                                                              \
			e.s[i].sh_offset = rng_below(r, im->len);                                                      \
			e.s[i].sh_size = rng_below(r, im->len - (uint32_t)e.s[i].sh_offset);                           \
			e.s[i].sh_entsize = rng_below(r, 32);                                                          \
		}                                                                                                      \
		e.h.e_entry = e.p[0].p_vaddr + rng_below(r, (uint32_t)e.p[0].p_memsz + 1);                             \
		memcpy(im->data, &e, sizeof(e));                                                                       \
		if (rng_percent(r, 50))                                                                                \
			im->header_len = put_multiboot(r, im, (sizeof(e) + 3) & ~3u, rng_percent(r, 20));              \
	}

/* clang-format off */
MAKE_ELF(32)
MAKE_ELF(64)
/* clang-format on */

/* No kernel at all, but for magic numbers where loaders look for them. */
static void make_garbage(struct rng *r, struct image *im)
{
	im->len = 1 + rng_below(r, MAX_IMAGE - 64);
	im->header_len = MIN(im->len, 8192u);
	if (rng_percent(r, 80))
		rng_bytes(r, im->data, im->len);
	if (rng_percent(r, 50))
		memcpy(im->data, ELFMAG, SELFMAG);
	if (rng_percent(r, 30))
		memcpy(im->data + 0x202, "HdrS", 4);
	for (unsigned n = rng_below(r, 4); n; n--)
		store_le(im->data + (rng_below(r, im->header_len) & ~3u), 4, 0x1badb002);
}

/* Cuts a file where it hurts: within its headers, or just before their end. */
static void truncate_image(struct rng *r, struct image *im)
{
	uint32_t behind = im->header_len + rng_below(r, 8);

	im->len = MIN(im->len, rng_percent(r, 50) ? behind - MIN(behind, rng_below(r, 48)) : 1 + rng_below(r, behind));
}

static void damage(struct rng *r, struct image *im)
{
	static const uint64_t values[] = {0,	      1,	  0xff,	      0xffff,	  0x7fffffff,	0x80000000,
					  0xffffffff, 0xfffffff0, 0x00100000, 0x1badb002, 0x7fffffffff, UINT64_MAX};
	unsigned times = rng_below(r, 4);

	if (rng_percent(r, 5))
		times += 20;
	while (times--) {
		uint32_t at = rng_below(r, rng_percent(r, 90) ? im->header_len : im->len);
		unsigned size = 1u << rng_below(r, 4);
		uint64_t v = rng_percent(r, 50) ? RNG_PICK(r, values) : rng_u64(r);

		if (rng_percent(r, 80))
			at &= ~(size - 1);
		if (rng_percent(r, 30))
			v = load_le(im->data + at, size) + rng_below(r, 17) - 8;
		store_le(im->data + at, size, v);
	}
	if (rng_percent(r, 15))
		im->len = rng_below(r, im->len);
	else if (rng_percent(r, 10))
		truncate_image(r, im);
}

static bool wrong(const char *what, unsigned i, const struct loader_segment *s)
{
	fprintf(stderr, "segment %u: %s: item %u, address %x, offset %x, len %x, zero %x\n", i, what, s->item,
		s->address, s->offset, s->len, s->zero);
	return false;
}

/* What we place lies apart from everything else; a file's own segments may lie over each other. */
static bool check_apart(const struct loader *l)
{
	for (unsigned i = 0; i < l->nsegments; i++) {
		const struct loader_segment *a = &l->segment[i];
		for (unsigned n = 0; n < l->nsegments; n++) {
			const struct loader_segment *b = &l->segment[n];
			if (n == i || a->item == LOADER_KERNEL || (l->kind == LOADER_LINUX && b->item == a->item))
				continue;
			if (a->address < b->address + (uint64_t)b->len + b->zero &&
			    b->address < a->address + (uint64_t)a->len + a->zero)
				return wrong("over another", i, a);
		}
	}
	return true;
}

static bool check_plan(const struct loader *l, uint64_t ram)
{
	bool entry = false, info = false;

	for (unsigned i = 0; i < l->nsegments; i++) {
		const struct loader_segment *s = &l->segment[i];
		uint64_t all = (uint64_t)s->len + s->zero, end = s->address + all;

		if (s->item >= LOADER_ITEMS || !l->item[s->item].data ||
		    (uint64_t)s->offset + s->len > l->item[s->item].len)
			return wrong("not in its item", i, s);
		if (!(s->address >= LOADER_LOW_FIRST && end <= LOADER_LOW_END) &&
		    !(s->address >= LOADER_HIGH_BASE && end <= ram))
			return wrong("not in memory", i, s);
		entry |= l->entry >= s->address && l->entry < end;
		info |= s->item == LOADER_INFO && l->info == s->address;
	}
	if (l->nsegments > LOADER_MAX_SEGMENTS || (l->kind != LOADER_LINUX && !(entry && info))) {
		fprintf(stderr, "%u segments, entry point or information outside of them\n", l->nsegments);
		return false;
	}
	return check_apart(l);
}

static void add_item(struct loader *l, enum loader_item item, const void *data, uint32_t len)
{
	/* Exactly as long as it is, for the sanitizers. */
	l->item[item].data = malloc(len ? len : 1);
	memcpy(l->item[item].data, data, len);
	l->item[item].len = len;
}

static bool plan(struct rng *r, const struct image *im)
{
	static const uint64_t sizes[] = {MiB, 2 * MiB, 16 * MiB, 64 * MiB, 3 * GiB, 4 * GiB, 64 * GiB};
	static const uint8_t module[5000];
	uint64_t ram = RNG_PICK(r, sizes);
	char err[300] = "";
	struct loader l;
	bool ok = true;

	loader_init(&l, ram, err, sizeof(err));
	l.kernel_path = "kernel";
	l.append = rng_percent(r, 50) ? "console=ttyS0 vga=ask" : NULL;
	add_item(&l, LOADER_KERNEL, im->data, im->len);
	for (unsigned n = rng_below(r, 3); n--; l.nmodules++) {
		add_item(&l, LOADER_MODULE + l.nmodules, module, rng_below(r, sizeof(module)));
		l.item[LOADER_MODULE + l.nmodules].text = strdup("module x");
	}
	if (loader_plan(&l) == 0) {
		ok = check_plan(&l, ram);
	} else if (!*err || strchr(err, '\n')) {
		fprintf(stderr, "refused with '%s'\n", err);
		ok = false;
	}
	loader_destroy(&l);
	return ok;
}

static bool run_case(uint64_t seed, const char *variant)
{
	static void (*const makers[])(struct rng *, struct image *) = {make_linux, make_flat, make_elf32, make_elf64,
								       make_garbage};
	struct image *im = malloc(sizeof(*im));
	struct rng r = rng_seeded(seed);
	bool ok = true;

	for (unsigned i = 0; i < ROUNDS && ok; i++) {
		memset(im, 0, sizeof(*im));
		RNG_PICK(&r, makers)(&r, im);
		damage(&r, im);
		ok = plan(&r, im);
	}
	free(im);
	return ok;
}

int main(int argc, char **argv)
{
	return fuzz_main(argc, argv, &(struct fuzzer){.name = "fuzz_loader", .run = run_case, .case_seconds = 20});
}
