/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's processor must have. */
#include <cpuid.h>

#include "bt.h"

const char *bt_host_lacks(void)
{
	unsigned a, b = 0, c = 0, d;

	__get_cpuid_count(7, 0, &a, &b, &c, &d);
	if (!(b & bit_BMI2)) /* SHRX and its like: checks that leave flags alone */
		return "BMI2";
	__get_cpuid(0x80000001, &a, &b, &c, &d);
	return c & bit_LAHF_LM ? NULL : "LAHF in 64-bit mode";
}
