/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC's two 8237A DMA controllers (channels 0-3 of bytes, 4 the cascade, 5-7 of words) and the page registers, POST
 * port 80h among them. Intel 8237A data sheet; PIIX4 4.2.1. Transfers are driven by the device: dma_transfer().
 *
 * Wiring (dma_io_ops): bus_add 0x00 len 0x10 at DMA_PORT_LOW, 0xc0 len 0x20 at DMA_PORT_HIGH, 0x80 len 0x10 at
 * DMA_PORT_PAGE.
 */
#ifndef GNOMON_DMA8237_H
#define GNOMON_DMA8237_H

#include "../io.h"
#include "../physmem.h"

enum {
	DMA_PORT_LOW = 0x00,
	DMA_PORT_PAGE = 0x80,
	DMA_PORT_HIGH = 0xc0,
};

/* Mode register bits 2-3, named from the memory's side as in the data sheet. */
enum dma_direction {
	DMA_VERIFY = 0,
	DMA_WRITE = 1, /* device to memory */
	DMA_READ = 2,  /* memory to device */
};

struct dma_channel {
	uint16_t base_addr, base_count; /* as written */
	uint16_t addr, count;		/* current; units of the channel's width */
	uint8_t mode;
	/* Called when the guest has unmasked the channel, for devices that wait for it. May be NULL. */
	void (*ready)(void *arg);
	void *ready_arg;
};

struct dma_chip {
	struct dma_channel ch[4];
	uint8_t mask;	 /* channels that are masked */
	uint8_t request; /* software requests */
	uint8_t dreq;	 /* device requests */
	uint8_t status;	 /* terminal counts reached, cleared by reading */
	uint8_t command;
	uint8_t temp;
	bool high_byte; /* the byte pointer flip-flop */
};

struct dma8237 {
	struct dma_chip chip[2];
	uint8_t page[16]; /* ports 80-8f as written; [0] is the POST code */
	struct physmem *pm;
};

void dma_init(struct dma8237 *dma, struct physmem *pm);
void dma_reset(struct dma8237 *dma);

/* Called whenever the guest unmasks the channel (0-7). */
void dma_on_ready(struct dma8237 *dma, unsigned channel, void (*ready)(void *arg), void *arg);

/* DREQ of a channel, as shown in the status register. Transfers do not depend on it. */
void dma_set_dreq(struct dma8237 *dma, unsigned channel, bool level);

/* The channel is unmasked, its controller enabled, its mode not cascade. */
bool dma_enabled(const struct dma8237 *dma, unsigned channel);

enum dma_direction dma_direction(const struct dma8237 *dma, unsigned channel);

/* Bytes up to terminal count. */
uint32_t dma_remaining(const struct dma8237 *dma, unsigned channel);

/*
 * Moves up to len bytes between buf and memory, in the direction that the guest has programmed; the device says with
 * `dir` which one it can serve. DMA_VERIFY programmed by the guest counts and moves nothing. Stops at terminal count,
 * which masks the channel unless autoinit reloads it; *tc (may be NULL) tells. Returns the bytes moved (0 if the
 * channel is not enabled or the directions conflict).
 */
size_t dma_transfer(struct dma8237 *dma, unsigned channel, enum dma_direction dir, void *buf, size_t len, bool *tc);

/* The last byte written to port 80h. */
uint8_t dma_post_code(const struct dma8237 *dma);

uint64_t dma_read(void *dma, uint64_t offset, unsigned size);
void dma_write(void *dma, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops dma_io_ops;

#endif
