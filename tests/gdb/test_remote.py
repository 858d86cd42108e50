#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The debugger's end by its protocol: test_remote.py GNOMON GUEST ENGINE. The guest is guest.S."""
import random
import sys
import time
import unittest

from remote import Remote, Vm, symbols

GNOMON, GUEST, ENGINE = sys.argv[1:4]
AT = symbols(GUEST)
FAULT, INVALID, NOT_PERMITTED, NO_SPACE = "E0e", "E16", "E01", "E1c"


def vm(*options, **more):
    return Vm(GNOMON, "--kernel", GUEST, "--memory", "16M", "--engine", ENGINE, *options, **more)


class Guest(unittest.TestCase):
    """One VM for all that leaves it usable: it has reached `round` without a breakpoint left."""

    @classmethod
    def setUpClass(cls):
        cls.vm = vm()
        cls.remote = cls.vm.connect()
        cls.remote.ok(f"Z0,{AT['round']:x},1")  # there is no code yet
        assert cls.remote.cont("swbreak") == AT["round"]
        cls.remote.ok(f"z0,{AT['round']:x},1")

    @classmethod
    def tearDownClass(cls):
        cls.remote.close()
        cls.vm.__exit__()

    def setUp(self):
        self.remote = type(self).remote

    def run_to(self, name):
        self.remote.ok(f"Z0,{AT[name]:x},1")
        self.assertAt(self.remote.cont("swbreak"), name)
        self.remote.ok(f"z0,{AT[name]:x},1")

    def assertAt(self, eip, name):
        names = [n for n, address in AT.items() if address == eip]
        self.assertEqual(eip, AT[name], f"{eip:x} {names}, and not {name}")

    def variable(self, name):
        return self.remote.number(AT[name])


class Breakpoints(Guest):
    def test_loop(self):
        self.run_to("loop_middle")
        self.remote.ok(f"Z1,{AT['loop_middle']:x},1")
        for left in range(998, 990, -1):
            self.assertAt(self.remote.cont("hwbreak"), "loop_middle")
            self.assertEqual(self.remote.registers()["ecx"], left)
        self.remote.ok(f"z1,{AT['loop_middle']:x},1")
        self.run_to("loop_end")
        self.assertEqual(self.remote.registers()["ecx"], 0)

    def test_pages(self):
        self.run_to("crossing")
        self.run_to("crossing_behind")
        self.assertEqual(self.remote.registers()["eax"], 0x12345678)

    def test_unseen(self):
        names = ("round", "loop_end", "rep_behind", "int_behind", "on_call", "crossing", "fault_insn", "inner", "ss_next", "sti_next")
        for name in names:
            self.remote.ok(f"Z0,{AT[name]:x},1")
        self.remote.ok(f"Z2,{AT['rounds']:x},4")
        before, strays = self.variable("rounds"), self.variable("strays")
        seen = set()
        for _ in range(4 * (len(names) + 1)):
            seen.add(self.remote.cont("swbreak", "watch"))
        for name in names:
            self.remote.ok(f"z0,{AT[name]:x},1")
        self.remote.ok(f"z2,{AT['rounds']:x},4")
        self.assertLessEqual({AT[name] for name in names}, seen)
        self.run_to("loop_end")
        self.assertGreater(self.variable("rounds"), before + 2)
        self.assertEqual(self.variable("code_changed"), 0)
        self.assertEqual(self.variable("seen_dr7"), 0x400)
        self.assertEqual(self.variable("seen_flags") & 0x10100, 0)
        self.assertEqual(self.variable("strays"), strays)

    def test_many(self):
        room = 256
        for i in range(room):
            self.remote.ok(f"Z0,{0x500000 + i:x},1")
        self.assertEqual(self.remote.ask("Z0,600000,1"), NO_SPACE)
        for i in range(room):
            self.remote.ok(f"z0,{0x500000 + i:x},1")
        self.run_to("loop_end")

    def test_kinds(self):
        """Two at a place; setting twice, removing what is not there."""
        self.run_to("loop_head")
        at = AT["int_behind"]
        for packet in (f"Z0,{at:x},1", f"Z1,{at:x},1", f"Z0,{at:x},1"):
            self.remote.ok(packet)
        self.assertEqual(self.remote.cont("swbreak"), at)
        self.remote.ok(f"z0,{at:x},1")
        self.remote.ok(f"z0,{at:x},1")
        self.assertEqual(self.remote.cont("hwbreak"), at)
        self.remote.ok(f"z1,{at:x},1")
        self.run_to("crossing")

    def test_jump(self):
        """A breakpoint at the place that EIP is set to is hit."""
        self.run_to("loop_end")
        self.remote.ok(f"Z0,{AT['loop_head']:x},1")
        self.remote.set("eip", AT["loop_head"])
        self.assertAt(self.remote.cont("swbreak"), "loop_head")
        self.remote.ok(f"z0,{AT['loop_head']:x},1")
        self.remote.set("ecx", 1)
        self.run_to("loop_end")


