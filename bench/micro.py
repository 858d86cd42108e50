#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Micro rows: single operations of a guest's kernel, in ticks of the time stamp counter: once, on all machines."""
import argparse
import os
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "../build/bench")
ROWS = {  # in the order of the kernel
    "syscall": "SYSENTER from ring 3, and SYSEXIT at once",
    "in": "IN from a port without a device",
    "tpr": "a store to the local APIC's task priority (what MOV to CR8 is to 64-bit code)",
    "cr3": "MOV to CR3 of the same value",
    "callret": "CALL and RET",
    "pgfault": "a load of ring 3 from an absent page: exception, handler, IRET",
    "divzero": "a division by zero in ring 3, likewise",
    "ptemod": "a store to an entry of a page table in use",
    "remap": "the same, INVLPG, a load through it",
    "translate": "an instruction of code that is executed for the first time",
}
DONE = 1  # exit status: the kernel wrote 0 to the debug exit


def commands(folder, gnomon):
    kernel = os.path.join(folder, "micro.elf")
    return {
        "native": ([os.path.join(folder, "micro")], 0),
        "gnomon": ([gnomon, "run", "--kernel", kernel, "--memory", "64M", "--display", "none", "--serial", "stdio", "--debug-exit", "0xf4"], DONE),
        "qemu": (["qemu-system-i386", "-accel", "tcg", "-kernel", kernel, "-m", "64", "-display", "none", "-net", "none", "-monitor", "none",
                  "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"], DONE),
    }


def run(command, status, timeout):
    """({row: {"best": ticks an operation, "median": likewise}}, ticks a second by the host's clock). Failures are RuntimeErrors."""
    rows, marks = {}, {}
    # A machine that hangs is ended from outside, so that its output ends.
    with subprocess.Popen(["timeout", "-s", "KILL", str(timeout), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            word, *rest = line.split() or [""]
            if word == "MICRO":
                rows[rest[0]] = {"best": int(rest[1]) / 1000, "median": int(rest[2]) / 1000}
            elif word in ("BEGIN", "END"):
                marks[word] = int(rest[0]), time.monotonic()
            elif word == "FAIL":
                raise RuntimeError(line.strip())
    if process.returncode != status or set(marks) != {"BEGIN", "END"}:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    ticks, seconds = (marks["END"][i] - marks["BEGIN"][i] for i in (0, 1))
    return rows, ticks / seconds


def measure(name, folder, gnomon, timeout):
    command, status = commands(folder, gnomon)[name]
    rows, rate = run(command, status, timeout)
    return {"rows": rows, "ticks_per_second": rate}


def cell(entries, row):
    found = [entry["rows"][row]["best"] for entry in entries if entry and row in entry["rows"]]
    if not found:
        return "n/a"
    value = statistics.median(found)
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def table(results):
    """Markdown from {machine: [what measure() returned, or None]}."""
    lines = ["| micro row, ticks | native | Gnomon | TCG | an operation is |", "| --- | ---: | ---: | ---: | --- |"]
    for row, text in ROWS.items():
        lines.append("| " + " | ".join([row, *(cell(results.get(name, []), row) for name in ("native", "gnomon", "qemu")), text]) + " |")
    rates = {name: statistics.median(e["ticks_per_second"] for e in entries if e) for name, entries in results.items() if any(entries)}
    return [*lines, "", "Ticks a second by the host's clock: " + ", ".join(f"{name} {rate / 1e9:.3f} GHz" for name, rate in rates.items())]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gnomon", nargs="?", default=os.path.join(HERE, "../build/release/gnomon"), help="the program to measure")
    gnomon = parser.parse_args().gnomon
    subprocess.run([os.path.join(HERE, "micro/build.sh"), BUILD], check=True)
    print("\n".join(table({name: [measure(name, BUILD, gnomon, 120)] for name in commands(BUILD, gnomon)})))


if __name__ == "__main__":
    main()
