/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs tests, some at a time, each in a process of its own: whatever becomes of one, the others and we go on. A test is
 * over when its process and all pipes from it have ended.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

enum { PIPE_OUT, PIPE_ERR, PIPE_END, PIPES };

#define PROGRESS_NS (200 * NS_PER_MS)

struct job {
	struct suite_test *t; /* NULL: the slot is free */
	pid_t pid;
	int fd[PIPES]; /* ends to read from; -1: closed */
	int log;       /* -1: none */
	uint64_t logged, began, deadline;
	struct vm_end end;
	bool killed;
};

struct runner {
	struct suite *s;
	const struct suite_options *o;
	void (*done)(void *arg, struct suite_test *t);
	void *done_arg;
	struct job *job; /* o->jobs */
	struct pollfd *pfd;
	unsigned running, next, finished, surprises;
	sigset_t old_mask;
	int signals;
	bool terminal;
	uint64_t shown;	     /* when the progress was drawn */
	struct strings logs; /* names in use */
};

/* --- progress, on a terminal --- */

static void erase_progress(struct runner *r)
{
	if (r->terminal)
		fputs("\r\033[K", stderr);
	fflush(stderr);
}

static void show_progress(struct runner *r)
{
	uint64_t now = host_now_ns();

	if (!r->terminal || now < r->shown + PROGRESS_NS)
		return;
	r->shown = now;
	erase_progress(r);
	fprintf(stderr, "[%u/%u]", r->finished, r->s->n);
	if (r->surprises)
		fprintf(stderr, " %u failed", r->surprises);
	for (unsigned i = 0; i < r->o->jobs && i < 3; i++)
		if (r->job[i].t)
			fprintf(stderr, " %.24s %.0fs", r->job[i].t->name,
				(double)(now - r->job[i].began) / NS_PER_SEC);
	fflush(stderr);
}

/* --- logs --- */

/* Its own name for each test, of characters that no file system minds. */
static char *log_path(struct runner *r, const struct suite_test *t)
{
	char *name = strdup(t->name), *path;

	for (char *p = name; p && *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+", *p) ||
		    (p == name && *p == '.'))
			*p = '_';
	if (name && strlen(name) > 200)
		name[200] = 0;
	path = format("%s/%s.log", r->o->logs, name ? name : "_");
	for (unsigned n = 2; path && strings_contain(&r->logs, path); n++) {
		free(path);
		path = format("%s/%s-%u.log", r->o->logs, name ? name : "_", n);
	}
	free(name);
	if (path)
		strings_add(&r->logs, "%s", path);
	return path;
}

static void to_log(struct job *j, const char *buf, size_t len)
{
	static const char cut[] = "\ngnomon: the rest of the output is left out\n";

	if (j->log < 0 || j->logged > SUITE_LOG_MAX)
		return;
	j->logged += len;
	/* A full disk takes the log, not the test. */
	if (write(j->log, buf, len) < 0)
		j->logged = SUITE_LOG_MAX + 1;
	else if (j->logged > SUITE_LOG_MAX && write(j->log, cut, sizeof(cut) - 1) < 0)
		j->logged = SUITE_LOG_MAX + 1;
}

/* The command that does the same, to be pasted into a shell. */
static void log_command(struct job *j)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	fputs("gnomon run", f);
	for (unsigned i = 0; i < j->t->run.n; i++) {
		const char *word = j->t->run.v[i];
		if (*word && !word[strcspn(word, " \t\n'\"\\$`;|&<>()*?[]#~!{}")]) {
			fprintf(f, " %s", word);
			continue;
		}
		fputs(" '", f);
		for (; *word; word++)
			fputs(*word == '\'' ? "'\\''" : (const char[]){*word, 0}, f);
		fputc('\'', f);
	}
	fputc('\n', f);
	if (!fclose(f))
		to_log(j, text, len);
	free(text);
}

static int open_log(struct runner *r, struct job *j)
{
	j->log = -1;
	if (!r->o->logs)
		return 0;
	free(j->t->log);
	j->t->log = log_path(r, j->t);
	if (j->t->log)
		j->log = open(j->t->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return j->log < 0 ? -errno : 0;
}

/* --- a test's life --- */

static void close_pipe(struct job *j, int n)
{
	if (j->fd[n] >= 0)
		close(j->fd[n]);
	j->fd[n] = -1;
}

/* Complaints about what surrounds the test: it fails for that reason. */
static void finish(struct runner *r, struct suite_test *t)
{
	t->done = true;
	r->finished++;
	r->surprises += !suite_in_order(t);
	erase_progress(r);
	r->shown = 0;
	r->done(r->done_arg, t);
}

static void in_child(struct runner *r, struct job *j, int writing[PIPES])
{
	/* Nobody is left behind if we are killed; Ctrl-C is the terminal's to give to all of us. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
	suite_child(&j->t->run, writing[PIPE_OUT], writing[PIPE_ERR], writing[PIPE_END]);
}

static int start(struct runner *r, struct job *j, struct suite_test *t)
{
	int writing[PIPES] = {-1, -1, -1}, rc = 0;

	*j = (struct job){.t = t, .fd = {-1, -1, -1}, .log = -1};
	for (int n = 0; n < PIPES && !rc; n++) {
		int ends[2];
		rc = pipe2(ends, O_CLOEXEC) ? -errno : 0;
		if (!rc) {
			j->fd[n] = ends[0];
			writing[n] = ends[1];
			fcntl(ends[0], F_SETFL, O_NONBLOCK);
		}
	}
	if (!rc)
		rc = open_log(r, j);
	if (!rc) {
		log_command(j);
		fflush(NULL); /* what is in buffers must not be written twice */
		j->began = host_now_ns();
		j->deadline = j->began + (uint64_t)((t->timeout + SUITE_GRACE) * NS_PER_SEC);
		j->pid = fork();
		if (j->pid == 0)
			in_child(r, j, writing);
		rc = j->pid < 0 ? -errno : 0;
	}
	for (int n = 0; n < PIPES; n++)
		if (writing[n] >= 0)
			close(writing[n]);
	if (!rc) {
		r->running++;
		return 0;
	}
	for (int n = 0; n < PIPES; n++)
		close_pipe(j, n);
	if (j->log >= 0)
		close(j->log);
	j->t = NULL;
	return rc;
}

