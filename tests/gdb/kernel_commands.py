# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands for gdb itself, which sources this file: check-frames COUNT, idle-after SECONDS."""
import os
import signal
import threading

import gdb

OUTERMOST = ("startup_32", "startup_32_smp", "ret_from_fork")


def callers():
    """[(pc, name)] of all frames but the newest, from the outermost on."""
    frames, frame = [], gdb.newest_frame().older()
    while frame is not None:
        frames.append((frame.pc(), frame.name()))
        frame = frame.older()
    return frames[::-1]


class CheckFrames(gdb.Command):
    """Steps, and sees that each instruction leaves the callers as they are, adds one, or takes the last away."""

    def __init__(self):
        super().__init__("check-frames", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        before, depths = callers(), set()
        for i in range(int(argument)):
            at = gdb.newest_frame().pc()
            gdb.execute("stepi", to_string=True)
            now = callers()
            depths.add(len(now))
            wrong = now and now[0][1] not in OUTERMOST
            if len(now) > len(before):
                wrong = wrong or now[:-1] != before or not 0 < now[-1][0] - at <= 7  # behind the call
            elif len(now) < len(before):
                wrong = wrong or now != before[:-1] or gdb.newest_frame().pc() != before[-1][0]
            else:
                wrong = wrong or now != before
            if wrong or not now:
                raise gdb.GdbError(f"instruction {i}, at {at:#x}: {before} became {now}")
            before = now
        print(f"{argument} instructions, {len(depths)} depths")


class IdleAfter(gdb.Command):
    """Continues, and interrupts as a user with Ctrl-C does, until that finds the guest idle."""

    def __init__(self):
        super().__init__("idle-after", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        for _ in range(10):
            threading.Timer(float(argument), os.kill, (os.getpid(), signal.SIGINT)).start()
            gdb.execute("continue")
            stack = gdb.execute("bt", to_string=True)
            if "do_idle" in stack:
                break
        print(stack)


CheckFrames()
IdleAfter()
