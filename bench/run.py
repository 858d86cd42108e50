#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the host itself, Gnomon and QEMU's TCG, row by row. README.md tells how, and how to read the tables."""
import argparse
import datetime
import json
import os
import shutil
import sys

import bochs
import boot
import guests
import machines
import micro
import report
import summary

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "../build/bench")
I386, X86_64, COMPAT = "i386", "x86_64", "compat"
BOOTS_I386 = {  # name: (kernel, more of its command line, what it is)
    "boot": ("686", "", "Debian's 686 kernel from the start of the process to its first program, with all messages on serial"),
    "boot_quiet": ("686", "quiet", "the same without messages"),
    "boot_pae": ("686-pae", "", "Debian's 686-pae kernel, with all messages on serial"),
}
BOOTS_X86_64 = {
    "boot": ("cloud-amd64", "", "Debian's cloud kernel from the start of the process to its first program, with all messages on serial"),
    "boot_quiet": ("cloud-amd64", "quiet", "the same without messages"),
    "boot_amd64": ("amd64", "", "Debian's amd64 kernel, with all messages on serial"),
}
GRUB, INSTALLER = "boot_grub", "boot_installer"
FIRST_SCREEN = b"Select a language"
INSTALLER_ROUNDS = 3  # it takes TCG half a minute
MICRO = "micro"
WHOLE, BOCHS = "whole", "bochs"
IDLE_SECONDS = 2
NATIVE_NOT = ("disk",)  # groups of rows that only VMs have


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:70}", end="", file=sys.stderr, flush=True)


class Bench:
    """All results: results[row][machine] is a list with an entry for each round; None where it failed."""

    def __init__(self, args, systems, rows):
        self.args, self.systems, self.rows = args, systems, rows
        self.results, self.micro, self.failures = {}, {}, []

    def note(self, row, name, result):
        self.results.setdefault(row, {}).setdefault(name, []).append(result)

    def failed(self, row, name, text):
        self.failures.append(f"{row}, {name}: {text}")
        self.note(row, name, None)

    def order(self, n, names=None):
        names = names or self.args.machines
        n %= len(names)
        return names[n:] + names[:n]

    def start(self, name, kernel, append=""):
        machine = machines.MACHINES[name]
        more = [] if name == "native" else [append]
        return machine(self.systems[kernel], self.args.timeout, *more)

    def boots(self, n):
        """Boots that nothing else is done with."""
        virtual = [name for name in self.args.machines if name != "native"]
        for row, (kernel, append, _) in self.args.kernels.items():
            if row not in self.args.boots:
                continue
            for name in self.order(n, virtual):
                progress(f"round {n + 1}: {row} {name}")
                try:
                    machine = self.start(name, kernel, append)
                    self.note(row, name, {**machine.boot, "counters": machine.counters()})
                    machine.close()
                except machines.Failure as failure:
                    self.failed(row, name, failure)
        if GRUB in self.args.boots and os.path.exists(boot.LOADS["grub-cd"][0]):
            for name in self.order(n, virtual):
                progress(f"round {n + 1}: {GRUB} {name}")
                wall, counters = boot.measure("grub-cd", "qemu" if name == "qemu" else "bt", self.args.gnomon, self.args.timeout)
                self.note(GRUB, name, {"wall": wall, "counters": counters})

        if INSTALLER in self.args.boots and n < INSTALLER_ROUNDS:
            for name in self.order(n, virtual):
                progress(f"round {n + 1}: {INSTALLER} {name}")
                try:
                    self.note(INSTALLER, name, machines.first_screen(name, self.systems[INSTALLER], FIRST_SCREEN, self.args.timeout))
                except machines.Failure as failure:
                    self.failed(INSTALLER, name, failure)

    def restart(self, running, name):
        """A machine for rows."""
        try:
            running[name] = self.start(name, WHOLE)
            running[name].set_time(self.args.ms)
        except machines.Failure as failure:
            running.pop(name, None)
            self.failed("restart", name, failure)

    def one_row(self, running, name, row):
        try:
            result = running[name].row(row)
        except machines.Failure as failure:
            self.failed(row, name, failure)
            running[name].close()
            self.restart(running, name)
            return
        if "failure" in result:
            self.failed(row, name, result["failure"])
            return
        self.note(row, name, result)

    def micro_rows(self, n):
        for name in self.order(n):
            progress(f"round {n + 1}: {MICRO} {name}")
            try:
                result = micro.measure(name, BUILD, self.args.gnomon, self.args.timeout)
            except (RuntimeError, OSError) as failure:
                self.failures.append(f"{MICRO}, {name}: {failure}")
                result = None
            self.micro.setdefault(name, []).append(result)

    def bochs_rows(self):
        """Once: it takes minutes. Says what ran, or why nothing did."""
        rows = [row for row, _, _ in self.rows if row in bochs.ROWS]
        reason = "none of its rows is asked for" if not rows else bochs.absent()
        if reason:
            return f"skipped: {reason}"
        progress(f"round 1: boot {bochs.Bochs.name}")
        try:
            machine = bochs.Bochs(self.systems[BOCHS])
        except machines.Failure as failure:
            self.failed("boot", bochs.Bochs.name, failure)
            return "failed"
        try:
            machine.set_time(self.args.ms)
            self.note("boot", machine.name, machine.boot)
            for row in rows:
                progress(f"round 1: {row} {machine.name}")
                result = machine.row(row)
                if "failure" in result:
                    self.failed(row, machine.name, result["failure"])
                else:
                    self.note(row, machine.name, result)
            return machine.version()
        except machines.Failure as failure:
            self.failed(row, machine.name, failure)
            return "failed"
        finally:
            machine.close()

    def round(self, n):
        self.boots(n)
        if self.args.micro:
            self.micro_rows(n)
        if not self.rows:
            return
        running = {}
        try:
            for name in self.order(n):
                progress(f"round {n + 1}: boot {name}")
                self.restart(running, name)
            for i, (row, group, _) in enumerate(self.rows):
                for name in self.order(n + i):
                    progress(f"round {n + 1}: {row} {name}")
                    if name in running and not (name == "native" and group in NATIVE_NOT):
                        self.one_row(running, name, row)
            for name, machine in running.items():
                if name != "native":
                    progress(f"round {n + 1}: idle {name}")
                    self.note("idle", name, {"share": machine.idle(IDLE_SECONDS), "memory": machine.memory()})
        finally:
            for machine in running.values():
                machine.close()


