#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A running VM and its control socket, by QMP and by `gnomon ctl`."""
import json
import os
import signal
import socket
import stat
import unittest

from gnomon_cli import Case, Qmp, Vm, run

TIME_IS_UP = 124


class Control(Case):
    def test_ctl(self):
        with Vm(self) as vm:
            self.assertEqual(stat.S_IMODE(vm.socket.stat().st_mode), 0o600)
            self.assertEqual(vm.ctl("status").stdout, "running\n")
            self.assertEqual(vm.ctl("stop").returncode, 0)
            self.assertEqual(vm.ctl("status").stdout, "paused\n")
            self.assertEqual(vm.ctl("cont").returncode, 0)
            self.assertEqual(vm.ctl("status").stdout, "running\n")
            self.assertEqual(vm.ctl("wait-text", "SeaBIOS", "--timeout", "20").returncode, 0)
            self.assertIn("SeaBIOS", vm.ctl("text").stdout)
            self.assertEqual(vm.ctl("key", "ret", "ctrl-a").returncode, 0)
            for word, args in ("key", ["", "ctrl-", "-a"]), ("screendump", [""]):
                for arg in args:
                    self.complains("ctl", vm.socket, word, arg, status=2, about=word)
            self.assertIn("blocks_translated", vm.ctl("stats").stdout)
            self.assertEqual(vm.ctl("reset").returncode, 0)
            self.assertEqual(vm.ctl("quit").returncode, 0)
            self.assertEqual(vm.process.wait(20), 0)
            self.assertFalse(vm.socket.exists())

    def test_screendump(self):
        with Vm(self) as vm:
            # A relative name is relative to where ctl runs, not to where the VM does.
            result = vm.ctl("screendump", "screen.png", cwd=self.dir)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(self.path("screen.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
            self.assertEqual(vm.ctl("screendump", self.path("screen.ppm")).returncode, 0)
            self.assertEqual(self.path("screen.ppm").read_bytes()[:3], b"P6\n")
            os.mkfifo(self.path("fifo"))
            result = vm.ctl("screendump", self.path("fifo"))
            self.assertEqual((result.returncode, "nobody reads" in result.stderr), (1, True))
            result = vm.ctl("screendump", self.dir / "no" / "screen.png")
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_qmp(self):
        with Vm(self) as vm:
            qmp, other = Qmp(vm.socket), Qmp(vm.socket)
            self.assertIn("version", qmp.greeting["QMP"])
            self.assertEqual(qmp.execute("query-status")["return"]["status"], "running")
            self.assertEqual(qmp.execute("nonsense")["error"]["class"], "CommandNotFound")
            self.assertIn("return", qmp.execute("stop"))
            self.assertEqual(other.execute("query-status")["return"]["running"], False)
            self.assertEqual(other.events, ["STOP"])
            self.assertIn("return", other.execute("cont"))
            self.assertIn("return", other.execute(
                "input-send-event", events=[{"type": "rel", "data": {"axis": "x", "value": 3}}]))
            self.assertIn("return", qmp.execute("send-key", keys=[{"type": "qcode", "data": "f12"}]))
            self.assertIn("return", qmp.execute("system_reset"))
            self.assertGreater(qmp.execute("x-stats")["return"]["insns_translated"], 0)
            self.assertIn("return", qmp.execute("quit"))
            self.assertEqual(vm.process.wait(20), 0)
            qmp.read()
            for client in (qmp, other):
                client.close()

    def test_memory(self):
        """What it says of itself is what the host's kernel says of the process."""
        with Vm(self, "--memory", "64M") as vm:
            self.assertEqual(vm.ctl("wait-text", "No bootable device", "--timeout", "30").returncode, 0)
            self.assertIn("return", Qmp(vm.socket).execute("stop"))
            memory = Qmp(vm.socket).execute("x-memory")["return"]
            with open(f"/proc/{vm.process.pid}/status", encoding="ascii") as f:
                host = {line.split()[0]: int(line.split()[1]) << 10 for line in f if line.split()[-1] == "kB"}
            shared = memory["guest_ram"] + memory["code"] + memory["devices"]
            claimed = memory.pop("beyond_ram") + memory["guest_ram"]
            self.assertEqual(claimed, sum(memory.values()))
            self.assertAlmostEqual(claimed - shared, host["RssAnon:"] + host["RssFile:"] + host["VmPTE:"], delta=2 << 20)
            self.assertGreater(memory["guest_ram"], 64 << 10)  # the BIOS has been there
            self.assertLess(memory["guest_ram"], 64 << 20)
            self.assertLess(memory["devices"], 8 << 20)  # an untouched frame buffer takes none
            for kind in ("code", "blocks", "shadow", "decoder", "program"):
                self.assertGreater(memory[kind], 4 << 10, kind)
            self.assertIn("MiB  all but guest_ram", vm.ctl("memory").stdout)

    def test_malformed(self):
        with Vm(self) as vm:
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(str(vm.socket))
                raw.sendall(b"\xff\x00{]\n" + b"[" * 100000 + b"\n{\"execute\":" + b"\n" * 1000)
            self.assertEqual(vm.ctl("status").stdout, "running\n")

    def test_busy_and_stale_socket(self):
        with Vm(self) as vm:
            self.complains("run", "--display", "none", "--control", f"unix:{vm.socket}", status=1,
                           about=[vm.socket, "in use"])
            self.assertEqual(vm.ctl("status").stdout, "running\n")
            vm.process.send_signal(signal.SIGKILL)
            vm.process.wait(20)
            self.assertTrue(vm.socket.exists())
            with Vm(self, "--engine", "step") as second:
                for _ in range(100):
                    if second.ctl("status").stdout == "running\n":
                        break
                else:
                    self.fail("the stale socket was not replaced")


class Ends(Case):
    def test_timeout(self):
        stats = self.path("stats.json")
        result = run("run", "--display", "none", "--timeout", "1.5", "--stats", stats)
        self.assertEqual((result.returncode, result.stderr), (TIME_IS_UP, ""))
        self.assertGreater(json.loads(stats.read_text())["blocks_translated"], 0)

    def test_signals(self):
        for signo, status in (signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGXCPU, 1):
            with Vm(self) as vm:
                vm.process.send_signal(signo)
                self.assertEqual(vm.process.wait(20), status)
                self.assertFalse(vm.socket.exists())

    def test_nohup(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with Vm(self) as vm:
                vm.process.send_signal(signal.SIGHUP)
                self.assertEqual(vm.ctl("status").stdout, "running\n")
                vm.ctl("quit")
                vm.process.wait(20)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            with Vm(self) as vm:
                vm.process.send_signal(signal.SIGHUP)
                self.assertEqual(vm.process.wait(20), 0)
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_stats_cannot_be_written(self):
        self.complains("run", "--display", "none", "--timeout", "0.5", "--stats", self.dir / "no" / "file", status=1,
                       about=self.dir)

    def test_debugcon_and_serial_files(self):
        con, serial = self.path("debugcon"), self.path("serial", b"old")
        run("run", "--display", "none", "--timeout", "3", "--debugcon", f"0x402:file:{con}", "--serial",
            f"file:{serial}")
        self.assertIn("SeaBIOS", con.read_text(errors="replace"))
        self.assertNotIn(b"old", serial.read_bytes())

    def test_streams_are_not_needed(self):
        pid = os.fork()
        if pid == 0:
            for fd in (0, 1, 2):
                os.close(fd)
            from gnomon_cli import GNOMON
            os.execv(GNOMON, [GNOMON, "run", "--timeout", "0.5"])
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), TIME_IS_UP)


if __name__ == "__main__":
    unittest.main()
