/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The modes and segments of the matrix. */
#include "matrix.h"

#define FLAT_CODE                                                                                                      \
	{                                                                                                              \
		.limit = 0xffffffffu, .big = true, .code = true                                                        \
	}
#define FLAT                                                                                                           \
	{                                                                                                              \
		.limit = 0xffffffffu, .big = true                                                                      \
	}
#define CODE_64K                                                                                                       \
	{                                                                                                              \
		.limit = 0xffff, .code = true                                                                          \
	}
#define AT_64K(b)                                                                                                      \
	{                                                                                                              \
		.base = (b), .limit = 0xffff                                                                           \
	}

#define REAL_SEGMENTS                                                                                                  \
	{                                                                                                              \
		[SEG_CS] = CODE_64K, [SEG_DS] = AT_64K(0x20000), [SEG_ES] = AT_64K(0x21230),                           \
		[SEG_SS] = AT_64K(0x30000), [SEG_GS] = AT_64K(0x2fff0)                                                 \
	}

#define FLAT_SEGMENTS                                                                                                  \
	{                                                                                                              \
		[SEG_CS] = FLAT_CODE, [SEG_DS] = FLAT, [SEG_ES] = FLAT, [SEG_SS] = FLAT, [SEG_GS] = FLAT               \
	}
/* Based, limited, expand-down. */
#define ODD_SEGMENTS                                                                                                   \
	{                                                                                                              \
		[SEG_CS] = FLAT_CODE, [SEG_DS] = {.base = 0x20000, .limit = 0xffffffffu, .big = true},                 \
		[SEG_ES] = {.base = 0x21000, .limit = 0xfff, .big = true},                                             \
		[SEG_SS] = {.base = 0x30000, .limit = 0xefff, .big = true}, [SEG_GS] = {                               \
			.base = 0x20000,                                                                               \
			.limit = 0xfff,                                                                                \
			.big = true,                                                                                   \
			.down = true                                                                                   \
		}                                                                                                      \
	}
/* 64-KiB segments, one read-only, a 16-bit stack. */
#define STACK16_SEGMENTS                                                                                               \
	{                                                                                                              \
		[SEG_CS] = {.limit = 0xffff, .big = true, .code = true},                                               \
		[SEG_DS] = {.base = 0x20000, .limit = 0xffff, .big = true}, [SEG_ES] = FLAT,                           \
		[SEG_SS] = AT_64K(0x30000), [SEG_GS] = {                                                               \
			.base = 0x20000,                                                                               \
			.limit = 0xffff,                                                                               \
			.big = true,                                                                                   \
			.read_only = true                                                                              \
		}                                                                                                      \
	}
#define SEGMENTS16                                                                                                     \
	{                                                                                                              \
		[SEG_CS] = CODE_64K, [SEG_DS] = {.base = 0x20000, .limit = 0xfff},                                     \
		[SEG_ES] = {.base = 0x20000, .limit = 0xfff, .down = true},                                            \
		[SEG_SS] = {.base = 0x30000, .limit = 0xffff}, [SEG_GS] = {                                            \
			.base = 0x22000,                                                                               \
			.limit = 0xffffffffu,                                                                          \
			.big = true                                                                                    \
		}                                                                                                      \
	}

const struct layout layouts[] = {
    {.name = "flat32", .mode = ISA_PM32_3, .code_size = 4, .seg = FLAT_SEGMENTS},
    {.name = "segments32", .mode = ISA_PM32_3, .code_size = 4, .seg = ODD_SEGMENTS},
    {.name = "stack16", .mode = ISA_PM32_3, .code_size = 4, .seg = STACK16_SEGMENTS},
    {.name = "protected16", .mode = ISA_PM16, .code_size = 2, .seg = SEGMENTS16},
    {.name = "flat16", /* 16-bit code on flat segments: boot loaders */
     .mode = ISA_PM16,
     .code_size = 2,
     .seg = {[SEG_CS] = CODE_64K, [SEG_DS] = FLAT, [SEG_ES] = FLAT, [SEG_SS] = FLAT, [SEG_GS] = AT_64K(0x20000)}},
    /* The first three again, and 16-bit code, under a 64-bit kernel. */
    {.name = "compat32", .mode = ISA_COMPAT, .code_size = 4, .seg = FLAT_SEGMENTS},
    {.name = "compat_segments", .mode = ISA_COMPAT, .code_size = 4, .seg = ODD_SEGMENTS},
    {.name = "compat_stack16", .mode = ISA_COMPAT, .code_size = 4, .seg = STACK16_SEGMENTS},
    {.name = "compat16", .mode = ISA_COMPAT, .code_size = 2, .seg = SEGMENTS16},
    {.name = "long", .mode = ISA_LONG, .code_size = 8},
    {.name = "real", .mode = ISA_REAL, .code_size = 2, .seg = REAL_SEGMENTS},
    {.name = "v86", .mode = ISA_V86, .code_size = 2, .seg = REAL_SEGMENTS},
};

const unsigned layout_count = ARRAY_LEN(layouts);
