# SPDX-License-Identifier: GPL-2.0-or-later
"""`gnomon test`: test_suite.py GNOMON FOLDER-OF-KERNELS [unittest's arguments]."""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from gnomon_cli import GNOMON, Case, run  # noqa: E402  (takes its argument away)

KERNELS = pathlib.Path(sys.argv.pop(1))
LINE = re.compile(r"(ok|not ok) (\d+) - (.*?)(?: # (SKIP|TODO) (.*))?$")


def tap(text):
    """{name: (ok, directive, its text)}, after a look at whether it is TAP 13; and the blocks: {name: text}."""
    lines = text.splitlines()
    assert lines[0] == "TAP version 13", text
    plan = re.fullmatch(r"1\.\.(\d+)", lines[1])
    assert plan, text
    tests, blocks, name, inside = {}, {}, None, False
    for line in lines[2:]:
        if inside:
            assert line.startswith("  "), text
            inside = line != "  ..."
            blocks[name] = blocks.get(name, "") + line + "\n"
        elif line == "  ---":
            inside = True
        else:
            match = LINE.fullmatch(line)
            assert match, line
            name = match[3]
            assert int(match[2]) == len(tests) + 1 and name not in tests, text
            tests[name] = (match[1] == "ok", match[4], match[5])
    assert not inside and len(tests) == int(plan[1]), text
    return tests, blocks


def rows(text):
    """The table: {name: the rest of its row}."""
    lines = text.splitlines()
    assert lines[0].split() == ["test", "outcome", "PASS", "FAIL", "SKIP", "seconds"], text
    return {line.split()[0]: line.split(None, 1)[1] for line in lines[1:]}


class SuiteCase(Case):
    def gnomon_test(self, *args, status=None, **more):
        result = run("test", *args, **more)
        if status is not None:
            self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result

    def kernels(self, *kinds):
        return [KERNELS / f"{kind}.elf" for kind in kinds]

    def config(self, text):
        """A configuration in a folder with the kernels."""
        for kernel in KERNELS.glob("*.elf"):
            if not (self.dir / kernel.name).exists():
                shutil.copy(kernel, self.dir)
        return self.path("unittests.cfg", text.encode())


