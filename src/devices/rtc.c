/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time is computed from the virtual clock when it is read. Flags that raise no interrupt are brought up to date
 * when REG_C is read; timers are armed only for interrupts that are enabled. A periodic interrupt that comes while the
 * last one waits is lost in the chip; here it is made up for (catchup.h).
 */
#include "rtc.h"

#include <string.h>

#include "trace.h"

enum {
	REG_A_UIP = 0x80,
	REG_A_DIVIDER_RESET = 0x60, /* both set: the divider is held */
	REG_A_RATE = 0x0f,
	REG_B_SET = 0x80,
	REG_B_PIE = 0x40,
	REG_B_AIE = 0x20,
	REG_B_UIE = 0x10,
	REG_B_SQWE = 0x08,
	REG_B_BINARY = 0x04,
	REG_B_24H = 0x02,
	REG_C_IRQF = 0x80,
	REG_C_PF = 0x40, /* as REG_B's enables */
	REG_C_AF = 0x20,
	REG_C_UF = 0x10,
	REG_D_VRT = 0x80,
	HOUR_PM = 0x80,
	ALARM_ANY = 0xc0, /* both set: every hour, minute, second */

	TICK_HZ = 32768,
	DAY = 86400,
};

/* UIP: 244 us before the update begins, and the 1984 us that it takes. The new time is there as the update ends. */
#define UIP_NS (2228 * NS_PER_US)

