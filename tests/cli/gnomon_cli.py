# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the command line share: running the program given as first argument."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

GNOMON = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "gnomon"


def run(*args, timeout=30, **more):
    return subprocess.run([GNOMON, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, **more)


class Case(unittest.TestCase):
    """A folder of its own, as working directory of nobody: paths are given in full."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gnomon-cli-"))
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name, contents=None):
        path = self.dir / name
        if contents is not None:
            path.write_bytes(contents)
        return path

    def complains(self, *args, status, about):
        """The program ends at once with this status and one line that contains each of `about`."""
        result = run(*args)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, f"{args}: {result.stderr!r}")
        self.assertTrue(lines[0].startswith("gnomon: "), lines[0])
        for part in about if isinstance(about, list) else [about]:
            self.assertIn(str(part), lines[0])
        self.assertEqual(result.returncode, status, lines[0])
        self.assertEqual(result.stdout, "")


class Vm:
    """A VM without media and its control socket; `with` ends it."""

    def __init__(self, case, *options):
        self.socket = case.path("control")
        self.process = subprocess.Popen(
            [GNOMON, "run", "--display", "none", "--timeout", "60", "--control", f"unix:{self.socket}",
             *map(str, options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        for _ in range(200):
            if self.socket.exists() or self.process.poll() is not None:
                return self
            time.sleep(0.05)
        raise AssertionError("no control socket")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def ctl(self, *args, **more):
        return run("ctl", self.socket, *args, **more)


class Qmp:
    """A minimal client: one JSON object a line, events kept aside."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("r", encoding="utf-8")
        self.events = []
        self.greeting = self.read()
        self.execute("qmp_capabilities")

    def read(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def execute(self, command, **arguments):
        message = {"execute": command, "id": command}
        if arguments:
            message["arguments"] = arguments
        self.sock.sendall(json.dumps(message).encode())
        while True:
            answer = self.read()
            if answer is None or "event" not in answer:
                return answer
            self.events.append(answer["event"])

    def close(self):
        self.file.close()
        self.sock.close()
