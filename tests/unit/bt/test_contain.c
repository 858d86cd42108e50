/* SPDX-License-Identifier: GPL-2.0-or-later */
/* contain.c: code as translations have it is found to be contained, and with a mistake of each kind it is not. */
#include <check.h>
#include <string.h>

#include "../run_suite.h"
#include "bt/contain.h"
#include "bt/emit.h"
#include "bt/home.h"
#include "bt/xlat64.h"
#include "cpu/cpu.h"

enum {
	RUN = 0x41000000,
	HOME = 0x42000000,
	PROBE = 0x20000000,
	EXIT = 0x40001000,
	MISS = 0x40002000,
	CHUNK = 7,
};

/* Not small: constants of 64 bits. */
#define STATES	0x500000000000ull
#define FRAMES	0x510000000000ull
#define TRACED	0x520000000000ull
#define RAM	0x530000000000ull
#define WATCHED 0x540000000000ull
#define USES	0x550000000000ull

static const struct contain_rules rules = {.home = HOME,
					   .probe = PROBE,
					   .exits = {0, EXIT},
					   .miss = {0, MISS},
					   .states = STATES,
					   .frames = FRAMES,
					   .traced = TRACED,
					   .watched = WATCHED,
					   .uses = USES,
					   .ram = RAM};

static struct contain *k;
static bool rsp_kept;
static uint8_t bytes[512];
static struct emit e;
static struct contain_code code;
static struct contain_point point;
static char why[256];

static void begin(void)
{
	k = contain_create();
	ck_assert_ptr_nonnull(k);
	e = (struct emit){.p = bytes, .start = bytes, .end = bytes + sizeof(bytes), .run = RUN};
	code = (struct contain_code){
	    .bytes = bytes, .run = RUN, .chunk = CHUNK, .delta = R11, .scratch = R10, .points = &point};
}

static void begin_kept(void)
{
	begin();
	rsp_kept = true;
}

static void end(void)
{
	contain_destroy(k);
	rsp_kept = false;
}

static struct host_addr mem(unsigned base, unsigned index, int32_t disp)
{
	return (struct host_addr){(uint8_t)base, (uint8_t)index, 1, disp, false, false};
}

static struct host_addr home(size_t field)
{
	return mem(REG_NONE, REG_NONE, (int32_t)(HOME + field));
}

static bool contained(void)
{
	struct contain_rules r = rules;

	r.rsp_kept = rsp_kept;
	emit_jmp_to(&e, EXIT);
	ck_assert(!e.full);
	code.len = (unsigned)(e.p - bytes);
	return contain_check(k, &r, &code, why, sizeof(why));
}

static void is_contained(void)
{
	ck_assert_msg(contained(), "%s", why);
	end();
}

/* With these words. */
static void is_caught(const char *how)
{
	ck_assert_msg(!contained(), "%s: not seen", how);
	ck_assert_msg(strstr(why, how), "%s: %s", how, why);
	end();
}

static const char no_place[] = "nothing keeps the address in a chunk's place";

/* R11 = the delta of the register's chunk. */
static void look_up(unsigned reg)
{
	emit_mov_imm(&e, R11, 32);
	emit_shrx64(&e, R11, reg, R11);
	emit_load(&e, 8, R11, (struct host_addr){REG_NONE, R11, 8, 0, true, false});
}

static void chunk_delta(unsigned chunk)
{
	emit_load(&e, 8, R11, (struct host_addr){REG_NONE, REG_NONE, 1, (int32_t)chunk * 8, true, false});
}

static void probe(unsigned reg, unsigned chunk)
{
	emit_rorx64(&e, R10, reg, 20);
	emit_load(&e, 1, R10, (struct host_addr){R10, REG_NONE, 1, (int32_t)(PROBE - (chunk << 12)), false, true});
}

START_TEST(test_look_up)
{
	begin();
	look_up(RBX);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0x1000));
	emit_store(&e, 4, RCX, mem(RBX, R11, -0x100000));
	emit_lea(&e, 8, RDX, mem(RBX, REG_NONE, 0x800)); /* moved by little: served by the same delta */
	emit_load(&e, 8, RAX, mem(RDX, R11, 8));
	emit_store(&e, 8, RSP, home(offsetof(struct bt_home, rsp)));
	is_contained();

	begin(); /* the other ring's table */
	emit_mov_imm(&e, R11, 32);
	emit_shrx64(&e, R11, RBX, R11);
	emit_load(&e, 8, R11, (struct host_addr){REG_NONE, R11, 8, SHADOW_SUPERVISOR_VIEW, true, false});
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught("GS: no index of the view");
	begin();
	code.view = SHADOW_SUPERVISOR_VIEW;
	look_up(RBX);
	is_caught("GS: no index of the view");
	begin();
	code.view = SHADOW_SUPERVISOR_VIEW;
	emit_load(&e, 8, R11,
		  (struct host_addr){REG_NONE, REG_NONE, 1, SHADOW_SUPERVISOR_VIEW + CHUNK * 8, true, false});
	probe(RBX, CHUNK);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0x1000));
	is_contained();
	begin();
	emit_load(&e, 8, RAX, mem(RBX, REG_NONE, 0));
	is_caught(no_place);
	begin(); /* another register's */
	look_up(RBX);
	emit_load(&e, 8, RAX, mem(RCX, R11, 0));
	is_caught(no_place);
	begin(); /* written in between */
	look_up(RBX);
	emit_load(&e, 8, RBX, mem(RBX, R11, 0));
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin(); /* by an instruction that names it nowhere */
	look_up(RAX);
	emit_rdtsc(&e);
	emit_load(&e, 8, RCX, mem(RAX, R11, 0));
	is_caught(no_place);
	begin(); /* twice */
	look_up(RBX);
	emit_lea(&e, 8, RBX, mem(RBX, R11, 0));
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin(); /* an index of which nothing is known */
	look_up(RBX);
	emit_lea(&e, 8, RBX, mem(RBX, RCX, 0));
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin(); /* moved away */
	look_up(RBX);
	for (unsigned i = 0; i < 20; i++)
		emit_lea(&e, 8, RBX, mem(RBX, REG_NONE, INT32_MAX));
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin(); /* of the index by a wrong number of bits */
	emit_mov_imm(&e, R11, 31);
	emit_shrx64(&e, R11, RBX, R11);
	emit_load(&e, 8, R11, (struct host_addr){REG_NONE, R11, 8, 0, true, false});
	is_caught("no index of the view");
	begin();
	emit_store(&e, 8, RAX, (struct host_addr){REG_NONE, REG_NONE, 1, 64, true, false});
	is_caught("no index of the view");
}
END_TEST

