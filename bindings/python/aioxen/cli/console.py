# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command console: joins this terminal and a domain's console."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.select import domain_argument
from aioxen.types import ConsoleType

DETACH = b"\x1d"
"""Ctrl-]"""

TYPES = {"pv": ConsoleType.PV, "serial": ConsoleType.SERIAL, "vuart": ConsoleType.VUART}


@command("console")
@domain_argument()
@click.option("-t", "kind", type=click.Choice(tuple(TYPES)), help="The kind of the console.")
@click.option("-n", "number", type=click.IntRange(0), metavar="N", default=0, help="The console's number.")
async def console(session: Session, domain: str, kind: str | None, number: int) -> None:
    """Attaches to a domain's console. Ctrl-] detaches.

    The output ends when the domain is gone. Without a terminal, the standard input is sent to the guest.
    """
    dom = await session.find(domain)
    await attach(session, dom, number, TYPES[kind] if kind else ConsoleType.UNKNOWN)


async def attach(
    session: Session, dom: aioxen.Domain, number: int = 0, kind: ConsoleType = ConsoleType.UNKNOWN
) -> None:
    """Joins the standard input and output to a domain's console, until Ctrl-] or the end of the domain."""
    async with dom.console(number, kind) as guest:
        with _raw_terminal(sys.stdin.fileno()) as fd:
            typing = asyncio.create_task(_send_input(guest, fd))
            showing = asyncio.create_task(_show_output(guest))
            try:
                await asyncio.wait((typing, showing), return_when=asyncio.FIRST_COMPLETED)
                # If the input is a file, the end of the file does not end the output.
                if typing.done() and not typing.result():
                    await showing
            finally:
                for task in typing, showing:
                    task.cancel()
                await asyncio.wait((typing, showing))
    if showing.done() and not showing.cancelled():
        showing.result()
    session.out.note("")


async def _send_input(guest: aioxen.Console, fd: int) -> bool:
    """Sends input to the guest. Returns True after Ctrl-], False at the end of the input."""
    with contextlib.suppress(BrokenPipeError):
        while data := await _read(fd):
            before, detach, _ = data.partition(DETACH) if os.isatty(fd) else (data, b"", b"")
            await guest.write(before)
            if detach:
                return True
    return False


async def _read(fd: int) -> bytes:
    """Waits for input, and returns it."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(fd, readable.set)
    except PermissionError:  # epoll(7) refuses files and /dev/null. Reading from them never waits.
        return os.read(fd, 4096)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(fd)
    return os.read(fd, 4096)


async def _show_output(guest: aioxen.Console) -> None:
    while data := await guest.read():
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


@contextlib.contextmanager
def _raw_terminal(fd: int) -> Iterator[int]:
    """Yields a terminal in raw mode, or another descriptor as it is."""
    if not os.isatty(fd):
        yield fd
        return
    before = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield fd
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
