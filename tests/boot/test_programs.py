# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs give the same results in a guest as on the host, byte for byte: test_programs.py GNOMON KERNEL [options of gnomon run].

The host runs the same programs from the guest's own file tree, in a chroot.
"""
import os
import stat
import sys
import tempfile
import time

from guest import SKIP, Linux, guest_image, no_trouble, run, skip

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ("bzip2", "coreutils", "diffutils", "gzip", "libc6-dev", "mawk", "sed", "tcc")
BEGIN, END = "== results begin\n", "== results end\n"


def unpack(initrd, folder):
    """Unpacks our own cpio archives, which follow each other padded with zeros."""
    with open(initrd, "rb") as f:
        data = f.read()
    at = 0
    while at < len(data):
        if data[at] == 0:
            at += 1
            continue
        assert data[at:at + 6] == b"070701", f"no cpio header at {at}"
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110:at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) & ~3
        body = data[start:start + size]
        at = (start + size + 3) & ~3
        path = os.path.join(folder, name)
        if stat.S_ISDIR(mode):
            os.makedirs(path, exist_ok=True)
        elif stat.S_ISLNK(mode):
            os.symlink(body, path)
        elif stat.S_ISREG(mode):
            with open(path, "wb") as f:
                f.write(body)
            os.chmod(path, mode & 0o777)


def results(text):
    assert BEGIN in text and END in text, "no results:\n" + text[-3000:]
    return text.split(BEGIN)[1].split(END)[0]


def on_host(initrd, folder):
    unpack(initrd, folder)
    enter = [] if os.geteuid() == 0 else ["unshare", "-r"]
    try:
        run(*enter, "chroot", folder, "/bin/sh", "-c", ":")
    except (AssertionError, FileNotFoundError) as error:
        if "Exec format error" in str(error):  # no matter of packages: a host without i386 code
            print("skipped: this host runs no programs of that architecture")
            sys.exit(SKIP)
        skip(f"this host cannot run the guest's programs in a chroot: {error}")
    return results(run(*enter, "chroot", folder, "/script", env={"PATH": "/usr/sbin:/usr/bin"}))


def main():
    gnomon, kernel, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="gnomon-programs-") as folder:
        with open(os.path.join(HERE, "programs", "script.sh"), encoding="ascii") as f:
            script = f.read()
        boot = guest_image(folder, kernel, PACKAGES, script, [(os.path.join(HERE, "programs", "churn.c"), "programs/churn.c")])
        root = os.path.join(folder, "root")
        os.mkdir(root)
        began = time.monotonic()
        expected = on_host(os.path.join(folder, "initrd"), root)
        print(f"host: {time.monotonic() - began:.1f} s\n{expected}")
        with Linux(gnomon, boot, "console=ttyS0 quiet", ["--memory", "512M", *options], timeout=600) as vm:
            vm.serial.wait(r"^== results begin$", 100)
            began = time.monotonic()
            vm.serial.wait(r"^guest: ended with 0", 400)
            print(f"guest: {time.monotonic() - began:.1f} s")
            vm.ends(0)
            text = vm.serial.drain()
        no_trouble(text)
        got = results(text)
        different = [(a, b) for a, b in zip(expected.splitlines(), got.splitlines()) if a != b]
        assert got == expected, f"host, guest: {different}\n{got}"


if __name__ == "__main__":
    main()