START_TEST(test_index_of_32_bits)
{
	begin();
	emit_mov(&e, 4, RCX, RCX);
	emit_lea(&e, 8, R10, mem(RBX, RCX, 0));
	look_up(R10);
	emit_load(&e, 8, RAX, mem(R10, R11, 0));
	is_contained();
	begin(); /* the low half of an address is in no chunk's place */
	look_up(RBX);
	emit_mov(&e, 4, R10, RBX);
	emit_load(&e, 8, RAX, mem(R10, R11, 0));
	is_caught(no_place);
}
END_TEST

START_TEST(test_near)
{
	begin();
	chunk_delta(CHUNK);
	probe(RBX, CHUNK);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0x1000));
	emit_lea(&e, 8, RCX, mem(RBX, REG_NONE, 16));
	emit_store(&e, 8, RAX, mem(RCX, R11, 0));
	emit_mov_imm64(&e, R10, (uint64_t)CHUNK << 32 | 0x1234);
	emit_store(&e, 8, RAX, mem(R10, R11, 0));
	is_contained();

	begin();
	chunk_delta(CHUNK);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin(); /* with another chunk */
	chunk_delta(CHUNK);
	probe(RBX, CHUNK + 1);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin();
	chunk_delta(CHUNK);
	probe(RCX, CHUNK);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin(); /* before it was written */
	chunk_delta(CHUNK);
	probe(RBX, CHUNK);
	emit_bswap32(&e, RBX);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin();
	chunk_delta(CHUNK);
	emit_mov_imm64(&e, R10, (uint64_t)(CHUNK + 6) << 32);
	emit_store(&e, 8, RAX, mem(R10, R11, 0));
	is_caught(no_place);
	begin(); /* on one of two ways only */
	chunk_delta(CHUNK);
	uint8_t *past = emit_jrcxz(&e);
	probe(RBX, CHUNK);
	emit_target8(&e, past);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
	begin(); /* what is read is used */
	probe(RBX, CHUNK);
	emit_store(&e, 8, R10, home(offsetof(struct bt_home, spare)));
	is_caught("probe");
	begin(); /* any address of 32 bits */
	emit_load(&e, 4, RAX, (struct host_addr){RBX, REG_NONE, 1, 0, false, true});
	is_caught("no probe");
}
END_TEST

/* Of the register: from 0 to 2 GiB. */
static void probe_index(unsigned reg)
{
	emit_rorx64(&e, R10, reg, 19);
	emit_load(&e, 1, R10, (struct host_addr){R10, REG_NONE, 1, PROBE, false, true});
}

static void indexed(unsigned base, unsigned index, unsigned scale)
{
	emit_lea(&e, 8, R10, mem(base, R11, 0));
	emit_load(&e, 8, RAX, (struct host_addr){R10, (uint8_t)index, (uint8_t)scale, 8, false, false});
}

/* Which form indexed_masked() has: by VEX, or by EVEX with an opmask register. */
static bool evex;

/* VPMASKMOVD XMM0, XMM1, [R10 + register], or VMOVDQU32 ZMM0 {K1}, [R10 + register]: may access nothing. */
static void indexed_masked(unsigned base, unsigned index)
{
	uint8_t sib = (uint8_t)(2 | index << 3);

	emit_lea(&e, 8, R10, mem(base, R11, 0));
	if (evex)
		emit_bytes(&e, (const uint8_t[]){0x62, 0xd1, 0x7e, 0x49, 0x6f, 0x04, sib}, 7);
	else
		emit_bytes(&e, (const uint8_t[]){0xc4, 0xc2, 0x71, 0x8c, 0x04, sib}, 6);
}

/* Probes pass for more than they are meant for, but for what an access is not come past: so one of them at a time. */
START_TEST(test_bounds)
{
	evex = _i;
	begin();
	emit_mov(&e, 4, RCX, RCX);
	look_up(RBX);
	indexed(RBX, RCX, 1);
	is_contained();
	begin();
	look_up(RBX);
	probe_index(RSI);
	indexed(RBX, RSI, 8);
	emit_lea(&e, 8, RCX, (struct host_addr){RSI, RSI, 1, -4, false, false}); /* made of it */
	indexed(RBX, RCX, 4);
	chunk_delta(CHUNK);
	probe(RDX, CHUNK); /* another base */
	indexed(RDX, RSI, 8);
	is_contained();
	begin(); /* a base that an access has been made by */
	chunk_delta(CHUNK);
	probe(RBX, CHUNK);
	emit_load(&e, 8, RAX, mem(RBX, R11, 8));
	probe_index(RSI);
	indexed(RBX, RSI, 8);
	is_contained();

	begin(); /* too large */
	look_up(RBX);
	probe_index(RSI);
	indexed(RBX, RSI, 8);
	emit_lea(&e, 8, RSI, (struct host_addr){RSI, RSI, 8, 0, false, false});
	indexed(RBX, RSI, 4);
	is_caught(no_place);
	begin(); /* base and index at once */
	chunk_delta(CHUNK);
	probe(RBX, CHUNK);
	probe_index(RSI);
	indexed(RBX, RSI, 8);
	is_caught(no_place);
	begin(); /* a base that has only been there with an index */
	look_up(RBX);
	probe_index(RSI);
	indexed(RBX, RSI, 8);
	chunk_delta(CHUNK);
	probe(RDX, CHUNK);
	indexed(RDX, RSI, 8);
	probe_index(RDI);
	indexed(RDX, RDI, 8);
	is_caught(no_place);
	begin(); /* two indexes at once */
	look_up(RBX);
	probe_index(RSI);
	probe_index(RDI);
	emit_lea(&e, 8, RBX, mem(RBX, RDI, 0));
	indexed(RBX, RSI, 1);
	is_caught(no_place);
	begin(); /* of what has not been accessed yet */
	look_up(RBX);
	probe_index(RSI);
	probe_index(RDI);
	emit_bytes(&e, (const uint8_t[]){0x48, 0x29, 0xfe}, 3); /* SUB RSI, RDI */
	indexed(RBX, RSI, 1);
	is_caught(no_place);
	begin(); /* nor by a masked move */
	look_up(RBX);
	probe_index(RSI);
	indexed_masked(RBX, RSI);
	is_caught(no_place);
	begin();
	look_up(RBX);
	probe_index(RSI);
	indexed(RBX, RSI, 1);
	indexed_masked(RBX, RSI);
	is_contained();
	begin(); /* a base by one */
	chunk_delta(CHUNK);
	probe(RBX, CHUNK);
	emit_mov_imm(&e, RCX, 0);
	indexed_masked(RBX, RCX);
	probe_index(RSI);
	indexed(RBX, RSI, 1);
	is_caught(no_place);
	begin(); /* on one of two ways only */
	look_up(RBX);
	probe_index(RSI);
	uint8_t *past = emit_jrcxz(&e);
	indexed(RBX, RSI, 1);
	emit_target8(&e, past);
	indexed(RBX, RSI, 1);					/* with no more than this one */
	emit_bytes(&e, (const uint8_t[]){0x48, 0xf7, 0xde}, 3); /* NEG RSI */
	indexed(RBX, RSI, 1);
	is_contained();
}
END_TEST

