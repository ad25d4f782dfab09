# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client's connection to NATS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import ssl
import time
from collections.abc import Collection, Mapping
from typing import Any

import nats
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import Error as StreamError

from aioxen.fleet import subjects
from aioxen.fleet.identity import Identity
from aioxen.fleet.link import Events, Link, Put, Receiver
from aioxen.fleet.outgoing import Outgoing
from aioxen.fleet.url import Url

log: logging.Logger = logging.getLogger("aioxen.fleet")

FORBIDDEN = re.compile(r"permissions violation for publish to .?\"xen\.([^.\"]+)\.([^.\"]+)", re.IGNORECASE)
MOST_OUTGOING = 65536
MOST_OCTETS = 64 << 20
"""The greatest size of the requests that wait to be sent."""
SOON = 0.02
STALLED = 5.0
"""The longest wait, in seconds, for the next event of the broker's stream. After that the client subscribes
again."""
ANSWER = 10.0
"""How long the first connection may take, in seconds."""


class NatsLink(Link):
    """A connection to a broker. NATS's client restores a lost connection."""

    def __init__(self, url: Url, identity: Identity | None, name: str) -> None:
        url.require_encryption(identity is not None)
        self.url = url
        self.identity = identity
        self.name: str = identity.name if identity else name
        self.session: str = secrets.token_urlsafe(9)
        self.nc: Any = None
        self._streams: list[NatsEvents] = []
        self._refused = asyncio.Event()

    async def open(self, receiver: Receiver) -> None:
        self.receiver = receiver
        options: dict[str, Any] = {"tls": self.identity.tls()} if self.identity else {}
        self._failure: Exception | None = None
        opening = asyncio.create_task(
            nats.connect(
                self.url.broker,
                name=f"aioxen {self.name}",
                inbox_prefix=subjects.inbox(self.name).encode(),
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,
                connect_timeout=5,
                ping_interval=5,
                max_outstanding_pings=2,
                error_cb=self._on_error,
                reconnected_cb=self._on_reconnected,
                **options,
            )
        )
        refused = asyncio.create_task(self._refused.wait())
        await asyncio.wait([opening, refused], timeout=ANSWER, return_when=asyncio.FIRST_COMPLETED)
        refused.cancel()
        if not opening.done() or opening.exception() is not None:
            opening.cancel()
            await asyncio.wait([opening])
            if self._refused.is_set():
                raise PermissionError(f"{self.url.broker}: the certificate is refused: {self._failure}")
            raise ConnectionError(f"{self.url.broker}: no broker answers: {self._failure}")
        self.nc = opening.result()
        self._outgoing: Outgoing[tuple[str, bytes, str, dict[str, str]]] = Outgoing(
            self._publish, MOST_OUTGOING, MOST_OCTETS, lambda item: len(item[1])
        )
        mine = subjects.replies("*", self.name, self.session, "*")
        await self.nc.subscribe(mine, cb=self._on_reply)
        await self.nc.subscribe(subjects.BEATS, cb=self._on_beat)
        await self.nc.publish(subjects.HELLO, b"")
        await self.nc.flush()

    async def aclose(self) -> None:
        await self._outgoing.aclose()
        for stream in list(self._streams):
            await stream.aclose()
        await self.nc.close()

    def send(self, host: str, call: str, id: str, message: bytes, headers: Mapping[str, str]) -> None:
        answer = subjects.replies(host, self.name, self.session, id)
        self._outgoing.put((subjects.requests(host, call), message, answer, dict(headers)))

    async def _publish(self, item: tuple[str, bytes, str, dict[str, str]]) -> None:
        subject, message, answer, headers = item
        try:
            await self.nc.publish(subject, message, answer, headers or None)
        # While there is no connection, NATS's client may have no room for a message. Fleet sends it again.
        except NatsError as error:
            log.warning("a message is dropped: %s", error)

    async def _on_reply(self, message: Msg) -> None:
        host, id = _host_of(message), message.subject.rpartition(".")[2]
        if message.headers and message.headers.get("Status") == "503":
            self.receiver.on_absent(host, id)
        else:
            self.receiver.on_reply(host, message.data)

    async def _on_beat(self, message: Msg) -> None:
        self.receiver.on_beat(_host_of(message), message.data)

    async def _on_error(self, error: Exception) -> None:
        self._failure = error
        if isinstance(error, ssl.SSLError) or "authorization violation" in str(error).lower():
            self._refused.set()
        if found := FORBIDDEN.search(str(error)):
            self.receiver.on_forbidden(found[1], found[2])
        else:
            log.info("broker: %s", error)

    async def _on_reconnected(self) -> None:
        await self.nc.publish(subjects.HELLO, b"")
        self.receiver.on_connected()
        for stream in self._streams:
            stream.renew()

    async def present(self) -> Collection[str] | None:
        try:
            info = await self.nc.jetstream().stream_info(subjects.HOSTS, subjects_filter=subjects.BEATS)
        except (NatsError, StreamError, TimeoutError) as error:
            log.info("the broker does not know the hosts: %s", error)
            return None
        return [subject.rpartition(".")[2] for subject in info.state.subjects or {}]

    async def events(self, since: str | None, put: Put, audit: bool) -> Events:
        stream = NatsEvents(self, since, put, audit)
        await stream.subscribe()
        self._streams.append(stream)
        return stream


