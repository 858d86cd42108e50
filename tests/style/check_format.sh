#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# clang-format 14 finds nothing to change: check_format.sh ROOT. Exit status 77 (skipped) without it, except in CI.
set -uo pipefail
cd "$1" || exit 1
tool=
for t in clang-format-14 clang-format; do
	if command -v "$t" >/dev/null && "$t" --version | grep -q 'version 14\.'; then
		tool=$t
		break
	fi
done
if [ -z "$tool" ]; then
	echo "clang-format 14 is not installed"
	[ -n "${GNOMON_CI:-}" ] && exit 1
	exit 77
fi
find src tests bench -name '*.[ch]' -print0 | xargs -0 "$tool" --dry-run --Werror
