#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes an ELF file of symbols for gdb from a list of them: /proc/kallsyms of a running kernel, or a System.map.

symbols.py KALLSYMS [--shift BYTES] [--vmlinuz FILE] --out FILE  from a list; the kernel is looked at for stack frames
symbols.py --gnomon GNOMON --kernel 686 --out FILE               boots Debian's kernel (without KASLR) once and asks it
"""
import argparse
import os
import re
import struct
import subprocess
import sys
import tempfile

import debian
import frames
import image
import vmlinux

# ELF (System V ABI, chapter 4)
ELF32_HEADER, SECTION, SYMBOL = "<16sHHIIIIIHHHHHH", "<IIIIIIIIII", "<IIIBBH"
ET_EXEC, EM_386 = 2, 3
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS = 1, 2, 3, 8
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
STB_LOCAL, STB_GLOBAL, STT_OBJECT, STT_FUNC = 0, 1, 1, 2
MARKER = re.compile(rb"_(start|end|begin)$|^_[es]?text$|^_einittext$")  # a place, not what is there
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
    return sorted(found, key=lambda symbol: (symbol[0], not MARKER.search(symbol[2]), *symbol))  # gdb calls a place by the last name


CODE = "tTwW"


def with_sizes(symbols):
    """[(address, kind, name, size)]: a symbol ends where the next one begins."""
    ends = [address for address, _, _ in symbols[1:]] + [min(symbols[-1][0] + 4096, 0xffffffff)]
    return [(*symbol, end - symbol[0]) for symbol, end in zip(symbols, ends)]


def debug_frame(symbols, bzimage):
    """A section .debug_frame for a kernel: how to unwind its stacks."""
    elf_file = vmlinux.unpack(bzimage)
    bases = [address for address, _, name in symbols if name == b"_text"]
    if not bases:
        raise ValueError("the list has no symbol _text")
    shift = bases[0] - vmlinux.base(elf_file)
    functions = [(address - shift & 0xffffffff, size, name) for address, kind, name, size in with_sizes(symbols) if kind in CODE]
    with tempfile.NamedTemporaryFile() as file:
        file.write(elf_file)
        file.flush()
        return frames.debug_frame(frames.disassemble(file.name), functions, shift)


def elf(symbols, frame_table=b""):
    """The file's bytes: no code or data, which gdb reads from the guest, only where they lie and how they are called."""
    sized = with_sizes(symbols)
    code = [s for s in sized if s[1] in CODE]
    data = [s for s in sized if s[1] not in CODE]
    names = b"\0.text\0.data\0.symtab\0.strtab\0.debug_frame\0"
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
    contents = (b"".join(table), bytes(strings), names, frame_table)
    at = [struct.calcsize(ELF32_HEADER)]
    for part in contents:
        at.append(at[-1] + len(part))
    sections = [
        (0,) * 10,
        (names.index(b".text"), SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, spans[0][0], at[0], spans[0][1], 0, 0, 16, 0),
        (names.index(b".data"), SHT_NOBITS, SHF_ALLOC | SHF_WRITE, spans[1][0], at[0], spans[1][1], 0, 0, 16, 0),
        (names.index(b".symtab"), SHT_SYMTAB, 0, 0, at[0], len(contents[0]), 4, local, 4, struct.calcsize(SYMBOL)),
        (names.index(b".strtab"), SHT_STRTAB, 0, 0, at[1], len(strings), 0, 0, 1, 0),
        (names.index(b".strtab"), SHT_STRTAB, 0, 0, at[2], len(names), 0, 0, 1, 0),
        (names.index(b".debug_frame"), SHT_PROGBITS, 0, 0, at[3], len(frame_table), 0, 0, 4, 0),
    ]
    header = struct.pack(ELF32_HEADER, b"\x7fELF\1\1\1" + bytes(9), ET_EXEC, EM_386, 1, 0, 0, at[4], 0,
                         struct.calcsize(ELF32_HEADER), 0, 0, struct.calcsize(SECTION), len(sections), 5)
    return header + b"".join(contents) + b"".join(struct.pack(SECTION, *s) for s in sections)


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
        return read_file(disk).rstrip(b"\0")


def read_file(path):
    with open(path, "rb") as f:
        return f.read()


def read_list(args):
    symbols = parse(read_file(args.list), args.shift)
    return symbols, debug_frame(symbols, read_file(args.vmlinuz)) if args.vmlinuz else b""


def kernel_symbols(gnomon, kernel, boot=None):
    """(symbols, .debug_frame) of one of Debian's kernels; boot: as for ask_kernel."""
    with tempfile.TemporaryDirectory() as folder:
        boot = boot or folder
        symbols = parse(ask_kernel(gnomon, kernel, boot))
        return symbols, debug_frame(symbols, read_file(os.path.join(boot, "vmlinuz")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", nargs="?", metavar="KALLSYMS", help="the list")
    parser.add_argument("--shift", type=lambda text: int(text, 0), default=0, help="added to every address: where KASLR has put the kernel")
    parser.add_argument("--gnomon", metavar="FILE", help="the program to boot the kernel with")
    parser.add_argument("--kernel", choices=image.KERNELS, help="ask this one of Debian's kernels")
    parser.add_argument("--vmlinuz", metavar="FILE", help="the kernel of the list: adds what debuggers need to unwind stacks")
    parser.add_argument("--out", required=True, metavar="FILE")
    args = parser.parse_args()
    if bool(args.list) == bool(args.gnomon and args.kernel) or args.kernel and args.vmlinuz:
        parser.error("either a list of symbols, with its kernel or without, or --gnomon and --kernel")
    try:
        symbols, frame_table = read_list(args) if args.list else kernel_symbols(args.gnomon, args.kernel)
    except (OSError, ValueError, debian.Error, subprocess.CalledProcessError) as error:
        sys.exit(f"symbols.py: {error}")
    with open(args.out, "wb") as f:
        f.write(elf(symbols, frame_table))
    print(f"{args.out}: {len(symbols)} symbols" + (", with stack frames" if frame_table else ""))


if __name__ == "__main__":
    main()
