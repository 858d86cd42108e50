/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devices/virtio_console.h"

enum {
	QUEUE_INPUT = 0, /* to the guest */
	QUEUE_OUTPUT = 1,
	CONFIG_EMERGENCY = 8, /* a character to be written at once, 5.3.4 */
};

#define F_EMERGENCY_WRITE BIT(2)

static struct virtio_console *of(struct virtio *v)
{
	return container_of(v, struct virtio_console, virtio);
}

static bool serve_input(struct virtio_console *d, struct virtio_chain *c, uint32_t *written)
{
	size_t n;

	if (!d->input_len)
		return false;
	n = virtio_put(&d->virtio, c, d->input, d->input_len);
	d->input += n;
	d->input_len -= n;
	*written = (uint32_t)n;
	return true;
}

static void serve_output(struct virtio_console *d, struct virtio_chain *c)
{
	uint8_t buf[1024];
	size_t n;

	for (unsigned done = 0; done < VIRTIO_CONSOLE_MAX; done += (unsigned)n) {
		n = virtio_take(&d->virtio, c, buf, sizeof(buf));
		if (!n)
			break;
		if (d->send)
			d->send(d->arg, buf, n);
	}
}

static bool serve(struct virtio *v, unsigned queue, struct virtio_chain *c, uint32_t *written)
{
	if (queue == QUEUE_INPUT)
		return serve_input(of(v), c, written);
	serve_output(of(v), c);
	return true;
}

static void config_written(struct virtio *v, unsigned offset, unsigned size, uint32_t value)
{
	struct virtio_console *d = of(v);
	uint8_t byte = (uint8_t)value;

	if (offset == CONFIG_EMERGENCY && d->send)
		d->send(d->arg, &byte, 1);
}

static const struct virtio_ops ops = {
    .name = "virtio-console",
    .id = VIRTIO_ID_CONSOLE,
    .queues = 2,
    .serve = serve,
    .config_written = config_written,
};

void virtio_console_init(struct virtio_console *d, struct physmem *pm, struct clock *clock,
			 void (*send)(void *arg, const uint8_t *buf, size_t len), void *arg)
{
	d->send = send;
	d->arg = arg;
	d->input = NULL;
	d->input_len = 0;
	virtio_init(&d->virtio, &ops, pm, clock, F_EMERGENCY_WRITE);
	virtio_pci_init(&d->transport, &d->virtio);
}

void virtio_console_reset(struct virtio_console *d)
{
	virtio_pci_reset(&d->transport);
}

size_t virtio_console_receive(struct virtio_console *d, const uint8_t *buf, size_t len)
{
	size_t taken;

	d->input = buf;
	d->input_len = len;
	virtio_serve(&d->virtio, QUEUE_INPUT);
	taken = len - d->input_len;
	d->input = NULL;
	d->input_len = 0;
	return taken;
}
