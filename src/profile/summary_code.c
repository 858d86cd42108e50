/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hottest blocks, guest and host code side by side. */
#define _GNU_SOURCE
#include "profile.h"

#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

void profile_name(const struct symbols *symbols, uint64_t pc, bool user, bool offset, char *to, size_t len)
{
	const struct symbol *y = symbols_at(symbols, pc);

	if (!y)
		snprintf(to, len, "%s %08llx", user ? "user" : "kernel",
			 (unsigned long long)(pc & ~(uint64_t)PAGE_MASK));
	else if (offset && pc != y->address)
		snprintf(to, len, "%s+0x%llx", y->name, (unsigned long long)(pc - y->address));
	else
		snprintf(to, len, "%s", y->name);
}

/* The instructions in bytes as lines of text; what is none is shown as bytes. */
static json_t *disassemble(csh handle, const uint8_t *bytes, size_t len, uint64_t address)
{
	json_t *lines = json_array();

	while (len) {
		cs_insn *in = NULL;
		size_t n = cs_disasm(handle, bytes, len, address, 1, &in);
		size_t used = n ? in->size : 1;
		if (n)
			json_array_append_new(lines,
					      json_sprintf("%s%s%s", in->mnemonic, *in->op_str ? " " : "", in->op_str));
		else
			json_array_append_new(lines, json_sprintf(".byte 0x%02x", *bytes));
		if (n)
			cs_free(in, n);
		bytes += used;
		len -= used;
		address += used;
	}
	return lines;
}

/* As text: JSON's numbers end at 2^53 for many who read it. */
static json_t *address_json(uint64_t address)
{
	return json_sprintf("%08llx", (unsigned long long)address);
}

static json_t *instructions(const struct profile_block_ref *b, csh guest, csh host)
{
	json_t *all = json_array();
	const struct profile_block *h = &b->head;

	for (unsigned i = 0; i < h->ninsns; i++) {
		unsigned g = (unsigned)load_le(b->map + 4 * i, 2), g_end = (unsigned)load_le(b->map + 4 * i + 4, 2);
		unsigned x = (unsigned)load_le(b->map + 4 * i + 2, 2), x_end = (unsigned)load_le(b->map + 4 * i + 6, 2);
		uint64_t at = h->flags & BLOCK_CODE64 ? h->linear + g : (uint32_t)(h->linear + g);
		json_array_append_new(all, json_pack("{sososo}", "at", address_json(at), "guest",
						     disassemble(guest, b->guest + g, g_end - g, at), "host",
						     disassemble(host, b->host + x, x_end - x, h->host + x)));
	}
	return all;
}

static int hotter(const void *a, const void *b)
{
	const struct profile_block *x = &(*(const struct profile_block_ref *const *)a)->head;
	const struct profile_block *y = &(*(const struct profile_block_ref *const *)b)->head;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return x->entries != y->entries ? (x->entries < y->entries ? 1 : -1) : 0;
}

static json_t *block_json(const struct profile_block_ref *b, const struct symbols *symbols, csh guest, csh host)
{
	char name[600];
	json_t *j;

	profile_name(symbols, b->head.linear, b->head.flags & BLOCK_USER, true, name, sizeof(name));
	j = json_pack("{sosIsIsosssbsbsisisi}", "linear", address_json(b->head.linear), "ns",
		      (json_int_t)(b->head.ns & INT64_MAX), "samples", (json_int_t)b->head.samples, "entries",
		      b->head.flags & BLOCK_COUNTED ? json_integer((json_int_t)(b->head.entries & INT64_MAX))
						    : json_null(),
		      "name", name, "user", !!(b->head.flags & BLOCK_USER), "valid", !!(b->head.flags & BLOCK_VALID),
		      "guest_bytes", b->head.guest_len, "host_bytes", b->head.host_len, "insns", b->head.ninsns);
	json_object_set_new(j, "code", instructions(b, guest, host));
	return j;
}

json_t *profile_summary_blocks(const struct profile *p, const struct symbols *symbols, unsigned max)
{
	const struct profile_block_ref **order = malloc((p->nblocks + 1) * sizeof(*order));
	json_t *all = json_array();
	csh host, guest[2];

	/* Guest code of 64 bits is disassembled as the host's. */
	if (!order || cs_open(CS_ARCH_X86, CS_MODE_64, &host) != CS_ERR_OK) {
		free(order);
		return all;
	}
	if (cs_open(CS_ARCH_X86, CS_MODE_16, &guest[0]) == CS_ERR_OK) {
		if (cs_open(CS_ARCH_X86, CS_MODE_32, &guest[1]) == CS_ERR_OK) {
			for (size_t i = 0; i < p->nblocks; i++)
				order[i] = &p->blocks[i];
			qsort(order, p->nblocks, sizeof(*order), hotter);
			for (size_t i = 0; i < p->nblocks && i < max; i++)
				json_array_append_new(all,
						      block_json(order[i], symbols,
								 order[i]->head.flags & BLOCK_CODE64
								     ? host
								     : guest[!!(order[i]->head.flags & BLOCK_CODE32)],
								 host));
			cs_close(&guest[1]);
		}
		cs_close(&guest[0]);
	}
	cs_close(&host);
	free(order);
	return all;
}
