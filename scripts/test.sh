#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds Gnomon and runs its tests: test.sh [options of ctest, such as -R NAME]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/packages.sh build run test
scripts/build.sh
exec ctest --test-dir build/release --output-on-failure "$@"