class Steps(Guest):
    def steps(self, *names):
        for name in names:
            self.assertAt(self.remote.step(), name)

    def test_repeated(self):
        self.run_to("rep_movs")
        for left in range(7, 0, -1):
            self.steps("rep_movs")
            self.assertEqual(self.remote.registers()["ecx"], left)
        self.steps("rep_behind")
        self.assertEqual(self.remote.read(AT["target"], 8), b"abcdefgh")

    def test_shadows(self):
        self.run_to("sti_insn")
        self.steps("sti_next")
        self.run_to("ss_insn")
        self.steps("ss_next", "ss_behind")
        self.assertEqual(self.remote.registers()["ebx"], self.remote.registers()["esp"])

    def test_interrupt(self):
        self.run_to("int_insn")
        calls = self.variable("calls")
        self.steps("on_call", "call_iret", "int_behind")
        self.assertEqual(self.variable("calls"), calls + 1)

    def test_faults(self):
        self.run_to("div_insn")
        self.steps("on_divide")
        self.run_to("undefined_insn")
        self.steps("on_undefined")
        self.run_to("undefined_behind")  # INT3, the guest's own
        before = self.variable("breakpoints")
        self.steps("on_breakpoint")
        self.run_to("int3_behind")
        self.assertEqual(self.variable("breakpoints"), before + 1)
        self.run_to("fault_insn")
        self.steps("on_page_fault")
        self.assertIn("cr2 d0000000", self.remote.monitor("info registers"))
        self.run_to("fault_behind")

    def test_trap_flag(self):
        """The guest's own single-step is not ours."""
        self.run_to("tf_next")
        before = self.variable("debugs")
        self.assertTrue(self.remote.registers()["eflags"] & 0x100)
        self.steps("tf_behind", "on_debug")
        self.run_to("crossing")
        self.assertEqual(self.variable("debugs"), before + 1)

    def test_calls(self):
        self.run_to("function")
        esp = self.remote.registers()["esp"]
        self.assertEqual(self.remote.number(esp), AT["call_behind"])
        self.run_to("call_behind")
        self.assertEqual(self.remote.registers()["esp"], esp + 4)


