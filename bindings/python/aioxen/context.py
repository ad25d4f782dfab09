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

from aioxen import _values as v
from aioxen import errors
from aioxen._base import BaseContext
from aioxen._call import Call
from aioxen._live import Starter
from aioxen._native import ffi, lib
from aioxen.domain import Domain
from aioxen.events import Events
from aioxen.operation import Operation, Stop, Undoable
from aioxen.types import Event


class Context(Starter, BaseContext):
    """The library, opened: the way to this host's domains.

    Use it as `async with aioxen.Context() as xen:`. It may be made anywhere; it serves the event loop
    that runs when it is first used, and is used on that loop's thread only. Elsewhere a RuntimeError
    refuses to create a domain, and to await what is not done: that goes on to its end all the same.

    Raises: NoHypervisorError, NoXenstoreError, PermissionError, FailedError, when it is made.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: weakref.WeakValueDictionary[int, Events] = weakref.WeakValueDictionary()
        self._reports: dict[int, Callable[[Any], None]] = {}  # who is told of operations' progress
        self._reported: Event | None = None  # the last
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

        That it is the running one at every later use is checked only of an Undoable: asking costs as much
        as a whole call, and asyncio refuses to await what belongs to another loop.
        """
        if self._end is not None or self._c is None:
            raise errors.ClosedError("the context is closed")
        loop = asyncio.get_running_loop()
        loop.add_reader(lib.libxl_ctx_fd(self._c), self._drain)
        self._loop = loop
        self._serve(int(ffi.cast("uintptr_t", self._c)), loop, Operation, Undoable)

    # Operations

    def _start_reporting(
        self, call: Call, limit: float | None, progress: Callable[[Any], None] | None, *inputs: Any
    ) -> Operation[Any]:
        if progress is None:
            return self._start(call, limit, *inputs, ffi.NULL)
        if not callable(progress):
            raise TypeError(f"progress: what can be called is expected, not {progress!r}")
        token = next(self._tokens)
        how = ffi.new("libxl_asyncprogress_how *")
        how.u.for_event = token
        self._reports[token] = progress
        try:
            operation = self._start(call, limit, *inputs, how)
        except BaseException:
            del self._reports[token]
            raise
        operation.add_done_callback(lambda _: self._reports.pop(token))
        return operation

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
        if self._loop is None or self._end is not None or self.closed:
            self._bind()
        token = next(self._tokens)
        return Events(self, token, None if domid is None else v.domid(domid), types, capacity)

    # What has happened

    def _tell(self, token: int, event: Event | None) -> None:
        """Called again, with the same event, when it has been interrupted."""
        if event is None:
            return
        if (stream := self._streams.get(token)) is not None:
            stream._put(event)
        elif (progress := self._reports.get(token)) is not None and event is not self._reported:
            self._report(progress, event)

    def _report(self, progress: Callable[[Any], None], event: Event) -> None:
        """Tell of progress. What is wrong with the listener is no fault of the operation."""
        try:
            self._reported = event
            progress(event)
        except Exception as error:
            assert self._loop is not None
            self._loop.call_exception_handler({"message": f"{progress!r} failed", "exception": error})

    # The end

    async def aclose(self) -> None:
        """Stop what is under way, wait until it has ended, and give everything back.

        Whoever awaits an operation gets ClosedError; every events() ends. Does not block the loop. A
        cancellation does not stop it but is raised when all is done. May be called again.

        Raises: RuntimeError, while another event loop is served.
        """
        if self._end is None and self._c is not None:
            loop = asyncio.get_running_loop()
            if self._loop is not None and self._loop.is_closed():
                self._loop = None  # and nobody awaits anything
            if self._loop not in (None, loop):
                raise RuntimeError("the context serves another event loop")
            self._refuse()
            self._end = loop.create_task(self._close())
        if self._end is not None:
            await to_the_end(self._end)

    async def _close(self) -> None:
        if self._loop is not None:
            for operation in self._live():
                operation._ask(Stop.CLOSE)
            while live := self._live():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait(live)
        for stream in list(self._streams.values()):
            with contextlib.suppress(RuntimeError):  # a loop that is closed: nobody to wake
                stream._finish()
        if self._loop is not None:
            self._loop.remove_reader(lib.libxl_ctx_fd(self._c))
        free = self._free()
        if self._ended is not None and (self._ended.jobs or self._ended.operations):
            # A closed loop has left operations behind; or a worker is still in a call that nothing can
            # interrupt, of an operation that was aborted: the destruction of a large guest takes minutes.
            with contextlib.suppress(asyncio.CancelledError):
                await to_the_end(asyncio.get_running_loop().run_in_executor(None, free))
        else:
            free()

    def _free(self) -> Callable[[], None]:
        self._leave()
        return super()._free()

    def _forked(self) -> None:
        self._leave()
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
