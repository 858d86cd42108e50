/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb_address.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static int parse_unix(const char *path, struct gdb_config *out, char *err, size_t errlen)
{
	struct sockaddr_un addr;

	if (!*path) {
		snprintf(err, errlen, "the file name is empty");
		return -EINVAL;
	}
	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(err, errlen, "the socket path is longer than %zu bytes", sizeof(addr.sun_path) - 1);
		return -EINVAL;
	}
	out->path = strdup(path);
	return out->path ? 0 : -ENOMEM;
}

static int parse_tcp(const char *text, struct gdb_config *out, char *err, size_t errlen)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	unsigned long port = colon && isdigit((unsigned char)colon[1]) ? strtoul(colon + 1, NULL, 10) : 65536;

	if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) || !colon[1]) {
		snprintf(err, errlen, "'%s' is not [HOST]:PORT[,wait] or unix:PATH[,wait]", text);
		return -EINVAL;
	}
	if (port > 65535) {
		snprintf(err, errlen, "port %s is beyond 65535", colon + 1);
		return -EINVAL;
	}
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		snprintf(err, errlen, "'%s': write an IPv6 address in brackets", text);
		return -EINVAL;
	}
	out->port = (uint16_t)port;
	out->host = len ? strndup(text, len) : strdup("127.0.0.1");
	return out->host ? 0 : -ENOMEM;
}

int gdb_address_parse(const char *text, struct gdb_config *out, char *err, size_t errlen)
{
	static const char suffix[] = ",wait";
	char *copy = strdup(text);
	size_t len = strlen(text), n = sizeof(suffix) - 1;
	int rc;

	*out = (struct gdb_config){0};
	if (!copy)
		return -ENOMEM;
	if (len >= n && !strcmp(copy + len - n, suffix)) {
		out->wait = true;
		copy[len - n] = 0;
	}
	if (!strncmp(copy, "unix:", 5))
		rc = parse_unix(copy + 5, out, err, errlen);
	else
		rc = parse_tcp(strncmp(copy, "tcp:", 4) ? copy : copy + 4, out, err, errlen);
	free(copy);
	return rc;
}
