/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../run_suite.h"
#include "monitor/gdb_address.h"
#include "monitor/gdb_packet.h"
#include "monitor/gdb_regs.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* What the last byte of the text completes; the ones before complete nothing. */
static enum gdb_input feed(struct gdb_parser *p, const char *text)
{
	enum gdb_input what = GDB_IN_NOTHING;

	for (; *text; text++) {
		ck_assert_int_eq(what, GDB_IN_NOTHING);
		what = gdb_parser_feed(p, (uint8_t)*text);
	}
	return what;
}

START_TEST(framing)
{
	struct gdb_parser *p = malloc(sizeof(*p));

	gdb_parser_init(p);
	ck_assert_int_eq(feed(p, "$g#67"), GDB_IN_PACKET);
	ck_assert_str_eq(p->data, "g");
	ck_assert_int_eq(feed(p, "$#00"), GDB_IN_PACKET);
	ck_assert_str_eq(p->data, "");
	ck_assert_int_eq(feed(p, "noise$m10,4#2E"), GDB_IN_PACKET);
	ck_assert_str_eq(p->data, "m10,4");
	ck_assert_int_eq(feed(p, "$g#66"), GDB_IN_DAMAGED);
	ck_assert_int_eq(feed(p, "$g#x"), GDB_IN_DAMAGED);
	ck_assert_int_eq(feed(p, "$g#6x"), GDB_IN_DAMAGED);
	ck_assert_int_eq(feed(p, "$lost$g#67"), GDB_IN_PACKET);
	ck_assert_str_eq(p->data, "g");
	ck_assert_int_eq(feed(p, "$lost#$g#67"), GDB_IN_PACKET);
	ck_assert_int_eq(feed(p, "+"), GDB_IN_ACK);
	ck_assert_int_eq(feed(p, "-"), GDB_IN_NAK);
	ck_assert_int_eq(feed(p, "\3"), GDB_IN_INTERRUPT);
	ck_assert_int_eq(feed(p, "$\3#03"), GDB_IN_PACKET); /* data, there */
	free(p);
}
END_TEST

START_TEST(longest)
{
	struct gdb_parser *p = malloc(sizeof(*p));

	for (unsigned more = 0; more < 2; more++) {
		gdb_parser_init(p);
		feed(p, "$");
		for (unsigned i = 0; i < GDB_PACKET_MAX + more; i++)
			ck_assert_int_eq(gdb_parser_feed(p, 0x80), GDB_IN_NOTHING);
		ck_assert_int_eq(feed(p, more ? "#80" : "#00"), more ? GDB_IN_TOO_LONG : GDB_IN_PACKET);
		ck_assert_uint_eq(p->len, GDB_PACKET_MAX);
	}
	ck_assert_int_eq(feed(p, "$g#67"), GDB_IN_PACKET);
	free(p);
}
END_TEST

START_TEST(making)
{
	struct gdb_packet *p = malloc(sizeof(*p));
	static const char special[] = "a$#}*b";

	gdb_begin(p);
	gdb_format(p, "E%02x", 14);
	gdb_hex(p, "\x01\xfe", 2);
	gdb_end(p);
	ck_assert_uint_eq(p->len, 11);
	ck_assert_int_eq(memcmp(p->data, "$E0e01fe#06", 11), 0);
	gdb_begin(p);
	ck_assert_uint_eq(gdb_binary(p, special, 6), 6);
	ck_assert_int_eq(memcmp(p->data + 1, "a}\4}\3}]}\nb", 10), 0);
	ck_assert_int_eq(gdb_unescape(p->data + 1, 10), 6);
	ck_assert_int_eq(memcmp(p->data + 1, special, 6), 0);
	/* What does not fit is left out, and never half of it. */
	gdb_begin(p);
	while (gdb_room(p) > 3)
		gdb_text(p, "xx");
	gdb_hex(p, "ab", 2);
	ck_assert(p->overflow);
	ck_assert_uint_eq(gdb_room(p), 2);
	ck_assert_uint_eq(gdb_binary(p, "y}", 2), 1);
	gdb_end(p);
	ck_assert_uint_le(p->len, sizeof(p->data));
	free(p);
}
END_TEST

