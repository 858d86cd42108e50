/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile consists of on disk, written. */
#define _GNU_SOURCE
#include "profiler_internal.h"

#include "bt/bt.h"
#include "stats_json.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(const struct profiler *p, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", p->folder, name) < 0 ? NULL : path;
}

/* The first error is told: what befalls one file befalls the others, too. */
static void failed(struct profiler *p, struct profile_file *f, int error)
{
	if (f->error)
		return;
	f->error = error;
	if (!atomic_exchange(&p->failed, true))
		say("--profile: cannot write %s/%s: %s; the profile ends here", p->folder, f->name, strerror(-error));
}

static void put(struct profiler *p, struct profile_file *f, const void *data, size_t len)
{
	errno = 0;
	if (!f->error && len && fwrite(data, len, 1, f->file) != 1)
		failed(p, f, errno ? -errno : -EIO);
}

static int open_file(struct profiler *p, struct profile_file *f, const char *name, char *err, size_t errlen)
{
	char *path = path_of(p, name);
	int rc = 0;

	f->name = name;
	f->file = path ? fopen(path, "we") : NULL;
	if (!f->file) {
		rc = path ? -errno : -ENOMEM;
		snprintf(err, errlen, "--profile: cannot make %s/%s: %s", p->folder, name, strerror(-rc));
	}
	free(path);
	return rc;
}

static void close_file(struct profiler *p, struct profile_file *f)
{
	if (f->file && fclose(f->file) && errno)
		failed(p, f, -errno);
	f->file = NULL;
}

int profile_files_open(struct profiler *p, char *err, size_t errlen)
{
	struct stat st;
	int rc;

	if (mkdir(p->folder, 0777) < 0 && (errno != EEXIST || stat(p->folder, &st) < 0 || !S_ISDIR(st.st_mode))) {
		rc = errno == EEXIST ? -ENOTDIR : -errno;
		snprintf(err, errlen, "--profile: cannot make the folder %s: %s", p->folder, strerror(-rc));
		return rc;
	}
	rc = open_file(p, &p->samples, PROFILE_SAMPLES_FILE, err, errlen);
	if (!rc)
		rc = open_file(p, &p->counters, PROFILE_COUNTERS_FILE, err, errlen);
	if (!rc)
		rc = open_file(p, &p->blocks, PROFILE_BLOCKS_FILE, err, errlen);
	if (!rc) {
		put(p, &p->samples, PROFILE_SAMPLES_MAGIC, PROFILE_MAGIC_BYTES);
		put(p, &p->blocks, PROFILE_BLOCKS_MAGIC, PROFILE_MAGIC_BYTES);
		rc = p->samples.error;
	}
	if (rc) {
		struct profile_file *all[] = {&p->samples, &p->counters, &p->blocks};
		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			if (all[i]->file)
				fclose(all[i]->file);
	}
	return rc;
}

void profile_files_drain(struct profiler *p)
{
	unsigned tail = atomic_load_explicit(&p->tail, memory_order_relaxed);
	unsigned head = atomic_load_explicit(&p->head, memory_order_acquire);

	for (; tail != head; tail++) {
		const struct ring_entry *e = &p->ring[tail % PROFILE_RING];
		put(p, &p->samples, &e->head, sizeof(e->head));
		put(p, &p->samples, e->stack, e->head.depth * sizeof(e->stack[0]));
		atomic_store_explicit(&p->tail, tail + 1, memory_order_release);
	}
}

/* --- counters --- */

/* Another thread counts meanwhile: each is some value it had a moment ago. */
static uint64_t counter(const struct profiler *p, unsigned n)
{
	return __atomic_load_n((const uint64_t *)((const char *)&p->vm->stats + stat_table[n].offset),
			       __ATOMIC_RELAXED);
}

static uint64_t idle_so_far(const struct profiler *p)
{
	uint64_t since = __atomic_load_n(&p->slept_at, __ATOMIC_RELAXED), now = host_now_ns();

	return __atomic_load_n(&p->idle_ns, __ATOMIC_RELAXED) + (since && since < now ? now - since : 0);
}

static json_t *phases_so_far(const struct profiler *p)
{
	json_t *all = json_object();

	for (unsigned i = 0; i < PHASE_COUNT; i++)
		json_object_set_new(all, phase_table[i].name,
				    json_integer((json_int_t)__atomic_load_n(&p->phase_ns[i], __ATOMIC_RELAXED)));
	return all;
}

void profile_files_snapshot(struct profiler *p)
{
	json_t *line, *changed;
	char *text;

	if (p->counters.error || !__atomic_load_n(&p->attached, __ATOMIC_ACQUIRE))
		return;
	changed = json_object();
	for (unsigned i = 0; i < stat_count; i++) {
		uint64_t v = counter(p, i);
		if (v == p->shown[i])
			continue;
		p->shown[i] = v;
		json_object_set_new(changed, stat_table[i].name, json_integer((json_int_t)v));
	}
	line = json_pack("{sIsIsoso}", "t", (json_int_t)(host_now_ns() - p->start), "idle_ns",
			 (json_int_t)idle_so_far(p), "phase_ns", phases_so_far(p), "counters", changed);
	pthread_mutex_lock(&p->lock);
	if (line && p->vm->cfg->profile_exact && p->vm->bt && !p->ended_at)
		json_object_set_new(line, "working_set", json_integer(bt_profile_working_set(p->vm->bt)));
	pthread_mutex_unlock(&p->lock);
	text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	if (text) {
		put(p, &p->counters, text, strlen(text));
		put(p, &p->counters, "\n", 1);
	}
	free(text);
	json_decref(line);
}

