/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options, whichever they belong to. */
#include "options_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

int parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	char *end;
	const char *suffix;
	uint64_t n;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	if (!*end) {
		*bytes = n;
		return 0;
	}
	suffix = strchr(suffixes, toupper((unsigned char)*end));
	if (!suffix || end[1])
		return -EINVAL;
	unsigned shift = 10 * ((unsigned)(suffix - suffixes) + 1);
	if (n > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = n << shift;
	return 0;
}

int parse_seconds(const char *text, double *seconds)
{
	char *end;
	double s;

	/* strtod takes more than we do: signs, hexadecimal, exponents, "inf", "nan". */
	if (!*text || strspn(text, "0123456789.") != strlen(text))
		return -EINVAL;
	s = strtod(text, &end);
	if (*end || end == text)
		return -EINVAL;
	if (!isfinite(s) || s <= 0 || s > 1e9)
		return -ERANGE;
	*seconds = s;
	return 0;
}

bool wrong(struct parse *p, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(p->err, p->errlen, "%s: ", p->option);

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < p->errlen)
		vsnprintf(p->err + n, p->errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

bool take_path(struct parse *p, const char *value, char **path)
{
	if (!*value)
		return wrong(p, "the file name is empty");
	*path = strdup(value);
	return *path || wrong(p, "out of memory");
}

bool take_unix_path(struct parse *p, const char *value, char **path)
{
	struct sockaddr_un addr;

	if (strlen(value) >= sizeof(addr.sun_path))
		return wrong(p, "the socket path is longer than %zu bytes", sizeof(addr.sun_path) - 1);
	return take_path(p, value, path);
}

const char *after(const char *value, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(value, prefix, len) ? NULL : value + len;
}
