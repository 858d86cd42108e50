/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packets that read and write registers and memory. */
#include "gdb_internal.h"
#include "gdb_regs.h"
#include "vm.h"

#include <string.h>

/* --- registers --- */

enum gdb_answer gdb_read_registers(struct gdb *gdb, const char *s)
{
	uint8_t value[GDB_REG_MAX_BYTES];

	for (unsigned n = 0; n < gdb_regs_count(); n++) {
		gdb_reg_read(&gdb->vm->cpu, n, value);
		gdb_hex(&gdb->reply, value, gdb_reg_bytes(n));
	}
	return ANSWER;
}

static enum gdb_answer write_register(struct gdb *gdb, unsigned n, const uint8_t *value)
{
	return gdb_reg_write(&gdb->vm->cpu, n, value) ? ANSWER_OK : ANSWER_NOT_PERMITTED;
}

/* All of them; what cannot be written (and differs) is told, with the others written. */
enum gdb_answer gdb_write_registers(struct gdb *gdb, const char *s)
{
	uint8_t value[GDB_REG_MAX_BYTES];
	enum gdb_answer answer = ANSWER_OK;

	for (unsigned n = 0; n < gdb_regs_count(); n++) {
		if (!gdb_take_hex(&s, value, gdb_reg_bytes(n)))
			return ANSWER_INVALID;
		if (write_register(gdb, n, value) != ANSWER_OK)
			answer = ANSWER_NOT_PERMITTED;
	}
	return answer;
}

enum gdb_answer gdb_read_register(struct gdb *gdb, const char *s)
{
	uint8_t value[GDB_REG_MAX_BYTES];
	uint64_t n;

	if (!gdb_take_number(&s, &n) || n >= gdb_regs_count())
		return ANSWER_INVALID;
	gdb_reg_read(&gdb->vm->cpu, (unsigned)n, value);
	gdb_hex(&gdb->reply, value, gdb_reg_bytes((unsigned)n));
	return ANSWER;
}

enum gdb_answer gdb_write_register(struct gdb *gdb, const char *s)
{
	uint8_t value[GDB_REG_MAX_BYTES];
	uint64_t n;

	if (!gdb_take_number(&s, &n) || n >= gdb_regs_count() || !gdb_take(&s, "=") ||
	    !gdb_take_hex(&s, value, gdb_reg_bytes((unsigned)n)))
		return ANSWER_INVALID;
	return write_register(gdb, (unsigned)n, value);
}

/* --- memory --- */

enum gdb_answer gdb_read_memory_packet(struct gdb *gdb, const char *s)
{
	uint8_t bytes[GDB_PACKET_MAX / 2];
	uint64_t len;
	gva_t at;
	size_t n;

	if (!gdb_take_range(&s, &at, &len))
		return ANSWER_INVALID;
	n = gdb_read_memory(gdb->vm, at, bytes, (size_t)MIN(len, sizeof(bytes)));
	if (!n && len)
		return ANSWER_FAULT;
	gdb_hex(&gdb->reply, bytes, n);
	return ANSWER;
}

static enum gdb_answer put_memory(struct gdb *gdb, gva_t at, const void *bytes, size_t len)
{
	return gdb_write_memory(gdb->vm, at, bytes, len) ? ANSWER_OK : ANSWER_FAULT;
}

enum gdb_answer gdb_write_memory_packet(struct gdb *gdb, const char *s)
{
	uint8_t bytes[GDB_PACKET_MAX / 2];
	uint64_t len;
	gva_t at;

	if (!gdb_take_range(&s, &at, &len) || !gdb_take(&s, ":") || len > sizeof(bytes) ||
	    !gdb_take_hex(&s, bytes, len))
		return ANSWER_INVALID;
	return put_memory(gdb, at, bytes, len);
}

enum gdb_answer gdb_write_binary_packet(struct gdb *gdb, const char *s)
{
	char bytes[GDB_PACKET_MAX];
	uint64_t len;
	size_t raw;
	long n;
	gva_t at;

	if (!gdb_take_range(&s, &at, &len) || !gdb_take(&s, ":"))
		return ANSWER_INVALID;
	raw = gdb->in.len - (size_t)(s - gdb->in.data);
	memcpy(bytes, s, raw);
	n = gdb_unescape(bytes, raw);
	if (n < 0 || (uint64_t)n != len)
		return ANSWER_INVALID;
	return put_memory(gdb, at, bytes, len);
}
