# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots the kernels of this folder: test_multiboot.py GNOMON FOLDER CASE.

Under `qemu-system-i386 -kernel` they say the same, but for the loader's name, symbols (it passes none) and the size of
the BIOS's tables; and it refuses 64-bit ELF files.
"""
import pathlib
import subprocess
import sys
import tempfile

GNOMON, FOLDER, CASE = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
KIB, MIB = 1 << 10, 1 << 20


def boot(directory, kernel, *options, memory="64M", status=0):
    """The lines that the kernel prints: {name: [values]}; or, if it cannot be booted, what gnomon says."""
    serial = directory / "serial"
    result = subprocess.run([GNOMON, "run", "--display", "none", "--timeout", "100", "--memory", memory, "--serial",
                             f"file:{serial}", "--kernel", kernel, *map(str, options)], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True)
    said = serial.read_text() if serial.exists() else ""
    assert result.returncode == status, f"{result.returncode}\n{result.stderr}\n{said}"
    if status:
        return result.stderr
    lines = {}
    for line in said.splitlines():
        name, _, value = line.partition(": ")
        lines.setdefault(name, []).append(value)
    assert "done" in lines, said
    return lines


def check(lines, kernel, append="", symbols=True):
    """What holds for every form."""
    expected = {"magic": "2badb002", "cr0": "1", "interrupts": "0", "code limit": "ffffffff", "data limit": "ffffffff",
                "a20 masked": "0", "soiled": "0", "loader": "Gnomon", "cmdline": f"{kernel} {append}".strip(),
                "flags": "26d" if symbols else "24d"}
    for name, value in expected.items():
        for got in lines[name]:
            assert got == value, f"{name}: {got}, not {value}"
    assert set(lines.get("symbol", [])) <= {"1"}


def memory_map(lines):
    return [tuple(int(n, 16) for n in entry.split()) for entry in lines["memory"]]


def check_memory(lines, size):
    """The map is in order, and says the same as the two old fields."""
    entries = memory_map(lines)
    assert sorted(entries) == entries
    for (base, length, _), (following, _, _) in zip(entries, entries[1:]):
        assert base + length <= following, entries
    usable = {base: length for base, length, kind in entries if kind == 1}
    lower, upper = int(lines["mem_lower"][0], 16), int(lines["mem_upper"][0], 16)
    assert 600 <= lower <= 640 and lower * KIB == usable[0], (lower, entries)
    assert usable[MIB] // KIB == upper, (upper, entries)
    below = min(size, 3 << 30)
    assert below - 256 * KIB <= MIB + upper * KIB <= below, (upper, entries)
    if size > below:
        assert usable[4 << 30] == size - below, entries


def check_module(lines, n, text, data):
    total = 0
    for byte in data:
        total = (total * 31 + byte) & 0xffffffff
    assert lines["module"][n] == text, lines
    for name, value in ("length", len(data)), ("hash", total), ("unaligned", 0), ("in the kernel", 0):
        assert int(lines[f"module {name}"][n], 16) == value, (name, lines)


def simple(directory, name, symbols=True, options=()):
    kernel = FOLDER / name
    lines = boot(directory, kernel, "--append", "one  two=3", *options)
    check(lines, kernel, "one  two=3", symbols)
    check_memory(lines, 64 * MIB)
    assert lines["modules"] == ["0"]
    return lines


def modules(directory):
    kernel, first, second = FOLDER / "multiboot.elf", directory / "first,", directory / "second"
    first.write_bytes(b"A module")
    second.write_bytes(bytes(range(256)) * 20)
    initrd = f"{directory}/first,, arg=1 more,{second}"
    lines = boot(directory, kernel, "--initrd", initrd)
    check(lines, kernel)
    assert lines["modules"] == ["2"]
    check_module(lines, 0, f"{first} arg=1 more", first.read_bytes())
    check_module(lines, 1, str(second), second.read_bytes())


def large_module(directory):
    module = directory / "module"
    module.write_bytes(b"0123456789abcde" * 100000)
    lines = boot(directory, FOLDER / "addresses.bin", "--initrd", module)
    check_module(lines, 0, str(module), module.read_bytes())
    with open(module, "wb") as file:
        file.truncate(60 * MIB)
    said = boot(directory, FOLDER / "addresses.bin", "--initrd", module, status=1)
    assert said.count("\n") == 1 and str(module) in said and "too large" in said, said


def reset(directory):
    kernel = FOLDER / "multiboot.elf"
    lines = boot(directory, kernel, "--append", "reset")
    check(lines, kernel, "reset")
    assert lines["resets"] == ["0", "1"]


def memory(directory):
    for text, size in ("8M", 8 * MIB), ("2G", 2 << 30), ("5G", 5 << 30):
        check_memory(boot(directory, FOLDER / "multiboot.elf", memory=text), size)
    said = boot(directory, FOLDER / "multiboot.elf", memory="4M", status=1)
    assert said.count("\n") == 1 and "does not fit" in said, said


def demanding(directory):
    said = boot(directory, FOLDER / "demanding.elf", status=1)
    assert said.count("\n") == 1 and "features 0x1000" in said, said


CASES = {
    "multiboot": lambda d: simple(d, "multiboot.elf")["symbol"],
    "plain": lambda d: simple(d, "plain.elf")["symbol"],
    "multiboot64": lambda d: simple(d, "multiboot64.elf"),
    "addresses": lambda d: simple(d, "addresses.bin", symbols=False),
    "step": lambda d: simple(d, "multiboot.elf", options=["--engine", "step"]),
    "lockstep": lambda d: simple(d, "multiboot.elf", options=["--lockstep"]),
    "modules": modules, "large_module": large_module, "reset": reset, "memory": memory, "demanding": demanding,
}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="gnomon-multiboot-") as folder:
        CASES[CASE](pathlib.Path(folder))
