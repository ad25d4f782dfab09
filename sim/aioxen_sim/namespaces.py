# SPDX-License-Identifier: LGPL-2.1-or-later
"""Linux calls that isolate a world (world.py): namespaces, mounts, and the signal at the parent's end."""

import ctypes
import os
import signal
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)


def leave_the_machine() -> None:
    """Puts the children of this process into new mount and process namespaces.

    An ordinary user's children also get a new user namespace, in which they are root. Raises OSError.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = _CLONE_NEWNS | _CLONE_NEWPID | (_CLONE_NEWUSER if uid else 0)
    _check(_libc.unshare(flags), "unshare")
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def die_with_parent() -> None:
    """Makes the kernel kill this process when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def _mount(source: str, target: Path, kind: str | None, flags: int, data: str | None = None) -> None:
    _check(
        _libc.mount(
            source.encode(),
            os.fsencode(target),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            data.encode() if data else None,
        ),
        str(target),
    )


def keep_mounts_private() -> None:
    """Makes later mounts invisible outside the namespace."""
    _mount("none", Path("/"), None, _MS_REC | _MS_PRIVATE)


def mount_proc() -> None:
    """Mounts a /proc that shows the processes of this namespace."""
    _mount("proc", Path("/proc"), "proc", 0)


def mount_empty(folder: Path) -> None:
    """Mounts an empty file system in memory on `folder`."""
    _mount("tmpfs", folder, "tmpfs", 0, "mode=0755,size=100%")


def mount_extensible(folder: Path, original: Path) -> None:
    """Mounts a file system in memory on `folder`, with symbolic links to the original entries.

    `original` is a new directory, on which the original `folder` is mounted.
    """
    original.mkdir(parents=True)
    _mount(str(folder), original, None, _MS_BIND | _MS_REC)
    mount_empty(folder)
    for entry in original.iterdir():
        (folder / entry.name).symlink_to(entry)
