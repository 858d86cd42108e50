/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole machine: what answers at which address, port and interrupt line. */
#include "board.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "trace.h"

#define VGA_ROM_DEFAULT "/usr/share/seabios/vgabios-stdvga.bin"

#define LOW_RAM_END   0xa0000ull
#define HIGH_RAM_BASE MiB
#define RAM_BELOW_4G  (3 * GiB)
#define ABOVE_4G      (4 * GiB)
#define BIOS_MAX      (256 * KiB)
#define BIOS_ISA_MAX  (128 * KiB) /* how much of the BIOS's end shows below 1 MiB */
#define VGA_DEVFN     PCI_DEVFN(2, 0)
#define CONSOLE_SLOT  12
#define RNG_SLOT      13
#define CMOS_FLOPPIES 0x10 /* types of the drives */
#define POST_PORT     0x80 /* where a BIOS says how far it has come */
#define SHUTDOWN_S3   0xfe /* SeaBIOS: resume instead of booting */

/* --- memory --- */

static void add_memory(struct board *b, struct pm_region *r, const char *name, enum pm_kind kind, int priority,
		       gpa_t base, uint64_t len, struct pm_backing *backing, uint64_t offset)
{
	*r = (struct pm_region){.name = name,
				.kind = kind,
				.base = base,
				.len = len,
				.priority = priority,
				.enabled = true,
				.backing = backing,
				.offset = offset};
	physmem_add(b->pm, r);
}

static uint64_t ram_below_4g(const struct board *b)
{
	return MIN(b->pm->ram.size, RAM_BELOW_4G);
}

static void map_memory(struct board *b)
{
	struct pm_backing *ram = &b->pm->ram;
	uint64_t below = ram_below_4g(b), isa = MIN(b->bios.size, BIOS_ISA_MAX);

	/* 00000000 - 0009ffff */
	add_memory(b, &b->ram_low, "ram-low", PM_RAM, PM_PRIO_RAM, 0, LOW_RAM_END, ram, 0);
	/* 000a0000 - 000bffff: VGA; c0000 - fffff: RAM if the host bridge's PAM registers say so, else the BIOS's end
	 */
	add_memory(b, &b->bios_isa, "bios-isa", PM_ROM, PM_PRIO_ROM, MiB - isa, isa, &b->bios, b->bios.size - isa);
	/* 00100000 - bfffffff at most */
	if (below > HIGH_RAM_BASE)
		add_memory(b, &b->ram_high, "ram", PM_RAM, PM_PRIO_RAM, HIGH_RAM_BASE, below - HIGH_RAM_BASE, ram,
			   HIGH_RAM_BASE);
	/* c0000000 - febfffff: PCI; fec00000: I/O APIC; fed00000: HPET; fee00000: local APIC; up to ffffffff: the BIOS
	 */
	add_memory(b, &b->bios_top, "bios", PM_ROM, PM_PRIO_ROM, ABOVE_4G - b->bios.size, b->bios.size, &b->bios, 0);
	/* 100000000 - */
	if (ram->size > below)
		add_memory(b, &b->ram_above_4g, "ram-above-4g", PM_RAM, PM_PRIO_RAM, ABOVE_4G, ram->size - below, ram,
			   below);
}

/* Video memory shows at A0000 directly while the adapter's mode makes it linear there. */
static void vga_window_changed(void *arg)
{
	struct board *b = arg;
	uint64_t offset, len;
	bool direct = vga_direct_window(&b->vga, &offset, &len);

	if (direct && b->vga_direct.enabled && b->vga_direct.offset == offset && b->vga_direct.len == len)
		return;
	physmem_enable(b->pm, &b->vga_direct, false);
	if (!direct)
		return;
	b->vga_direct.offset = offset;
	physmem_set_len(b->pm, &b->vga_direct, len);
	physmem_enable(b->pm, &b->vga_direct, true);
}

