# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library for scripts that use no event loop. Each method waits until its operation is done.

with aioxen.sync.Context() as xen:
    dom = xen.domain_create(aioxen.pvh("guest", "/boot/guest", memory="256M"), timeout=60)
    dom.unpause()
    print(dom.shutdown(timeout=60))
    dom.destroy()

The methods are those of aioxen.Context and aioxen.Domain. They take the same arguments, and return the
results themselves. Ctrl-C during a wait asks the operation to stop, waits until it has stopped and is undone,
and raises KeyboardInterrupt. A second Ctrl-C raises KeyboardInterrupt at once. close() then waits for the
operation.
"""

from __future__ import annotations

import asyncio
import os
import re
import selectors
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from aioxen import console, context, domain
from aioxen._handle import Handle
from aioxen._queue import EventsLost
from aioxen._subscription import Subscription
from aioxen._sync_derived import Store, Subscriptions
from aioxen._sync_operations import ContextOperations, DomainOperations
from aioxen.types import ConsoleType, Event

if TYPE_CHECKING:
    from uuid import UUID

    from aioxen._base import Counters
    from aioxen._spec import DomainLike, Progress
    from aioxen.domains import DomainState
    from aioxen.types import (
        DomainConfig,
        DomainCreateConsoleAvailable,
        OperationInfo,
        OperationProgress,
        ShutdownReason,
    )

__all__ = ["Console", "Context", "Domain", "Events"]

T = TypeVar("T")
E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)
A = TypeVar("A")

_END: Any = object()


def _new_loop() -> asyncio.AbstractEventLoop:
    """Returns a loop for a few descriptors. It uses poll(2), because an epoll descriptor would be shared with
    a forked child."""
    return asyncio.SelectorEventLoop(selectors.PollSelector())


def _refuse_in_a_loop() -> None:
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("a method of aioxen.sync would block the running event loop: use aioxen.Context")


async def _result(operation: Awaitable[T]) -> T:
    return await operation


class Context(Subscriptions, ContextOperations):
    """A connection to the hypervisor of this host, for programs without an event loop.

    Use it as `with aioxen.sync.Context() as xen:`. It has an event loop of its own, which runs during calls
    only, so events and progress are delivered during calls. One thread at a time may use the context. A call
    in a running event loop raises RuntimeError, because it would block the loop: use aioxen.Context there.

    Raises: NoHypervisorError, NoXenstoreError, NoPermissionError, FailedError, when it is created.
    """

    def __init__(self) -> None:
        _refuse_in_a_loop()
        self._async = context.Context()
        self._runner = asyncio.Runner(loop_factory=_new_loop)
        self._process = os.getpid()
        try:
            self._run(self._core.__aenter__())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops all operations, waits until they have ended, and frees the context. A second call does
        nothing."""
        if self._process != os.getpid():
            return  # The loop and its operations belong to the process that has forked this one.
        if not self._async.closed:
            self._run(self._core.aclose())
        self._runner.close()

    @property
    def closed(self) -> bool:
        """Whether the context has been closed."""
        return self._async.closed

    @property
    def _core(self) -> context.Context:
        _refuse_in_a_loop()
        return self._async

    def _run(self, operation: Awaitable[T], /) -> T:
        if isinstance(operation, asyncio.Future) and operation.done():
            result: T = operation.result()
            return result
        task = self._runner.get_loop().create_task(_result(operation))
        try:
            return self._runner.run(_result(task))
        except BaseException:
            # A signal handler of the program has raised the exception, if the task was not cancelled. After a
            # second Ctrl-C the task is cancelled, and is not done.
            if not task.done() and not task.cancelling():
                task.cancel()
                self._runner.run(_ended(task))
            raise

    def _handle(self, found: domain.Domain, /) -> Domain:
        return Domain(self, found.domid, found._uuid_bytes)

    def run(self, function: Callable[[context.Context], Awaitable[T]], /) -> T:
        """Calls a function with the asynchronous context, and waits for what it returns.

        This gives scripts what only aioxen.Context has: `xen.run(lambda core: asyncio.wait_for(core.X(),
        5))`.
        """

        async def call() -> T:
            return await function(self._async)

        _refuse_in_a_loop()
        return self._run(call())

    # Domains

    def domain(self, which: DomainLike | str | UUID, *, timeout: float | None = None) -> Domain:
        """Returns the domain with a domid, a name or a UUID, as aioxen.Context.domain() does."""
        return self._handle(self._run(self._core.domain(which, timeout=timeout)))

    @property
    def domains(self) -> Iterator[Domain]:
        """The domains of the host, in order of their domids: `for dom in xen.domains:`. One hypercall lists
        them."""
        infos = self._core.domain_list().result()
        return iter([Domain(self, info.domid, info.uuid) for info in infos])

    # Events, xenstore and monitoring

    def _subscription(self, begin: Callable[[], Subscription[E]]) -> Events[E]:
        """Begins a subscription in the loop."""

        async def subscribe() -> Subscription[E]:
            return begin()

        _refuse_in_a_loop()
        return Events(self, self._run(subscribe()))

    @property
    def store(self) -> Store:
        """xenstore: its nodes, their values, and their changes. The methods are those of aioxen.store.Store,
        and wait."""
        return Store(self, self._core.store)

    def _each(self, values: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yields what an asynchronous generator yields. The loop runs while a value is awaited."""
        _refuse_in_a_loop()
        try:
            while (value := self._run(anext(values, _END))) is not _END:
                yield cast(T, value)
        finally:
            if not self._async.closed:
                self._run(values.aclose())

    def _in_turns(
        self, function: Callable[[A], T], begin: Callable[[Callable[[A], Awaitable[T]]], Awaitable[T]]
    ) -> T:
        """Calls `begin` with a coroutine function that stands for `function`, and waits for what it returns.

        When the coroutine function is awaited, the loop stops, and `function` runs outside the loop, so it
        may use this context.
        """
        _refuse_in_a_loop()
        loop = self._runner.get_loop()
        calls: list[tuple[A, asyncio.Future[T]]] = []
        called = asyncio.Event()

        async def stand_in(argument: A) -> T:
            result: asyncio.Future[T] = loop.create_future()
            calls.append((argument, result))
            called.set()
            return await result

        task = loop.create_task(_result(begin(stand_in)))
        task.add_done_callback(lambda _: called.set())
        try:
            while True:
                self._run(called.wait())
                called.clear()
                if task.done():
                    return task.result()
                argument, result = calls.pop()
                try:
                    value = function(argument)
                except Exception as error:
                    result.set_exception(error)
                else:
                    result.set_result(value)
        finally:
            if not task.done():
                task.cancel()
                self._run(_ended(task))

    def operations(self) -> list[OperationInfo]:
        """Returns the operations in progress, for example undos in the background."""
        return self._async.operations()

    def counters(self) -> Counters:
        """Returns the numbers of the resources that the context uses."""
        return self._async.counters()


async def _ended(task: asyncio.Task[Any]) -> None:
    """Waits until the task is done, and takes its exception."""
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


class Domain(Handle, DomainOperations):
    """One domain: its domid, its UUID, and the operations on it.

    As of aioxen.Domain, each operation first checks that the domain with this domid still has this UUID, and
    raises DomainGoneError otherwise.
    """

    __slots__ = ("_xen",)

    _xen: Context

    def __init__(self, xen: Context, domid: int, uuid: UUID | bytes) -> None:
        super().__init__(domid, uuid)
        self._xen = xen

    @property
    def _core(self) -> domain.Domain:
        core = self._xen._core
        return core.domain_class(core, self.domid, self._uuid_bytes)

    def state(self) -> DomainState:
        """Returns what the domain does. One hypercall. Raises: NoPermissionError, FailedError."""
        return self._xen._run(self._core.state())

    def shutdown(
        self,
        *,
        timeout: float | None = None,
        progress: Progress[OperationProgress] | None = None,
        limit: float | EllipsisType | None = ...,
    ) -> ShutdownReason:
        """Asks the guest to power off, waits until the domain has stopped, and returns the reason.

        The arguments and errors are those of aioxen.Domain.shutdown().

        Interrupted: The request is withdrawn, unless the guest has acknowledged it.
        """
        return self._xen._run(self._core.shutdown(timeout=timeout, progress=progress, limit=limit))

    def reboot(
        self,
        *,
        timeout: float | None = None,
        progress: Progress[OperationProgress] | None = None,
        limit: float | EllipsisType | None = ...,
    ) -> ShutdownReason:
        """Asks the guest to reboot, waits until the domain has stopped, and returns the reason.

        The arguments and errors are those of aioxen.Domain.reboot().

        Interrupted: The request is withdrawn, unless the guest has acknowledged it.
        """
        return self._xen._run(self._core.reboot(timeout=timeout, progress=progress, limit=limit))

    def soft_reset(
        self,
        config: DomainConfig,
        *,
        timeout: float | None = None,
        progress: Progress[OperationProgress | DomainCreateConsoleAvailable] | None = None,
    ) -> None:
        """Makes the devices and nodes of the stopped domain anew, so that its guest can continue.

        The arguments, the errors and the effect of an interruption are those of aioxen.Domain.soft_reset().
        """
        self._xen._run(self._core.soft_reset(config, timeout=timeout, progress=progress))

    def console(
        self, number: int = 0, type: ConsoleType = ConsoleType.UNKNOWN, *, limit: int = 1 << 16
    ) -> Console:
        """Returns the domain's console: `with dom.console() as c:`. The arguments are those of
        aioxen.Domain.console()."""
        return Console(self._xen, self._core.console(number, type, limit=limit))


class Events(Generic[E_co]):
    """A subscription: `for event in xen.events():`. events(), device_events() and store.watch() make it.

    The iteration waits for events, and ends as that of aioxen.Events does.
    """

    def __init__(self, xen: Context, core: Subscription[E_co]) -> None:
        self._xen = xen
        self._core = core

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> E_co | EventsLost:
        event = self._xen._run(anext(self._core, None))
        if event is None:
            raise StopIteration
        return event

    def get(self, timeout: float | None = None) -> E_co | EventsLost:
        """Waits for the next event, and returns it.

        timeout: Seconds; 0: only an event that has come already is returned. None: no limit.

        Raises: TimeoutError, if no event comes in time; EOFError, after the last event.
        """
        event = self._xen._run(self._within(timeout))
        if event is None:
            raise EOFError("the subscription has ended")
        return event

    async def _within(self, seconds: float | None) -> E_co | EventsLost | None:
        if seconds is not None:
            await asyncio.sleep(0)  # The loop delivers the events that have come already.
        async with asyncio.timeout(seconds):
            return await anext(self._core, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the subscription. Events that were delivered before can still be read."""
        self._core._finish()


class Console:
    """A domain's console, made by Domain.console(). Use it as `with dom.console() as c:`.

    The methods are those of aioxen.Console. Each waits until it is done.
    """

    def __init__(self, xen: Context, core: console.Console) -> None:
        self._xen = xen
        self._core = core

    def __enter__(self) -> Self:
        self._xen._run(self._core.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._xen._run(self._core.__aexit__(kind, error, trace))

    def close(self) -> None:
        """Closes the terminal. Output that was not read is lost. Raises: OSError."""
        self._xen._run(self._core.aclose())

    def read(self, most: int | None = None, *, timeout: float | None = None) -> bytes:
        """Waits for output, and returns all that has arrived, at most `most` octets. Returns b"" at the end.

        timeout: Seconds. Raises TimeoutError then. None: no limit.
        """
        return self._xen._run(asyncio.wait_for(self._core.read(most), timeout))

    def readline(self, *, timeout: float | None = None) -> bytes:
        """Waits for a line, and returns it with its newline. Returns b"" at the end.

        timeout: Seconds. Raises TimeoutError then. None: no limit.
        """
        return self._xen._run(asyncio.wait_for(self._core.readline(), timeout))

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def expect(
        self, pattern: str | bytes | re.Pattern[bytes], timeout: float | None = None
    ) -> re.Match[bytes]:
        """Waits until the output matches a regular expression. The arguments and errors are those of
        aioxen.Console.expect()."""
        return self._xen._run(self._core.expect(pattern, timeout))

    def write(self, data: bytes | str) -> None:
        """Writes input to the guest. Returns when the terminal has accepted all of it."""
        self._xen._run(self._core.write(data))
