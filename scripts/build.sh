#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds build/PRESET/gnomon, after installing the packages that this takes: build.sh [PRESET], by default release.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
scripts/packages.sh build
if ! log=$(cmake --preset "$preset" 2>&1); then
	echo "$log" >&2
	exit 1
fi
cmake --build --preset "$preset"
