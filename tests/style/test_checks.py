#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The style checks find what they are for, in trees made for it."""
import pathlib
import tempfile
import unittest

import check_includes
import check_spdx

LICENCE = "/* SPDX-License-Identifier: " + "GPL-2.0-or-later */\n"


class Tree(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.root = pathlib.Path(self.dir.name).resolve()
        for name in ("base.h", "cpu/cpu.h", "cpu/cpu_internal.h", "shadow/shadow.h", "bt/bt.h", "devices/pit.h",
                     "monitor/vm.h"):
            self.add("src/" + name, "")
        self.add("CMakeLists.txt", "")

    def add(self, name, text):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(LICENCE + text)

    def includes(self, name, header):
        self.add(name, f'#include "{header}"\n')
        return check_includes.check(self.root)

    def test_allowed(self):
        for name, header in (("src/devices/a.c", "../base.h"), ("src/devices/a.c", "base.h"),
                             ("src/cpu/a.c", "cpu_internal.h"), ("src/shadow/a.c", "cpu/cpu.h"),
                             ("src/bt/a.c", "shadow/shadow.h"), ("src/monitor/a.c", "devices/pit.h"),
                             ("src/monitor/b.c", "bt/bt.h"), ("tests/unit/cpu/test_a.c", "cpu/cpu_internal.h")):
            self.assertEqual(self.includes(name, header), [], (name, header))

    def test_forbidden(self):
        for name, header in (("src/a.c", "cpu/cpu.h"), ("src/devices/a.c", "cpu/cpu.h"),
                             ("src/devices/a.c", "../monitor/vm.h"), ("src/cpu/a.c", "devices/pit.h"),
                             ("src/cpu/a.c", "shadow/shadow.h"), ("src/shadow/a.c", "bt/bt.h"),
                             ("src/bt/a.c", "monitor/vm.h"), ("src/bt/a.c", "devices/pit.h"),
                             ("src/monitor/a.c", "cpu/cpu_internal.h"), ("src/bt/a.c", "nowhere.h"),
                             ("src/bt/a.def", "monitor/vm.h"), ("src/other/a.c", "base.h"),
                             ("tests/unit/cpu/test_a.c", "bt/bt.h")):
            with self.subTest(name=name, header=header):
                self.assertEqual(len(self.includes(name, header)), 1)
                (self.root / name).unlink()

    def test_zydis_once(self):
        self.add("src/cpu/decode.c", "#include <Zydis/Zydis.h>\n")
        self.assertEqual(check_includes.check(self.root), [])
        self.add("src/bt/other.c", "# include <Zydis/Zydis.h>\n")
        self.assertEqual(len(check_includes.check(self.root)), 1)

    def test_spdx(self):
        self.assertEqual(check_spdx.check(self.root), [])
        (self.root / "src/bt/bare.c").write_text("int x;\n")
        self.assertEqual(len(check_spdx.check(self.root)), 1)

    def test_empty_tree_is_no_success(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertNotEqual(check_includes.check(pathlib.Path(empty).resolve()), [])


if __name__ == "__main__":
    unittest.main()