def checks(results):
    """Rows whose programs wrote something else on one machine than on another."""
    wrong = []
    for row, by_machine in results.items():
        sums = {result["check"] for entries in by_machine.values() for result in entries if result and "check" in result}
        if len(sums) > 1:
            wrong.append(row)
    return wrong


def parse(argv, all_rows):
    parser = argparse.ArgumentParser(description=__doc__)
    names = [name for name, _, _ in all_rows]
    groups = sorted({group for _, group, _ in all_rows})
    parser.add_argument("--rounds", type=int, default=7, help="(default: %(default)s)")
    parser.add_argument("--ms", type=int, default=300, help="how long a row is measured in a round (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 100 ms")
    parser.add_argument("--arch", choices=(I386, X86_64, COMPAT), default=I386,
                        help="of the guest (default: %(default)s); compat: i386 programs under kernels of x86_64. These two have no micro rows, boot loader and installer")
    parser.add_argument("--rows", metavar="R,...", help=f"rows, or groups of them: {', '.join([*groups, 'boot', MICRO])} (default: all)")
    parser.add_argument("--machines", default="native,gnomon,qemu", help="(default: %(default)s)")
    parser.add_argument("--gnomon", default=os.path.join(HERE, "../build/release/gnomon"), help="the program to measure")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for a boot or a row (default: %(default)s)")
    parser.add_argument("--out", metavar="PREFIX", default=os.path.join(BUILD, "result"),
                        help="writes PREFIX.json, PREFIX.md and PREFIX.svg (default: build/bench/result)")
    args = parser.parse_args(argv)
    if not all_rows:
        parser.error("the programs are not built: bench/run.sh does it")
    if args.quick:
        args.rounds, args.ms = 3, 100
    args.machines = args.machines.split(",")
    args.kernels = BOOTS_I386 if args.arch == I386 else BOOTS_X86_64
    others = [GRUB, INSTALLER] if args.arch == I386 else []
    micros = [MICRO] if args.arch == I386 else []
    boots = [*args.kernels, *others]
    wanted = args.rows.split(",") if args.rows else [*names, *boots, *micros]
    wanted = [row for want in wanted for row in ([n for n, g, _ in all_rows if g == want] or (boots if want == "boot" else [want]))]
    unknown = [row for row in wanted if row not in (*names, *boots, *micros)] + [m for m in args.machines if m not in machines.MACHINES]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; rows are {', '.join([*names, *boots, *micros])}")
    args.boots = [row for row in boots if row in wanted]
    args.wanted = wanted
    args.micro = MICRO in wanted
    return args


