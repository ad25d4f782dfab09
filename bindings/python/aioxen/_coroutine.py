# SPDX-License-Identifier: LGPL-2.1-or-later
"""The methods that make a future a coroutine object, and functions that wait and that a cancellation does not
interrupt."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

if TYPE_CHECKING:

    class _Future(Coroutine[Any, Any, T_co]):
        def cancel(self, msg: Any = None) -> bool: ...

else:
    _Future = Generic


class CoroutineMethods(_Future[T_co]):
    """The methods of a coroutine object, for a future that is already running.

    With these methods TaskGroup.create_task() accepts the future. asyncio.wait() refuses the future, as it
    refuses every coroutine.
    """

    __slots__ = ()

    _steps: Generator[Any, None, T_co]
    """The state of the coroutine. The attribute is absent until send() or throw() is called."""

    def send(self, value: Any, /) -> Any:
        """Runs the coroutine until it waits for the future. Raises StopIteration with the result."""
        if not hasattr(self, "_steps"):
            self._steps = self.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        """Raises an error in the coroutine. If no task has awaited the future yet, the future is cancelled,
        and the error is raised when the future is done."""
        if hasattr(self, "_steps"):
            return self._steps.throw(*error)
        given = error[1] if len(error) > 1 and error[1] is not None else error[0]
        self._steps = self._wait_stopped(given() if isinstance(given, type) else given)
        return self._steps.send(None)

    def close(self) -> None:
        """Ends the coroutine. Cancels the future if it is not done."""
        self.cancel()
        if hasattr(self, "_steps"):
            self._steps.close()

    def _wait_stopped(self, error: BaseException) -> Generator[Any, None, T_co]:
        """Cancels the future, waits until the future is done, and raises the error."""
        self.cancel()
        yield from until_done(self)
        raise error


def await_in_next_turn(future: asyncio.Future[Any]) -> Generator[Any, None, Any]:
    """Lets the loop run once, and then waits for the future. Returns its result."""
    yield
    return (yield from asyncio.Future.__await__(future))


def until_done(future: Any) -> Generator[Any, None, None]:
    """Waits until the future is done. A cancellation of the waiting task is ignored."""
    while not future.done():
        future._asyncio_future_blocking = True
        with contextlib.suppress(asyncio.CancelledError):
            yield future


async def next_turn(loop: asyncio.AbstractEventLoop) -> None:
    """Lets the loop run once."""
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn


async def wait_uncancelled(future: asyncio.Future[T]) -> T:
    """Waits until the future is done, and returns its result. If the waiting task is cancelled,
    CancelledError is raised when the future is done."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None and not future.cancelled():
        raise cancelled
    return future.result()
