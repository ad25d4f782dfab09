# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events between their occurrence and their reader: bounded, and honest about what did not fit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from aioxen import _values as v
from aioxen._fields import Fields
from aioxen.types import Event


class EventsLost(Fields):
    """The reader was too slow: here, `count` events are missing."""

    __slots__ = __match_args__ = ("count",)

    count: int
    """How many."""

    def __init__(self, count: int) -> None:
        self.count = count


def kinds(types: Iterable[type[Event]]) -> tuple[type[Event], ...]:
    """Of a wrong one nobody would hear before an event is looked at, which others wait for, too."""
    try:
        found = tuple(types)
    except TypeError:
        raise TypeError(f"types: a list of classes of events is expected, not {types!r}") from None
    for i, kind in enumerate(found):
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            raise TypeError(f"types[{i}]: a class of events is expected, not {kind!r}")
    return found


class Queue:
    """Holds up to `capacity` events in order. Where events were dropped, an EventsLost stands."""

    __slots__ = ("capacity", "types", "waiting", "dropped")

    def __init__(self, capacity: int, types: Iterable[type[Event]] | None) -> None:
        v.refuse_bool(capacity, "capacity")
        v.expect(capacity, int, "capacity")
        if capacity < 1:
            raise ValueError(f"capacity: {capacity!r} is less than 1")
        self.capacity = capacity
        self.types = None if types is None else kinds(types)
        self.waiting: deque[Event | EventsLost] = deque()
        self.dropped: Event | None = None  # the last that was

    def put(self, event: Event) -> None:
        """May be called again, with the event that it was interrupted with."""
        last = self.waiting[-1] if self.waiting else None
        if event is last or event is self.dropped:
            return
        if self.types is not None and not isinstance(event, self.types):
            return
        if len(self.waiting) < self.capacity:
            self.waiting.append(event)
            return
        if not isinstance(last, EventsLost):
            last = EventsLost(0)
            self.waiting.append(last)
        last.count, self.dropped = last.count + 1, event

    def get(self) -> Event | EventsLost | None:
        """The oldest, or None. Interrupts come after calls: there is none that would lose an event."""
        if not self.waiting:
            return None
        event = self.waiting[0]
        del self.waiting[0]
        return event