/* VMOVDQU32 ZMM0, [RBX + R11 or a mistaken register + disp * 64], with these bits of EVEX's X, B, R' and V' inverted.
 */
static void move_512(uint8_t flipped, uint8_t v_high, int8_t disp)
{
	emit_bytes(&e,
		   (const uint8_t[]){0x62, (uint8_t)(0xb1 ^ flipped), 0x7e, (uint8_t)(0x48 ^ v_high), 0x6f, 0x44, 0x1b,
				     (uint8_t)disp},
		   8);
}

START_TEST(test_evex)
{
	enum { R_HIGH = 0x10, B = 0x20, X = 0x40, R = 0x80 };

	begin();
	look_up(RBX);
	move_512(0, 0, 127);
	move_512(R, 0, -128);
	move_512(R_HIGH, 0, 1);
	is_contained();
	begin(); /* the index is RBX once more */
	look_up(RBX);
	move_512(X, 0, 0);
	is_caught(no_place);
	begin(); /* the base is R11 */
	look_up(RBX);
	move_512(B, 0, 0);
	is_caught(no_place);
	begin(); /* no delta */
	move_512(0, 0, 0);
	is_caught(no_place);
	begin(); /* without a mask it is an access: a probe's word may be taken behind it */
	chunk_delta(CHUNK);
	probe(RBX, CHUNK);
	move_512(0, 0, 0);
	probe_index(RSI);
	indexed(RBX, RSI, 1);
	is_contained();
}
END_TEST

START_TEST(test_points)
{
	begin();
	emit_jmp_to(&e, EXIT);
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = RSI, .near = BIT(RDI)};
	code.npoints = 1;
	emit_load(&e, 8, RAX, mem(RSI, R11, 8));
	chunk_delta(CHUNK);
	emit_load(&e, 8, RAX, mem(RDI, R11, 8));
	is_contained();

	begin(); /* says more than it sees to */
	emit_jmp_to(&e, EXIT);
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = RSI};
	code.npoints = 1;
	emit_load(&e, 8, RAX, mem(RDI, R11, 8));
	is_caught(no_place);
	begin(); /* the code comes there with another delta */
	look_up(RBX);
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = RSI};
	code.npoints = 1;
	emit_load(&e, 8, RAX, mem(RBX, R11, 8));
	is_caught("the delta is not what");
	begin(); /* what was in a scratch register before it */
	look_up(RBX);
	emit_lea(&e, 8, R10, mem(RBX, R11, 0));
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = RBX};
	code.npoints = 1;
	emit_load(&e, 8, RAX, mem(R10, REG_NONE, 8));
	is_caught(no_place);
	begin(); /* or in the monitor's words */
	emit_store(&e, 8, RCX, home(offsetof(struct bt_home, rcx)));
	look_up(RCX);
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = RCX};
	code.npoints = 1;
	emit_load(&e, 8, RCX, home(offsetof(struct bt_home, rcx)));
	emit_load(&e, 8, RAX, mem(RCX, R11, 8));
	is_caught(no_place);
	begin();
	probe(RBX, CHUNK);
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = CONTAIN_NONE, .near = BIT(RCX)};
	code.npoints = 1;
	is_caught("a register is not where");
}
END_TEST

static const char not_near[] = "not near it";

/* R11 = what is kept for RSP. */
static void kept_delta(void)
{
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, rsp_delta)));
}

static void keep_delta(void)
{
	emit_store(&e, 8, R11, home(offsetof(struct bt_home, rsp_delta)));
}

static void move_rsp(int32_t by)
{
	emit_lea(&e, 8, RSP, mem(RSP, REG_NONE, by));
}

START_TEST(test_stack_kept)
{
	begin_kept(); /* as it was */
	is_contained();
	begin_kept(); /* a push, and a little more */
	kept_delta();
	emit_store(&e, 8, RAX, mem(RSP, R11, -8));
	move_rsp(-8);
	move_rsp(-RSP_REACH);
	is_contained();
	begin_kept(); /* and elsewhere */
	kept_delta();
	emit_load(&e, 8, RAX, mem(RSP, R11, 0));
	emit_load(&e, 8, RAX, mem(RSP, R11, 2 * RSP_REACH));
	move_rsp(-8);
	is_contained();
	begin_kept(); /* MOV RSP, RBX */
	look_up(RBX);
	emit_mov(&e, 8, RSP, RBX);
	keep_delta();
	move_rsp(RSP_REACH);
	emit_load(&e, 8, RAX, mem(RSP, R11, 0x1000));
	is_contained();
	begin_kept(); /* LEAVE */
	look_up(RBX);
	emit_lea(&e, 8, RBP, mem(RBX, REG_NONE, 1 << 20));
	emit_load(&e, 8, R10, mem(RBP, R11, 0));
	emit_lea(&e, 8, RSP, mem(RBP, REG_NONE, 8));
	keep_delta();
	is_contained();
	begin_kept(); /* by another view */
	emit_mov_imm(&e, R11, 32);
	emit_shrx64(&e, R11, RSP, R11);
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, view[1])));
	emit_load(&e, 8, R11, (struct host_addr){R10, R11, 8, 0, false, false});
	keep_delta();
	is_contained();
	begin_kept(); /* where the monitor comes in */
	kept_delta();
	emit_load(&e, 8, RAX, mem(RSP, R11, 0));
	move_rsp(16);
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = CONTAIN_NONE};
	code.npoints = 1;
	move_rsp(16);
	is_contained();
}
END_TEST

