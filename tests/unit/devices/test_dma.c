/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/dma8237.h"

#include "chip_fixture.h"

static struct dma8237 dma;
static struct physmem pm;
static struct pm_region ram = {.name = "ram", .kind = PM_RAM, .enabled = true};
static unsigned ready;

static void out8(unsigned port, uint8_t v)
{
	io_write(&dma_io_ops, &dma, port, 1, v);
}

static uint8_t in8(unsigned port)
{
	return (uint8_t)io_read(&dma_io_ops, &dma, port, 1);
}

static void on_ready(void *arg)
{
	ready++;
}

static void setup(void)
{
	ck_assert_int_eq(physmem_init(&pm, 4 * MiB), 0);
	ram.len = 4 * MiB;
	ram.backing = &pm.ram;
	physmem_add(&pm, &ram);
	dma_init(&dma, &pm);
	ready = 0;
}

/* Channel 2 as a floppy driver sets it up: count is one less than the bytes. */
static void program2(uint8_t mode, uint32_t addr, uint16_t count)
{
	out8(0x0a, 0x06);
	out8(0x0c, 0);
	out8(0x0b, mode | 2);
	out8(0x04, (uint8_t)addr);
	out8(0x04, (uint8_t)(addr >> 8));
	out8(0x81, (uint8_t)(addr >> 16));
	out8(0x05, (uint8_t)count);
	out8(0x05, (uint8_t)(count >> 8));
	out8(0x0a, 0x02);
}

static uint8_t memory(gpa_t at)
{
	uint8_t v;
	physmem_read(&pm, at, &v, 1);
	return v;
}

/* A register of two bytes, low byte first. */
static unsigned in16(unsigned port)
{
	unsigned low = in8(port);

	return low | in8(port) << 8;
}

START_TEST(test_write_and_tc)
{
	uint8_t buf[512];
	bool tc;

	for (unsigned i = 0; i < 512; i++)
		buf[i] = (uint8_t)(i * 7);
	dma_on_ready(&dma, 2, on_ready, NULL);
	program2(0x44, 0x21000, 767);
	ck_assert_uint_eq(ready, 1);
	ck_assert(dma_enabled(&dma, 2));
	ck_assert_uint_eq(dma_direction(&dma, 2), DMA_WRITE);
	ck_assert_uint_eq(dma_remaining(&dma, 2), 768);
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 512, &tc), 512);
	ck_assert(!tc);
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 512, &tc), 256);
	ck_assert(tc);
	ck_assert_uint_eq(memory(0x21000 + 511), (uint8_t)(511 * 7));
	ck_assert_uint_eq(memory(0x21000 + 767), (uint8_t)(255 * 7));
	ck_assert_uint_eq(memory(0x21000 + 768), 0);
	ck_assert(!dma_enabled(&dma, 2)); /* masked at TC */
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 512, &tc), 0);
	ck_assert_uint_eq(in8(0x08), 0x04);
	ck_assert_uint_eq(in8(0x08), 0);
	out8(0x0c, 0);
	ck_assert_uint_eq(in16(0x04), 0x1300);
	ck_assert_uint_eq(in16(0x05), 0xffff);
}
END_TEST

START_TEST(test_read_verify_direction)
{
	uint8_t buf[16] = {0}, pattern[16];
	bool tc;

	memset(pattern, 0x5a, 16);
	physmem_write(&pm, 0x1000, pattern, 16);
	program2(0x48, 0x1000, 15);
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 16, &tc),
			  0); /* the device reads, the guest says write */
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_READ, buf, 16, &tc), 16);
	ck_assert_mem_eq(buf, pattern, 16);
	program2(0x40, 0x1000, 15);
	memset(buf, 1, 16);
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 16, &tc), 16);
	ck_assert(tc);
	ck_assert_uint_eq(memory(0x1000), 0x5a); /* verify: nothing moved */
	program2(0xc4, 0x1000, 15);		 /* cascade */
	ck_assert(!dma_enabled(&dma, 2));
	program2(0x44, 0x1000, 15);
	out8(0x08, 0x04); /* controller off */
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 16, NULL), 0);
}
END_TEST

