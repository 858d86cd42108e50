#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds build/PRESET/gnomon and its tests, after installing the packages that this takes: build.sh [PRESET [TARGET...]],
# by default release and all.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
targets=("${@:2}")
scripts/packages.sh build
if ! log=$(cmake --preset "$preset" 2>&1); then
	echo "$log" >&2
	exit 1
fi
cmake --build --preset "$preset" ${targets:+--target "${targets[@]}"}
