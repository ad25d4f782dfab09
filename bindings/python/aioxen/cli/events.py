# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command events: prints the events of domains and of devices as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

import click

import aioxen
from aioxen.cli import parallel
from aioxen.cli.core import Session, command
from aioxen.cli.output import record_of_event
from aioxen.cli.select import domains_argument, name_of

KINDS = (
    "DomainAppeared",
    "DomainShutdown",
    "DomainDying",
    "DomainGone",
    "DeviceConnected",
    "DeviceFailed",
    "DeviceGone",
    "DeviceModelEnded",
)


@command("events")
@domains_argument(required=False)
@click.option("--type", "kinds", type=click.Choice(KINDS), multiple=True, help="Only events of this type.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many events.")
async def events(
    session: Session, domains: tuple[str, ...], kinds: tuple[str, ...], count: int | None
) -> None:
    """Prints the events of the named domains and their devices. Without names, prints the events of all
    domains.

    Past events come first: the stop of each domain that has stopped, and the connection of each device that
    is connected. The command ends when all named domains are gone.
    """
    names = Names(session)
    await names.learn()
    found: list[aioxen.Domain] = await parallel.gather(session.find(text) for text in domains)
    queue: asyncio.Queue[object] = asyncio.Queue()
    types = [getattr(aioxen, kind) for kind in kinds] or None
    subjects: list[aioxen.Domain | None] = [*found] or [None]
    streams = [session.xen.events(dom, types) for dom in subjects]
    streams += [session.xen.device_events(dom, types) for dom in subjects]
    pumps = [asyncio.create_task(_pump(stream, queue)) for stream in streams]
    lives = [asyncio.ensure_future(session.xen.domain_wait_gone(dom)) for dom in found]
    end = asyncio.create_task(_put_end(lives, queue)) if found else None
    try:
        while (event := await queue.get()) is not None:
            await _print(session, names, event)
            count = count and count - 1
            if count == 0:
                return
    finally:
        for task in [*pumps, *([end] if end else [])]:
            task.cancel()


async def _pump(stream: aioxen.Events[aioxen.Event], queue: asyncio.Queue[object]) -> None:
    async for event in stream:
        queue.put_nowait(event)


async def _put_end(lives: Iterable[asyncio.Future[None]], queue: asyncio.Queue[object]) -> None:
    """Ends the queue when all domains are gone and their events are in the queue."""
    await parallel.gather(lives)
    await asyncio.sleep(0.1)
    queue.put_nowait(None)


async def _print(session: Session, names: Names, event: object) -> None:
    now = datetime.now().astimezone()
    record = record_of_event(event)
    kind, domid = record.pop("event"), record.get("domid")
    name = await names.of(domid, str(record.get("uuid"))) if domid is not None else ""
    details = ", ".join(f"{key}={value}" for key, value in record.items() if key not in ("domid", "uuid"))
    about = f" {name or '?'} (domain {domid})" if domid is not None else ""
    session.out.answer(
        f"{now:%H:%M:%S}.{now.microsecond // 1000:03}{about}: {kind} {details}".rstrip(),
        {"time": now.isoformat(), "event": kind, "name": name, **record},
    )


class Names:
    """The names of domains. A domain that is gone keeps the name that it had."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: dict[tuple[int, str], str] = {}

    async def of(self, domid: int, uuid: str) -> str:
        """Returns a domain's name, or "" if it is unknown."""
        key = (domid, uuid)
        if not self._names.get(key):
            await self.learn()
        return self._names.get(key, "")

    async def learn(self) -> None:
        """Looks up the names of all domains that exist."""
        for info in await self._session.xen.domain_list():
            dom = aioxen.Domain(self._session.xen, info.domid, info.uuid)
            self._names[info.domid, str(info.uuid)] = await name_of(dom, parallel.PATIENCE)
