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
COMMANDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernel_commands.py")

SESSION = [
    ("hbreak start_kernel", "Hardware assisted breakpoint 1"),
    ("continue", r"Breakpoint 1, 0x\w+ in start_kernel \(\)"),
    ("bt 2", r"#0 .* in start_kernel \(\)\n#1 .* in i386_start_kernel \(\)"),
    ("print $cr0", r"\[ PE .*PG \]"),
    ("x/i $eip", "=> .*<start_kernel>:"),
    ("stepi", r"0x\w+ in (start_kernel|__fentry__) \(\)"),
    ("stepi", r"0x\w+ in start_kernel \(\)"),
    # A long chain, the same from every instruction
    ("tbreak vfs_open", "Temporary breakpoint 2"),
    ("continue", r"Temporary breakpoint 2, 0x\w+ in vfs_open \(\)"),
    ("bt", r"#0 .* in vfs_open \(\)\n#1 .* in path_openat \(\)\n#2 .* in do_filp_open \(\)\n(#.* in [\w.]+ \(\)\n){2,}.* in ret_from_fork \(\)\n+$"),
    (f"source {COMMANDS}", ""),
    ("check-frames 150", r"150 instructions, [3-9]"),
    # An interrupt, on a stack of its own
    ("tbreak handle_softirqs", "Temporary breakpoint 3"),
    ("continue", r"Temporary breakpoint 3, 0x\w+ in handle_softirqs \(\)"),
    ("bt", r" in irq_exit_rcu \(\)\n.* in sysvec_apic_timer_interrupt \(\)\n.*<signal handler called>\n(#.* in [\w.]+ \(\)\n)+"
           r".* in (ret_from_fork|startup_32\w*|\?\?) \(\)\n"),
    ("tbreak kernel_execve", "Temporary breakpoint 4"),
    ("continue", r"Temporary breakpoint 4, 0x\w+ in kernel_execve \(\)"),
    ("bt 2", r"#0 .* in kernel_execve \(\)\n#1 .* in run_init_process|#1 .* in call_usermodehelper"),
    ("finish", r"0x\w+ in [\w.]+ \(\)"),
    ("info threads", "CPL 0"),
    ("delete", ""),
    ("detach", "detached"),
]

IDLE = [
    ("tbreak hrtimer_nanosleep", "Temporary breakpoint 1"),
    ("continue", r"Temporary breakpoint 1, 0x\w+ in hrtimer_nanosleep \(\)"),
    ("bt", r"#0 .* in hrtimer_nanosleep \(\)\n(#.*\n)*.*<signal handler called>\n.* 0x[0-9ab]\w+ in \?\?"),  # to the program
    (f"source {COMMANDS}", ""),
    ("idle-after 0.5", r" in do_idle \(\)\n.* in cpu_startup_entry \(\)\n.* in rest_init \(\)\n.* in arch_call_rest_init \(\)\n"
                       r".* in start_kernel \(\)\n.* in i386_start_kernel \(\)\n.* in startup_32\w* \(\)\n"),
    ("kill", "killed"),
]


def main():
    with tempfile.TemporaryDirectory(prefix="gnomon-gdb-") as folder:
        try:
            listed, frame_table = symbols.kernel_symbols(GNOMON, KERNEL, folder)
        except debian.Error as error:
            print(f"skipped: no guest image: {error}")
            sys.exit(1 if os.environ.get("GNOMON_CI") else SKIP)
        elf, serial = os.path.join(folder, "vmlinux"), os.path.join(folder, "serial")
        with open(elf, "wb") as f:
            f.write(symbols.elf(listed, frame_table))
        options = ("--kernel", os.path.join(folder, "vmlinuz"), "--initrd", os.path.join(folder, "initrd"), "--append")
        with Vm(GNOMON, *options, "nokaslr console=ttyS0", "--serial", f"file:{serial}") as vm:
            debug(elf, vm.path, SESSION, timeout=120)
            # Its script fails without a disk; what counts is that it comes to its end.
            assert vm.process.wait(120) == 0
        with Vm(GNOMON, *options, "nokaslr rdinit=/bin/busybox -- sleep 1000") as vm:
            debug(elf, vm.path, IDLE, timeout=120)
        with open(serial, encoding="utf-8", errors="replace") as f:
            console = f.read()
        assert "guest: ended with" in console and "Call Trace" not in console, console[-3000:]


if __name__ == "__main__":
    main()
