/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_MONITOR_GDB_INTERNAL_H
#define GNOMON_MONITOR_GDB_INTERNAL_H

#include "cpu/mem.h"
#include "debugger.h"
#include "gdb.h"
#include "gdb_packet.h"
#include "socket.h"

#include <stdio.h>

enum {
	GDB_MAX_OUTPUT = 4 * GDB_PACKET_MAX,
	GDB_E_INVALID = 22, /* numbers in E replies: those of errno */
	GDB_E_FAULT = 14,
	GDB_E_NOT_PERMITTED = 1,
	GDB_E_NO_SPACE = 28,
	GDB_SIGINT = 2, /* gdb's signal numbers */
	GDB_SIGTRAP = 5,
	GDB_SIGABRT = 6,
};

struct gdb {
	struct iothread *io;
	struct vm *vm;
	struct debugger debugger;
	struct listener listener;
	struct io_watch listen_watch;
	struct io_poke stopped; /* by the vCPU thread */

	/* The client; fd -1: none. */
	int fd;
	struct io_watch watch;
	struct gdb_parser in;
	struct gdb_packet reply; /* sent last, for a client that asks again */
	char out[GDB_MAX_OUTPUT];
	size_t out_len;
	bool no_ack;
	bool running;	   /* the client waits for the guest to stop */
	bool tells_breaks; /* it understands swbreak and hwbreak */
	bool leaving;	   /* to be disconnected when all is sent */
};

/* What a handler has to say. */
enum gdb_answer {
	ANSWER,	   /* what is in gdb->reply */
	NO_ANSWER, /* nothing, or later: when the guest stops */
	ANSWER_OK,
	ANSWER_INVALID,
	ANSWER_FAULT,
	ANSWER_NOT_PERMITTED,
	ANSWER_NO_SPACE,
};

/* --- gdb_access.c: the packets g, G, p, P, m, M, X; s: what follows the letter. vCPU thread --- */
enum gdb_answer gdb_read_registers(struct gdb *gdb, const char *s);
enum gdb_answer gdb_write_registers(struct gdb *gdb, const char *s);
enum gdb_answer gdb_read_register(struct gdb *gdb, const char *s);
enum gdb_answer gdb_write_register(struct gdb *gdb, const char *s);
enum gdb_answer gdb_read_memory_packet(struct gdb *gdb, const char *s);
enum gdb_answer gdb_write_memory_packet(struct gdb *gdb, const char *s);
enum gdb_answer gdb_write_binary_packet(struct gdb *gdb, const char *s);

/* --- gdb_commands.c --- */
/* Makes the reply to the packet in gdb->in, in gdb->reply. False: there is none (now). */
bool gdb_dispatch(struct gdb *gdb);
/* The stop reply for how the guest stands. */
void gdb_tell_stop(struct gdb *gdb);

/* --- gdb_memory.c: linear memory; vCPU thread --- */
/* Where a linear address leads, by the guest's tables. False: nowhere. */
bool gdb_translate(struct vm *vm, gva_t at, struct translation *t);
/* Reads RAM or ROM, without any effect; how many bytes, up to the first that is not mapped or is a device's. */
size_t gdb_read_memory(struct vm *vm, gva_t at, uint8_t *to, size_t len);
/* Writes RAM, all or nothing. Protection is for the guest. */
bool gdb_write_memory(struct vm *vm, gva_t at, const uint8_t *from, size_t len);

/* --- gdb_monitor.c --- */
/* `monitor` commands: writes what the user reads to out. */
void gdb_monitor(struct gdb *gdb, const char *command, FILE *out);

#endif
