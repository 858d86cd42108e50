#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb on a Debian kernel, with symbols as scripts/guest/symbols.py makes them: test_linux_gdb.py GNOMON KERNEL."""
import os
import sys
import tempfile

from gdb_program import SKIP, debug
from remote import Vm

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "guest"))
import debian  # noqa: E402
import symbols  # noqa: E402

GNOMON, KERNEL = sys.argv[1:3]

SESSION = [
    ("hbreak start_kernel", "Hardware assisted breakpoint 1"),
    ("continue", r"Breakpoint 1, 0x\w+ in start_kernel \(\)"),
    ("bt 2", r"#0 .* in start_kernel \(\)\n#1 .* in i386_start_kernel \(\)"),
    ("print $cr0", r"\[ PE .*PG \]"),
    ("x/i $eip", "=> .*<start_kernel>:"),
    ("stepi", r"0x\w+ in (start_kernel|__fentry__) \(\)"),
    ("stepi", r"0x\w+ in start_kernel \(\)"),
    ("tbreak vfs_open", "Temporary breakpoint 2"),
    ("continue", r"Temporary breakpoint 2, 0x\w+ in vfs_open \(\)"),
    ("bt 3", r"#0 .* in vfs_open \(\)\n#1 .* in path_openat \(\)"),
    ("tbreak kernel_execve", "Temporary breakpoint 3"),
    ("continue", r"Temporary breakpoint 3, 0x\w+ in kernel_execve \(\)"),
    ("bt 2", r"#0 .* in kernel_execve \(\)\n#1 .* in run_init_process|#1 .* in call_usermodehelper"),
    ("finish", r"0x\w+ in \w+ \(\)"),
    ("info threads", "CPL 0"),
    ("delete", ""),
    ("detach", "detached"),
]


def main():
    with tempfile.TemporaryDirectory(prefix="gnomon-gdb-") as folder:
        try:
            listed = symbols.ask_kernel(GNOMON, KERNEL, folder)
        except debian.Error as error:
            print(f"skipped: no guest image: {error}")
            sys.exit(1 if os.environ.get("GNOMON_CI") else SKIP)
        elf, serial = os.path.join(folder, "vmlinux"), os.path.join(folder, "serial")
        with open(elf, "wb") as f:
            f.write(symbols.elf(symbols.parse(listed)))
        with Vm(GNOMON, "--kernel", os.path.join(folder, "vmlinuz"), "--initrd", os.path.join(folder, "initrd"), "--append",
                "nokaslr console=ttyS0", "--serial", f"file:{serial}") as vm:
            debug(elf, vm.path, SESSION, timeout=120)
            # Its script fails without a disk; what counts is that it comes to its end.
            assert vm.process.wait(120) == 0
        with open(serial, encoding="utf-8", errors="replace") as f:
            console = f.read()
        assert "guest: ended with" in console and "Call Trace" not in console, console[-3000:]


if __name__ == "__main__":
    main()
