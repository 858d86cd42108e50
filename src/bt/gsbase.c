/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GS.base of the calling thread: with WRGSBASE where the host allows it (11 ns), else by a system call. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gsbase.h"

#define HWCAP2_FSGSBASE_BIT 2ul /* AT_HWCAP2: the kernel lets user mode use it */

bool bt_can_wrgsbase(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT;
}

void bt_set_gs_base(unsigned long base)
{
	if (bt_can_wrgsbase())
		__asm__ volatile("wrgsbase %0" : : "r"(base));
	else
		syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}