static int add_vga(struct board *b)
{
	int rc = vga_init(&b->vga, &(struct vga_config){.clock = b->clock});

	if (rc)
		return rc;
	b->vga_window = (struct pm_region){.name = "vga",
					   .kind = PM_IO,
					   .base = VGA_WINDOW_BASE,
					   .len = VGA_WINDOW_LEN,
					   .priority = PM_PRIO_VGA,
					   .enabled = true,
					   .ops = &vga_mem_ops,
					   .dev = &b->vga};
	b->vga_direct = (struct pm_region){.name = "vga-direct",
					   .kind = PM_RAM,
					   .base = VGA_WINDOW_BASE,
					   .len = VGA_WINDOW_LEN,
					   .priority = PM_PRIO_VGA + 1,
					   .backing = &b->vga.vram};
	physmem_add(b->pm, &b->vga_window);
	physmem_add(b->pm, &b->vga_direct);
	b->vga.window_changed = vga_window_changed;
	b->vga.window_arg = b;
	ASSERT(vga_add_ports(&b->vga, &b->ports) == 0);
	vga_pci_init(&b->vga_pci, &b->vga, &b->vga_rom);
	pci_attach(&b->vga_pci.pci, &b->pci, VGA_DEVFN);
	return 0;
}

/* --- lines that are not interrupts --- */

/* Two latches drive one line; the last one written decides, and both read back what holds. */
static void set_a20(void *to, int n, bool level)
{
	struct board *b = to;

	trace(mode, "A20 %s", level ? "passed" : "masked");
	port92_note_a20(&b->port92, level);
	i8042_note_a20(&b->i8042, level);
	b->cpu.a20(b->cpu.arg, level);
}

static void request_reset(void *arg)
{
	struct board *b = arg;
	b->cpu.reset(b->cpu.arg);
}

static void reset_line(void *to, int n, bool level)
{
	if (level)
		request_reset(to);
}

static void power_off(void *arg)
{
	struct board *b = arg;
	b->cpu.power_off(b->cpu.arg);
}

static void suspend(void *arg)
{
	struct board *b = arg;
	b->cpu.suspend(b->cpu.arg);
}

static void wake(void *arg)
{
	struct board *b = arg;
	b->cpu.wake(b->cpu.arg);
}

static void rtc_alarm(void *to, int n, bool level)
{
	struct board *b = to;
	if (level)
		acpi_pm_rtc_alarm(&b->acpi);
}

static void place_acpi(void *arg, uint16_t base, bool enabled)
{
	struct board *b = arg;
	piix4_move_ports(&b->ports, base, enabled, ACPI_PM_LEN, &acpi_pm_io_ops, &b->acpi, &b->acpi_mapped,
			 &b->acpi_base);
}

/* Serial ports 1 and 3 share interrupt 4, 2 and 4 interrupt 3. */
static void uart_irq(void *to, int n, bool level)
{
	struct board *b = to;
	unsigned irq = n & 1 ? 3 : 4;
	struct irq_line line = piix3_isa_irq(&b->piix3, irq);

	b->uart_levels = (uint8_t)((b->uart_levels & ~BIT(n)) | (level ? BIT(n) : 0));
	irq_set(&line, b->uart_levels & (n & 1 ? 0xa : 0x5));
}

/* --- ports --- */

static void port(struct board *b, uint32_t base, uint32_t len, const struct io_ops *ops, void *dev, uint64_t offset)
{
	int rc = bus_add(&b->ports, base, len, ops, dev, offset);
	ASSERTF(rc == 0, "port %x: %d", base, rc);
}

static bool debugcon_at(const struct vm_config *vm, uint16_t at)
{
	for (unsigned n = 0; n < vm->ndebugcons; n++)
		if (vm->debugcons[n].port == at)
			return true;
	return false;
}