START_TEST(test_stack_lost)
{
	evex = _i;
	uint8_t *past;

	begin_kept(); /* moved, not touched */
	move_rsp(-8);
	is_caught(not_near);
	begin_kept(); /* read beyond the end of what it may be moved by */
	kept_delta();
	emit_load(&e, 8, RAX, mem(RSP, R11, 0));
	move_rsp(RSP_REACH + 1);
	is_caught(not_near);
	begin_kept();
	emit_mov(&e, 8, RSP, RBX);
	is_caught(not_near);
	begin_kept(); /* another's */
	look_up(RCX);
	emit_mov(&e, 8, RSP, RBX);
	keep_delta();
	is_caught(not_near);
	begin_kept(); /* no delta */
	emit_store(&e, 8, RAX, home(offsetof(struct bt_home, rsp_delta)));
	is_caught(not_near);
	begin_kept(); /* half of one */
	look_up(RSP);
	emit_store(&e, 4, R11, home(offsetof(struct bt_home, rsp_delta) + 4));
	is_caught(not_near);
	begin_kept(); /* touched by another */
	look_up(RSP);
	emit_load(&e, 8, RAX, mem(RSP, R11, 0));
	move_rsp(-8);
	is_caught(not_near);
	begin_kept(); /* elsewhere */
	kept_delta();
	emit_load(&e, 8, RAX, mem(RSP, R11, 2 * RSP_REACH));
	move_rsp(-8);
	is_caught(not_near);
	begin_kept(); /* on one of two ways only */
	kept_delta();
	past = emit_jrcxz(&e);
	emit_load(&e, 8, RAX, mem(RSP, R11, 0));
	emit_target8(&e, past);
	move_rsp(-8);
	is_caught(not_near);
	begin_kept(); /* on the way out in the middle */
	kept_delta();
	move_rsp(-8);
	emit_jmp_to(&e, EXIT);
	emit_load(&e, 8, RAX, mem(RSP, R11, 0));
	is_caught(not_near);
	begin_kept(); /* to what a table holds */
	move_rsp(-8);
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, table)));
	emit_mov(&e, 4, R10, RAX);
	emit_load(&e, 4, R10, (struct host_addr){R11, R10, 4, 0, false, false});
	emit_lea(&e, 8, R10, mem(R10, REG_NONE, MISS));
	emit_jmp_reg(&e, R10);
	move_rsp(8);
	is_caught(not_near);
	begin_kept(); /* by a masked move */
	kept_delta();
	emit_mov(&e, 8, RBX, RSP);
	emit_mov_imm(&e, RCX, 0);
	indexed_masked(RBX, RCX);
	move_rsp(-8);
	is_caught(not_near);
	begin_kept(); /* what is kept is not of the new one */
	emit_mov(&e, 8, RSP, RBX);
	kept_delta();
	emit_load(&e, 8, RAX, mem(RSP, R11, 0));
	is_caught(no_place);
	begin_kept(); /* the monitor's, where the code comes with another one */
	emit_mov(&e, 8, RSP, RBX);
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = CONTAIN_NONE};
	code.npoints = 1;
	kept_delta();
	emit_load(&e, 8, RAX, mem(RSP, R11, 0));
	is_caught(no_place);
	begin_kept(); /* of a view: any index */
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, view[1])));
	emit_load(&e, 8, R11, (struct host_addr){R10, RAX, 8, 0, false, false});
	is_caught("no index of");
}
END_TEST

static void string(bool rsi, bool rdi)
{
	static const uint8_t rep_movsq[] = {0xf3, 0x48, 0xa5};

	look_up(RSI);
	if (rsi)
		emit_lea(&e, 8, RSI, mem(RSI, R11, 0));
	look_up(RDI);
	if (rdi)
		emit_lea(&e, 8, RDI, mem(RDI, R11, 0));
	emit_bytes(&e, rep_movsq, sizeof(rep_movsq));
}

START_TEST(test_implicit)
{
	static const uint8_t caught[][8] = {
	    {6, 0xc4, 0xe2, 0xf9, 0x90, 0x04, 0x0b},	   /* VPGATHERDQ XMM0, [RBX + XMM1], XMM0 */
	    {7, 0x62, 0xf2, 0x7d, 0x49, 0x90, 0x04, 0x0b}, /* VPGATHERDD ZMM0 {K1}, [RBX + ZMM1] */
	    {7, 0x62, 0xf2, 0x7d, 0x49, 0xa0, 0x04, 0x0b}, /* VPSCATTERDD [RBX + ZMM1] {K1}, ZMM0 */
	    {3, 0x66, 0x0f, 0xf7},
	    {1, 0xd7},
	    {2, 0x0f, 0x05},
	    {2, 0xcd, 0x80},
	    {2, 0x0f, 0x34},
	    {2, 0x8e, 0xe0},		       /* MOV FS, AX */
	    {5, 0xf3, 0x48, 0x0f, 0xae, 0xd0}, /* WRFSBASE RAX */
	    {5, 0xf3, 0x48, 0x0f, 0xae, 0xd8}, /* WRGSBASE RAX */
	    {3, 0x64, 0x8b, 0x03},	       /* MOV EAX, FS:[RBX] */
	    {1, 0x50},
	    {1, 0x9c},
	    {1, 0xc3},
	    {2, 0xff, 0xe0},
	    {2, 0xff, 0xd0},
	    {1, 0xec},
	    {4, 0xc8, 0, 0, 1},
	    {1, 0xc9},
	    {1, 0xaa},
	    {3, 0x0f, 0xab, 0x03}, /* BTS [RBX], EAX */
	};

	begin();
	string(true, true);
	is_contained();
	begin();
	string(false, true);
	is_caught("string");
	begin();
	string(true, false);
	is_caught("string");
	for (unsigned i = 0; i < ARRAY_LEN(caught); i++) {
		begin();
		emit_bytes(&e, caught[i] + 1, caught[i][0]);
		is_caught(":");
	}
	begin(); /* the monitor's own words */
	emit_store(&e, 8, RSP, home(offsetof(struct bt_home, rsp)));
	emit_mov_imm(&e, RSP, HOME + offsetof(struct bt_home, stack) + 8);
	emit_pushf(&e);
	emit_pop(&e, R10);
	emit_load(&e, 8, RSP, home(offsetof(struct bt_home, rsp)));
	is_contained();
	begin(); /* one word too many */
	emit_mov_imm(&e, RSP, HOME + offsetof(struct bt_home, stack) + 8);
	emit_pushf(&e);
	emit_pushf(&e);
	is_caught("stack");
}
END_TEST

