#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes an ELF file of symbols for gdb from a list of them: /proc/kallsyms of a running kernel, or a System.map.

symbols.py KALLSYMS [--shift BYTES] --out FILE      from a list
symbols.py --gnomon GNOMON --kernel 686 --out FILE  boots Debian's kernel (without KASLR) once and asks it
"""
import argparse
import os
import re
import struct
import subprocess
import sys
import tempfile

import debian
import image

# ELF (System V ABI, chapter 4)
ELF32_HEADER, SECTION, SYMBOL = "<16sHHIIIIIHHHHHH", "<IIIIIIIIII", "<IIIBBH"
ET_EXEC, EM_386 = 2, 3
SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS = 2, 3, 8
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
STB_LOCAL, STB_GLOBAL, STT_OBJECT, STT_FUNC = 0, 1, 1, 2
LINE = re.compile(rb"^([0-9a-f]{8,16}) ([A-Za-z]) (\S+)[ \t]*(\[\S+\])?$")


def parse(text, shift=0):
    """[(address, kind, name)], sorted, of a kernel's own symbols: those of modules come and go."""
    found = []
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            raise ValueError(f"not a line of symbols: {line[:60]!r}")
        address, kind, name, module = match.groups()
        if not module and kind not in b"aAUw":
            found.append(((int(address, 16) + shift) & 0xffffffff, kind.decode(), name))
    if not found or not any(address for address, _, _ in found):
        raise ValueError("no addresses in the list: the kernel hides them from all but root")
    return sorted(found)


def elf(symbols):
    """The file's bytes: no code or data, which gdb reads from the guest, only where they lie and how they are called."""
    ends = [address for address, _, _ in symbols[1:]] + [min(symbols[-1][0] + 4096, 0xffffffff)]
    sized = [(*symbol, end - symbol[0]) for symbol, end in zip(symbols, ends)]
    code = [s for s in sized if s[1] in "tTwW"]
    data = [s for s in sized if s[1] not in "tTwW"]
    names = b"\0.text\0.data\0.symtab\0.strtab\0"
    strings, table = bytearray(b"\0"), [struct.pack(SYMBOL, 0, 0, 0, 0, 0, 0)]
    spans, entries = [], []
    for section, kind, part in ((1, STT_FUNC, code), (2, STT_OBJECT, data)):
        begin, end = (part[0][0], part[-1][0] + part[-1][3]) if part else (0, 0)
        spans.append((begin, end - begin))
        for address, letter, name, size in part:
            binding = STB_GLOBAL if letter.isupper() else STB_LOCAL
            entries.append((binding, struct.pack(SYMBOL, len(strings), address, size, binding << 4 | kind, 0, section)))
            strings += name + b"\0"
    entries.sort(key=lambda entry: entry[0])  # local symbols come first
    table += [entry for _, entry in entries]
    local = 1 + sum(binding == STB_LOCAL for binding, _ in entries)
    body = b"".join(table)
    at = struct.calcsize(ELF32_HEADER)
    strings_at, names_at = at + len(body), at + len(body) + len(strings)
    headers_at = names_at + len(names)
    header = struct.pack(ELF32_HEADER, b"\x7fELF\1\1\1" + bytes(9), ET_EXEC, EM_386, 1, 0, 0, headers_at, 0,
                         struct.calcsize(ELF32_HEADER), 0, 0, struct.calcsize(SECTION), 6, 5)
    sections = [
        (0,) * 10,
        (names.index(b".text"), SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, *spans[0][:1], at, spans[0][1], 0, 0, 16, 0),
        (names.index(b".data"), SHT_NOBITS, SHF_ALLOC | SHF_WRITE, *spans[1][:1], at, spans[1][1], 0, 0, 16, 0),
        (names.index(b".symtab"), SHT_SYMTAB, 0, 0, at, len(body), 4, local, 4, struct.calcsize(SYMBOL)),
        (names.index(b".strtab"), SHT_STRTAB, 0, 0, strings_at, len(strings), 0, 0, 1, 0),
        (names.index(b".strtab"), SHT_STRTAB, 0, 0, names_at, len(names), 0, 0, 1, 0),
    ]
    return header + body + bytes(strings) + names + b"".join(struct.pack(SECTION, *s) for s in sections)


def ask_kernel(gnomon, kernel, boot=None):
    """/proc/kallsyms of a Debian kernel without KASLR. `boot`: folder with such a guest, made by this for later use."""
    with tempfile.TemporaryDirectory() as folder:
        boot = boot or folder
        image.make(kernel, script=b"cat /proc/kallsyms >/dev/vda\nsync\n", out=boot)
        disk = os.path.join(folder, "disk")
        with open(disk, "wb") as f:
            f.truncate(32 << 20)
        command = [gnomon, "run", "--kernel", os.path.join(boot, "vmlinuz"), "--initrd", os.path.join(boot, "initrd"), "--append",
                   "quiet nokaslr", "--disk", f"{disk},if=virtio", "--display", "none", "--timeout", "180"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        with open(disk, "rb") as f:
            return f.read().rstrip(b"\0")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", nargs="?", metavar="KALLSYMS", help="the list")
    parser.add_argument("--shift", type=lambda text: int(text, 0), default=0, help="added to every address: where KASLR has put the kernel")
    parser.add_argument("--gnomon", metavar="FILE", help="the program to boot the kernel with")
    parser.add_argument("--kernel", choices=image.KERNELS, help="ask this one of Debian's kernels")
    parser.add_argument("--out", required=True, metavar="FILE")
    args = parser.parse_args()
    if bool(args.list) == bool(args.gnomon and args.kernel):
        parser.error("either a list of symbols, or --gnomon and --kernel")
    try:
        if args.list:
            with open(args.list, "rb") as f:
                text = f.read()
        else:
            text = ask_kernel(args.gnomon, args.kernel)
        symbols = parse(text, args.shift)
    except (OSError, ValueError, debian.Error, subprocess.CalledProcessError) as error:
        sys.exit(f"symbols.py: {error}")
    with open(args.out, "wb") as f:
        f.write(elf(symbols))
    print(f"{args.out}: {len(symbols)} symbols")


if __name__ == "__main__":
    main()
