/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What fuzz_guest has found, reduced: each under every engine. The seeds are in README.md. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/fpu.h"
#include "cpu/seg.h"
#include "cpu/sys.h"
#include "harness.h"

enum { DATA = 0x9000, FLAT_DATA_3 = ISA_DATA32_3 };

static struct machine *m;

static void start(enum isa_engine engine, enum isa_mode mode, const void *code, unsigned len)
{
	m = machine_create(engine);
	machine_reset(m, mode, ISA_LOAD);
	physmem_write(&m->pm, ISA_LOAD, code, len);
}

static void finish(void)
{
	machine_destroy(m);
}

/* An x87 store that meets an unmasked exception leaves memory alone, and FOP names the guest's encoding (seeds 27, 90).
 */
START_TEST(x87_store_not_made)
{
	static const uint8_t code[] = {
	    0xdb, 0xe3,				/* fninit */
	    0xd9, 0xee, 0xd8, 0xf0,		/* fldz; fdiv st, st: a NaN */
	    0xdb, 0xe2,				/* fnclex */
	    0xd9, 0x2d, 0x00, 0x90, 0x00, 0x00, /* fldcw [DATA]: invalid operation unmasked */
	    0xbb, 0x10, 0x90, 0x00, 0x00,	/* mov ebx, DATA + 10 */
	    0xdf, 0x73, 0x10,			/* fbstp [ebx + 10] */
	    0xf4,
	};

	start((enum isa_engine)_i, ISA_PM32, code, sizeof(code));
	machine_poke(m, DATA, 2, 0x37e);
	machine_poke(m, DATA + 0x20, 8, 0x1122334455667788);
	ck_assert_int_eq(machine_run(m), STOP_DONE);
	ck_assert_uint_eq(machine_peek(m, DATA + 0x20, 8), 0x1122334455667788);
	ck_assert_uint_eq(load_le(&m->cpu.fpu.image[6], 2) & 0x7ff, 0x773);
	ck_assert_uint_eq(load_le(&m->cpu.fpu.image[8], 4), ISA_LOAD + 19);
	finish();
}
END_TEST

/* Nor does such a store look whether it might be made: no fault of the segment (seeds 2003416, 2010974). */
START_TEST(x87_store_not_checked)
{
	static const uint8_t code[] = {
	    0xdb, 0xe3, 0xd9,	      0xee, 0xd8, 0xf0, 0xdb, 0xe2, /* fninit; fldz; fdiv st, st; fnclex */
	    0xd9, 0x2d, 0x00,	      0x90, 0x00, 0x00,		    /* fldcw [DATA] */
	    0x66, 0xb8, ISA_LIMIT_4K, 0x00, 0x8e, 0xc0,		    /* mov ax, ...; mov es, ax */
	    0x26, 0xdf, 0x35,	      0x00, 0x20, 0x00, 0x00,	    /* fbstp es:[2000] */
	    0xf4,
	};

	start((enum isa_engine)_i, ISA_PM32, code, sizeof(code));
	machine_poke(m, DATA, 2, 0x37e);
	ck_assert_int_eq(machine_run(m), STOP_DONE);
	ck_assert_uint_eq(load_le(&m->cpu.fpu.image[2], 2) & 0x81, 0x81); /* ES, IE */
	finish();
}
END_TEST

/* POPA whose words wrap in the middle changes nothing (seeds 5945, 8741). */
START_TEST(popa_that_wraps)
{
	static const uint8_t code[] = {0x61, 0xf4};

	start((enum isa_engine)_i, ISA_REAL, code, sizeof(code));
	for (unsigned r = 0; r < 8; r++)
		m->cpu.gpr[r] = 0x11110000u + r;
	m->cpu.gpr[RSP] = 0xfffb;
	ck_assert_int_eq(machine_run(m), STOP_FAULT);
	ck_assert_uint_eq(machine_frame(m).vector, EXC_SS);
	for (unsigned r = 0; r < 8; r++)
		if (r != RSP)
			ck_assert_uint_eq(m->cpu.gpr[r], 0x11110000u + r);
	finish();
}
END_TEST

/* The same code with a data and with a code segment in ES: the second may not be written (seeds 2033, 2898). */
START_TEST(code_segment_in_es)
{
	static const uint8_t code[] = {
	    0xbf, 0x00,	       0x90, 0x00, 0x00,		     /* mov edi, DATA */
	    0x6a, FLAT_DATA_3, 0x07,				     /* push; pop es */
	    0xaa,						     /* stosb */
	    0xb0, 0x55,						     /* mov al, 55 */
	    0xc6, 0x05,	       0x06, 0x80, 0x00, 0x00, ISA_CODE32_3, /* the PUSH becomes that of the code segment */
	    0xeb, 0xec,						     /* again */
	};

	start((enum isa_engine)_i, ISA_PM32_3, code, sizeof(code));
	ck_assert_int_eq(machine_run(m), STOP_FAULT);
	ck_assert_uint_eq(machine_frame(m).vector, EXC_GP);
	ck_assert_uint_eq(machine_frame(m).eip, ISA_LOAD + 8);
	ck_assert_uint_eq(machine_peek(m, DATA, 1), 0);
	finish();
}
END_TEST

