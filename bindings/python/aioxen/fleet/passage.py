# SPDX-License-Identifier: LGPL-2.1-or-later
"""The connections between two agents over which guests move.

The receiving agent listens at the address of its option --passage. The sending agent connects, with TLS. The
client has named both hosts, and each side checks that the other side has the certificate of the named host.
The sender then sends a line with the ticket. Only the client and these two agents know the ticket. The
receiver answers with a line. After that line the connection carries the migration.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aioxen._remote import TICKET, Passage
from aioxen.errors import FailedError, TimedOutError
from aioxen.fleet.url import is_loopback

if TYPE_CHECKING:
    from aioxen.fleet.identity import Identity

log: logging.Logger = logging.getLogger("aioxen.fleet")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

HELLO = b"AIOXEN-PASSAGE 1 "
WELCOME = b"WELCOME\n"
ANSWER = 10.0
"""The time limit for a line of the other side, in seconds."""
PATIENCE = 60.0
"""How long a receiver waits for the sender's connection, in seconds."""
SILENT_MS = 30_000
"""The time without an acknowledgement after which the kernel ends a connection, in milliseconds."""
TCP_USER_TIMEOUT = 18
"""The number of the socket option, from linux/tcp.h."""
MOST_STRANGERS = 64
"""The greatest number of connections that have not shown a ticket yet."""


class PassageError(Exception):
    """The other side of a connection is not the expected one."""


class Passages:
    """The connections of one agent.

    identity: The certificate of this host. None: connections are not encrypted, and both ends are on this
    machine.
    """

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity
        self._awaited: dict[str, tuple[str, asyncio.Future[Streams]]] = {}
        self._strangers: int = 0

    async def listen(self, address: str) -> asyncio.Server:
        """Accepts connections of senders. Raises OSError, and ValueError for a wrong address."""
        path, host, port = _parts(address, self._identity)
        if path:
            return await asyncio.start_unix_server(self._accept, path)
        context = self._identity.tls_with(receives=True) if self._identity else None
        limit = ANSWER if context else None
        return await asyncio.start_server(self._accept, host, port, ssl=context, ssl_handshake_timeout=limit)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._strangers += 1
        try:
            if self._strangers > MOST_STRANGERS:
                raise PassageError("too many connections have shown no ticket")
            peer = self._peer(writer)
            async with asyncio.timeout(ANSWER):
                line = await reader.readuntil(b"\n")
            ticket = line.removeprefix(HELLO).rstrip(b"\n").decode("ascii", "replace")
            expected = self._awaited.get(ticket) if TICKET.fullmatch(ticket) else None
            if not line.startswith(HELLO) or expected is None or expected[1].done():
                raise PassageError("no guest is expected with this ticket")
            if peer is not None and peer != expected[0]:
                raise PassageError(f"the guest is expected from {expected[0]}, and not from {peer}")
            _watch(writer)
            writer.write(WELCOME)
            expected[1].set_result((reader, writer))
        except (OSError, PassageError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.warning("a connection of a sender is closed: %s", error)
            writer.close()
        finally:
            self._strangers -= 1

    def _peer(self, writer: asyncio.StreamWriter) -> str | None:
        """Returns the name of the host at the other end. None: the connection has no certificates."""
        if self._identity is None:
            return None
        from aioxen.fleet.identity import IdentityError, host_at

        try:
            return host_at(writer.get_extra_info("ssl_object"))
        except IdentityError as error:
            raise PassageError(str(error)) from None

    @contextlib.asynccontextmanager
    async def received(self, passage: Passage) -> AsyncIterator[Streams]:
        """Waits for the sender's connection, and closes it at the end of the block. The ticket is valid from
        the first step of this coroutine, before it waits."""
        coming: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()
        self._awaited[passage.ticket] = passage.peer, coming
        try:
            try:
                async with asyncio.timeout(PATIENCE):
                    streams = await coming
            except TimeoutError:
                raise TimedOutError(f"{passage.peer} has not connected in {PATIENCE:.0f} s") from None
            yield streams
        finally:
            del self._awaited[passage.ticket]
            if coming.done() and not coming.cancelled():
                coming.result()[1].close()

    @contextlib.asynccontextmanager
    async def sent(self, passage: Passage) -> AsyncIterator[Streams]:
        """Connects to the receiver, and closes the connection at the end of the block."""
        writer = None
        try:
            async with asyncio.timeout(ANSWER):
                reader, writer = await self._connect(passage.address)
                if (peer := self._peer(writer)) is not None and peer != passage.peer:
                    raise PassageError(f"{peer} answers, and not {passage.peer}")
                _watch(writer)
                writer.write(HELLO + passage.ticket.encode() + b"\n")
                if await reader.readuntil(b"\n") != WELCOME:
                    raise PassageError("the answer is wrong")
        except (OSError, ValueError, PassageError, EOFError, asyncio.LimitOverrunError) as error:
            if writer is not None:
                writer.close()
            text = str(error) or "it does not answer"
            raise FailedError(f"no connection to {passage.peer} at {passage.address}: {text}") from None
        except asyncio.CancelledError:
            if writer is not None:
                writer.close()
            raise
        try:
            yield reader, writer
        finally:
            writer.close()

    async def _connect(self, address: str) -> Streams:
        path, host, port = _parts(address, self._identity)
        if path:
            return await asyncio.open_unix_connection(path)
        context = self._identity.tls_with(receives=False) if self._identity else None
        return await asyncio.open_connection(host, port, ssl=context)


def _parts(address: str, identity: Identity | None) -> tuple[str, str, int]:
    """Returns the path, or the host and the port. Raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme == "unix" and parts.path and not parts.netloc and identity is None:
        return parts.path, "", 0
    if parts.scheme != "tcp" or not parts.hostname or parts.port is None or parts.path:
        raise ValueError(f"{address!r}: tcp://HOST:PORT or unix:///PATH is expected")
    if identity is None and not is_loopback(parts.hostname):
        raise ValueError(f"{address!r}: certificates are needed (--identity)")
    return "", parts.hostname, parts.port


def _watch(writer: asyncio.StreamWriter) -> None:
    """Makes the kernel end the connection if the other machine is lost."""
    connection: socket.socket = writer.get_extra_info("socket")
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        connection.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, SILENT_MS)
