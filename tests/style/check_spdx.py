#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every source file names its licence in its first lines. check_spdx.py [ROOT]"""
import pathlib
import sys

TAG = "SPDX-License-Identifier: " + "GPL-2.0-or-later"
SUFFIXES = {".c", ".h", ".S", ".def", ".py", ".sh", ".asm", ".inc", ".cmake"}
NAMES = {"CMakeLists.txt", "packages.txt", "run"}
FOLDERS = ("src", "tests", "scripts", "bench", "cmake", ".ci")


def check(root):
    errors = []
    files = [root / "CMakeLists.txt"] + [f for folder in FOLDERS for f in sorted((root / folder).rglob("*"))]
    for file in files:
        if not file.is_file() or (file.suffix not in SUFFIXES and file.name not in NAMES):
            continue
        with file.open(errors="replace") as text:
            if not any(TAG in line for _, line in zip(range(5), text)):
                errors.append(f"{file.relative_to(root)}: no '{TAG}' in its first lines")
    if len(files) < 2:
        errors.append(f"no sources below {root}")
    return errors


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
    for line in found:
        print(line)
    sys.exit(bool(found))
