# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events between their occurrence and their reader: bounded, and honest about what did not fit."""

from __future__ import annotations

from collections import deque

from aioxen._fields import Fields
from aioxen.types import Event


class EventsLost(Fields):
    """The reader was too slow: here, `count` events are missing."""

    __slots__ = __match_args__ = ("count",)

    count: int
    """How many."""

    def __init__(self, count: int) -> None:
        self.count = count


class Queue:
    """Holds up to `capacity` events in order. Where events were dropped, an EventsLost stands."""

    __slots__ = ("capacity", "types", "waiting", "lost")

    def __init__(self, capacity: int, types: tuple[type[Event], ...] | None) -> None:
        if capacity < 1:
            raise ValueError(f"capacity: {capacity!r} is less than 1")
        self.capacity = capacity
        self.types = types
        self.waiting: deque[Event | EventsLost] = deque()
        self.lost: EventsLost | None = None

    def put(self, event: Event) -> None:
        if self.types is not None and not isinstance(event, self.types):
            return
        if len(self.waiting) < self.capacity:
            self.waiting.append(event)
            self.lost = None
        elif self.lost is not None:
            self.lost.count += 1
        else:
            self.lost = EventsLost(1)
            self.waiting.append(self.lost)

    def get(self) -> Event | EventsLost | None:
        """The oldest, or None."""
        if not self.waiting:
            return None
        oldest = self.waiting.popleft()
        if oldest is self.lost:
            self.lost = None
        return oldest
