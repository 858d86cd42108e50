#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""gnomon doctor: what it says is so, and its exit status tells whether gnomon run works."""
import json
import pathlib
import resource
import unittest

from gnomon_cli import Case, run

OK, FAILED, USAGE = 0, 1, 2


def report(**more):
    result = run("doctor", "--json", **more)
    found = json.loads(result.stdout)
    return result, {check["name"]: check for check in found["checks"]}, found


def limit(which, value):
    return lambda: resource.setrlimit(which, (value, value))


class Doctor(Case):
    def test_this_host(self):
        result, checks, found = report()
        self.assertEqual(result.returncode, OK, result.stdout)
        self.assertTrue(found["works"])
        self.assertEqual(result.stderr, "")
        self.assertEqual({check["status"] for check in checks.values()} - {"ok", "hint"}, set())
        mappings = pathlib.Path("/proc/sys/vm/max_map_count").read_text().strip()
        self.assertIn(f"vm.max_map_count={mappings}", checks["mappings"]["found"])
        flags = pathlib.Path("/proc/cpuinfo").read_text().split()
        self.assertEqual(checks["tsc"]["status"] == "ok", "nonstop_tsc" in flags)
        for check in checks.values():
            self.assertTrue(check["found"] and check["use"])
            if check["status"] != "ok":
                self.assertTrue(check["advice"], check)

        features = found["features"]
        self.assertIn("sse2", features["shown"])
        for name in ("avx2", "avx512f", "avx512vl", "aes", "sha_ni"):
            self.assertEqual(name in features["shown"], name in flags)
            self.assertEqual(name in features["missing"], name not in flags)

    def test_text(self):
        result = run("doctor")
        self.assertEqual(result.returncode, OK)
        self.assertTrue(result.stdout.endswith("Gnomon works here.\n"))
        _, checks, _ = report()
        for name in checks:
            self.assertIn(name, result.stdout)

    def test_few_descriptors(self):
        result, checks, _ = report(preexec_fn=limit(resource.RLIMIT_NOFILE, 40))
        self.assertEqual(result.returncode, OK)
        self.assertEqual(checks["descriptors"]["status"], "hint")
        self.assertIn("40", checks["descriptors"]["found"])

    def test_no_address_space(self):
        few = limit(resource.RLIMIT_AS, 4 << 30)
        result, checks, found = report(preexec_fn=few)
        self.assertEqual(result.returncode, FAILED)
        self.assertFalse(found["works"])
        self.assertEqual(checks["start"]["status"], "missing")
        self.assertEqual(checks["windows"]["status"], "hint")
        # And so it is.
        result = run("run", "--display", "none", "--timeout", "5", preexec_fn=few)
        self.assertEqual(result.returncode, FAILED)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)

    def test_usage(self):
        self.complains("doctor", "--xml", status=USAGE, about="--xml")
        self.assertIn("--json", run("doctor", "--help").stdout)

    def test_full_device(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            import subprocess
            from gnomon_cli import GNOMON
            result = subprocess.run([GNOMON, "doctor", "--json"], stdout=full, stderr=subprocess.PIPE, text=True,
                                    timeout=30, check=False)
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("cannot write to standard output", result.stderr)


if __name__ == "__main__":
    unittest.main()