class Files(SuiteCase):
    def test_every_outcome(self):
        kinds = "passes", "fails", "skips", "aborts", "triple_faults", "resets", "powers_off", "looks"
        result = self.gnomon_test("-j2", *self.kernels(*kinds), status=1)
        tests, blocks = tap(result.stdout)
        self.assertEqual(list(tests), [f"{kind}.elf" for kind in kinds])
        self.assertEqual(tests["passes.elf"], (True, None, None))
        self.assertEqual(tests["looks.elf"], (True, None, None))
        self.assertEqual(tests["skips.elf"], (True, "SKIP", "nothing to test here"))
        for kind, reason in (("fails", "exit status 3; first failure: <two> &"), ("aborts", "aborted"),
                             ("triple_faults", "triple fault"), ("resets", "the guest reset the machine"),
                             ("powers_off", "powered off without an exit status")):
            self.assertEqual(tests[f"{kind}.elf"], (False, None, None))
            self.assertIn(f'message: "{reason}', blocks[f"{kind}.elf"])
        self.assertIn("    FAIL: three\n", blocks["fails.elf"])
        table = rows(result.stderr)
        self.assertRegex(table["passes.elf"], r"^pass +2 +0 +0 +\d+\.\d  2 tests$")
        self.assertRegex(table["fails.elf"], r"^fail +1 +2 +0 +\d+\.\d  exit status 3; first failure: <two> & \"#\"")
        self.assertRegex(table["skips.elf"], r"^skip +0 +0 +1 +\d+\.\d  nothing to test here$")
        self.assertRegex(table["8"], r"^tests: 2 passed, 5 failed, 1 skipped, in ")

    def test_all_pass_or_are_skipped(self):
        self.gnomon_test(*self.kernels("passes", "skips"), status=0)

    def test_time_limit(self):
        logs = self.dir / "logs"
        result = self.gnomon_test("-j", 3, "--timeout", 1, "--logs", logs, *self.kernels("hangs", "floods", "passes"),
                                  status=1)
        tests, blocks = tap(result.stdout)
        self.assertEqual([ok for ok, _, _ in tests.values()], [False, False, True])
        for kind in "hangs", "floods":
            self.assertIn('message: "timeout; duration=1s"', blocks[f"{kind}.elf"])
        self.assertIn(f'log: "{logs}/hangs.elf.log"', blocks["hangs.elf"])
        flood = (logs / "floods.elf.log").read_text()
        self.assertLess(len(flood), 20 << 20)
        self.assertIn("on the way\non the way\n", flood)

    def test_logs_begin_with_the_command(self):
        logs = self.dir / "logs"
        self.gnomon_test("--logs", logs, "--append", "it's a 'test'", *self.kernels("echoes"), *self.kernels("echoes"))
        self.assertEqual(sorted(p.name for p in logs.iterdir()), ["echoes.elf-2.log", "echoes.elf.log"])
        first, *rest = (logs / "echoes.elf.log").read_text().splitlines()
        self.assertEqual(rest[0], f"PASS: {KERNELS / 'echoes.elf'} it's a 'test'")
        result = subprocess.run(first.replace("gnomon", GNOMON, 1), shell=True, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout.splitlines()), (1, rest[:1]))

    def test_engines(self):
        for options in ["--engine", "step"], ["--audit", "--memory", "64M"]:
            self.gnomon_test(*options, *self.kernels("looks", "passes"), status=0)
        # The BIOS takes ten seconds under lockstep (boot.multiboot.lockstep waits for it).
        logs = self.dir / "logs"
        self.gnomon_test("--lockstep", "--timeout", "0.3", "--logs", logs, *self.kernels("looks"), status=1)
        self.assertIn(" --lockstep\n", (logs / "looks.elf.log").read_text())

    def test_kernels_that_cannot_be_loaded(self):
        whole = (KERNELS / "passes.elf").read_bytes()
        at = whole.index(b"\x02\xb0\xad\x1b")
        bad = {"garbage": b"\x7fELF" + b"\xff" * 3000, "empty": b"", "text": b"not a kernel\n" * 100,
               "cut": whole[:100], "header": b"\0" * 8184 + whole[at:at + 8]}
        files = [self.path(name, contents) for name, contents in bad.items()]
        files.append(self.path("later", whole))
        tests, blocks = tap(self.gnomon_test(*files, status=1).stdout)
        self.assertEqual([name for name, test in tests.items() if test[0]], ["later"])
        for name in bad:
            self.assertRegex(blocks[name], rf'message: "kernel \S*/{name}\S* ')
        result = self.gnomon_test("--memory", "1M", KERNELS / "passes.elf", status=1)
        self.assertIn("does not fit", result.stderr)

    def test_junit(self):
        report = self.dir / "report.xml"
        kinds = "passes", "fails", "skips"
        self.gnomon_test("--junit", report, *self.kernels(*kinds), status=1)
        root = xml.etree.ElementTree.parse(report).getroot()
        self.assertEqual({name: root.get(name) for name in ("tests", "failures", "skipped")},
                         {"tests": "3", "failures": "1", "skipped": "1"})
        passes, fails, skips = root.findall("testcase")
        self.assertEqual([case.get("name") for case in root], [f"{kind}.elf" for kind in kinds])
        self.assertEqual([child.tag for child in passes], ["system-out"])
        self.assertTrue(fails.find("failure").get("message").startswith('exit status 3; first failure: <two> & "#"'))
        self.assertIn('FAIL: <two> & "#" \\x01\\x1b[31m\\xff ]]>\n', fails.find("system-out").text)
        self.assertEqual(skips.find("skipped").get("message"), "nothing to test here")

    def test_junit_to_a_fifo(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        self.complains("test", "--junit", fifo, *self.kernels("passes"), status=1, about=[fifo, "nobody reads"])
        # Who reads is slow, and the report is larger than a FIFO.
        config = self.config("".join(f"[{i:0100}]\nfile = passes.elf\nextra_params = -device nonsense\n" for i in range(500)))
        with open(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
            test = subprocess.Popen([GNOMON, "test", "--config", config, "--junit", fifo], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.assertEqual(select.select([reader], [], [], 30)[0], [reader])
            with self.assertRaises(subprocess.TimeoutExpired):
                test.wait(1)
            os.set_blocking(reader.fileno(), True)
            report = reader.read()
        self.assertEqual(test.wait(30), 0)
        self.assertGreater(len(report), 64 * 1024)
        self.assertEqual(xml.etree.ElementTree.fromstring(report).get("tests"), "500")

    @unittest.skipUnless(shutil.which("prove"), "prove is not there")
    def test_prove_understands_it(self):
        out = self.path("tap", self.gnomon_test(*self.kernels("passes", "fails", "skips"), status=1).stdout.encode())
        result = subprocess.run(["prove", "-e", "cat", out], capture_output=True, text=True, timeout=30)
        self.assertIn("Failed test:  2", result.stdout)
        self.assertNotIn("Parse errors", result.stdout)
        out = self.path("tap", self.gnomon_test(*self.kernels("passes", "skips"), status=0).stdout.encode())
        result = subprocess.run(["prove", "-v", "-e", "cat", out], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_on_a_terminal(self):
        leader, follower = pty.openpty()
        process = subprocess.Popen([GNOMON, "test", "-j2", "--timeout", "1", *self.kernels("hangs", "passes")],
                                   stdin=follower, stdout=subprocess.PIPE, stderr=follower, text=True)
        out, _ = process.communicate(timeout=60)
        os.close(follower)
        shown = b""
        try:
            while more := os.read(leader, 65536):
                shown += more
        except OSError:  # the end
            pass
        os.close(leader)
        tap(out)
        self.assertIn(b"[0/2] hangs.elf 0s passes.elf 0s", shown)
        self.assertIn(b"[1/2] hangs.elf", shown)
        self.assertNotIn("Ctrl-A", out)  # the terminal is not the VM's
        self.assertIn(b"\x1b[Ktest ", shown)

    def test_an_interrupt_ends_it(self):
        process = subprocess.Popen([GNOMON, "test", *self.kernels("hangs")], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(0.3)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 128 + signal.SIGTERM)
        self.assertIn("Bail out! Terminated", out)
        self.assertEqual(len(children), 1)
        self.assertFalse(os.path.exists(f"/proc/{children[0]}"))

    def test_usage(self):
        kernel = KERNELS / "passes.elf"
        for args, about in (([], "no kernel"), (["--nonsense"], "--nonsense"), (["-x"], "-x"), (["--jobs"], "needs a value"),
                            (["-j0", kernel], "--jobs"), (["-jx", kernel], "--jobs"), (["--timeout", "0", kernel], "--timeout"),
                            (["--group", "x", kernel], "--group without --config"), (["--lockstep=1", kernel], "--lockstep"),
                            (["--memory", "3", kernel], "--memory"), (["--memory", "1G", "--memory=1G"], "twice"),
                            (["--engine", "step", "--lockstep", kernel], "--lockstep"), ([self.dir / "none"], self.dir / "none"),
                            ([self.dir], "directory"), (["--config", self.dir / "none"], "none"), (["--arch", "arm"], "arm"),
                            (["--expect", self.dir / "none", kernel], "none"), (["--cdrom", "x", kernel], "--cdrom")):
            self.complains("test", *args, status=2, about=about)

    def test_help(self):
        result = self.gnomon_test("--help", status=0)
        for word in "--config", "--jobs", "--junit", "--expect", "--lockstep", "--memory":
            self.assertIn(word, result.stdout)


class Bios(SuiteCase):
    def test_a_rom_in_the_place_of_the_bios(self):
        for kib in 64, 128:
            codes = self.dir / "codes"
            result = run("run", "--bios", KERNELS / f"bios{kib}.bin", "--display", "none", "--debug-exit", "0xf4",
                         "--debugcon", f"0x80:file:{codes}", "--timeout", 20)
            self.assertEqual(result.returncode, kib // 64 * 2 + 1, result.stderr)
            self.assertEqual(codes.read_bytes(), b"\1\2\3\4\5")


class Config(SuiteCase):
    def test_kvm_unit_tests(self):
        config = self.config("""# The kinds of parameters and values.
[plain]
file = passes.elf

[arguments]
file = echoes.elf		# a comment
test_args = 'one  "two"'
groups = some   args
timeout = 30s

[continued]
file = echoes.elf
test_args = x
extra_params = \"\"\"-m 128 \\
-append "three # four"\"\"\"
[two_cpus]
file=passes.elf
smp = 2
[most_cpus]
file = passes.elf
smp = $MAX_SMP
[other_arch]
file = passes.elf
arch = x86_64
[same_arch]
file = passes.elf
arch = i386
[manual]
file = passes.elf
groups = nodefault some
[kvm]
file = passes.elf
accel = kvm
[checked]
file = passes.elf
check = /proc/sys/kernel/ostype=Linux
[not_checked]
file = passes.elf
check = /proc/sys/kernel/ostype=Linux /proc/sys/kernel/ostype=Minix
[max]
file = passes.elf
qemu_params = -cpu max,host-phys-bits,+pae,-svm -machine pc -device pc-testdev -enable-kvm
[max2]
file = passes.elf
qemu_params = -cpu max,host-phys-bits,+pae,-svm -machine pc -device pc-testdev
[vendor]
file = passes.elf
qemu_params = -cpu max,vendor=SomebodyElse
[svm]
file = passes.elf
qemu_params = -cpu max,+svm -m 4g
[hidden]
file = passes.elf
qemu_params = -cpu qemu64,-pae
[model]
file = passes.elf
qemu_params = -cpu IvyBridge
[device]
file = passes.elf
qemu_params = -device edu
[shell]
file = passes.elf
test_args = "`date`"
[missing]
file = none.elf
[new]
file = passes.elf
colour = green
[a/b c]
file = passes.elf
""")
        logs = self.dir / "logs"
        result = self.gnomon_test("--config", config, "-j", 2, "--logs", logs, status=0)
        tests, _ = tap(result.stdout)
        skipped = {name: why for name, (_, directive, why) in tests.items() if directive == "SKIP"}
        for name, why in (("two_cpus", "needs 2 processors"), ("other_arch", "x86_64 only"), ("manual", "manual run only"),
                          ("kvm", "kvm only"), ("not_checked", "/proc/sys/kernel/ostype not equal to Minix"),
                          ("max", "KVM only"), ("svm", "no feature 'svm'"),
                          ("model", "no processor model 'IvyBridge'"), ("device", "no device 'edu'"),
                          ("shell", "needs a shell for '`date`"), ("missing", "not found"), ("new", "'colour' is not known")):
            self.assertIn(why, skipped.pop(name))
        self.assertEqual(skipped, {})
        self.assertIn(f"PASS: {self.dir}/echoes.elf one  \"two\"\n", (logs / "arguments.log").read_text())
        self.assertIn("--cpu max,-lm,vendor=SomebodyElse", (logs / "vendor.log").read_text())
        self.assertIn("--cpu -lm,-pae", (logs / "hidden.log").read_text())
        log = (logs / "continued.log").read_text()
        self.assertIn("--memory 128M", log)
        self.assertIn(f"PASS: {self.dir}/echoes.elf three # four\n", log)
        self.assertTrue((logs / "a_b_c.log").exists())

        listed = self.gnomon_test("--config", config, "--list", status=0).stdout.splitlines()
        self.assertEqual(listed, list(tests))
        listed = self.gnomon_test("--config", config, "--list", "--group", "some", status=0).stdout.splitlines()
        self.assertEqual(listed, ["arguments", "manual"])
        ran, _ = tap(self.gnomon_test("--config", config, "--group", "some", status=0).stdout)
        self.assertEqual(ran["manual"], (True, None, None))
        result = self.gnomon_test("--config", config, "--uniprocessor", "two_cpus", "manual", status=0)
        self.assertIn("(one processor, not 2)", rows(result.stderr)["two_cpus"])
        ran, _ = tap(result.stdout)
        self.assertEqual(ran, {"two_cpus": (True, None, None), "manual": (True, None, None)})
        ran, _ = tap(self.gnomon_test("--config", config, "--arch", "x86_64", "other_arch", "same_arch", status=0).stdout)
        self.assertEqual(ran, {"other_arch": (True, None, None), "same_arch": (True, "SKIP", "i386 only")})
        self.complains("test", "--config", config, "nobody", status=2, about="nobody")
        self.complains("test", "--config", config, "--group", "nobody", status=2, about="nobody")
        self.complains("test", "--config", config, "--append", "x", status=2, about="--append")

    def test_nonsense(self):
        for text, about in (("nonsense\n", "line 1: 'nonsense'"), ("[a\n", "line 1"), ("[]\nfile=x\n", "line 1"),
                            ("file = x\n", "before the first"), ("[a]\n\n# x\n", "line 1: [a] names no file"),
                            ("[a]\nfile = x\nqemu_params = \"\"\"-m 1\n", "line 3"), ("", "no tests"),
                            ("\0\0", "not a text"), ("x" * 5000, "line 1"), ("[a]\nfile = x\n= y\n", "line 3")):
            config = self.path("unittests.cfg", text.encode())
            self.complains("test", "--config", config, status=2, about=[config, about])
        config = self.path("unittests.cfg", b"#" * (2 << 20))
        self.complains("test", "--config", config, status=2, about="larger")

    def test_expectations(self):
        config = self.config("""
[passes]
file = passes.elf
[fails]
file = fails.elf
[skips]
file = skips.elf
[echoes]
file = echoes.elf
""")
        report = self.dir / "report.xml"

        def expecting(text, status, *args):
            table = self.path("expected", text.encode())
            result = self.gnomon_test("--config", config, "-j2", "--junit", report, "--expect", table, *args, status=status)
            return (*tap(result.stdout), rows(result.stderr))

        tests, _, table = expecting("# all as it is\npasses pass\nfails\tfail\tnot ready # yet\nskips skip why not\n", 0)
        self.assertEqual(tests["fails"], (True, "TODO", "not ready \\# yet") if tests["fails"][0] else
                         (False, "TODO", "not ready \\# yet"))
        self.assertFalse(tests["fails"][0])
        self.assertRegex(table["fails"], r"expected: exit status 3")
        root = xml.etree.ElementTree.parse(report).getroot()
        self.assertEqual((root.get("failures"), root.get("skipped")), ("0", "2"))

        tests, blocks, table = expecting("passes fail\nfails pass\nskips pass\nechoes skip\n", 1)
        self.assertEqual([ok for ok, _, _ in tests.values()], [False] * 4)
        self.assertIn("passes: unexpected pass", tests)
        self.assertIn("skips: unexpected skip", tests)
        self.assertIn("unexpected failure: exit status 3", table["fails"])
        self.assertIn("4 not as expected", table["4"])
        self.assertEqual(xml.etree.ElementTree.parse(report).getroot().get("failures"), "4")

        tests, _, table = expecting("fails fail\ngone pass\n", 1)
        self.assertFalse(tests["gone: in the table of expectations, but there is no such test"][0])
        expecting("fails fail\ngone pass\n", 0, "fails", "passes")  # not all were asked for
        expecting("passes pass\n", 1)  # a failure that is in no table

        for text, about in (("passes maybe\n", "line 1: 'maybe'"), ("\npasses\n", "line 2"),
                            ("passes pass\npasses fail\n", "line 2: 'passes' is there twice")):
            table = self.path("expected", text.encode())
            self.complains("test", "--config", config, "--expect", table, status=2, about=[table, about])

    @unittest.skipUnless(shutil.which("prove"), "prove is not there")
    def test_prove_takes_expected_failures(self):
        config = self.config("[fails]\nfile = fails.elf\n")
        table = self.path("expected", b"fails fail because\n")
        out = self.path("tap", self.gnomon_test("--config", config, "--expect", table, status=0).stdout.encode())
        result = subprocess.run(["prove", "-e", "cat", out], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    unittest.main()
