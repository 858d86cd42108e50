/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every layer uses: address types, assertions, small helpers.
 */
#ifndef GNOMON_BASE_H
#define GNOMON_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses are never interchangeable by intent; the names say which space a number belongs to. */
typedef uint64_t gva_t;	      /* guest linear address */
typedef uint64_t gpa_t;	      /* guest physical address */
typedef uintptr_t hva_t;      /* host address */
typedef uint64_t guest_pc_t;  /* guest instruction pointer: offset in CS */
typedef uintptr_t cache_pc_t; /* host address inside the translation cache (executable alias) */

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((uint64_t)1 << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)

#define KiB ((uint64_t)1 << 10)
#define MiB ((uint64_t)1 << 20)
#define GiB ((uint64_t)1 << 30)

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS  1000000ull
#define NS_PER_US  1000ull

#define ARRAY_LEN(a)	      (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	      ((a) < (b) ? (a) : (b))
#define MAX(a, b)	      ((a) > (b) ? (a) : (b))
#define ALIGN_DOWN(x, a)      ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)	      ALIGN_DOWN((x) + (__typeof__(x))(a)-1, a)
#define BIT(n)		      (1ull << (n))
#define container_of(p, t, m) ((t *)((char *)(p)-offsetof(t, m)))
#define LIKELY(x)	      __builtin_expect(!!(x), 1)
#define UNLIKELY(x)	      __builtin_expect(!!(x), 0)
#define NORETURN	      __attribute__((noreturn))
#define PRINTF_LIKE(f, a)     __attribute__((format(printf, f, a)))

/*
 * A broken invariant of ours: prints the message, whatever the panic hook of the running VM adds (CPU, block,
 * trace ring), and aborts. Nothing a guest does may lead here.
 */
NORETURN void panic(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Called by panic() on the thread that panics, to print context to stderr. NULL to remove. Thread-local. */
void panic_set_hook(void (*hook)(void *arg), void *arg);

#define PANIC(...) panic(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(c)  (LIKELY(c) ? (void)0 : panic(__FILE__, __LINE__, "assertion failed: %s", #c))
#define ASSERTF(c, fmt, ...)                                                                                           \
	(LIKELY(c) ? (void)0 : panic(__FILE__, __LINE__, "assertion failed: %s: " fmt, #c, __VA_ARGS__))

/* One line on stderr, "gnomon: ..." (a newline is added). For the user; traces go through trace.h. */
void say(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Host monotonic time in nanoseconds. */
uint64_t host_now_ns(void);

/* A copy of len bytes as a little-endian number (len <= 8), and back. */
static inline uint64_t load_le(const void *p, unsigned len)
{
	uint64_t v = 0;
	__builtin_memcpy(&v, p, len);
	return v;
}

static inline void store_le(void *p, unsigned len, uint64_t v)
{
	__builtin_memcpy(p, &v, len);
}

/* Are all bytes (one at least) 0? */
static inline bool all_zero(const uint8_t *at, size_t len)
{
	return !*at && !__builtin_memcmp(at, at + 1, len - 1);
}

/* Mask of the low `bytes` bytes (1..8). */
static inline uint64_t size_mask(unsigned bytes)
{
	return bytes >= 8 ? ~0ull : (1ull << (bytes * 8)) - 1;
}

static inline uint64_t sign_extend(uint64_t v, unsigned bytes)
{
	unsigned shift = 64 - bytes * 8;
	return (uint64_t)((int64_t)(v << shift) >> shift);
}

#endif