class Ranges(Guest):
    """vCont;r: many steps, one stop."""

    def step_range(self, first, end, more=""):
        return self.remote.ask(f"vCont;r{AT[first]:x},{AT[end]:x}:1{more}")

    def test_offered(self):
        self.assertIn("r", self.remote.ask("vCont?").split(";"))

    def test_loop(self):
        self.run_to("loop_head")
        self.assertEqual(self.remote.registers()["ecx"], 1000)
        self.assertEqual(self.step_range("loop_head", "loop_end", ";c"), "T05thread:1;")
        self.assertAt(self.remote.eip(), "loop_end")
        self.assertEqual(self.remote.registers()["ecx"], 0)

    def test_empty(self):
        """At least one instruction, wherever it is."""
        self.run_to("loop_head")
        self.step_range("loop_head", "loop_head")
        self.assertAt(self.remote.eip(), "loop_middle")
        self.step_range("rep_movs", "rep_behind")
        self.assertEqual(self.remote.registers()["ecx"], 999)
        self.assertNotEqual(self.remote.eip(), AT["loop_middle"])

    def test_string(self):
        self.run_to("rep_movs")
        self.step_range("rep_movs", "rep_behind")
        self.assertAt(self.remote.eip(), "rep_behind")
        self.assertEqual(self.remote.registers()["ecx"], 0)

    def test_call(self):
        """Leaves with a call, and with an exception."""
        self.run_to("cross_behind")
        self.step_range("cross_behind", "call_behind")
        self.assertAt(self.remote.eip(), "function")
        self.run_to("div_insn")
        self.step_range("int_behind", "div_behind")
        self.assertAt(self.remote.eip(), "on_divide")

    def test_breakpoint(self):
        self.run_to("loop_head")
        self.remote.ok(f"Z0,{AT['loop_middle']:x},1")
        for left in (999, 998):
            self.assertEqual(self.step_range("loop_head", "loop_end"), "T05thread:1;swbreak:;")
            self.assertAt(self.remote.eip(), "loop_middle")
            self.assertEqual(self.remote.registers()["ecx"], left)
        self.remote.ok(f"z0,{AT['loop_middle']:x},1")

    def test_watchpoint(self):
        self.run_to("stos_behind")
        self.remote.ok(f"Z2,{AT['watched']:x},4")
        self.assertIn("watch", self.step_range("stos_behind", "push_behind"))
        self.assertAt(self.remote.eip(), "inc_behind")
        self.remote.ok(f"z2,{AT['watched']:x},4")

    def test_interrupt(self):
        """A range that is never left: the debugger can still stop it."""
        self.run_to("loop_head")
        self.remote.send("vCont;r0,ffffffff:1")
        self.assertEqual(self.remote.byte(), b"+")
        time.sleep(0.1)
        self.remote.raw(b"\x03")
        self.assertEqual(self.remote.receive(), "T02thread:1;")
        self.run_to("loop_end")

    def test_wrong(self):
        for packet in ("vCont;r", "vCont;r10", "vCont;r10,", "vCont;r10,20x", "vCont;rx,20:1"):
            self.assertEqual(self.remote.ask(packet), INVALID, packet)


