# SPDX-License-Identifier: LGPL-2.1-or-later
"""The few Linux calls that make a private place: name spaces, mounts, dying with the parent."""

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
    """Give this process's future children mount and process name spaces of their own.

    As an ordinary user also a user name space, in which it is root. Raises OSError.
    """
    uid, gid = os.getuid(), os.getgid()
    flags = _CLONE_NEWNS | _CLONE_NEWPID | (_CLONE_NEWUSER if uid else 0)
    _check(_libc.unshare(flags), "unshare")
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def die_with_parent() -> None:
    """This process is killed when the one that forked it ends."""
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
    """Nothing that is mounted from now on is seen outside."""
    _mount("none", Path("/"), None, _MS_REC | _MS_PRIVATE)


def mount_proc() -> None:
    """/proc shows the processes of this name space."""
    _mount("proc", Path("/proc"), "proc", 0)


def mount_empty(folder: Path) -> None:
    """`folder` becomes an empty folder in memory."""
    _mount("tmpfs", folder, "tmpfs", 0, "mode=0755,size=100%")


def mount_extensible(folder: Path, original: Path) -> None:
    """`folder` shows what it had, and what is made in it from now on is in memory.

    `original`: a new folder, where the true one stays visible.
    """
    original.mkdir(parents=True)
    _mount(str(folder), original, None, _MS_BIND | _MS_REC)
    mount_empty(folder)
    for entry in original.iterdir():
        (folder / entry.name).symlink_to(entry)
