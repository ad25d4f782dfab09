# SPDX-License-Identifier: LGPL-2.1-or-later
"""A C context, without an event loop: what owns it, what it tells, what ends it.

The C library never calls Python. Whatever it has to tell is a record in a queue behind one
descriptor. Events find their receiver by a token of 64 bits that is never used again.
"""

from __future__ import annotations

import atexit
import itertools
import os
import warnings
import weakref
from collections.abc import Callable

from aioxen import _values as v
from aioxen import errors, types
from aioxen._convert import EVENTS
from aioxen._fields import Fields
from aioxen._native import ffi, lib
from aioxen._operations import ContextOperations
from aioxen.domain import Domain

_counters = v.Flat("libxl_counters", "@QQQIIIIIIII")
_contexts: weakref.WeakSet[BaseContext] = weakref.WeakSet()


class Counters(Fields):
    """How many of each thing a context has alive, for tests and monitoring.

    Instant operations are counted only where they end in an event.
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
    """Since the context was made."""

    operations_completed: int
    """Of these, ended; whatever the result."""

    operations_aborted: int
    """Of these, ended because they were cancelled or reached their limit."""

    operations: int
    """Live: started, completion not delivered."""

    events: int
    """Queued, not taken."""

    timers: int
    """Armed."""

    watches: int
    """Xenstore watches registered, besides the context's own."""

    descriptors: int
    """Watched by operations and event generators."""

    jobs: int
    """Queued for or running on workers."""

    threads: int
    """Workers alive."""

    evgens: int
    """Event generators enabled."""

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
    """The exception for a number of the library's."""
    kind = errors.BY_RC.get(rc)
    if kind is not None:
        return kind(message, operation, domid)
    unknown = errors.Error(message or f"error {rc}", operation, domid)
    unknown.rc = rc
    return unknown


def last_message() -> str:
    """The words for the failure that a call has just returned."""
    return v.get_string(lib.libxl_error_message())


class BaseContext(ContextOperations):
    """Owns the C context. A side for an event loop adds how operations and events are awaited."""

    _c: v.CData = None
    domain_class: type[Domain] = Domain
    """What operations give as a domain; an extension's has methods of its own."""

    def __init__(self) -> None:
        out = ffi.new("libxl_ctx **")
        rc = lib.libxl_ctx_alloc(out, lib.LIBXL_VERSION, 0, ffi.NULL)
        if rc:
            raise error_of(rc, last_message())
        self._c = out[0]
        self._ended: Counters | None = None
        self._tokens = itertools.count(1)
        _contexts.add(self)

    @property
    def closed(self) -> bool:
        """Whether it has ended; from the beginning of aclose() on it refuses new operations."""
        return self._c is None

    def counters(self) -> Counters:
        """What is alive now; after the end, what was at the end."""
        if self._ended is not None:
            return self._ended
        c = ffi.new("libxl_counters *")
        lib.libxl_ctx_counters(self._c, c)
        return Counters(*next(_counters.unpack(c, 1)))

    def _domain(self, domid: int) -> Domain:
        """The handle of a domain, whose identity is looked up now. No thread waits for this."""
        info = ffi.new("libxl_dominfo *")
        rc = lib.libxl_domain_get_info(self._c, domid, info, ffi.NULL)
        return self.domain_class(self, domid, bytes(16) if rc else bytes(info.uuid.uuid))

    def _failed(self, rc: int, message: str) -> None:
        """What the library could not do for nobody in particular."""
        raise error_of(rc, message)

    def _event(self, kind: int, domid: int, value: int, octets: bytes, address: int) -> types.Event | None:
        """The event that a record tells; None if this release does not know its type."""
        make = EVENTS.get(kind)
        return make(domid, v.uuid_of(octets), value, ffi.cast("libxl_event *", address)) if make else None

    def _evenable(self, domid: int | None, token: int) -> v.CData:
        """Have a domain's lifecycle told, or every domain's; where what _evdisable ends is."""
        out = ffi.new("libxl_evgen_domain_lifecycle **")
        which = lib.LIBXL_DOMID_ALL if domid is None else domid
        rc = lib.libxl_evenable_domain_lifecycle(self._c, which, token, out)
        if rc:
            raise error_of(rc, last_message(), "events", domid)
        return out

    def _evdisable(self, out: v.CData) -> None:
        """Does nothing the second time."""
        if self._c is not None and out[0]:
            generator, out[0] = out[0], ffi.NULL
            lib.libxl_evdisable_domain_lifecycle(self._c, generator)

    def _free(self) -> Callable[[], None]:
        """Give up the C context: what is returned frees it, and may be called on any thread."""
        self._ended = self.counters()
        c, self._c = self._c, None

        def free() -> None:
            lib.libxl_ctx_free(c)

        return free

    def _forked(self) -> None:
        """In a child: the descriptors are closed, and everything is left to the parent."""
        if self._c is not None:
            self._ended = Counters(*[0] * len(Counters.__slots__))
            c, self._c = self._c, None
            lib.libxl_postfork_child_noexec(c)

    def __del__(self) -> None:
        """Nobody has closed it. No weakref's finalizer: what is garbage with it may use it after that."""
        if self._c is not None:
            self._free()()
            warnings.warn("a Context was not closed: use `async with`", ResourceWarning, stacklevel=2)


@atexit.register
def _at_exit() -> None:
    """While everything is still there: half-made domains are taken back, and no operation writes its results
    into memory that is gone."""
    for context in list(_contexts):
        context.__del__()


def _after_fork_in_child() -> None:
    for context in list(_contexts):
        context._forked()


os.register_at_fork(after_in_child=_after_fork_in_child)
