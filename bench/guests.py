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

PACKAGES = ("gzip", "bzip2", "coreutils", "dash")


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


class Guest:
    """kernel and initrd for VMs; root for the host, in memory as the guest's is; which programs there are."""

    def __init__(self, flavour, programs, folder, gnomon):
        self.gnomon = gnomon
        self.flavour = flavour
        self.host_program = os.path.join(programs, "bench64")
        program = os.path.join(programs, "bench")
        self.runs_i386 = runs([program, "exit"])
        out = os.path.join(folder, flavour)
        image.make(flavour, PACKAGES, additions=[(program, "bench")], modules=(), out=out)
        self.kernel = os.path.join(out, "vmlinuz")
        self.initrd = os.path.join(out, "initrd.gz")
        self.root = os.path.join(folder, "root")
        with open(os.path.join(out, "initrd"), "rb") as f:
            archive = f.read()
        # As Debian's own are: compressed.
        with open(self.initrd, "wb") as f:
            f.write(gzip.compress(archive, 6, mtime=0))
        if not os.path.exists(self.root):
            os.makedirs(self.root)
            unpack(archive, self.root)
        with open(os.path.join(out, "manifest"), encoding="utf-8") as f:
            self.release = f.readline().split()[1]

    def append(self, more):
        return f"console=ttyS0 rdinit=/bench {more}".strip()


def rows(programs):
    """[(name, group, what an operation is)] as rows.def has them."""
    out = subprocess.run([os.path.join(programs, "bench64"), "list"], check=True, capture_output=True, text=True).stdout
    return [tuple(line.split("\t")) for line in out.splitlines()]


def work_folder():
    """In memory where possible: the host's files then cost what the guest's do."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="gnomon-bench-", dir=base)
