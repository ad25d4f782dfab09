# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Context, the context for asyncio. Its methods find domains, restore and receive domains, and
subscribe to events. The generated methods of BaseContext start the operations."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias, TypeVar, overload

from aioxen import _values as v
from aioxen._loop_context import LoopContext
from aioxen._spec import DomainBase, DomainLike, Progress
from aioxen.types import (
    DeviceConnected,
    DeviceFailed,
    DeviceGone,
    DeviceModelEnded,
    DomainAppeared,
    DomainDying,
    DomainGone,
    DomainShutdown,
    Event,
)

if TYPE_CHECKING:
    import asyncio
    from uuid import UUID

    from aioxen._migrating import Connection
    from aioxen.domain import Domain
    from aioxen.domains import Domains
    from aioxen.events import Events
    from aioxen.store import Store
    from aioxen.types import DomainConfig, OperationProgress, ReceivedAllowed

E = TypeVar("E", bound=Event)

DomainEvent: TypeAlias = DomainAppeared | DomainShutdown | DomainDying | DomainGone
"""The events that events() yields."""

DeviceEvent: TypeAlias = DeviceConnected | DeviceFailed | DeviceGone | DeviceModelEnded
"""The events that device_events() yields."""


class Context(LoopContext):
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
        # Imported at the first use, because this import takes time.
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
        # Imported at the first use, because this import takes time.
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
        return self._events(number, types, capacity, devices)

    @property
    def store(self) -> Store:
        """xenstore: its nodes, their values, and their changes."""
        from aioxen.store import Store  # The module is imported here because few programs need it.

        return Store(self)
