# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Outgoing, a bounded queue of messages with the task that sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Outgoing(Generic[T]):
    """Sends items one after the other. Drops an item if the queue is full; clients repeat their requests."""

    def __init__(self, send: Callable[[T], Awaitable[None]], most: int) -> None:
        self._send = send
        self._queue: asyncio.Queue[T] = asyncio.Queue(most)
        self._waiting: int = 0
        self.dropped: int = 0
        """The number of items that were dropped."""
        self._task = asyncio.create_task(self._run())

    def put(self, item: T) -> None:
        """Queues an item. Does not wait."""
        try:
            self._queue.put_nowait(item)
            self._waiting += 1
        except asyncio.QueueFull:
            self.dropped += 1

    @property
    def idle(self) -> bool:
        """Whether no item waits to be sent."""
        return not self._waiting

    async def _run(self) -> None:
        while True:
            await self._send(await self._queue.get())
            self._waiting -= 1
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
