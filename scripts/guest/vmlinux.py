# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel proper, an ELF file, out of a bzImage (Linux, Documentation/arch/x86/boot.rst)."""
import bz2
import lzma
import struct
import subprocess
import zlib

SETUP_SECTS, HEADER_MAGIC, PAYLOAD_OFFSET = 0x1f1, 0x202, 0x248  # offsets in the file
SECTOR = 512
PT_LOAD = 1


def _by_program(*command):
    def run(data):
        # What follows the compressed data (its length) is not to their liking, but by then all is out.
        try:
            return subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
        except FileNotFoundError as error:
            raise ValueError(f"the kernel is compressed in a way that takes the program {command[0]}") from error
    return run


def _by(make):
    def run(data):
        decompressor = make()
        out = decompressor.decompress(data)
        if not decompressor.eof:
            raise ValueError("the kernel is cut short")
        return out
    return run


FORMATS = (
    (b"\x7fELF", bytes),
    (b"\x1f\x8b", _by(lambda: zlib.decompressobj(wbits=31))),
    (b"\xfd7zXZ\0", _by(lzma.LZMADecompressor)),
    (b"\x5d\0\0", _by(lzma.LZMADecompressor)),
    (b"BZh", _by(bz2.BZ2Decompressor)),
    (b"\x28\xb5\x2f\xfd", _by_program("zstd", "-dcq")),
    (b"\x02\x21\x4c\x18", _by_program("lz4", "-dcq")),
    (b"\x89LZO", _by_program("lzop", "-dcq")),
)


def unpack(bzimage):
    """The ELF file's bytes. ValueError: it is none, or is damaged."""
    if len(bzimage) < 0x260 or bzimage[HEADER_MAGIC:HEADER_MAGIC + 4] != b"HdrS":
        raise ValueError("not a Linux kernel (bzImage)")
    offset, length = struct.unpack_from("<II", bzimage, PAYLOAD_OFFSET)
    begin = ((bzimage[SETUP_SECTS] or 4) + 1) * SECTOR + offset
    payload = bzimage[begin:begin + length]
    for magic, decompress in FORMATS:
        if payload.startswith(magic):
            break
    else:
        raise ValueError("the kernel is compressed in an unknown way")
    try:
        elf = decompress(payload)
    except (zlib.error, lzma.LZMAError, OSError) as error:
        raise ValueError(f"the kernel is damaged: {error}") from error
    if elf[:5] != b"\x7fELF\1":
        raise ValueError("what the kernel unpacks is not a 32-bit ELF file")
    return elf


def base(elf):
    """The linear address that the first of it is linked for: the symbol _text."""
    headers, size, count = struct.unpack_from("<I", elf, 28)[0], *struct.unpack_from("<HH", elf, 42)
    loaded = []
    for i in range(count):
        kind, _, address = struct.unpack_from("<III", elf, headers + i * size)
        if kind == PT_LOAD:
            loaded.append(address)
    if not loaded:
        raise ValueError("an ELF file with nothing to load")
    return min(loaded)