class Watchpoints(Guest):
    def watch(self, kind, address, length, *stops):
        """Each stop: what is told, the address, the place behind."""
        self.remote.ok(f"Z{kind},{address:x},{length:x}")
        for told, where, name in stops:
            self.assertAt(self.remote.cont(f"{told}:{where:x};"), name)
        self.remote.ok(f"z{kind},{address:x},{length:x}")

    def test_write(self):
        self.run_to("loop_end")
        at = AT["watched"]
        self.watch(2, at, 4, ("watch", at, "inc_behind"), ("watch", at, "cross_behind"), ("watch", at, "inc_behind"))

    def test_one_byte(self):
        self.run_to("loop_end")
        at = AT["watched"] + 2
        self.watch(2, at, 1, ("watch", at, "inc_behind"), ("watch", at, "cross_behind"))

    def test_read(self):
        self.run_to("loop_end")
        at = AT["watched"]
        self.watch(3, at, 4, ("rwatch", at, "inc_behind"), ("rwatch", at, "read_behind"), ("rwatch", at, "inc_behind"))

    def test_access(self):
        self.run_to("inc_behind")
        at = AT["watched"]
        self.watch(4, at, 4, ("awatch", at, "read_behind"), ("awatch", at, "cross_behind"), ("awatch", at, "inc_behind"))

    def test_stack(self):
        self.run_to("read_behind")
        slot = self.remote.registers()["esp"] - 4
        self.watch(2, slot, 4, ("watch", slot, "push_behind"), ("watch", slot, "function"))
        self.run_to("int_insn")
        frame = self.remote.registers()["esp"] - 12
        self.watch(2, frame, 4, ("watch", frame, "on_call"))

    def test_strings(self):
        self.run_to("loop_end")
        at = AT["target"] + 5
        self.watch(2, at, 1, ("watch", at, "rep_movs"))
        self.assertEqual(self.remote.registers()["edi"], at + 1)
        self.watch(2, at, 1, ("watch", at, "rep_stos"))
        self.assertEqual(self.remote.registers()["ecx"], 10)
        self.run_to("stos_behind")

    def test_step(self):
        self.run_to("loop_end")
        at = AT["watched"]
        self.remote.ok(f"Z2,{at:x},4")
        for _ in range(100):
            answer = self.remote.ask("vCont;s:1;c")
            if "watch" in answer:
                break
        self.assertEqual(answer, f"T05thread:1;watch:{at:x};")
        self.assertAt(self.remote.eip(), "inc_behind")
        self.remote.ok(f"z2,{at:x},4")

    def test_wrong(self):
        self.assertEqual(self.remote.ask("Z2,1000,0"), INVALID)
        self.assertEqual(self.remote.ask("Z2,ffffffffffffffff,2"), INVALID)
        for i in range(64):
            self.remote.ok(f"Z2,{0x500000 + i:x},1")
        self.assertEqual(self.remote.ask("Z2,600000,1"), NO_SPACE)
        for i in range(64):
            self.remote.ok(f"z2,{0x500000 + i:x},1")


class Memory(Guest):
    def test_read(self):
        self.assertEqual(self.remote.read(AT["source"], 16), b"abcdefghijklmnop")
        self.assertEqual(self.remote.read(0x80000000 + AT["source"], 16), b"abcdefghijklmnop")
        self.assertEqual(self.remote.read(AT["source"], 0), b"")
        self.assertEqual(len(self.remote.read(AT["source"], 0xffffffff)), 8192)

    def test_not_there(self):
        self.assertEqual(self.remote.ask("md0000000,4"), FAULT)
        self.assertEqual(self.remote.ask("Md0000000,1:00"), FAULT)
        self.assertEqual(len(self.remote.read(0x800000 - 16, 32)), 16)
        at = 0x800000 - 2
        before = self.remote.read(at, 2)
        self.assertEqual(self.remote.ask(f"M{at:x},4:01020304"), FAULT)
        self.assertEqual(self.remote.read(at, 2), before)

    def test_devices(self):
        self.assertEqual(self.remote.ask("mfee00020,4"), FAULT)
        self.assertEqual(self.remote.ask("Mfee00020,4:00000000"), FAULT)
        self.assertEqual(self.remote.ask("Mfffff,1:00"), FAULT)  # a ROM
        self.assertEqual(len(self.remote.read(0xffff0, 16)), 16)

    def test_no_traces(self):
        """Neither reading nor writing sets accessed or dirty bits."""
        directory = AT["directory"]
        self.assertEqual(self.remote.read(0x90000000 + AT["source"], 4), b"abcd")
        self.remote.ok(f"M{0x90000000 + AT['source']:x},4:61626364")
        self.assertEqual(self.remote.number(directory + 4 * (0x90000000 >> 22)), 0x83)
        self.assertIn("-> ", self.remote.monitor(f"translate {0x90000000:x}"))
        self.assertNotIn("accessed", self.remote.monitor(f"translate 0x{0x90000000:x}"))
        self.assertIn("not mapped", self.remote.monitor("translate d0000000"))

    def test_write(self):
        at = AT["target"]
        self.remote.ok(f"M{at:x},4:7d232a24")
        self.assertEqual(self.remote.read(at, 4), b"}#*$")
        self.remote.ok(b"X%x,5:a}\x03}\x5db}\x0a" % at)
        self.assertEqual(self.remote.read(at, 5), b"a#}b*")
        self.remote.ok(f"X{at:x},0:")

    def test_wrong(self):
        for packet in ("m", "m,", "m1000", "mzz,4", "m11111111111111111,4", "M1000,4:00", "M1000,4:0000000x", "M1000,4", "X1000,4:ab",
                       "X1000,1:}", "X1000,ffffffffffffffff:}", "M1000,ffffffffffffffff:"):
            self.assertEqual(self.remote.ask(packet), INVALID, packet)

    def test_code(self):
        """Changed code runs as changed."""
        self.run_to("crossing")
        self.remote.ok(f"M{AT['crossing'] + 1:x},4:efbeadde")
        self.run_to("crossing_behind")
        self.assertEqual(self.remote.registers()["eax"], 0xdeadbeef)
        self.remote.ok(f"M{AT['crossing'] + 1:x},4:78563412")
        self.run_to("crossing_behind")
        self.assertEqual(self.remote.registers()["eax"], 0x12345678)


