#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever is wrong with the command line or a file: one clear line, the right exit status, no VM."""
import os
import pathlib
import resource
import socket
import subprocess
import unittest

from gnomon_cli import GNOMON, Case, Vm, run

FAILED, USAGE = 1, 2
SECTOR = 2048
RESCUE_ISO = pathlib.Path("/usr/lib/grub-rescue/grub-rescue-cdrom.iso")


def tiny_iso(sectors):
    """An ISO 9660 image as far as anybody looks before booting it: the volume descriptors, and their size."""
    image = bytearray(SECTOR * max(sectors, 18))
    image[16 * SECTOR:16 * SECTOR + 7] = b"\x01CD001\x01"
    image[16 * SECTOR + 80:16 * SECTOR + 88] = sectors.to_bytes(4, "little") + sectors.to_bytes(4, "big")
    image[16 * SECTOR + 128:16 * SECTOR + 132] = SECTOR.to_bytes(2, "little") + SECTOR.to_bytes(2, "big")
    image[17 * SECTOR:17 * SECTOR + 7] = b"\xffCD001\x01"
    return bytes(image)


class Images(Case):
    def bad_cdrom(self, path, *about):
        self.complains("run", "--display", "none", "--timeout", "20", "--cdrom", path, status=FAILED,
                       about=[path, *about])

    def test_missing(self):
        self.bad_cdrom(self.path("none.iso"), "No such file")

    def test_empty(self):
        self.bad_cdrom(self.path("empty.iso", b""), "empty")

    def test_directory(self):
        self.bad_cdrom(self.dir, "directory")

    def test_truncated(self):
        self.bad_cdrom(self.path("cut.iso", tiny_iso(400)[:100 * SECTOR]), "truncated")

    def test_truncated_within_a_sector(self):
        self.bad_cdrom(self.path("cut.iso", tiny_iso(40)[:30 * SECTOR + 17]), "truncated")

    def test_shorter_than_any_iso(self):
        self.bad_cdrom(self.path("cut.iso", b"x" * 100), "truncated")

    @unittest.skipUnless(RESCUE_ISO.exists(), "grub-rescue-pc is not installed")
    def test_truncated_download(self):
        whole = RESCUE_ISO.read_bytes()
        self.bad_cdrom(self.path("half.iso", whole[:len(whole) // 2 // SECTOR * SECTOR]), "truncated")

    def test_fifo(self):
        os.mkfifo(self.path("fifo.iso"))
        self.bad_cdrom(self.path("fifo.iso"))

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_unreadable(self):
        self.path("secret.iso", tiny_iso(40)).chmod(0)
        self.bad_cdrom(self.path("secret.iso"), "Permission denied")

    def test_floppy(self):
        for path, about in ((self.path("none.img"), "No such file"), (self.path("empty.img", b""), "empty"),
                            (self.path("big.img", bytes(4 << 20)), "too large"), (self.dir, "directory")):
            self.complains("run", "--display", "none", "--floppy", path, status=FAILED, about=[path, about])

    def test_disk(self):
        for path, about in ((self.path("none.img"), "No such file"), (self.path("empty.img", b""), "empty"),
                            (self.path("odd.img", bytes(1000)), "truncated"), (self.dir, "directory")):
            for suffix in ("", ",snapshot"):
                self.complains("run", "--display", "none", "--disk", f"{path}{suffix}", status=FAILED,
                               about=["--disk", path, about])

    def test_disk_in_use(self):
        path = self.path("disk.img", bytes(1 << 20))
        for media in (["--disk", path, "--disk", path], ["--disk", path, "--disk", f"{path},snapshot"],
                      ["--disk", f"{path},snapshot", "--floppy", path]):
            self.complains("run", "--display", "none", *media, status=FAILED, about=[path, "in use"])
        with Vm(self, "--disk", path):
            for suffix in ("", ",snapshot"):
                self.complains("run", "--display", "none", "--disk", f"{path}{suffix}", status=FAILED,
                               about=[path, "in use"])
        with Vm(self, "--disk", f"{path},snapshot"):
            self.assertEqual(run("run", "--display", "none", "--timeout", "0.3", "--disk", f"{path},snapshot").stderr, "")


class Bios(Case):
    def bad_bios(self, path):
        self.complains("run", "--display", "none", "--timeout", "20", "--bios", path, status=FAILED, about=str(path))

    def test_missing(self):
        self.bad_bios(self.path("none.bin"))

    def test_empty(self):
        self.bad_bios(self.path("empty.bin", b""))

    def test_directory(self):
        self.bad_bios(self.dir)

    def test_odd_size(self):
        self.bad_bios(self.path("odd.bin", bytes(70001)))

    def test_huge(self):
        with open(self.path("huge.bin"), "wb") as file:
            file.truncate(1 << 30)
        self.bad_bios(self.path("huge.bin"))

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_unreadable(self):
        self.path("secret.bin", bytes(65536)).chmod(0)
        self.bad_bios(self.path("secret.bin"))


class Kernel(Case):
    def bad(self, kernel, *about, options=(), name="kernel"):
        self.complains("run", "--display", "none", "--timeout", "20", "--kernel", self.path(name, kernel), *options,
                       status=FAILED, about=list(about))

    @staticmethod
    def bzimage(**more):
        image = bytearray(9 * 512)
        fields = {0x1f1: (2, 1), 0x1f4: (6 * 32, 4), 0x1fe: (0xaa55, 2), 0x202: (0x53726448, 4), 0x206: (0x20f, 2),
                  0x211: (1, 1), 0x22c: (0x7fffffff, 4), 0x238: (2047, 4)}
        fields.update({int(at[1:], 16): value for at, value in more.items()})
        for at, (value, size) in fields.items():
            image[at:at + size] = value.to_bytes(size, "little")
        return bytes(image)

    @staticmethod
    def multiboot(flags=0x10003, length=4096, checksum=0, **fields):
        names = ("header_addr", "load_addr", "load_end_addr", "bss_end_addr", "entry_addr")
        values = dict(zip(names, (0x200000, 0x200000, 0, 0, 0x200020)), **fields)
        words = [0x1badb002, flags, (checksum - 0x1badb002 - flags) & 0xffffffff, *values.values()]
        return b"".join(w.to_bytes(4, "little") for w in words).ljust(length, b"\xf4")

    def test_missing(self):
        self.bad(None, "No such file")

    def test_directory(self):
        self.complains("run", "--display", "none", "--kernel", self.dir, status=FAILED, about=[self.dir, "directory"])

    def test_garbage(self):
        self.bad(b"", "empty")
        self.bad(b"x", "neither")
        self.bad(os.urandom(100000).replace(b"\x02\xb0", b"??"), "neither")
        self.bad(b"\x7fELF", "ELF header")
        self.bad(b"\x7fELF" + bytes(range(256)) * 100, "ELF")
        self.bad(b"\x7fELF\1\1\1" + bytes(100), "ELF")

    def test_truncated_multiboot(self):
        whole = self.multiboot()
        for length in range(4, 32):
            self.bad(whole[:length], "Multiboot header", "truncated")
        self.bad(self.multiboot(checksum=1), "checksum")
        self.bad(self.multiboot(flags=3), "no addresses")
        self.bad(self.multiboot(load_end_addr=0x300000), "truncated")

    def test_truncated_linux(self):
        self.bad(self.bzimage()[:1000], "truncated")
        self.bad(self.bzimage(x1f4=(6 * 32 + 2, 4)), "truncated")

    def test_memory(self):
        self.bad(self.multiboot(bss_end_addr=0xf0000000), "does not fit")
        self.bad(self.multiboot(), "does not fit", options=("--memory", "2M"))
        self.bad(self.bzimage(x260=(0x7fffffff, 4)), "does not fit")
        with open(self.path("huge"), "wb") as file:
            file.truncate(1 << 40)
        self.bad(None, "too large", name="huge")

    def test_initrd(self):
        for image in self.bzimage(), self.multiboot():
            missing = self.path("missing")
            self.bad(image, f"'{missing}'", "No such file", options=("--initrd", missing))
            self.bad(image, "directory", options=("--initrd", self.dir))
            self.bad(image, "empty", options=("--initrd", self.path("empty", b"")))
            for size in 64 << 20, 63 << 20, 1 << 40:
                with open(self.path("large"), "wb") as file:
                    file.truncate(size)
                self.bad(image, self.path("large"), "too large",
                         options=("--initrd", self.path("large"), "--memory", "64M"))
        small = self.path("small", b"x")
        self.bad(self.multiboot(), "more than 16", options=("--initrd", ",".join([str(small)] * 17)))
        self.bad(self.multiboot(), "initrd ''", options=("--initrd", f"{small},"))

    def test_command_line(self):
        self.bad(self.bzimage(), "--append", "2048", options=("--append", "x" * 2048))
        self.bad(self.multiboot(), "--append", options=("--append", "x" * 70000))

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_unreadable(self):
        self.path("kernel", self.bzimage()).chmod(0)
        self.bad(None, "Permission denied")


class Options(Case):
    def bad(self, *args, about):
        self.complains("run", *args, status=USAGE, about=about)

    def test_memory(self):
        for size in ("0", "1T", "1024G", "512K", "1G2", "-1", "lots", ""):
            self.bad("--memory", size, about="--memory")

    def test_unknown(self):
        self.bad("--nonsense", about="unknown option '--nonsense'")
        self.bad("-x", about="unknown option '-x'")

    def test_argument_instead_of_option(self):
        self.bad("image.iso", about="--cdrom image.iso")

    def test_missing_value(self):
        self.bad("--cdrom", about="--cdrom needs a value")

    def test_twice(self):
        self.bad("--memory", "1G", "--memory", "2G", about="twice")

    def test_kernel(self):
        self.bad("--initrd", "x", about="--initrd without --kernel")
        self.bad("--append", "x", about="--append without --kernel")

    def test_values(self):
        for option, value in (("--timeout", "0"), ("--timeout", "soon"), ("--boot", "xyz"), ("--boot", "dd"),
                              ("--engine", "kvm"), ("--display", "sdl"), ("--serial", "tcp:1"),
                              ("--debugcon", "99999:file:x"), ("--control", "tcp:1"), ("--trace", "nonsense"),
                              ("--opt", "nonsense"), ("--opt", "-nonsense"), ("--opt", "link")):
            self.bad(option, value, about=option)

    def test_commands(self):
        self.complains("nonsense", status=USAGE, about="nonsense")
        self.complains("x.iso", status=USAGE, about="gnomon run --cdrom x.iso")
        self.complains("--cdrom", "x.iso", status=USAGE, about="gnomon run --cdrom")
        self.complains("help", "nonsense", status=USAGE, about="nonsense")
        self.complains("ctl", status=USAGE, about="ctl")
        self.complains("ctl", self.path("no-socket"), "fly", status=USAGE, about="fly")
        self.complains("ctl", self.path("no-socket"), "stop", status=FAILED, about=self.path("no-socket"))

    def test_help_and_version(self):
        for args in ([], ["--help"], ["help"], ["run", "--help"], ["ctl", "--help"], ["run", "--opt", "help"], ["test", "--opt", "help"]):
            result = run(*args)
            self.assertEqual((result.returncode, result.stderr), (0, ""), args)
            self.assertGreater(len(result.stdout.splitlines()), 5)
            with open("/dev/full", "w") as full:
                lost = subprocess.run([GNOMON, *args], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=30)
            self.assertEqual((lost.returncode, lost.stderr.count("\n")), (FAILED, 1), args)
        for command in "run", "test", "report", "top", "ctl", "doctor":
            self.assertEqual(run("help", command).stdout, run(command, "--help").stdout, command)
        for args in (["--version"], ["run", "--version"]):
            self.assertRegex(run(*args).stdout, r"^gnomon \d+\.\d+\.\d+\n$")


class Outputs(Case):
    def bad_output(self, option, *args):
        """It says which option, and which file."""
        self.complains("run", "--display", "none", "--timeout", "20", option, *args, status=FAILED,
                       about=[option if option != "--trace" else "--trace-file", self.dir])

    def test_serial(self):
        for option in "--serial", "--console":
            self.bad_output(option, f"file:{self.dir}/no/file")
            self.bad_output(option, f"file:{self.dir}")
            self.bad_output(option, f"unix:{self.dir}/no/socket")

    def test_debugcon(self):
        self.bad_output("--debugcon", f"0x402:file:{self.dir}/no/file")

    def test_gdb(self):
        self.bad_output("--gdb", f"unix:{self.dir}/no/socket")

    def test_trace_file(self):
        self.bad_output("--trace", "bt", "--trace-file", f"{self.dir}/no/file")

    def test_stats(self):
        self.bad_output("--stats", f"{self.dir}/no/file")
        self.bad_output("--stats", self.dir)

    def test_fifo(self):
        """Nobody reads it, and nobody waits for that."""
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        for args in (["--stats", fifo], ["--trace", "bt", "--trace-file", fifo], ["--serial", f"file:{fifo}"]):
            self.complains("run", "--display", "none", "--timeout", "20", *args, status=FAILED, about=[fifo, "nobody reads"])

    def test_full_disk(self):
        """The guest goes on; what is lost is said once."""
        for args in ["--trace", "bt", "--trace-file", "/dev/full"], ["--stats", "/dev/full"]:
            self.complains("run", "--display", "none", "--timeout", "0.5", *args, status=FAILED, about="/dev/full")

    def test_small_files(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        result = run("run", "--display", "none", preexec_fn=limit)
        self.assertEqual((result.returncode, result.stderr),
                         (FAILED, "gnomon: cannot get 256 MiB of memory for the guest: File too large\n"))

    def test_control(self):
        self.bad_output("--control", f"unix:{self.dir}/no/socket")

    def test_control_path_is_a_file(self):
        path = self.path("file", b"precious")
        self.bad_output("--control", f"unix:{path}")
        self.assertEqual(path.read_bytes(), b"precious")

    def test_busy_socket(self):
        path = self.path("busy")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            other.listen()
            for option in ("--control", "--serial"):
                self.complains("run", "--display", "none", "--timeout", "20", option, f"unix:{path}", status=FAILED,
                               about=[path, "in use"])
            self.assertTrue(path.exists())


if __name__ == "__main__":
    unittest.main()
