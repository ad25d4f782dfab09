# SPDX-License-Identifier: LGPL-2.1-or-later
"""The C context: its allocation, its event generators, and its end. This module needs no event loop.

The C library never calls Python. The C library queues records, and the context's descriptor is readable while
records are queued. A record names its receiver by a 64-bit token. No token is reused.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from aioxen import _convert, errors, types
from aioxen import _values as v
from aioxen._convert import EVENTS
from aioxen._fields import Fields
from aioxen._native import ffi, lib
from aioxen._operations import ContextOperations
from aioxen.domain import Domain
from aioxen.log import LogQueue

_counters = v.Flat("libxl_counters", "@QQQIIIIIIII")
_contexts: weakref.WeakSet[BaseContext] = weakref.WeakSet()


class Counters(Fields):
    """The numbers of the resources that a context uses, for tests and monitoring.

    An instant operation is counted only if it completes by an event.
    """

    __slots__ = __match_args__ = (
        "operations_started",
        "operations_completed",
        "operations_aborted",
        "operations",
        "events",
        "timers",
        "watches",
        "descriptors",
        "jobs",
        "threads",
        "evgens",
    )

    operations_started: int
    """The number of operations started since the context was created."""

    operations_completed: int
    """The number of operations that have completed since the context was created, with any result."""

    operations_aborted: int
    """The number of operations that have ended since the context was created, because they were cancelled
    or reached their time limit."""

    operations: int
    """The number of operations that were started and whose completion has not been delivered."""

    events: int
    """The number of queued events."""

    timers: int
    """The number of armed timers."""

    watches: int
    """The number of registered xenstore watches. The context's own watches are not counted."""

    descriptors: int
    """The number of descriptors that operations and event generators watch."""

    jobs: int
    """The number of jobs that are queued for workers or run on workers."""

    threads: int
    """The number of worker threads."""

    evgens: int
    """The number of enabled event generators."""

    def __init__(
        self,
        operations_started: int,
        operations_completed: int,
        operations_aborted: int,
        operations: int,
        events: int,
        timers: int,
        watches: int,
        descriptors: int,
        jobs: int,
        threads: int,
        evgens: int,
    ) -> None:
        self.operations_started = operations_started
        self.operations_completed = operations_completed
        self.operations_aborted = operations_aborted
        self.operations = operations
        self.events = events
        self.timers = timers
        self.watches = watches
        self.descriptors = descriptors
        self.jobs = jobs
        self.threads = threads
        self.evgens = evgens


def error_of(rc: int, message: str, operation: str | None = None, domid: int | None = None) -> errors.Error:
    """Returns the exception for an error code of the library."""
    kind = errors.BY_RC.get(rc)
    if kind is not None:
        return kind(message, operation, domid)
    unknown = errors.Error(message or f"error {rc}", operation, domid)
    unknown.rc = rc
    return unknown


def last_message() -> str:
    """Returns the message of the error that the last call of this thread returned."""
    return v.get_string(lib.libxl_error_message())


class Generator:
    """An enabled event generator of the C library."""

    __slots__ = ("_xen", "_out", "_disable")

    def __init__(self, xen: BaseContext, out: v.CData, disable: Callable[[v.CData, v.CData], None]) -> None:
        self._xen = xen
        self._out = out
        self._disable = disable

    def disable(self) -> None:
        """Disables the generator. A second call does nothing."""
        if self._xen._c is not None and self._out[0]:
            generator, self._out[0] = self._out[0], ffi.NULL
            self._disable(self._xen._c, generator)


