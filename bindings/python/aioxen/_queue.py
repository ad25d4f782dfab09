# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bounded queue that holds delivered events until they are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from aioxen import _values as v
from aioxen._fields import Fields
from aioxen.types import DomainEventsLost, Event


class EventsLost(Fields):
    """An item in the place of events that were lost.

    The reader was too slow, xenstored had ended, or the hypervisor refused to list its domains.
    """

    __slots__ = __match_args__ = ("count",)

    count: int
    """The number of events that were dropped because the reader was too slow. 0: the number is not known."""

    def __init__(self, count: int) -> None:
        self.count = count


def event_classes(types: Iterable[type[Event]]) -> tuple[type[Event], ...]:
    """Checks the classes of events when the subscription is made. So a wrong class raises no exception
    during the delivery of an event. Returns the classes."""
    try:
        found = tuple(types)
    except TypeError:
        raise TypeError(f"types: a list of classes of events is expected, not {types!r}") from None
    for i, kind in enumerate(found):
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            raise TypeError(f"types[{i}]: a class of events is expected, not {kind!r}")
    return found


class Queue:
    """Holds up to `capacity` events in order. An EventsLost takes the place of events that were dropped."""

    __slots__ = ("capacity", "types", "waiting", "dropped")

    def __init__(self, capacity: int, types: Iterable[type[Event]] | None) -> None:
        v.refuse_bool(capacity, "capacity")
        v.expect(capacity, int, "capacity")
        if capacity < 1:
            raise ValueError(f"capacity: {capacity!r} is less than 1")
        self.capacity: int = capacity
        self.types: tuple[type[Event], ...] | None = None if types is None else event_classes(types)
        self.waiting: deque[Event | EventsLost] = deque()
        self.dropped: Event | None = None  # The last event that was dropped.

    def put(self, event: Event) -> None:
        """Appends an event. After an interrupt, the caller may repeat the call with the same event."""
        last = self.waiting[-1] if self.waiting else None
        if event is last or event is self.dropped:
            return
        lost = isinstance(event, DomainEventsLost)
        if self.types is not None and not lost and not isinstance(event, self.types):
            return
        if lost and isinstance(last, EventsLost):
            return
        if lost or len(self.waiting) < self.capacity:
            self.waiting.append(EventsLost(0) if lost else event)
            return
        if not isinstance(last, EventsLost):
            last = EventsLost(0)
            self.waiting.append(last)
        last.count, self.dropped = last.count + 1, event

    def get(self) -> Event | EventsLost | None:
        """Removes and returns the oldest event, or None.

        No function is called between reading and removing the event. During such a call a signal handler
        could raise an exception, and the event would be lost.
        """
        if not self.waiting:
            return None
        event = self.waiting[0]
        del self.waiting[0]
        return event
