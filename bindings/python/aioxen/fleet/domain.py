# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Domain, the handle of a domain on a host of a fleet."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aioxen._fleet_operations import DomainOperations
from aioxen._handle import Handle
from aioxen.errors import DomainNotFoundError

if TYPE_CHECKING:
    from aioxen._spec import Progress
    from aioxen.domains import DomainState
    from aioxen.fleet.host import Host
    from aioxen.fleet.operation import RemoteOperation
    from aioxen.types import (
        DomainConfig,
        DomainCreateConsoleAvailable,
        OperationProgress,
        ShutdownReason,
    )


class Domain(Handle, DomainOperations):
    """One domain of a host. Its methods are those of aioxen.Domain, except those that need descriptors
    of the host: consoles and saving. Each operation checks on the host that the domid still has this UUID."""

    __slots__ = ("_host",)

    _host: Host

    def __init__(self, host: Host, domid: int, uuid: UUID | bytes) -> None:
        super().__init__(domid, uuid)
        self._host = host

    @property
    def host(self) -> Host:
        """The host on which the domain is."""
        return self._host

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Domain) and self._host is other._host and Handle.__eq__(self, other)

    def __hash__(self) -> int:
        return hash((self._host.name, self.domid, self._uuid_bytes))

    def __repr__(self) -> str:
        return f"<Domain {self._host.name}/{self.domid} {self.uuid}>"

    async def state(self) -> DomainState:
        """Returns what the domain does now, as aioxen.Domain.state() does."""
        from aioxen.domains import DomainState, state_of

        try:
            return state_of(await self.info())
        except DomainNotFoundError:
            return DomainState.GONE

    async def shutdown(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Progress[OperationProgress] | None = None,
    ) -> ShutdownReason:
        """Asks the guest to power off, waits until the domain has stopped, and returns the reason.

        The arguments, the errors and the effect of a cancellation are those of aioxen.Domain.shutdown().
        """
        return await self._stop(self._host.domain_shutdown, timeout, progress)

    async def reboot(
        self,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Progress[OperationProgress] | None = None,
    ) -> ShutdownReason:
        """Asks the guest to reboot, waits until the domain has stopped, and returns the reason. The guest
        is not started again, as with aioxen.Domain.reboot()."""
        return await self._stop(self._host.domain_reboot, timeout, progress)

    async def soft_reset(
        self,
        config: DomainConfig,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Progress[OperationProgress | DomainCreateConsoleAvailable] | None = None,
    ) -> None:
        """Makes the devices and nodes of the stopped domain anew, so that its guest can continue. The
        arguments, the errors and the effect of a cancellation are those of aioxen.Domain.soft_reset()."""
        await self._host.domain_soft_reset(config, self, timeout=timeout, progress=progress)

    async def _stop(self, ask: Any, timeout: float | None, progress: Any) -> ShutdownReason:  # noqa: ASYNC109
        request: RemoteOperation[None] = ask(self, timeout=timeout, progress=progress)
        stopped = self._host.domain_wait_shutdown(self, timeout=timeout, progress=progress)
        try:
            await request
            return await stopped
        except BaseException:
            request.cancel()
            stopped.cancel()
            await asyncio.gather(_ended(request), _ended(stopped))
            raise


async def _ended(operation: Awaitable[Any]) -> None:
    """Waits until an operation has ended, with any outcome."""
    with contextlib.suppress(Exception, asyncio.CancelledError):
        await operation
