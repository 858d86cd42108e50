/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a profile. Nothing in the folder is trusted. */
#define _GNU_SOURCE
#include "profile.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES (4 * GiB)

static void PRINTF_LIKE(2, 3) warn(struct profile *p, const char *fmt, ...)
{
	va_list ap;

	for (size_t i = 0; i < ARRAY_LEN(p->warning); i++)
		if (!*p->warning[i]) {
			va_start(ap, fmt);
			vsnprintf(p->warning[i], sizeof(p->warning[i]), fmt, ap);
			va_end(ap);
			return;
		}
}

/* A whole file, and a 0 behind it. */
static int slurp(const char *folder, const char *name, uint8_t **bytes, size_t *len, char *err, size_t errlen)
{
	char *path = NULL;
	/* O_NONBLOCK: not to wait for the writer of a FIFO. */
	int fd = asprintf(&path, "%s/%s", folder, name) < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	struct stat st;
	int rc = f ? 0 : -errno;

	*bytes = NULL;
	*len = 0;
	if (f && (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)))
		rc = -EINVAL;
	else if (f && (uint64_t)st.st_size > FILE_MAX_BYTES)
		rc = -EFBIG;
	if (!rc)
		*bytes = malloc((size_t)st.st_size + 1);
	if (!rc && !*bytes)
		rc = -ENOMEM;
	if (!rc) {
		*len = fread(*bytes, 1, (size_t)st.st_size, f);
		(*bytes)[*len] = 0;
		rc = ferror(f) ? -EIO : 0;
	}
	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	if (rc)
		snprintf(err, errlen, "%s/%s: %s", folder, name, strerror(-rc));
	free(path);
	return rc;
}

/* --- profile.json --- */

static uint64_t number(const json_t *j, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(j, name));

	return v < 0 ? 0 : (uint64_t)v;
}

static void text(const json_t *j, const char *name, char *to, size_t len)
{
	const char *s = json_string_value(json_object_get(j, name));

	snprintf(to, len, "%s", s ? s : "?");
	for (; *to; to++)
		if (*to < ' ' || *to > '~')
			*to = '?';
}

static void read_phases(const json_t *j, uint64_t *to)
{
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		to[i] = number(j, phase_table[i].name);
}

static void read_counters(struct profile *p, const json_t *j, uint64_t *to)
{
	for (unsigned i = 0; i < stat_count; i++)
		if (json_object_get(j, stat_table[i].name))
			to[i] = number(j, stat_table[i].name);
	p->insns_counted |= json_object_get(j, "insns_executed") != NULL;
}

static int read_main(struct profile *p, const char *folder, char *err, size_t errlen)
{
	uint8_t *bytes;
	size_t len;
	json_error_t e;
	json_t *j;
	int rc = slurp(folder, PROFILE_MAIN_FILE, &bytes, &len, err, errlen);

	if (rc == -ENOENT || rc == -ENOTDIR)
		snprintf(err, errlen, "%s is not the folder of a profile: it has no %s", folder, PROFILE_MAIN_FILE);
	if (rc)
		return rc;
	j = json_loadb((const char *)bytes, len, 0, &e);
	free(bytes);
	if (!json_is_object(j) || !json_is_integer(json_object_get(j, "gnomon_profile"))) {
		snprintf(err, errlen, "%s/%s: this is not a profile%s%s", folder, PROFILE_MAIN_FILE, j ? "" : ": ",
			 j ? "" : e.text);
		json_decref(j);
		return -EINVAL;
	}
	if (number(j, "gnomon_profile") != PROFILE_VERSION) {
		snprintf(err, errlen, "%s/%s: version %llu of the format; this program reads version %d", folder,
			 PROFILE_MAIN_FILE, (unsigned long long)number(j, "gnomon_profile"), PROFILE_VERSION);
		json_decref(j);
		return -EINVAL;
	}
	p->complete = json_is_true(json_object_get(j, "complete"));
	p->exact = json_is_true(json_object_get(j, "exact"));
	p->counted_of = number(j, "counted_of");
	p->wall_ns = number(j, "wall_ns");
	p->idle_ns = number(j, "idle_ns");
	p->period_ns = number(j, "period_ns");
	p->began_ns = number(j, "began_ns");
	p->lost = number(j, "lost_samples");
	text(j, "engine", p->engine, sizeof(p->engine));
	text(j, "gnomon", p->gnomon, sizeof(p->gnomon));
	read_phases(json_object_get(j, "phase_ns"), p->phase_ns);
	read_counters(p, json_object_get(j, "counters"), p->counters);
	p->insn_ns = json_incref(json_object_get(j, "insn_ns"));
	p->callouts = json_incref(json_object_get(json_object_get(j, "counters"), "callouts_by_insn"));
	json_decref(j);
	return 0;
}

