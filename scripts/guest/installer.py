#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Fetches Debian 12's netboot installer, for i386 or --arch amd64: OUT/linux and OUT/initrd.gz; with --iso also OUT/installer.iso. See README.md."""
import argparse
import os
import re
import shutil
import subprocess
import sys

import debian

INSTALLER = "debian-installer-12-netboot-i386"
WANTED = {
    INSTALLER: r"/i386/text/debian-installer/i386/(linux|initrd\.gz)$",
    "debian-installer-12-netboot-amd64": r"/amd64/text/debian-installer/amd64/(linux|initrd\.gz)$",
    "isolinux": r"/ISOLINUX/(isolinux\.bin)$",
    "syslinux-common": r"/modules/bios/(ldlinux\.c32)$",
}
TRIES = 3
MENU = """PROMPT 1
TIMEOUT 50
DEFAULT graphics
LABEL graphics
  KERNEL /linux
  APPEND initrd=/initrd.gz vga=788
LABEL text
  KERNEL /linux
  APPEND initrd=/initrd.gz nomodeset fb=false
LABEL serial
  KERNEL /linux
  APPEND initrd=/initrd.gz console=ttyS0,115200
"""


def fetch(repository, package, out):
    """Writes the wanted files of a package into the folder `out`; they are kept unpacked in the cache."""
    (path,) = repository.single(package)
    folder = os.path.join(repository.folder, "unpacked", os.path.basename(path))
    if not os.path.exists(folder):
        partial = folder + ".partial"
        os.makedirs(partial, exist_ok=True)
        for name, member, data in debian.contents(path):
            match = re.search(WANTED[package], name)
            if match and member.isreg():
                with open(os.path.join(partial, match[1]), "wb") as f:
                    f.write(data)
        os.rename(partial, folder)
    names = os.listdir(folder)
    if not names:
        raise debian.Error(f"{package} holds nothing like {WANTED[package]}")
    os.makedirs(out, exist_ok=True)
    for name in names:
        shutil.copy(os.path.join(folder, name), out)


def pack(tree, image):
    """A CD image of the folder. xorriso 1.5.4 has died of SIGSEGV (seen once): that is tried again."""
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", image, "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot",
               "-boot-load-size", "4", "-boot-info-table", tree]
    try:
        for _ in range(TRIES):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode == 0:
                return
            if "UNIX-SIGNAL" not in done.stderr:
                break
            if os.path.exists(image):
                os.remove(image)
    except FileNotFoundError as error:
        raise debian.Error("xorriso is not installed") from error
    raise debian.Error(f"xorriso: {done.stderr.strip()}")


def make(out, iso=False, cache=None, arch="i386"):
    """linux and initrd.gz, and with `iso` a CD image that boots them with isolinux (labels graphics, text and serial)."""
    repository = debian.Debian(arch, cache)
    with repository.locked():
        fetch(repository, f"debian-installer-12-netboot-{arch}", out)
        if not iso:
            return
        tree = os.path.join(out, "iso")
        fetch(repository, "isolinux", os.path.join(tree, "isolinux"))
        fetch(repository, "syslinux-common", os.path.join(tree, "isolinux"))
    for name in ("linux", "initrd.gz"):
        shutil.copy(os.path.join(out, name), tree)
    with open(os.path.join(tree, "isolinux", "isolinux.cfg"), "w", encoding="ascii") as f:
        f.write(MENU)
    pack(tree, os.path.join(out, "installer.iso"))
    shutil.rmtree(tree)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iso", action="store_true", help="pack a bootable CD image too (needs xorriso)")
    parser.add_argument("--arch", choices=("i386", "amd64"), default="i386", help="(default: %(default)s)")
    parser.add_argument("--cache", metavar="DIR", help="where packages are kept (default: $GNOMON_CACHE or ~/.cache/gnomon)")
    parser.add_argument("--out", required=True, metavar="DIR")
    args = parser.parse_args()
    try:
        make(args.out, args.iso, args.cache, args.arch)
    except (debian.Error, OSError) as error:
        print(f"installer.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
