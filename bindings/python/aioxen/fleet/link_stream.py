# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections to agents without a broker: their sockets, or ssh(1)."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import logging
from collections.abc import Collection, Mapping

from aioxen.errors import InvalidError
from aioxen.fleet import wire
from aioxen.fleet.frames import MOST_OUT, Frame, frame, read
from aioxen.fleet.link import Events, Link, Put, Receiver
from aioxen.fleet.url import Url

log: logging.Logger = logging.getLogger("aioxen.fleet")

AGAIN = 0.5
"""The time between two attempts to connect, in seconds."""

ANSWER = 10.0
"""How long the first frame of an agent may take, in seconds."""


class StreamLink(Link):
    """One connection to each agent. A connection that ends is made anew."""

    def __init__(self, url: Url, name: str) -> None:
        self.url = url
        self.name: str = name or getpass.getuser()
        parts = url.path.split(",") if url.scheme == "unix" else url.host.split(",")
        self.agents: list[Connection] = [Connection(self, part) for part in parts]
        self.subscriptions: list[StreamEvents] = []

    async def open(self, receiver: Receiver) -> None:
        self.receiver = receiver
        for agent in self.agents:
            agent.task = asyncio.create_task(agent.run())
        await asyncio.wait([asyncio.create_task(agent.known.wait()) for agent in self.agents], timeout=ANSWER)
        if not any(agent.host for agent in self.agents):
            await self.aclose()
            raise ConnectionError(f"{', '.join(agent.where for agent in self.agents)}: no agent answers")

    async def aclose(self) -> None:
        tasks = [agent.task for agent in self.agents if agent.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    def send(self, host: str, call: str, id: str, message: bytes, headers: Mapping[str, str]) -> None:
        agent = next((agent for agent in self.agents if agent.host == host), None)
        if agent is None or agent.writer is None:
            asyncio.get_running_loop().call_soon(self.receiver.on_absent, host, id)
        else:
            agent.writer.write(frame(Frame.CALL, message))

    async def present(self) -> Collection[str]:
        return [agent.host for agent in self.agents if agent.host]

    async def events(self, since: str | None, put: Put, audit: bool) -> Events:
        if audit:
            raise InvalidError("agents without a broker keep their audit log on their hosts")
        stream = StreamEvents(self, put)
        if since == "all":
            stream.positions = {agent.host: ("", 0) for agent in self.agents if agent.host}
        elif since is not None:
            stream.positions = {host: (epoch, number) for host, (epoch, number) in json.loads(since).items()}
        self.subscriptions.append(stream)
        for agent in self.agents:
            agent.subscribe()
        return stream


class Connection:
    """A connection to one agent."""

    def __init__(self, link: StreamLink, where: str) -> None:
        self.link = link
        self.where = where
        self.host: str = ""
        """The host's name, from the agent's first frame."""
        self.known: asyncio.Event = asyncio.Event()
        """Set when the agent has said its host's name."""
        self.writer: asyncio.StreamWriter | None = None
        self.task: asyncio.Task[None] | None = None
        self.subscribed: bool = False

    async def run(self) -> None:
        """Connects, and connects again after each loss, until this task is cancelled."""
        while True:
            try:
                await self._connected()
            except (OSError, InvalidError) as error:
                log.info("%s: %s", self.where, error)
            await asyncio.sleep(AGAIN)

    async def _connected(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            if self.link.url.scheme == "unix":
                reader, writer = await asyncio.open_unix_connection(self.where)
            else:
                words = ["-T", "-o", "BatchMode=yes", "--", f"ssh://{self.where}", "aioxen-agent", "--stdio"]
                process = await asyncio.create_subprocess_exec(
                    "ssh", *words,
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                )  # fmt: skip
                assert process.stdin and process.stdout
                reader, writer = process.stdout, process.stdin
                stack.callback(_kill, process)
            stack.callback(writer.close)
            try:
                while got := await read(reader, MOST_OUT):
                    self._take(writer, *got)
            finally:
                self.writer, self.subscribed = None, False

    def _take(self, writer: asyncio.StreamWriter, kind: Frame, body: bytes) -> None:
        if kind is Frame.BEAT:
            host = wire.loads(body, MOST_OUT).get("host")
            if not isinstance(host, str) or host != (self.host or host):
                raise InvalidError(f"this agent's host was {self.host}, and is now {host}")
            self.known.set()
            if any(agent.host == host for agent in self.link.agents if agent is not self):
                raise InvalidError(f"another agent has said that its host is {host}")
            if self.writer is None:
                self.host, self.writer = host, writer
                self.subscribe()
                self.link.receiver.on_connected()
            self.link.receiver.on_beat(host, body)
        elif kind is Frame.REPLY:
            self.link.receiver.on_reply(self.host, body)
        elif kind is Frame.EVENT:
            for stream in self.link.subscriptions:
                stream.take(self.host, body)

    def subscribe(self) -> None:
        """Asks for events, once for each connection, if there is a subscription."""
        if self.writer is None or self.subscribed or not self.link.subscriptions:
            return
        self.subscribed = True
        known = [s.positions[self.host] for s in self.link.subscriptions if self.host in s.positions]
        since = "{} {}".format(*min(known, key=lambda at: at[1])).encode() if known else b""
        self.writer.write(frame(Frame.SINCE, since))


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


class StreamEvents(Events):
    """A subscription. Its position has the last event of each host."""

    def __init__(self, link: StreamLink, put: Put) -> None:
        self.link = link
        self.put = put
        self.positions: dict[str, tuple[str, int]] = {}

    def take(self, host: str, message: bytes) -> None:
        given = wire.loads(message, MOST_OUT)
        at = wire.member(given, "epoch", str), wire.member(given, "number", int)
        epoch, number = self.positions.get(host, ("", 0))
        if at[0] == epoch and at[1] <= number:
            return
        self.positions[host] = at
        self.put(host, json.dumps(self.positions), message)

    async def caught_up(self) -> None:
        pass  # The events that were sent before a heartbeat come before it, on the same connection.

    async def aclose(self) -> None:
        if self in self.link.subscriptions:
            self.link.subscriptions.remove(self)