static void read_pipe(struct job *j, int n)
{
	char buf[16 << 10];
	ssize_t len = read(j->fd[n], buf, sizeof(buf));

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		close_pipe(j, n);
		return;
	}
	switch (n) {
	case PIPE_OUT:
		suite_output_add(&j->t->out, buf, (size_t)len);
		break;
	case PIPE_ERR:
		suite_output_said(&j->t->out, buf, (size_t)len);
		suite_output_add(&j->t->out, buf, (size_t)len);
		break;
	case PIPE_END:
		if ((size_t)len == sizeof(j->end))
			memcpy(&j->end, buf, sizeof(j->end));
		return;
	}
	to_log(j, buf, (size_t)len);
}

static void reap(struct runner *r, struct job *j)
{
	struct suite_test *t = j->t;
	int status = 0;

	while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
		;
	t->seconds = (double)(host_now_ns() - j->began) / NS_PER_SEC;
	suite_judge(t, &j->end, status, j->killed);
	if (j->log >= 0)
		close(j->log);
	j->t = NULL;
	r->running--;
	finish(r, t);
}

/* Starts what there is room for. */
static void start_more(struct runner *r)
{
	for (unsigned i = 0; i < r->o->jobs && r->next < r->s->n; i++) {
		while (!r->job[i].t && r->next < r->s->n) {
			struct suite_test *t = &r->s->test[r->next++];
			int rc = 0;

			if (t->skip) {
				t->outcome = SUITE_SKIP;
				t->why = strdup(t->skip);
			} else {
				rc = start(r, &r->job[i], t);
				if (!rc)
					break;
				t->outcome = SUITE_FAIL;
				t->why = format("cannot be started: %s%s%s", strerror(-rc), t->log ? ": " : "",
						t->log ? t->log : "");
			}
			finish(r, t);
		}
	}
}

/* Waits for something to happen. A signal's number, or 0. */
static int wait_and_read(struct runner *r)
{
	nfds_t n = 0;
	struct signalfd_siginfo caught;

	r->pfd[n++] = (struct pollfd){.fd = r->signals, .events = POLLIN};
	for (unsigned i = 0; i < r->o->jobs; i++)
		for (int p = 0; p < PIPES; p++)
			r->pfd[n++] = (struct pollfd){.fd = r->job[i].t ? r->job[i].fd[p] : -1, .events = POLLIN};
	if (poll(r->pfd, n, 1000) < 0)
		return 0;
	if (r->pfd[0].revents && read(r->signals, &caught, sizeof(caught)) == sizeof(caught))
		return (int)caught.ssi_signo;
	for (unsigned i = 0; i < r->o->jobs; i++)
		for (int p = 0; p < PIPES; p++)
			if (r->pfd[1 + i * PIPES + (unsigned)p].revents)
				read_pipe(&r->job[i], p);
	return 0;
}

static void look_after_jobs(struct runner *r)
{
	uint64_t now = host_now_ns();

	for (unsigned i = 0; i < r->o->jobs; i++) {
		struct job *j = &r->job[i];
		if (!j->t)
			continue;
		if (j->fd[PIPE_OUT] < 0 && j->fd[PIPE_ERR] < 0 && j->fd[PIPE_END] < 0) {
			reap(r, j);
		} else if (now > j->deadline && !j->killed) {
			j->killed = true;
			kill(j->pid, SIGKILL);
		}
	}
}

static void kill_all(struct runner *r)
{
	for (unsigned i = 0; i < r->o->jobs; i++) {
		struct job *j = &r->job[i];
		if (!j->t)
			continue;
		kill(j->pid, SIGKILL);
		for (int p = 0; p < PIPES; p++)
			close_pipe(j, p);
		while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (j->log >= 0)
			close(j->log);
	}
}

static int run_all(struct runner *r)
{
	int signo = 0;

	start_more(r);
	while (r->running && !signo) {
		show_progress(r);
		signo = wait_and_read(r);
		look_after_jobs(r);
		start_more(r);
	}
	erase_progress(r);
	kill_all(r);
	return signo;
}

int suite_run(struct suite *s, const struct suite_options *o, void (*done)(void *arg, struct suite_test *t), void *arg)
{
	struct runner r = {.s = s, .o = o, .done = done, .done_arg = arg, .terminal = isatty(STDERR_FILENO)};
	sigset_t mask;
	struct stat st;
	int rc = 0;

	if (o->logs && mkdir(o->logs, 0777) && errno != EEXIST)
		return -errno;
	if (o->logs && (stat(o->logs, &st) || !S_ISDIR(st.st_mode)))
		return -ENOTDIR;
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, &r.old_mask);
	r.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	r.job = calloc(o->jobs, sizeof(*r.job));
	r.pfd = calloc(1 + o->jobs * PIPES, sizeof(*r.pfd));
	if (r.signals < 0)
		rc = -errno;
	else if (!r.job || !r.pfd)
		rc = -ENOMEM;
	else
		rc = run_all(&r);
	if (r.signals >= 0)
		close(r.signals);
	sigprocmask(SIG_SETMASK, &r.old_mask, NULL);
	strings_free(&r.logs);
	free(r.job);
	free(r.pfd);
	return rc;
}
