# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Domains (Context.domains), the class DomainView, which events keep current, and the search for
one domain."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aioxen import _values as v
from aioxen import errors
from aioxen._base import error_of, last_message
from aioxen._convert import get_DomInfo_list
from aioxen._coroutine import next_turn
from aioxen._fields import Fields
from aioxen._native import ffi, lib
from aioxen._queue import EventsLost
from aioxen._spec import DomainBase, DomainLike
from aioxen.domain import Domain
from aioxen.events import Events
from aioxen.types import (
    DomainAppeared,
    DomainDying,
    DomainEventsLost,
    DomainGone,
    DomainShutdown,
    DomInfo,
    Event,
    ShutdownReason,
)

if TYPE_CHECKING:
    from uuid import UUID

    from aioxen.context import Context, DomainEvent

SLICE = 128
"""The number of domains that are converted to Python in one turn of the loop."""

NO_VCPUS = 0xFFFFFFFF
"""The greatest vcpu of a domain that is being made. A creation may still change the UUID of such a domain."""

RETRY_SECONDS = 1.0
"""The time until a view lists the domains again, after the hypervisor has refused to list them."""


class DomainState(enum.StrEnum):
    """What a domain does. The states are in the order in which a domain goes through them."""

    RUNNING = "running"
    """The domain runs, or waits for events."""

    PAUSED = "paused"
    """A toolstack has paused the domain, or it was not started yet."""

    SHUTDOWN = "shutdown"
    """The domain has stopped. It has its memory until it is destroyed."""

    DYING = "dying"
    """The domain is being destroyed."""

    GONE = "gone"
    """The domain does not exist any more."""


def state_of(info: DomInfo) -> DomainState:
    """Returns the state of the domain that a DomInfo describes."""
    if info.dying:
        return DomainState.DYING
    if info.shutdown:
        return DomainState.SHUTDOWN
    return DomainState.PAUSED if info.paused else DomainState.RUNNING


async def find(xen: Context, which: DomainLike | str | UUID, seconds: float | None) -> Domain:
    """Does the work of Context.domain()."""
    if isinstance(which, str):
        if which.isascii() and which.isdecimal():
            return _by_domid(xen, int(which), "; a string of digits is a domid, not a name")
        return await _by_name(xen, which, seconds)
    if isinstance(which, DomainBase) and which._uuid_bytes:
        xen.domain_check_uuid(which.domid, v.uuid_of(which._uuid_bytes)).result()
        return xen.domain_class(xen, which.domid, which._uuid_bytes)
    if isinstance(which, int | DomainBase):
        return _by_domid(xen, v.domid(which))
    from uuid import UUID

    if not isinstance(which, UUID):
        raise TypeError(f"a domid, a name or a UUID is expected, not {which!r}")
    return await _by_uuid(xen, which) or _refuse(f"there is no domain with the UUID {which}")


def _refuse(message: str, domid: int | None = None) -> Domain:
    raise errors.DomainNotFoundError(message, "domain", domid)


def _by_domid(xen: Context, domid: int, remark: str = "") -> Domain:
    if domid < 1 << 32:
        try:
            return xen.domain_class(xen, domid, xen.domain_get_info(domid).result().uuid)
        except (errors.DomainNotFoundError, errors.InvalidError):
            pass
    return _refuse(f"there is no domain {domid}{remark}", domid)


async def _by_name(xen: Context, name: str, seconds: float | None) -> Domain:
    try:
        found = await xen.domain_find(name, timeout=seconds)
    except errors.NotFoundError:
        uuid = _as_uuid(name)
        by_uuid = None if uuid is None else await _by_uuid(xen, uuid)
        return by_uuid or _refuse(
            f"there is no domain named {name!r}" + (", or with this UUID" if uuid else "")
        )
    # The UUID is unknown if the domain was destroyed after the search.
    return found if found._uuid_bytes else _refuse(f"there is no domain named {name!r}")


def _as_uuid(text: str) -> UUID | None:
    """Returns the UUID in a text such as "8e4c2f0a-5d3b-4b1e-9a57-0c6d2e8f1b34", or None if the text is no
    UUID."""
    from uuid import UUID

    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


