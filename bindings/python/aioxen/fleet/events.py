# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owns the events of a fleet: FleetEvent, and FleetEvents, which is an asynchronous iterator."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime
from types import TracebackType
from typing import NamedTuple, Self

from aioxen._fleet_operations import EVENTS
from aioxen._queue import EventsLost
from aioxen.errors import InvalidError
from aioxen.fleet import wire
from aioxen.fleet.link import Events as Source
from aioxen.types import Event

log: logging.Logger = logging.getLogger("aioxen.fleet")

MOST_EVENT = 64 << 10


class FleetEvent(NamedTuple):
    """Something that has happened on a host."""

    host: str
    """The host's name."""
    event: Event | EventsLost
    """What has happened. EventsLost: events of this host were lost; `count` is 0 if their number is
    unknown."""
    time: datetime
    """When, by the host's clock, in UTC."""
    epoch: str
    """The run of the host's agent in which `number` counts."""
    number: int
    """The number of the event. Each event of a run has the number of the one before plus 1."""


class FleetEvents:
    """A subscription, made by Fleet.events(): `async for e in f.events():`.

    The numbers of the events tell what was lost between the host and this program, and the iteration yields
    an EventsLost there. When an agent was started anew, it yields EventsLost(0), and the agent reports the
    state of each domain again.
    """

    def __init__(self, capacity: int) -> None:
        self._waiting: deque[tuple[str | None, bytes]] = deque()
        self._capacity = capacity
        self._wake = asyncio.Event()
        self._closed = False
        self._seen: dict[str, tuple[str, int]] = {}
        self._next: FleetEvent | None = None
        self._source: Source | None = None
        self.position: str | None = None
        """Where the broker has stored the last event that was read, for `since`. None: it keeps none."""

    def _put(self, position: str | None, message: bytes) -> None:
        if len(self._waiting) < self._capacity:  # The number of a later event shows the loss.
            self._waiting.append((position, message))
            self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FleetEvent:
        while True:
            if self._next is not None:
                found, self._next = self._next, None
                return found
            while not self._waiting:
                if self._closed:
                    raise StopAsyncIteration
                self._wake.clear()
                await self._wake.wait()
            position, message = self._waiting.popleft()
            self.position = position or self.position
            try:
                event = _read(message)
            except InvalidError as error:
                log.warning("an event that cannot be read: %s", error.message)
                continue
            if (found_now := self._checked(event)) is not None:
                return found_now

    def _checked(self, event: FleetEvent) -> FleetEvent | None:
        """Returns the event, or the loss before it, or None for an event that has come before."""
        epoch, number = self._seen.get(event.host, ("", 0))
        lost = None
        if epoch == event.epoch:
            if event.number <= number:
                return None
            if event.number > number + 1:
                lost = event.number - number - 1
        elif epoch:
            if int(event.epoch, 16) < int(epoch, 16):
                return None
            lost = 0
        self._seen[event.host] = event.epoch, event.number
        if lost is None:
            return event
        self._next = event
        return event._replace(event=EventsLost(lost))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the subscription. Events that have come can still be read."""
        self._closed = True
        self._wake.set()
        if self._source is not None:
            source, self._source = self._source, None
            await source.aclose()


def _read(message: bytes) -> FleetEvent:
    given = wire.loads(message, MOST_EVENT)
    kind, body = wire.member(given, "kind", str), wire.member(given, "event", dict)
    epoch: str = wire.member(given, "epoch", str)
    try:
        int(epoch, 16)
        time = datetime.fromtimestamp(wire.member(given, "time", int, float), UTC)
    except (ValueError, OverflowError):
        raise InvalidError("epoch, time: wrong") from None
    event: Event | EventsLost
    if kind == "lost":
        event = EventsLost(wire.member(body, "count", int))
    elif kind in EVENTS:
        event = EVENTS[kind].decode(body)
    else:
        raise InvalidError(f"kind: there is no event {kind[:40]!r}")
    host, number = wire.member(given, "host", str), wire.member(given, "number", int)
    return FleetEvent(host, event, time, epoch, number)
