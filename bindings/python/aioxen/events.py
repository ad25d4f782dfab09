# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owns Events, a subscription to the events of domains. It is an asynchronous iterator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar, cast

from aioxen._queue import EventsLost, Queue
from aioxen.types import DomainGone, Event

if TYPE_CHECKING:
    from aioxen.context import Context

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Events(Generic[E_co]):
    """A subscription, made by Context.events() or device_events(): `async for event in xen.events():`.

    The iteration yields the events that were asked for, and an EventsLost where some were lost. For a type
    checker, `xen.events(types=[DomainShutdown])` is an Events[DomainShutdown]. It yields DomainShutdown and
    EventsLost.

    One task at a time may read the subscription. The subscription ends with aclose(), at the end of `async
    with`, and when the object is garbage-collected.
    """

    def __init__(
        self,
        xen: Context,
        token: int,
        domid: int | None,
        types: Iterable[type[E_co]] | None,
        capacity: int,
        devices: bool = False,
    ) -> None:
        self._queue = Queue(capacity, types)
        self._waiter: asyncio.Future[None] | None = None
        self._domid = domid
        self._xen = xen
        self._devices = devices
        self._generator = xen._evenable(domid, token, devices)
        xen._streams[token] = self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E_co | EventsLost:
        while (event := self._queue.get()) is None:
            if self._generator is None:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("another task is reading these events")
            # The context's _loop is None if the loop was closed before the context.
            loop = self._xen._loop or self._xen._running_loop()
            # asyncio raises RuntimeError if another loop awaits this future.
            self._waiter = loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return cast("E_co | EventsLost", event)  # The queue holds only events of the wanted types.

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the subscription. Events that were delivered before can still be read. After these events,
        the iteration ends."""
        self._finish()

    def _put(self, event: Event) -> None:
        """Delivers an event. After an interrupt, the caller may repeat the call with the same event."""
        if self._generator is None:
            return
        self._queue.put(event)
        self._wake()
        if self._domid is not None and isinstance(event, DomainGone):
            self._finish()

    def _finish(self) -> None:
        if self._generator is not None:
            self._xen._evdisable(self._generator, self._devices)
            self._generator = None
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __copy__(self) -> NoReturn:
        raise TypeError("an Events object cannot be copied: deleting one would end the subscription of both")

    def __del__(self) -> None:
        if getattr(self, "_generator", None) is not None:
            self._xen._evdisable(self._generator, self._devices)
