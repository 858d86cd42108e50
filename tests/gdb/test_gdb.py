#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What gdb itself makes of it: test_gdb.py GNOMON GUEST ENGINE. The guest is guest.S."""
import re
import sys

from gdb_program import debug
from remote import Vm

GNOMON, GUEST, ENGINE = sys.argv[1:4]

SESSION = [
    # before the first instruction
    ("x/i $cs_base + $eip", r"0xfffffff0:\s+(l?jmp|\(bad\))"),
    ("print $cr0", r"= \[ ET NW CD \]"),
    ("break round", "Breakpoint 1 at"),
    ("continue", r"Breakpoint 1, 0x\w+ in round \(\)"),
    ("print $cr0", r"= \[ PE.*PG \]"),
    ("print $st0", r"= 3\.14159265"),
    ("print $xmm1.v4_float[0]", "= 1"),
    ("set var $ymm1.v8_int32[5] = 77", ""),
    ("maintenance flush register-cache", ""),
    ("print $ymm1.v8_int32[5]", "= 77"),
    ("print $ymm1.v8_float[0]", "= 1"),
    ("set var $zmm1.v16_int32[13] = 78", ""),
    ("set var $k3 = 0x123456789a", ""),
    ("maintenance flush register-cache", ""),
    ("print $zmm1.v16_int32[13]", "= 78"),
    ("print $zmm1.v16_int32[5]", "= 77"),
    ("print/x $k3", "= 0x123456789a"),
    ("print $mxcsr", r"\[ IM DM ZM OM UM PM RC=0 \]"),
    ("info registers cr3 gdtr_base cpl fs_base", r"cr3\s+0x\w+(.*\n)+.*cpl\s+0x0"),
    # to a call, its frames, and out again
    ("break *((char *)inner + 3)", "Breakpoint 2 at"),
    ("continue", r"Breakpoint 2, 0x\w+ in inner \(\)"),
    ("bt 3", r"#0 .*\n#1 .* in function \(\)\n#2 .* in (round|call_behind|cross_behind)"),
    ("finish", "in function"),
    ("stepi", ""),
    ("x/2i $eip", r"=> .*(ret|pop)"),
    # watchpoints
    ("delete", ""),
    ("watch *(int *)&watched", "Hardware watchpoint 3"),
    ("continue", r"Hardware watchpoint 3: .*\n\nOld value = .*\nNew value = "),
    ("continue", r"Hardware watchpoint 3: .*\n\nOld value = .*\nNew value = "),
    ("delete", ""),
    ("rwatch *(int *)&watched", "Hardware read watchpoint 4"),
    ("continue", r"Hardware read watchpoint 4: .*\n\nValue = "),
    ("delete", ""),
    # conditions, and calls of the guest's code
    ("break loop_middle if $ecx == 990", "Breakpoint 5 at"),
    ("continue", "Breakpoint 5"),
    ("print $ecx", "= 990"),
    ("delete", ""),
    ("print/x ((int (*)(void)) checksum)()", "= 0x"),
    ("print/x *(int *)&sum", "= 0x"),
    ("set var *(int *)&watched = 77", ""),
    ("print *(int *)&watched", "= 77"),
    ("print *(int *)&code_changed", "= 0"),
    ("x/wx 0xd0000000", "Cannot access memory"),
    ("x/wx 0xfee00030", "Cannot access memory"),
    ("info threads", r"\* 1 .*CPL 0, runs"),
    ("monitor info status", "stopped by the debugger"),
    # the machine's own reset, and a second start
    ("monitor stop-at-reset on", ""),
    ("set $eip = triple_fault", ""),
    ("continue", "SIGABRT"),
    ("monitor reset", "first instruction"),
    ("maintenance flush register-cache", ""),
    ("print/x $eip", "= 0xfff0"),
    ("hbreak round", "Hardware assisted breakpoint 6"),
    ("continue", r"Breakpoint 6, 0x\w+ in round"),
    ("detach", "detached"),
]


def main():
    with Vm(GNOMON, "--kernel", GUEST, "--memory", "16M", "--engine", ENGINE, "--audit") as vm:
        answers = debug(GUEST, vm.path, SESSION)
        checksum, kept = (re.search("= (0x[0-9a-f]+)", answers[command]).group(1) for command in
                          ("print/x ((int (*)(void)) checksum)()", "print/x *(int *)&sum"))
        assert checksum == kept, f"the guest sees code that changes under gdb: {checksum}, {kept}"
        assert vm.process.poll() is None, "the guest ended with its debugger"


if __name__ == "__main__":
    main()
