# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent's socket, for clients without a broker: tests, and connections by ssh.

The kernel identifies the user who has connected. The name of this user is the caller's name. Only a bridge
(aioxen-agent --stdio) that runs as root or as the agent's user sends the caller's name itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import socket
import struct
from collections.abc import Callable
from functools import partial

from aioxen.errors import InvalidError
from aioxen.fleet import wire
from aioxen.fleet.agent import Agent
from aioxen.fleet.frames import MOST_IN, Frame, frame, read
from aioxen.fleet.sequence import BEAT, Sequence

log: logging.Logger = logging.getLogger("aioxen.fleet")

MOST_WAITING = 16 << 20
"""The greatest number of octets that wait to be read by one client. Further messages are dropped."""


class StreamService:
    """Serves one agent at a socket."""

    def __init__(self, agent: Agent, sequence: Sequence, path: str) -> None:
        self.agent = agent
        self.sequence = sequence
        self.path = path
        self._writers: set[asyncio.StreamWriter] = set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serves until this task is cancelled. Calls `ready` when requests are accepted."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        server = await asyncio.start_unix_server(self._serve, self.path)
        os.chmod(self.path, 0o660)
        try:
            ready()
            while True:
                self._beat()
                await asyncio.sleep(BEAT)
        finally:
            await asyncio.shield(self._end(server))

    async def _end(self, server: asyncio.Server) -> None:
        await self.agent.aclose()
        self._beat("bye")
        server.close()
        for writer in list(self._writers):
            writer.close()
        os.unlink(self.path)

    def _beat(self, state: str = "up") -> None:
        beat = self.sequence.beat(len(self.agent.calls), state)
        for writer in self._writers:
            send(writer, Frame.BEAT, beat)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener = None
        try:
            uid = _uid(writer)
            caller = _user(uid)
            self._writers.add(writer)
            send(writer, Frame.BEAT, self.sequence.beat(len(self.agent.calls)))
            first = True
            while (got := await read(reader, MOST_IN)) is not None:
                kind, body = got
                if kind is Frame.CALL:
                    self.agent.accept(body, {}, partial(send, writer, Frame.REPLY), caller)
                elif kind is Frame.SINCE and listener is None:
                    listener = partial(_event, writer)
                    self._replay(writer, body.decode("ascii", "replace"))
                    self.sequence.listeners.append(listener)
                elif kind is Frame.NAME and first and uid in (0, os.geteuid()):
                    caller = body.decode("ascii", "replace")
                    if not wire.NAME.fullmatch(caller):
                        raise InvalidError("the caller's name is wrong")
                else:
                    raise InvalidError(f"a frame that may not come here: {kind.name}")
                first = False
        except InvalidError as error:
            log.warning("a client's connection is closed: %s", error.message)
        finally:
            if listener is not None:
                self.sequence.listeners.remove(listener)
            self._writers.discard(writer)
            writer.close()

    def _replay(self, writer: asyncio.StreamWriter, since: str) -> None:
        epoch, _, number = since.partition(" ")
        if since and not number.isdecimal():
            raise InvalidError("the events are wanted since an epoch and a number")
        after = (
            int(number) if since and epoch == self.sequence.epoch else 0 if since else self.sequence.number
        )
        for at, kind, message in list(self.sequence.kept):
            if at > after:
                _event(writer, at, kind, message)


def send(writer: asyncio.StreamWriter, kind: Frame, body: bytes) -> None:
    """Sends a frame. Drops it if the client reads too slowly."""
    if not writer.is_closing() and writer.transport.get_write_buffer_size() < MOST_WAITING:
        writer.write(frame(kind, body))


def _event(writer: asyncio.StreamWriter, number: int, kind: str, message: bytes) -> None:
    send(writer, Frame.EVENT, message)


def _uid(writer: asyncio.StreamWriter) -> int:
    """Returns the user id of the process at the other end of a socket."""
    peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    uid: int = struct.unpack("3i", peer)[1]
    return uid


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
