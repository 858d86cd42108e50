# SPDX-License-Identifier: GPL-2.0-or-later
"""Who shows the GRUB menu first: race.py GNOMON [ROUNDS]. Prints both times; fails if Gnomon is behind QEMU's TCG in the median."""
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from machine import SKIP, Machine, media
from test_boot import GRUB_CD, MENU

TEXT_SCREEN, TEXT_BYTES = 0xB8000, 4000


def gnomon_menu(gnomon):
    with Machine(gnomon, "--cdrom", GRUB_CD) as vm:
        _, seconds = vm.wait(MENU)
        vm.quit()
        return seconds


def qemu_menu():
    folder = tempfile.mkdtemp(prefix="gnomon-race-")
    path, dump = os.path.join(folder, "qmp"), os.path.join(folder, "screen")
    start = time.monotonic()
    qemu = subprocess.Popen(["qemu-system-i386", "-accel", "tcg", "-m", "256", "-cdrom", GRUB_CD, "-display", "none",
                             "-net", "none", "-qmp", f"unix:{path},server=on,wait=off"], stdin=subprocess.DEVNULL)
    try:
        while not os.path.exists(path):
            time.sleep(0.005)
        with socket.socket(socket.AF_UNIX) as s:
            while s.connect_ex(path):
                time.sleep(0.005)
            f = s.makefile("rw")
            f.readline()

            def execute(name, **arguments):
                f.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                f.flush()
                while "return" not in json.loads(f.readline()):
                    pass

            execute("qmp_capabilities")
            while True:
                execute("pmemsave", val=TEXT_SCREEN, size=TEXT_BYTES, filename=dump)
                with open(dump, "rb") as screen:
                    if b"highlighted entry will be" in screen.read()[::2]:
                        return time.monotonic() - start
                time.sleep(0.02)
    finally:
        qemu.kill()
        qemu.wait()
        shutil.rmtree(folder)


def main():
    gnomon, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    media(GRUB_CD)
    if not shutil.which("qemu-system-i386"):
        print("skipped: qemu-system-i386 is not installed")
        sys.exit(SKIP)
    ours, theirs = [], []
    for _ in range(rounds):  # in turn, so that both see the same noise
        ours.append(gnomon_menu(gnomon))
        theirs.append(qemu_menu())
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"GRUB menu after {a:.2f} s with Gnomon, {b:.2f} s with QEMU's TCG: {b / a:.2f} times as fast")
    sys.exit(a >= b)


if __name__ == "__main__":
    main()