/* --- the records --- */

/* Room for one more element. */
static bool grow(void *array, size_t count, size_t size)
{
	void **a = array, *more;

	if (count & (count - 1) || (count && count < 64))
		return true; /* room for up to 64, then by powers of 2 */
	more = realloc(*a, (count ? 2 * count : 64) * size);
	if (more)
		*a = more;
	return more;
}

static int check_magic(const char *folder, const char *name, const uint8_t *bytes, size_t len, const char *magic,
		       char *err, size_t errlen)
{
	if (len >= PROFILE_MAGIC_BYTES && !memcmp(bytes, magic, PROFILE_MAGIC_BYTES))
		return 0;
	snprintf(err, errlen, "%s/%s does not begin as a file of a profile does", folder, name);
	return -EINVAL;
}

static int read_samples(struct profile *p, const char *folder, char *err, size_t errlen)
{
	size_t len, at = PROFILE_MAGIC_BYTES;
	int rc = slurp(folder, PROFILE_SAMPLES_FILE, &p->sample_bytes, &len, err, errlen);

	if (!rc && len) /* empty: ended before it was first written */
		rc =
		    check_magic(folder, PROFILE_SAMPLES_FILE, p->sample_bytes, len, PROFILE_SAMPLES_MAGIC, err, errlen);
	while (!rc && at < len) {
		struct profile_sample_ref s;
		if (len - at < sizeof(s.head))
			break;
		memcpy(&s.head, p->sample_bytes + at, sizeof(s.head));
		if (s.head.phase >= PHASE_COUNT || s.head.depth > PROFILE_MAX_STACK ||
		    len - at - sizeof(s.head) < s.head.depth * 8u)
			break;
		s.stack = p->sample_bytes + at + sizeof(s.head);
		at += sizeof(s.head) + s.head.depth * 8u;
		if (!grow(&p->samples, p->nsamples, sizeof(s))) {
			snprintf(err, errlen, "out of memory");
			return -ENOMEM;
		}
		p->samples[p->nsamples++] = s;
	}
	if (!rc && at < len)
		warn(p, "%s is damaged or cut off after %zu samples", PROFILE_SAMPLES_FILE, p->nsamples);
	return rc;
}

/* The block at the bytes; its length, or 0. */
static size_t parse_block(struct profile_block_ref *b, const uint8_t *bytes, size_t len)
{
	size_t need;
	unsigned guest = 0, host = 0;

	if (len < sizeof(b->head))
		return 0;
	memcpy(&b->head, bytes, sizeof(b->head));
	need = sizeof(b->head) + b->head.guest_len + b->head.host_len + (b->head.ninsns + 1u) * 4;
	if (len < need || !b->head.ninsns)
		return 0;
	b->guest = bytes + sizeof(b->head);
	b->host = b->guest + b->head.guest_len;
	b->map = b->host + b->head.host_len;
	for (unsigned i = 0; i <= b->head.ninsns; i++) {
		unsigned g = (unsigned)load_le(b->map + 4 * i, 2), h = (unsigned)load_le(b->map + 4 * i + 2, 2);
		if (g < guest || h < host || g > b->head.guest_len || h > b->head.host_len)
			return 0;
		guest = g;
		host = h;
	}
	return need;
}

static int read_blocks(struct profile *p, const char *folder, char *err, size_t errlen)
{
	size_t len, at = PROFILE_MAGIC_BYTES;
	int rc = slurp(folder, PROFILE_BLOCKS_FILE, &p->block_bytes, &len, err, errlen);

	if (!rc && len)
		rc = check_magic(folder, PROFILE_BLOCKS_FILE, p->block_bytes, len, PROFILE_BLOCKS_MAGIC, err, errlen);
	while (!rc && at < len) {
		struct profile_block_ref b;
		size_t used = parse_block(&b, p->block_bytes + at, len - at);
		if (!used)
			break;
		at += used;
		if (!grow(&p->blocks, p->nblocks, sizeof(b))) {
			snprintf(err, errlen, "out of memory");
			return -ENOMEM;
		}
		p->blocks[p->nblocks++] = b;
	}
	if (!rc && at < len)
		warn(p, "%s is damaged or cut off after %zu blocks", PROFILE_BLOCKS_FILE, p->nblocks);
	return rc;
}

