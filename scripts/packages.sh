#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what is missing of packages.txt for the given purposes: packages.sh build run ...
# Asks nothing of the system when nothing is missing.
set -euo pipefail
list=$(dirname "$0")/packages.txt
missing=()
if ! command -v dpkg-query >/dev/null; then
	echo "This is not Debian: make sure that you have what $list lists." >&2
	exit 0
fi
for purpose in "$@"; do
	while read -r package; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
	done < <(awk -v p="$purpose" '$1 == p { print $2 }' "$list")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "Installing ${missing[*]}" >&2
root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "Please install these as root: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
install=("${root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}")
# The package lists may be old or absent: fetch them only when that shows.
"${install[@]}" >/dev/null 2>&1 </dev/null || {
	"${root[@]}" apt-get update -q </dev/null >&2
	"${install[@]}" </dev/null >&2
}
