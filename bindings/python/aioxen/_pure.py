# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts operations, completes their futures, and delivers events. Every call of the C library goes through
cffi.

This module offers the same classes as the extension module _live, which does the same in C and is several
times faster. _core.py chooses between the two. The comments in bindings/python/live/live.h hold for this
module, too.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

from aioxen._coroutine import await_in_next_turn
from aioxen._native import ffi, lib
from aioxen._values import CData, get_string

T = TypeVar("T")

AWAITS_PER_TURN = 256
"""The number of awaits between two runs of the loop."""

BATCH = 64
"""The number of records that one libxl_event_take() takes."""

TURN_S = 0.001
"""A delivery takes no more records after this time, in seconds. The descriptor stays readable while records
are queued, so the next run of the loop delivers them."""

MAX_ATTEMPTS = 16
"""The greatest number of deliveries of one record. Without this limit, a signal handler that always raises an
exception would cause an endless loop."""

MAX_LIMIT_S = 4_000_000
"""The greatest limit in seconds. The library counts milliseconds in 32 bits."""

_awaits = itertools.count(1)
_set_result: Any = asyncio.Future.set_result
_set_exception = asyncio.Future.set_exception


class Target(NamedTuple):
    """The domain on which an operation acts."""

    domid: int
    uuid: bytes | None
    """The UUID, if the caller gave a Domain object. The operation fails if a domain with another UUID has the
    domid. None: the caller gave a domid only."""


def parse_target(value: Any) -> Target | None:
    """Reads a domid or a Domain. Returns None for any other object."""
    uuid = None if isinstance(value, int) else getattr(value, "_uuid_bytes", None)
    domid = getattr(value, "domid", None) if isinstance(uuid, bytes) and len(uuid) == 16 else value
    if not isinstance(domid, int) or isinstance(domid, bool) or not 0 <= domid < 1 << 32:
        return None
    return Target(domid, uuid)


def milliseconds(limit: Any) -> int:
    """Converts a limit in seconds, rounded up. The result is 0 for None and infinity: there is no limit."""
    if limit is None:
        return 0
    try:
        seconds = math.ldexp(limit, 0)  # Unlike float(), this function refuses a text.
    except OverflowError:
        seconds = math.nan
    except TypeError:
        seconds = None
    if seconds is None or isinstance(limit, bool):
        raise TypeError(f"timeout: a number of seconds is expected, not {limit!r}")
    if seconds == math.inf:
        return 0
    if not 0 <= seconds <= MAX_LIMIT_S:
        raise ValueError(f"timeout: {limit!r} is not between 0 and {MAX_LIMIT_S} seconds")
    return math.ceil(seconds * 1000) or 1


_observer: Callable[[Any, bytes | None], Any] | None = None


def set_observer(observer: Callable[[Any, bytes | None], Any] | None, /) -> None:
    """Sets the function that is called before each operation starts, or None."""
    global _observer
    _observer = observer


class OperationSpec:
    """The part of an operation's description that the start of an operation needs."""

    __slots__ = ("_domid_index", "_limit", "instant", "_has_results", "_undoable", "_ends_if_gone")

    def __init__(
        self,
        initiator: int,
        domid_index: int,
        limit: float | None,
        instant: bool,
        has_results: bool,
        owns_memory: bool,
        undoable: bool,
        ends_if_gone: bool,
    ) -> None:
        self._domid_index = domid_index
        self._limit = limit
        self.instant = instant
        self._has_results = has_results
        self._undoable = undoable
        self._ends_if_gone = ends_if_gone


class FastMethod:
    """In this module a generated method is not wrapped: FastMethod() returns the method."""

    def __new__(cls, spec: OperationSpec, method: Callable[..., Any], /) -> Any:
        return method


class OperationFuture(asyncio.Future[T]):
    """A future with the memory that the C library uses while the operation is live."""

    _xen: Any = None
    _spec: Any = None
    _inputs: Any = None
    _results: Any = None
    _observed: Any = None
    _stop_reason: Any = None
    _stop_message: Any = None

    def _how(self) -> CData:
        """Returns the `how` with which the C library reports the completion of this operation."""
        how = ffi.new("libxl_asyncop_how *")
        how.u.for_event = id(self)
        return how

    def _is_live(self) -> bool:
        return self._xen is not None and self._xen._ctx is not None and id(self) in self._xen._live

    def _abort(self) -> None:
        if self._is_live():
            lib.libxl_ao_abort(self._xen._ctx, self._how())

    def _set_progress(self, token: int) -> None:
        if self._is_live():
            progress = ffi.new("libxl_asyncprogress_how *")
            progress.for_event = token
            lib.libxl_ao_set_progress(self._xen._ctx, self._how(), progress)

    def __await__(self) -> Generator[Any, None, T]:
        if self._is_live() or next(_awaits) % AWAITS_PER_TURN:
            return super().__await__()
        return await_in_next_turn(self)

    def _complete(self, rc: int, message: str) -> None:
        """Completes the future, unless it is done. After an interrupt, the caller may repeat the call."""
        if self.done():
            return
        try:
            if rc or self._stop_reason is not None:
                self._finish(rc, message)  # type: ignore[attr-defined]  # The method is in operation.py.
                return
            value = None if self._results is None else self._spec.read_results(self._xen, self._results)
        except Exception as error:  # The future must complete in any case.
            _set_exception(self, error)
        else:
            _set_result(self, value)
        if self._results:
            self._spec.free_results(self._results)