class BaseContext(ContextOperations):
    """The C context. A subclass for an event loop makes operations and events awaitable."""

    _c: v.CData = None
    domain_class: type[Domain] = Domain
    """The class of the domains that operations return. An extension sets a class of its own."""

    def __init__(self) -> None:
        out = ffi.new("libxl_ctx **")
        self._log = LogQueue()
        rc = self._log.rc or lib.libxl_ctx_alloc(
            out, lib.LIBXL_VERSION, lib.LIBXL_CTX_NO_WAIT, self._log.c_logger
        )
        if rc:
            message = last_message()
            self._log.close()
            raise error_of(rc, message)
        self._c = out[0]
        self._final_counters: Counters | None = None
        self._tokens = itertools.count(1)
        _contexts.add(self)

    @property
    def closed(self) -> bool:
        """Whether the context has been closed. New operations are refused as soon as aclose() begins."""
        return self._c is None

    def counters(self) -> Counters:
        """Returns the current counters. After the context has been closed, returns the counters at
        its closing."""
        if self._final_counters is not None:
            return self._final_counters
        c = ffi.new("libxl_counters *")
        lib.libxl_ctx_counters(self._c, c)
        return Counters(*next(_counters.unpack(c, 1)))

    def operations(self) -> list[types.OperationInfo]:
        """Returns the operations in progress, with their phases. After the context is closed, the list is
        empty.

        Operations have their C names: domain_create is listed as domain_create_new. `for_event` is the id()
        of the Operation. An instant operation is never in progress. A cancelled operation remains in
        the list until its effects have been undone.
        """
        if self._c is None:
            return []
        count = ffi.new("int *")
        infos = lib.libxl_ao_list(self._c, count)
        if not infos:
            raise MemoryError
        try:
            return _convert.get_OperationInfo_list(infos, count[0])
        finally:
            lib.libxl_operation_info_list_free(infos, count[0])

    def _domain(self, domid: int) -> Domain:
        """Returns the handle of a domain. Looks up the domain's UUID by one hypercall, which does not block.

        If the hypervisor refuses, the UUID stays unknown, and operations do not check it.
        """
        info = ffi.new("libxl_dominfo *")
        rc = lib.libxl_domain_get_info(self._c, domid, info, ffi.NULL)
        return self.domain_class(self, domid, b"" if rc else bytes(info.uuid.uuid))

    def _raise_error(self, rc: int, message: str) -> None:
        """Raises an error that belongs to no operation."""
        raise error_of(rc, message)

    def _make_event(self, kind: int, domid: int, value: int, uuid: bytes, address: int) -> types.Event | None:
        """Returns the event of a libxl_event_record, or None if this release does not know the event's type.

        `address` is the address of the whole libxl_event, if the event's fields do not fit into the record.
        """
        make = EVENTS.get(kind)
        return make(domid, v.uuid_of(uuid), value, ffi.cast("libxl_event *", address)) if make else None

    def _evenable(self, kind: str, *inputs: Any, domid: int | None = None) -> Generator:
        """Enables an event generator. `inputs` are the inputs of its C function, and `domid` is the domain
        that an error names."""
        out = ffi.new(f"libxl_evgen_{kind} **")
        rc = getattr(lib, f"libxl_evenable_{kind}")(self._c, *inputs, out)
        if rc:
            raise error_of(rc, last_message(), "events", domid)
        return Generator(self, out, getattr(lib, f"libxl_evdisable_{kind}"))

    def _free(self) -> Callable[[], None]:
        """Gives up the C context. Returns the function that frees the C context, and delivers its last
        log messages. This function may be called in any thread."""
        self._final_counters = self.counters()
        c, self._c = self._c, None
        log = self._log

        def free() -> None:
            lib.libxl_ctx_free(c)
            log.close()

        return free

    def _after_fork(self) -> None:
        """Closes the context's descriptors in a forked child. All other resources belong to the
        parent process."""
        if self._c is not None:
            self._final_counters = Counters(*[0] * len(Counters.__slots__))
            c, self._c = self._c, None
            lib.libxl_postfork_child_noexec(c)
            os.close(self._log.abandon())

    def __del__(self) -> None:
        """Frees a context that was not closed, with a ResourceWarning.

        The context has no weakref finalizer. Objects that are garbage together with the context may use the
        context after a finalizer has run.
        """
        if self._c is not None:
            self._free_at_once()

    def _free_at_once(self) -> None:
        """Frees a context that was not closed. A busy context is freed in a thread, because a collection of
        garbage must not wait. The thread keeps the context, and so the memory that operations write to."""
        if self._is_busy():
            free = self._free()
            thread = threading.Thread(target=lambda _: free(), args=(self,))
            try:
                thread.start()
            except RuntimeError:  # The interpreter is ending, or there are too many threads.
                thread.run()
        else:
            self._free()()
        warnings.warn("a Context was not closed: use `async with`", ResourceWarning, stacklevel=3)

    def _is_busy(self) -> bool:
        """Returns whether freeing the C context has to wait for operations or for workers."""
        try:
            counters = self.counters()
            return bool(counters.jobs or counters.threads or self.operations())
        except MemoryError:
            return True


@atexit.register
def _at_exit() -> None:
    """Frees all contexts before the interpreter ends. This undoes unfinished creations. After this call,
    no operation writes to memory that Python has freed."""
    for context in list(_contexts):
        if context._c is not None:
            context._free()()
            warnings.warn("a Context was not closed: use `async with`", ResourceWarning, stacklevel=2)


def _after_fork_in_child() -> None:
    for context in list(_contexts):
        context._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
