# SPDX-License-Identifier: GPL-2.0-or-later
"""memtest86+ completes its tests at 64 MB without an error: test_memtest.py GNOMON ia32|x64 LAST_TEST [options of gnomon run].

LAST_TEST is the number of the test whose end is waited for: 9 is all of a pass but the bit fade test, which sleeps for ten minutes.
"""
import os
import re
import sys
import tempfile
import time

from guest import skip
from machine import Machine
import debian

ISO = "usr/lib/memtest86+/memtest86+{}.iso"


def fetch(kind, path):
    try:
        repository = debian.Debian("i386")
        with repository.locked():
            (package,) = repository.single("memtest86+")
        found = [data for name, _, data in debian.contents(package) if name == ISO.format(kind)]
    except debian.Error as error:
        skip(f"no memtest86+: {error}")
    with open(path, "wb") as f:
        f.write(found[0])


def main():
    gnomon, kind, last, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="gnomon-memtest-") as folder:
        path = os.path.join(folder, "memtest.iso")
        fetch(kind, path)
        with Machine(gnomon, "--cdrom", path, "--memory", "64M", *options, timeout=1500) as vm:
            seen = set()
            while not any(n > int(last) for n in seen):
                match, seconds = vm.wait(r"Test #(\d+)", 60)
                errors = re.search(r"Errors: +(\d+)", vm.screen())
                assert not errors or errors[1] == "0", vm.screen()
                if int(match[1]) not in seen:
                    print(f"test {match[1]} begins {seconds:.0f} s after the start", flush=True)
                if seen and max(seen) > int(match[1]):
                    raise AssertionError(f"a new pass began: {seen}, {match[1]}")
                seen.add(int(match[1]))
                time.sleep(0.2)
            # Some are over in a fraction of a second: they may pass between two looks.
            assert int(last) in seen and len(seen) > int(last) // 2, f"only the tests {sorted(seen)} were seen"
            vm.quit()


if __name__ == "__main__":
    main()
