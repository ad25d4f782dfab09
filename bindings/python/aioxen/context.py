# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Context, the context for asyncio. It has the event loop, delivers events, and closes the context.

All code of this module runs in the event loop's thread. The loop watches the C context's descriptor.
When the descriptor is readable, a callback takes all queued records at once, completes the futures and
delivers the events.

A subclass for another asynchronous library overrides the methods that follow the comment "The asynchronous
library". Everything else in the package reaches the library through the context and its loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, overload

from aioxen import _values as v
from aioxen import errors
from aioxen._base import BaseContext
from aioxen._core import ContextCore
from aioxen._coroutine import next_turn, wait_uncancelled
from aioxen._native import ffi, lib
from aioxen._shutdown import ShutdownFuture
from aioxen._spec import CffiSpec, DomainBase, DomainLike, Progress
from aioxen._subscription import Subscription
from aioxen.console import Console
from aioxen.events import Events
from aioxen.operation import Operation, Stop, UndoableOperation
from aioxen.types import (
    ConsoleType,
    DeviceConnected,
    DeviceFailed,
    DeviceGone,
    DeviceModelEnded,
    DomainAppeared,
    DomainDying,
    DomainGone,
    DomainShutdown,
    Event,
    ShutdownReason,
)

if TYPE_CHECKING:
    from uuid import UUID

    from aioxen._migrating import Connection
    from aioxen.domain import Domain
    from aioxen.domains import Domains
    from aioxen.store import Store
    from aioxen.types import DomainConfig, OperationProgress, ReceivedAllowed

T = TypeVar("T")
E = TypeVar("E", bound=Event)

OperationTypes: TypeAlias = tuple[type[Operation[Any]], type[UndoableOperation[Any]]]

DomainEvent: TypeAlias = DomainAppeared | DomainShutdown | DomainDying | DomainGone
"""The events that events() yields."""

DeviceEvent: TypeAlias = DeviceConnected | DeviceFailed | DeviceGone | DeviceModelEnded
"""The events that device_events() yields."""