class _Records:
    """The records that one delivery takes from the library's queue, and the position in them.

    A signal handler may raise an exception after any instruction. So the array itself says how many records
    it has: the type of an unused record is 0. A record counts as handled when handled() is called.
    """

    def __init__(self) -> None:
        self._array = ffi.new("libxl_event_record[]", BATCH + 1)
        self._at = 0
        self._attempts = 0
        self._more = True
        self._end = time.monotonic() + TURN_S
        self.event: Any = None
        """The Python event of the current record, once it has been made."""
        self.error = 0
        """The error code of a call that could not take records, or 0."""

    def current(self, ctx: CData) -> CData | None:
        """Returns the record that is to be handled, or None."""
        if self._attempts == MAX_ATTEMPTS:
            self.handled(ctx)
        if self._array[self._at].type == 0 and self._more:
            self._at, self._more = 0, False
            self.error = min(lib.libxl_event_take(ctx, self._array, BATCH), 0)
        self._attempts += 1
        record = self._array[self._at]
        return record if record.type else None

    def handled(self, ctx: CData | None) -> None:
        """Goes to the next record, and frees the event of this one."""
        event, at = self._array[self._at].event, self._at
        self._at, self._attempts, self.event = at + 1, 0, None
        if at == BATCH - 1:
            self._array, self._at = ffi.new("libxl_event_record[]", BATCH + 1), 0
            self._more = time.monotonic() < self._end
        if event and ctx is not None:
            lib.libxl_event_free(ctx, event)