static void add_chipset(struct board *b, const struct vm_config *vm)
{
	ASSERT(pci_bus_init(&b->pci, &b->ports, b->pm) == 0); /* cf8-cff, cf9 among them */
	ASSERT(i440fx_init(&b->i440fx, &b->pci) == 0);	      /* 00:00.0 */
	piix3_init(&b->piix3, &b->pci, request_reset, b);     /* 00:01.0 */
	board_init_interrupts(b);
	port(b, 0x20, 2, &pic_io_ops, &b->pic, PIC_PORT_MASTER);
	port(b, 0xa0, 2, &pic_io_ops, &b->pic, PIC_PORT_SLAVE);
	port(b, 0x4d0, 2, &pic_io_ops, &b->pic, PIC_PORT_ELCR);

	dma_init(&b->dma, b->pm);
	port(b, 0x00, 0x10, &dma_io_ops, &b->dma, DMA_PORT_LOW);
	port(b, 0x81, 0xf, &dma_io_ops, &b->dma, DMA_PORT_PAGE + 1);
	if (!debugcon_at(vm, POST_PORT)) /* a page register that no channel has: what is written there shows nowhere */
		port(b, POST_PORT, 1, &dma_io_ops, &b->dma, DMA_PORT_PAGE);
	port(b, 0xc0, 0x20, &dma_io_ops, &b->dma, DMA_PORT_HIGH);

	pit_init(&b->pit, b->clock, board_timer_line(b, 0));
	port(b, 0x40, 4, &pit_io_ops, &b->pit, 0);
	port61_init(&b->port61, &b->pit);
	port(b, 0x61, 1, &port61_io_ops, &b->port61, 0);
	port92_init(&b->port92, (struct irq_line){set_a20, b, 0}, (struct irq_line){reset_line, b, 0});
	/* Port 92 lies among the page registers' neighbours, not in them: they end at 8f. */
	port(b, 0x92, 1, &port92_io_ops, &b->port92, 0);

	i8042_init(&b->i8042, &(struct i8042_config){.clock = b->clock,
						     .kbd_irq = piix3_isa_irq(&b->piix3, 1),
						     .mouse_irq = piix3_isa_irq(&b->piix3, 12),
						     .a20 = {set_a20, b, 1},
						     .reset = {reset_line, b, 1}});
	port(b, 0x60, 1, &i8042_io_ops, &b->i8042, I8042_PORT_DATA);
	port(b, 0x64, 1, &i8042_io_ops, &b->i8042, I8042_PORT_COMMAND);

	rtc_init(&b->rtc, b->clock, board_timer_line(b, 8), (int64_t)time(NULL));
	port(b, 0x70, 2, &rtc_io_ops, &b->rtc, 0);
	board_init_hpet(b); /* fed00000 */

	acpi_pm_init(&b->acpi, &(struct acpi_pm_config){.clock = b->clock,
							.sci = piix3_isa_irq(&b->piix3, 9),
							.arg = b,
							.power_off = power_off,
							.suspend = suspend,
							.wake = wake});
	b->rtc.alarm = (struct irq_line){rtc_alarm, b, 0};
	port(b, ACPI_GPE_BASE, ACPI_GPE_LEN, &acpi_gpe_io_ops, &b->acpi, 0);
	port(b, 0xb2, 2, &acpi_smi_io_ops, &b->acpi, 0);
	piix4_pm_init(&b->piix4_pm, &b->pci, place_acpi, b); /* 00:01.3 */
}

