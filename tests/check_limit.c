/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Check ends a test after 4 seconds unless told otherwise, which is meant for an idle machine. The build says how long
 * is too long (CMakeLists.txt), for all tests alike and also where one is started by hand.
 */
#define _GNU_SOURCE
#include <stdlib.h>

__attribute__((constructor)) static void set_limit(void)
{
	setenv("CK_DEFAULT_TIMEOUT", CHECK_LIMIT, 0);
}