class ContextCore:
    """Starts a context's operations and completes their futures."""

    def __init__(self) -> None:
        super().__init__()
        self._ctx: CData | None = None
        self._loop_of_futures: asyncio.AbstractEventLoop | None = None
        self._live: dict[int, OperationFuture[Any]] = {}

    def _attach_loop(
        self,
        context: int,
        loop: asyncio.AbstractEventLoop,
        operation: type[OperationFuture[Any]],
        undoable: type[OperationFuture[Any]],
        /,
    ) -> None:
        """Accepts operations, whose futures belong to the given loop."""
        self._classes = operation, undoable
        self._ctx = ffi.cast("libxl_ctx *", context)
        self._loop_of_futures = loop

    def _refuse_operations(self) -> None:
        """Refuses new operations. Live operations continue."""
        self._loop_of_futures = None

    def _detach(self) -> None:
        """Stops using the C context, which may be freed then."""
        self._ctx = self._loop_of_futures = None

    def _live_operations(self) -> list[OperationFuture[Any]]:
        """Returns the operations that the C library has not completed."""
        return list(self._live.values())

    def _start(self, spec: Any, limit: float | None, /, *inputs: Any) -> OperationFuture[Any]:
        if self._loop_of_futures is None:
            self._bind()  # type: ignore[attr-defined]  # The method is in context.py.
        ms = 0 if spec.instant else milliseconds(limit)
        index = spec._domid_index
        if 0 <= index < len(inputs) and isinstance(inputs[index], bool):
            raise TypeError(f"{spec.input_names[index]}: a number is expected, not {inputs[index]!r}")
        operation = self._classes[spec._undoable](loop=self._loop_of_futures)
        self._launch(operation, spec, inputs)
        if limit is not spec._limit and operation._is_live():
            lib.libxl_ao_set_limit(self._ctx, operation._how(), ms)
        return operation

    def _launch(self, operation: OperationFuture[Any], spec: Any, inputs: tuple[Any, ...], /) -> None:
        """Starts an operation whose future exists already, without a limit. If the C operation completes
        without waiting, its future is complete on return."""
        if self._ctx is None:
            self._bind()  # type: ignore[attr-defined]
        index = spec._domid_index
        target = parse_target(inputs[index]) if 0 <= index < len(inputs) else None
        operation._xen, operation._spec, operation._inputs = self, spec, inputs
        if _observer is not None:
            operation._observed = _observer(operation, target and target.uuid)
        how = operation._how()
        # The dictionary of live operations keeps the memory to which the library writes, also if an interrupt
        # comes after the call.
        self._live[id(operation)] = operation
        try:
            rc = self._call(operation, target, how)
            if rc == lib.ERROR_ASYNC_INPROGRESS:
                if operation._observed is not None:
                    operation._observed.in_progress(operation)
                return
        except BaseException:
            self._abandon(operation, how)
            raise
        try:
            operation._complete(rc, get_string(lib.libxl_error_message()) if rc else "")
        finally:
            self._end(operation)

    def _call(self, operation: OperationFuture[Any], target: Target | None, how: CData) -> int:
        """Checks that a Domain still has its domid, and calls the C function. Returns the result."""
        spec = operation._spec
        if target and target.uuid is not None:
            uuid = ffi.new("libxl_uuid *", {"uuid": target.uuid})
            rc: int = lib.libxl_domain_check_uuid(self._ctx, target.domid, uuid, ffi.NULL)
            if rc:
                return 0 if rc == lib.ERROR_DOMAIN_GONE and spec._ends_if_gone else rc
        if spec._has_results:
            operation._results = spec.new_results()
        address = 0 if spec.instant else int(ffi.cast("uintptr_t", how))
        return int(spec.call(self, operation._inputs, operation._results or (), address))

    def _abandon(self, operation: OperationFuture[Any], how: CData) -> None:
        """Handles an exception that was raised before or after the C function was called. The caller does not
        get the operation. If the C library has started the operation, the operation is cancelled and stays
        live until it completes."""
        operation.cancel()
        if operation._spec.instant or not self._c_owns(how):
            self._end(operation)

    def _end(self, operation: OperationFuture[Any]) -> None:
        """Removes a completed operation from the live operations, and calls ended() of its observation."""
        self._live.pop(id(operation), None)
        first: BaseException | None = None
        ended = operation._observed is None
        attempts = 0
        while not ended and attempts < MAX_ATTEMPTS:
            attempts += 1
            try:
                operation._observed.ended(operation)
                ended = True
            except BaseException as error:
                # The next call of ended() continues with the hooks that it has not called yet.
                first = first or error
        if first is not None:
            raise first

    def _c_owns(self, how: CData) -> bool:
        """Asks the C library to abort the operation. Returns whether its completion is still to come."""
        if lib.libxl_ao_abort(self._ctx, how) != lib.ERROR_NOTFOUND:
            return True
        found = False

        def match(event: CData, _: CData) -> int:
            nonlocal found
            completes = event.type == lib.LIBXL_EVENT_TYPE_OPERATION_COMPLETE
            found = found or (completes and event.for_user == how.u.for_event)
            return 0  # No event is taken.

        predicate = ffi.callback("libxl_event_predicate *", match)
        lib.libxl_event_check(self._ctx, ffi.new("libxl_event **"), (1 << 64) - 1, predicate, ffi.NULL)
        return found

    def _deliver_events(self) -> None:
        """Delivers all queued completions and events.

        Each record is taken from the queue once, so it must be delivered even if Python code raises an
        exception. The first exception is raised when all records have been delivered. A receiver may run the
        loop, which calls this method again.
        """
        records = _Records()
        first: BaseException | None = None
        ended = False
        while not ended:
            try:
                while self._ctx is not None and (record := records.current(self._ctx)) is not None:
                    if record.type == lib.LIBXL_EVENT_TYPE_OPERATION_COMPLETE:
                        self._deliver_completion(record)
                    else:
                        self._deliver_event(record, records)
                    records.handled(self._ctx)
                ended = True
            except BaseException as error:  # This includes the exception of a signal handler.
                first = first or error
        if first is not None:
            raise first
        if records.error:
            xen: Any = self
            xen._raise_error(records.error, get_string(lib.libxl_error_message()))

    def _deliver_completion(self, record: CData) -> None:
        operation = self._live.get(record.for_user)
        if operation is not None:
            event = record.event
            operation._complete(record.value, get_string(event.u.operation_complete.message) if event else "")
            self._end(operation)

    def _deliver_event(self, record: CData, records: _Records) -> None:
        """Passes an event to its receiver. _deliver() ignores an event that it has been given before."""
        xen: Any = self
        if records.event is None:
            uuid = bytes(ffi.buffer(ffi.addressof(record, "domuuid")))
            address = int(ffi.cast("uintptr_t", record.event))
            records.event = xen._make_event(record.type, record.domid, record.value, uuid, address)
        xen._deliver(record.for_user, records.event)
