# SPDX-License-Identifier: LGPL-2.1-or-later
"""The errors that only operations on other hosts raise. The errors of the operations themselves are those of
aioxen.errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aioxen.errors import Error, FailedError


class FleetError(Error):
    """An operation on another host has failed outside of the host's library."""

    rc: int = FailedError.rc

    def __init__(self, host: str, message: str = "", operation: str | None = None) -> None:
        super().__init__(message, operation)
        self.host: str = host
        """The name of the host."""

    def __str__(self) -> str:
        return f"{self.host}: {super().__str__()}"


class HostNotFoundError(FleetError, LookupError):
    """No agent serves this host. Nothing was done."""


class NotAllowedError(FleetError, PermissionError):
    """The broker or the host's agent does not allow the call. Nothing was done."""

    def __str__(self) -> str:
        return FleetError.__str__(self)


class OverloadedError(FleetError):
    """The host's agent has too many calls in progress. Nothing was done."""


class RefusedError(FleetError, ValueError):
    """The host's agent cannot accept the call: it is malformed, too old, or unknown to this agent. Nothing
    was done."""

    def __str__(self) -> str:
        return FleetError.__str__(self)


class NotDoneError(FleetError):
    """The call has not reached the host, and the host will not carry it out."""


class InterruptedError(FleetError):
    """The agent ended while it carried out the call. The effect of the call is not known. Look it up on the
    host."""


class UnknownOutcomeError(FleetError):
    """The host was lost after the call was sent. The host may have carried out the call, or may still do so.

    resolve() waits until the host is back, and returns the call's result or raises its error.
    """

    def __init__(
        self, host: str, operation: str, id: str, resolve: Callable[[float | None], Awaitable[Any]]
    ) -> None:
        message = f"the host does not answer: the outcome of {operation} (request {id}) is unknown"
        super().__init__(host, message, operation)
        self.id: str = id
        """The request's id."""
        self._resolve = resolve

    async def resolve(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """Waits until the host answers, and returns the result of the call.

        timeout: The longest wait, in seconds, after which TimeoutError is raised. None: no limit.

        Raises: the error of the operation; CancelledError, if the call was cancelled; NotDoneError, if the
        call has not reached the host (the host will not carry it out); InterruptedError, if the agent ended
        during the call.
        """
        return await self._resolve(timeout)