async def _by_uuid(xen: Context, uuid: UUID) -> Domain | None:
    async for infos in _slices(xen):
        for info in infos:
            if info.uuid == uuid:
                return xen.domain_class(xen, info.domid, uuid)
    return None


async def _slices(xen: Context) -> AsyncIterator[list[DomInfo]]:
    """Lists all domains with one call, and yields a slice of the list in each turn of the loop. Converting
    the list at once would hold the loop for 5 ms with 1,000 domains.

    Raises: NoPermissionError, FailedError, ClosedError.
    """
    xen._bind()
    out = ffi.new("libxl_dominfo_list *")
    if rc := lib.libxl_domain_list(xen._c, out, ffi.NULL):
        raise error_of(rc, last_message(), "domain_list")
    try:
        for first in range(0, out.num_domains, SLICE):
            if first:
                await next_turn(xen._running_loop())
            yield get_DomInfo_list(out.domains + first, min(SLICE, out.num_domains - first))
    finally:
        lib.libxl_dominfo_list_dispose(out)


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Domains:
    """The domains of the host: the attribute `domains` of a context.

    `async for dom in xen.domains:` lists them once, in order of their domids, with domain 0.
    """

    __slots__ = ("_xen",)

    def __init__(self, xen: Context) -> None:
        self._xen = xen

    async def __aiter__(self) -> AsyncIterator[Domain]:
        async for infos in _slices(self._xen):
            for info in infos:
                yield self._xen.domain_class(self._xen, info.domid, info.uuid)

    def live(self, *, capacity: int = 1024) -> DomainView:
        """Returns a view of all domains that events keep current: `async with xen.domains.live() as view:`.

        capacity: The greatest number of events that wait to be read by `async for event in view`. Later
        events are dropped, and an EventsLost takes their place. The view itself loses nothing.
        """
        return DomainView(self._xen, capacity)


class DomainStatus(Fields):
    """The state of a domain in a DomainView."""

    __slots__ = __match_args__ = ("domain", "state", "reason")

    domain: Domain
    """The domain."""

    state: DomainState
    """RUNNING, SHUTDOWN or DYING. A paused domain is RUNNING, because Xen has no event for a pause. state()
    of the domain tells whether it is paused."""

    reason: ShutdownReason | None
    """The reason why the domain has stopped. None: it has not stopped, or it was destroyed while it ran."""

    def __init__(self, domain: Domain, state: DomainState, reason: ShutdownReason | None = None) -> None:
        self.domain = domain
        self.state = state
        self.reason = reason


class _Followed(Events["DomainEvent"]):
    """The events of a view. Each event changes the view before it can be read."""

    def __init__(self, view: DomainView, capacity: int) -> None:
        self._view = view
        super().__init__(view._xen, None, None, capacity)

    def _put(self, event: Event) -> None:
        self._view._apply(event)
        super()._put(event)

    def _finish(self) -> None:
        super()._finish()
        self._view._wake()


