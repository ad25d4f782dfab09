# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Events: a subscription to the events of domains, which is an asynchronous iterator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from aioxen._native import lib
from aioxen._queue import EventsLost as EventsLost
from aioxen._queue import Queue
from aioxen._subscription import Subscription
from aioxen.types import DomainGone, Event

if TYPE_CHECKING:
    from aioxen._loop_context import LoopContext

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Events(Subscription[E_co]):
    """A subscription, made by Context.events() or device_events(): `async for event in xen.events():`.

    The iteration yields the events that were asked for, and an EventsLost where some were lost. For a type
    checker, `xen.events(types=[DomainShutdown])` is an Events[DomainShutdown]. It yields DomainShutdown and
    EventsLost.

    One task at a time may read the subscription. The subscription ends with aclose(), at the end of `async
    with`, and when the object is garbage-collected.
    """

    def __init__(
        self,
        xen: LoopContext,
        domid: int | None,
        types: Iterable[type[E_co]] | None,
        capacity: int,
        devices: bool = False,
    ) -> None:
        self._domid = domid
        kind = "devices" if devices else "domain_lifecycle"
        number = lib.LIBXL_DOMID_ALL if domid is None else domid
        super().__init__(xen, Queue(capacity, types), kind, number, domid)

    def _put(self, event: Event) -> None:
        super()._put(event)
        if self._domid is not None and isinstance(event, DomainGone):
            self._finish()
