# SPDX-License-Identifier: GPL-2.0-or-later
"""Bochs, an interpreter, as a further machine where it is installed: the same kernel and rows, from a CD, as it boots no kernel by itself."""
import glob
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import tty

from guests import installer
from machines import Failure, Lines, Machine

ROWS = ("integer", "call", "interp", "memcpy", "syscall", "pipe", "fork")  # what an interpreter is patient enough for
PATIENCE = 900  # s: its boot takes minutes
BIOS, VGA_BIOS = "/usr/share/bochs/BIOS-bochs-latest", "/usr/share/bochs/VGABIOS-lgpl-latest"
CONFIG = """display_library: {display}
megs: 512
romimage: file={bios}
vgaromimage: file={vga}
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=term, dev={terminal}
clock: sync=none
cpu: ips=50000000
speaker: enabled=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: {folder}/log
"""


def display():
    """One that needs no screen: a VNC server that waits for nobody, or none at all. None: Bochs has neither."""
    plugins = glob.glob("/usr/lib/*/bochs/plugins/libbx_*_gui.so*") + glob.glob("/usr/lib/bochs/plugins/libbx_*_gui.so*")
    if any("libbx_rfb" in name for name in plugins):
        return 'rfb, options="timeout=0"'
    return "nogui" if any("libbx_nogui" in name for name in plugins) else None


def absent():
    """Why it cannot be measured, or None."""
    for program in ("bochs", "xorriso"):
        if not shutil.which(program):
            return f"{program} is not installed"
    for path in (BIOS, VGA_BIOS):
        if not os.path.exists(path):
            return f"{path} is missing (package bochsbios)"
    return None if display() else "it has no display that needs no screen (rfb, nogui)"


def make_cd(guest, folder):
    """A CD of the guest's kernel and initrd, started by isolinux."""
    repository = installer.debian.Debian("i386")
    tree = os.path.join(folder, "cd")
    with repository.locked():
        for package in ("isolinux", "syslinux-common"):
            installer.fetch(repository, package, os.path.join(tree, "isolinux"))
    shutil.copy(guest.kernel, os.path.join(tree, "linux"))
    shutil.copy(guest.initrd, os.path.join(tree, "initrd.gz"))
    with open(os.path.join(tree, "isolinux/isolinux.cfg"), "w", encoding="ascii") as f:
        f.write(f"DEFAULT bench\nLABEL bench\n KERNEL /linux\n APPEND initrd=/initrd.gz {guest.append('')}\n")
    iso = os.path.join(folder, "cd.iso")
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", iso, "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot",
                    "-boot-load-size", "4", "-boot-info-table", tree], check=True, capture_output=True)
    return iso


class TerminalLines(Lines):
    """From a terminal, which does not end with the process."""

    def __init__(self, fd, process):
        super().__init__(fd)
        self.process = process

    def next(self, until):
        while not self.ready and not select.select([self.fd], [], [], 0.5)[0] and time.monotonic() < until:
            if self.process.poll() is not None:
                raise Failure("ended early")
        return super().next(until)


class Bochs(Machine):
    """Its clock counts instructions: what a row takes is told by the host's, all batches together."""

    name = "bochs"

    def __init__(self, guest):
        self.folder = tempfile.mkdtemp(prefix="gnomon-bochs-")
        self.terminal = pty.openpty()  # the other end stays open, too: Bochs opens and closes it
        tty.setraw(self.terminal[1])
        config = os.path.join(self.folder, "bochsrc")
        try:
            with open(config, "w", encoding="ascii") as f:
                f.write(CONFIG.format(display=display(), bios=BIOS, vga=VGA_BIOS, iso=make_cd(guest, self.folder), terminal=os.ttyname(self.terminal[1]),
                                      folder=self.folder))
            super().__init__(["bochs", "-q", "-f", config], PATIENCE)
        except (Failure, OSError, subprocess.CalledProcessError, installer.debian.Error) as failure:
            self._remove()
            raise Failure(f"bochs: {failure}") from failure

    def _boot(self):
        self.process.stdin.write(b"c\n")  # a build with a debugger waits for it
        self.process.stdin.flush()
        self.lines = TerminalLines(self.terminal[0], self.process)
        return super()._boot()

    def _send(self, text):
        os.write(self.terminal[0], text.encode() + b"\n")

    def row(self, name):
        result = super().row(name)
        if "operations" in result and "host_seconds" in result:
            mean = result["host_seconds"] * 1e9 / result["operations"]
            result.update(best=mean, median=mean, mean=mean)
        return result

    def version(self):
        """As it says in its log."""
        with open(os.path.join(self.folder, "log"), encoding="latin-1") as f:
            found = re.search(r"Bochs x86 Emulator [\w.]+", f.read(4096))
        return found[0] if found else "Bochs"

    def close(self):
        super().close()
        self._remove()

    def _remove(self):
        for fd in self.terminal:
            os.close(fd)
        self.terminal = ()
        shutil.rmtree(self.folder, ignore_errors=True)
