#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Assembles the real-mode programs and makes bootable images of them: image.py OUTPUT_DIR [-DNAME ...]

floppy.img, disk.img (hard disk), cd.iso (El Torito without emulation), cdfloppy.iso (with floppy emulation).
-DQEMU leaves out what QEMU's TCG does not do as processors do.
"""
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SECTOR, CD_SECTOR = 512, 2048
KERNEL_LBA, KERNEL_SECTORS, DIRECTORY_LBA, FILES_LBA, PATTERN_LBA = 1, 16, 20, 24, 1000  # as in layout.inc
FLOPPY_SECTORS, DISK_SECTORS = 2880, 16 * 16 * 63
IMAGE_LBA = 24  # of the boot image on CDs, in their sectors
MEDIA = {"floppy": 0, "disk": 1, "cd": 2, "cdfloppy": 3}

# In the order in which the kernel runs them; then what programs load.
PROGRAMS = ["memory", "except", "trace", "disk", "keyboard", "timer", "video", "serial", "unreal", "protect", "v86",
            "overlay", "selfmod", "tsr"]
FILES = ["ovl1", "ovl2", "exe", "packed"]


def assemble(out, name, *defines):
    binary = out / (name + "".join(defines).replace("-D", ".").replace("=", "") + ".bin")
    subprocess.run(["nasm", "-f", "bin", "-Wall", "-Werror", "-I", f"{HERE}/", *sys.argv[2:], *defines, "-o", binary,
                    HERE / f"{name}.asm"], check=True)
    return binary.read_bytes()


def pack(data):
    """LZSS for unpack() in overlay.asm: groups of a flag byte and eight items, least significant bit first; 1: a
    literal byte, 0: a word of 12 bits distance - 1 and 4 bits length - 3. Begins with the size (word)."""
    out, at = bytearray(struct.pack("<H", len(data))), 0
    while at < len(data):
        flags_at = len(out)
        out.append(0)
        for bit in range(8):
            if at == len(data):
                break
            best, best_from = 0, 0
            for start in range(max(0, at - 4096), at):
                n = 0
                while n < 18 and at + n < len(data) and data[start + n] == data[at + n]:
                    n += 1
                if n > best:
                    best, best_from = n, start
            if best >= 3:
                out += struct.pack("<H", (at - best_from - 1) << 4 | (best - 3))
                at += best
            else:
                out[flags_at] |= 1 << bit
                out.append(data[at])
                at += 1
    return bytes(out)


def pattern(sectors):
    """Each dword of a sector is its LBA + (byte offset << 20)."""
    words = [(lba + (offset << 20)) & 0xffffffff for lba in range(sectors) for offset in range(0, SECTOR, 4)]
    return bytearray(struct.pack(f"<{len(words)}I", *words))


def put(image, lba, data, limit):
    at = lba * SECTOR
    if at + len(data) > limit * SECTOR:
        sys.exit(f"image.py: {len(data)} bytes at sector {lba} reach beyond sector {limit}")
    image[at:at + len(data)] = data


def make_image(boot, kernel, files, sectors):
    image = pattern(sectors)
    put(image, 0, boot, 1)
    put(image, KERNEL_LBA, kernel.ljust(KERNEL_SECTORS * SECTOR, b"\0"), KERNEL_LBA + KERNEL_SECTORS)
    directory, lba = b"", FILES_LBA
    for name, data, run in files:
        directory += struct.pack("<8sHHHH", name.encode(), lba, len(data), run, 0)
        put(image, lba, data, PATTERN_LBA)
        lba += -(-len(data) // SECTOR)
    put(image, DIRECTORY_LBA, directory.ljust(SECTOR, b"\0"), DIRECTORY_LBA + 1)
    return image


def make_iso(image, media_type, load_sectors):
    """ISO 9660 with nothing but a boot record (El Torito 1.0, sections 2 and 3)."""
    def both(fmt, value):
        return struct.pack("<" + fmt, value) + struct.pack(">" + fmt, value)
    total = IMAGE_LBA + len(image) // CD_SECTOR
    root = struct.pack("<BB", 34, 0) + both("I", 20) + both("I", CD_SECTOR) + bytes(7) + b"\2\0\0" + both("H", 1) + b"\1\0"
    volume = b"\1CD001\1\0" + b" " * 32 + b"REALMODE".ljust(32) + bytes(8) + both("I", total) + bytes(32)
    volume += both("H", 1) + both("H", 1) + both("H", CD_SECTOR) + both("I", 10) + struct.pack("<II", 21, 0)
    volume += struct.pack(">II", 22, 0) + root
    boot = b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(32, b"\0") + bytes(32) + struct.pack("<I", 19)
    validation = bytearray(b"\1\0\0\0" + bytes(24) + b"\0\0\x55\xaa")
    checksum = -sum(struct.unpack("<16H", validation)) & 0xffff
    validation[28:30] = struct.pack("<H", checksum)
    entry = struct.pack("<BBHBBHI", 0x88, media_type, 0, 0, 0, load_sectors, IMAGE_LBA)
    dot = root
    iso = bytearray(total * CD_SECTOR)
    for lba, data in [(16, volume), (17, boot), (18, b"\xffCD001\1"), (19, bytes(validation) + entry),
                      (20, dot + dot[:32] + b"\1\1"), (IMAGE_LBA, image)]:
        iso[lba * CD_SECTOR:lba * CD_SECTOR + len(data)] = data
    return iso


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    kernel = assemble(out, "kernel")
    files = [(name, assemble(out, name), 1) for name in PROGRAMS if (HERE / f"{name}.asm").exists()]
    for name in FILES:
        if (HERE / f"{name}.asm").exists():
            data = assemble(out, name)
            files.append((name, pack(data) if name == "packed" else data, 0))
    for medium, number in MEDIA.items():
        boot = bytearray(assemble(out, "boot", f"-DMEDIUM={number}"))
        boot[8:12] = struct.pack("<I", IMAGE_LBA)
        image = make_image(bytes(boot), kernel, files, DISK_SECTORS if medium == "disk" else FLOPPY_SECTORS)
        if medium.startswith("cd"):
            image = make_iso(image, 0 if medium == "cd" else 2, 4 if medium == "cd" else 1)
        (out / f"{medium}.{'iso' if medium.startswith('cd') else 'img'}").write_bytes(image)


main()
