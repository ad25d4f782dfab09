# SPDX-License-Identifier: LGPL-2.1-or-later
"""Helpers for tests of migrations: the guest that moves, moments of its migration, and a receiver whose part
the test plays."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import aioxen
from saving import programs, started
from worldly import Configure

NAME = "traveller"


async def traveller(xen: aioxen.Context, guest: Configure) -> aioxen.Domain:
    return await started(xen, guest("l", machine="pvh", memory="24M", name=NAME))


async def is_gone(xen: aioxen.Context) -> bool:
    """Returns whether this machine has no guest and no program that saves or restores."""
    return [info.domid for info in await xen.domain_list()] == [0] and programs() == []


class Moment:
    """A moment of a migration: the time at which a phase begins, or at which the phase `send` has sent a
    number of pages."""

    def __init__(self, phase: str, pages: int) -> None:
        self.phase, self.pages = phase, pages
        self.come = asyncio.Event()

    def __call__(self, event: aioxen.OperationProgress) -> None:
        if event.phase == self.phase and (event.phase != "send" or event.done >= self.pages):
            self.come.set()

    async def wait(self, moving: asyncio.Task[None]) -> None:
        """Waits until the moment has come or the migration has ended."""
        coming = asyncio.create_task(self.come.wait())
        await asyncio.wait((coming, moving), return_when=asyncio.FIRST_COMPLETED)
        coming.cancel()


READY = b"domain received, ready to unpause\0"
GO = b"domain is yours, you are cleared to unpause\0"


ANSWER = b"my copy unpause results are as follows\0"


async def at_received(
    dom: aioxen.Domain,
) -> tuple[asyncio.Task[None], asyncio.StreamReader, asyncio.StreamWriter]:
    """Migrates a domain until its memory was sent, and the sender waits for the receiver's answer."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    moment = Moment("received", 0)

    async def move() -> None:
        with theirs:
            await dom.migrate(theirs, live=False, progress=moment)

    moving = asyncio.create_task(move())
    writer.write(b"xl migration receiver ready, send binary domain data.\n")
    while not moment.come.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1 << 20), 0.1)
    with contextlib.suppress(TimeoutError):
        while await asyncio.wait_for(reader.read(1 << 20), 0.1):
            pass
    return moving, reader, writer
