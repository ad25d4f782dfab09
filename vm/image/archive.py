# SPDX-License-Identifier: LGPL-2.1-or-later
"""An initramfs in memory, written as a cpio archive.

cpio(1) would need device nodes and files owned by root, which only root can make. Writing the archive's bytes
needs no privilege.
"""

import os
import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MERGED = ("bin", "sbin", "lib", "lib64")  # The directories that are links into /usr, as in Debian.


class Archive:
    """The entries of an initramfs, by path. A later entry replaces an earlier entry with the same path."""

    def __init__(self) -> None:
        # The mode, mtime, device and content of each entry, by path.
        self._entries: dict[str, tuple[int, int, int, bytes | Path]] = {}
        for name in MERGED:
            self.directory(f"/usr/{name}")
            self.symlink(f"/{name}", f"usr/{name}")

    def __contains__(self, path: str) -> bool:
        return self._place(path) in self._entries

    @staticmethod
    def _place(path: str) -> str:
        parts = PurePosixPath(os.path.normpath(path)).parts[1:]
        if len(parts) > 1 and parts[0] in MERGED:
            parts = ("usr", *parts)
        return "/".join(parts)

    def _put(self, path: str, mode: int, content: bytes | Path, mtime: int = 0, device: int = 0) -> None:
        place = self._place(path)
        parent = os.path.dirname(place)
        if parent and parent not in self._entries:
            self.directory("/" + parent)
        self._entries[place] = (mode, mtime, device, content)

    def directory(self, path: str, mode: int = 0o755) -> None:
        self._put(path, stat.S_IFDIR | mode, b"")

    def symlink(self, path: str, target: str) -> None:
        self._put(path, stat.S_IFLNK | 0o777, target.encode())

    def node(self, path: str, major: int, minor: int) -> None:
        self._put(path, stat.S_IFCHR | 0o666, b"", device=os.makedev(major, minor))

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        self._put(path, stat.S_IFREG | mode, content.encode())

    def file(self, path: str, source: Path, mode: int | None = None) -> None:
        """Copies a file with its modification time. Python compares this time with the time in
        compiled files."""
        status = source.stat()
        self._put(path, stat.S_IFREG | (mode or status.st_mode & 0o777), source, int(status.st_mtime))

    def write(self, out: Path) -> None:
        """Writes the archive. An interrupted call leaves no incomplete `out`."""
        partial = out.with_name(out.name + ".new")
        with partial.open("wb") as file:
            for inode, (place, entry) in enumerate(self._entries.items(), start=1):
                self._write_member(file, inode, place, *entry)
            self._write_member(file, 0, "TRAILER!!!", 0, 0, 0, b"")
        partial.replace(out)

    @staticmethod
    def _write_member(
        file: BinaryIO, inode: int, name: str, mode: int, mtime: int, device: int, content: bytes | Path
    ) -> None:
        data = content if isinstance(content, bytes) else content.read_bytes()
        owner, links, check = (0, 0), 1, 0
        on_device, is_device = (0, 0), (os.major(device), os.minor(device))
        fields = (inode, mode, *owner, links, mtime, len(data), *on_device, *is_device, len(name) + 1, check)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        file.write(header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4))
