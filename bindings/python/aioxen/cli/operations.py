# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command `operations` lists the operations of the commands on this host. The commands `unfinished`
handle domains whose creation or save was not finished because a process was killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import click

from aioxen.cli import parallel
from aioxen.cli.core import Session, command, group
from aioxen.cli.output import record_of
from aioxen.cli.parallel import Done, Handled
from aioxen.cli.peers import operations_of_all
from aioxen.cli.progress import Report
from aioxen.types import UnfinishedWork

if TYPE_CHECKING:
    from aioxen.operation import Operation

HEAD = ("PID", "Age(s)", "Domain", "Operation", "Phase", "Done", "Command")


@command("operations")
async def operations(session: Session) -> None:
    """Lists the operations in progress of all aioxen commands on this host, with their phases.

    Other programs are not listed. Such a program lists its own operations with Context.operations().
    """
    rows = []
    for r in await operations_of_all():
        done = f"{r.get('done', 0)}/{r['total']} {r.get('unit', '')}" if r.get("total") else ""
        row = (r["pid"], r.get("age_ms", 0) / 1000, r.get("domid", "-"), r["operation"], r.get("phase", ""))
        rows.append(((*row, done, r["command"]), r))
    session.out.table("%7d %8.1f %6s %-22s %-12s %-12s %s", HEAD, rows)


unfinished: click.Group = group(
    "unfinished", "Lists and ends creations and saves of domains that were not finished."
)


@command("list", unfinished)
async def list_unfinished(session: Session) -> None:
    """Lists the domains whose creations or saves were not finished, because the processes were killed."""
    found = await session.xen.unfinished(timeout=session.timeout)
    rows = [((u.uuid, u.domid, u.age_ms / 1000, u.work.name.lower()), record_of(u)) for u in found]
    session.out.table("%-36s %5d %8.1f %s", ("UUID", "ID", "Age(s)", "Work"), rows)


async def _end_all(
    session: Session,
    uuids: tuple[UUID, ...],
    everything: bool,
    works: tuple[UnfinishedWork, ...],
    end: Callable[..., Operation[None]],
    word: str,
) -> None:
    """Ends the unfinished creations or saves of the domains with these UUIDs, or of all listed domains."""
    if everything == bool(uuids):
        raise click.UsageError("name UUIDs, or use --all")
    if everything:
        found = await session.xen.unfinished(timeout=session.timeout)
        uuids = tuple(u.uuid for u in found if u.work in works)

    def handled(uuid: UUID) -> Handled:
        async def act(report: Report) -> Done:
            await end(uuid, timeout=session.timeout, progress=report)
            return Done(word, {"outcome": word})

        return Handled(str(uuid), act, lambda: parallel.state_of(session, str(uuid)))

    await parallel.all_of(session, [handled(uuid) for uuid in uuids])


@command("remove", unfinished)
@click.argument("uuids", metavar="UUID...", nargs=-1, type=click.UUID)
@click.option("-a", "--all", "everything", is_flag=True, help="All of them that `unfinished list` lists.")
async def remove_unfinished(session: Session, uuids: tuple[UUID, ...], everything: bool) -> None:
    """Destroys domains whose creations were not finished, and removes all their nodes. Destroys domains
    whose guests have moved to another machine."""
    works, end = (UnfinishedWork.CREATION, UnfinishedWork.MOVED), session.xen.remove_unfinished
    await _end_all(session, uuids, everything, works, end, "removed")


@command("resume", unfinished)
@click.argument("uuids", metavar="UUID...", nargs=-1, type=click.UUID)
@click.option("-a", "--all", "everything", is_flag=True, help="All saves that `unfinished list` lists.")
async def resume_unfinished(session: Session, uuids: tuple[UUID, ...], everything: bool) -> None:
    """Resumes the guests whose saves were not finished."""
    works, end = (UnfinishedWork.SAVE,), session.xen.resume_unfinished
    await _end_all(session, uuids, everything, works, end, "resumed")
