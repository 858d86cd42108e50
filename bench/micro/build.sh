#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the micro rows: build.sh FOLDER makes FOLDER/micro.elf (the kernel) and FOLDER/micro (the host's program, which
# takes gcc-multilib; build.sh FOLDER kernel leaves it out).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
flags=(-m32 -march=i686 -O2 -std=gnu17 -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -Wall -Wextra -Werror
	-Wno-unused-parameter)
# Written beside and renamed: another run may be using the old one.
gcc "${flags[@]}" -ffreestanding -mno-sse -mno-mmx -nostdlib -static -no-pie -Wl,-T,"$here/kernel.ld",--build-id=none,--no-warn-rwx-segments \
	-z noexecstack -o "$out/.micro.elf" "$here"/{entry.S,bodies.S,kernel.c,measure.c,translate.c}
mv "$out/.micro.elf" "$out/micro.elf"
[ "${2:-}" = kernel ] && exit
gcc "${flags[@]}" -static -no-pie -Wl,--no-warn-rwx-segments -o "$out/.micro" "$here"/{bodies.S,native.c,measure.c,translate.c}
mv "$out/.micro" "$out/micro"
