# SPDX-License-Identifier: LGPL-2.1-or-later
"""The methods Domain.migrate() and Context.receive(), which make the connections over which a guest moves to
another machine. The operations domain_migrate and domain_receive do the work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from aioxen._coroutine import wait_uncancelled
from aioxen._saving import compressed
from aioxen.types import Migration, Suspend

if TYPE_CHECKING:
    from aioxen._operations import ContextOperations
    from aioxen._spec import Progress
    from aioxen.context import Context
    from aioxen.domain import Domain
    from aioxen.types import OperationProgress, ReceivedAllowed, SavePolicy

Connection: TypeAlias = socket.socket | tuple[asyncio.StreamReader, asyncio.StreamWriter]
"""A connection to the other machine."""

Transport: TypeAlias = str | os.PathLike[str] | Sequence[str] | Connection
"""How Domain.migrate() reaches the other machine."""

Ends: TypeAlias = tuple[int, int]
"""Two blocking descriptors: the first is read, the second is written. Both may be the same descriptor."""

PATIENCE = 10.0
"""The time, in seconds, that a command has to end after the end of its input, and that a stream has to send
its last octets."""

AWAY = "--migratedaway"
"""The end of the name of the sender's domain, as long as the guest may run on the receiver's machine."""

_CHUNK = 1 << 16


async def migrate(
    domain: Domain,
    xen: ContextOperations,
    transport: Transport,
    live: bool,
    policy: SavePolicy | None,
    compression: int,
    receiver: str,
    ask: bool | None,
    unannounced: bool,
    timeout: float | None,  # noqa: ASYNC109
    progress: Progress[OperationProgress] | None,
) -> None:
    """Does the work of Domain.migrate()."""
    flags = Suspend.LIVE if live else Suspend(0)
    options = Migration.UNANNOUNCED if unannounced else Migration(0)
    if ask if ask is not None else is_ours(transport, receiver):
        options |= Migration.ASK
    policy = compressed(policy, compression)
    async with _connected(transport, receiver) as (in_fd, out_fd):
        await xen.domain_migrate_stream(
            domain, in_fd, out_fd, flags, options, policy, timeout=timeout, progress=progress
        )


async def receive(
    xen: Context,
    connection: Connection | tuple[int, int],
    paused: bool,
    allowed: ReceivedAllowed | None,
    timeout: float | None,  # noqa: ASYNC109
    progress: Progress[OperationProgress] | None,
) -> Domain:
    """Does the work of Context.receive()."""
    async with _ends(connection) as (in_fd, out_fd):
        return await xen.domain_receive_stream(
            in_fd, out_fd, int(paused), allowed, timeout=timeout, progress=progress
        )


def is_ours(transport: Transport, receiver: str) -> bool:
    """Returns True if ssh runs the command `aioxen` as the receiver. In all other cases it is not known
    whether the receiver belongs to this library."""
    words = shlex.split(receiver)
    by_ssh = isinstance(transport, str) and transport.startswith("ssh://")
    return by_ssh and bool(words) and os.path.basename(words[0]) == "aioxen"


def ssh_command(url: str, receiver: str) -> list[str]:
    """Returns the command that runs the receiver on the host of "ssh://[USER@]HOST[:PORT]"."""
    parts = urlsplit(url)
    if not parts.hostname or parts.password or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"transport: ssh://[USER@]HOST[:PORT] is expected, not {url!r}")
    # A name that begins with a dash would be an option of ssh.
    host = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname
    port = ["-p", str(parts.port)] if parts.port else []
    return ["ssh", *port, "--", host, *shlex.split(receiver)]


@contextlib.asynccontextmanager
async def _connected(transport: Transport, receiver: str) -> AsyncIterator[Ends]:
    """Connects to the receiver."""
    if isinstance(transport, str) and transport.startswith("ssh://"):
        transport = ssh_command(transport, receiver)
    if isinstance(transport, str | os.PathLike):
        connection = socket.socket(socket.AF_UNIX)
        with connection:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, os.fspath(transport))
            async with _ends(connection) as ends:
                yield ends
    elif isinstance(transport, Sequence) and all(isinstance(word, str) for word in transport):
        async with _command([str(word) for word in transport]) as ends:
            yield ends
    else:
        async with _ends(transport) as ends:  # type: ignore[arg-type]
            yield ends


@contextlib.asynccontextmanager
async def _command(words: list[str]) -> AsyncIterator[Ends]:
    """Runs a command, and gives its output and its input. The end of the block closes the input, and waits
    until the command ends."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    try:
        try:
            process = await asyncio.create_subprocess_exec(*words, stdin=theirs_in, stdout=theirs_out)
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        try:
            yield ours_in, ours_out
        finally:
            os.close(ours_out)
            ours_out = -1
            await wait_uncancelled(asyncio.ensure_future(_end(process)))
    finally:
        os.close(ours_in)
        if ours_out >= 0:
            os.close(ours_out)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Waits until the process ends. If it does not end in time, it is terminated, and then killed."""
    for stop in (process.terminate, process.kill):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE)
            return
        stop()
    await process.wait()


@contextlib.asynccontextmanager
async def _ends(connection: Connection | tuple[int, int]) -> AsyncIterator[Ends]:
    """Gives blocking descriptors of a connection."""
    if isinstance(connection, socket.socket):
        limit = connection.gettimeout()
        connection.setblocking(True)
        try:
            yield connection.fileno(), connection.fileno()
        finally:
            connection.settimeout(limit)
        return
    reader, writer = connection
    if isinstance(reader, int) and isinstance(writer, int):
        yield reader, writer
    elif isinstance(reader, asyncio.StreamReader) and isinstance(writer, asyncio.StreamWriter):
        async with _copied(reader, writer) as fd:
            yield fd, fd
    else:
        raise TypeError(f"a connection is expected, not {connection!r}")


@contextlib.asynccontextmanager
async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[int]:
    """Gives a socket whose octets are copied to and from the streams. The streams stay open."""
    ours, theirs = socket.socketpair()
    try:
        near_reader, near_writer = await asyncio.open_connection(sock=ours)
    except BaseException:
        ours.close()
        theirs.close()
        raise
    there = asyncio.create_task(_copy(near_reader, writer))
    back = asyncio.create_task(_copy(reader, near_writer))

    def close(task: asyncio.Task[None]) -> None:
        # The operation then finds that the connection is lost.
        near_writer.close()

    there.add_done_callback(close)
    back.add_done_callback(close)
    try:
        yield theirs.fileno()
    finally:
        # The operation's last message may not be copied yet. It matters after an error, too: a receiver that
        # gives up returns the guest to the sender by its last message. An undo in the background has a
        # duplicate of the descriptor, and may still send this message.
        theirs.close()
        sending = asyncio.ensure_future(asyncio.wait((there,), timeout=PATIENCE))
        try:
            await wait_uncancelled(sending)
        finally:
            for task in (there, back):
                task.cancel()
            await asyncio.wait((there, back))
            near_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies from the reader to the writer, until the reader's end or until the writer's connection is
    lost."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