START_TEST(test_own)
{
	begin();
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, cpu)));
	emit_store(&e, 8, RAX, mem(R11, REG_NONE, offsetof(struct cpu, gpr[R8])));
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, view[1])));
	emit_wrgsbase(&e, R10);
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, table)));
	emit_mov(&e, 4, R10, RAX);
	emit_load(&e, 4, R10, (struct host_addr){R11, R10, 4, 0, false, false});
	emit_lea(&e, 8, R10, mem(R10, REG_NONE, MISS));
	emit_jmp_reg(&e, R10);
	is_contained();

	begin();
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, cpu)));
	emit_store(&e, 8, RAX, mem(R11, REG_NONE, sizeof(struct cpu)));
	is_caught("beyond struct cpu");
	begin();
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, cpu)));
	emit_store(&e, 8, RAX, mem(R11, RBX, 0));
	is_caught(no_place);
	begin();
	emit_store(&e, 8, RAX, home(offsetof(struct bt_home, cpu)));
	is_caught("address is written");
	begin();
	emit_store(&e, 8, RAX, home(offsetof(struct bt_home, view)));
	is_caught("address is written");
	begin();
	emit_store(&e, 8, RAX, home(offsetof(struct bt_home, table)));
	is_caught("something else");
	begin();
	emit_store(&e, 8, RAX, home(sizeof(struct bt_home)));
	is_caught("a constant address");
	begin(); /* all of RIP */
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, table)));
	emit_load(&e, 4, R10, (struct host_addr){R11, RAX, 4, 0, false, false});
	is_caught("beyond a table");
	begin(); /* the index, not what it leads to */
	emit_mov(&e, 4, R10, RAX);
	emit_lea(&e, 8, R10, mem(R10, REG_NONE, MISS));
	emit_jmp_reg(&e, R10);
	is_caught("in no table");
	begin();
	emit_jmp_to(&e, EXIT + 1);
	is_caught("out of the block");
	begin();
	emit_target32(&e, emit_jmp(&e), RUN + 1);
	is_caught("a jump into");
}
END_TEST

/* --- a store to a page table, as xlat64_look.c has it --- */

enum look_mistake { NONE, NO_STATE, NO_VERDICT, OF_LOADS, OTHER_BITS, NOT_ALIGNED, OTHER_PAGE, NO_ROOM };

static uint8_t *unless_zero(void)
{
	uint8_t *zero = emit_jrcxz(&e), *slow = emit_jmp(&e);

	emit_target8(&e, zero);
	return slow;
}

static void page_entry(uint64_t table, unsigned to, unsigned size)
{
	emit_mov_imm(&e, RCX, 12);
	emit_shrx64(&e, RCX, R11, RCX);
	emit_mov_imm64(&e, R10, table);
	emit_load(&e, size, to, (struct host_addr){R10, RCX, (uint8_t)size, 0, false, false});
}

static void table_store(enum look_mistake mistake)
{
	uint8_t *slow[4], *full, *room;
	size_t verdict = offsetof(struct bt_home, verdict) + (mistake == OF_LOADS ? 0 : PAGE_STATES);

	look_up(RBX);
	emit_lea(&e, 8, R11, mem(RBX, R11, 0));
	page_entry(STATES, RCX, 1);
	if (mistake == NO_STATE)
		emit_mov_imm(&e, RCX, 3);
	emit_load(&e, 1, RCX, mem(RCX, REG_NONE, (int32_t)(HOME + verdict)));
	emit_lea(&e, 4, RCX, mem(RCX, REG_NONE, -(mistake == NO_VERDICT ? LOOK_CANNOT : LOOK_TRACED)));
	slow[0] = unless_zero();
	emit_mov_imm(&e, RCX, mistake == OTHER_BITS ? 3 : 7);
	emit_pext32(&e, RCX, R11, RCX);
	slow[1] = mistake == NOT_ALIGNED ? NULL : unless_zero();
	emit_load(&e, 4, RCX, home(offsetof(struct bt_home, table_stores)));
	emit_lea(&e, 4, RCX, mem(RCX, REG_NONE, -TABLE_STORES));
	full = emit_jecxz(&e);
	room = emit_jmp8(&e);
	emit_target8(&e, full);
	slow[2] = emit_jmp(&e);
	emit_target8(&e, room);
	page_entry(FRAMES, R10, 4);
	emit_mov_imm64(&e, RCX, TRACED);
	emit_load(&e, 1, RCX, mem(RCX, R10, 0));
	slow[3] = unless_zero();
	if (mistake == OTHER_PAGE)
		emit_lea(&e, 8, R11, mem(R11, REG_NONE, 4096));
	emit_mov_imm(&e, RCX, 0xfff);
	emit_pext32(&e, R11, R11, RCX);
	emit_rorx64(&e, R10, R10, 52);
	emit_lea(&e, 8, R10, mem(R10, R11, 0));
	if (mistake == NO_ROOM)
		emit_store_imm(&e, 8, 3, home(offsetof(struct bt_home, table_stores)));
	emit_load(&e, 4, RCX, home(offsetof(struct bt_home, table_stores)));
	emit_store(&e, 8, R10,
		   (struct host_addr){REG_NONE, RCX, 8, (int32_t)(HOME + offsetof(struct bt_home, table_store)), false,
				      false});
	emit_mov_imm64(&e, R11, RAM);
	emit_lea(&e, 8, R11, mem(R10, R11, 0));
	emit_store(&e, 8, RAX, mem(R11, REG_NONE, 0));
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
		if (slow[i])
			emit_target32_here(&e, slow[i]);
}