def _host_of(message: Msg) -> str:
    """Returns the host that has sent a message. The broker lets a host send only on its own subjects."""
    host: str = message.subject.split(".")[2]
    return host


class NatsEvents(Events):
    """A subscription. If the broker keeps a stream, the subscription reads this stream.

    When the connection was lost and restored, the subscription continues after the last message that it has
    read.
    """

    def __init__(self, link: NatsLink, since: str | None, put: Put, audit: bool) -> None:
        self.link = link
        self.put = put
        self.subject = subjects.ALL_AUDIT if audit else subjects.ALL_EVENTS
        self.stream = subjects.AUDIT if audit else subjects.EVENTS
        self.last: int = int(since) if since and since != "all" else 0
        self.wanted: bool = since is not None
        self.kept: bool = False
        """Whether the broker keeps a stream, from which this subscription reads."""
        self.subscription: Any = None
        self.renewing: asyncio.Task[None] | None = None

    async def subscribe(self) -> None:
        js = self.link.nc.jetstream()
        try:
            state = (await js.stream_info(self.stream)).state
            if not self.kept and not self.wanted:
                self.last = state.last_seq
            elif state.last_seq < self.last:
                self.last = 0  # The broker has lost its stream, and counts anew.
            config = ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self.last + 1
            )
            self.subscription = await js.subscribe(
                self.subject, stream=self.stream, ordered_consumer=True, cb=self._on_stored, config=config
            )
            self.kept = True
        except (NatsError, StreamError, TimeoutError) as error:
            if self.wanted or self.kept:
                raise ConnectionError(f"the broker's stream {self.stream} cannot be read: {error}") from None
            self.subscription = await self.link.nc.subscribe(self.subject, cb=self._on_message)

    async def _on_stored(self, message: Msg) -> None:
        sequence = message.metadata.sequence.stream
        if sequence > self.last:
            self.last = sequence
            self.put(_host_of(message), str(sequence), message.data)

    async def _on_message(self, message: Msg) -> None:
        self.put(_host_of(message), None, message.data)

    def renew(self) -> None:
        """Subscribes anew, because the broker may have forgotten its consumer."""
        if self.kept and (self.renewing is None or self.renewing.done()):
            self.renewing = asyncio.create_task(self._renew())

    async def caught_up(self) -> None:
        try:
            if not self.kept:
                await self.link.nc.flush()
                while self.subscription.pending_msgs:
                    await asyncio.sleep(SOON)
                return
            state = (await self.link.nc.jetstream().stream_info(self.stream)).state
        except (NatsError, StreamError, TimeoutError) as error:
            raise ConnectionError(f"the broker does not answer: {error}") from None
        if state.last_seq < self.last:
            self.renew()
            raise ConnectionError("the broker has lost its stream")
        seen, moved = self.last, time.monotonic()
        while state.messages and self.last < state.last_seq:
            await asyncio.sleep(SOON)
            if self.last != seen:
                seen, moved = self.last, time.monotonic()
            elif time.monotonic() - moved > STALLED:
                self.renew()
                raise ConnectionError("the broker sends no events")

    async def _renew(self) -> None:
        while True:
            with contextlib.suppress(NatsError):
                await self.subscription.unsubscribe()
            try:
                return await self.subscribe()
            except (ConnectionError, NatsError):
                await asyncio.sleep(0.5)

    async def aclose(self) -> None:
        if self in self.link._streams:
            self.link._streams.remove(self)
        if self.renewing is not None:
            self.renewing.cancel()
        with contextlib.suppress(NatsError):
            await self.subscription.unsubscribe()
