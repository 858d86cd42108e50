/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target description (GDB manual, appendix G), put together from gdb_regs.def by the preprocessor. */
#include "gdb_regs.h"

/* What a vector register may be looked at as (gdb's own name for the union: vec128). */
#define VECTOR_TYPES                                                                                                   \
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"   \
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"           \
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"           \
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"         \
	"<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"                           \
	"<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"                           \
	"<field name=\"uint128\" type=\"uint128\"/></union>\n"

/* clang-format off */
#define FEATURE(name) "<feature name=\"" name "\">\n"
#define END_FEATURE() "</feature>\n"
#define VECTORS() VECTOR_TYPES
#define VECTORS_512() "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>\n"
#define FLAGS(name, bytes) "<flags id=\"" name "\" size=\"" #bytes "\">"
#define FIELD(name, first, last) "<field name=\"" name "\" start=\"" #first "\" end=\"" #last "\"/>"
#define END_FLAGS() "</flags>\n"
#define REG(name, bits, type, group, kind, n) \
	"<reg name=\"" name "\" bitsize=\"" #bits "\" type=\"" type "\" group=\"" group "\"/>\n"

static const char xml[] =
	"<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
	"<architecture>i386</architecture>\n"
#include "gdb_regs.def"
	"</target>\n";
/* clang-format on */

const char *gdb_target_xml(size_t *len)
{
	if (len)
		*len = sizeof(xml) - 1;
	return xml;
}
