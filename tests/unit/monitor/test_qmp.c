/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket over a real socket, before a VM that only takes notes. */
#include "monitor/commands.h"
#include "monitor/options.h"
#include "monitor/qmp.h"
#include "monitor/qmp_client.h"
#include "monitor/socket.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_vm {
	pthread_mutex_t lock;
	enum vm_status status;
	char log[8192]; /* what was asked for */
	size_t len;
	int full; /* times that the keyboard refuses */
	const char *text;
};

static void PRINTF_LIKE(2, 3) note(struct fake_vm *vm, const char *fmt, ...)
{
	va_list ap;

	pthread_mutex_lock(&vm->lock);
	va_start(ap, fmt);
	vm->len += (size_t)vsnprintf(vm->log + vm->len, sizeof(vm->log) - vm->len, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&vm->lock);
}

static enum vm_status fake_status(void *arg)
{
	return ((struct fake_vm *)arg)->status;
}

static int fake_stop(void *arg)
{
	note(arg, "stop ");
	((struct fake_vm *)arg)->status = VM_PAUSED;
	return 0;
}

static int fake_cont(void *arg)
{
	note(arg, "cont ");
	((struct fake_vm *)arg)->status = VM_RUNNING;
	return 0;
}

static int fake_reset(void *arg)
{
	note(arg, "reset ");
	return 0;
}

static int fake_powerdown(void *arg)
{
	note(arg, "powerdown ");
	return -ENODEV;
}

static int fake_wakeup(void *arg)
{
	note(arg, "wakeup ");
	return ((struct fake_vm *)arg)->status == VM_SUSPENDED ? 0 : -EINVAL;
}

static int fake_quit(void *arg)
{
	note(arg, "quit ");
	return 0;
}

static int fake_screendump(void *arg, const char *path, const char *format, char *err, size_t errlen)
{
	note(arg, "dump:%s:%s ", path, format);
	if (!strcmp(path, "/bad"))
		return snprintf(err, errlen, "cannot write to /bad"), -EACCES;
	return 0;
}

static int fake_key(void *arg, enum key key, bool down)
{
	struct fake_vm *vm = arg;

	if (vm->full) {
		vm->full--;
		return -EAGAIN;
	}
	note(vm, "%c%s ", down ? '+' : '-', key_info(key)->name);
	return 0;
}

static int fake_pointer(void *arg, const struct vm_pointer *p)
{
	if (p->absolute)
		return -ENOTSUP;
	note(arg, "mouse:%d,%d,%d,%u ", p->x, p->y, p->wheel, p->buttons);
	return 0;
}

static char *fake_text(void *arg)
{
	struct fake_vm *vm = arg;
	return vm->text ? strdup(vm->text) : NULL;
}

static struct json_t *fake_profile(void *arg)
{
	return NULL;
}

static int fake_memory(void *arg, struct memory_use *out)
{
	*out = (struct memory_use){.bytes = {[MEMORY_guest_ram] = 5000, [MEMORY_code] = 20, [MEMORY_other] = 3}};
	return 0;
}

static int fake_stats(void *arg, struct stats *out)
{
	*out = (struct stats){.blocks_translated = 1234567890123};
	return 0;
}

static char dir[64], path[96], err[256];
static struct fake_vm vm;
static struct vm_control_ops ops;
static struct iothread io;
static struct qmp *qmp;

static void setup(void)
{
	strcpy(dir, "/tmp/gnomon-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ctl", dir);
	vm = (struct fake_vm){.lock = PTHREAD_MUTEX_INITIALIZER, .text = "GRUB \u2502 menu\nsecond\n"};
	ops = (struct vm_control_ops){
	    .arg = &vm,
	    .status = fake_status,
	    .stop = fake_stop,
	    .cont = fake_cont,
	    .reset = fake_reset,
	    .powerdown = fake_powerdown,
	    .wakeup = fake_wakeup,
	    .quit = fake_quit,
	    .screendump = fake_screendump,
	    .key = fake_key,
	    .pointer = fake_pointer,
	    .text = fake_text,
	    .stats = fake_stats,
	    .memory = fake_memory,
	    .profile = fake_profile,
	};
	ck_assert_int_eq(iothread_init(&io), 0);
	qmp = qmp_open(&io, &ops, path, err, sizeof(err));
	ck_assert_msg(qmp != NULL, "%s", err);
	ck_assert_int_eq(iothread_start(&io), 0);
}

