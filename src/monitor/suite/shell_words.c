/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shell_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

const char *shell_comment(const char *text)
{
	char quote = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '\\' && quote != '\'' && p[1])
			p++;
		else if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == '\'' || *p == '"')
			quote = *p;
		else if (*p == '#' && (p == text || strchr(blanks, p[-1])))
			return p;
	}
	return text + strlen(text);
}

/* One word at *p into `to`, which has room. */
static int take_word(const char **p, char *to, char *err, size_t errlen)
{
	char quote = 0;

	for (; **p && (quote || !strchr(blanks, **p)); ++*p) {
		char c = **p;
		if (quote != '\'' && (c == '`' || c == '$')) {
			snprintf(err, errlen, "needs a shell for '%.40s'", *p);
			return -EINVAL;
		}
		if (!quote && strchr(";|&<>()", c)) {
			snprintf(err, errlen, "needs a shell for '%c'", c);
			return -EINVAL;
		}
		if (c == quote) {
			quote = 0;
		} else if (!quote && (c == '\'' || c == '"')) {
			quote = c;
		} else if (c == '\\' && quote != '\'' && (*p)[1] && (!quote || strchr("$`\"\\\n", (*p)[1]))) {
			++*p;
			if (**p != '\n')
				*to++ = **p;
		} else {
			*to++ = c;
		}
	}
	*to = 0;
	if (quote)
		snprintf(err, errlen, "a %c is not closed", quote);
	return quote ? -EINVAL : 0;
}

int shell_words(const char *text, struct strings *to, char *err, size_t errlen)
{
	char *word = malloc(strlen(text) + 1);
	int rc = word ? 0 : -ENOMEM;

	if (rc)
		snprintf(err, errlen, "out of memory");
	while (!rc) {
		text += strspn(text, blanks);
		if (*text == '#')
			text += strcspn(text, "\n");
		else if (!*text)
			break;
		else if (!(rc = take_word(&text, word, err, errlen)))
			strings_add(to, "%s", word);
	}
	free(word);
	if (rc)
		make_printable(err);
	return rc;
}
