# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sequence of an agent's events, and its heartbeats.

The events of one run of the agent have the numbers 1, 2, 3 and so on. The epoch identifies the run. The
numbers show a reader whether events were lost.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import aioxen
from aioxen._fleet_operations import EVENTS
from aioxen.fleet import wire

KINDS = {row.kind: (word, row) for word, row in EVENTS.items()}
KEPT = 4096
"""How many of the last events the agent keeps for clients that connect again without a broker."""

BEAT = 1.0
"""The time between two heartbeats, in seconds."""

Listener = Callable[[int, str, bytes], None]
"""A function that takes an event: its number, its kind, and the message."""


class Sequence:
    """Numbers the events of a context, and passes them to listeners."""

    def __init__(self, xen: aioxen.Context, host: str) -> None:
        self.xen = xen
        self.host = host
        self.epoch: str = f"{time.time_ns():x}"
        self.number: int = 0
        self.link = 0
        """How often the agent has connected to the broker. When this number changes, clients send their
        pending requests again."""
        self.passage: str = ""
        """The address at which the agent receives guests. Empty: it receives no guests."""
        self.kept: deque[tuple[int, str, bytes]] = deque(maxlen=KEPT)
        self.listeners: list[Listener] = []

    async def follow(self) -> None:
        """Numbers the context's events, until this task is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(self.xen.events()))
            group.create_task(self._follow(self.xen.device_events()))

    async def _follow(self, events: aioxen.Events[Any]) -> None:
        async for event in events:
            if isinstance(event, aioxen.EventsLost):
                self.put("lost", {"count": event.count})
            elif type(event) in KINDS:
                word, row = KINDS[type(event)]
                self.put(word, row.encode(event))

    def put(self, kind: str, event: dict[str, Any]) -> None:
        """Gives an event the next number."""
        self.number += 1
        head = {"host": self.host, "epoch": self.epoch, "number": self.number, "time": time.time()}
        message = wire.dumps({**head, "kind": kind, "event": event})
        self.kept.append((self.number, kind, message))
        for listener in self.listeners:
            listener(self.number, kind, message)

    def beat(self, calls: int, state: str = "up", number: int | None = None) -> bytes:
        """Returns a heartbeat.

        state: "up", or "bye" for the last heartbeat. number: The number of the last event that was sent;
        None: all events were sent. If a reader gets the heartbeat without having got this event, the event is
        lost.
        """
        domains = len(self.xen.domain_list().result()) if not self.xen.closed else 0
        number = self.number if number is None else number
        head = {"host": self.host, "epoch": self.epoch, "number": number, "time": time.time()}
        more = {
            "state": state,
            "calls": calls,
            "link": self.link,
            "domains": domains,
            "version": aioxen.__version__,
            "passage": self.passage,
        }
        return wire.dumps(head | more)