static void add_serial(struct board *b, const struct board_config *cfg)
{
	static const uint16_t base[CONFIG_MAX_SERIALS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

	b->nuarts = cfg->vm->nserials;
	for (unsigned n = 0; n < b->nuarts; n++) {
		const struct board_chardev *c = &cfg->serial[n];
		uart_init(&b->uart[n], &(struct uart_config){.clock = b->clock,
							     .irq = {uart_irq, b, (int)n},
							     .send = c->send,
							     .room = c->room,
							     .arg = c->arg});
		port(b, base[n], 8, &uart_io_ops, &b->uart[n], 0);
	}
	parallel_init(&b->parallel, piix3_isa_irq(&b->piix3, 7), NULL, NULL);
	port(b, 0x378, 3, &parallel_io_ops, &b->parallel, 0);
}

static int add_debugcons(struct board *b, const struct board_config *cfg, char *err, size_t errlen)
{
	for (unsigned n = 0; n < cfg->vm->ndebugcons; n++) {
		uint16_t at = cfg->vm->debugcons[n].port;
		int rc;

		debugcon_init(&b->debugcon[n], cfg->debugcon[n].send, cfg->debugcon[n].arg);
		rc = bus_add(&b->ports, at, 1, &debugcon_io_ops, &b->debugcon[n], 0);
		if (rc) {
			snprintf(err, errlen, "--debugcon: port 0x%x is taken by another device", at);
			return rc;
		}
	}
	return 0;
}

static void add_virtio(struct board *b, const struct board_config *cfg)
{
	if (cfg->vm->has_console) {
		virtio_console_init(&b->virtio_console, b->pm, b->clock, cfg->console.write, cfg->console.arg);
		board_add_virtio(b, &b->virtio_console.transport, CONSOLE_SLOT);
	}
	if (cfg->vm->rng) {
		virtio_rng_init(&b->virtio_rng, b->pm, b->clock);
		board_add_virtio(b, &b->virtio_rng.transport, RNG_SLOT);
	}
}

/* --- what the firmware is told --- */

static int describe(struct board *b, const struct vm_config *vm)
{
	uint64_t below = ram_below_4g(b), above = b->pm->ram.size - below;
	char boot[CONFIG_MAX_BOOT + 1] = "";
	unsigned nboot = 0;
	char order[BOARD_BOOT_ORDER];
	int rc;

	/* As in the configuration, but what is not there. A BIOS skips it too, after a while. */
	for (const char *p = vm->boot; *p; p++)
		if (*p == 'c' || (*p == 'd' && vm->cdrom) || (*p == 'a' && vm->floppy))
			boot[nboot++] = *p;
	rtc_cmos_setup_pc(&b->rtc, &(struct rtc_pc_setup){.ram_below_4g = below,
							  .ram_above_4g = above,
							  .boot = *boot ? boot : vm->boot,
							  .floppies = vm->floppy ? 1 : 0,
							  .cpus = 1,
							  .floppy_check = true});
	rtc_cmos_set(&b->rtc, CMOS_FLOPPIES, fdc_cmos_types(&b->fdc));
	board_boot_order(vm, order, sizeof(order));
	fw_cfg_init(&b->fw_cfg, b->pm);
	ASSERT(fw_cfg_attach(&b->fw_cfg, &b->ports) == 0); /* 510-51b */
	rc = fw_cfg_add_pc(&b->fw_cfg, &(struct fw_cfg_pc){.ram_below_4g = below,
							   .ram_above_4g = above,
							   .cpus = 1,
							   .bootorder = *order ? order : NULL});
	if (!rc && vm->kernel)
		rc = kernel_boot_offer(&b->kernel, &b->fw_cfg);
	return rc;
}

static int load_firmware(struct board *b, const struct vm_config *vm, char *err, size_t errlen)
{
	const char *path = vm->bios ? vm->bios : BOARD_BIOS_DEFAULT;
	int rc = board_load_rom(&b->bios, path, "BIOS image", 0, BIOS_MAX, 64 * KiB, err, errlen);

	if (rc)
		return rc;
	if (b->bios.size == 192 * KiB) {
		snprintf(err, errlen, "BIOS image '%s': %llu KiB; 64, 128 or 256 KiB are expected", path,
			 (unsigned long long)(b->bios.size / KiB));
		return -EINVAL;
	}
	return board_load_rom(&b->vga_rom, VGA_ROM_DEFAULT, "video BIOS", VGA_ROM_SIZE, VGA_ROM_SIZE, 512, err, errlen);
}

int board_init(struct board *b, const struct board_config *cfg, char *err, size_t errlen)
{
	int rc;

	memset(b, 0, sizeof(*b));
	b->pm = cfg->pm;
	b->clock = cfg->clock;
	b->cpu = cfg->cpu;
	b->bios.fd = b->vga_rom.fd = b->vga.vram.fd = -1;
	b->cdrom.fd = b->cdrom.overlay_fd = -1;
	for (unsigned i = 0; i < BOARD_FLOPPIES; i++)
		b->floppy[i].fd = b->floppy[i].overlay_fd = -1;
	for (unsigned i = 0; i < CONFIG_MAX_DISKS; i++)
		b->disk[i].fd = b->disk[i].overlay_fd = -1;
	bus_init(&b->ports);
	*err = 0;

	rc = load_firmware(b, cfg->vm, err, errlen);
	if (!rc && cfg->vm->kernel)
		rc = kernel_boot_init(&b->kernel, cfg->vm, ram_below_4g(b), err, errlen);
	if (!rc) {
		map_memory(b);
		add_chipset(b, cfg->vm);
		add_serial(b, cfg);
		add_virtio(b, cfg);
		rc = add_vga(b); /* 3b0-3df, 1ce-1d1 */
	}
	if (!rc)
		rc = board_add_drives(b, cfg->vm, err, errlen);
	if (!rc)
		rc = describe(b, cfg->vm);
	if (!rc)
		rc = board_add_test_devices(b, cfg->vm, err, errlen);
	if (!rc)
		rc = add_debugcons(b, cfg, err, errlen);
	if (!rc)
		return 0;
	if (!*err)
		snprintf(err, errlen, "cannot set up the machine: %s", strerror(-rc));
	board_destroy(b);
	return rc;
}

void board_destroy(struct board *b)
{
	board_close_drives(b);
	fw_cfg_destroy(&b->fw_cfg);
	kernel_boot_destroy(&b->kernel);
	vga_destroy(&b->vga);
	pm_backing_destroy(&b->vga_rom);
	pm_backing_destroy(&b->bios);
}

/* All but what S3 treats in another way. The memory controller stays as it is, and with it what of the BIOS runs from
 * RAM; so does the display adapter, since nobody would set its mode again for a text console (a video BIOS might, but
 * SeaVGABIOS does not). */
static void reset_devices(struct board *b)
{
	pci_bus_reset(&b->pci);
	piix3_reset(&b->piix3);
	fdc_reset(&b->fdc);
	piix4_pm_reset(&b->piix4_pm);
	for (unsigned i = 0; i < b->nvirtio; i++)
		virtio_pci_reset(b->virtio[i]);
	dma_reset(&b->dma);
	pit_reset(&b->pit);
	hpet_reset(&b->hpet);
	port61_reset(&b->port61);
	port92_reset(&b->port92);
	rtc_reset(&b->rtc);
	i8042_reset(&b->i8042);
	fw_cfg_reset(&b->fw_cfg);
	for (unsigned n = 0; n < b->nuarts; n++)
		uart_reset(&b->uart[n]);
	parallel_reset(&b->parallel);
	pc_testdev_reset(&b->testdev);
	board_ferr(b, false);
	board_reset_interrupts(b);
	b->cpu.a20(b->cpu.arg, true);
	port92_note_a20(&b->port92, true);
	i8042_note_a20(&b->i8042, true);
}

void board_reset(struct board *b)
{
	i440fx_reset(&b->i440fx);
	acpi_pm_reset(&b->acpi);
	piix_ide_reset(&b->ide);
	vga_pci_reset(&b->vga_pci);
	reset_devices(b);
}

void board_wake(struct board *b)
{
	acpi_pm_wake(&b->acpi);
	piix_ide_wake(&b->ide);
	reset_devices(b);
	rtc_cmos_set(&b->rtc, RTC_SHUTDOWN, SHUTDOWN_S3);
}
