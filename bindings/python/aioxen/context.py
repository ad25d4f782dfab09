# SPDX-License-Identifier: LGPL-2.1-or-later
"""The context under asyncio.

All of it belongs to the thread of the event loop. The C context's descriptor is among the loop's
readers; one callback takes what has happened, many records at a time, and ends the futures.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from aioxen import errors
from aioxen._base import BATCH, BaseContext, error_of, last_message, milliseconds
from aioxen._call import Call
from aioxen._native import ffi, lib
from aioxen.domain import Domain
from aioxen.events import Events
from aioxen.operation import Operation, Stop, Undoable, end_with_exception, end_with_result
from aioxen.types import Event

_NULL = ffi.NULL
_IN_PROGRESS: int = lib.ERROR_ASYNC_INPROGRESS
_TOLD = 2  # of _counts
_OPERATION_COMPLETE: int = lib.LIBXL_EVENT_TYPE_OPERATION_COMPLETE


class Context(BaseContext):
    """The library, opened: the way to this host's domains.

    Use it as `async with aioxen.Context() as xen:`. It may be made anywhere; it serves the event loop
    that runs when it is first used, and is used on that loop's thread only.

    Raises: NoHypervisorError, NoXenstoreError, PermissionError, FailedError, when it is made.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: asyncio.AbstractEventLoop | None = None  # the same, while operations are welcome
        self._live: dict[int, Operation[Any]] = {}
        self._streams: weakref.WeakValueDictionary[int, Events] = weakref.WeakValueDictionary()
        self._reports: dict[int, Callable[[Any], None]] = {}  # who is told of operations' progress
        self._idle: asyncio.Future[None] | None = None  # done when nothing is live
        self._end: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._bind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _bind(self) -> None:
        """Make the running loop ours at the first use; refuse use after the end.

        That it is the running one at every later use is not checked: asking costs as much as the whole
        call, and asyncio refuses to await what belongs to another loop.
        """
        if self._end is not None or self._c is None:
            raise errors.ClosedError("the context is closed")
        loop = asyncio.get_running_loop()
        loop.add_reader(lib.libxl_ctx_fd(self._c), self._drain)
        self._loop = self._open = loop
        self._done: Operation[None] = Operation(loop=loop)
        end_with_result(self._done, None)

    # Operations

    def _call(self, call: Call, limit: float | None, *inputs: Any) -> Operation[Any]:
        if self._open is None:
            self._bind()
        out: tuple[Any, ...] = ()
        try:
            if call.plain:
                if not (rc := call.function(self._c, inputs[0], _NULL)):
                    return self._done
            else:
                out = call.out()
                rc = call.function(self._c, *inputs, *out, _NULL)
        except (TypeError, OverflowError) as error:
            raise call.refused(error, inputs) from None
        operation: Operation[Any] = Operation(loop=self._loop)
        if rc:
            failure = error_of(rc, last_message(), call.name, call.about(inputs))
            end_with_exception(operation, failure)
        else:
            try:
                end_with_result(operation, call.value(self, out))
            finally:
                call.drop(out)
        return operation

    def _start(self, call: Call, limit: float | None, *inputs: Any) -> Operation[Any]:
        if self._open is None:
            self._bind()
        wanted = 0 if limit is None else milliseconds(limit)
        kind: type[Operation[Any]] = Undoable if call.undo else Operation
        operation = kind(loop=self._loop)
        self._launch(operation, call, inputs)
        if limit != call.limit:
            self._limit(operation._token, wanted)
        return operation

    def _start_reporting(
        self, call: Call, limit: float | None, progress: Callable[[Any], None] | None, *inputs: Any
    ) -> Operation[Any]:
        if progress is None:
            return self._start(call, limit, *inputs)
        token = next(self._tokens)
        self._reports[token] = progress
        try:
            operation = self._start(call.reporting(token), limit, *inputs)
        except BaseException:
            del self._reports[token]
            raise
        operation.add_done_callback(lambda _: self._reports.pop(token))
        return operation

    def _launch(self, operation: Operation[Any], call: Call, inputs: tuple[Any, ...]) -> None:
        """Start the C operation behind `operation`, which has failed on return if it did not start."""
        operation._xen = self
        operation._token = token = next(self._tokens)
        operation._call = call
        operation._inputs = inputs
        operation._out = out = call.out() if call.results else ()
        operation._stop = None
        # Before the call: an interrupt just behind it must not free what C will write to.
        self._live[token] = operation
        self._how_for.for_event = token
        try:
            if call.plain:
                rc = call.function(self._c, inputs[0], self._how)
            else:
                rc = call.function(self._c, *inputs, *out, self._how, *call.tail)
        except (TypeError, OverflowError) as error:
            del self._live[token]
            raise call.refused(error, inputs) from None
        if rc != _IN_PROGRESS:
            del self._live[token]
            operation._end(rc, last_message())

    # Events

    def events(
        self,
        domid: int | Domain | None = None,
        types: Iterable[type[Event]] | None = None,
        *,
        capacity: int = 1024,
    ) -> Events:
        """What happens to a domain, or to all: DomainShutdown, DomainDying, DomainGone.

        The subscription begins with this call, not with the first iteration: subscribe first, act
        after. What has happened already is told, too; of all domains, only of those that exist. Events
        beyond `capacity` that nobody has read are dropped, and an EventsLost stands where they were.
        The iteration ends after the domain's DomainGone, with aclose(), and with the context.

        domid: The domain; None: all of them.

        types: The kinds of events wanted; None: all of them.

        Raises: DomainNotFoundError.
        """
        if self._open is None:
            self._bind()
        token = next(self._tokens)
        return Events(self, token, None if domid is None else int(domid), types, capacity)

    # What has happened

    def _drain(self) -> None:
        """The descriptor is readable."""
        try:
            n = BATCH
            while n == BATCH and self._c is not None:
                n = self._take()
                self._hand_out()
            if self._idle is not None and not self._live and not self._idle.done():
                self._idle.set_result(None)
        except BaseException:
            assert self._loop is not None
            self._loop.call_soon(self._resume)
            raise

    def _resume(self) -> None:
        """It was interrupted, perhaps by Ctrl-C: no operation whose end has been taken waits for ever."""
        if self._c is None:
            return
        for token in [token for token, operation in self._live.items() if operation.done()]:
            del self._live[token]
        try:
            self._hand_out()
        except BaseException:
            assert self._loop is not None
            self._loop.call_soon(self._resume)
            raise
        self._drain()

    def _hand_out(self) -> None:
        """End the operations whose end has been taken, and tell the events. May be called again."""
        live = self._live
        token = 0
        try:
            tokens, records = self._taken()
            for token, whole, kind, domid, value, octets in records:
                if kind == _OPERATION_COMPLETE:
                    if (operation := live.get(token)) is not None:
                        operation._end(value, self._message(whole))
                        del live[token]
                    self._counts[_TOLD] += 1
                    self._free_event(whole)
                    continue
                self._counts[_TOLD] += 1
                try:
                    self._tell(token, self._event(kind, domid, value, octets, whole))
                finally:
                    self._free_event(whole)
            for token in tokens:
                if (operation := live.get(token)) is None:
                    continue
                if operation._stop or operation._out:
                    operation._end(0, "")
                else:
                    end_with_result(operation, None)
                del live[token]
        except Exception:
            live.pop(token, None)  # a fault: it would fail again
            raise

    def _tell(self, token: int, event: Event | None) -> None:
        if event is None:
            return
        if (stream := self._streams.get(token)) is not None:
            stream._put(event)
        elif (progress := self._reports.get(token)) is not None:
            self._report(progress, event)

    def _report(self, progress: Callable[[Any], None], event: Event) -> None:
        """Tell of progress. What is wrong with the listener is no fault of the operation."""
        try:
            progress(event)
        except Exception as error:
            assert self._loop is not None
            self._loop.call_exception_handler({"message": f"{progress!r} failed", "exception": error})

    # The end

    async def aclose(self) -> None:
        """Stop what is under way, wait until it has ended, and give everything back.

        Whoever awaits an operation gets ClosedError; every events() ends. Does not block the loop. A
        cancellation does not stop it but is raised when all is done. May be called again.
        """
        if self._end is None and self._c is not None:
            self._open = None
            self._end = asyncio.get_running_loop().create_task(self._close())
        if self._end is not None:
            await to_the_end(self._end)

    async def _close(self) -> None:
        for operation in list(self._live.values()):
            operation._ask(Stop.CLOSE)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(asyncio.CancelledError):
            while self._live:
                self._idle = loop.create_future()
                await to_the_end(self._idle)
        for stream in list(self._streams.values()):
            stream._finish()
        if self._loop is not None:
            self._loop.remove_reader(lib.libxl_ctx_fd(self._c))
        free = self._free()
        if self._ended is not None and self._ended.jobs:
            # A worker is still in a call that nothing can interrupt, of an operation that was aborted:
            # the destruction of a large guest takes minutes.
            with contextlib.suppress(asyncio.CancelledError):
                await to_the_end(loop.run_in_executor(None, free))
        else:
            free()

    def _forked(self) -> None:
        self._open = None
        super()._forked()


async def to_the_end(future: asyncio.Future[None]) -> None:
    """Wait until it is done; a cancellation is raised only then."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    future.result()