/* The delta of a chunk, and an address in it that is a constant, with an index behind. */
static void constant_indexed(uint64_t address, unsigned scale)
{
	begin();
	emit_mov_imm64(&e, RBX, address);
	chunk_delta(CHUNK);
	emit_mov(&e, 4, RCX, RCX);
	emit_lea(&e, 8, R10, mem(RBX, R11, 0));
	emit_load(&e, 8, RAX, (struct host_addr){R10, RCX, (uint8_t)scale, 0, false, false});
}

START_TEST(test_constant)
{
	const uint64_t chunk = (uint64_t)CHUNK << 32;

	constant_indexed(chunk, 4);
	is_contained();
	constant_indexed(chunk + 0xfffff000, 4);
	is_contained();
	constant_indexed(chunk, 8);
	is_caught(no_place);
	constant_indexed(chunk + 0x200000000, 4); /* beyond */
	is_caught(no_place);

	begin(); /* elsewhere, but a probe has compared it */
	emit_mov_imm64(&e, RBX, chunk - 0x1000000000);
	chunk_delta(CHUNK);
	probe(RBX, CHUNK);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_contained();
	begin();
	emit_mov_imm64(&e, RBX, chunk - 0x1000000000);
	chunk_delta(CHUNK);
	emit_load(&e, 8, RAX, mem(RBX, R11, 0));
	is_caught(no_place);
}
END_TEST

START_TEST(test_held)
{
	begin(); /* an operand of FS */
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, held.fs)));
	emit_load(&e, 8, RAX, mem(R10, REG_NONE, 0x28));
	emit_store(&e, 8, RAX, mem(R10, REG_NONE, -0x100000));
	emit_mov(&e, 4, RCX, RCX); /* an index that is small */
	emit_load(&e, 8, RAX, mem(R10, RCX, 0));
	/* SWAPGS */
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, held.gs)));
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, held.kernel_gs)));
	emit_store(&e, 8, R11, home(offsetof(struct bt_home, held.gs)));
	emit_store(&e, 8, R10, home(offsetof(struct bt_home, held.kernel_gs)));
	/* a new base */
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, held.place)));
	emit_mov(&e, 4, R10, RAX);
	emit_lea(&e, 8, R10, mem(R10, R11, 0));
	emit_store(&e, 8, R10, home(offsetof(struct bt_home, held.fs)));
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, held.nowhere)));
	emit_store(&e, 8, R11, home(offsetof(struct bt_home, held.gs)));
	is_contained();

	begin(); /* an index that is not */
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, held.fs)));
	emit_load(&e, 8, RAX, mem(R10, RCX, 0));
	is_caught(no_place);
	begin(); /* the base itself, not where it leads */
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, fs_base)));
	emit_load(&e, 8, RAX, mem(R10, REG_NONE, 0x28));
	is_caught(no_place);
	begin(); /* half of it */
	emit_load(&e, 4, R10, home(offsetof(struct bt_home, held.fs)));
	is_caught("a part of where a base leads");
	begin();
	emit_store(&e, 4, RAX, home(offsetof(struct bt_home, held.gs) + 4));
	is_caught("a base leads to what is no place");
	begin(); /* what the guest has */
	emit_store(&e, 8, RAX, home(offsetof(struct bt_home, held.fs)));
	is_caught("a base leads to what is no place");
	begin();
	emit_store_imm(&e, 8, 0x1000, home(offsetof(struct bt_home, held.fs)));
	is_caught("a base leads to what is no place");
	begin(); /* all 64 bits of a base */
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, held.place)));
	emit_lea(&e, 8, R10, mem(RAX, R11, 0));
	emit_store(&e, 8, R10, home(offsetof(struct bt_home, held.fs)));
	is_caught("a base leads to what is no place");
	begin(); /* little by little */
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, held.fs)));
	emit_lea(&e, 8, R10, mem(R10, REG_NONE, 8));
	emit_store(&e, 8, R10, home(offsetof(struct bt_home, held.fs)));
	is_caught("a base leads to what is no place");
	begin();
	emit_load(&e, 8, R10, home(offsetof(struct bt_home, held.fs)));
	emit_store(&e, 8, R10, home(offsetof(struct bt_home, held.place)));
	is_caught("where a base is expected is written");
}
END_TEST

START_TEST(test_looks)
{
	begin();
	table_store(NONE);
	is_contained();
	for (enum look_mistake m = NO_STATE; m <= NO_ROOM; m++) {
		begin();
		table_store(m);
		is_caught(no_place);
	}
}
END_TEST

/* --- a store beside code, likewise --- */

enum code_mistake { CODE_NONE, CODE_NO_STATE, CODE_CROSSES, CODE_NOT_ALL, CODE_OTHER_BIT, CODE_NO_PAGE, CODE_INDEX };

