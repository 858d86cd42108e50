#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# update_golden.sh BUILD_DIRECTORY: writes golden.txt anew from what the translator emits now.
set -e
[ -n "$1" ] || { echo "usage: $0 BUILD_DIRECTORY" >&2; exit 2; }
cmake --build "$1" --target test_golden
GOLDEN_UPDATE=1 "$1/tests/test_golden"
git -C "$(dirname "$0")" diff --stat -- golden.txt
