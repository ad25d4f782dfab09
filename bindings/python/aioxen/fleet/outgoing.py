# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Outgoing, a bounded queue of messages with the task that sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Outgoing(Generic[T]):
    """Sends items one after the other. Drops an item if the queue is full; clients repeat their requests.

    most: The greatest number of items.

    most_octets: The greatest size of all items together. An item that is larger is sent if no other item
    waits.

    size: Returns the size of an item, in octets.
    """

    def __init__(
        self, send: Callable[[T], Awaitable[None]], most: int, most_octets: int, size: Callable[[T], int]
    ) -> None:
        self._send = send
        self._queue: asyncio.Queue[T] = asyncio.Queue()
        self._most = most
        self._most_octets = most_octets
        self._size = size
        self._waiting: int = 0
        self._octets: int = 0
        self.dropped: int = 0
        """The number of items that were dropped."""
        self._task = asyncio.create_task(self._run())

    def put(self, item: T) -> None:
        """Queues an item. Does not wait."""
        size = self._size(item)
        if self._waiting and (self._waiting > self._most or self._octets + size > self._most_octets):
            self.dropped += 1
            return
        self._queue.put_nowait(item)
        self._waiting += 1
        self._octets += size

    @property
    def idle(self) -> bool:
        """Whether no item waits to be sent."""
        return not self._waiting

    async def _run(self) -> None:
        while True:
            item = await self._queue.get()
            await self._send(item)
            self._waiting -= 1
            self._octets -= self._size(item)
            self._queue.task_done()

    async def aclose(self, patience: float = 1.0) -> None:
        """Sends what is queued, for at most `patience` seconds, and ends the task."""
        try:
            async with asyncio.timeout(patience):
                await self._queue.join()
        except TimeoutError:
            pass
        self._task.cancel()
        await asyncio.wait([self._task])
