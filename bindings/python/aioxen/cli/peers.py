# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lets the commands that run on a host see each other's operations.

Each command listens on a socket in /run/aioxen, which only root can enter. A program that connects gets
the command's operations, one JSON object a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aioxen
from aioxen.cli.output import Record, record_of

FOLDER = Path("/run/aioxen")

PATIENCE = 2.0
"""The time in which a command must answer, in seconds."""


@contextlib.asynccontextmanager
async def visible(xen: aioxen.Context) -> AsyncIterator[None]:
    """Until the end of the block, answers other commands that ask for this process's operations. Other
    commands do not see a process that has no right to make the socket."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = " ".join(sys.argv[1:])
        for info in xen.operations():
            writer.write(
                json.dumps({"pid": os.getpid(), "command": command, **record_of(info)}).encode() + b"\n"
            )
        writer.close()

    path = FOLDER / f"{os.getpid()}.sock"
    try:
        _make_folder()
        server = await asyncio.start_unix_server(answer, path)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        server.close()
        _remove(path)


def _make_folder() -> None:
    FOLDER.mkdir(mode=0o700, exist_ok=True)


def _sockets() -> list[Path]:
    return sorted(FOLDER.glob("*.sock"))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def operations_of_all() -> list[Record]:
    """Returns the operations of all other commands on this host. Removes the sockets of killed processes."""
    records = await asyncio.gather(*(_operations_of(path) for path in _sockets()))
    return [record for found in records for record in found]


async def _operations_of(path: Path) -> list[Record]:
    if path.stem == str(os.getpid()):
        return []
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(path)
            text = await reader.read()
    except ConnectionRefusedError:
        _remove(path)
        return []
    except (OSError, TimeoutError):
        return []
    writer.close()
    return [json.loads(line) for line in text.splitlines()]
