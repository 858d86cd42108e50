#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the guest's program: build.sh FOLDER makes FOLDER/bench (i386, for guests) and FOLDER/bench64 (for hosts that run no i386 code).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
flags=(-static -O2 -std=gnu17 -Wall -Wextra -Werror -Wno-unused-parameter -pthread)
for kind in bench:-m32 bench64:-m64; do
	# Written beside and renamed: another run may be using the old one.
	gcc "${kind#*:}" -msse2 "${flags[@]}" -o "$out/.${kind%%:*}" "$here"/guest/*.c
	mv "$out/.${kind%%:*}" "$out/${kind%%:*}"
done