class DomainView(Mapping[int, DomainStatus]):
    """All domains of the host by domid, except domain 0, kept current by events. Made by Domains.live().

    The view is a mapping that changes whenever the event loop runs, so iterate over it without awaiting, or
    over `list(view.values())`. `await view.changed()` waits for a change. `async for event in view:` yields
    the events that have changed it; one task at a time may do so. When events were lost, the domains are
    listed again, and an EventsLost is among the events.

    A new domain is in the view as soon as the hypervisor has it. At that time its name can still be missing
    in xenstore. If its creation fails, the domain is destroyed. The cost of a change does not depend on the
    number of domains.
    """

    def __init__(self, xen: Context, capacity: int) -> None:
        self._xen = xen
        self._capacity = capacity
        self._events: _Followed | None = None
        self._statuses: dict[int, DomainStatus] = {}
        self._changes = 0
        self._seen = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._listing: asyncio.Future[None] | None = None
        self._told: set[int] | None = None
        """The domids of the events that have come since the list was fetched. None: no list is being read."""

    async def __aenter__(self) -> Self:
        if self._events is not None:
            raise RuntimeError("the view is in use already")
        self._xen._bind()
        self._events = _Followed(self, self._capacity)
        try:
            await self._list()
        except BaseException:
            await self.aclose()
            raise
        self._seen = self._changes
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the view, which keeps its last state. The iteration over its events ends."""
        if self._events is not None:
            await self._events.aclose()

    # The mapping

    def __getitem__(self, domid: int) -> DomainStatus:
        return self._statuses[domid]

    def __iter__(self) -> Iterator[int]:
        return iter(self._statuses)

    def __len__(self) -> int:
        return len(self._statuses)

    def __repr__(self) -> str:
        return f"<DomainView of {len(self)} domains>"

    # Waiting

    async def changed(self) -> None:
        """Waits until the view has changed since the last call of this method returned, or since the
        beginning.

        Raises: ClosedError, if the view or the context is closed.
        """
        seen = self._seen
        while self._changes == seen:
            if self._events is None or self._events._generator is None:
                raise errors.ClosedError("the view is closed")
            await self._wait()
        self._seen = self._changes

    def __aiter__(self) -> AsyncIterator[DomainEvent | EventsLost]:
        if self._events is None:
            raise RuntimeError("use `async with` first")
        return self._events

    async def _wait(self, seconds: float | None = None) -> None:
        """Waits until _wake() is called, or until the time has passed."""
        loop = self._xen._running_loop()
        waiter = loop.create_future()
        self._waiters.append(waiter)
        timer = None if seconds is None else loop.call_later(seconds, _set, waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        for waiter in self._waiters:
            _set(waiter)

    def _change(self) -> None:
        self._changes += 1
        self._wake()

    # Changes

    def _apply(self, event: Event) -> None:
        """Changes the view. The same event may be applied twice."""
        if isinstance(event, DomainEventsLost):
            if self._listing is None or self._listing.done():
                self._listing = self._xen._running_loop().create_task(self._list_again())
            return
        if self._told is not None:
            self._told.add(event.domid)
        status = self._statuses.get(event.domid)
        if status is not None and status.domain.uuid != event.uuid:
            # A new domain may appear before the last events of the domain that had its domid.
            if not isinstance(event, DomainAppeared):
                return
            status = None
        if isinstance(event, DomainGone):
            if self._statuses.pop(event.domid, None) is not None:
                self._change()
            return
        if status is None:
            status = self._add(event.domid, event.uuid)
        if isinstance(event, DomainShutdown):
            status.reason = event.shutdown_reason
            if status.state is not DomainState.DYING:
                status.state = DomainState.SHUTDOWN
        elif isinstance(event, DomainDying):
            status.state = DomainState.DYING
        elif not isinstance(event, DomainAppeared):
            return
        self._change()

    def _add(self, domid: int, uuid: UUID) -> DomainStatus:
        domain = self._xen.domain_class(self._xen, domid, uuid)
        status = self._statuses[domid] = DomainStatus(domain, DomainState.RUNNING)
        return status

    async def _list(self) -> None:
        """Changes the view as the hypervisor's list says. If an event of a domain comes meanwhile, the domain
        is skipped, because the event is newer than the list."""
        told = self._told = set()
        listed: set[int] = set()
        try:
            async for infos in _slices(self._xen):
                for info in infos:
                    if info.vcpu_max_id == NO_VCPUS:
                        continue
                    listed.add(info.domid)
                    if info.domid and info.domid not in told:
                        self._compare(info)
        finally:
            self._told = None
        for domid in self._statuses.keys() - listed - told:
            del self._statuses[domid]
        self._change()

    def _compare(self, info: DomInfo) -> None:
        status = self._statuses.get(info.domid)
        if status is None or status.domain.uuid != info.uuid:
            status = self._add(info.domid, info.uuid)
        state = state_of(info)
        status.state = DomainState.RUNNING if state is DomainState.PAUSED else state
        if info.shutdown:
            status.reason = info.shutdown_reason
        elif state is DomainState.PAUSED or state is DomainState.RUNNING:
            status.reason = None

    async def _list_again(self) -> None:
        """Lists the domains after a loss of events. Tries again while the hypervisor refuses the list."""
        while self._events is not None and self._events._generator is not None:
            try:
                await self._list()
                return
            except errors.ClosedError:
                return
            except errors.Error:
                await self._wait(RETRY_SECONDS)
