/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names: those of the guest's kernel, found in its memory, for the report; those of blocks, for the host's perf. */
#define _GNU_SOURCE
#include "profiler_internal.h"

#include "bt/bt.h"

#include <string.h>
#include <unistd.h>

/* Memory that the guest has never touched is not looked at: it would only be made. */
void profile_names_each(const struct vm *vm, kallsyms_fn *fn, void *arg)
{
	const struct pm_backing *ram = &vm->pm.ram;
	size_t given = 0;
	off_t at = 0, end;

	while (!given && (at = lseek(ram->fd, at, SEEK_DATA)) >= 0) {
		end = lseek(ram->fd, at, SEEK_HOLE);
		if (end <= at)
			return;
		given = symbols_each_kallsyms(ram->host + at, (size_t)(end - at), fn, arg);
		at = end;
	}
}

int profile_names_save(struct profiler *p)
{
	struct symbols symbols;
	char *path = NULL;
	FILE *f;
	int rc = 0;

	if (asprintf(&path, "%s/%s", p->folder, PROFILE_SYMBOLS_FILE) < 0)
		return -ENOMEM;
	symbols_init(&symbols);
	profile_names_each(p->vm, symbols_add_kallsym, &symbols);
	symbols_finish(&symbols);
	if (!symbols.count) {
		unlink(path); /* an older profile's */
		goto out;
	}
	errno = 0;
	f = fopen(path, "we");
	for (size_t i = 0; f && i < symbols.count; i++)
		fprintf(f, "%08llx t %s\n", (unsigned long long)symbols.list[i].address, symbols.list[i].name);
	if (!f || ferror(f))
		rc = errno ? -errno : -EIO;
	if (f && fclose(f) && !rc)
		rc = -errno;
	if (rc)
		say("--profile: cannot write %s: %s", path, strerror(-rc));
out:
	symbols_destroy(&symbols);
	free(path);
	return rc;
}

/* --- for perf --- */

static void map_block(void *arg, const struct bt_block_info *b)
{
	fprintf(arg, "%llx %x guest %s %08llx\n", (unsigned long long)b->host, b->host_len, b->user ? "user" : "kernel",
		(unsigned long long)b->linear);
}

void profile_names_perf_map(struct profiler *p)
{
	char path[64];
	FILE *f;

	if (!p->vm->bt)
		return;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "wxe"); /* x: /tmp is everybody's */
	if (!f) {
		say("--perf-map: cannot make %s: %s", path, strerror(errno));
		return;
	}
	bt_profile_blocks(p->vm->bt, true, map_block, f);
	if (ferror(f) | fclose(f))
		say("--perf-map: cannot write %s", path);
}
