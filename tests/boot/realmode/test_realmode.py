# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots the real-mode programs and reads their verdict: test_realmode.py GNOMON IMAGE_DIR MEDIUM [options of gnomon run]."""
import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from machine import Machine, own  # noqa: E402

MEDIA = {
    "floppy": ("floppy.img", "--floppy", "", "a"),
    "disk": ("disk.img", "--disk", ",snapshot", "c"),
    "cd": ("cd.iso", "--cdrom", "", "d"),
    "cdfloppy": ("cdfloppy.iso", "--cdrom", "", "d"),
}
TYPED = "Gnomon 42"  # what keyboard.asm asks for
SENT = "Serial line of the real-mode tests\r\n"  # what serial.asm sends
DEBUG_PORT = "0xe9"


def main():
    gnomon, images, medium, *options = sys.argv[1:]
    image, option, suffix, boot = MEDIA[medium]
    log, serial = (pathlib.Path(images) / f"{name}.{os.getpid()}" for name in ("log", "serial"))
    try:
        with tempfile.TemporaryDirectory(prefix="gnomon-boot-") as folder, \
                Machine(gnomon, option, own(f"{images}/{image}", folder) + suffix, "--boot", boot, "--serial",
                        f"file:{serial}", "--debugcon", f"{DEBUG_PORT}:file:{log}", *options) as vm:
            vm.wait(f'Type "{TYPED}"', 60)
            vm.type(TYPED + "\\n")
            vm.ends(0, 200)
            assert re.search(r"^REALMODE: \d+ checks, PASS$", log.read_text(), re.M), "see below"
            assert SENT in serial.read_bytes().decode(errors="replace"), "serial line"
    finally:
        for path in (log, serial):
            if path.exists():
                if path is log:
                    print(path.read_text(errors="replace"))
                path.unlink()


main()
