# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Subscription, the asynchronous iterator over the events of one event generator of the C
library."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from aioxen._closing import Closing
from aioxen._queue import EventsLost, Queue
from aioxen.types import Event

if TYPE_CHECKING:
    from aioxen._base import Generator
    from aioxen._loop_context import LoopContext

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Subscription(Closing, Generic[E_co]):
    """An asynchronous iterator over events: `async for event in subscription:`.

    One task at a time may read the subscription. The subscription ends with aclose(), at the end of `async
    with`, and when the object is garbage-collected.
    """

    def __init__(
        self, xen: LoopContext, queue: Queue, kind: str, about: Any, domid: int | None = None
    ) -> None:
        """Enables the event generator `kind`. `about` is the first input of its C function, and `domid` the
        domain that an error names."""
        self._queue = queue
        self._waiter: asyncio.Future[None] | None = None
        self._xen = xen
        token = next(xen._tokens)
        self._generator: Generator | None = xen._evenable(kind, about, token, domid=domid)
        xen._streams[token] = self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E_co | EventsLost:
        while (event := self._queue.get()) is None:
            if self._generator is None:
                self._raise_end()
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
        # The queue holds only events of the wanted types. An interrupt in cast() would lose the event.
        return event  # type: ignore[return-value]

    async def aclose(self) -> None:
        """Ends the subscription. Events that were delivered before can still be read. After these events,
        the iteration ends."""
        self._finish()

    def _raise_end(self) -> NoReturn:
        """Ends the iteration, because the subscription has ended and its events were read."""
        raise StopAsyncIteration

    def _put(self, event: Event) -> None:
        """Delivers an event. After an interrupt, the caller may repeat the call with the same event."""
        if self._generator is None:
            return
        self._queue.put(event)
        self._wake()

    def _finish(self) -> None:
        if self._generator is not None:
            self._generator.disable()
            self._generator = None
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __copy__(self) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"an {name} object cannot be copied: deleting one would end the subscription of both")

    def __del__(self) -> None:
        # The attribute is missing if the generator could not be enabled.
        if generator := getattr(self, "_generator", None):
            generator.disable()
