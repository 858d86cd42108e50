# SPDX-License-Identifier: GPL-2.0-or-later
"""What rows run on: the host itself, a Gnomon VM, a QEMU VM. All talk to bench/guest/agent.c through a pipe."""
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time

MEMORY = "512M"


class Failure(Exception):
    """A row or a boot that did not work."""


def cpu_seconds(pid):
    """CPU time of a process, all of its threads, ended ones too (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


class Lines:
    """Lines from a pipe, each with the time when its end arrived."""

    def __init__(self, fd):
        self.fd, self.rest, self.ready = fd, b"", []

    def next(self, until):
        while not self.ready:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Failure("nothing came in time")
            data = os.read(self.fd, 65536)
            now = time.monotonic()
            if not data:
                raise Failure("ended early")
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.ready += [(line.decode("latin-1").strip("\r"), now) for line in lines]
        return self.ready.pop(0)


class Machine:
    """One process with the agent in it. `name` is the table's."""

    name = None

    def __init__(self, command, timeout):
        self.timeout = timeout
        self.console = []  # what the kernel says, for failures
        self.errors = tempfile.TemporaryFile()
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self.lines = Lines(self.process.stdout.fileno())
        try:
            self.boot = self._boot()
        except Failure as failure:
            self.errors.seek(0)
            last = " | ".join([*self.console[-5:], self.errors.read().decode("latin-1").strip()])
            self.close()
            raise Failure(f"{self.name} did not reach userland: {failure}: {last}") from failure

    def _boot(self):
        until = self.started + self.timeout
        while True:
            line, now = self.lines.next(until)
            if line == "USERLAND":
                return {"wall": now - self.started, "cpu": cpu_seconds(self.process.pid)}
            self.console.append(line)

    def _send(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def counters(self):
        return None

    def set_time(self, ms):
        self._send(f"time {ms}")

    def row(self, name):
        """Runs one row. Its clock and the host's are both reported: a guest whose clock is slow looks fast."""
        before, cpu = self.counters(), cpu_seconds(self.process.pid)
        self._send(name)
        result, begin = {}, None
        until = time.monotonic() + self.timeout
        while True:
            line, now = self.lines.next(until)
            word, *rest = line.split(" ")
            if word == "BEGIN" and rest[0] == name:
                begin = int(rest[1]), now
            elif word == "ROW" and rest[0] == name:
                result.update(zip(("best", "median", "mean"), map(float, rest[1:4])), operations=int(rest[4]))
            elif word == "FIRST" and rest[0] == name:
                result["first"] = float(rest[1])
            elif word == "CHECK":
                result["check"] = rest[1]
            elif word == "FAIL":
                result["failure"] = " ".join(rest[1:])
            elif word == "END" and rest[0] == name and begin:
                result.update(guest_seconds=(int(rest[1]) - begin[0]) / 1e9, host_seconds=now - begin[1])
                if int(rest[2]) or "best" not in result:
                    result.setdefault("failure", f"status {rest[2]}")
                break
        result["cpu_seconds"] = cpu_seconds(self.process.pid) - cpu
        if before:
            result["counters"] = difference(before, self.counters())
        return result

    def idle(self, seconds):
        """CPU time of the waiting machine, as a share of one processor."""
        before = cpu_seconds(self.process.pid)
        time.sleep(seconds)
        return (cpu_seconds(self.process.pid) - before) / seconds

    def memory(self):
        """{"guest_ram": what the guest has touched, "beyond_ram": all else that the process holds, ...} in bytes; None: not known."""
        return None

    def close(self):
        """Ends it, at once."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:  # what it would still have been told
            pass


def difference(before, after):
    """after - before of nested counters, without those that did not change."""
    result = {}
    for name, value in after.items():
        if isinstance(value, dict):
            value = difference(before.get(name, {}), value)
        else:
            value -= before.get(name, 0)
        if value:
            result[name] = value
    return result


class Native(Machine):
    name = "native"

    def __init__(self, guest, timeout):
        if not guest.runs_on_host:
            command = [guest.host_program, "agent"]
        elif os.geteuid() == 0:
            command = ["chroot", guest.root, "/bench", "agent"]
        else:
            command = ["unshare", "--map-root-user", "--root", guest.root, "/bench", "agent"]
        # One processor, as the guests have.
        processor = str(max(os.sched_getaffinity(0)))
        super().__init__(["taskset", "-c", processor, *command], timeout)


class Gnomon(Machine):
    name = "gnomon"
    profile = None  # more options of one, if any is taken

    def __init__(self, guest, timeout, append=""):
        self.folder = tempfile.mkdtemp(prefix="gnomon-bench-")
        path = os.path.join(self.folder, "qmp")
        self.qmp = None
        try:
            profile = [] if self.profile is None else ["--profile", os.path.join(self.folder, "profile"), *self.profile]
            super().__init__([*self.command(guest, append), *profile, "--control", "unix:" + path], timeout)
            self._connect(path)
        except Failure:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @staticmethod
    def command(guest, append):
        disks = [f"--disk={path},if={kind}" for kind, path in guest.disks(Gnomon.name).items()]
        return [guest.gnomon, "run", "--kernel", guest.kernel, "--initrd", guest.initrd, "--append", guest.append(append),
                "--memory", MEMORY, "--display", "none", "--serial", "stdio", *disks]

    def _connect(self, path):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        self.qmp = sock.makefile("rw", encoding="utf-8")
        sock.close()
        self.qmp.readline()
        self._execute("qmp_capabilities")

    def _execute(self, command):
        self.qmp.write(json.dumps({"execute": command}) + "\n")
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if "return" in answer:
                return answer["return"]

    def counters(self):
        return self._execute("x-stats")

    def memory(self):
        return self._execute("x-memory")

    def close(self):
        super().close()
        if self.qmp:
            self.qmp.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Profiled(Gnomon):
    """What --profile costs."""

    name, profile = "profiled", ()


class Exact(Gnomon):
    """Hit rates: each block counts its entries."""

    name, profile = "exact", ("--profile-exact",)


class Qemu(Machine):
    name = "qemu"

    def __init__(self, guest, timeout, append=""):
        super().__init__(self.command(guest, append), timeout)

    @staticmethod
    def command(guest, append):
        disks = [word for kind, path in guest.disks(Qemu.name).items() for word in ("-drive", f"file={path},format=raw,if={kind}")]
        return ["qemu-system-x86_64" if guest.long_mode else "qemu-system-i386", "-accel", "tcg", "-m", MEMORY, "-kernel", guest.kernel, "-initrd", guest.initrd, "-append",
                guest.append(append), "-display", "none", "-net", "none", "-monitor", "none", "-serial", "stdio", *disks]

    def memory(self):
        return resident(self.process.pid, int(MEMORY.rstrip("M")) << 20)


def resident(pid, ram):
    """Of a process whose guest's RAM is one mapping of that size: the resident part of that, and of all else; page tables with it."""
    result = {"guest_ram": 0, "beyond_ram": 0}
    with open(f"/proc/{pid}/smaps", encoding="ascii") as f:
        for line in f:
            if line.startswith("Size:"):
                kind = "guest_ram" if int(line.split()[1]) << 10 == ram else "beyond_ram"
            elif line.startswith("Rss:"):
                result[kind] += int(line.split()[1]) << 10
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        result["page_tables"] = next(int(line.split()[1]) << 10 for line in f if line.startswith("VmPTE"))
    result["beyond_ram"] += result["page_tables"]
    return result


def first_screen(name, guest, text, timeout):
    """Seconds from the start of the process until the guest has written `text` on its serial port; as a boot's result."""
    machine = MACHINES[name]
    started = time.monotonic()
    process = subprocess.Popen(machine.command(guest, ""), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    seen = b""
    try:
        while text not in seen:
            left = started + timeout - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise Failure(f"{text!r} did not come within {timeout} s")
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                raise Failure("ended early")
            seen += data
        return {"wall": time.monotonic() - started, "cpu": cpu_seconds(process.pid)}
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


MACHINES = {machine.name: machine for machine in (Native, Gnomon, Qemu, Profiled, Exact)}