/* REPNE SCASB that faults far behind its beginning: the flags are those from before (seed 1002213). */
START_TEST(scas_flags_of_a_fault)
{
	static const uint8_t code[] = {
	    0x66, 0xb8, ISA_LIMIT_64K, 0x00, 0x8e, 0xc0, /* mov ax, ...; mov es, ax */
	    0xb8, 0x77, 0x00,	       0x00, 0x00,	 /* mov eax, 77 */
	    0x31, 0xff,					 /* xor edi, edi */
	    0xb9, 0xff, 0xff,	       0x1f, 0x00,	 /* mov ecx, 1fffff */
	    0x39, 0xc0,					 /* cmp eax, eax: ZF and PF */
	    0xf2, 0xae,
	};

	start((enum isa_engine)_i, ISA_PM32, code, sizeof(code));
	machine_poke(m, ISA_BASED, 8, 0x0101010101010101);
	ck_assert_int_eq(machine_run(m), STOP_FAULT);
	ck_assert_uint_eq(machine_frame(m).vector, EXC_GP);
	ck_assert_uint_eq(machine_frame(m).eflags & FLAGS_ARITH, FLAG_ZF | FLAG_PF);
	ck_assert_uint_eq(m->cpu.gpr[RDI], 0x10000);
	finish();
}
END_TEST

/* An unmasked x87 exception with CR0.NE clear waits for FERR# to be seen: whoever asks gets the thread back (seeds
 * 1348, 2002). */
START_TEST(waits_for_ferr)
{
	static const uint8_t code[] = {
	    0xdb, 0xe3, 0xd9, 0x2d, 0x00, 0x90, 0x00, 0x00, /* fninit; fldcw [DATA] */
	    0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9,		    /* fld1; fldz; fdivp: by zero */
	    0xd9, 0xe8,					    /* fld1: the exception */
	    0xf4,
	};

	start((enum isa_engine)_i, ISA_PM32, code, sizeof(code));
	machine_poke(m, DATA, 2, 0x37b);
	m->cpu.cr0 &= ~CR0_NE;
	m->timeout_ns = 50 * NS_PER_MS;
	ck_assert_int_eq(machine_run(m), STOP_TIMEOUT);
	ck_assert(m->ferr);
	finish();
}
END_TEST

/* A store of billions of elements into nothing does not keep the thread (seed 132). */
START_TEST(long_string)
{
	static const uint8_t code[] = {
	    0xbf, 0x00, 0x00, 0x00, 0x40, 0xb9, 0xff, 0xff, 0xff, 0x2f, /* mov edi, 40000000; mov ecx, 2fffffff */
	    0xf3, 0xaa, 0xf4,
	};
	uint64_t begin = host_now_ns();

	start((enum isa_engine)_i, ISA_PM32, code, sizeof(code));
	m->timeout_ns = 50 * NS_PER_MS;
	machine_run(m);
	ck_assert_uint_lt(host_now_ns() - begin, 5 * NS_PER_SEC);
	finish();
}
END_TEST

/* The operand of a masked move is in one piece behind its first byte, as others are, also where addresses have 16 bits
 * (seed 9001632). */
START_TEST(masked_across_64k)
{
	static const uint8_t code[] = {
	    0xb8, ISA_DATA32, 0x00, 0x8e, 0xd8,		    /* mov ax, ...; mov ds, ax */
	    0xbb, 0xf8,	      0xff,			    /* mov bx, fff8 */
	    0xc4, 0xe2,	      0x75, 0x2c, 0x07,		    /* vmaskmovps ymm0, ymm1, [bx] */
	    0xc4, 0xe2,	      0x75, 0x2e, 0x87, 0x80, 0x00, /* vmaskmovps [bx + 80], ymm1, ymm0: wraps as a whole */
	    0x62, 0xf1,	      0x7e, 0xa9, 0x6f, 0x17,	    /* vmovdqu32 ymm2 {k1}{z}, [bx] */
	    0xf4,
	};
	bool avx512;

	start((enum isa_engine)_i, ISA_PM16, code, sizeof(code));
	avx512 = cpu_has(&m->cpu, FEAT_AVX512F);
	if (cpu_has(&m->cpu, FEAT_AVX)) {
		m->cpu.cr4 |= CR4_OSXSAVE | CR4_OSFXSR;
		m->cpu.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX | (avx512 ? XCR0_AVX512 : 0);
		memset(m->cpu.fpu.image + FX_XMM0 + 16, 0xff, 16);
		memset(m->cpu.fpu.image + FX_YMM + 16, 0xff, 16);
		store_le(m->cpu.fpu.image + FX_K + 8, 8, 0xff);
		for (unsigned i = 0; i < 8; i++)
			machine_poke(m, 0xfff8 + 4 * i, 4, 0x100 + i);
		ck_assert_int_eq(machine_run(m), avx512 ? STOP_DONE : STOP_FAULT);
		ck_assert_uint_eq(load_le(m->cpu.fpu.image + FX_XMM0 + 8, 4), 0x102);
		ck_assert_uint_eq(load_le(m->cpu.fpu.image + FX_YMM + 12, 4), 0x107);
		ck_assert_uint_eq(machine_peek(m, 0x78 + 28, 4), 0x107);
		ck_assert(!avx512 || load_le(m->cpu.fpu.image + FX_XMM0 + 2 * 16 + 8, 4) == 0x102);
		ck_assert(!avx512 || load_le(m->cpu.fpu.image + FX_YMM + 2 * 16 + 12, 4) == 0x107);
	}
	finish();
}
END_TEST

