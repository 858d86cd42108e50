/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions and stacks: samples as a tree of names. */
#define _GNU_SOURCE
#include "profile.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 1 << 18, NAME_BYTES = 160, MAX_FUNCTIONS = 60, HASH_SIZE = 1 << 16 };

/* A name, with what was sampled in it. */
struct function {
	struct function *hash_next;
	uint64_t self_ns, total_ns;
	size_t last_sample; /* + 1: a function that is on a stack twice counts once */
	bool user;
	char name[NAME_BYTES];
};

struct node {
	struct function *function;
	struct node *child, *next, *parent;
	uint64_t ns; /* of it and all below */
};

struct tree {
	struct function *hash[HASH_SIZE];
	size_t nfunctions;
	struct node *nodes;
	size_t nnodes;
	bool full; /* samples beyond MAX_NODES end at the parent */
};

static struct function *intern(struct tree *t, const char *name, bool user)
{
	uint32_t h = 2166136261u;
	struct function *f;

	for (const char *c = name; *c; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	h %= HASH_SIZE;
	for (f = t->hash[h]; f; f = f->hash_next)
		if (!strcmp(f->name, name))
			return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->user = user;
	f->hash_next = t->hash[h];
	t->hash[h] = f;
	t->nfunctions++;
	return f;
}

static struct node *child_of(struct tree *t, struct node *parent, struct function *f)
{
	struct node *n;

	if (!f)
		return parent;
	for (n = parent->child; n; n = n->next)
		if (n->function == f)
			return n;
	if (t->nnodes == MAX_NODES) {
		t->full = true;
		return parent;
	}
	n = &t->nodes[t->nnodes++];
	*n = (struct node){.function = f, .next = parent->child, .parent = parent};
	parent->child = n;
	return n;
}

static void enter(struct tree *t, struct node **at, const char *name, bool user, size_t sample, uint32_t ns)
{
	struct function *f = intern(t, name, user);

	*at = child_of(t, *at, f);
	(*at)->ns += ns;
	if (f && f->last_sample != sample + 1) {
		f->last_sample = sample + 1;
		f->total_ns += ns;
	}
}

static bool kernel_half(const struct profile_sample *s, uint64_t pc)
{
	/* Return addresses of a kernel's stack that lie lower than half of the kernel's own address are a program's:
	 * its EBP was still there. */
	return pc >= s->pc >> 1;
}

static void add_sample(struct tree *t, const struct profile *p, const struct symbols *symbols, size_t n)
{
	const struct profile_sample_ref *s = &p->samples[n];
	const struct phase_info *phase = &phase_table[s->head.phase];
	bool user = s->head.flags & SAMPLE_USER, guest = s->head.phase == PHASE_USER || s->head.phase == PHASE_KERNEL;
	struct node *at = t->nodes;
	char name[NAME_BYTES];
	struct function *f;

	at->ns += s->head.ns;
	if (!(s->head.flags & SAMPLE_HAS_PC)) {
		enter(t, &at, "[monitor]", false, n, s->head.ns);
	} else {
		enter(t, &at, user ? "[user]" : "[kernel]", user, n, s->head.ns);
		for (unsigned i = s->head.depth; i-- > 0;) {
			uint64_t pc = load_le(s->stack + 8 * i, 8) - 1; /* in the call, not behind it */
			if (!user && !kernel_half(&s->head, pc))
				continue;
			profile_name(symbols, pc, user, false, name, sizeof(name));
			enter(t, &at, name, user, n, s->head.ns);
		}
		profile_name(symbols, s->head.pc, user, false, name, sizeof(name));
		enter(t, &at, name, user, n, s->head.ns);
		f = intern(t, name, user);
		if (f)
			f->self_ns += s->head.ns;
	}
	if (!guest) {
		snprintf(name, sizeof(name), "[%s]", phase->name);
		enter(t, &at, name, user, n, s->head.ns);
	}
}

static struct tree *build(const struct profile *p, const struct symbols *symbols)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (t)
		t->nodes = malloc(MAX_NODES * sizeof(*t->nodes));
	if (!t || !t->nodes) {
		free(t);
		return NULL;
	}
	t->nodes[t->nnodes++] = (struct node){0};
	for (size_t i = 0; i < p->nsamples; i++)
		add_sample(t, p, symbols, i);
	return t;
}

static void destroy(struct tree *t)
{
	for (size_t i = 0; t && i < HASH_SIZE; i++)
		for (struct function *f = t->hash[i], *next; f; f = next) {
			next = f->hash_next;
			free(f);
		}
	if (t)
		free(t->nodes);
	free(t);
}

static int by_self(const void *a, const void *b)
{
	const struct function *x = *(struct function *const *)a, *y = *(struct function *const *)b;

	if (x->self_ns != y->self_ns)
		return x->self_ns < y->self_ns ? 1 : -1;
	return x->total_ns != y->total_ns ? (x->total_ns < y->total_ns ? 1 : -1) : strcmp(x->name, y->name);
}

json_t *profile_summary_functions(const struct profile *p, const struct symbols *symbols)
{
	struct tree *t = build(p, symbols);
	struct function **list = t ? malloc((t->nfunctions + 1) * sizeof(*list)) : NULL;
	json_t *all = json_array();
	size_t count = 0;

	for (size_t i = 0; list && i < HASH_SIZE; i++)
		for (struct function *f = t->hash[i]; f; f = f->hash_next)
			if (f->name[0] != '[')
				list[count++] = f;
	if (list)
		qsort(list, count, sizeof(*list), by_self);
	for (size_t i = 0; i < count && i < MAX_FUNCTIONS; i++)
		json_array_append_new(all, json_pack("{sssbsIsI}", "name", list[i]->name, "user", list[i]->user,
						     "self_ns", (json_int_t)list[i]->self_ns, "total_ns",
						     (json_int_t)list[i]->total_ns));
	free(list);
	destroy(t);
	return all;
}

/* What is below a thousandth of all is left out. The depth is bounded by PROFILE_MAX_STACK. */
static json_t *node_json(const struct node *n, const char *name, uint64_t least)
{
	json_t *j = json_pack("{sssI}", "name", name, "ns", (json_int_t)n->ns), *children = json_array();

	for (const struct node *c = n->child; c; c = c->next)
		if (c->ns && c->ns >= least)
			json_array_append_new(children, node_json(c, c->function->name, least));
	json_object_set_new(j, "children", children);
	return j;
}

json_t *profile_summary_stacks(const struct profile *p, const struct symbols *symbols)
{
	struct tree *t = build(p, symbols);
	json_t *j = t ? node_json(t->nodes, "all", t->nodes->ns / 1000) : json_object();

	destroy(t);
	return j;
}
