/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Splits text into words as a shell does, without ever running anything. */
#ifndef GNOMON_MONITOR_SUITE_SHELL_WORDS_H
#define GNOMON_MONITOR_SUITE_SHELL_WORDS_H

#include "strings.h"

/*
 * Words of `text` into *to (which is added to): blanks and newlines separate, '...', "..." and \ quote, # at the start
 * of a word begins a comment. 0, or -EINVAL with a reason in err: a quote that is not closed, or what only a shell can
 * do
 * (`command`, $variable, ; | & < > and parentheses).
 */
int shell_words(const char *text, struct strings *to, char *err, size_t errlen);

/* Where a comment begins in text (a # outside of quotes, at the start of a word), or its end. */
const char *shell_comment(const char *text);

#endif
