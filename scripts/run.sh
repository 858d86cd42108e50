#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds Gnomon and boots an ISO image in this terminal: run.sh [ISO] [more options of `gnomon run`]
# Without an ISO: GRUB's rescue image, from Debian's grub-rescue-pc.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
iso=/usr/lib/grub-rescue/grub-rescue-cdrom.iso
if [ $# -gt 0 ] && [[ $1 != --* ]]; then
	iso=$1
	shift
	if [ ! -e "$iso" ]; then # before minutes of building
		echo "run.sh: $iso: there is no such file" >&2
		exit 1
	fi
fi
"$here/packages.sh" build run
"$here/build.sh" release gnomon >&2
exec "$here/../build/release/gnomon" run --cdrom "$iso" "$@"
