#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a small Linux guest from Debian packages: OUT/vmlinuz, OUT/initrd and OUT/manifest. See README.md."""
import argparse
import contextlib
import gzip
import os
import shlex
import sys
import time

import debian
from tree import Tree

KERNELS = {"686": "i386", "686-pae": "i386", "amd64": "amd64", "cloud-amd64": "amd64"}  # and their architecture
MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "virtio-rng", "ata_piix", "ata_generic", "sd_mod", "sr_mod", "crc32c_generic", "ext4",
           "isofs", "loop")
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian", "usr/share/bug", "usr/lib/debug")
HERE = os.path.dirname(os.path.abspath(__file__))


def keep(name):
    return not name.startswith(UNUSED)


def needed(module_files, built_in, names):
    """Names of modules, each behind those that it needs. What it needs stands in the file itself, as depends=a,b. What is part of the kernel
    is not loaded."""
    order = []

    def visit(name):
        name = name.replace("-", "_")
        if name in order or name in built_in:
            return
        if name not in module_files:
            raise debian.Error(f"the kernel package has no module {name}")
        data = module_files[name]
        start = data.find(b"\0depends=") + len(b"\0depends=")
        for other in filter(None, data[start:data.index(b"\0", start)].decode().split(",")):
            visit(other)
        order.append(name)

    for name in names:
        visit(name)
    return order


def read_kernel(repository, flavour):
    """(vmlinuz, {module name: bytes}, {names of built-in modules}, release, package file) of the newest kernel of a flavour."""
    real = repository.dependency(f"linux-image-{flavour}", rf"linux-image-[0-9][^ ]*-{flavour}\b")
    (package,) = repository.single(real)
    vmlinuz, modules, built_in = None, {}, set()
    for name, _, data in debian.contents(package):
        if name.startswith("boot/vmlinuz-"):
            vmlinuz = data
        elif name.endswith(".ko"):
            modules[os.path.basename(name)[:-3].replace("-", "_")] = data
        elif name.endswith("/modules.builtin"):
            built_in = {os.path.basename(line)[:-3].replace("-", "_") for line in data.decode().split()}
    return vmlinuz, modules, built_in, real.removeprefix("linux-image-"), package


def closure(packages):
    """Busybox's shell prefers its own gzip, sort, ... to all programs of these names: with packages, another shell is needed."""
    return [*packages, "dash"] if packages else []


def base(repository, flavour, programs, packages, module_names):
    """(vmlinuz, Tree, manifest) without any script; the kernel is from `repository`, packages are from `programs`."""
    vmlinuz, modules, built_in, release, kernel_package = read_kernel(repository, flavour)
    tree = Tree()
    fetched = programs.single("busybox-static") + programs.packages(closure(packages))
    for package in fetched:
        tree.add_package(debian.contents(package), keep)
    order = needed(modules, built_in, module_names)
    for name in order:
        tree.file(f"modules/{name}.ko", modules[name])
    tree.file("modules/order", "".join(f"{name}\n" for name in order).encode())
    with open(os.path.join(HERE, "init"), "rb") as f:
        tree.file("init", f.read(), 0o755)
    for name in ("dev", "proc", "sys", "mnt", "root", "run", "usr/busybox"):
        tree.folder(name)
    tree.folder("tmp", 0o1777)
    tree.link("bin/sh", "dash" if packages else "busybox")
    tree.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    tree.file("etc/group", b"root:x:0:\n")
    manifest = [f"kernel {release}"] + sorted(os.path.basename(path) for path in [kernel_package, *fetched])
    return vmlinuz, tree, manifest


