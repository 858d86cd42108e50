/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory the process takes for the VM. */
#include "vm.h"

#include "bt/bt.h"
#include "cpu/exec.h"

/* Memory that regions show and that is not RAM, each object once. */
static void count_devices(const struct physmem *pm, struct memory_use *u)
{
	for (unsigned i = 0; i < pm->nregions; i++) {
		const struct pm_backing *b = pm->regions[i]->backing;
		bool before = !b || b == &pm->ram;
		for (unsigned j = 0; j < i && !before; j++)
			before = pm->regions[j]->backing == b;
		if (!before)
			memory_count_file(u, MEMORY_devices, b->fd);
	}
}

int vm_count_memory(const struct vm *vm, struct memory_use *u)
{
	*u = (struct memory_use){0};
	memory_count_file(u, MEMORY_guest_ram, vm->pm.ram.fd);
	count_devices(&vm->pm, u);
	exec_count_memory(vm->exec, u);
	memory_count(u, MEMORY_shadow, vm->pm.traced, vm->pm.ram.size >> PAGE_SHIFT);
	if (vm->shadow)
		shadow_count_memory(vm->shadow, u);
	if (vm->bt)
		bt_count_memory(vm->bt, u);
	return memory_finish(u);
}
