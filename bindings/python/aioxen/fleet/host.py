# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Host, which has the operations of one host of a fleet."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from aioxen import errors
from aioxen._fleet_operations import OPERATIONS, HostOperations
from aioxen._remote import RemoteDomain
from aioxen.fleet.domain import Domain
from aioxen.fleet.operation import RemoteOperation

if TYPE_CHECKING:
    from aioxen._spec import DomainLike, Progress
    from aioxen.fleet.client import Fleet


class Host(HostOperations):
    """One host. Its methods are the operations of aioxen.Context, except those that take a descriptor.

    An operation is a future, as on a Context. It raises the operation's errors. It also raises
    HostNotFoundError, NotAllowedError, OverloadedError and RefusedError; in these cases nothing was done. It
    raises UnknownOutcomeError if the host is lost, and InterruptedError if the host's agent was killed.
    """

    def __init__(self, fleet: Fleet, name: str) -> None:
        self._fleet = fleet
        self.name: str = name
        """The host's name."""

    def __repr__(self) -> str:
        return f"<Host {self.name}>"

    def _call(
        self, operation: str, timeout: float | None, progress: Progress[Any] | None, /, **inputs: Any
    ) -> RemoteOperation[Any]:
        domain = inputs.get("domid")
        if isinstance(domain, Domain) and domain.host is not self:
            raise ValueError(f"domid: {domain!r} is not on {self.name}")
        encoded = OPERATIONS[operation].encode_inputs(inputs)
        if operation == "domain_create":
            # The client chooses the UUID, so the domain can be found even if the agent is killed.
            encoded["d_config"].setdefault("c_info", {}).setdefault("uuid", str(uuid4()))
        return self._fleet._start(self, operation, encoded, timeout, progress)

    def _local(self, result: Any) -> Any:
        """Returns the result of an operation, with Domains of this host."""
        if isinstance(result, RemoteDomain):
            return Domain(self, result.domid, result._uuid_bytes)
        return result

    async def domain(
        self,
        which: DomainLike | str | UUID,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> Domain:
        """Returns the domain with a domid, a name or a UUID. The rules are those of aioxen.Context.domain().

        Raises: DomainNotFoundError.
        """
        if isinstance(which, str) and not which.isdecimal():
            with contextlib.suppress(errors.DomainNotFoundError, errors.NotFoundError):
                return await self.domain_find(which, timeout=timeout)
            with contextlib.suppress(ValueError):
                which = UUID(which)
        if isinstance(which, UUID):
            for info in await self.domain_list():
                if info.uuid == which:
                    return Domain(self, info.domid, info.uuid)
        elif not isinstance(which, str) or which.isdecimal():
            info = await self.domain_get_info(int(which) if isinstance(which, str) else which)
            return Domain(self, info.domid, info.uuid)
        raise errors.DomainNotFoundError(f"there is no domain {which} on {self.name}")

    async def domains(self) -> list[Domain]:
        """Returns the host's domains, in order of their domids."""
        return [Domain(self, info.domid, info.uuid) for info in await self.domain_list()]
