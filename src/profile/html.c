/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One page with everything in it: page.html, which draws the summary, with the summary in it. */
#define _GNU_SOURCE
#include "profile.h"

#include <stdlib.h>
#include <string.h>

extern const char profile_page[], profile_page_end[];

static const char marker[] = "@SUMMARY@";

/* Within a script element nothing may look like its end. */
static void put_json(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text == '<')
			fputs("\\u003c", out);
		else
			fputc(*text, out);
}

int profile_write_html(FILE *out, const json_t *summary)
{
	const char *at = strstr(profile_page, marker), *rest = at + strlen(marker);
	char *text = json_dumps(summary, JSON_COMPACT | JSON_ENSURE_ASCII);

	ASSERT(at);
	if (!text)
		return -ENOMEM;
	errno = 0;
	fwrite(profile_page, 1, (size_t)(at - profile_page), out);
	put_json(out, text);
	fwrite(rest, 1, (size_t)(profile_page_end - rest), out);
	free(text);
	return ferror(out) ? (errno ? -errno : -EIO) : 0;
}
