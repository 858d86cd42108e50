# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux guests for the boot tests: images made by scripts/guest, terminals on sockets, file systems looked at on the host."""
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time

from machine import SKIP, Machine

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "guest"))
import debian  # noqa: E402
import image  # noqa: E402

# What no healthy boot prints: oopses, stalls, lost time, errors of disks and file systems.
TROUBLE = ("BUG:", "Oops", "Call Trace", "soft lockup", "rcu_sched self-detected", "rcu_preempt", "hung task", "clocksource: timekeeping watchdog",
           "Marking clocksource", "nobody cared", "I/O error", "EXT4-fs error", "exception Emask", "segfault", "general protection")


def skip(reason):
    """What is not there is a reason to skip on a user's machine, and a failure in CI."""
    print(f"skipped: {reason}")
    sys.exit(1 if os.environ.get("GNOMON_CI") else SKIP)


def guest_image(folder, kernel, packages=(), script=None, additions=(), modules=image.MODULES, programs=None):
    """Options of gnomon run that boot such a guest; see scripts/guest/README.md. `script`: text."""
    try:
        image.make(kernel, packages, script.encode() if script else None, additions, modules, out=folder, programs=programs)
    except debian.Error as error:
        skip(f"no guest image: {error}")
    return ["--kernel", os.path.join(folder, "vmlinuz"), "--initrd", os.path.join(folder, "initrd")]


def host_tool(name):
    """Path of a program of the host, also of those in /sbin."""
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"]:
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    return skip(f"{name} is not installed")


def run(*command, status=0, **more):
    """Output of a program of the host, which must end with `status` (or one of them)."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    statuses = status if isinstance(status, tuple) else (status,)
    assert result.returncode in statuses, f"{' '.join(command)}: status {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


class Terminal:
    """A serial port or console of the guest, connected as --serial unix:PATH."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.text = ""  # all that came, without carriage returns and escape sequences
        self.seen = 0   # where `wait` goes on
        self._bytes = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.socket, selectors.EVENT_READ)
        self.ended = False

    def _read(self, seconds):
        if self.ended or not self._selector.select(max(seconds, 0)):
            return
        data = self.socket.recv(65536)
        self.ended = not data
        self._bytes += data
        text = self._bytes.decode(errors="replace").replace("\r", "")
        self.text = re.sub(r"\x1b(\[[0-9;?]*[a-zA-Z]|[78=>]|\(.)", "", text)

    def wait(self, pattern, timeout=60):
        """Waits for a match behind the previous one."""
        end = time.monotonic() + timeout
        while True:
            match = re.compile(pattern, re.M).search(self.text, self.seen)
            if match:
                self.seen = match.end()
                return match
            left = end - time.monotonic()
            if left < 0 or self.ended:
                why = "the connection ended" if self.ended else f"{timeout} s have passed"
                raise AssertionError(f"no {pattern!r}: {why}. The end of what came:\n{self.text[-3000:]}")
            self._read(left)

    def drain(self):
        """Takes what is still coming until the guest's end."""
        while not self.ended:
            self._read(60)
        return self.text

    def send(self, text):
        self.socket.sendall(text.encode())

    def command(self, text, expect, timeout=60):
        """Types a line, waits for what it prints. Pick an `expect` that the echoed line itself does not match."""
        self.send(text + "\n")
        return self.wait(expect, timeout)


def no_trouble(text):
    found = [line for line in text.splitlines() if any(word in line for word in TROUBLE)]
    assert not found, "the guest complains:\n" + "\n".join(found)


class Linux(Machine):
    """A guest whose first serial port is `serial`, kept for the error message too."""

    def __init__(self, gnomon, boot, append, options, console=False, timeout=200):
        sockets = tempfile.mkdtemp(prefix="gnomon-linux-")
        serial, hvc = os.path.join(sockets, "serial"), os.path.join(sockets, "hvc")
        more = ["--console", f"unix:{hvc}"] if console else []
        if append:
            boot = [*boot, "--append", append]
        super().__init__(gnomon, *boot, "--serial", f"unix:{serial}", *more, *options, timeout=timeout)
        self.sockets = sockets
        self.serial = Terminal(serial)
        self.hvc = Terminal(hvc) if console else None

    def __exit__(self, kind, *rest):
        if kind:
            print("--- end of the serial console ---\n" + self.serial.text[-4000:])
        super().__exit__(kind, *rest)
        for name in os.listdir(self.sockets):
            os.unlink(os.path.join(self.sockets, name))
        os.rmdir(self.sockets)
