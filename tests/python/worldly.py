# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests ask of the world that they run in, and of their own process."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable
from pathlib import Path

import aioxen

ROOT = Path(__file__).resolve().parent.parent.parent

PF_EXITING = 4  # proc(5), the flags in a task's stat

Configure = Callable[..., aioxen.DomainConfig]


async def domids() -> list[int]:
    async with aioxen.Context() as xen:
        return [info.domid for info in await xen.domain_list()]


def descriptors() -> set[tuple[str, str]]:
    opened = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # listdir's own
            opened.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
    return opened


def threads() -> int:
    """How many run: one that has been joined is listed for a moment longer, as exiting."""
    count = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            flags = int((task / "stat").read_text().rpartition(")")[2].split()[6])
            count += not flags & PF_EXITING
    return count


def xenstore() -> set[str]:
    """The nodes that a domain has its own of."""
    library = ctypes.CDLL("libxenstore.so.4")
    library.xs_open.restype = ctypes.c_void_p
    library.xs_directory.restype = ctypes.POINTER(ctypes.c_char_p)
    store = ctypes.c_void_p(library.xs_open(0))
    nodes = set()
    for folder in "/local/domain", "/vm", "/libxl":
        count = ctypes.c_uint()
        found = library.xs_directory(store, 0, folder.encode(), ctypes.byref(count))
        nodes |= {f"{folder}/{found[i].decode()}" for i in range(count.value)} if found else set()
        library.free(found)
    library.xs_close(store)
    return nodes
