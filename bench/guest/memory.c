// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows about page faults and mappings. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PAGES 256 /* 1 MiB: too small for the kernel's large pages, here and on the host */

static void touch(uint8_t *memory)
{
	for (unsigned i = 0; i < PAGES; i++)
		*(volatile uint8_t *)(memory + i * PAGE) = 1;
}

static void do_fault_anon(uint64_t count, void *memory)
{
	while (count--) {
		need(madvise(memory, PAGES * PAGE, MADV_DONTNEED) == 0, "madvise");
		touch(memory);
	}
}

void row_fault_anon(void)
{
	measure(do_fault_anon, anonymous(PAGES), PAGES);
}

static void do_fault_file(uint64_t count, void *file)
{
	while (count--) {
		uint8_t *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, *(int *)file, 0);

		need(memory != MAP_FAILED, "mmap");
		touch(memory);
		munmap(memory, PAGES * PAGE);
	}
}

void row_fault_file(void)
{
	int file = open("/tmp/bench.map", O_RDWR | O_CREAT | O_TRUNC, 0600);

	need(file >= 0 && ftruncate(file, PAGES * PAGE) == 0, "/tmp/bench.map");
	measure(do_fault_file, &file, PAGES);
	unlink("/tmp/bench.map");
}

static void do_cow(uint64_t count, void *memory)
{
	while (count--) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		if (pid == 0) {
			touch(memory);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

void row_cow(void)
{
	uint8_t *memory = anonymous(PAGES);

	touch(memory);
	measure(do_cow, memory, PAGES);
}

static void do_mmap(uint64_t count, void *arg)
{
	while (count--) {
		uint8_t *memory = anonymous(1);

		*(volatile uint8_t *)memory = 1;
		munmap(memory, PAGE);
	}
}

void row_mmap(void)
{
	measure(do_mmap, NULL, 1);
}

static void do_mprotect(uint64_t count, void *memory)
{
	while (count--) {
		need(mprotect(memory, PAGE, PROT_READ) == 0, "mprotect");
		need(mprotect(memory, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
		*(volatile uint8_t *)memory = 1;
	}
}

void row_mprotect(void)
{
	measure(do_mprotect, anonymous(1), 1);
}

static uint8_t block[PAGE];

static void do_file(uint64_t count, void *file)
{
	while (count--) {
		need(pwrite(*(int *)file, block, PAGE, (off_t)(count % PAGES) * PAGE) == PAGE, "pwrite");
		need(pread(*(int *)file, block, PAGE, (off_t)(count % PAGES) * PAGE) == PAGE, "pread");
	}
}

void row_file(void)
{
	int file = open("/tmp/bench.file", O_RDWR | O_CREAT | O_TRUNC, 0600);

	need(file >= 0 && ftruncate(file, PAGES * PAGE) == 0, "/tmp/bench.file");
	measure(do_file, &file, 1);
	unlink("/tmp/bench.file");
}