static void teardown(void)
{
	iothread_stop(&io);
	qmp_close(qmp);
	iothread_destroy(&io);
	ck_assert_int_eq(rmdir(dir), 0); /* the socket is gone */
}

/* Waits until the VM's notes end in `tail`. */
static void expect_notes(const char *tail)
{
	char log[sizeof(vm.log)];

	for (unsigned i = 0; i < 300; i++) {
		pthread_mutex_lock(&vm.lock);
		strcpy(log, vm.log);
		pthread_mutex_unlock(&vm.lock);
		if (strlen(log) >= strlen(tail) && !strcmp(log + strlen(log) - strlen(tail), tail))
			return;
		usleep(10000);
	}
	ck_abort_msg("notes: %s, expected at the end: %s", log, tail);
}

static int dial(void)
{
	int fd = socket_connect(path, err, sizeof(err));
	ck_assert_msg(fd >= 0, "%s", err);
	return fd;
}

/* One line, byte by byte: lines must not run into each other here. */
static const char *line(int fd)
{
	static char buf[1 << 17];
	size_t len = 0;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	while (len + 1 < sizeof(buf)) {
		ck_assert_msg(poll(&pfd, 1, 3000) == 1, "no answer");
		if (read(fd, buf + len, 1) != 1)
			break;
		if (buf[len++] == '\n')
			break;
	}
	buf[len] = 0;
	return buf;
}

static const char *ask(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
	return line(fd);
}

static void expect(const char *answer, const char *part)
{
	ck_assert_msg(strstr(answer, part) != NULL, "%s lacks %s", answer, part);
}

static int dial_and_negotiate(void)
{
	int fd = dial();

	expect(line(fd), "{\"QMP\":{\"version\":{\"qemu\":{\"major\":");
	expect(ask(fd, "{\"execute\":\"qmp_capabilities\"}\r\n"), "{\"return\":{}}\r\n");
	return fd;
}

