/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MC146818 real time clock with 128 bytes of CMOS RAM. Motorola MC146818A data sheet.
 *
 * Wiring: bus_add 0x70 len 2 with rtc_io_ops.
 */
#ifndef GNOMON_RTC_H
#define GNOMON_RTC_H

#include "../clock.h"
#include "../io.h"
#include "catchup.h"

enum {
	RTC_SECONDS = 0x00,
	RTC_SECONDS_ALARM = 0x01,
	RTC_MINUTES = 0x02,
	RTC_MINUTES_ALARM = 0x03,
	RTC_HOURS = 0x04,
	RTC_HOURS_ALARM = 0x05,
	RTC_DAY_OF_WEEK = 0x06,
	RTC_DAY_OF_MONTH = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_REG_A = 0x0a,
	RTC_REG_B = 0x0b,
	RTC_REG_C = 0x0c,
	RTC_REG_D = 0x0d,
	RTC_SHUTDOWN = 0x0f, /* CMOS RAM: what the BIOS does after a reset */
	RTC_CENTURY = 0x32,
	RTC_CMOS_SIZE = 128,
};

struct rtc {
	uint8_t cmos[RTC_CMOS_SIZE]; /* registers 00-09 and 32 hold the time only while the clock is stopped */
	uint8_t index;		     /* of the data port */
	bool nmi_masked;	     /* bit 7 of port 70h */
	bool stopped;		     /* REG_B.SET or the divider held in reset */
	int64_t epoch;		     /* seconds since 1970 at `origin` */
	uint64_t origin;	     /* virtual time (ns) at which `epoch` began */
	int64_t seen;		     /* second up to which the update and alarm flags are up to date */
	uint64_t periodic_seen;	     /* period (count since virtual time 0) up to which the periodic flag is */
	uint8_t weekday_shift;	     /* the guest's idea of the day of the week, less the calendar's, mod 7 */
	struct clock *clock;
	struct timer periodic;	/* next period, armed only while its interrupt is enabled */
	struct catchup catchup; /* of periodic interrupts */
	struct timer second;	/* next update (alarm, update-ended), armed only while somebody wants it */
	struct irq_line irq;
	struct irq_line alarm; /* an enabled alarm is pending: for the ACPI hardware; unconnected after rtc_init() */
};

/*
 * epoch: seconds since 1970-01-01 00:00:00 (in the time zone that the guest shall see) at virtual time 0. irq: ISA
 * interrupt 8, held until REG_C is read.
 */
void rtc_init(struct rtc *rtc, struct clock *clock, struct irq_line irq, int64_t epoch);

/* RESET# of the chip: interrupts off; time and CMOS RAM stay (battery). */
void rtc_reset(struct rtc *rtc);

/* Sets a byte of CMOS RAM (not a clock register), or reads one. Out-of-range indexes are ignored and read 0. */
void rtc_cmos_set(struct rtc *rtc, unsigned index, uint8_t value);
uint8_t rtc_cmos_get(const struct rtc *rtc, unsigned index);

/* The interrupt has just risen, and its line is masked. */
void rtc_unwanted(struct rtc *rtc);

/* Port 70h bit 7: NMI is masked. */
bool rtc_nmi_masked(const struct rtc *rtc);

struct rtc_pc_setup {
	uint64_t ram_below_4g; /* bytes from address 0, without the hole below 1 MiB taken out */
	uint64_t ram_above_4g; /* bytes */
	const char *boot;  /* up to three of "a" floppy, "c" disk, "d" CD-ROM, "n" network, first first; NULL: "c" */
	unsigned floppies; /* 0-2 drives of 1.44 MB */
	unsigned cpus;
	bool floppy_check; /* BIOS checks the floppy's boot signature */
};

/*
 * How the BIOS translates the geometry of ATA disk n (0-3: primary master, slave, secondary ...), in CMOS 39h, two bits
 * each. SeaBIOS takes it from there: none up to 1024 cylinders, RTC_DISK_LBA for larger disks.
 */
enum {
	RTC_DISK_NONE,
	RTC_DISK_LBA,
	RTC_DISK_LARGE,
	RTC_DISK_RECHS,
};
void rtc_cmos_set_disk(struct rtc *rtc, unsigned n, unsigned translation);

/* What SeaBIOS reads: memory sizes 15-18, 30-31, 34-35, 5b-5d, floppies 10, equipment 14, boot order 38, 3d, CPU count
 * 5f. */
void rtc_cmos_setup_pc(struct rtc *rtc, const struct rtc_pc_setup *setup);

uint64_t rtc_read(void *rtc, uint64_t offset, unsigned size);
void rtc_write(void *rtc, uint64_t offset, unsigned size, uint64_t value);
extern const struct io_ops rtc_io_ops;

#endif
