#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks the layers: who may include whom. check_includes.py [ROOT]

base (plain files in src/) <- devices; base <- cpu <- shadow <- bt; base <- profile; monitor sees all. Headers named *_internal.h never
leave their folder (a layer's unit tests may look inside). Zydis is included in one file.
"""
import pathlib
import re
import sys

SEES = {
    "base": {"base"},
    "devices": {"base", "devices"},
    "cpu": {"base", "cpu"},
    "shadow": {"base", "cpu", "shadow"},
    "bt": {"base", "cpu", "shadow", "bt"},
    "profile": {"base", "profile"},
    "monitor": {"base", "devices", "cpu", "shadow", "bt", "profile", "monitor"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<(Zydis/[^>]+)>)', re.M)


def layer_of(path, src):
    parts = path.relative_to(src).parts
    return parts[0] if len(parts) > 1 else "base"


def resolve(name, file, src):
    for folder in (file.parent, src):
        target = (folder / name).resolve()
        if target.is_file():
            return target
    return None


def check_file(file, layer, src, errors, zydis):
    inside = src in file.parents
    where = file.relative_to(src.parent)
    for name, system in INCLUDE.findall(file.read_text(errors="replace")):
        if system:
            if inside:
                zydis.add(str(where))
            continue
        target = resolve(name, file, src)
        if target is None:
            errors.append(f'{where}: "{name}" is in neither its folder nor src/')
            continue
        if src not in target.parents:
            if inside:
                errors.append(f'{where}: "{name}" is outside src/')
            continue
        to = layer_of(target, src)
        if to not in SEES[layer]:
            errors.append(f'{where}: {layer} must not see {to} ("{name}")')
        if inside and target.name.endswith("_internal.h") and target.parent != file.parent:
            errors.append(f'{where}: "{name}" is internal to {target.parent.relative_to(src.parent)}')


def check(root):
    src = (root / "src").resolve()
    errors, zydis = [], set()
    files = [f for p in ("*.c", "*.h", "*.S", "*.def") for f in src.rglob(p)]
    for file in files:
        layer = layer_of(file, src)
        if layer not in SEES:
            errors.append(f"{file.relative_to(src.parent)}: no such layer: {layer}")
            continue
        check_file(file, layer, src, errors, zydis)
    for layer in SEES:
        for file in sorted((root / "tests/unit" / layer).glob("*.[ch]")):
            check_file(file.resolve(), layer, src, errors, zydis)
    if len(zydis) > 1:
        errors.append("Zydis is included in more than one file: " + ", ".join(sorted(zydis)))
    if not files:
        errors.append(f"no sources below {src}")
    return errors


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
    for line in found:
        print(line)
    sys.exit(bool(found))
