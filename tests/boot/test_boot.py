# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots real media to their own screens: test_boot.py GNOMON CASE [options of gnomon run]."""
import json
import os
import sys
import tempfile

from machine import Machine, media, own

GRUB_CD = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"
GRUB_FLOPPY = "/usr/lib/grub-rescue/grub-rescue-floppy.img"
IPXE = "/usr/lib/ipxe/ipxe.iso"
MENU = r"highlighted entry will be executed"  # the count-down, drawn after everything else
PROMPT = r"^grub> *$"
LAST_PROMPT = r"^grub> *\s*\Z"


def selected(vm):
    """Number of the menu line that has the asterisk."""
    lines = [line for line in vm.screen().splitlines() if "│" in line]
    return [i for i, line in enumerate(lines) if "│*" in line]


def to_prompt(vm):
    vm.wait(MENU)
    vm.key("c")
    vm.wait(PROMPT)


def command(vm, text, expect, timeout=30):
    vm.type(text + "\\n")
    match, _ = vm.wait(expect, timeout)
    vm.wait(LAST_PROMPT, timeout)  # the BIOS's keyboard buffer holds 15 keys: type no more before they are wanted
    return match


def menu(gnomon, options):
    """The GRUB menu of the rescue CD, and what has run on the way to it."""
    with Machine(gnomon, "--cdrom", media(GRUB_CD), "--count", *options, timeout=200) as vm:
        _, seconds = vm.wait(MENU, 180)
        print(f"menu after {seconds:.2f} s")
        assert "GNU/Linux" in vm.screen()
        vm.quit()
        with open(vm.stats_file) as f:
            stats = json.load(f)
        stepped, all_insns = stats["stepped"], stats["insns_executed"]
        print(f"{all_insns} instructions, {stepped} of them single-stepped")
        assert stats["interrupts"] > 0


def keys(gnomon, options):
    """Keys move the selection and reach the command line; its commands work."""
    with Machine(gnomon, "--cdrom", media(GRUB_CD), *options) as vm:
        vm.wait(MENU)
        assert selected(vm) == [0], selected(vm)
        vm.key("down", "down")
        vm.wait(r"│\*FreeBSD")
        vm.key("up")
        vm.wait(r"│\* ?GNU \(aka")
        vm.key("c")
        vm.wait(PROMPT)
        command(vm, "ls", r"^\(cd\)")
        command(vm, "clear; lspci", r"^00:02\.0 1234:1111 \[0300\] VGA")
        assert "00:01.1 8086:7010 [0101] IDE" in vm.screen()
        command(vm, "clear; if cpuid -p; then echo has_pae; else echo no_pae; fi", r"^(has|no)_pae")
        command(vm, "clear; help", r"^write_byte |^xnu|^zfs|^videotest")
        command(vm, "clear; help lspci", r"^Usage: lspci")
        command(vm, "clear; for i in 1 2 3 4 5; do echo round$i of five; done", r"^round5 of five")
        command(vm, "clear; ls -l (cd)/boot/grub", r"i386-pc")
        vm.quit()


def floppy(gnomon, options):
    """The rescue floppy boots from the floppy controller."""
    with tempfile.TemporaryDirectory(prefix="gnomon-boot-") as folder, \
            Machine(gnomon, "--floppy", own(media(GRUB_FLOPPY), folder), "--boot", "a", *options) as vm:
        _, seconds = vm.wait(MENU, 100)
        print(f"menu after {seconds:.2f} s")
        vm.key("c")
        vm.wait(PROMPT)
        command(vm, "ls", r"\(fd0\)")
        vm.quit()


def disk(gnomon, options):
    """The same image as a disk whose changes are forgotten."""
    with Machine(gnomon, "--disk", media(GRUB_FLOPPY) + ",snapshot", "--boot", "c", *options) as vm:
        vm.wait(MENU, 100)
        vm.key("c")
        vm.wait(PROMPT)
        command(vm, "ls", r"\(hd0\)")
        vm.quit()


def virtio(gnomon, options):
    """A virtio disk boots; further disks of both kinds follow in the order of the options, and read right."""
    with tempfile.TemporaryDirectory(prefix="gnomon-boot-") as folder:
        disks = ["--disk", media(GRUB_CD) + ",snapshot,if=virtio"]
        for n, kind in ((1, "ide"), (2, "virtio")):
            path = os.path.join(folder, f"disk{n}")
            with open(path, "wb") as f:
                f.write(bytes(512 * 2000) + f"this is disk {n}, {kind}".encode().ljust(512) + bytes(512 * 50000))
            disks += ["--disk", f"{path},if={kind}"]
        with Machine(gnomon, *disks, "--boot", "c", "--rng", "off", *options) as vm:
            to_prompt(vm)
            command(vm, "ls", r"^\(hd0\).*\(hd1\) \(hd2\)")
            command(vm, "clear; cat (hd1)2000+1", r"^this is disk 1, ide")
            command(vm, "clear; cat (hd2)2000+1", r"^this is disk 2, virtio")
            command(vm, "clear; lspci", r"^00:06\.0 1af4:1001")
            assert "00:04.0 1af4:1001 [0100] SCSI" in vm.screen()
            assert "1af4:1005" not in vm.screen()
            command(vm, "clear; lsacpi", r"^HPET +56B")
            vm.quit()


def ipxe(gnomon, options):
    """iPXE comes up, finds no network device and gives up."""
    with Machine(gnomon, "--cdrom", media(IPXE), *options) as vm:
        vm.wait(r"iPXE \d|iPXE initialising", 60)
        vm.wait(r"No bootable device|No more network devices", 60)
        vm.quit()


def no_media(gnomon, options):
    """Nothing to boot from: the BIOS says so."""
    with Machine(gnomon, *options) as vm:
        vm.wait(r"No bootable device", 60)
        vm.quit()


def resets(gnomon, options):
    """The reset button, GRUB's reboot and halt: each brings the machine where it should."""
    with Machine(gnomon, "--cdrom", media(GRUB_CD), *options) as vm:
        to_prompt(vm)
        assert vm.ctl("reset").returncode == 0
        to_prompt(vm)
        vm.type("reboot\\n")
        vm.wait(MENU)
        vm.key("c")
        vm.wait(PROMPT)
        vm.type("halt\\n")
        vm.ends(0)


def pauses(gnomon, options):
    """A stopped machine does nothing, and goes on where it was."""
    with Machine(gnomon, "--cdrom", media(GRUB_CD), *options) as vm:
        to_prompt(vm)
        assert vm.ctl("stop").returncode == 0
        vm.type("echo later\\n")
        before = vm.screen()
        assert "later" not in before, before
        assert vm.ctl("cont").returncode == 0
        vm.wait(r"^later")
        vm.quit()


def memory(gnomon, options):
    """Little and much memory: the map that the BIOS gives is right."""
    for size, expect in (("8M", r"0x100000, length = 0x6[ef][0-9a-f]{4}, available"), ("6G", r"0x100000000, length = 0xc0000000, available")):
        with Machine(gnomon, "--cdrom", media(GRUB_CD), "--memory", size, *options) as vm:
            to_prompt(vm)
            command(vm, "clear; lsmmap", expect)
            vm.quit()


def main():
    gnomon, case, *options = sys.argv[1:]
    globals()[case](gnomon, options)


if __name__ == "__main__":
    main()
