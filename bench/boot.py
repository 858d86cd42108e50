#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Times boots under Gnomon and under QEMU's TCG, in turn, and says what ran where. README.md tells how to read it."""
import argparse
import datetime
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MEMORY = "256M"
POLL = 0.010  # s between two looks at the screen, everywhere
TEXT_SCREEN, TEXT_BYTES, COLUMNS = 0xB8000, 80 * 25 * 2, 80
LOADS = {
    "grub-cd": ("/usr/lib/grub-rescue/grub-rescue-cdrom.iso", "cdrom", r"highlighted entry will be executed"),
    "grub-floppy": ("/usr/lib/grub-rescue/grub-rescue-floppy.img", "floppy", r"highlighted entry will be executed|grub>"),
    "ipxe": ("/usr/lib/ipxe/ipxe.iso", "cdrom", r"No bootable device"),
}
ENGINES = {"bt": ["--engine", "bt"], "step": ["--engine", "step"], "lockstep": ["--lockstep"], "audit": ["--audit"]}


class Qmp:
    """One command after the other; events are skipped."""

    def __init__(self, path, process):
        self.sock = socket.socket(socket.AF_UNIX)
        while self.sock.connect_ex(path):
            if process.poll() is not None:
                raise RuntimeError(f"{process.args[0]} ended at once with {process.returncode}")
            time.sleep(0.002)
        self.file = self.sock.makefile("rw", encoding="utf-8")
        self.file.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")


class Gnomon:
    def __init__(self, binary, engine, folder, image, kind, options=()):
        self.stats_file = os.path.join(folder, "stats")
        boot = {"cdrom": "d", "floppy": "a"}[kind]
        self.command = [binary, "run", f"--{kind}", image, "--boot", boot, "--memory", MEMORY, "--display", "none",
                        "--control", "unix:" + os.path.join(folder, "qmp"), "--stats", self.stats_file, *ENGINES[engine], *options]

    def screen(self, qmp):
        try:
            return qmp.execute("x-text")["text"]
        except RuntimeError:  # a graphics mode: no text to look at
            return ""

    def stats(self):
        with open(self.stats_file) as f:
            return json.load(f)


class Qemu:
    def __init__(self, folder, image, kind):
        self.dump = os.path.join(folder, "dump")
        media = {"cdrom": ["-cdrom", image, "-boot", "d"],
                 "floppy": ["-drive", f"file={image},format=raw,if=floppy,snapshot=on", "-boot", "a"]}[kind]
        self.command = ["qemu-system-i386", "-accel", "tcg", "-m", MEMORY, *media, "-display", "none", "-net", "none",
                        "-qmp", "unix:" + os.path.join(folder, "qmp") + ",server=on,wait=off"]

    def screen(self, qmp):
        qmp.execute("pmemsave", val=TEXT_SCREEN, size=TEXT_BYTES, filename=self.dump)
        with open(self.dump, "rb") as f:
            text = f.read()[::2].decode("latin-1")
        return "\n".join(text[i:i + COLUMNS] for i in range(0, len(text), COLUMNS))


