# SPDX-License-Identifier: GPL-2.0-or-later
"""A file tree in memory that becomes a cpio archive (newc, as Linux takes it for an initramfs)."""
import stat

MERGED = ("bin", "sbin", "lib")  # as in an installed Debian: links into usr


class Tree:
    """path (without leading slash) -> (mode with type, bytes). Owner and times are zero: same input, same archive."""

    def __init__(self, merged_usr=True):
        self.entries = {}
        self.merged_usr = merged_usr
        if merged_usr:
            for name in MERGED:
                self.folder("usr/" + name)
                self.entries[name] = (stat.S_IFLNK | 0o777, f"usr/{name}".encode())

    def _place(self, path):
        path = path.strip("/")
        first = path.split("/")[0]
        if self.merged_usr and first in MERGED and path != first:
            path = "usr/" + path
        return path

    def folder(self, path, mode=0o755):
        path = self._place(path)
        parent = path.rpartition("/")[0]
        if parent:
            self.folder(parent)
        if path and path not in self.entries:
            self.entries[path] = (stat.S_IFDIR | mode, b"")

    def _put(self, path, mode, data):
        path = self._place(path)
        parent = path.rpartition("/")[0]
        if parent:
            self.folder(parent)
        self.entries[path] = (mode, data)

    def file(self, path, data, mode=0o644):
        self._put(path, stat.S_IFREG | mode, data)

    def link(self, path, target):
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def __contains__(self, path):
        return self._place(path) in self.entries

    def add_package(self, members, keep):
        """Adds a package's members, as debian.contents gives them, whose names `keep` accepts."""
        for name, member, data in members:
            if self.merged_usr and name in MERGED or not keep(name):
                continue
            if member.isdir():
                self.folder(name, member.mode)
            elif member.isreg():
                self.file(name, data, member.mode)
            elif member.issym():
                self.link(name, member.linkname)
            elif member.islnk():
                mode, content = self.entries[self._place(member.linkname.removeprefix("./"))]
                self._put(name, mode, content)

    def cpio(self):
        """The archive. Folders come before what they hold, since a name sorts before its extensions."""
        out = bytearray()
        for number, path in enumerate(sorted(self.entries), 1):
            mode, data = self.entries[path]
            _append(out, path, number, mode, data)
        _append(out, "TRAILER!!!", 0, 0, b"")
        return bytes(out) + bytes(-len(out) % 512)


def _append(out, path, number, mode, data):
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name), 0)
    out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
    out += bytes(-len(out) % 4)
    out += data
    out += bytes(-len(out) % 4)