/* IRETQ that needs more host mappings than there are: its frame and the GDT took turns, for ever (seed 20000156). */
START_TEST(more_than_fits)
{
	enum { VECTOR = 0x40 };
	static const uint8_t code[] = {
	    0x48, 0x8b,	  0x07, 0x48,	0x8b, 0x06, 0x48, 0x8b, 0x03, 0x48, 0x8b, 0x02, /* mov rax, [rdi], ... */
	    0xcd, VECTOR, 0xcd, VECTOR, 0xf4,						/* int; int; hlt */
	};
	static const uint8_t handler[] = {0x48, 0xcf}; /* iretq */
	static const uint8_t pointers[] = {RDI, RSI, RBX, RDX};
	static const gva_t stack = 0x12ffffc000;

	m = machine_create((enum isa_engine)_i);
	machine_set_processor(m, true, false);
	machine_reset(m, ISA_LONG, ISA_LOAD);
	physmem_write(&m->pm, ISA_LOAD, code, sizeof(code));
	physmem_write(&m->pm, ISA_STUBS32 + VECTOR * ISA_STUB_BYTES, handler, sizeof(handler));
	machine_map(m, ISA_LOAD, ISA_LOAD, PAGE_SIZE);
	machine_map(m, stack, ISA_BASED, PAGE_SIZE);
	for (unsigned i = 0; i < ARRAY_LEN(pointers); i++) { /* places of chunks take mappings, too */
		m->cpu.gpr[pointers[i]] = (i + 1) * 4 * GiB;
		machine_map(m, m->cpu.gpr[pointers[i]], DATA, PAGE_SIZE);
	}
	machine_set_segment(m, SEG_CS, ISA_CODE64, machine_peek(m, ISA_GDT + ISA_CODE64, 8));
	machine_set_segment(m, SEG_SS, ISA_DATA32, machine_peek(m, ISA_GDT + ISA_DATA32, 8));
	cpu_set_cpl(&m->cpu, 0);
	m->cpu.gpr[RSP] = stack + PAGE_SIZE;
	m->timeout_ns = 5 * NS_PER_SEC;
	ck_assert_int_eq(machine_run(m), STOP_DONE);
	ck_assert_uint_eq(m->cpu.rip, ISA_LOAD + sizeof(code));
	finish();
}
END_TEST

/* What was computed of a string instruction's pointer has two deltas in it, for the audit: it is not the first that
 * counts (seed 50000794). */
START_TEST(pointer_less_another)
{
	static const uint8_t code[] = {
	    0x48, 0x8b, 0x06,	    /* mov rax, [rsi] */
	    0xaf,		    /* scasd */
	    0x48, 0x29, 0xf9,	    /* sub rcx, rdi */
	    0x44, 0x8b, 0x69, 0x08, /* mov r13d, [rcx + 8] */
	    0xf4,		    /* hlt, which is the supervisor's */
	};

	m = machine_create((enum isa_engine)_i);
	machine_set_processor(m, true, false);
	machine_reset(m, ISA_LONG, ISA_LOAD);
	physmem_write(&m->pm, ISA_LOAD, code, sizeof(code));
	machine_map(m, ISA_LOAD, ISA_LOAD, 0x20000);
	m->cpu.gpr[RSI] = m->cpu.gpr[RDI] = ISA_LOAD + 0x800;
	m->cpu.gpr[RCX] = ISA_LOAD + 0x804 + DATA;
	machine_poke(m, DATA + 8, 4, 0x1234567);
	ck_assert_int_eq(machine_run(m), STOP_FAULT);
	ck_assert_uint_eq(machine_frame(m).vector, EXC_GP);
	ck_assert_uint_eq(m->cpu.gpr[R13], 0x1234567);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {x87_store_not_made,    x87_store_not_checked, popa_that_wraps, code_segment_in_es,
				      scas_flags_of_a_fault, waits_for_ferr,	    long_string,     masked_across_64k,
				      more_than_fits,	     pointer_less_another};
	Suite *s = suite_create("found");
	TCase *tc = tcase_create("guest");
	SRunner *sr;
	int failed;

	for (unsigned i = 0; i < ARRAY_LEN(tests); i++)
		tcase_add_loop_test(tc, tests[i], 0, ENGINES);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
