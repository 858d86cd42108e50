/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of the program. Each gets what follows its name, and returns the exit status. */
#ifndef GNOMON_MONITOR_COMMANDS_H
#define GNOMON_MONITOR_COMMANDS_H

int command_run(int argc, char *const *argv);
int command_test(int argc, char *const *argv);
int command_report(int argc, char *const *argv);
int command_top(int argc, char *const *argv);
int command_ctl(int argc, char *const *argv);
int command_doctor(int argc, char *const *argv);

#endif
