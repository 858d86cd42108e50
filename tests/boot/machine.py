# SPDX-License-Identifier: GPL-2.0-or-later
"""A running `gnomon run` for the boot tests: its text screen, its keyboard, its end."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SKIP = 77  # exit status of a test whose media are not installed


def media(path):
    if not os.path.exists(path):
        print(f"skipped: {path} is not installed")
        sys.exit(SKIP)
    return path


def own(path, folder):
    """A copy in this folder, for a medium that is written to: nobody else may have it meanwhile."""
    return shutil.copy(path, folder)


class Machine:
    def __init__(self, gnomon, *options, timeout=150):
        self.gnomon = gnomon
        self.dir = tempfile.mkdtemp(prefix="gnomon-boot-")
        self.socket = os.path.join(self.dir, "control")
        self.debug = os.path.join(self.dir, "debug")
        self.stats_file = os.path.join(self.dir, "stats")
        command = [gnomon, "run", "--display", "none", "--control", f"unix:{self.socket}", "--timeout", str(timeout),
                   "--debugcon", f"0x402:file:{self.debug}", "--stats", self.stats_file, *options]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        while not os.path.exists(self.socket):
            if self.process.poll() is not None:
                raise AssertionError(f"gnomon ended at once with {self.process.returncode}")
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(f"--- gnomon: {self.process.poll()} (None: runs) --- screen ---\n" + self.screen())
            if os.path.exists(self.debug):
                with open(self.debug, errors="replace") as f:
                    print("--- end of the BIOS log ---\n" + f.read()[-1500:])
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def ctl(self, *args):
        return subprocess.run([self.gnomon, "ctl", self.socket, *args], capture_output=True, text=True, timeout=200)

    def screen(self):
        return self.ctl("text").stdout

    def wait(self, pattern, timeout=30):
        """Waits until the screen matches; the match and the seconds since the start."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            match = re.search(pattern, self.screen(), re.M)
            if match:
                return match, time.monotonic() - self.started
            if self.process.poll() is not None:
                raise AssertionError(f"gnomon ended with {self.process.returncode} while waiting for {pattern!r}")
            time.sleep(0.02)
        raise AssertionError(f"{pattern!r} did not appear within {timeout} s")

    def key(self, *keys):
        result = self.ctl("key", *keys)
        assert result.returncode == 0, result.stderr

    def type(self, text):
        result = self.ctl("type", text)
        assert result.returncode == 0, result.stderr

    def ends(self, status, timeout=20):
        got = self.process.wait(timeout)
        assert got == status, f"exit status {got}, expected {status}"

    def quit(self):
        result = self.ctl("quit")
        assert result.returncode == 0, result.stderr
        self.ends(0)