class Context(ContextCore, BaseContext):
    """A connection to the hypervisor of this host. It starts operations on domains and follows the
    events of domains.

    Use it as `async with aioxen.Context() as xen:`. A context can be created in any thread. It belongs to the
    event loop that runs at its first use, and may be used only in the thread of this loop. In another loop,
    `async with`, events() and the creation of a domain raise RuntimeError. Awaiting an operation that is not
    done raises RuntimeError, too, and the operation continues. When the loop is closed and all operations of
    the context are done, the context may be used in another loop.

    The creation of a context does not wait for xenstored. If xenstored runs and does not answer, operations
    that need xenstored raise NoXenstoreError after at most a second. When xenstored has ended and runs again,
    the context connects again. Each Events then delivers EventsLost(0).

    Raises: NoHypervisorError, NoXenstoreError, NoPermissionError, FailedError, when it is created.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: weakref.WeakValueDictionary[int, Subscription[Event]] = weakref.WeakValueDictionary()
        # The callback of each operation, by the operation's token.
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
    _shutdown_type: type[ShutdownFuture] = ShutdownFuture
    _events_type: type[Events[Any]] = Events
    _console_type: type[Console] = Console
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

    def _console(self, domain: DomainLike, number: int, kind: ConsoleType, limit: int) -> Console:
        return self._console_type(self, domain, number, kind, limit)

    def _shutdown(self, request: Operation[None], stopped: Operation[ShutdownReason]) -> ShutdownFuture:
        return self._shutdown_type(request, stopped)

    # Domains

    async def domain(
        self,
        which: DomainLike | str | UUID,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Domain:
        """Returns the domain with a domid, a name or a UUID.

        which: An int is a domid. A str of digits is a domid, too, as for xl, so a domain whose name is a
        number can only be found by its domid or its UUID. Any other str is a name. If no domain has this name
        and the str has the form of a UUID, it is one. A Domain is checked: its domid must still have its
        UUID.

        timeout: Seconds for the search of a name, which waits for xenstored. None: no limit.

        Raises: DomainNotFoundError, which is a KeyError, with what was asked for; DomainGoneError for a
        Domain; TypeError; the errors of domain_find() and domain_get_info().
        """
        from aioxen.domains import find  # The module is imported here because not all programs need it.

        return await find(self, which, timeout)

    @property
    def domains(self) -> Domains:
        """The domains of the host: `async for dom in xen.domains:` lists them once, and `async with
        xen.domains.live() as view:` gives a view that events keep current."""
        from aioxen.domains import Domains

        return Domains(self)

    # Saved domains

    async def restore(
        self,
        source: str | os.PathLike[str] | int | asyncio.StreamReader,
        config: DomainConfig | None = None,
        *,
        allowed: ReceivedAllowed | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Domain:
        """Restores a domain that Domain.save() or `xl save` has saved. The domain is paused; unpause() lets
        it go on.

        source: A path, a descriptor, or a stream of asyncio. A descriptor must be blocking.

        config: None: the configuration is in the source. Otherwise the source must be a stream of
        domain_suspend(), which has no configuration.

        allowed: What the configuration in the source may name. None: anything.

        timeout: Seconds for the restoration.

        Raises: the errors of domain_restore(); OSError, for a file. After an error no domain is left.

        Cancelled: No domain is left.
        """
        # Imported here, because the module needs modules that take time to import.
        from aioxen._saving import restore

        return await restore(self, source, config, allowed, timeout)

    async def receive(
        self,
        connection: Connection | tuple[int, int],
        *,
        paused: bool = False,
        allowed: ReceivedAllowed | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Progress[OperationProgress] | None = None,
    ) -> Domain:
        """Receives a guest that Domain.migrate() or `xl migrate` sends from another machine.

        connection: A connected socket; a StreamReader and a StreamWriter of asyncio; or two blocking
        descriptors, to read from and to write to.

        paused: Whether the domain stays paused. Otherwise it runs.

        allowed: The disks' paths, bridges, scripts and kernels that the configuration may name, for example
        ReceivedAllowed(disks=["/srv/disks/*"], bridges=["xenbr0"]). It may then name nothing else of this
        machine. None: anything; the sender is then as powerful as root here.

        timeout: Seconds for the migration.

        progress: Receives each OperationProgress. The phases are those of domain_receive_stream().

        Raises: the errors of domain_receive_stream(). After an error no domain is left, and the guest runs on
        the other machine.

        Cancelled: No domain is left, unless the guest runs here already.
        """
        # Imported here, because the module needs modules that take time to import.
        from aioxen._migrating import receive

        return await receive(self, connection, paused, allowed, timeout, progress)

    # Events

    @overload
    def events(
        self, domid: DomainLike | None = None, types: None = None, *, capacity: int = 1024
    ) -> Events[DomainEvent]: ...

    @overload
    def events(
        self, domid: DomainLike | None = None, *, types: Iterable[type[E]], capacity: int = 1024
    ) -> Events[E]: ...

    @overload
    def events(
        self, domid: DomainLike | None, types: Iterable[type[E]], *, capacity: int = 1024
    ) -> Events[E]: ...

    def events(
        self,
        domid: DomainLike | None = None,
        types: Iterable[type[Event]] | None = None,
        *,
        capacity: int = 1024,
    ) -> Events[Event]:
        """Subscribes to the events of one domain, or of all domains: DomainShutdown, DomainDying, DomainGone.
        A subscription to all domains also delivers DomainAppeared for each new domain, which can still be
        incomplete. If the new domain has the domid of a domain that is gone, DomainAppeared can come before
        the last events of the domain that is gone.

        The subscription begins with this call, not with the first iteration. So call events() before the
        operation whose events you want. The domain's past events are delivered first. A subscription to all
        domains first delivers the past events of all domains that exist. At most `capacity` events wait to be
        read. Further events are dropped, and an EventsLost takes their place. An EventsLost is also delivered
        in two other cases. In the first, xenstored has ended and answers again. In the second, the hypervisor
        has refused several times to list its domains. The iteration ends after the domain's DomainGone, after
        aclose(), and when the context closes.

        domid: The domain; None: all domains.

        types: The classes of the events wanted; None: all classes.

        Raises: DomainNotFoundError; DomainGoneError, if `domid` is a Domain whose domid another domain has.
        """
        return self._subscribe(domid, types, capacity)

    @overload
    def device_events(
        self, domid: DomainLike | None = None, types: None = None, *, capacity: int = 1024
    ) -> Events[DeviceEvent]: ...

    @overload
    def device_events(
        self, domid: DomainLike | None = None, *, types: Iterable[type[E]], capacity: int = 1024
    ) -> Events[E]: ...

    @overload
    def device_events(
        self, domid: DomainLike | None, types: Iterable[type[E]], *, capacity: int = 1024
    ) -> Events[E]: ...

    def device_events(
        self,
        domid: DomainLike | None = None,
        types: Iterable[type[Event]] | None = None,
        *,
        capacity: int = 1024,
    ) -> Events[Event]:
        """Subscribes to the events of all devices of one domain, or of all domains: DeviceConnected,
        DeviceFailed, DeviceGone, and DeviceModelEnded.

        Devices of every kind are followed, whichever toolstack has added them. Devices that are added later
        are followed, too. A device that is connected already is reported first. Changes that follow each
        other quickly are reported as one: a device that its guest changes all the time is read 16 times in a
        row at most, and after that once a second. The other rules are those of events(), but the iteration
        does not end when the domain is gone.

        domid: The domain; None: all domains.

        types: The classes of the events wanted; None: all classes.

        Raises: DomainNotFoundError; DomainGoneError, if `domid` is a Domain whose domid another domain has.
        """
        return self._subscribe(domid, types, capacity, devices=True)

    def _subscribe(
        self,
        domid: DomainLike | None,
        types: Iterable[type[Event]] | None,
        capacity: int,
        devices: bool = False,
    ) -> Events[Event]:
        self._bind()
        v.uuid_of(bytes(16))  # The module uuid is imported here, and not while events are delivered.
        if isinstance(domid, DomainBase) and domid._uuid_bytes:
            self.domain_check_uuid(domid.domid, v.uuid_of(domid._uuid_bytes)).result()
        number = None if domid is None else v.domid(domid)
        return self._events_type(self, number, types, capacity, devices=devices)

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

    @property
    def store(self) -> Store:
        """xenstore: its nodes, their values, and their changes."""
        from aioxen.store import Store  # The module is imported here because few programs need it.

        return Store(self)

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