START_TEST(negotiation)
{
	int fd = dial();

	expect(line(fd), "\"capabilities\":[]");
	expect(ask(fd, "{\"execute\":\"query-status\",\"id\":7}"), "CommandNotFound");
	expect(ask(fd, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}"), "not available");
	expect(ask(fd, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[]}}"), "{\"return\":{}}");
	expect(ask(fd, "{\"execute\":\"qmp_capabilities\"}"), "already complete");
	expect(ask(fd, "{\"execute\":\"query-status\",\"id\":{\"a\":[1]}}"), "\"id\":{\"a\":[1]}");
	expect(ask(fd, "{\"execute\":\"query-commands\"}"), "{\"name\":\"screendump\"}");
	expect(ask(fd, "{\"execute\":\"query-version\"}"), "\"package\":\"gnomon-");
	close(fd);
}
END_TEST

/* Without newlines, several at once, over several lines, byte by byte. */
START_TEST(framing)
{
	int fd = dial_and_negotiate();
	const char *slow = "{ \"execute\" :\n\t\"query-status\",\n \"id\": \"}{\\\"\\\\\" }";

	expect(
	    ask(fd, "{\"execute\":\"query-status\",\"id\":1}{\"execute\":\"query-status\",\"id\":2} \n\n{\"execute\":"),
	    "\"id\":1");
	expect(line(fd), "\"id\":2");
	expect(ask(fd, "\"query-status\",\"id\":3}"), "\"id\":3");
	for (const char *p = slow; *p; p++) {
		ck_assert_int_eq(write(fd, p, 1), 1);
		usleep(500);
	}
	expect(line(fd), "\"id\":\"}{\\\"\\\\\"");
	close(fd);
}
END_TEST

static const char *const bad_commands[][2] = {
    {"hello\n", "JSON parse error"},
    {"[1,2]\n", "a command is an object"},
    {"\"execute\"\n", "a command is an object"},
    {"{\"execute\" \"stop\"\n", "JSON parse error"},
    {"{\"execute\": \"stop\"]\n", "JSON parse error"},
    {"{\"execute\": \"st\nop\"}\n", "JSON parse error"},
    {"{}", "lacks member 'execute'"},
    {"{\"execute\": 3}", "lacks member 'execute'"},
    {"{\"execute\": \"stop\", \"execute\": \"cont\"}", "duplicate"},
    {"{\"execute\": \"stop\", \"now\": true}", "'now' is unexpected"},
    {"{\"execute\": \"nonsense\"}", "The command nonsense has not been found"},
    {"{\"execute\": \"stop\", \"arguments\": []}", "must be an object"},
    {"{\"execute\": \"stop\", \"arguments\": {\"x\": 1}}", "does not know"},
    {"{\"execute\": \"screendump\"}", "'filename' is missing"},
    {"{\"execute\": \"screendump\", \"arguments\": {\"filename\": 1}}", "expected: string"},
    {"{\"execute\": \"screendump\", \"arguments\": {\"filename\": \"f\", \"format\": \"gif\"}}", "does not accept"},
    {"{\"execute\": \"screendump\", \"arguments\": {\"filename\": \"/bad\"}}", "cannot write to /bad"},
    {"{\"execute\": \"system_powerdown\"}", "system_powerdown failed: No such device"},
    {"{\"execute\": \"system_wakeup\"}", "Unable to wake up: guest is not in suspended state"},
    {"{\"execute\": \"send-key\", \"arguments\": {\"keys\": []}}", "1 to 16"},
    {"{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\":\"qcode\",\"data\":\"no\"}]}}", "no key 'no'"},
    {"{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\":\"number\",\"data\":-1}]}}", "number -1"},
    {"{\"execute\": \"send-key\", \"arguments\": {\"keys\": [7]}}", "a key is"},
    {"{\"execute\": \"send-key\", \"arguments\": {\"keys\": [{\"type\":\"qcode\",\"data\":\"a\"}], "
     "\"hold-time\": -1}}",
     "hold-time"},
    {"{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [{\"type\":\"abs\",\"data\":"
     "{\"axis\":\"x\",\"value\":1}}]}}",
     "no device"},
    {"{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [{\"type\":\"rel\",\"data\":"
     "{\"axis\":\"x\",\"value\":99999}}]}}",
     "out of range"},
    {"{\"execute\": \"input-send-event\", \"arguments\": {\"events\": [1]}}", "an event is"},
};

START_TEST(mistakes)
{
	int fd = dial_and_negotiate();

	expect(ask(fd, bad_commands[_i][0]), bad_commands[_i][1]);
	/* The line "{..." cut by a newline leaves a rest, which is told to be wrong too. */
	if (strstr(bad_commands[_i][0], "st\nop"))
		line(fd);
	expect(ask(fd, "{\"execute\":\"query-status\",\"id\":1}"), "\"id\":1");
	close(fd);
}
END_TEST

START_TEST(too_long)
{
	int fd = dial_and_negotiate();
	char *big = malloc(200001);

	memset(big, 'x', 200000);
	memcpy(big, "{\"execute\":\"", 12);
	big[199999] = '\n';
	big[200000] = 0;
	expect(ask(fd, big), "too long");
	memset(big, '[', 200000);
	memcpy(big, "{\"a\":", 5);
	big[60000] = '\n';
	big[60001] = 0;
	expect(ask(fd, big), "JSON parse error");
	memset(big, '\n', 1000);
	memcpy(big, "{\"a\":", 5);
	big[1000] = 0;
	expect(ask(fd, big), "JSON parse error");
	expect(ask(fd, "{\"execute\":\"query-status\",\"id\":1}"), "\"id\":1");
	close(fd);
	free(big);
}
END_TEST

START_TEST(random_bytes)
{
	unsigned seed = 12345;
	static const char alphabet[] = "{}[]\"\\,:\n 1x\0\xff\x80tfn";

	for (unsigned round = 0; round < 20; round++) {
		int fd = dial();
		char buf[4096];
		for (unsigned i = 0; i < sizeof(buf); i++)
			buf[i] = alphabet[rand_r(&seed) % (sizeof(alphabet) - 1)];
		for (unsigned i = 0; i < 4; i++)
			if (send(fd, buf, sizeof(buf), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
		close(fd);
	}
	int fd = dial_and_negotiate();
	expect(ask(fd, "{\"execute\":\"query-status\"}"), "running");
	close(fd);
}
END_TEST

START_TEST(run_state_and_events)
{
	int a = dial_and_negotiate(), b = dial_and_negotiate(), silent = dial();

	line(silent); /* its greeting; it has not negotiated: no events for it */
	expect(ask(a, "{\"execute\":\"stop\",\"id\":1}"), "\"event\":\"STOP\"");
	expect(line(a), "{\"return\":{},\"id\":1}");
	expect(line(b), "\"event\":\"STOP\"");
	expect(ask(b, "{\"execute\":\"query-status\"}"),
	       "{\"return\":{\"status\":\"paused\",\"running\":false,\"singlestep\":false}}");
	expect(ask(b, "{\"execute\":\"stop\"}"), "{\"return\":{}}"); /* no change: no event */
	expect(ask(b, "{\"execute\":\"cont\"}"), "\"event\":\"RESUME\"");
	expect(line(a), "\"event\":\"RESUME\"");
	expect(line(b), "{\"return\":{}}");
	expect(ask(a, "{\"execute\":\"system_reset\"}"),
	       "\"event\":\"RESET\",\"data\":{\"guest\":false,\"reason\":\"host-qmp-system-reset\"}}");
	qmp_notify(qmp, QMP_EVENT_SHUTDOWN, true, "guest-shutdown");
	expect(line(a), "{\"return\":{}}");
	expect(line(a), "\"event\":\"SHUTDOWN\",\"data\":{\"guest\":true,\"reason\":\"guest-shutdown\"}}");
	expect(ask(silent, "{\"execute\":\"qmp_capabilities\"}"), "{\"return\":{}}");
	expect_notes("stop stop cont reset ");
	close(a);
	close(b);
	close(silent);
}
END_TEST

START_TEST(results)
{
	int fd = dial_and_negotiate();

	expect(ask(fd, "{\"execute\":\"x-text\"}"), "{\"text\":\"GRUB \u2502 menu\\nsecond\\n\"}");
	expect(ask(fd, "{\"execute\":\"x-stats\"}"), "\"blocks_translated\":1234567890123,");
	expect(ask(fd, "{\"execute\":\"x-memory\"}"), "\"guest_ram\":5000,\"code\":20,");
	expect(ask(fd, "{\"execute\":\"x-memory\"}"), "\"other\":3,\"beyond_ram\":23}");
	expect(ask(fd, "{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"/x.png\",\"format\":\"png\"}}"),
	       "{}");
	expect(ask(fd, "{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"/x\",\"device\":\"d\",\"head\":0}}"),
	       "{}");
	expect_notes("dump:/x.png:png dump:/x:ppm ");
	vm.text = NULL;
	expect(ask(fd, "{\"execute\":\"x-text\"}"), "graphics mode");
	close(fd);
}
END_TEST

START_TEST(keys)
{
	int fd = dial_and_negotiate();
	uint64_t before = host_now_ns();

	vm.full = 3; /* the first key is pressed all the same, a little later */
	expect(ask(fd, "{\"execute\":\"send-key\",\"arguments\":{\"hold-time\":50,\"keys\":[{\"type\":\"qcode\","
		       "\"data\":\"ctrl\"},"
		       "{\"type\":\"qcode\",\"data\":\"alt\"},{\"type\":\"number\",\"data\":211}]}}"),
	       "{\"return\":{}}");
	expect(ask(fd, "{\"execute\":\"send-key\",\"arguments\":{\"keys\":[{\"type\":\"qcode\",\"data\":\"a\"}]}}"),
	       "{\"return\":{}}");
	expect_notes("+ctrl +alt +delete -delete -alt -ctrl +a -a ");
	ck_assert_uint_ge(host_now_ns() - before, 170 * NS_PER_MS);
	expect(ask(fd, "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":["
		       "{\"type\":\"rel\",\"data\":{\"axis\":\"x\",\"value\":5}},{\"type\":\"rel\",\"data\":{\"axis\":"
		       "\"y\",\"value\":-3}},"
		       "{\"type\":\"btn\",\"data\":{\"down\":true,\"button\":\"right\"}},"
		       "{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\",\"data\":\"b\"}}}]}}"),
	       "{\"return\":{}}");
	expect_notes("mouse:5,-3,0,2 +b ");
	expect(ask(fd, "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":["
		       "{\"type\":\"btn\",\"data\":{\"down\":true,\"button\":\"wheel-down\"}},"
		       "{\"type\":\"btn\",\"data\":{\"down\":false,\"button\":\"wheel-down\"}}]}}"),
	       "{\"return\":{}}");
	expect_notes("mouse:0,0,1,2 ");
	close(fd);
}
END_TEST

START_TEST(many_clients)
{
	int fds[10];

	for (unsigned i = 0; i < 10; i++)
		fds[i] = dial();
	for (unsigned i = 0; i < 8; i++)
		expect(line(fds[i]), "QMP");
	ck_assert_str_eq(line(fds[9]), ""); /* turned away */
	for (unsigned i = 0; i < 10; i++)
		close(fds[i]);
	/* The server notices in its own time. */
	for (unsigned i = 0; i < 300; i++) {
		int fd = dial();
		bool welcome = strstr(line(fd), "QMP") != NULL;
		if (welcome)
			expect(ask(fd, "{\"execute\":\"qmp_capabilities\"}"), "{\"return\":{}}");
		close(fd);
		if (welcome)
			return;
		usleep(10000);
	}
	ck_abort_msg("the slots are not free again");
}
END_TEST

/* A client that asks and never reads is dropped, and the VM does not grow. */
START_TEST(deaf_client)
{
	int fd = dial_and_negotiate();
	const char *command = "{\"execute\":\"query-commands\"}\n";
	struct timeval patience = {.tv_sec = 1};
	unsigned sent = 0;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (sent < 100000 && send(fd, command, strlen(command), MSG_NOSIGNAL) > 0)
		sent++;
	ck_assert_uint_lt(sent, 100000);
	close(fd);
	close(dial_and_negotiate());
}
END_TEST

static int ctl(const char *a, const char *b, const char *c, const char *d)
{
	char *argv[] = {path, (char *)a, (char *)b, (char *)c, (char *)d};
	int argc = 1;

	while (argc < 5 && argv[argc])
		argc++;
	return command_ctl(argc, argv);
}

START_TEST(ctl_client)
{
	ck_assert_int_eq(ctl("stop", NULL, NULL, NULL), 0);
	ck_assert_int_eq(ctl("reset", NULL, NULL, NULL), 0);
	expect_notes("stop reset ");
	ck_assert_int_eq(ctl("key", "ctrl-alt-del", "F99", NULL), EXIT_USAGE);
	ck_assert_int_eq(ctl("key", "Ctrl-Alt-Del", "F1", "A"), 0);
	expect_notes("+ctrl +alt +delete -delete -alt -ctrl +f1 -f1 +shift +a -a -shift ");
	ck_assert_int_eq(ctl("type", "l\\n$", NULL, NULL), 0);
	expect_notes("+l -l +ret -ret +shift +4 -4 -shift ");
	ck_assert_int_eq(ctl("type", "\u20ac", NULL, NULL), EXIT_USAGE);
	ck_assert_int_eq(ctl("wait-text", "^sec.nd$", NULL, NULL), 0);
	ck_assert_int_eq(ctl("wait-text", "nothing", "--timeout", "0.2"), EXIT_TIMED_OUT);
	ck_assert_int_eq(ctl("wait-text", "(", NULL, NULL), EXIT_USAGE);
	ck_assert_int_eq(ctl("wait-text", "x", "--timeout", "soon"), EXIT_USAGE);
	ck_assert_int_eq(ctl("screendump", "/a.PNG", NULL, NULL), 0);
	expect_notes("dump:/a.PNG:png ");
	ck_assert_int_eq(ctl("screendump", "/bad", NULL, NULL), EXIT_FAILED);
	ck_assert_int_eq(ctl("powerdown", NULL, NULL, NULL), EXIT_FAILED);
	ck_assert_int_eq(ctl("wakeup", NULL, NULL, NULL), EXIT_FAILED);
	ck_assert_int_eq(ctl("quit", "now", NULL, NULL), EXIT_USAGE);
	ck_assert_int_eq(ctl("fly", NULL, NULL, NULL), EXIT_USAGE);
	ck_assert_int_eq(ctl("quit", NULL, NULL, NULL), 0);
	expect_notes("quit ");
}
END_TEST

START_TEST(ctl_without_vm)
{
	char nowhere[] = "/nonexistent/socket", word[] = "stop";
	char *argv[] = {nowhere, word};

	ck_assert_int_eq(command_ctl(2, argv), EXIT_FAILED);
	ck_assert_int_eq(command_ctl(1, argv), EXIT_USAGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qmp");
	TCase *tc = tcase_create("qmp");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, negotiation);
	tcase_add_test(tc, framing);
	tcase_add_loop_test(tc, mistakes, 0, (int)ARRAY_LEN(bad_commands));
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, random_bytes);
	tcase_add_test(tc, run_state_and_events);
	tcase_add_test(tc, results);
	tcase_add_test(tc, keys);
	tcase_add_test(tc, many_clients);
	tcase_add_test(tc, deaf_client);
	tcase_add_test(tc, ctl_client);
	tcase_add_test(tc, ctl_without_vm);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
