# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of the bench: a Debian kernel, an initramfs with bench/guest's program and Debian's, and the same tree for the host."""
import gzip
import os
import stat
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../scripts/guest"))
import image  # noqa: E402
import installer  # noqa: E402

PACKAGES = ("gzip", "bzip2", "coreutils", "dash")  # what is booted in rows boot*
PROGRAMS = (*PACKAGES, "7zip", "sqlite3", "lua5.4", "openssl")  # what rows run
MODULES = ("virtio_pci", "virtio_blk", "ata_piix", "ata_generic", "sd_mod")  # of disk rows
DISKS = {"virtio": 64 << 20, "ide": 64 << 20}


def members(archive):
    """(name, mode, data) of each member of a newc archive, or of several behind each other."""
    at = 0
    while at < len(archive):
        if archive[at] == 0:
            at += 1
            continue
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110:at + 110 + name_size - 1].decode()
        at += (110 + name_size + 3) & ~3
        if name != "TRAILER!!!":
            yield name, mode, archive[at:at + size]
        at += (size + 3) & ~3


def unpack(archive, folder):
    for name, mode, data in members(archive):
        path = os.path.join(folder, name)
        if stat.S_ISDIR(mode):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, stat.S_IMODE(mode))
        elif stat.S_ISLNK(mode):
            if not os.path.lexists(path):
                os.symlink(data.decode(), path)
        elif stat.S_ISREG(mode):
            with open(path, "wb") as f:
                f.write(data)
            os.chmod(path, stat.S_IMODE(mode))


def runs(command):
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def runs_i386(programs):
    return runs([os.path.join(programs, "bench"), "exit"])


class Installer:
    """Debian's installer, as a VM's guest: its dialogs on the serial line."""

    long_mode = False

    def __init__(self, folder, gnomon):
        out = os.path.join(folder, "installer")
        installer.make(out)
        self.gnomon = gnomon
        self.kernel, self.initrd = os.path.join(out, "linux"), os.path.join(out, "initrd.gz")
        self.release = installer.INSTALLER

    def disks(self, machine):
        return {}

    def append(self, more):
        return f"console=ttyS0,115200 {more}".strip()


class Guest:
    """kernel and initrd for VMs; whole: with all programs and drivers, scratch disks, and `root` for the host, in memory as the guest's is."""

    def __init__(self, flavour, programs, folder, gnomon, whole=False, compat=False):
        """compat: i386 programs under an amd64 kernel."""
        self.gnomon = gnomon
        self.flavour = flavour
        self.long_mode = image.KERNELS[flavour] == "amd64"
        self.host_program = os.path.join(programs, "bench64")
        amd64 = self.long_mode and not compat
        program = self.host_program if amd64 else os.path.join(programs, "bench")
        self.runs_on_host = amd64 or runs_i386(programs)
        out = os.path.join(folder, flavour + (".whole" if whole else ""))
        image.make(flavour, PROGRAMS if whole else PACKAGES, additions=[(program, "bench")], modules=MODULES if whole else (), out=out,
                   programs="amd64" if amd64 else "i386")
        self.kernel = os.path.join(out, "vmlinuz")
        self.initrd = os.path.join(out, "initrd.gz")
        self.root = os.path.join(folder, "root")
        self.folder = folder
        self.whole = whole
        with open(os.path.join(out, "initrd"), "rb") as f:
            archive = f.read()
        # As Debian's own are: compressed.
        with open(self.initrd, "wb") as f:
            f.write(gzip.compress(archive, 6, mtime=0))
        if whole:
            os.makedirs(self.root)
            unpack(archive, self.root)
        with open(os.path.join(out, "manifest"), encoding="utf-8") as f:
            self.release = f.readline().split()[1]

    def disks(self, machine):
        """{interface: path} of a machine's scratch disks, made when asked for first."""
        paths = {kind: os.path.join(self.folder, f"{machine}.{kind}") for kind in DISKS if self.whole}
        for kind, path in paths.items():
            if not os.path.exists(path):
                with open(path, "wb") as f:
                    f.write(os.urandom(1 << 20) * (DISKS[kind] >> 20))
        return paths

    def append(self, more):
        return f"console=ttyS0 rdinit=/bench {more}".strip()


def rows(programs):
    """[(name, group, what an operation is)] as rows.def has them; none before the programs are built."""
    if not os.path.exists(os.path.join(programs, "bench64")):
        return []
    out = subprocess.run([os.path.join(programs, "bench64"), "list"], check=True, capture_output=True, text=True).stdout
    return [tuple(line.split("\t")) for line in out.splitlines()]


def work_folder():
    """In memory where possible: the host's files then cost what the guest's do."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="gnomon-bench-", dir=base)