/* Broken-down time. */
struct date {
	int64_t year;
	unsigned month, day; /* from 1 */
	unsigned hour, minute, second;
};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, counting in 400-year eras that begin on March
 * 1st. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static struct date date_from_seconds(int64_t t)
{
	int64_t days = floor_div(t, DAY) + 719468;
	unsigned rest = (unsigned)(t - floor_div(t, DAY) * DAY);
	int64_t era = floor_div(days, 146097);
	unsigned doe = (unsigned)(days - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	struct date d = {
	    .month = mp < 10 ? mp + 3 : mp - 9,
	    .day = doy - (153 * mp + 2) / 5 + 1,
	    .hour = rest / 3600,
	    .minute = rest / 60 % 60,
	    .second = rest % 60,
	};

	d.year = yoe + era * 400 + (d.month <= 2);
	return d;
}

static int64_t seconds_now(const struct rtc *rtc)
{
	return rtc->epoch + (int64_t)((clock_now(rtc->clock) - rtc->origin) / NS_PER_SEC);
}

static uint64_t periodic_ticks(const struct rtc *rtc)
{
	unsigned rate = rtc->cmos[RTC_REG_A] & REG_A_RATE;

	if (!rate)
		return 0;
	return 1ull << (rate <= 2 ? rate + 6 : rate - 1);
}

static uint64_t ticks_now(const struct rtc *rtc)
{
	return muldiv64(clock_now(rtc->clock), TICK_HZ, NS_PER_SEC);
}

static uint8_t encode(const struct rtc *rtc, unsigned v)
{
	return (uint8_t)(rtc->cmos[RTC_REG_B] & REG_B_BINARY ? v : (v / 10) << 4 | v % 10);
}

static unsigned decode(const struct rtc *rtc, uint8_t v)
{
	return rtc->cmos[RTC_REG_B] & REG_B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned hour)
{
	if (rtc->cmos[RTC_REG_B] & REG_B_24H)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct rtc *rtc, uint8_t v)
{
	if (rtc->cmos[RTC_REG_B] & REG_B_24H)
		return decode(rtc, v);
	return decode(rtc, v & (uint8_t)~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

/* Writes the current time into the registers. */
static void store_time(struct rtc *rtc)
{
	int64_t t = seconds_now(rtc);
	struct date d = date_from_seconds(t);
	int64_t weekday = floor_div(t, DAY) + 4 + rtc->weekday_shift; /* 1970-01-01 was a Thursday */

	rtc->cmos[RTC_SECONDS] = encode(rtc, d.second);
	rtc->cmos[RTC_MINUTES] = encode(rtc, d.minute);
	rtc->cmos[RTC_HOURS] = encode_hour(rtc, d.hour);
	rtc->cmos[RTC_DAY_OF_WEEK] = (uint8_t)(weekday - floor_div(weekday, 7) * 7 + 1);
	rtc->cmos[RTC_DAY_OF_MONTH] = encode(rtc, d.day);
	rtc->cmos[RTC_MONTH] = encode(rtc, d.month);
	rtc->cmos[RTC_YEAR] = encode(rtc, (unsigned)(d.year - floor_div(d.year, 100) * 100));
	rtc->cmos[RTC_CENTURY] = encode(rtc, (unsigned)floor_div(d.year, 100) % 100);
}

/* Goes on from the time in the registers; the fraction of the second stays. Nonsense in them gives some time or other.
 */
static void load_time(struct rtc *rtc)
{
	const uint8_t *r = rtc->cmos;
	int64_t year = (int64_t)decode(rtc, r[RTC_CENTURY]) * 100 + decode(rtc, r[RTC_YEAR]);
	unsigned month = decode(rtc, r[RTC_MONTH]);
	int64_t days = days_from_date(year, month ? (month - 1) % 12 + 1 : 1, decode(rtc, r[RTC_DAY_OF_MONTH]));
	int64_t weekday = r[RTC_DAY_OF_WEEK] - 1 - (days + 4);
	uint64_t gone = clock_now(rtc->clock) - rtc->origin;

	rtc->epoch = days * DAY + decode_hour(rtc, r[RTC_HOURS]) * 3600 + decode(rtc, r[RTC_MINUTES]) * 60 +
		     decode(rtc, r[RTC_SECONDS]);
	rtc->origin += gone - gone % NS_PER_SEC;
	rtc->weekday_shift = (uint8_t)(weekday - floor_div(weekday, 7) * 7);
	rtc->seen = rtc->epoch;
}

/* An alarm register against a value of the time; out-of-range alarms never match. */
static bool alarm_matches(uint8_t reg, unsigned decoded, unsigned value)
{
	return (reg & ALARM_ANY) == ALARM_ANY || decoded == value;
}

/* Seconds from t to the next alarm after it: 1 to a day; 0: never. */
static int64_t next_alarm(const struct rtc *rtc, int64_t t)
{
	const uint8_t *r = rtc->cmos;
	unsigned hour = decode_hour(rtc, r[RTC_HOURS_ALARM]);
	unsigned minute = decode(rtc, r[RTC_MINUTES_ALARM]), second = decode(rtc, r[RTC_SECONDS_ALARM]);
	int64_t at = t + 1;

	while (at <= t + DAY) { /* at most 25 hours, 61 minutes and 61 seconds are looked at */
		unsigned s = (unsigned)(at - floor_div(at, DAY) * DAY);
		if (!alarm_matches(r[RTC_HOURS_ALARM], hour, s / 3600))
			at += 3600 - s % 3600;
		else if (minute > 59 && (r[RTC_MINUTES_ALARM] & ALARM_ANY) != ALARM_ANY)
			return 0;
		else if (!alarm_matches(r[RTC_MINUTES_ALARM], minute, s / 60 % 60))
			at += 60 - s % 60;
		else if (second > 59 && (r[RTC_SECONDS_ALARM] & ALARM_ANY) != ALARM_ANY)
			return 0;
		else if (!alarm_matches(r[RTC_SECONDS_ALARM], second, s % 60))
			at++;
		else
			return at - t;
	}
	return 0;
}

static void update_irq(struct rtc *rtc)
{
	uint8_t *c = &rtc->cmos[RTC_REG_C];
	bool level = *c & rtc->cmos[RTC_REG_B] & (REG_C_PF | REG_C_AF | REG_C_UF);

	*c = level ? *c | REG_C_IRQF : *c & (uint8_t)~REG_C_IRQF;
	irq_set(&rtc->irq, level);
	irq_set(&rtc->alarm, *c & rtc->cmos[RTC_REG_B] & REG_C_AF);
}

/* Sets the flags of what has happened since the last time. */
static void update_flags(struct rtc *rtc)
{
	uint64_t period = periodic_ticks(rtc);

	if (!rtc->stopped) {
		int64_t t = seconds_now(rtc);
		int64_t alarm = t > rtc->seen ? next_alarm(rtc, rtc->seen) : 0;
		if (t > rtc->seen)
			rtc->cmos[RTC_REG_C] |= REG_C_UF;
		if (alarm && rtc->seen + alarm <= t)
			rtc->cmos[RTC_REG_C] |= REG_C_AF;
		rtc->seen = t;
	}
	if (period && ticks_now(rtc) / period > rtc->periodic_seen) {
		uint64_t seen = ticks_now(rtc) / period;
		if (rtc->cmos[RTC_REG_B] & REG_B_PIE)
			catchup_tick(&rtc->catchup, seen - rtc->periodic_seen, muldiv64(period, NS_PER_SEC, TICK_HZ));
		rtc->cmos[RTC_REG_C] |= REG_C_PF;
		rtc->periodic_seen = seen;
	}
	update_irq(rtc);
}

/* Arms the timers for what is enabled. */
static void schedule(struct rtc *rtc)
{
	uint8_t b = rtc->cmos[RTC_REG_B];
	uint64_t period = periodic_ticks(rtc);
	int64_t t = seconds_now(rtc), wait = 0;

	if (!rtc->stopped && b & REG_B_UIE)
		wait = 1;
	else if (!rtc->stopped && b & REG_B_AIE)
		wait = next_alarm(rtc, t);
	if (wait)
		timer_arm(&rtc->second, rtc->origin + (uint64_t)(t + wait - rtc->epoch) * NS_PER_SEC);
	else
		timer_cancel(&rtc->second);

	if (b & REG_B_PIE && period)
		timer_arm(&rtc->periodic, muldiv64((ticks_now(rtc) / period + 1) * period, NS_PER_SEC, TICK_HZ) + 1);
	else
		timer_cancel(&rtc->periodic);
}

/* A periodic interrupt that is owed. */
static void deliver_again(void *arg)
{
	struct rtc *rtc = arg;

	rtc->cmos[RTC_REG_C] |= REG_C_PF;
	update_irq(rtc);
}

void rtc_unwanted(struct rtc *rtc)
{
	catchup_unwanted(&rtc->catchup);
}

static void fire(void *arg)
{
	struct rtc *rtc = arg;

	update_flags(rtc);
	schedule(rtc);
}

void rtc_init(struct rtc *rtc, struct clock *clock, struct irq_line irq, int64_t epoch)
{
	/* Within what the arithmetic (and any calendar) can hold: the years 0 to 9999. */
	const int64_t least = -62167219200, most = 253402300799;

	memset(rtc, 0, sizeof(*rtc));
	rtc->clock = clock;
	rtc->irq = irq;
	rtc->epoch = MAX(least, MIN(most, epoch));
	rtc->seen = rtc->epoch;
	timer_init(&rtc->periodic, clock, fire, rtc);
	timer_init(&rtc->second, clock, fire, rtc);
	catchup_init(&rtc->catchup, clock, deliver_again, rtc);
	rtc->cmos[RTC_REG_A] = 0x26; /* 32768 Hz, 1024 Hz periodic */
	rtc->cmos[RTC_REG_B] = REG_B_24H;
	rtc->cmos[RTC_REG_D] = REG_D_VRT;
	store_time(rtc);
}

void rtc_reset(struct rtc *rtc)
{
	rtc->cmos[RTC_REG_B] &= (uint8_t) ~(REG_B_PIE | REG_B_AIE | REG_B_UIE | REG_B_SQWE);
	update_flags(rtc);
	catchup_clear(&rtc->catchup);
	rtc->cmos[RTC_REG_C] = 0;
	rtc->index = 0;
	rtc->nmi_masked = false;
	update_irq(rtc);
	schedule(rtc);
}

bool rtc_nmi_masked(const struct rtc *rtc)
{
	return rtc->nmi_masked;
}

static bool is_time(unsigned index)
{
	return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS || index == RTC_CENTURY ||
	       (index >= RTC_DAY_OF_WEEK && index <= RTC_YEAR);
}

/* After a change of REG_A or REG_B: stops or restarts the count. */
static void update_stopped(struct rtc *rtc, uint8_t old_a)
{
	uint8_t a = rtc->cmos[RTC_REG_A];
	bool held = (a & REG_A_DIVIDER_RESET) == REG_A_DIVIDER_RESET;
	bool stop = held || rtc->cmos[RTC_REG_B] & REG_B_SET;

	if (!held && (old_a & REG_A_DIVIDER_RESET) == REG_A_DIVIDER_RESET)
		/* The first update comes half a second after the divider is let go. */
		rtc->origin = clock_now(rtc->clock) - MIN(clock_now(rtc->clock), NS_PER_SEC / 2);
	if (rtc->stopped && !stop)
		load_time(rtc);
	rtc->stopped = stop;
}

static void write_reg_a(struct rtc *rtc, uint8_t v)
{
	uint8_t old = rtc->cmos[RTC_REG_A];
	uint64_t period;

	update_flags(rtc);
	if (!rtc->stopped)
		store_time(rtc);
	rtc->cmos[RTC_REG_A] = v & (uint8_t)~REG_A_UIP;
	period = periodic_ticks(rtc);
	rtc->periodic_seen = period ? ticks_now(rtc) / period : 0;
	catchup_clear(&rtc->catchup);
	update_stopped(rtc, old);
	schedule(rtc);
}

static void write_reg_b(struct rtc *rtc, uint8_t v)
{
	update_flags(rtc);
	if (v & REG_B_SET)
		v &= (uint8_t)~REG_B_UIE;
	if (!rtc->stopped)
		store_time(rtc);
	if ((rtc->cmos[RTC_REG_B] ^ v) & REG_B_PIE)
		catchup_clear(&rtc->catchup);
	rtc->cmos[RTC_REG_B] = v;
	update_stopped(rtc, rtc->cmos[RTC_REG_A]);
	update_irq(rtc);
	schedule(rtc);
}

static void write_data(struct rtc *rtc, uint8_t v)
{
	unsigned i = rtc->index;

	trace(dev, "rtc %02x <- %02x", i, v);
	if (i == RTC_REG_A) {
		write_reg_a(rtc, v);
	} else if (i == RTC_REG_B) {
		write_reg_b(rtc, v);
	} else if (i == RTC_REG_C || i == RTC_REG_D) {
		return;
	} else if (is_time(i) && !rtc->stopped) {
		update_flags(rtc);
		store_time(rtc);
		rtc->cmos[i] = v;
		load_time(rtc);
		schedule(rtc);
	} else {
		if (i <= RTC_HOURS_ALARM)
			update_flags(rtc);
		rtc->cmos[i] = v;
		if (i <= RTC_HOURS_ALARM)
			schedule(rtc);
	}
}

void rtc_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct rtc *rtc = dev;

	if (offset & 1) {
		write_data(rtc, (uint8_t)value);
	} else {
		rtc->index = value & 0x7f;
		rtc->nmi_masked = value & 0x80;
	}
}

static uint8_t read_reg_a(struct rtc *rtc)
{
	uint64_t fraction = (clock_now(rtc->clock) - rtc->origin) % NS_PER_SEC;

	return rtc->cmos[RTC_REG_A] | (!rtc->stopped && fraction >= NS_PER_SEC - UIP_NS ? REG_A_UIP : 0);
}

static uint8_t read_reg_c(struct rtc *rtc)
{
	uint8_t v;

	update_flags(rtc);
	v = rtc->cmos[RTC_REG_C];
	rtc->cmos[RTC_REG_C] = 0;
	update_irq(rtc);
	if (v & rtc->cmos[RTC_REG_B] & REG_C_PF)
		catchup_acked(&rtc->catchup);
	return v;
}

uint64_t rtc_read(void *dev, uint64_t offset, unsigned size)
{
	struct rtc *rtc = dev;

	if (!(offset & 1)) /* write only */
		return 0xff;
	if (rtc->index == RTC_REG_A)
		return read_reg_a(rtc);
	if (rtc->index == RTC_REG_C)
		return read_reg_c(rtc);
	if (is_time(rtc->index) && !rtc->stopped)
		store_time(rtc);
	return rtc->cmos[rtc->index];
}

const struct io_ops rtc_io_ops = {"rtc", rtc_read, rtc_write, IO_8};