def base_files(repository, flavour, programs, packages, module_names):
    """(vmlinuz, initramfs, manifest) as bytes, kept in the cache as long as all that they are made from stays the same."""
    sources = []
    for name in ("init", "image.py", "tree.py"):
        sources.append(debian.file_digest(os.path.join(HERE, name)))
    real = repository.dependency(f"linux-image-{flavour}", rf"linux-image-[0-9][^ ]*-{flavour}\b")
    fetched = repository.single(real) + programs.single("busybox-static") + programs.packages(closure(packages))
    key = debian.digest(flavour, " ".join(module_names), *sources, *(os.path.basename(path) for path in fetched))[:24]
    folder = os.path.join(repository.folder, "images", key)
    names = ("vmlinuz", "initrd", "manifest")
    if not os.path.exists(folder):
        vmlinuz, tree, manifest = base(repository, flavour, programs, packages, module_names)
        partial = folder + ".partial"
        os.makedirs(partial, exist_ok=True)
        for name, data in zip(names, (vmlinuz, tree.cpio(), "\n".join(manifest).encode() + b"\n")):
            with open(os.path.join(partial, name), "wb") as f:
                f.write(data)
        os.rename(partial, folder)
    os.utime(folder)
    _forget_old(os.path.dirname(folder), folder)
    result = []
    for name in names:
        with open(os.path.join(folder, name), "rb") as f:
            result.append(f.read())
    return result


def _forget_old(folder, current, days=30):
    """Images that nobody asked for during a month make room."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if path != current and time.time() - os.stat(path).st_mtime > days * 86400:
            for file in os.listdir(path):
                os.unlink(os.path.join(path, file))
            os.rmdir(path)


def user_part(script, additions):
    """The second archive, unpacked over the first: the user's script and files."""
    tree = Tree(merged_usr=False)
    if script is not None:
        tree.file("script", script, 0o755)
    for source, target in additions:
        mode = 0o755 if os.access(source, os.X_OK) else 0o644
        with open(source, "rb") as f:
            tree.file(target, f.read(), mode)
    return tree.cpio() if tree.entries else b""


def make(kernel, packages=(), script=None, additions=(), modules=MODULES, compress=False, out=None, cache=None, update=False, programs=None):
    """Writes vmlinuz, initrd and manifest into the folder `out`. `script`: bytes of a shell script, or None. `programs`: the architecture of
    packages, if it is not the kernel's."""
    repository = debian.Debian(KERNELS[kernel], cache)
    others = repository if programs in (None, KERNELS[kernel]) else debian.Debian(programs, cache)
    with contextlib.ExitStack() as locks:
        for one in {id(r): r for r in (repository, others)}.values():
            locks.enter_context(one.locked())
            if update:
                one.update()
        vmlinuz, initrd, manifest = base_files(repository, kernel, others, list(packages), list(modules))
    initrd += user_part(script, additions)
    if compress:
        initrd = gzip.compress(initrd, 6, mtime=0)
    os.makedirs(out, exist_ok=True)
    for name, data in (("vmlinuz", vmlinuz), ("initrd", initrd), ("manifest", manifest)):
        with open(os.path.join(out, name), "wb") as f:
            f.write(data)


def addition(text):
    source, _, target = text.partition(":")
    return source, target or os.path.basename(source)


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog="$GNOMON_CACHE and $GNOMON_DEBIAN_MIRROR: see README.md.")
    parser.add_argument("--kernel", choices=KERNELS, default="686-pae", help="which of Debian's kernels (default: %(default)s)")
    parser.add_argument("--programs", choices=sorted(set(KERNELS.values())), help="architecture of packages and busybox (default: the kernel's)")
    parser.add_argument("--packages", default="", metavar="'A B ...'", help="packages to unpack, with all that they depend on")
    parser.add_argument("--modules", default=" ".join(MODULES), metavar="'M ...'", help="modules that the guest loads (default: %(default)s)")
    parser.add_argument("--script", metavar="FILE", help="run by the guest, which powers off afterwards; without it there is a shell")
    parser.add_argument("--add", action="append", default=[], type=addition, metavar="FILE[:PATH]", help="a file for the guest")
    parser.add_argument("--compress", action="store_true", help="gzip the initrd")
    parser.add_argument("--cache", metavar="DIR", help="where packages are kept (default: $GNOMON_CACHE or ~/.cache/gnomon)")
    parser.add_argument("--update", action="store_true", help="fetch the package lists anew: newer versions may result")
    parser.add_argument("--out", required=True, metavar="DIR")
    args = parser.parse_args()
    try:
        script = None
        if args.script:
            with open(args.script, "rb") as f:
                script = f.read()
        make(args.kernel, shlex.split(args.packages), script, args.add, shlex.split(args.modules), args.compress, args.out, args.cache,
             args.update, args.programs)
    except (debian.Error, OSError) as error:
        print(f"image.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
