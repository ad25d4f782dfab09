# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions that look up domains, xenstore nodes, and this process's descriptors and threads."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aioxen

ROOT = Path(__file__).resolve().parent.parent.parent

PF_EXITING = 4  # A flag in a task's stat file; see proc(5).

Configure = Callable[..., aioxen.DomainConfig]


async def domids() -> list[int]:
    async with aioxen.Context() as xen:
        return [info.domid for info in await xen.domain_list()]


@contextlib.asynccontextmanager
async def running(xen: aioxen.Context, config: aioxen.DomainConfig) -> AsyncIterator[aioxen.Domain]:
    """Creates a domain and lets its guest run. Destroys the domain at the end."""
    dom = await xen.domain_create(config)
    try:
        await dom.unpause()
        yield dom
    finally:
        await dom.destroy()


async def ended(operation: asyncio.Future[Any]) -> None:
    """Waits until an operation is done. Ignores the operation's result."""
    while not operation.done():
        await asyncio.sleep(0.001)


def descriptors() -> set[tuple[str, str]]:
    opened = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # The descriptor that listdir used is already closed.
            opened.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
    return opened


def threads() -> int:
    """Returns the number of running threads. Excludes threads that are ending, because the kernel lists a
    joined thread for a short time."""
    count = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            flags = int((task / "stat").read_text().rpartition(")")[2].split()[6])
            count += not flags & PF_EXITING
    return count


@contextlib.contextmanager
def xenstore_handle() -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p]]:
    """Yields libxenstore and a connection to xenstored."""
    library = ctypes.CDLL("libxenstore.so.4")
    library.xs_open.restype = ctypes.c_void_p
    library.xs_read.restype = ctypes.c_void_p
    library.xs_directory.restype = ctypes.POINTER(ctypes.c_char_p)
    library.free.argtypes = [ctypes.c_void_p]
    store = ctypes.c_void_p(library.xs_open(0))
    yield library, store
    library.xs_close(store)


def xenstore() -> set[str]:
    """Returns the paths of all nodes of domains, PCI devices and USB devices. The directories of the devices
    stay when they are empty."""
    nodes = set()
    with xenstore_handle() as (library, store):
        for folder in "/local/domain", "/vm", "/libxl", "/libxl/pci", "/libxl/usbback":
            count = ctypes.c_uint()
            found = library.xs_directory(store, 0, folder.encode(), ctypes.byref(count))
            nodes |= {f"{folder}/{found[i].decode()}" for i in range(count.value)} if found else set()
            library.free(found)
    return nodes - {"/libxl/pci", "/libxl/usbback"}


def read_node(path: str) -> str | None:
    """Returns a node's value, or None if the node does not exist."""
    with xenstore_handle() as (library, store):
        value = library.xs_read(store, 0, path.encode(), None)
        text = ctypes.string_at(value).decode() if value else None
        library.free(value)
        return text


def write_node(path: str, value: str) -> None:
    with xenstore_handle() as (library, store):
        octets = value.encode("utf-8", "surrogateescape")
        assert library.xs_write(store, 0, path.encode(), octets, len(octets))


def remove_node(path: str) -> None:
    """Removes a node and the nodes below it. The node must exist."""
    with xenstore_handle() as (library, store):
        assert library.xs_rm(store, 0, path.encode())
