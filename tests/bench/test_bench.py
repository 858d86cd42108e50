#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's rows on this host, and its reports on made-up results. test_bench.py C-COMPILER"""
import glob
import os
import re
import subprocess
import sys
import tempfile
import types
import unittest
import xml.etree.ElementTree

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench")
sys.path.insert(0, BENCH)
import guests  # noqa: E402
import machines  # noqa: E402
import micro  # noqa: E402
import report  # noqa: E402
import summary  # noqa: E402
import tree  # noqa: E402

COMPILER, GNOMON = (sys.argv.pop(1), sys.argv.pop(1)) if len(sys.argv) > 2 else ("cc", None)
PROGRAMS = {"shell", "exec_dyn"}  # need other programs than ours, as do all rows of these groups; or a VM's disks
PROGRAM_GROUPS = {"program", "short", "disk"}


class Rows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.program = os.path.join(cls.folder.name, "bench64")
        subprocess.run([COMPILER, "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-pthread", "-o", cls.program,
                        *glob.glob(os.path.join(BENCH, "guest/*.c"))], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def start(self):
        host = types.SimpleNamespace(runs_on_host=False, host_program=self.program)
        machine = machines.Native(host, 60)
        self.addCleanup(machine.close)
        return machine

    def test_every_row(self):
        names = [name for name, group, _ in guests.rows(self.folder.name) if group not in PROGRAM_GROUPS]
        self.assertGreater(len(names), 30)
        machine = self.start()
        machine.set_time(1)
        for name in sorted(set(names) - PROGRAMS):
            with self.subTest(row=name):
                result = machine.row(name)
                self.assertNotIn("failure", result)
                self.assertGreater(result["best"], 0)
                self.assertLessEqual(result["best"], result["median"])
                self.assertGreaterEqual(result["operations"], 5)
                self.assertLess(result["guest_seconds"], 2 * result["host_seconds"] + 1)  # lines may arrive late

    def test_time(self):
        """An operation's time by the row's own count agrees with how long the whole row took."""
        machine = self.start()
        machine.set_time(200)
        result = machine.row("integer")
        self.assertLess(result["best"] * result["operations"] / 1e9, 2 * result["host_seconds"] + 1)
        self.assertGreater(result["mean"] * result["operations"] / 1e9, 0.02)

    def test_unknown_row(self):
        self.assertIn("failure", self.start().row("no_such_row"))

    def test_ended_machine(self):
        machine = self.start()
        machine.close()
        with self.assertRaises((machines.Failure, OSError, ValueError)):
            machine.row("integer")


def entry(best, **more):
    return {"best": best, "median": best, "mean": best, "operations": 10, "guest_seconds": 1.0, "host_seconds": 1.0, "cpu_seconds": 1.0, **more}


class Reports(unittest.TestCase):
    def setUp(self):
        counters = {"hidden_faults": 20, "callouts_by_insn": {"IRETD": 5}}
        self.results = {
            "syscall": {"native": [entry(100), entry(200), entry(100)], "gnomon": [entry(300, counters=counters), entry(400), None],
                        "qemu": [entry(600), entry(1200), entry(7)]},
            "boot": {"gnomon": [{"wall": 1.0, "cpu": 0.5}], "qemu": [{"wall": 2.5, "cpu": 1.5}]},
            "idle": {"gnomon": [{"share": 0.02, "memory": {"code": 1 << 20, "beyond_ram": 130 << 20, "guest_ram": 5 << 20}}],
                     "native": [{"share": 0.0, "memory": None}]},
            "gzip": {"native": [entry(10, first=40)], "gnomon": [entry(20, first=100)], "qemu": [entry(5, first=10)]},
            "int80": {"native": [entry(100)], "gnomon": [entry(1)], "qemu": [entry(2)]},
            "sse": {"native": [entry(1)], "gnomon": [entry(0.5)], "qemu": [entry(40)]},
        }
        self.everything = {"about": {"date": "2026-01-02", "rounds": 3}, "what": {"syscall": ("system", "a <call>"), "boot": ("boot", "it"),
                                                                                "gzip": ("program", "z"), "int80": ("system", "i"), "sse": ("compute", "s")},
                           "results": self.results, "failures": ["syscall, gnomon: gone"], "different": []}

    def test_ratio_is_median_of_pairs_without_failed_rounds(self):
        self.assertEqual(report.ratio(self.results, "syscall", "gnomon", "native"), 2.5)
        self.assertEqual(report.ratio(self.results, "syscall", "qemu", "gnomon"), 2.5)
        self.assertIsNone(report.ratio(self.results, "boot", "gnomon", "native"))

    def test_markdown(self):
        text = report.markdown(self.everything)
        self.assertRegex(text, r"\| boot \| - \| 1 s \| 2\.5 s \| - \| - \| \*\*2\.50\*\* \| it \|")
        self.assertRegex(text, r"\| syscall \| 100 ns \| 350 ns \| 600 ns \| 2\.50 \|")
        self.assertIn("syscall, gnomon: gone", text)
        self.assertIn("2.0% of a processor", text)
        self.assertIn("| memory after all rows, MiB | guest ram | beyond ram | code |", text)
        self.assertIn("| gnomon | 5.0 | 130.0 | 1.0 |", text)
        self.assertIn("| gzip | 40 ns | 4.00 | 100 ns | 5.00 | 10 ns | 2.00 |", text)
        self.assertIn("| compute | 1.00 | 4.47 | 4.47 |", text)
        self.assertRegex(text, r"\| syscall \|.*\| 2 \|.*IRETD 0\.5")
        self.assertLess(text.index("| boot |"), text.index("| syscall |"))

    def test_bochs(self):
        self.assertEqual(report.bochs_table(self.everything), [])
        self.results["syscall"]["bochs"] = [entry(30000)]
        self.results["boot"]["bochs"] = [None]
        self.assertEqual(report.bochs_table(self.everything)[2:], ["| syscall | 30 µs | 300 | 100 |"])

    def test_means(self):
        """Geometric, over rows that have both; INT 80h, slow on 64-bit hosts by itself, is none of them."""
        self.assertAlmostEqual(summary.mean(self.everything, summary.SYSTEM, "gnomon", "native"), 2.5)
        self.assertAlmostEqual(summary.mean(self.everything, summary.COMPUTE, "gnomon", "native"), (2 * 0.5) ** 0.5)
        self.assertAlmostEqual(summary.mean(self.everything, summary.COMPUTE, "qemu", "gnomon"), (0.25 * 80) ** 0.5)
        self.assertIsNone(summary.mean(self.everything, ("disk",), "qemu", "gnomon"))
        self.assertEqual(list(summary.means(self.everything)), ["compute", "system", "boot"])

    def test_bars(self):
        bars = {what.split(",")[0] if "mean" not in what else what: (value, met) for what, value, _, met in summary.bars(self.everything)}
        self.assertEqual(bars, {
            "compute, geometric mean, Gnomon / native": ("1.00", True), "compute": ("2.00 (gzip)", False),
            "system, geometric mean, Gnomon / native": ("2.50", False), "no row slower than TCG: least TCG / Gnomon": ("0.25 (gzip)", False),
            "kernel to userland": ("2.50", False), "memory beyond guest RAM": ("130", False)})
        self.results["idle"]["gnomon"][0]["memory"]["beyond_ram"] = 115 << 20
        self.assertEqual(summary.bars(self.everything)[-1], ("memory beyond guest RAM, MiB", "115", "at most 115", True))
        self.assertEqual(summary.bars({**self.everything, "results": {}}), [])

    def test_clocks(self):
        text = report.markdown(self.everything)
        self.assertIn("clock of qemu: 6.00 s in all rows, the host's 6.00 s (+0.0%)", text)
        self.assertNotIn("was off", text)
        for result in self.results["syscall"]["qemu"]:
            result["host_seconds"] = 2.0
        self.results["syscall"]["native"][0]["host_seconds"] = 5.0  # not a guest
        text = report.markdown(self.everything)
        self.assertIn("clock of qemu: 6.00 s in all rows, the host's 9.00 s (-33.3%)", text)
        self.assertIn("the clock of qemu was off in row syscall: by -1.000 s", text)
        self.assertNotIn("the clock of gnomon was off", text)

    def test_plot(self):
        root = xml.etree.ElementTree.fromstring(report.plot(self.everything))
        titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
        native = ["syscall: 2.50", "syscall: 6.00", "int80: 0.01", "int80: 0.02", "mean: system: 2.50", "mean: system: 6.00", "gzip: 2.00", "gzip: 0.50",
                  "sse: 0.50", "sse: 40.00", "mean: compute: 1.00", "mean: compute: 4.47"]
        ahead = ["boot: 2.50", "mean: boot: 2.50", "syscall: 2.50", "int80: 2.00", "mean: system: 2.50", "gzip: 0.25", "sse: 80.00", "mean: compute: 4.47"]
        self.assertEqual(titles, native + ahead)

    def test_units(self):
        shown = [report.scaled(ns, False) for ns in (0.5, 999, 1000, 123456, 2.5e6, 3e9)]
        self.assertEqual(shown, ["0.5 ns", "999 ns", "1 µs", "123 µs", "2.5 ms", "3 s"])


class Micro(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.build = [os.path.join(BENCH, "micro/build.sh"), cls.folder.name]
        subprocess.run([*cls.build, "kernel"], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check(self, name, rows):
        result = micro.measure(name, self.folder.name, GNOMON, 60)
        self.assertEqual(list(result["rows"]), rows)
        for row, ticks in result["rows"].items():
            self.assertGreater(ticks["best"], 0.2, row)
            self.assertLessEqual(ticks["best"], ticks["median"], row)
        self.assertGreater(result["ticks_per_second"], 1e8)
        return result

    @unittest.skipUnless(GNOMON, "no gnomon")
    def test_kernel(self):
        """Each row runs, and the exceptions that it is about come: a fault costs more than a call."""
        rows = self.check("gnomon", list(micro.ROWS))["rows"]
        self.assertGreater(rows["pgfault"]["best"], 3 * rows["callret"]["best"])

    def test_host(self):
        if not guests.runs(self.build) or not guests.runs([os.path.join(self.folder.name, "micro")]):
            self.skipTest("gcc-multilib is not installed, or this host runs no i386 code")
        self.check("native", ["callret", "translate"])

    def test_hang_and_failure(self):
        with self.assertRaisesRegex(RuntimeError, "ended with"):
            micro.run(["sleep", "100"], 0, 0.2)
        with self.assertRaisesRegex(RuntimeError, "FAIL it"):
            micro.run(["echo", "FAIL it"], 0, 10)
        with self.assertRaisesRegex(RuntimeError, "ended with 0"):
            micro.run(["echo", "BEGIN 5"], 0, 10)

    def test_table(self):
        one = {"rows": {"callret": {"best": 3.0, "median": 4.0}}, "ticks_per_second": 3e9}
        text = "\n".join(micro.table({"native": [one, None], "gnomon": [one], "qemu": [None]}))
        self.assertRegex(text, r"\| callret \| 3\.0 \| 3\.0 \| n/a \|")
        self.assertIn("native 3.000 GHz, gnomon 3.000 GHz", text)


class Guest(unittest.TestCase):
    def test_difference(self):
        self.assertEqual(machines.difference({"a": 1, "b": 2, "c": {"x": 1}}, {"a": 1, "b": 5, "c": {"x": 2, "y": 3}}),
                         {"b": 3, "c": {"x": 1, "y": 3}})

    def test_unpack(self):
        first, second = tree.Tree(), tree.Tree(merged_usr=False)
        first.file("bin/x", b"12345", 0o755)
        first.link("bin/y", "x")
        second.file("bench", b"", 0o600)
        with tempfile.TemporaryDirectory() as folder:
            guests.unpack(first.cpio() + second.cpio(), folder)
            with open(os.path.join(folder, "bin/y"), "rb") as f:
                self.assertEqual(f.read(), b"12345")
            self.assertEqual(os.stat(os.path.join(folder, "usr/bin/x")).st_mode & 0o777, 0o755)
            self.assertTrue(os.path.exists(os.path.join(folder, "bench")))

    def test_rows_are_documented(self):
        """Each row of rows.def has its text, and no two have the same name."""
        with open(os.path.join(BENCH, "guest/rows.def"), encoding="utf-8") as f:
            rows = re.findall(r'^ROW\((\w+),\s+(\w+),\s+"(.+)"\)$', f.read(), re.M)
        self.assertEqual(len({name for name, _, _ in rows}), len(rows))
        self.assertLessEqual({group for _, group, _ in rows}, set(report.GROUPS))


if __name__ == "__main__":
    unittest.main()