static void code_store(enum code_mistake mistake)
{
	uint8_t *slow[4];

	look_up(RBX);
	emit_lea(&e, 8, R11, mem(RBX, R11, 0));
	page_entry(STATES, RCX, 1);
	emit_load(&e, 1, RCX, mem(RCX, REG_NONE, (int32_t)(HOME + offsetof(struct bt_home, verdict) + PAGE_STATES)));
	emit_lea(&e, 4, RCX, mem(RCX, REG_NONE, -(mistake == CODE_NO_STATE ? LOOK_CANNOT : LOOK_TRACED)));
	slow[0] = unless_zero();
	page_entry(FRAMES, R10, 4);
	emit_mov_imm64(&e, RCX, TRACED);
	emit_load(&e, 1, RCX, mem(RCX, R10, 0));
	slow[1] = unless_zero();
	emit_mov_imm(&e, RCX, mistake == CODE_NO_PAGE ? 0x1fff : 0xfff);
	emit_pext32(&e, R11, R11, RCX);
	emit_rorx64(&e, R10, R10, 52);
	emit_lea(&e, 8, R10, mem(R10, R11, 0));
	emit_lea(&e, 4, R11, mem(R11, REG_NONE, mistake == CODE_NOT_ALL ? 6 : 63));
	emit_mov_imm(&e, RCX, mistake == CODE_OTHER_BIT ? 2048 : 4096);
	emit_pext32(&e, RCX, R11, RCX);
	slow[2] = mistake == CODE_CROSSES ? NULL : unless_zero();
	emit_mov_imm(&e, RCX, mistake == CODE_INDEX ? 5 : 6);
	emit_shrx64(&e, RCX, R10, RCX);
	emit_mov_imm64(&e, R11, WATCHED);
	emit_load(&e, 1, RCX, mem(R11, RCX, 0));
	slow[3] = unless_zero();
	emit_mov_imm64(&e, R11, RAM);
	emit_lea(&e, 8, R11, mem(R10, R11, 0));
	emit_store(&e, 8, RAX, mem(R11, REG_NONE, 0));
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
		if (slow[i])
			emit_target32_here(&e, slow[i]);
}

START_TEST(test_looks_at_code)
{
	begin();
	code_store(CODE_NONE);
	is_contained();
	for (enum code_mistake m = CODE_NO_STATE; m <= CODE_INDEX; m++) {
		begin();
		code_store(m);
		is_caught(no_place);
	}
}
END_TEST

/* --- an access to a page that is known, likewise --- */

enum known_mistake {
	KNOWN_NONE,
	KNOWN_NO_STATE,
	KNOWN_TRACED,
	KNOWN_OF_LOADS,
	KNOWN_CROSSES,
	KNOWN_NOT_ALL,
	KNOWN_OTHER_PAGE,
	KNOWN_NO_FRAME,
	KNOWN_WIDE_USE,
	KNOWN_LATER,
	KNOWN_SMALL, /* no mistake: a byte */
};

static void known_access(enum known_mistake mistake, bool write)
{
	size_t verdict = offsetof(struct bt_home, verdict) + (write && mistake != KNOWN_OF_LOADS ? PAGE_STATES : 0);
	struct host_addr use = {R11, R10, 2, 0, false, false};
	uint8_t *slow[2];

	look_up(RBX);
	emit_lea(&e, 8, R11, mem(RBX, R11, 0));
	emit_store(&e, 8, R11, home(offsetof(struct bt_home, fault)));
	page_entry(STATES, RCX, 1);
	emit_load(&e, 1, RCX, mem(RCX, REG_NONE, (int32_t)(HOME + verdict)));
	emit_lea(&e, 4, RCX,
		 mem(RCX, REG_NONE,
		     -(mistake == KNOWN_NO_STATE ? LOOK_CANNOT
		       : mistake == KNOWN_TRACED ? LOOK_TRACED
						 : LOOK_KNOWN)));
	slow[0] = unless_zero();
	page_entry(FRAMES, R10, 4);
	if (mistake == KNOWN_NO_FRAME)
		emit_mov(&e, 4, R10, RAX);
	emit_mov_imm64(&e, R11, USES);
	emit_load(&e, 2, RCX, use);
	emit_lea(&e, 4, RCX, mem(RCX, REG_NONE, -1));
	emit_store(&e, mistake == KNOWN_WIDE_USE ? 4 : 2, RCX, use);
	emit_load(&e, 8, R11, home(offsetof(struct bt_home, fault)));
	if (mistake == KNOWN_OTHER_PAGE)
		emit_lea(&e, 8, R11, mem(R11, REG_NONE, 4096));
	emit_mov_imm(&e, RCX, 0xfff);
	emit_pext32(&e, R11, R11, RCX);
	emit_rorx64(&e, R10, R10, 52);
	emit_lea(&e, 8, R10, mem(R10, R11, 0));
	emit_lea(&e, 4, R11, mem(R11, REG_NONE, mistake == KNOWN_NOT_ALL ? 6 : 7));
	emit_mov_imm(&e, RCX, 4096);
	emit_pext32(&e, RCX, R11, RCX);
	slow[1] = mistake == KNOWN_CROSSES ? NULL : unless_zero();
	emit_mov_imm64(&e, R11, RAM);
	emit_lea(&e, 8, R11, mem(R10, R11, 0));
	if (mistake == KNOWN_LATER)
		emit_load(&e, 8, RAX, mem(R11, REG_NONE, 8));
	if (write)
		emit_store(&e, 8, RAX, mem(R11, REG_NONE, 0));
	else
		emit_load(&e, mistake == KNOWN_SMALL ? 1 : 8, RAX, mem(R11, REG_NONE, 0));
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
		if (slow[i] && mistake != KNOWN_SMALL)
			emit_target32_here(&e, slow[i]);
	if (mistake == KNOWN_SMALL) { /* elsewhere it is not, but loaded in another way */
		uint8_t *done = emit_jmp(&e);
		emit_target32_here(&e, slow[0]);
		emit_target32_here(&e, slow[1]);
		emit_mov_imm(&e, RAX, 3);
		emit_target32_here(&e, done);
	}
}

START_TEST(test_looks_known)
{
	for (unsigned write = 0; write < 2; write++) {
		begin();
		known_access(KNOWN_NONE, write);
		is_contained();
		for (enum known_mistake m = KNOWN_NO_STATE; m <= KNOWN_LATER; m++) {
			if (m == KNOWN_OF_LOADS && !write)
				continue;
			begin();
			known_access(m, write);
			is_caught(no_place);
		}
	}
	begin(); /* what was loaded is as small there as elsewhere */
	known_access(KNOWN_SMALL, false);
	look_up(RBX);
	emit_lea(&e, 8, R10, mem(RBX, R11, 0));
	emit_store(&e, 8, RDX, (struct host_addr){R10, RAX, 8, 0, false, false});
	is_contained();
}
END_TEST

