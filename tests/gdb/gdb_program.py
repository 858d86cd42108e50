# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs gdb on a list of commands, and holds what it says against what is expected."""
import os
import re
import shutil
import subprocess
import sys

SKIP = 77
MARK = "--- "


def debug(symbols, path, session, timeout=90):
    """session: [(command, pattern that its output must match)]. {command: output}, the last one for each."""
    gdb = shutil.which("gdb")
    if not gdb:
        print("skipped: gdb is not installed")
        sys.exit(1 if os.environ.get("GNOMON_CI") else SKIP)
    command = [gdb, "-q", "-nx", "-batch"]
    for setting in ("confirm off", "pagination off", "width 0", "debuginfod enabled off", "tcp connect-timeout 30", "remotetimeout 30"):
        command += ["-iex", f"set {setting}"]
    command += [symbols, "-ex", f"target remote {path}"]
    for n, (text, _) in enumerate(session):
        # Each for itself: in a batch, gdb gives up at the first error. Errors go to standard output, in their place.
        command += ["-ex", f"echo \\n{MARK}{n}\\n", "-ex", f"python\ntry: gdb.execute({text!r})\nexcept gdb.error as e: print(e)"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                            check=False)
    parts = re.split(rf"^{MARK}(\d+)\n", result.stdout, flags=re.M)
    outputs = dict(zip(map(int, parts[1::2]), parts[2::2]))
    for n, (text, pattern) in enumerate(session):
        output = outputs.get(n)
        assert output is not None and re.search(pattern, output), \
            f"(gdb) {text}\n{output}\n  does not match {pattern!r}. The whole session:\n{result.stdout[-6000:]}"
    return {text: outputs[n] for n, (text, _) in enumerate(session)}
