# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the outcomes of the calls that were in progress when an earlier agent was killed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import aioxen
from aioxen._migrating import AWAY
from aioxen.fleet import wire
from aioxen.fleet.agent import RECEIVE, Agent, refusal, reply
from aioxen.fleet.journal import Entry
from aioxen.fleet.wire import Reason, State
from aioxen.types import DomInfo, UnfinishedWork


async def recover(agent: Agent) -> None:
    """Finds the outcomes of these calls. Writes them to the journal and to the audit log."""
    for entry in list(agent.journal.interrupted()):
        for patience in (0.2, 0.5, 1.0, 0):
            try:
                last = await _outcome_of(agent.xen, entry)
                break
            except aioxen.Error as error:  # Xen may still carry out a call of the earlier agent.
                last = reply(entry.id, State.INTERRUPTED, message=f"the agent was killed; {error}")
                await asyncio.sleep(patience)
        agent.journal.end(entry.id, last)
        agent.audit.write(
            entry.caller, entry.operation, entry.id, wire.loads(last, wire.MOST_REPLY)["state"],
            uuid=entry.uuid or None, message="the agent was killed during the call",
        )  # fmt: skip


async def _outcome_of(xen: aioxen.Context, entry: Entry) -> bytes:
    if entry.uuid and (find := FINDERS.get(entry.operation)):
        return await find(xen, entry, UUID(entry.uuid))
    return _interrupted(entry)


def _interrupted(entry: Entry) -> bytes:
    return reply(entry.id, State.INTERRUPTED, message="the agent was killed during the call")


async def _info(xen: aioxen.Context, uuid: UUID) -> DomInfo | None:
    return next((info for info in await xen.domain_list() if info.uuid == uuid), None)


async def _made(xen: aioxen.Context, entry: Entry, uuid: UUID) -> bytes:
    """Returns the outcome of a call that makes a domain. An unfinished domain is removed."""
    never = refusal(entry.id, Reason.NEVER, "the agent was killed; the unfinished domain was removed")
    if any(one.uuid == uuid for one in await xen.unfinished()):
        await xen.remove_unfinished(uuid)
        return never
    found = await _info(xen, uuid)
    if found is None or found.dying:  # An earlier recovery has removed the unfinished domain.
        return never
    await xen.domain_get_name(found.domid)  # Fails if the domain is not complete.
    # An earlier version of domain_receive removed the mark before it let the guest run.
    if entry.operation == RECEIVE and not entry.paused and found.paused and not found.cpu_time:
        await xen.domain_unpause(xen.domain_class(xen, found.domid, uuid.bytes))
    return reply(entry.id, State.DONE, result=[{"domid": found.domid, "uuid": str(uuid)}])


async def _destroyed(xen: aioxen.Context, entry: Entry, uuid: UUID) -> bytes:
    return _interrupted(entry) if await _info(xen, uuid) else reply(entry.id, State.DONE, result=[])


async def _sent(xen: aioxen.Context, entry: Entry, uuid: UUID) -> bytes:
    """Returns the outcome of sending a guest. If the receiver has said that it runs the guest, removes the
    domain here. If the receiver may run the guest, changes nothing. Otherwise lets the guest run here."""
    work = next((one.work for one in await xen.unfinished() if one.uuid == uuid), None)
    found = await _info(xen, uuid)
    if found is None or work is UnfinishedWork.MIGRATION:
        return _interrupted(entry)
    if work in (UnfinishedWork.MOVED, UnfinishedWork.CREATION):
        # The receiver has said that the guest runs there. Only the destruction here was not finished.
        await xen.remove_unfinished(uuid)
        return reply(entry.id, State.DONE, result=[])
    if work is not None:
        await xen.resume_unfinished(uuid)
    dom = xen.domain_class(xen, found.domid, uuid.bytes)
    if (name := await dom.name()).endswith(AWAY):
        await dom.rename(name.removesuffix(AWAY))
    return refusal(entry.id, Reason.NEVER, "the agent was killed; the guest goes on to run here")


FINDERS: dict[str, Callable[[aioxen.Context, Entry, UUID], Awaitable[bytes]]] = {
    "domain_create": _made,
    RECEIVE: _made,
    "domain_destroy": _destroyed,
    "domain_migrate_stream": _sent,
}
"""By operation: the function that finds the operation's outcome by the UUID of the domain."""
