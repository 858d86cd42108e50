/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of each unit test's main(). */
#ifndef GNOMON_TESTS_RUN_SUITE_H
#define GNOMON_TESTS_RUN_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite and frees it. The process's exit status. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