def make_systems(args, rows, folder):
    """{name: what is booted}: a kernel's name for rows boot*, WHOLE for all others, INSTALLER."""
    kernels = {args.kernels[name][0] for name in args.boots if name in args.kernels}
    systems = {kernel: guests.Guest(kernel, BUILD, folder, args.gnomon, compat=args.arch == COMPAT) for kernel in sorted(kernels)}
    if rows and not args.quick and args.arch == I386 and not bochs.absent():
        systems[BOCHS] = systems["686"] if "686" in systems else guests.Guest("686", BUILD, folder, args.gnomon)
    if rows:
        systems[WHOLE] = guests.Guest("686" if args.arch == I386 else "amd64", BUILD, folder, args.gnomon, whole=True, compat=args.arch == COMPAT)
    if INSTALLER in args.boots:
        systems[INSTALLER] = guests.Installer(folder, args.gnomon)
    return systems


def releases(systems):
    return ", ".join(sorted({system.release for system in systems.values()}))


def main():
    all_rows = guests.rows(BUILD)
    args = parse(sys.argv[1:], all_rows)
    rows = [row for row in all_rows if row[0] in args.wanted]
    folder = guests.work_folder()
    try:
        systems = make_systems(args, rows, folder)
        bench = Bench(args, systems, rows)
        done, about_bochs = 0, "skipped: stopped before"
        try:
            for n in range(args.rounds):
                bench.round(n)
                done += 1
            if args.quick or args.arch != I386:
                about_bochs = "skipped: not in a quick run, nor with a guest of 64 bits"
            else:
                about_bochs = bench.bochs_rows()
        except KeyboardInterrupt:
            print(f"\nStopped after {done} whole rounds.", file=sys.stderr)
        progress("")
        about = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "cpu": boot.cpu_model(),
                 "cpus": os.cpu_count(), "arch": args.arch, "host": f"{os.uname().sysname} {os.uname().release}", "guest": releases(systems),
                 "gnomon": boot.version([args.gnomon, "--version"]), "qemu": boot.version([f"qemu-system-{I386 if args.arch == I386 else X86_64}", "--version"]),
                 "bochs": about_bochs, "native": f"{X86_64 if args.arch == X86_64 else I386} code" if args.arch == X86_64 or guests.runs_i386(BUILD) else "amd64 code: this host runs no i386 code",
                 "memory": machines.MEMORY, "rounds": done, "ms": args.ms, "load_average": os.getloadavg()[0]}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    what = {name: (group, text) for name, group, text in all_rows}
    what.update({name: ("boot", text) for name, (_, _, text) in args.kernels.items()})
    what[GRUB] = ("boot", "GRUB's rescue CD to its menu")
    what[INSTALLER] = ("boot", "Debian 12's installer to its first screen, on the serial line")
    everything = {"about": about, "what": what, "results": bench.results, "micro": bench.micro, "failures": bench.failures,
                  "different": checks(bench.results)}
    everything["summary"] = {"means": summary.means(everything), "bars": [dict(zip(("what", "measured", "wanted", "met"), bar)) for bar in summary.bars(everything)]}
    text = report.markdown(everything)
    print(text)
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    for suffix, content in (("json", json.dumps(everything, indent=1) + "\n"), ("md", text + "\n"), ("svg", report.plot(everything))):
        with open(f"{args.out}.{suffix}", "w", encoding="utf-8") as f:
            f.write(content)
    sys.exit(1 if bench.failures or everything["different"] else 0)


if __name__ == "__main__":
    main()
