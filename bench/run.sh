#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds Gnomon and the guest, and compares native, Gnomon and QEMU's TCG: run.sh [options of run.py, such as --quick]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
case " $* " in *" --help "* | *" -h "*) exec python3 "$here/run.py" --help ;; esac
"$here/../scripts/packages.sh" build run bench
case " $* " in *" --gnomon "*) ;; *) "$here/../scripts/build.sh" >&2 ;; esac
"$here/build.sh" "$here/../build/bench"
"$here/micro/build.sh" "$here/../build/bench"
exec python3 -B "$here/run.py" "$@"
