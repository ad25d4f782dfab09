# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class LoopContext, the part of a context that works with the event loop: it starts operations, delivers
events, and closes the context. Its subclass Context has the methods for programs.

All code of this module runs in the event loop's thread. The loop watches the C context's descriptor.
When the descriptor is readable, a callback takes all queued records at once, completes the futures and
delivers the events.

A subclass for another asynchronous library overrides the methods that follow the comment "The asynchronous
library". Everything else in the package reaches the library through the context and its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from aioxen import _values as v
from aioxen import errors
from aioxen._base import BaseContext
from aioxen._core import ContextCore
from aioxen._coroutine import next_turn, wait_uncancelled
from aioxen._native import ffi, lib
from aioxen.operation import Operation, Stop, UndoableOperation
from aioxen.types import Event

if TYPE_CHECKING:
    from aioxen._shutdown import ShutdownFuture
    from aioxen._spec import CffiSpec, DomainLike, Progress
    from aioxen._subscription import Subscription
    from aioxen.console import Console
    from aioxen.events import Events
    from aioxen.types import ConsoleType, ShutdownReason

T = TypeVar("T")

OperationTypes: TypeAlias = tuple[type[Operation[Any]], type[UndoableOperation[Any]]]


class LoopContext(ContextCore, BaseContext):
    """A context that belongs to an event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: weakref.WeakValueDictionary[int, Subscription[Event]] = weakref.WeakValueDictionary()
        # The progress callback of each operation, by the operation's token.
        self._progress_callbacks: dict[int, Callable[[Any], None]] = {}
        self._last_progress: Event | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._bind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _bind(self) -> None:
        """Attaches the context to the running loop at the context's first use.

        A later operation does not check that the same loop runs, because the check would take as long as a
        whole instant operation. An UndoableOperation makes this check, and asyncio refuses to await other
        operations.

        Raises: ClosedError, after aclose(). RuntimeError, if another loop owns the context.
        """
        if self._closing is not None or self._c is None:
            raise errors.ClosedError("the context is closed")
        loop = self._running_loop()
        if loop is self._loop:
            return
        if self._loop is not None:
            if not self._loop.is_closed():
                raise RuntimeError("the context belongs to another event loop")
            if left := self._live_operations():
                raise RuntimeError(f"the context's event loop was closed before {left[0]!r} was done")
        loop.add_reader(lib.libxl_ctx_fd(self._c), self._deliver_events)
        loop.add_reader(self._log.fd, self._log.deliver)
        self._log.update_level()
        self._loop = loop
        self._attach_loop(int(ffi.cast("uintptr_t", self._c)), loop, *self._operation_types)

    # The asynchronous library

    _operation_types: OperationTypes = Operation, UndoableOperation
    _lock_type: Callable[[], AbstractAsyncContextManager[object]] = asyncio.Lock

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """Returns the loop in which the caller runs. RuntimeError is raised if there is none.

        Besides the methods of a future's loop, the package uses add_reader(), add_writer(), call_later(),
        create_future(), create_task() and run_in_executor().
        """
        return asyncio.get_running_loop()

    async def _wait_uncancelled(self, future: asyncio.Future[T]) -> T:
        """Waits until the future is done, and returns its result. A cancellation of the waiting task is
        raised when the future is done."""
        return await wait_uncancelled(future)

    def _timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Returns a block that ends with TimeoutError after the given time."""
        return asyncio.timeout(seconds)

    # The modules of the next three classes are imported here because not all programs need them.

    def _console(self, domain: DomainLike, number: int, kind: ConsoleType, limit: int) -> Console:
        from aioxen.console import Console

        return Console(self, domain, number, kind, limit)

    def _shutdown(self, request: Operation[None], stopped: Operation[ShutdownReason]) -> ShutdownFuture:
        from aioxen._shutdown import ShutdownFuture

        return ShutdownFuture(request, stopped)

    def _events(
        self, domid: int | None, types: Iterable[type[Event]] | None, capacity: int, devices: bool
    ) -> Events[Event]:
        """Subscribes to events, and returns the subscription."""
        from aioxen.events import Events

        return Events(self, domid, types, capacity, devices=devices)

    # Operations

    def _start_reporting(
        self, spec: CffiSpec, limit: float | None, progress: Progress[Any] | None, /, *inputs: Any
    ) -> Operation[Any]:
        how = ffi.new("libxl_asyncprogress_how *") if spec.reports and progress is not None else ffi.NULL
        if spec.reports:
            inputs = (*inputs, how)
        if progress is None:
            return self._start(spec, limit, *inputs)
        callback = progress if callable(progress) else getattr(progress, "put_nowait", None)
        if not callable(callback):
            raise TypeError(f"progress: a callable or a queue is expected, not {progress!r}")
        v.uuid_of(bytes(16))  # The module uuid is imported here, and not while events are delivered.
        token = next(self._tokens)
        if how:
            how.for_event = token
        operation: Operation[Any] | None = None
        self._progress_callbacks[token] = callback
        try:
            operation = self._start(spec, limit, *inputs)
            if operation._observed is not None:
                from aioxen.hooks import Both

                self._progress_callbacks[token] = Both(operation._observed, callback)
            operation._set_progress(token)
            operation.add_done_callback(lambda _: self._progress_callbacks.pop(token, None))
        except BaseException:  # This includes KeyboardInterrupt. The caller does not get the operation.
            self._progress_callbacks.pop(token, None)
            if operation is not None:
                operation.cancel()
            raise
        return operation

    def _start_undoable(
        self, spec: CffiSpec, limit: float | None, progress: Progress[Any] | None, /, *inputs: Any
    ) -> UndoableOperation[Any]:
        operation = self._start_reporting(spec, limit, progress, *inputs)
        assert isinstance(operation, UndoableOperation)
        return operation

    # Events

    def _deliver(self, token: int, event: Event | None) -> None:
        """Passes an event to its receiver. After an interrupt, the call is repeated with the same event."""
        if event is None:
            return
        if (stream := self._streams.get(token)) is not None:
            stream._put(event)
        elif (callback := self._progress_callbacks.get(token)) and event is not self._last_progress:
            self._deliver_progress(callback, event)

    def _deliver_progress(self, callback: Callable[[Any], None], event: Event) -> None:
        """Calls a progress callback. Its exception goes to the loop's handler, not to the operation."""
        try:
            self._last_progress = event
            callback(event)
        except Exception as error:
            assert self._loop is not None
            self._loop.call_exception_handler({"message": f"{callback!r} failed", "exception": error})

    # Closing

    async def aclose(self) -> None:
        """Stops all operations, waits until they have completed, and frees the context.

        Awaiting an operation that was stopped raises ClosedError. All event iterations end. The closing does
        not block the loop. A cancellation does not interrupt the closing. CancelledError is raised at the
        end. This method may be called more than once.

        Raises: RuntimeError, while the context belongs to another event loop.
        """
        if self._closing is None and self._c is not None:
            loop = self._running_loop()
            if self._loop is not None and self._loop.is_closed():
                self._loop = None  # No task awaits an operation, because the context's loop is closed.
            if self._loop not in (None, loop):
                raise RuntimeError("the context belongs to another event loop")
            self._refuse_operations()
            self._closing = loop.create_task(self._close())
        if self._closing is not None:
            await self._wait_uncancelled(self._closing)

    async def _close(self) -> None:
        if self._loop is not None:
            for operation in self._live_operations():
                operation._request_stop(Stop.CLOSE)
            while live := self._live_operations():
                with contextlib.suppress(asyncio.CancelledError, errors.Error):
                    await self._wait_uncancelled(live[0])
        for stream in list(self._streams.values()):
            # RuntimeError is raised if the loop is closed. In this case no reader waits.
            with contextlib.suppress(RuntimeError):
                stream._finish()
        if self._loop is not None:
            self._loop.remove_reader(lib.libxl_ctx_fd(self._c))
            self._loop.remove_reader(self._log.fd)
            while self._log.deliver():
                await next_turn(self._loop)
        busy = self._is_busy()
        free = self._free()
        if busy:
            # free() runs in a thread, because it waits for operations that a closed loop has left, for undos
            # in the background, and for workers. Calls on workers cannot be interrupted. The destruction
            # of a large guest takes minutes.
            with contextlib.suppress(asyncio.CancelledError):
                await self._wait_uncancelled(self._running_loop().run_in_executor(None, free))
        else:
            free()

    def _free(self) -> Callable[[], None]:
        self._detach()
        return super()._free()

    def _after_fork(self) -> None:
        self._detach()
        super()._after_fork()