START_TEST(test_wrap_decrement_autoinit)
{
	uint8_t buf[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	bool tc;

	program2(0x44, 0x3fffc, 7); /* wraps within its 64 KiB */
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 8, &tc), 8);
	ck_assert_uint_eq(memory(0x3ffff), 4);
	ck_assert_uint_eq(memory(0x30000), 5);
	ck_assert_uint_eq(memory(0x40000), 0);
	program2(0x64, 0x50002, 3); /* downwards, wrapping */
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 8, &tc), 4);
	ck_assert_uint_eq(memory(0x50002), 1);
	ck_assert_uint_eq(memory(0x50000), 3);
	ck_assert_uint_eq(memory(0x5ffff), 4);
	program2(0x54, 0x60000, 3); /* autoinit */
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf, 4, &tc), 4);
	ck_assert(tc && dma_enabled(&dma, 2));
	ck_assert_uint_eq(dma_transfer(&dma, 2, DMA_WRITE, buf + 4, 4, &tc), 4);
	ck_assert_uint_eq(memory(0x60000), 5);
}
END_TEST

START_TEST(test_words)
{
	uint8_t buf[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	bool tc;

	out8(0xd4, 0x05);
	out8(0xd8, 0);
	out8(0xd6, 0x45); /* channel 5, write */
	out8(0xc4, 0x00);
	out8(0xc4, 0x80); /* word address 8000: byte 10000 of 128 KiB */
	out8(0x8b, 0x03); /* bit 0 of the page does not count */
	out8(0xc6, 2);
	out8(0xc6, 0);
	out8(0xd4, 0x01);
	ck_assert_uint_eq(dma_remaining(&dma, 5), 6);
	ck_assert_uint_eq(dma_transfer(&dma, 5, DMA_WRITE, buf, 3, &tc), 2);
	ck_assert_uint_eq(dma_transfer(&dma, 5, DMA_WRITE, buf + 2, 6, &tc), 4);
	ck_assert(tc);
	ck_assert_uint_eq(memory(0x30000), 1);
	ck_assert_uint_eq(memory(0x30005), 6);
	ck_assert_uint_eq(memory(0x30006), 0);
}
END_TEST

START_TEST(test_registers)
{
	out8(0x80, 0x42);
	ck_assert_uint_eq(dma_post_code(&dma), 0x42);
	ck_assert_uint_eq(in8(0x80), 0x42);
	out8(0x0f, 0x05);
	ck_assert_uint_eq(in8(0x0f), 0xf5);
	out8(0x0e, 0);
	ck_assert_uint_eq(in8(0x0f), 0xf0);
	dma_set_dreq(&dma, 3, true);
	out8(0x09, 0x05);
	ck_assert_uint_eq(in8(0x08), 0xa0);
	out8(0x0d, 0);
	ck_assert_uint_eq(in8(0x0f), 0xff);
	dma_on_ready(&dma, 1, on_ready, NULL);
	out8(0x0e, 0);
	ck_assert_uint_eq(ready, 1);
	dma_reset(&dma);
	out8(0x0e, 0);
	ck_assert_uint_eq(ready, 2); /* the callback survives a reset */
}
END_TEST

START_TEST(test_hostile)
{
	static uint8_t buf[0x20000];

	for (unsigned i = 0; i < 3000; i++) {
		hammer(&dma_io_ops, &dma, 0xe0, 50, 0);
		out8(0x0e, 0);
		out8(0xdc, 0);
		for (unsigned ch = 0; ch < 8; ch++)
			dma_transfer(&dma, ch, rand() & 1 ? DMA_READ : DMA_WRITE, buf, (size_t)rand() % sizeof(buf),
				     NULL);
	}
}
END_TEST

int main(void)
{
	const TTest *list[] = {
	    test_write_and_tc, test_read_verify_direction, test_wrap_decrement_autoinit, test_words, test_registers,
	    test_hostile,
	};

	return run_tests("dma", list, ARRAY_LEN(list), setup);
}
