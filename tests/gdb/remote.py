# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of GDB's remote protocol that says exactly what it is told to, and `gnomon run --gdb` to say it to."""
import os
import shutil
import socket
import subprocess
import tempfile
import time

REGISTERS = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs")


class Remote:
    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def raw(self, data):
        self.socket.sendall(data)

    def byte(self):
        if not self.buffer:
            self.buffer = self.socket.recv(65536)
            if not self.buffer:
                raise EOFError("the connection has ended")
        first, self.buffer = self.buffer[:1], self.buffer[1:]
        return first

    @staticmethod
    def frame(data):
        data = data.encode("latin1") if isinstance(data, str) else data
        return b"$" + data + b"#%02x" % (sum(data) & 0xff)

    def send(self, data):
        self.raw(self.frame(data))

    def receive(self):
        """The next packet's contents, acknowledged; bare acknowledgements are passed over."""
        while (byte := self.byte()) != b"$":
            assert byte == b"+", byte
        data = b""
        while (byte := self.byte()) != b"#":
            data += byte
        told = int(self.byte() + self.byte(), 16)
        assert told == sum(data) & 0xff, f"checksum of {data}"
        try:
            self.raw(b"+")
        except OSError:
            pass  # the other end has said its last word
        return data.decode("latin1")

    def ask(self, data):
        self.send(data)
        return self.receive()

    def ok(self, data):
        answer = self.ask(data)
        assert answer == "OK", f"{data}: {answer!r}"

    # --- what packets mean ---

    def registers(self):
        data = bytes.fromhex(self.ask("g"))
        return {name: int.from_bytes(data[4 * i:4 * i + 4], "little") for i, name in enumerate(REGISTERS)}

    def eip(self):
        return int.from_bytes(bytes.fromhex(self.ask("p8")), "little")

    def set(self, name, value):
        self.ok(f"P{REGISTERS.index(name):x}={value.to_bytes(4, 'little').hex()}")

    def read(self, address, length=4):
        return bytes.fromhex(self.ask(f"m{address:x},{length:x}"))

    def number(self, address):
        return int.from_bytes(self.read(address), "little")

    def step(self):
        answer = self.ask("s")
        assert answer == "T05thread:1;", answer
        return self.eip()

    def cont(self, *reasons):
        """Continues to a stop for one of the reasons, and tells where."""
        answer = self.ask("c")
        assert any(reason in answer for reason in reasons), f"{answer} and not {reasons}"
        return self.eip()

    def monitor(self, command):
        answer = self.ask("qRcmd," + command.encode().hex())
        return "" if answer == "OK" else bytes.fromhex(answer).decode()


class Vm:
    """`gnomon run` that waits for a debugger; `with` ends it."""

    def __init__(self, gnomon, *options, wait=True):
        self.dir = tempfile.mkdtemp(prefix="gnomon-gdb-")
        self.path = os.path.join(self.dir, "gdb")
        self.command = [gnomon, "run", "--display", "none", "--timeout", "150", "--gdb", f"unix:{self.path}{',wait' if wait else ''}", *options]
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
        while not os.path.exists(self.path):
            assert self.process.poll() is None, f"gnomon ended at once with {self.process.returncode}"
            time.sleep(0.01)

    def connect(self):
        """A client; while there is still another one, it is sent away and tries again."""
        end = time.monotonic() + 30
        while True:
            remote = Remote(self.path)
            try:
                remote.ask("qSupported:swbreak+;hwbreak+")
                return remote
            except (EOFError, OSError):
                remote.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def symbols(file):
    """{name: address} of an ELF file."""
    lines = subprocess.run(["nm", file], capture_output=True, text=True, check=True).stdout.splitlines()
    return {fields[2]: int(fields[0], 16) for fields in map(str.split, lines) if len(fields) == 3}
