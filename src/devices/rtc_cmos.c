/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PC's use of CMOS RAM. IBM AT Technical Reference; the bytes above 32h as the reference board has them for
 * SeaBIOS. */
#include "rtc.h"

#include <string.h>

/* clang-format off */
enum {
	CMOS_FLOPPY       = 0x10, /* type of drive A in bits 7-4, B in 3-0 */
	CMOS_EQUIPMENT    = 0x14,
	CMOS_BASE_LOW     = 0x15, /* KiB below 640 KiB */
	CMOS_EXT_LOW      = 0x17, /* KiB above 1 MiB */
	CMOS_EXT2_LOW     = 0x30, /* the same, "as found by the BIOS" */
	CMOS_EXT16_LOW    = 0x34, /* 64 KiB above 16 MiB */
	CMOS_BOOT_3       = 0x38, /* third boot device in bits 7-4; bit 0: no floppy signature check */
	CMOS_DISK_TRANS   = 0x39,
	CMOS_BOOT_12      = 0x3d, /* first in bits 3-0, second in 7-4 */
	CMOS_HIGH_LOW     = 0x5b, /* 64 KiB above 4 GiB, three bytes */
	CMOS_CPUS         = 0x5f, /* CPUs besides the first */

	FLOPPY_1440       = 4,
	EQUIP_FLOPPY      = 0x01,
	EQUIP_FPU         = 0x02,
	EQUIP_MOUSE       = 0x04,
	EQUIP_TWO_DRIVES  = 0x40,
};
/* clang-format on */

void rtc_cmos_set(struct rtc *rtc, unsigned index, uint8_t value)
{
	if (index < RTC_CMOS_SIZE && index != RTC_CENTURY &&
	    (index > RTC_REG_D || index == RTC_SECONDS_ALARM || index == RTC_MINUTES_ALARM || index == RTC_HOURS_ALARM))
		rtc->cmos[index] = value;
}

uint8_t rtc_cmos_get(const struct rtc *rtc, unsigned index)
{
	return index < RTC_CMOS_SIZE ? rtc->cmos[index] : 0;
}

void rtc_cmos_set_disk(struct rtc *rtc, unsigned n, unsigned translation)
{
	unsigned shift = n % 4 * 2;
	uint8_t old = rtc->cmos[CMOS_DISK_TRANS];

	rtc->cmos[CMOS_DISK_TRANS] = (uint8_t)((old & ~(3u << shift)) | (translation & 3) << shift);
}

static void set_le(struct rtc *rtc, unsigned index, unsigned bytes, uint64_t value)
{
	value = MIN(value, size_mask(bytes));
	for (unsigned i = 0; i < bytes; i++)
		rtc->cmos[index + i] = (uint8_t)(value >> (8 * i));
}

static uint8_t boot_device(char c)
{
	switch (c) {
	case 'a':
		return 1;
	case 'c':
		return 2;
	case 'd':
		return 3;
	case 'n':
		return 4;
	default:
		return 0;
	}
}

void rtc_cmos_setup_pc(struct rtc *rtc, const struct rtc_pc_setup *setup)
{
	uint64_t ram = setup->ram_below_4g;
	const char *boot = setup->boot ? setup->boot : "c";
	uint8_t order[3] = {0};
	uint8_t equipment = EQUIP_FPU | EQUIP_MOUSE;

	set_le(rtc, CMOS_BASE_LOW, 2, MIN(ram / KiB, 640ull));
	set_le(rtc, CMOS_EXT_LOW, 2, ram > MiB ? (ram - MiB) / KiB : 0);
	set_le(rtc, CMOS_EXT2_LOW, 2, ram > MiB ? (ram - MiB) / KiB : 0);
	set_le(rtc, CMOS_EXT16_LOW, 2, ram > 16 * MiB ? (ram - 16 * MiB) / (64 * KiB) : 0);
	set_le(rtc, CMOS_HIGH_LOW, 3, setup->ram_above_4g / (64 * KiB));
	rtc->cmos[CMOS_CPUS] = (uint8_t)(setup->cpus ? MIN(setup->cpus - 1, 255u) : 0);

	for (unsigned i = 0; i < 3 && boot[i]; i++)
		order[i] = boot_device(boot[i]);
	rtc->cmos[CMOS_BOOT_12] = (uint8_t)(order[0] | order[1] << 4);
	rtc->cmos[CMOS_BOOT_3] = (uint8_t)(order[2] << 4 | !setup->floppy_check);

	rtc->cmos[CMOS_FLOPPY] = 0;
	if (setup->floppies >= 1) {
		rtc->cmos[CMOS_FLOPPY] = FLOPPY_1440 << 4;
		equipment |= EQUIP_FLOPPY;
	}
	if (setup->floppies >= 2) {
		rtc->cmos[CMOS_FLOPPY] |= FLOPPY_1440;
		equipment |= EQUIP_TWO_DRIVES;
	}
	rtc->cmos[CMOS_EQUIPMENT] = equipment;
}