static const char not_known[] = "not all is known";

/* What a pass of a loop over memory at RBX, entered behind its probe, does to it. */
enum pass {
	PASS_LEAVES,
	PASS_WALKS,
	PASS_COPIES, /* and comes back */
	PASS_COMPARES,
	PASS_FIRST_WRONG,
	PASS_MOVES = PASS_FIRST_WRONG, /* without an access */
	PASS_JUMPS,		       /* far */
	PASS_MASKED,		       /* an access that need not be made */
	PASS_INDEXED,		       /* somewhere near */
	PASS_ELSEWHERE,		       /* by the delta of its own chunk, which may be the next one */
	PASS_LOADS,
	PASS_NO_DELTA,
	PASS_NO_PROBE,
	PASSES
};

static void pass(enum pass what)
{
	switch (what) {
	case PASS_WALKS:
	case PASS_JUMPS:
		emit_load(&e, 8, RAX, mem(RBX, R11, 8));
		break;
	case PASS_COPIES:
		emit_lea(&e, 8, RCX, mem(RBX, REG_NONE, 16));
		emit_bswap32(&e, RBX);
		emit_lea(&e, 8, RBX, mem(RCX, REG_NONE, -16));
		return;
	case PASS_COMPARES:
		emit_load(&e, 8, RBX, mem(RBX, R11, 8));
		probe(RBX, CHUNK);
		break;
	case PASS_MASKED:
		emit_mov_imm(&e, RCX, 0);
		indexed_masked(RBX, RCX);
		break;
	case PASS_INDEXED:
		emit_mov(&e, 4, RCX, RCX);
		indexed(RBX, RCX, 1);
		break;
	case PASS_ELSEWHERE:
		look_up(RBX);
		emit_load(&e, 8, RAX, mem(RBX, R11, 8));
		chunk_delta(CHUNK);
		break;
	case PASS_LOADS:
		emit_load(&e, 8, RBX, mem(RBX, R11, 8));
		return;
	case PASS_NO_DELTA:
		look_up(RBX);
		return;
	case PASS_LEAVES:
	case PASS_NO_PROBE:
		return;
	default:
		break;
	}
	emit_lea(&e, 8, RBX, mem(RBX, REG_NONE, what == PASS_JUMPS ? NEAR_REACH + 9 : 8));
}

static void loop(enum pass what)
{
	uint8_t *done;

	code.near = BIT(RBX);
	if (what != PASS_NO_PROBE)
		probe(RBX, CHUNK);
	code.behind[0] = (unsigned)(e.p - bytes);
	chunk_delta(CHUNK);
	code.behind[1] = (unsigned)(e.p - bytes);
	pass(what);
	done = emit_jrcxz(&e);
	emit_jmp_to(&e, RUN + code.behind[1]);
	emit_target8(&e, done);
}

/* By induction: what moves in each pass must be compared or accessed in each. */
START_TEST(test_behind)
{
	for (enum pass p = 0; p < PASSES; p++) {
		begin();
		loop(p);
		if (p < PASS_FIRST_WRONG)
			is_contained();
		else
			is_caught(not_known);
	}
}
END_TEST

/* Of a jump that the block ends with. */
static void says(uint16_t near)
{
	static struct contain_link link;

	link = (struct contain_link){(unsigned)(e.p - bytes) + 5, near};
	code.links = &link;
	code.nlinks = 1;
}

START_TEST(test_behind_links)
{
	begin();
	probe(RBX, CHUNK);
	chunk_delta(CHUNK);
	emit_lea(&e, 8, RCX, mem(RBX, REG_NONE, NEAR_REACH));
	says(BIT(RBX) | BIT(RCX) | BIT(R10));
	is_contained();
	begin(); /* with what was known behind probes */
	loop(PASS_LEAVES);
	emit_mov(&e, 8, RDX, RBX);
	says(BIT(RBX) | BIT(RDX) | BIT(R10));
	is_contained();

	begin();
	probe(RBX, CHUNK);
	says(BIT(RCX));
	is_caught(not_known);
	begin();
	probe(RBX, CHUNK + 1);
	says(BIT(RBX));
	is_caught(not_known);
	begin();
	probe(RBX, CHUNK);
	emit_lea(&e, 8, RBX, mem(RBX, REG_NONE, NEAR_REACH + 1));
	says(BIT(RBX));
	is_caught(not_known);
	begin();
	loop(PASS_LEAVES);
	emit_lea(&e, 8, RBX, mem(RBX, REG_NONE, 1));
	says(BIT(RBX));
	is_caught(not_known);
	begin(); /* another delta */
	look_up(RBX);
	says(BIT(R10));
	is_caught(not_known);
	begin();
	chunk_delta(CHUNK + 1);
	says(BIT(R10));
	is_caught(not_known);
	begin(); /* as the monitor comes in, registers that it knows nothing of */
	loop(PASS_LEAVES);
	emit_jmp_to(&e, EXIT);
	point = (struct contain_point){.at = (uint16_t)(e.p - bytes), .delta = CONTAIN_NONE};
	code.npoints = 1;
	says(BIT(RBX));
	is_caught(not_known);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("contain");
	TCase *t = tcase_create("contain");

	tcase_add_test(t, test_look_up);
	tcase_add_test(t, test_index_of_32_bits);
	tcase_add_test(t, test_near);
	tcase_add_loop_test(t, test_bounds, 0, 2);
	tcase_add_test(t, test_evex);
	tcase_add_test(t, test_points);
	tcase_add_test(t, test_behind);
	tcase_add_test(t, test_behind_links);
	tcase_add_test(t, test_stack_kept);
	tcase_add_loop_test(t, test_stack_lost, 0, 2);
	tcase_add_test(t, test_implicit);
	tcase_add_test(t, test_own);
	tcase_add_test(t, test_constant);
	tcase_add_test(t, test_held);
	tcase_add_test(t, test_looks);
	tcase_add_test(t, test_looks_at_code);
	tcase_add_test(t, test_looks_known);
	suite_add_tcase(s, t);
	return run_suite(s);
}