/* --- profile.json --- */

json_t *profiler_json(struct profiler *p)
{
	uint64_t end = p->ended_at ? p->ended_at : host_now_ns();
	json_t *j = json_pack("{sIsIso}", "wall_ns", (json_int_t)(p->attached_at ? end - p->attached_at : 0), "idle_ns",
			      (json_int_t)idle_so_far(p), "phase_ns", phases_so_far(p));

	json_object_set_new(j, "lost_samples", json_integer((json_int_t)p->lost));
	return j;
}

static json_t *phases_described(void)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < PHASE_COUNT; i++)
		json_array_append_new(all, json_pack("{sssiss}", "name", phase_table[i].name, "share",
						     (int)phase_table[i].share, "help", phase_table[i].help));
	return all;
}

static json_t *insn_names(const struct stats *s)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < s->insn_count; i++)
		json_array_append_new(all, json_string(s->insn_names[i]));
	return all;
}

static json_t *insn_times(const struct profiler *p)
{
	json_t *all = json_object();
	const struct stats *s = &p->vm->stats;

	for (unsigned i = 0; i < s->insn_count; i++)
		if (p->insn_ns[i])
			json_object_set_new(all, s->insn_names[i], json_integer((json_int_t)p->insn_ns[i]));
	return all;
}

int profile_files_main(struct profiler *p, bool complete)
{
	struct profile_file *f = &p->main;
	json_t *j = profiler_json(p);
	char err[256], *text;

	json_object_set_new(j, "gnomon_profile", json_integer(PROFILE_VERSION));
	json_object_set_new(j, "gnomon", json_string(GNOMON_VERSION));
	json_object_set_new(j, "complete", json_boolean(complete));
	json_object_set_new(j, "exact", json_boolean(p->vm->cfg->profile_exact));
	json_object_set_new(j, "counted_of",
			    json_integer(p->vm->cfg->profile_exact ? 1 : 1 << BT_PROFILE_COUNTED_BITS));
	json_object_set_new(j, "engine", json_string(p->vm->engine->name));
	json_object_set_new(j, "period_ns", json_integer(p->period_ns));
	json_object_set_new(j, "began_ns", json_integer((json_int_t)(p->attached_at - p->start)));
	json_object_set_new(j, "phases", phases_described());
	json_object_set_new(j, "insns", insn_names(&p->vm->stats));
	json_object_set_new(j, "insn_ns", insn_times(p));
	json_object_set_new(j, "counters", stats_json(&p->vm->stats));
	text = json_dumps(j, JSON_INDENT(1));
	json_decref(j);
	if (!text)
		return -ENOMEM;
	if (!f->error && open_file(p, f, PROFILE_MAIN_FILE, err, sizeof(err))) {
		say("%s", err);
		f->error = -EIO;
	} else if (!f->error) {
		put(p, f, text, strlen(text));
		close_file(p, f);
	}
	free(text);
	return f->error;
}

/* --- blocks --- */

struct saving {
	struct profiler *p;
	uint32_t generation;
};

static void save_block(void *arg, const struct bt_block_info *b)
{
	const struct saving *s = arg;
	struct profile_file *f = &s->p->blocks;
	struct profile_block head = {
	    .gpa = b->gpa,
	    .host = b->host,
	    .entries = b->entries,
	    .ns = b->ns,
	    .linear = b->linear,
	    .eip = b->eip,
	    .samples = b->samples,
	    .generation = s->generation,
	    .guest_len = (uint16_t)b->guest_len,
	    .host_len = (uint16_t)b->host_len,
	    .context = (uint16_t)b->context,
	    .ninsns = (uint8_t)b->ninsns,
	    .flags =
		(uint8_t)((b->user ? BLOCK_USER : 0) | (b->code32 ? BLOCK_CODE32 : 0) | (b->code64 ? BLOCK_CODE64 : 0) |
			  (b->valid ? BLOCK_VALID : 0) | (b->counted ? BLOCK_COUNTED : 0)),
	};

	put(s->p, f, &head, sizeof(head));
	put(s->p, f, b->guest_code, b->guest_len);
	put(s->p, f, b->host_code, b->host_len);
	put(s->p, f, b->map, (b->ninsns + 1) * sizeof(b->map[0]));
}

void profiler_save_blocks(void *arg)
{
	struct profiler *p = arg;
	struct saving s = {p, (uint32_t)(p->vm->stats.flushes + p->vm->stats.copy_flushes)};

	if (p->vm->bt)
		bt_profile_blocks(p->vm->bt, false, save_block, &s);
}

int profile_files_close(struct profiler *p)
{
	int rc = 0;
	struct profile_file *all[] = {&p->samples, &p->counters, &p->blocks};

	if (p->attached) {
		profile_files_drain(p);
		profile_files_snapshot(p);
		rc = profile_files_main(p, true);
		if (!rc)
			rc = profile_names_save(p);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		close_file(p, all[i]);
		if (!rc)
			rc = all[i]->error;
	}
	return rc;
}
