#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--profile and `gnomon report`, from outside: sums, agreement with --stats, and what they say when something is wrong."""
import json
import os
import pathlib
import shutil
import signal
import time
import unittest

from gnomon_cli import Case, Vm, run


class Profile(Case):
    """SeaBIOS without media: real mode and protected mode, then it waits."""

    def take(self, *options, timeout=2):
        folder, stats = self.path("profile"), self.path("stats.json")
        result = run("run", "--display", "none", "--timeout", timeout, "--profile", folder, "--stats", stats, *options)
        self.assertEqual((result.returncode, result.stderr), (124, ""))
        return folder, json.loads(stats.read_text())

    def summary(self, folder, *options):
        result = run("report", folder, "--json", *options)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def check_sums(self, summary):
        shares = sum(row["ns"] for row in summary["shares"])
        wall = summary["wall_ns"]
        self.assertLess(abs(shares - wall), 0.01 * wall, summary["shares"])
        working = sum(row["ns"] for row in summary["phases"])
        idle = [row["ns"] for row in summary["shares"] if row["name"] == "idle"][0]
        self.assertLessEqual(working + idle, wall * 1.01)
        self.assertEqual(summary["stacks"]["ns"] <= working, True)
        self.assertEqual(summary["warnings"], [])

    def test_sums(self):
        folder, stats = self.take()
        summary = self.summary(folder)
        self.check_sums(summary)
        self.assertGreater(summary["samples"], 20)
        self.assertEqual(summary["cache"]["insns_are"], "estimated")
        self.assertNotIn("insns_executed", {**summary["counters"], **stats})
        self.assertGreater(summary["cache"]["insns_executed"], summary["cache"]["entries"])
        for name, value in summary["counters"].items():
            self.assertEqual(value, stats[name], name)
        self.assertEqual({row["insn"]: row["count"] for row in summary["callouts"]}, stats["callouts_by_insn"])
        text = run("report", folder).stdout
        for word in ("Where time went", "user code", "hit rate", "Callouts", "Hottest blocks"):
            self.assertIn(word, text)

    def test_engines(self):
        for options in (("--engine", "step"), ("--profile-exact",)):
            with self.subTest(options=options):
                folder, _ = self.take(*options)
                self.check_sums(self.summary(folder))
                shutil.rmtree(folder)

    def test_exact(self):
        folder, stats = self.take("--profile-exact")
        cache = self.summary(folder)["cache"]
        self.assertEqual((cache["entries_are"], cache["insns_are"]), ("counted", "counted"))
        self.assertGreater(cache["entries"], stats["block_dispatches"])
        self.assertLess(cache["entries"], stats["insns_executed"])
        kinds = {row["name"]: row for row in cache["kinds"]}
        self.assertEqual(kinds["return (table)"]["entries"], stats["branches_return"])
        for row in cache["kinds"]:
            if row["entries"]:
                self.assertLessEqual(row["misses"], row["entries"])
                self.assertAlmostEqual(row["hit_rate"], 1 - row["misses"] / row["entries"], 6)
        self.assertEqual(stats["misses_return"] + stats["misses_indirect"] + stats["misses_table"], stats["indirect_misses"])

    def test_live(self):
        with Vm(self, "--profile", self.path("profile")) as vm:
            result = run("top", vm.socket, "--once", "--interval", "0.5")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            shares = [float(line.split("%")[0].split()[-1]) for line in result.stdout.splitlines() if "%" in line]
            self.assertEqual(len(shares), 7)
            self.assertLess(abs(sum(shares) - 100), 5, result.stdout)
            self.assertIn("dispatcher_misses", result.stdout)
            vm.ctl("quit")
            vm.process.wait(20)
        with Vm(self) as vm:
            self.assertIn("--profile", run("top", vm.socket, "--once", "--interval", "0.1").stdout)
        self.complains("top", status=2, about="top takes a socket")
        self.complains("top", self.path("none"), status=1, about="none")
        self.complains("top", "x", "--interval", "0", status=2, about="--interval")

    def test_perf_map(self):
        self.complains("run", "--perf-map", status=2, about="--perf-map without --profile")
        with Vm(self, "--profile", self.path("profile"), "--perf-map") as vm:
            vm.ctl("wait-text", "SeaBIOS", "--timeout", "20")
            vm.ctl("quit")
            vm.process.wait(20)
            path = pathlib.Path(f"/tmp/perf-{vm.process.pid}.map")
            lines = path.read_text().splitlines()
            path.unlink()
        self.assertGreater(len(lines), 100)
        for line in lines:
            self.assertRegex(line, "^[0-9a-f]+ [0-9a-f]+ guest (user|kernel) [0-9a-f]{8}$")

    def test_killed(self):
        """What a run that was killed has written can be read."""
        folder = self.path("profile")
        with Vm(self, "--profile", folder) as vm:
            end = time.monotonic() + 20
            while not (folder / "counters.jsonl").stat().st_size and time.monotonic() < end:
                vm.ctl("status")
                time.sleep(0.1)
            vm.process.send_signal(signal.SIGKILL)
            vm.process.wait(20)
        result = run("report", folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("Warning: ", result.stdout)

    def test_damaged(self):
        folder, _ = self.take(timeout=1)
        for name, text in (("samples.bin", "samples.bin is damaged"), ("blocks.bin", "blocks.bin is damaged"),
                           ("counters.jsonl", "counters.jsonl is damaged")):
            whole = (folder / name).read_bytes()
            (folder / name).write_bytes(whole[:len(whole) - 3])
            result = run("report", folder)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn(text, result.stdout)
            (folder / name).write_bytes(whole)
        for name in ("samples.bin", "blocks.bin"):
            whole = (folder / name).read_bytes()
            (folder / name).write_bytes(b"x" + whole[1:])
            self.complains("report", folder, status=1, about=[name])
            (folder / name).write_bytes(whole)
        main = json.loads((folder / "profile.json").read_text())
        (folder / "profile.json").write_text(json.dumps({**main, "gnomon_profile": 77}))
        self.complains("report", folder, status=1, about=["profile.json", "version 77"])
        (folder / "profile.json").write_text("{")
        self.complains("report", folder, status=1, about=["profile.json", "not a profile"])
        (folder / "profile.json").unlink()
        self.complains("report", folder, status=1, about=[folder, "not the folder of a profile"])

    def test_mistakes(self):
        file = self.path("file", b"text")
        self.complains("run", "--profile", file, status=1, about=["--profile", file, "Not a directory"])
        self.complains("run", "--profile", self.dir / "no" / "folder", status=1, about=["--profile", "No such file"])
        self.complains("run", "--profile-exact", status=2, about="--profile-exact without --profile")
        self.complains("report", status=2, about="report takes the folder")
        self.complains("report", self.dir, status=1, about="not the folder of a profile")
        self.complains("report", self.path("file", b""), status=1, about="not the folder of a profile")
        os.mkfifo(self.path("profile.json"))
        self.complains("report", self.dir, status=1, about="profile.json")
        self.complains("report", self.dir, "--nonsense", status=2, about="--nonsense")
        self.complains("report", self.dir, "--blocks", "x", status=2, about="--blocks")
        self.complains("report", self.dir, "--symbols", status=2, about="--symbols needs a value")
        folder, _ = self.take(timeout=1)
        self.complains("report", folder, "--symbols", self.dir / "none", status=1, about=["none", "No such file"])
        self.complains("report", folder, "--symbols", file, status=1, about=["file", "neither an ELF file"])

    def test_full_disk(self):
        """A line says which file and why, the guest goes on, and the exit status tells."""
        for name in ("samples.bin", "counters.jsonl", "blocks.bin", "profile.json"):
            with self.subTest(name=name):
                folder = self.path(f"full-{name}")
                folder.mkdir()
                (folder / name).symlink_to("/dev/full")
                self.complains("run", "--display", "none", "--timeout", "1", "--profile", folder, status=1,
                               about=[folder / name, "No space left on device"])


if __name__ == "__main__":
    unittest.main()