START_TEST(parts)
{
	const char *s = "vCont;c";
	uint8_t bytes[4];
	uint64_t n, len;
	char cut[] = "ab}";

	ck_assert(!gdb_take(&s, "vCont?"));
	ck_assert(gdb_take(&s, "vCont;"));
	ck_assert_str_eq(s, "c");
	s = "FfFfffffffffffff,10:";
	ck_assert(gdb_take_range(&s, &n, &len));
	ck_assert_uint_eq(n, UINT64_MAX);
	ck_assert_uint_eq(len, 16);
	ck_assert_str_eq(s, ":");
	s = "10000000000000000";
	ck_assert(!gdb_take_number(&s, &n));
	s = "x";
	ck_assert(!gdb_take_number(&s, &n));
	s = "00ff7";
	ck_assert(!gdb_take_hex(&s, bytes, 3));
	s = "00ff7F";
	ck_assert(gdb_take_hex(&s, bytes, 3));
	ck_assert_int_eq(memcmp(bytes, "\0\xff\x7f", 3), 0);
	ck_assert_int_eq(gdb_unescape(cut, 3), -1);
}
END_TEST

/* Registers in the description are those in the table. */
START_TEST(description)
{
	size_t len;
	const char *xml = gdb_target_xml(&len), *at = xml;
	unsigned n = 0;

	ck_assert_uint_eq(strlen(xml), len);
	for (; (at = strstr(at, "bitsize=\"")); n++, at++)
		ck_assert_int_eq(atoi(at + 9), (int)gdb_reg_bytes(n) * 8);
	ck_assert_uint_eq(n, gdb_regs_count());
}
END_TEST

static void check_address(const char *text, const char *path, const char *host, unsigned port, bool wait)
{
	struct gdb_config c;
	char err[200];

	ck_assert_msg(gdb_address_parse(text, &c, err, sizeof(err)) == 0, "%s", text);
	ck_assert_pstr_eq(c.path, path);
	ck_assert_pstr_eq(c.host, host);
	ck_assert_uint_eq(c.port, port);
	ck_assert_int_eq(c.wait, wait);
	free(c.path);
	free(c.host);
}

START_TEST(addresses)
{
	static const char *const wrong[] = {
	    "",	   "1234",  ":",      ":x",  ":65536", ":-1",	"a:1,wai", "unix:", "tcp:unix:",       ":1,w",
	    "::1", "::1:5", "[::1]:", ":1 ", ":+5",    "x:1:2", "tcp:5",   ",wait", ":99999999999999", "unix:,wait"};
	struct gdb_config c;
	char err[200];

	check_address(":1234", NULL, "127.0.0.1", 1234, false);
	check_address("tcp::0,wait", NULL, "127.0.0.1", 0, true);
	check_address("0.0.0.0:65535", NULL, "0.0.0.0", 65535, false);
	check_address("[::1]:5", NULL, "::1", 5, false);
	check_address("localhost:1,wait", NULL, "localhost", 1, true);
	check_address("unix:/tmp/a,b:c", "/tmp/a,b:c", NULL, 0, false);
	check_address("unix:x,wait", "x", NULL, 0, true);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		*err = 0;
		ck_assert_msg(gdb_address_parse(wrong[i], &c, err, sizeof(err)) == -EINVAL, "'%s'", wrong[i]);
		ck_assert(*err && !c.path && !c.host);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gdb_packet");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, framing);
	tcase_add_test(tc, longest);
	tcase_add_test(tc, making);
	tcase_add_test(tc, parts);
	tcase_add_test(tc, description);
	tcase_add_test(tc, addresses);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
