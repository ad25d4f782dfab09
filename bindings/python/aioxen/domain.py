# SPDX-License-Identifier: LGPL-2.1-or-later
"""Owns Domain, the handle of one domain."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import TYPE_CHECKING

from aioxen import _values as v
from aioxen._operations import ContextOperations, DomainOperations
from aioxen.types import ConsoleType

if TYPE_CHECKING:
    from uuid import UUID

    from aioxen._shutdown import ShutdownFuture
    from aioxen._spec import Progress
    from aioxen.console import Console
    from aioxen.operation import Operation
    from aioxen.types import OperationProgress


class Domain(DomainOperations):
    """One domain: its domid, its UUID, and the operations on it.

    Every method that takes a domid also takes a Domain: `xen.domain_pause(dom)` does the same as
    `dom.pause()`. Two handles are equal if they have the same domid and the same UUID. A handle does not keep
    the domain alive. Xen reuses domids, so each operation first checks that the domain with this domid still
    has this UUID. If the domain has another UUID, the operation raises DomainGoneError. In this case
    wait_gone() completes with success. A domid that is given as a number is not checked.
    """

    __slots__ = ("domid", "_uuid_bytes", "_xen")

    def __init__(self, xen: ContextOperations, domid: int, uuid: UUID | bytes) -> None:
        self._xen = xen
        self.domid = domid
        self._uuid_bytes = uuid if isinstance(uuid, bytes) else uuid.bytes

    @property
    def uuid(self) -> UUID:
        """The domain's UUID. All octets are 0 if it is unknown."""
        return v.uuid_of(self._uuid_bytes or bytes(16))

    def __int__(self) -> int:
        return self.domid

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Domain):
            return NotImplemented
        return (self.domid, self._uuid_bytes) == (other.domid, other._uuid_bytes)

    def __hash__(self) -> int:
        return hash((self.domid, self._uuid_bytes))

    def __repr__(self) -> str:
        return f"<Domain {self.domid} {self.uuid}>"

    def console(
        self, number: int = 0, type: ConsoleType = ConsoleType.UNKNOWN, *, limit: int = 1 << 16
    ) -> Console:
        """Returns the domain's console. `async with dom.console() as c:` opens the console.

        number, type: The number and the type of the console. The default is the primary console.

        limit: The greatest number of octets of unread output that are kept. It must be 2 or more.

        Raises: ValueError. Opening the console raises the errors of console_tty(), and OSError.
        """
        return self._xen._console(self, number, type, limit)

    def shutdown(
        self,
        *,
        timeout: float | None = None,
        progress: Progress[OperationProgress] | None = None,
        limit: float | EllipsisType | None = ...,
    ) -> ShutdownFuture:
        """Asks the guest to power off, and waits until the domain has stopped.

        This method runs the operations domain_shutdown and domain_wait_shutdown of Context at the same time.
        domain_shutdown completes when the guest has acknowledged the request. The caller must still destroy
        the stopped domain.

        timeout: Seconds for both operations together. After this time both are stopped, and the future raises
        TimedOutError.

        progress: Receives each OperationProgress of both operations; the field `operation` of an event names
        the operation.

        limit: The older name of `timeout`. If both are given, `limit` is used.

        Returns: The reason why the domain has stopped. It may differ from the requested reason.

        Raises: GuestTimedOutError, if the guest does not acknowledge the request in time; otherwise the
        errors of both operations.

        Cancelled: The request is withdrawn, unless the guest has acknowledged it. A guest that has
        acknowledged the request still stops.
        """
        return self._request_stop(self._xen.domain_shutdown, timeout if limit is ... else limit, progress)

    def reboot(
        self,
        *,
        timeout: float | None = None,
        progress: Progress[OperationProgress] | None = None,
        limit: float | EllipsisType | None = ...,
    ) -> ShutdownFuture:
        """Asks the guest to reboot, and waits until the domain has stopped.

        The library does not start the guest again. The caller destroys the domain and creates it anew. The
        arguments, the result and the errors are those of shutdown().
        """
        return self._request_stop(self._xen.domain_reboot, timeout if limit is ... else limit, progress)

    def _request_stop(
        self,
        ask: Callable[..., Operation[None]],
        timeout: float | None,
        progress: Progress[OperationProgress] | None,
    ) -> ShutdownFuture:
        request = ask(self, timeout=timeout, progress=progress)
        try:
            stopped = self._xen.domain_wait_shutdown(self, timeout=timeout, progress=progress)
            return self._xen._shutdown(request, stopped)
        except BaseException:  # This includes KeyboardInterrupt.
            request.cancel()
            raise
