# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12's netboot installer to its first screens: test_installer.py GNOMON ARCH.CASE [options of gnomon run]."""
import os
import re
import sys
import tempfile
import time

from guest import Linux, no_trouble, skip
import debian
import installer

FIRST, SECOND = "Select a language", "Select your location"
RED, BLUE = (170, 0, 0), (0, 0, 170)  # of the selected line, and behind everything


def pixels(vm):
    """The graphics screen: width, and its pixels as a list of lines of bytes; None while it is in text mode."""
    path = os.path.join(vm.dir, "screen.ppm")
    if vm.ctl("screendump", path).returncode:
        return None
    with open(path, "rb") as f:
        data = f.read()
    header = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    width, height = int(header[1]), int(header[2])
    assert len(data) == header.end() + width * height * 3, "screendump's size"
    return width, [data[header.end() + y * width * 3:][:width * 3] for y in range(height)]


def selected_line(vm):
    """Top of the selected line of the installer's menu on a graphics screen, in pixels, or None."""
    screen = pixels(vm)
    if not screen:
        return None
    width, lines = screen
    run = bytes(RED) * 24  # as wide as three characters; looked for at whole pixels
    reds = [y for y, line in enumerate(lines) if any(line[3 * x:3 * x + len(run)] == run for x in range(0, width, 8))]
    blue = sum(line[3 * (width - 3):] == bytes(BLUE) * 3 for line in lines)
    if blue < len(lines) * 3 // 4 or not reds or reds != list(range(reds[0], reds[0] + len(reds))):
        return None  # no installer's screen yet, or one half drawn
    return reds[0]


def until(what, function, timeout=100):
    """The first result of `function` that is not None or False."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        result = function()
        if result is not None and result is not False:
            return result
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {timeout} s")


def second_console(vm):
    """The shell on the second console: its commands run, and what they print on the serial port is right."""
    vm.key("alt-f2")
    time.sleep(0.5)
    vm.key("ret")
    time.sleep(1)
    vm.type("uname -s | sed s/L/l/ >/dev/ttyS0\\n")
    vm.serial.wait(r"^linux$", 30)
    vm.type("echo $((6 * 7)) is the answer; cat /proc/*/stat | wc -l; dmesg >/dev/ttyS0; echo end of log >/dev/ttyS0\\n")
    no_trouble(vm.serial.wait(r"^end of log$", 60).string)


def on_text(vm):
    """The text console: arrow keys move the selection, Enter leads to the next screen."""
    vm.wait(FIRST, 120)
    vm.wait("English +- +English")
    print(f"{FIRST!r} after {time.monotonic() - vm.started:.1f} s")
    vm.key("down", "down", "up", "ret")  # Finnish: what follows is in that language
    vm.wait("Valitse olinpaikkasi", 30)
    second_console(vm)


def on_graphics(vm):
    """A graphics console (the kernel's frame buffer): the same, seen in the pixels."""
    first = until(FIRST, lambda: selected_line(vm), 150)
    print(f"{FIRST!r} after {time.monotonic() - vm.started:.1f} s")
    vm.key("down")
    until("the selection is a line below", lambda: selected_line(vm) == first + 16, 20)
    vm.key("up")
    until("the selection is back", lambda: selected_line(vm) == first, 20)
    vm.key("ret")
    until("the next screen", lambda: selected_line(vm) not in (None, first), 60)
    second_console(vm)


def on_serial(vm):
    """The serial console: the same, as text between escape sequences."""
    vm.serial.wait(FIRST, 150)
    print(f"{FIRST!r} after {time.monotonic() - vm.started:.1f} s")
    vm.serial.wait("English", 20)
    vm.serial.wait("activates buttons", 20)
    for key in ("\x1b[B", "\x1b[A", "\r"):  # down, up again, Enter
        time.sleep(1)  # an escape sequence ends by a pause, too
        vm.serial.send(key)
    vm.serial.wait(SECOND, 60)


def files(folder, arch, iso=False):
    try:
        installer.make(folder, iso, arch=arch)
    except debian.Error as error:
        skip(f"no installer: {error}")
    return folder


def kernel(folder, arch, append):
    """Options that boot kernel and initrd, and what to type at isolinux's prompt."""
    files(folder, arch)
    return ["--kernel", f"{folder}/linux", "--initrd", f"{folder}/initrd.gz"], append, None


def iso(folder, arch, label):
    """The same for the CD."""
    files(folder, arch, True)
    return ["--cdrom", f"{folder}/installer.iso"], None, label


CASES = {
    "kernel.serial": (kernel, "console=ttyS0,115200", on_serial),
    "kernel.text": (kernel, "nomodeset fb=false", on_text),
    "kernel.graphics": (kernel, "", on_graphics),
    "iso.serial": (iso, "serial", on_serial),
    "iso.text": (iso, "text", on_text),
    "iso.graphics": (iso, "graphics", on_graphics),
}


def main():
    gnomon, case, *options = sys.argv[1:]
    arch, case = case.split(".", 1)
    start, argument, check = CASES[case]
    # With less, the one for amd64 begins with a warning.
    machine = ["--memory", "512M"] if arch == "i386" else ["--memory", "1G"]
    with tempfile.TemporaryDirectory(prefix="gnomon-installer-") as folder:
        boot, append, label = start(folder, arch, argument)
        with Linux(gnomon, boot, append, [*machine, *options]) as vm:
            if label:
                vm.wait("^boot:", 60)
                vm.type(f"{label}\\n")
            check(vm)
            vm.quit()


if __name__ == "__main__":
    main()