/* --- counters.jsonl --- */

static bool add_snapshot(struct profile *p, const json_t *j)
{
	struct profile_snapshot s = {.time = number(j, "t"),
				     .idle_ns = number(j, "idle_ns"),
				     .working_set = number(j, "working_set"),
				     .counters = calloc(stat_count, sizeof(uint64_t))};

	if (!s.counters || !grow(&p->snapshots, p->nsnapshots, sizeof(s))) {
		free(s.counters);
		return false;
	}
	if (p->nsnapshots)
		memcpy(s.counters, p->snapshots[p->nsnapshots - 1].counters, stat_count * sizeof(uint64_t));
	read_phases(json_object_get(j, "phase_ns"), s.phase_ns);
	read_counters(p, json_object_get(j, "counters"), s.counters);
	p->snapshots[p->nsnapshots++] = s;
	return true;
}

static int read_snapshots(struct profile *p, const char *folder, char *err, size_t errlen)
{
	uint8_t *bytes;
	size_t len;
	int rc = slurp(folder, PROFILE_COUNTERS_FILE, &bytes, &len, err, errlen);
	char *save = NULL;

	if (rc)
		return rc;
	for (char *line = strtok_r((char *)bytes, "\n", &save); line && !rc; line = strtok_r(NULL, "\n", &save)) {
		json_t *j = json_loads(line, 0, NULL);
		if (!json_is_object(j) || (p->nsnapshots && number(j, "t") < p->snapshots[p->nsnapshots - 1].time)) {
			warn(p, "%s is damaged or cut off after %zu lines", PROFILE_COUNTERS_FILE, p->nsnapshots);
			json_decref(j);
			break;
		}
		if (!add_snapshot(p, j)) {
			snprintf(err, errlen, "out of memory");
			rc = -ENOMEM;
		}
		json_decref(j);
	}
	free(bytes);
	return rc;
}

/* A run that did not end by itself wrote its last totals with its last snapshot. */
static void take_last_snapshot(struct profile *p)
{
	const struct profile_snapshot *s;

	if (p->complete)
		return;
	warn(p, "the run has not ended, or not by itself: numbers are those of its last 100 ms snapshot, blocks are "
		"missing");
	if (!p->nsnapshots)
		return;
	s = &p->snapshots[p->nsnapshots - 1];
	memcpy(p->counters, s->counters, stat_count * sizeof(uint64_t));
	memcpy(p->phase_ns, s->phase_ns, sizeof(p->phase_ns));
	p->idle_ns = s->idle_ns;
	p->wall_ns = s->time > p->began_ns ? s->time - p->began_ns : 0;
}

int profile_read(struct profile *p, const char *folder, char *err, size_t errlen)
{
	int rc;

	*p = (struct profile){.counters = calloc(stat_count, sizeof(uint64_t))};
	if (!p->counters) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	rc = read_main(p, folder, err, errlen);
	if (!rc)
		rc = read_samples(p, folder, err, errlen);
	if (!rc)
		rc = read_blocks(p, folder, err, errlen);
	if (!rc)
		rc = read_snapshots(p, folder, err, errlen);
	if (rc)
		return rc;
	take_last_snapshot(p);
	snprintf(p->symbols_file, sizeof(p->symbols_file), "%s/%s", folder, PROFILE_SYMBOLS_FILE);
	if (access(p->symbols_file, R_OK))
		*p->symbols_file = 0;
	return 0;
}

void profile_destroy(struct profile *p)
{
	for (size_t i = 0; i < p->nsnapshots; i++)
		free(p->snapshots[i].counters);
	free(p->snapshots);
	free(p->samples);
	free(p->blocks);
	free(p->sample_bytes);
	free(p->block_bytes);
	free(p->counters);
	json_decref(p->insn_ns);
	json_decref(p->callouts);
}

uint64_t profile_counter(const struct profile *p, const char *name)
{
	for (unsigned i = 0; i < stat_count; i++)
		if (!strcmp(stat_table[i].name, name))
			return p->counters[i];
	return 0;
}
