# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Migration, which moves one guest from one host of a fleet to another.

The receiver's outcome decides. If the receiver has succeeded, the guest runs on the new host, and a domain
that is left on the old host is destroyed. If the receiver has failed, the new host has no domain, and a guest
that is suspended on the old host is resumed. As long as an outcome is unknown, the migration raises
UnknownOutcomeError.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from aioxen import errors
from aioxen._coroutine import wait_uncancelled
from aioxen._migrating import AWAY
from aioxen._remote import Passage
from aioxen.fleet import wire
from aioxen.fleet.errors import FleetError, InterruptedError, NotDoneError, UnknownOutcomeError
from aioxen.fleet.select import Outcome
from aioxen.types import Migration as Options
from aioxen.types import Suspend

if TYPE_CHECKING:
    from aioxen._spec import Progress
    from aioxen.fleet.client import Fleet
    from aioxen.fleet.domain import Domain
    from aioxen.fleet.host import Host
    from aioxen.fleet.operation import RemoteOperation
    from aioxen.types import OperationProgress, SavePolicy

log: logging.Logger = logging.getLogger("aioxen.fleet")

NAME = "migrate"
SUSPENDED: tuple[type[errors.Error], ...] = (errors.OwnerUnknownError, InterruptedError)
"""The sender's errors after which the guest may be suspended on the old host."""


class Migration:
    """A migration in progress: one call of Fleet.migrate()."""

    def __init__(self, fleet: Fleet, domain: Domain, target: Host) -> None:
        self.fleet = fleet
        self.domain = domain
        self.source: Host = domain.host
        self.target = target
        self.receiving: RemoteOperation[Any] | None = None
        self.sending: RemoteOperation[Any] | None = None

    async def run(
        self, live: bool, policy: SavePolicy | None, unannounced: bool, timeout: float | None,  # noqa: ASYNC109
        progress: Progress[OperationProgress] | None,
    ) -> Domain:  # fmt: skip
        """Does the work of Fleet.migrate()."""
        if self.target is self.source:
            raise ValueError(f"host: the domain is on {self.source.name} already")
        known = self.fleet.hosts.get(self.target.name)
        if known is None or not known.passage:
            raise FleetError(self.target.name, "the host receives no guests (--passage)", NAME)
        ticket, uuid = wire.new_id(), self.domain.uuid
        self.receiving = self.target._call(
            "domain_receive_stream", None, None, paused=0,
            passage=Passage(ticket, self.source.name, "", uuid),
        )  # fmt: skip
        try:
            await self.receiving.accepted()
            if not self.receiving.done():
                self.sending = self.source._call(
                    "domain_migrate_stream", timeout, progress, domid=self.domain, policy=policy,
                    flags=int(Suspend.LIVE if live else 0),
                    options=int(Options.UNANNOUNCED if unannounced else 0),
                    passage=Passage(ticket, self.target.name, known.passage, uuid),
                )  # fmt: skip
                await self.sending.ended()
        except asyncio.CancelledError:
            if self.sending is not None:
                self.sending.cancel()
            with contextlib.suppress(errors.Error):
                await wait_uncancelled(asyncio.ensure_future(self._settle(False)))
            raise
        return await wait_uncancelled(asyncio.ensure_future(self._settle(False)))

    async def _settle(self, resolving: bool) -> Domain:
        """Waits for the outcomes of both sides, and makes sure that the guest is on one host only.

        resolving: True: waits for a host that does not answer. False: raises UnknownOutcomeError.
        """
        assert self.receiving is not None
        sent = Outcome(None, NotDoneError(self.source.name, "the sending was not started", NAME))
        if self.sending is not None:
            sent = await self._outcome(self.sending, resolving)
        if sent.error is not None:
            self.receiving.cancel()  # A sender that has failed may never connect.
        received = await self._outcome(self.receiving, resolving)
        if isinstance(received.error, UnknownOutcomeError):
            raise self._unknown(self.target)
        if received.error is None:
            domain: Domain = received.value
            if sent.error is not None:
                await self._end_remnant()
            return domain
        # There is no domain on the target, unless its agent could not find out.
        if isinstance(sent.error, UnknownOutcomeError):
            raise self._unknown(self.source)
        if isinstance(sent.error, SUSPENDED) and not isinstance(received.error, InterruptedError):
            await self._resume()
        # NotDoneError is a consequence of the other side's failure, so the other side has the reason.
        told = sent.error if self.sending is not None else None
        raise told if told is not None and not isinstance(told, NotDoneError) else received.error

    async def _outcome(self, operation: RemoteOperation[Any], resolving: bool) -> Outcome:
        """Returns the outcome of one side's operation. A cancelled future has no outcome, so the host is
        asked."""
        await operation.ended()
        error = None if operation.cancelled() else operation.exception()
        unknown = isinstance(error, UnknownOutcomeError)
        if not operation.cancelled() and not (unknown and resolving):
            assert error is None or isinstance(error, Exception)
            return Outcome(operation.result() if error is None else None, error)
        asked = self.fleet._observe(operation)
        try:
            async with asyncio.timeout(None if resolving else self.fleet._patience):
                await asked.ended()
        except TimeoutError:
            asked.cancel()
            return Outcome(None, self._unknown(operation.host))
        if asked.cancelled():
            return Outcome(None, NotDoneError(operation.host.name, "it was stopped", operation.name))
        failure = asked.exception()
        assert failure is None or isinstance(failure, Exception)
        return Outcome(asked.result() if failure is None else None, failure)

    def _unknown(self, host: Host) -> UnknownOutcomeError:
        async def resolve(timeout: float | None) -> Domain:  # noqa: ASYNC109
            async with asyncio.timeout(timeout):
                return await self._settle(True)

        assert self.receiving is not None
        return UnknownOutcomeError(host.name, NAME, self.receiving.id, resolve)

    async def _end_remnant(self) -> None:
        """Destroys the suspended domain on the old host, if it is there. The guest runs on the target."""
        try:
            await self.source.domain_destroy(self.domain)
        except (errors.DomainNotFoundError, errors.DomainGoneError):
            pass
        except errors.Error as error:
            log.warning("%r may be left, suspended: %s", self.domain, error)

    async def _resume(self) -> None:
        """Resumes the guest on its old host, if it is suspended there. The guest is not on the target."""
        uuid = self.domain.uuid
        with contextlib.suppress(errors.DomainNotFoundError, errors.DomainGoneError):
            if any(one.uuid == uuid for one in await self.source.unfinished()):
                await self.source.resume_unfinished(uuid)
            if (name := await self.domain.name()).endswith(AWAY):
                await self.domain.rename(name.removesuffix(AWAY))