class Registers(Guest):
    def test_all(self):
        data = self.remote.ask("g")
        self.remote.ok("G" + data)
        self.assertEqual(self.remote.ask("g"), data)

    def test_write(self):
        self.run_to("loop_head")
        for name in ("eax", "ebx", "ebp", "edi"):
            self.remote.set(name, 0x89abcdef)
            self.assertEqual(self.remote.registers()[name], 0x89abcdef)
        self.remote.set("ecx", 3)
        self.remote.ok(f"Z0,{AT['loop_head']:x},1")
        self.assertAt(self.remote.cont("swbreak"), "loop_head")
        self.assertEqual(self.remote.registers()["ecx"], 2)
        self.remote.ok(f"z0,{AT['loop_head']:x},1")
        self.run_to("loop_end")

    def test_flags(self):
        self.run_to("loop_end")
        flags = self.remote.registers()["eflags"]
        self.remote.set("eflags", 0xffffffff & ~0x100)
        self.assertEqual(self.remote.registers()["eflags"] & 0x28028, 0)  # neither VM nor what is always 0
        self.remote.set("eflags", flags)

    def test_floating_point(self):
        pi = bytes.fromhex("35c26821a2da0fc90040")
        self.assertEqual(bytes.fromhex(self.remote.ask("p10")), pi)
        self.assertEqual(int.from_bytes(bytes.fromhex(self.remote.ask("p1a")), "little"), 0x0fff)  # two in use
        one = bytes.fromhex("0000803f") + bytes(12)
        self.assertEqual(bytes.fromhex(self.remote.ask("p21")), one)
        self.remote.ok("P21=" + bytes(range(16)).hex())
        self.run_to("crossing")
        self.assertEqual(bytes.fromhex(self.remote.ask("p21")), bytes(range(16)))
        self.remote.ok("P21=" + one.hex())

    def test_refused(self):
        self.assertEqual(self.remote.ask("Pa=10000000"), NOT_PERMITTED)  # CS
        self.remote.ok("Pa=08000000")
        self.assertEqual(self.remote.ask("P28=0000ffff"), NOT_PERMITTED)  # MXCSR
        for packet in ("p", "p999", "pffffffffffffffffffff", "P", "P0", "P0=12", "P0=1234567x", "P999=00", "G", "G00"):
            self.assertEqual(self.remote.ask(packet), INVALID, packet)


