// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows about calls, indirect calls and jumps. */
#include "bench.h"

#define FIBONACCI_OF	20
#define FIBONACCI_CALLS 21891 /* of fibonacci(20), itself included */

static __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) uint32_t fibonacci(uint32_t n)
{
	__asm__ volatile("" : "+r"(n)); /* keeps the compiler from unrolling the recursion */
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void do_call(uint64_t count, void *arg)
{
	while (count--)
		sink = fibonacci(FIBONACCI_OF);
}

void row_call(void)
{
	measure(do_call, NULL, FIBONACCI_CALLS);
}

typedef uint32_t target(uint32_t x);

#define TARGET(n, expression)                                                                                          \
	static __attribute__((noinline)) uint32_t target##n(uint32_t x)                                                \
	{                                                                                                              \
		return expression;                                                                                     \
	}
TARGET(0, x + 1)
TARGET(1, x ^ 0x5555)
TARGET(2, x * 3)
TARGET(3, x >> 1)
TARGET(4, x - 77)
TARGET(5, ~x)
TARGET(6, x << 2)
TARGET(7, x | 1)

static target *volatile const targets[] = {target0, target1, target2, target3, target4, target5, target6, target7};

static void do_virtual(uint64_t count, void *arg)
{
	uint32_t x = 1, state = 5;

	for (count *= 1000; count; count--)
		x = targets[next_random(&state) & 7](x);
	sink = x;
}

void row_virtual(void)
{
	measure(do_virtual, NULL, 1000);
}

enum op { PUSH, ADD, SUB, DUP, SWAP, DROP, LOOP, END };

/* Sums numbers: nothing but dispatch. Returns how many instructions it took. */
static __attribute__((noinline)) unsigned interpret(const uint8_t *code)
{
	uint32_t stack[16], *top = stack, counter = 100;
	unsigned executed = 0;

	*top = 0;
	for (const uint8_t *pc = code;; executed++) {
		switch ((enum op) * pc++) {
		case PUSH:
			*++top = *pc++;
			break;
		case ADD:
			top--;
			top[0] += top[1];
			break;
		case SUB:
			top--;
			top[0] -= top[1];
			break;
		case DUP:
			top[1] = top[0];
			top++;
			break;
		case SWAP: {
			uint32_t t = top[0];

			top[0] = top[-1];
			top[-1] = t;
			break;
		}
		case DROP:
			top--;
			break;
		case LOOP:
			if (--counter)
				pc = code;
			break;
		case END:
			sink = *top;
			return executed + 1;
		}
	}
}

static const uint8_t program[] = {PUSH, 3, ADD, DUP, PUSH, 7, SUB, SWAP, DROP, PUSH, 1, ADD, DUP, DROP, LOOP, END};
#define PROGRAM_STEPS (12 * 100 + 1)

static void do_interp(uint64_t count, void *arg)
{
	while (count--)
		need(interpret(program) == PROGRAM_STEPS, "interpreter");
}

void row_interp(void)
{
	measure(do_interp, NULL, PROGRAM_STEPS);
}
