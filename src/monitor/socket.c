/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 8 }; /* connections that wait to be accepted */

static int PRINTF_LIKE(4, 5) fail(int code, char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return code;
}

static int set_address(struct sockaddr_un *addr, const char *path, char *err, size_t errlen)
{
	size_t len = strlen(path);

	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!len || len >= sizeof(addr->sun_path))
		return fail(-ENAMETOOLONG, err, errlen, "socket path '%s' is empty or longer than %zu bytes", path,
			    sizeof(addr->sun_path) - 1);
	memcpy(addr->sun_path, path, len + 1);
	return 0;
}

/* Removes a socket file that nobody listens at. 0 (gone, or was not there) or a negative errno. */
static int clear_path(const struct sockaddr_un *addr, char *err, size_t errlen)
{
	struct stat st;
	int fd, rc;

	if (lstat(addr->sun_path, &st))
		return 0; /* bind tells what is wrong, if anything */
	if (!S_ISSOCK(st.st_mode))
		return fail(-EEXIST, err, errlen, "%s exists and is not a socket", addr->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(-errno, err, errlen, "cannot make a socket: %s", strerror(errno));
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	close(fd);
	if (rc == 0 || rc == EAGAIN)
		return fail(-EADDRINUSE, err, errlen, "socket %s is in use", addr->sun_path);
	if (rc != ECONNREFUSED)
		return fail(-rc, err, errlen, "socket %s is there already, and cannot be reached: %s", addr->sun_path,
			    strerror(rc));
	if (unlink(addr->sun_path) && errno != ENOENT)
		return fail(-errno, err, errlen, "cannot replace the stale socket %s: %s", addr->sun_path,
			    strerror(errno));
	return 0;
}

/*
 * Binds the socket at a name of its own, listens, and only then gives it the name that others look at: whoever finds
 * the file can connect, and nobody takes a socket that does not listen yet for a stale one. 0 or a negative errno.
 */
static int bind_and_listen(int fd, const struct sockaddr_un *addr)
{
	struct sockaddr_un own = {.sun_family = AF_UNIX};
	size_t size = sizeof(own.sun_path);
	int rc = 0;

	/* A path that leaves no room for the suffix is bound as it is. */
	if ((size_t)snprintf(own.sun_path, size, "%s.%d", addr->sun_path, getpid()) >= size)
		return bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) || listen(fd, BACKLOG) ? -errno : 0;
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)))
		return -errno;
	if (listen(fd, BACKLOG) || link(own.sun_path, addr->sun_path))
		rc = errno == EEXIST ? -EADDRINUSE : -errno;
	if (unlink(own.sun_path) && !rc)
		rc = -errno;
	return rc;
}

int listener_open(struct listener *l, const char *path, char *err, size_t errlen)
{
	struct sockaddr_un addr;
	struct stat st;
	int rc;

	*l = (struct listener){.fd = -1};
	rc = set_address(&addr, path, err, errlen);
	if (!rc)
		rc = clear_path(&addr, err, errlen);
	if (rc)
		return rc;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode before bind: the socket is never there with a wider one. */
	rc = l->fd < 0 || fchmod(l->fd, 0600) ? -errno : bind_and_listen(l->fd, &addr);
	if (rc) {
		listener_close(l);
		return fail(rc, err, errlen, "cannot listen at the socket %s: %s", path, strerror(-rc));
	}
	memcpy(l->path, addr.sun_path, sizeof(addr.sun_path));
	if (!lstat(path, &st)) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	return 0;
}

static int listen_at(struct listener *l, const struct addrinfo *ai)
{
	int on = 1;

	l->fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
	if (l->fd < 0)
		return -errno;
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(l->fd, ai->ai_addr, ai->ai_addrlen) || listen(l->fd, BACKLOG) ? -errno : 0;
}

static uint16_t bound_port(const struct listener *l)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a = {0};
	socklen_t len = sizeof(a);

	getsockname(l->fd, &a.any, &len);
	return ntohs(a.any.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

int listener_open_tcp(struct listener *l, const char *host, uint16_t port, uint16_t *bound, char *err, size_t errlen)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
	char service[8];
	int rc;

	*l = (struct listener){.fd = -1};
	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc)
		return fail(-EADDRNOTAVAIL, err, errlen, "cannot find the address '%s': %s", host, gai_strerror(rc));
	rc = listen_at(l, found);
	freeaddrinfo(found);
	if (rc) {
		listener_close(l);
		return fail(rc, err, errlen, "cannot listen at %s port %u: %s", host, port, strerror(-rc));
	}
	if (bound)
		*bound = bound_port(l);
	return 0;
}

int listener_accept(struct listener *l)
{
	int on = 1, fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (!l->path[0]) /* short messages that are answered at once */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

ssize_t socket_receive(int fd, void *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n > 0 ? n : -1;
}

bool socket_send_queued(int fd, void *queue, size_t *len)
{
	uint8_t *bytes = queue;
	size_t done = 0;

	while (done < *len) {
		ssize_t n = send(fd, bytes + done, *len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n < 0)
			break;
		done += (size_t)n;
	}
	*len -= done;
	if (done)
		memmove(bytes, bytes + done, *len);
	return true;
}

void listener_close(struct listener *l)
{
	struct stat st;

	if (l->fd < 0)
		return;
	if (l->path[0] && !lstat(l->path, &st) && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
	l->fd = -1;
}

int socket_connect(const char *path, char *err, size_t errlen)
{
	struct sockaddr_un addr;
	int fd, rc = set_address(&addr, path, err, errlen);

	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(-errno, err, errlen, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		rc = -errno;
		close(fd);
		return fail(rc, err, errlen, "cannot connect to %s: %s%s", path, strerror(-rc),
			    rc == -ECONNREFUSED ? " (no VM listens there)" : "");
	}
	return fd;
}
