# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package for trio: `async with aioxen.trio.Context() as xen:`.

Context is aioxen.Context with other futures. Scopes, nurseries and timeouts of trio work as usual:

    with trio.move_on_after(10):
        reason = await dom.wait_shutdown()

    async with trio.open_nursery() as nursery:
        for dom in domains:
            nursery.start_soon(dom.destroy)

An operation starts when its method is called, as it does in asyncio. If the scope around an `await` is
cancelled, the C library is asked to abort the operation, and the `await` ends when the operation has ended.
If the operation has succeeded nevertheless, the `await` returns its value, and the next checkpoint raises
Cancelled.

Every `await` is a checkpoint. An instant operation is complete when its method returns, but awaiting it may
still raise Cancelled. Awaiting an operation that another task has stopped by cancel() raises AbortedError.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Generic, TypeVar, cast

import trio

from aioxen import _loop_context, console, context, errors, events, operation
from aioxen._queue import EventsLost
from aioxen._shutdown import ShutdownFuture
from aioxen._spec import DomainLike
from aioxen.types import ConsoleType, Event, ShutdownReason

__all__ = ["Console", "Context", "Events", "Operation", "UndoableOperation"]

T = TypeVar("T")
E_co = TypeVar("E_co", bound=Event, covariant=True)


# Waiting for a future


async def _wait(future: asyncio.Future[T]) -> T:
    """Awaits a future of this module."""
    if future.get_loop() is not _running_loop():
        raise RuntimeError(f"{future!r} belongs to another run of trio")
    if not future.done():
        await _park(future)
    elif isinstance(future, Operation) and future._is_instant():
        await trio.lowlevel.checkpoint()
    else:
        await trio.lowlevel.cancel_shielded_checkpoint()
    if future.cancelled():
        raise errors.AbortedError(f"{future!r}")
    return future.result()


async def _park(future: asyncio.Future[Any]) -> None:
    """Suspends the task until the future is done. Raises Cancelled if a cancelled scope has stopped the
    operation."""
    task = trio.lowlevel.current_task()
    parked = True
    cancelled: Callable[[], None] | None = None

    def wake(_: object) -> None:
        nonlocal parked
        if parked:
            parked = False
            trio.lowlevel.reschedule(task)

    def abort(raise_cancel: Callable[[], None]) -> trio.lowlevel.Abort:
        nonlocal parked, cancelled
        if isinstance(future, Operation | _Shutdown):
            cancelled = raise_cancel
            future._abort()
            return trio.lowlevel.Abort.FAILED
        parked = False
        future.cancel()
        return trio.lowlevel.Abort.SUCCEEDED

    future.add_done_callback(wake)
    await trio.lowlevel.wait_task_rescheduled(abort)
    if cancelled and not future.cancelled() and isinstance(future.exception(), errors.AbortedError):
        cancelled()


async def _wait_stopped(future: asyncio.Future[Any], error: BaseException) -> Any:
    """Cancels the future, waits until it is done, and raises the error."""
    future.cancel()
    with trio.CancelScope(shield=True), contextlib.suppress(Exception):
        await _wait(future)
    raise error


