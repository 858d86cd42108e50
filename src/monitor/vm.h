/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_MONITOR_VM_H
#define GNOMON_MONITOR_VM_H

#include "config.h"

/* Runs the VM to its end; complaints go to say(). Returns the exit status of the program (options.h). */
int vm_main(const struct vm_config *cfg);

#endif
