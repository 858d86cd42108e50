/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GNOMON_TESTS_ISA_KNOWN_H
#define GNOMON_TESTS_ISA_KNOWN_H

/* Exit status of a test: 0 if it passed, or failed and is listed as ENGINE.NAME in the file of known failures; else 1.
 */
int known_result(const char *path, const char *engine, const char *name, unsigned failures);

#endif
