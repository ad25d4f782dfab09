# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events of a fleet: the class FleetEvent, and the class FleetEvents, which is an asynchronous
iterator."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple, Self

from aioxen._closing import Closing
from aioxen._fleet_operations import EVENTS
from aioxen._queue import EventsLost
from aioxen.errors import InvalidError
from aioxen.fleet import wire
from aioxen.fleet.link import Events as Source
from aioxen.types import Event

log: logging.Logger = logging.getLogger("aioxen.fleet")

MOST_EVENT = 64 << 10
EPOCH = re.compile(r"[0-9a-f]{1,20}", re.ASCII)


class FleetEvent(NamedTuple):
    """Something that has happened on a host."""

    host: str
    """The host's name."""
    event: Event | EventsLost
    """What has happened. EventsLost: events of this host were lost; `count` is 0 if their number is
    unknown."""
    time: datetime
    """The time of the event by the host's clock, in UTC."""
    epoch: str
    """Identifies the run of the host's agent. `number` counts the events of this run."""
    number: int
    """The number of the event. Each event of a run has the number of the one before plus 1. For EventsLost it
    is the number of the last event that was lost."""


class Mark(NamedTuple):
    """A heartbeat in the queue of a subscription. `number` is the number of the last event that the host had
    sent."""

    host: str
    epoch: str
    number: int
    time: datetime


class FleetEvents(Closing):
    """A subscription, made by Fleet.events(): `async for e in f.events():`.

    The numbers of the events show which events were lost between the host and this program. The iteration
    yields an EventsLost in their place. Heartbeats show a loss after the last event that has come. When an
    agent was started again, the iteration yields EventsLost(0), and the agent reports the state of each
    domain again.
    """

    def __init__(self, capacity: int, all_of: list[FleetEvents]) -> None:
        self._waiting: deque[tuple[str, str | None, bytes] | Mark] = deque()
        self._all_of = all_of
        # By host: the last heartbeat that was not compared with the events yet.
        self._beats: dict[str, Mark] = {}
        self._told = asyncio.Event()
        self._marked: set[str] = set()  # The hosts that have a mark in the queue.
        self._comparing: asyncio.Task[None] | None = None
        self._capacity = capacity
        self._wake = asyncio.Event()
        self._closed = False
        self._seen: dict[str, tuple[str, int]] = {}
        self._next: tuple[str | None, FleetEvent] | None = None
        self._source: Source | None = None
        self.position: str | None = None
        """The position in the broker's store of the last event that was read, for `since`. None: the broker
        keeps no events."""

    def _put(self, host: str, position: str | None, message: bytes) -> None:
        # Each host in _marked has a mark in _waiting. If this event is dropped, the number of a later event
        # shows the loss.
        if len(self._waiting) - len(self._marked) < self._capacity:
            self._waiting.append((host, position, message))
            self._wake.set()

    def _open(self, source: Source) -> None:
        self._source = source
        self._all_of.append(self)
        self._comparing = asyncio.create_task(self._compare(source))

    def _on_beat(self, host: str, epoch: str, number: int) -> None:
        seen_epoch, seen = self._seen.get(host, ("", -1))
        if seen_epoch != epoch or seen < number:
            self._beats[host] = Mark(host, epoch, number, datetime.now(UTC))
            self._told.set()

    async def _compare(self, source: Source) -> None:
        """Puts a mark for each heartbeat into the queue, after the events that were sent before the
        heartbeat."""
        while True:
            await self._told.wait()
            self._told.clear()
            beats, self._beats = self._beats, {}
            try:
                await source.caught_up()
            except OSError as error:  # The next heartbeat repeats the number.
                log.info("events are not complete: %s", error)
                continue
            for mark in beats.values():
                if mark.host not in self._marked:
                    self._marked.add(mark.host)
                    self._waiting.append(mark)
            self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FleetEvent:
        while True:
            if self._next is not None:
                (position, found), self._next = self._next, None
                self.position = position or self.position
                return found
            while not self._waiting:
                if self._closed:
                    raise StopAsyncIteration
                self._wake.clear()
                await self._wake.wait()
            item = self._waiting.popleft()
            if isinstance(item, Mark):
                if (lost := self._missed(item)) is not None:
                    return lost
                continue
            host, position, message = item
            try:
                event = _read(host, message)
            except InvalidError as error:
                log.warning("an event that cannot be read: %s", error.message)
                continue
            if (loss := self._loss(event.host, event.epoch, event.number)) is None:
                continue
            self._seen[event.host] = event.epoch, event.number
            if loss >= 0:
                self._next = position, event
                return event._replace(event=EventsLost(loss), number=event.number - 1)
            self.position = position or self.position
            return event

    def _missed(self, mark: Mark) -> FleetEvent | None:
        """Returns the loss of events that a heartbeat shows, or None."""
        self._marked.discard(mark.host)
        # An event with the mark's number was lost. So the loss is computed for the number after the mark's.
        loss = self._loss(mark.host, mark.epoch, mark.number + 1)
        if loss is None or (loss < 0 and mark.host in self._seen):
            return None
        self._seen[mark.host] = mark.epoch, mark.number
        return (
            FleetEvent(mark.host, EventsLost(loss), mark.time, mark.epoch, mark.number) if loss >= 0 else None
        )

    def _loss(self, host: str, epoch: str, number: int) -> int | None:
        """Returns how many events are missing before this event: -1 if no event is missing, 0 if the number
        of missing events is unknown, and None if this event has come before."""
        known, seen = self._seen.get(host, ("", 0))
        if known == epoch:
            return None if number <= seen else number - seen - 1 or -1
        if not known:
            return -1
        return None if int(epoch, 16) < int(known, 16) else 0

    async def aclose(self) -> None:
        """Ends the subscription. Events that have come can still be read."""
        self._closed = True
        self._wake.set()
        if self in self._all_of:
            self._all_of.remove(self)
        if self._comparing is not None:
            self._comparing.cancel()
        if self._source is not None:
            source, self._source = self._source, None
            await source.aclose()


def _read(sender: str, message: bytes) -> FleetEvent:
    """Reads an event. Raises InvalidError, also if the event names another host than its sender."""
    given = wire.loads(message, MOST_EVENT)
    kind, body = wire.member(given, "kind", str), wire.member(given, "event", dict)
    epoch: str = wire.member(given, "epoch", str)
    if not EPOCH.fullmatch(epoch):
        raise InvalidError("epoch: wrong")
    try:
        time = datetime.fromtimestamp(wire.member(given, "time", int, float), UTC)
    except (ValueError, OverflowError):
        raise InvalidError("time: wrong") from None
    event: Event | EventsLost
    if kind == "lost":
        event = EventsLost(wire.member(body, "count", int))
    elif kind in EVENTS:
        event = EVENTS[kind].decode(body)
    else:
        raise InvalidError(f"kind: there is no event {kind[:40]!r}")
    host, number = wire.member(given, "host", str), wire.member(given, "number", int)
    if host != sender:
        raise InvalidError(f"{sender} sends it in the name of {host[:63]!r}")
    return FleetEvent(host, event, time, epoch, number)