def run(machine, folder, pattern, timeout):
    """Seconds from the start of the process until the screen shows the pattern."""
    pattern = re.compile(pattern)
    start = time.monotonic()
    process = subprocess.Popen(machine.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        qmp = Qmp(os.path.join(folder, "qmp"), process)
        next_look = start
        while time.monotonic() - start < timeout:
            if pattern.search(machine.screen(qmp)):
                seconds = time.monotonic() - start
                qmp.execute("quit")
                process.wait(20)
                return seconds
            next_look = max(next_look + POLL, time.monotonic())
            time.sleep(max(0, next_look - time.monotonic()))
        raise RuntimeError(f"nothing like {pattern.pattern!r} within {timeout} s: {' '.join(machine.command)}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def measure(load, who, gnomon, timeout, *options):
    image, kind, pattern = LOADS[load]
    folder = tempfile.mkdtemp(prefix="gnomon-bench-")
    try:
        machine = Qemu(folder, image, kind) if who == "qemu" else Gnomon(gnomon, who, folder, image, kind, options)
        seconds = run(machine, folder, pattern, timeout)
        return seconds, machine.stats() if who != "qemu" else None
    finally:
        shutil.rmtree(folder)


def shares(stats):
    """Where instructions ran: `stepped` by the single-stepper, callouts as C code called from the cache, the rest as code of the cache."""
    total = stats["insns_executed"]
    percent = lambda n: 100 * n / total if total else 0.0
    return {"instructions": total, "callouts": percent(stats["callouts"]), "stepped": percent(stats["stepped"]),
            "cache": percent(max(0, total - stats["stepped"])), "cache_without_callouts":
            percent(max(0, total - stats["stepped"] - stats["callouts"])), "blocks": stats["blocks_translated"]}


def cpu_model():
    with open("/proc/cpuinfo") as f:
        found = re.search(r"^model name\s*:\s*(.*)$", f.read(), re.M)
    return found.group(1) if found else platform.machine()


def version(command):
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]


def progress(text):
    if sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


def bench(load, engines, rounds, gnomon, timeout, have_qemu):
    times = {who: [] for who in [*engines, *(["qemu"] if have_qemu else [])]}
    stats = {}
    for n in range(rounds):
        order = list(times)
        for who in order if n % 2 == 0 else order[::-1]:
            times[who].append(measure(load, who, gnomon, timeout)[0])
            progress(f"\r{load}: round {n + 1} of {rounds}, {who} {1000 * times[who][-1]:.0f} ms   ")
    for who in engines:  # not timed: counting takes time
        stats[who] = measure(load, who, gnomon, timeout, "--count")[1]
    progress("\r" + " " * 60 + "\r")
    medians = {who: statistics.median(t) for who, t in times.items()}
    return {"times_ms": {who: [round(1000 * s, 1) for s in t] for who, t in times.items()},
            "median_ms": {who: round(1000 * s, 1) for who, s in medians.items()},
            "qemu_over": {who: round(medians["qemu"] / s, 2) for who, s in medians.items()} if have_qemu else {},
            "ran": {who: shares(s) for who, s in stats.items()}, "counters": stats}


def table(results):
    lines = ["| load | engine | median ms | least | most | QEMU's time over this |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for load, result in results.items():
        for who, median in result["median_ms"].items():
            t = result["times_ms"][who]
            ratio = f"{result['qemu_over'][who]:.2f}" if result["qemu_over"] else "-"
            lines.append(f"| {load} | {who} | {median:.0f} | {min(t):.0f} | {max(t):.0f} | {ratio} |")
    lines += ["", "| load | engine | instructions | in the cache % | of these as callouts % | single-stepped % | blocks |",
              "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for load, result in results.items():
        for who, s in result["ran"].items():
            lines.append(f"| {load} | {who} | {s['instructions']} | {s['cache']:.3f} | {s['callouts']:.3f} | {s['stepped']:.3f} | {s['blocks']} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gnomon", default=os.path.join(HERE, "../build/release/gnomon"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--engines", default="bt,step", help="of " + ", ".join(ENGINES))
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--timeout", type=float, default=120, help="seconds for a boot")
    parser.add_argument("--json", metavar="FILE", help="write everything there, as JSON")
    parser.add_argument("--min-ratio", type=float, help="fail if bt is not that many times as fast as QEMU")
    args = parser.parse_args()
    have_qemu = shutil.which("qemu-system-i386") is not None
    loads = [load for load in args.loads.split(",") if os.path.exists(LOADS[load][0])]
    results = {load: bench(load, args.engines.split(","), args.rounds, args.gnomon, args.timeout, have_qemu) for load in loads}
    about = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "cpu": cpu_model(),
             "cpus": os.cpu_count(), "gnomon": version([args.gnomon, "--version"]),
             "qemu": version(["qemu-system-i386", "--version"]) if have_qemu else None, "memory": MEMORY, "rounds": args.rounds,
             "poll_ms": 1000 * POLL, "load_average": os.getloadavg()[0]}
    for name, value in about.items():
        print(f"{name}: {value}")
    print("\n" + table(results))
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"about": about, "results": results}, f, indent=1)
            f.write("\n")
    slow = [load for load, r in results.items() if args.min_ratio and r["qemu_over"].get("bt", 0) < args.min_ratio]
    if slow:
        print(f"bt is less than {args.min_ratio} times as fast as QEMU: {', '.join(slow)}", file=sys.stderr)
    sys.exit(1 if slow else 0)


if __name__ == "__main__":
    main()