class _Awaitable(Generic[T]):
    """A part of a future's class. Awaiting the future suspends a task of trio."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, T]:
        return _wait(cast("asyncio.Future[T]", self)).__await__()

    def _wait_stopped(self, error: BaseException) -> Generator[Any, None, Any]:
        return _wait_stopped(cast("asyncio.Future[T]", self), error).__await__()


class _Future(_Awaitable[T], asyncio.Future[T]):
    """A future that the package completes."""


class Operation(_Awaitable[T], operation.Operation[T]):
    """A started operation: an awaitable, and a coroutine that is already running."""

    __slots__ = ()

    def _is_instant(self) -> bool:
        return self._spec is None or self._spec.instant


class _Undo(_Awaitable[None], operation.Undo):
    __slots__ = ()


class UndoableOperation(Operation[T], operation.UndoableOperation[T]):
    """An operation with an undo, for `async with xen.domain_create(config) as domain:`."""

    __slots__ = ()
    _undo_type: type[operation.Undo] = _Undo


class _Shutdown(_Awaitable[Any], ShutdownFuture):
    def _abort(self) -> None:
        for part in self._operations:
            part._abort()


# The loop


class Loop:
    """The methods of an event loop that the package needs, in one run of trio. Callbacks run in system tasks.

    asyncio accepts such an object as the loop of a future or of a handle.
    """

    def __init__(self) -> None:
        self._self: Any = self  # An asyncio.AbstractEventLoop for the type checker.
        self._token = trio.lowlevel.current_trio_token()
        self._scopes: dict[object, trio.CancelScope] = {}
        self._closed = False
        trio.lowlevel.spawn_system_task(self._until_end)

    async def _until_end(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._closed = True

    def is_closed(self) -> bool:
        return self._closed

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Logs a message, and an exception that no caller sees."""
        import logging  # The module is imported here to keep the import of the package fast.

        logging.getLogger("aioxen").error(context["message"], exc_info=context.get("exception"))

    def create_future(self) -> _Future[Any]:
        return _Future(loop=self._self)

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self._self, context)
        self._token.run_sync_soon(_run, handle)
        return handle

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(trio.current_time() + delay, callback, args, self._self)

        async def run() -> None:
            await trio.sleep(delay)
            self._scopes.pop(id(timer), None)
            _run(timer)

        self._spawn(id(timer), run)
        return timer

    def _timer_handle_cancelled(self, timer: asyncio.TimerHandle) -> None:
        self._stop(id(timer))

    def add_reader(self, fd: int, callback: Callable[..., object], *args: Any) -> None:
        self._watch(trio.lowlevel.wait_readable, fd, callback, args)

    def remove_reader(self, fd: int) -> bool:
        return self._stop((trio.lowlevel.wait_readable, fd))

    def add_writer(self, fd: int, callback: Callable[..., object], *args: Any) -> None:
        self._watch(trio.lowlevel.wait_writable, fd, callback, args)

    def remove_writer(self, fd: int) -> bool:
        return self._stop((trio.lowlevel.wait_writable, fd))

    def _watch(
        self,
        wait: Callable[[int], Awaitable[None]],
        fd: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
    ) -> None:
        handle = asyncio.Handle(callback, args, self._self)

        async def run() -> None:
            # The descriptor may be closed once it is not watched any more.
            while self._scopes.get((wait, fd)) is scope:
                await wait(fd)
                _run(handle)

        scope = self._spawn((wait, fd), run)

    def _spawn(self, key: object, work: Callable[[], Awaitable[None]]) -> trio.CancelScope:
        self._stop(key)
        scope = self._scopes[key] = trio.CancelScope()

        async def run() -> None:
            with scope:
                await work()

        trio.lowlevel.spawn_system_task(run)
        return scope

    def _stop(self, key: object) -> bool:
        scope = self._scopes.pop(key, None)
        if scope is not None:
            scope.cancel()
        return scope is not None

    def create_task(self, coro: Coroutine[Any, Any, T]) -> _Future[T]:
        """Runs a coroutine to its end, and returns the future of its result."""
        future = self.create_future()

        async def run() -> None:
            try:
                with trio.CancelScope(shield=True):
                    future.set_result(await coro)
            except Exception as error:
                future.set_exception(error)

        trio.lowlevel.spawn_system_task(run)
        return future

    def run_in_executor(self, executor: None, func: Callable[..., T], *args: Any) -> _Future[T]:
        return self.create_task(trio.to_thread.run_sync(partial(func, *args)))


def _run(handle: asyncio.Handle) -> None:
    if not handle.cancelled():
        handle._run()


_loop: trio.lowlevel.RunVar[Any] = trio.lowlevel.RunVar("aioxen")


def _running_loop() -> asyncio.AbstractEventLoop:
    """Returns the Loop of the current run of trio."""
    loop: asyncio.AbstractEventLoop | None = _loop.get(None)
    if loop is None:
        loop = Loop()._self
        _loop.set(loop)
    return loop


# The public classes


class Events(events.Events[E_co]):
    """A subscription to events, made by Context.events() or device_events()."""

    async def __anext__(self) -> E_co | EventsLost:
        await trio.lowlevel.checkpoint()
        return await super().__anext__()


class Console(console.Console):
    """A domain's console, made by Domain.console()."""

    async def read(self, most: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return await super().read(most)

    async def readline(self) -> bytes:
        await trio.lowlevel.checkpoint()
        return await super().readline()

    async def expect(
        self,
        pattern: str | bytes | re.Pattern[bytes],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> re.Match[bytes]:
        await trio.lowlevel.checkpoint()
        return await super().expect(pattern, timeout)

    async def write(self, data: bytes | str) -> None:
        await trio.lowlevel.checkpoint()
        await super().write(data)


class Context(context.Context):
    """The context for trio. It belongs to the run of trio in which it is used first."""

    _operation_types: _loop_context.OperationTypes = Operation, UndoableOperation
    _lock_type = trio.Lock

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        return _running_loop()

    async def _wait_uncancelled(self, future: asyncio.Future[T]) -> T:
        with trio.CancelScope(shield=True):
            result = await _wait(future)
        await trio.lowlevel.checkpoint_if_cancelled()
        return result

    def _timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return _timeout(seconds)

    def _console(self, domain: DomainLike, number: int, kind: ConsoleType, limit: int) -> console.Console:
        return Console(self, domain, number, kind, limit)

    def _shutdown(
        self, request: operation.Operation[None], stopped: operation.Operation[ShutdownReason]
    ) -> ShutdownFuture:
        return _Shutdown(request, stopped)

    def _events(
        self, domid: int | None, types: Iterable[type[Event]] | None, capacity: int, devices: bool
    ) -> events.Events[Event]:
        return Events(self, domid, types, capacity, devices=devices)


@contextlib.asynccontextmanager
async def _timeout(seconds: float | None) -> AsyncIterator[None]:
    with trio.CancelScope() as scope:
        if seconds is not None:
            scope.deadline = trio.current_time() + seconds
        yield
    if scope.cancelled_caught:
        raise TimeoutError
