/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lapic_internal.h"

void apic_bus_init(struct apic_bus *bus)
{
	*bus = (struct apic_bus){0};
}

void apic_bus_add(struct apic_bus *bus, struct lapic *lapic)
{
	ASSERT(bus->count < APIC_BUS_MAX);
	bus->lapic[bus->count++] = lapic;
}

/* Of those named, the one of lowest processor priority that takes interrupts. */
static struct lapic *arbitrate(const struct apic_bus *bus, const struct apic_msg *msg)
{
	struct lapic *best = NULL;

	for (unsigned i = 0; i < bus->count; i++) {
		struct lapic *l = bus->lapic[i];
		if (!lapic_matches(l, msg) || !(l->svr & SVR_ENABLE))
			continue;
		if (!best || lapic_ppr(l) < lapic_ppr(best))
			best = l;
	}
	return best;
}

void apic_bus_deliver(void *arg, const struct apic_msg *msg)
{
	struct apic_bus *bus = arg;

	if (msg->mode == APIC_LOWEST) {
		struct lapic *l = arbitrate(bus, msg);
		if (l)
			lapic_deliver(l, msg);
		return;
	}
	for (unsigned i = 0; i < bus->count; i++)
		if (lapic_matches(bus->lapic[i], msg))
			lapic_deliver(bus->lapic[i], msg);
}

void apic_bus_msi(struct apic_bus *bus, uint64_t address, uint32_t data)
{
	struct apic_msg msg = {
	    .dest = address >> 12 & 0xff,
	    .logical = address >> 2 & 1,
	    .vector = data & 0xff,
	    .mode = data >> 8 & 7,
	    .level = data >> 15 & 1,
	    .deassert = (data >> 15 & 1) && !(data >> 14 & 1),
	};

	if (msg.deassert && msg.mode != APIC_INIT)
		return;
	apic_bus_deliver(bus, &msg);
}