class Protocol(Guest):
    def test_description(self):
        text, part = "", "m"
        while part[0] == "m":
            part = self.remote.ask(f"qXfer:features:read:target.xml:{len(text):x},100")
            text += part[1:]
        text = text.replace("}\x0a", "*")
        self.assertTrue(text.endswith("</target>\n"), text[-40:])
        self.assertEqual(len(self.remote.ask("g")) // 2 * 8, sum(int(word.split('"')[1]) for word in text.split() if word.startswith("bitsize=")))
        self.assertEqual(self.remote.ask("qXfer:features:read:target.xml:ffffff,100"), "l")
        self.assertEqual(self.remote.ask("qXfer:features:read:target.xml:0"), INVALID)
        self.assertEqual(self.remote.ask("qXfer:features:read:other.xml:0,100"), "")

    def test_threads(self):
        self.assertEqual(self.remote.ask("qfThreadInfo"), "m1")
        self.assertEqual(self.remote.ask("qsThreadInfo"), "l")
        self.assertEqual(bytes.fromhex(self.remote.ask("qThreadExtraInfo,1")), b"CPL 0, runs")
        for packet in ("Hg0", "Hc-1", "Hg1", "T1"):
            self.remote.ok(packet)
        for packet in ("Hg7", "H", "T2"):
            self.assertEqual(self.remote.ask(packet), INVALID)

    def test_unknown(self):
        for packet in ("", "vMustReplyEmpty", "nonsense", "Z9,0,0", "qXfer", "vCont", "\x80\xff", "?x"):
            self.assertEqual(self.remote.ask(packet), "", packet)
        for packet in ("Z", "Z0", "Z0,x", "vCont;x", "vCont;", "Czz", "cxx", "C05;x", "qRcmd,6", "qRcmd,zz"):
            self.assertEqual(self.remote.ask(packet), INVALID, packet)

    def test_line(self):
        self.remote.raw(b"$g#00")
        self.assertEqual(self.remote.byte(), b"-")
        self.remote.raw(b"noise $g#zz")
        self.assertEqual(self.remote.byte(), b"-")
        self.remote.raw(b"$m0,$?#3f")  # the first has lost its end
        stop = self.remote.receive()
        self.assertRegex(stop, "^T0[25]thread:1;")
        self.remote.raw(b"-")  # once more
        self.assertEqual(self.remote.receive(), stop)
        self.assertEqual(self.remote.ask("M1000,4:" + 20000 * "0"), NO_SPACE)
        self.remote.ok("Hg0")

    def test_monitor(self):
        self.assertIn("stop-at-reset", self.remote.monitor("help"))
        self.assertIn("stopped by the debugger", self.remote.monitor("  info status"))
        self.assertIn("unknown command", self.remote.monitor("nonsense"))
        self.assertIn("takes no argument", self.remote.monitor("reset now"))
        self.assertIn("hexadecimal", self.remote.monitor("xp"))
        self.assertIn(f"{int.from_bytes(b'abcd', 'little'):08x}", self.remote.monitor(f"xp {AT['source']:x}"))
        self.assertIn("not memory", self.remote.monitor("xp 0xfee00000"))

    def test_interrupt(self):
        self.remote.send("c")
        self.assertEqual(self.remote.byte(), b"+")
        time.sleep(0.1)
        self.remote.send("g")  # not now
        self.remote.raw(b"\x03")
        self.assertEqual(self.remote.receive(), "T02thread:1;")
        self.remote.raw(b"\x03")  # it has stopped
        self.assertEqual(self.remote.ask("?"), "T02thread:1;")


class Hostile(Guest):
    """Whatever comes, the next honest packet is answered."""

    WORDS = ("g", "G", "p", "P", "m", "M", "X", "c", "s", "C", "S", "Z", "z", "H", "T", "?", "!", "vCont", "qXfer:features:read:target.xml:", "qRcmd,",
             "qSupported", "qThreadExtraInfo", "0", "1", "2", "3", "4", ",", ";", ":", "=", "}", "*", "\0", "\xff", "7fffffff", "ffffffffffffffff",
             "fee00000", "ffffffff", "200000", "1000", "00", "ff" * 200)

    def test_noise(self):
        noise = random.Random(7)
        for _ in range(150):
            packet = "".join(noise.choice(self.WORDS) for _ in range(noise.randrange(1, 9)))
            data = Remote.frame(packet)
            if noise.random() < 0.1:
                data = bytes(noise.choice((byte, noise.randrange(256))) for byte in data)
            if b"$D" not in data and b"$k" not in data:
                self.remote.raw(data)
        self.remote.raw(b"\x03")
        # Memory and registers are anything now; the connection is not.
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.remote.raw(b"\x03" + Remote.frame("qC"))
            if b"$QC1#" in self.received():
                return
        self.fail("no answer")

    def received(self):
        time.sleep(0.1)
        self.remote.socket.setblocking(False)
        try:
            data = self.remote.socket.recv(1 << 20)
        except BlockingIOError:
            data = b""
        self.remote.socket.setblocking(True)
        return data


class Sessions(unittest.TestCase):
    def connect(self, machine):
        remote = machine.connect()
        self.addCleanup(remote.close)
        return remote

    def test_reset(self):
        with vm() as machine:
            remote = self.connect(machine)
            self.assertEqual(remote.ask("?"), "T05thread:1;")
            self.assertEqual((remote.eip(), remote.registers()["cs"]), (0xfff0, 0xf000))
            self.assertEqual(remote.read(0xfffffff0, 1), b"\xea")  # the BIOS's far jump
            self.assertEqual(remote.step(), 0xe05b)
            remote.ok(f"Z0,{AT['round']:x},1")
            remote.cont("swbreak")
            remote.send("R00")
            self.assertEqual(remote.eip(), 0xfff0)
            remote.cont("swbreak")
            self.assertEqual(remote.ask("vRun;"), "T05thread:1;")
            self.assertEqual(remote.eip(), 0xfff0)
            remote.cont("swbreak")
            remote.monitor("stop-at-reset on")
            remote.set("eip", AT["triple_fault"])
            self.assertEqual(remote.ask("c"), "T06thread:1;")
            self.assertEqual(remote.number(AT["code_changed"]), 0)  # all is as it was
            self.assertEqual(remote.cont("swbreak"), AT["round"])
            self.assertIn("reset", remote.monitor("reset"))
            self.assertEqual(remote.eip(), 0xfff0)
            remote.send("k")
            self.assertEqual(machine.process.wait(20), 0)

    def test_clients(self):
        with vm(wait=False) as machine:
            first = self.connect(machine)
            first.ok(f"Z0,{AT['round']:x},1")
            first.cont("swbreak")
            second = Remote(machine.path)
            self.addCleanup(second.close)
            with self.assertRaises((EOFError, ConnectionError)):  # one at a time
                second.ask("?")
            rounds = first.number(AT["rounds"])
            first.close()  # the guest goes on without the breakpoint
            third = self.connect(machine)
            end = time.monotonic() + 30
            while third.number(AT["rounds"]) <= rounds + 1 and time.monotonic() < end:
                third.send("c")
                time.sleep(0.1)
                third.raw(b"\x03")
                self.assertEqual(third.receive(), "T02thread:1;")
            self.assertGreater(third.number(AT["rounds"]), rounds + 1)
            third.ok("QStartNoAckMode")
            third.raw(Remote.frame("?"))
            self.assertEqual(third.byte(), b"$")
            third.raw(Remote.frame("D"))
            fourth = self.connect(machine)
            fourth.ok(f"Z0,{AT['round']:x},1")
            fourth.cont("swbreak")
            self.assertIn("ends", fourth.monitor("quit"))
            self.assertEqual(machine.process.wait(20), 0)

    def test_end(self):
        """A client that waits is told of the end."""
        with vm() as machine:
            remote = self.connect(machine)
            remote.send("c")
            self.assertEqual(remote.byte(), b"+")
            machine.process.terminate()
            self.assertEqual(remote.receive(), "W00")
            self.assertEqual(machine.process.wait(20), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[4:]])
