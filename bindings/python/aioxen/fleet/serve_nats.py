# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent's connection to NATS. It receives requests, and sends replies, heartbeats, events and the audit
log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import nats
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import Error as StreamError
from nats.js.errors import NoStreamResponseError

from aioxen.fleet import subjects, wire
from aioxen.fleet.agent import Agent
from aioxen.fleet.identity import Identity
from aioxen.fleet.outgoing import Outgoing
from aioxen.fleet.sequence import BEAT, Sequence
from aioxen.fleet.state import Teller

log: logging.Logger = logging.getLogger("aioxen.fleet")

MOST_REQUESTS = 4096
"""The greatest number of requests that wait to be read. NATS's client drops further requests."""
MOST_OUTGOING = 8192
MOST_OCTETS = 64 << 20
"""The greatest size of the replies that wait to be sent, and of the events and the lines of the audit log."""
WEEK = 7 * 86400.0
_STREAMS = [
    StreamConfig(name=name, subjects=[subject], max_bytes=most, max_age=WEEK, duplicate_window=120)
    for name, subject, most in (
        (subjects.EVENTS, subjects.ALL_EVENTS, 1 << 30),
        (subjects.AUDIT, subjects.ALL_AUDIT, 1 << 28),
    )
]
"""The streams that the broker must keep."""
_PRESENCE = StreamConfig(
    name=subjects.HOSTS, subjects=[subjects.BEATS], max_msgs_per_subject=1, max_age=10.0,
    storage=StorageType.MEMORY,
)  # fmt: skip
"""The stream with the last heartbeat of each host. It shows a client from which hosts a heartbeat must
come."""


class NatsService:
    """Serves one agent."""

    def __init__(self, agent: Agent, sequence: Sequence, url: str, identity: Identity | None) -> None:
        self.agent = agent
        self.sequence = sequence
        self.url = url
        self.identity = identity
        self.nc: Any = None
        self._kept = True  # Whether the broker keeps streams.
        self._sent = 0  # The number of the last event that the broker has received.

    async def run(self, ready: Callable[[], None]) -> None:
        """Serves until this task is cancelled. Calls `ready` when requests are accepted."""
        host = self.agent.host
        options: dict[str, Any] = {"tls": self.identity.tls()} if self.identity else {}
        self.nc = await nats.connect(
            self.url,
            name=f"aioxen-agent {host}",
            inbox_prefix=subjects.inbox(host).encode(),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            connect_timeout=5,
            ping_interval=5,
            max_outstanding_pings=2,
            allow_reconnect=True,
            error_cb=self._on_error,
            reconnected_cb=self._on_reconnected,
            **options,
        )
        self._replies: Outgoing[tuple[str, bytes]] = Outgoing(
            self._reply, MOST_OUTGOING, MOST_OCTETS, lambda item: len(item[1])
        )
        teller = Teller(self.agent, lambda state: self._replies.put((f"xen.st.{host}", state)))
        self._stored: Outgoing[tuple[str, bytes, str, int]] = Outgoing(
            self._store, MOST_OUTGOING, MOST_OCTETS, lambda item: len(item[1])
        )
        self.sequence.listeners.append(self._on_event)
        self.agent.audit.listeners.append(self._on_audit)
        try:
            await self._make_streams()
            request = subjects.requests(host, "*")
            await self.nc.subscribe(request, cb=self._on_request, pending_msgs_limit=MOST_REQUESTS)
            await self.nc.subscribe(subjects.HELLO, cb=self._on_hello)
            await self.nc.subscribe(subjects.LOOK, cb=partial(self._on_look, teller))
            ready()
            while True:
                self._beat()
                await asyncio.sleep(BEAT)
        finally:
            teller.close()
            await asyncio.shield(self._end())

    async def _end(self) -> None:
        """Ends the calls. Sends the last replies and the last heartbeat."""
        await self.agent.aclose()
        self._beat("bye")
        await self._replies.aclose()
        await self._stored.aclose()
        await self.nc.close()

    async def _make_streams(self) -> None:
        js = self.nc.jetstream()
        for config in (*_STREAMS, _PRESENCE):
            try:
                await js.add_stream(config)
            except (NatsError, StreamError, TimeoutError) as error:
                log.warning("the broker does not keep the stream %s: %s", config.name, error)
                self._kept = self._kept and config is _PRESENCE

    # Received messages

    async def _on_request(self, message: Msg) -> None:
        sink = partial(self._put_reply, message.reply)
        call = message.subject.rpartition(".")[2]
        self.agent.accept(message.data, message.headers or {}, sink, None, call)

    async def _on_look(self, teller: Teller, message: Msg) -> None:
        teller.look()

    async def _on_hello(self, message: Msg) -> None:
        self._beat()

    # Sent messages

    def _put_reply(self, subject: str, reply: bytes) -> None:
        if subject.startswith(f"xen.re.{self.agent.host}."):
            self._replies.put((subject, reply))

    def _beat(self, state: str = "up") -> None:
        # Events that still wait for the broker are not lost. Events that did not fit in the queue are lost.
        sent = None if self._stored.idle else self._sent
        beat = self.sequence.beat(len(self.agent.calls), state, sent)
        self._replies.put((f"xen.hb.{self.agent.host}", beat))

    def _on_event(self, number: int, kind: str, message: bytes) -> None:
        subject = f"xen.ev.{self.agent.host}.{kind}"
        self._stored.put((subject, message, f"{self.agent.host}-{self.sequence.epoch}-{number}", number))

    def _on_audit(self, line: bytes) -> None:
        self._stored.put((f"xen.au.{self.agent.host}", line, wire.new_id(), 0))

    async def _reply(self, item: tuple[str, bytes]) -> None:
        try:
            await self.nc.publish(*item)
        except NatsError as error:  # NATS's client has no room while there is no connection.
            log.warning("a reply is dropped: %s", error)

    async def _store(self, item: tuple[str, bytes, str, int]) -> None:
        await self._publish(*item[:3])
        self._sent = item[3] or self._sent

    async def _publish(self, subject: str, message: bytes, id: str) -> None:
        """Publishes a message until the broker has stored it. The message's id makes a repetition
        harmless."""
        while self._kept:
            try:
                await self.nc.jetstream().publish(subject, message, timeout=1.5, headers={"Nats-Msg-Id": id})
                return
            except NoStreamResponseError:
                if self.nc.is_connected:  # The broker has lost the stream, or has none.
                    await self._make_streams()
                await asyncio.sleep(0.5)
            except (NatsError, StreamError, TimeoutError) as error:
                log.info("an event is sent again: %s", error)
                await asyncio.sleep(0.5)
        await self._reply((subject, message))

    async def _on_error(self, error: Exception) -> None:
        log.warning("broker: %s", error)

    async def _on_reconnected(self) -> None:
        self.sequence.link += 1
        self._beat()
