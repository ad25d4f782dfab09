# SPDX-License-Identifier: LGPL-2.1-or-later
"""Acts on many domains at once. A failure of one domain does not stop the others.

After an interrupt, the operations are stopped first. Then Xen is asked for the state of each domain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeVar

import aioxen
from aioxen.cli import exits
from aioxen.cli.core import Session
from aioxen.cli.output import Record
from aioxen.cli.progress import Meter, Report, meter

T = TypeVar("T")

PATIENCE = 5.0
"""After an interrupt, a command asks Xen for the state of each of its domains. This is the limit for one
domain, in seconds."""


class Done(NamedTuple):
    """The result for a domain: a text, and the fields of a JSON object."""

    text: str
    record: Record = {}  # noqa: RUF012


class Handled(NamedTuple):
    """How to act on one subject: a domain, or a file from which a domain is created."""

    subject: str
    act: Callable[[Report], Awaitable[Done]]
    state: Callable[[], Awaitable[str]]
    """Returns the state of the domain in words."""


async def each(
    session: Session,
    domains: Iterable[str],
    act: Callable[[aioxen.Domain, Report], Awaitable[Done]],
    after: str = "",
) -> None:
    """Acts on domains. Each is given by the text that the user has written.

    Each result is printed as soon as the domain is done. The exit status is the domains' common status, or
    PARTIAL.

    after: A text that is added to a domain's state after an interrupt.
    """

    def handled(text: str) -> Handled:
        found: list[aioxen.Domain] = []

        async def find_and_act(report: Report) -> Done:
            found.append(await session.find(text))
            done = await act(found[0], report)
            identity = {"domid": found[0].domid, "uuid": str(found[0].uuid)}
            return Done(done.text, identity | done.record)

        async def state() -> str:
            return await state_of(session, found[0] if found else text) + after

        return Handled(text, find_and_act, state)

    await all_of(session, [handled(text) for text in await session.expand(domains)])


async def all_of(session: Session, handled: Iterable[Handled]) -> None:
    """Acts on all subjects at once, prints the results, and sets the exit status."""
    handled = list(handled)
    with meter(session.progress, session.out, len(handled)) as shown:
        tasks = {asyncio.create_task(_one(session, h, shown)): h for h in handled}
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            stopped = [h for task, h in tasks.items() if task.cancelled()]
        else:
            session.code = session.code or exits.code_of_all(task.result() for task in tasks)
            return
    await _tell_states(session, stopped)
    raise asyncio.CancelledError


async def _one(session: Session, handled: Handled, shown: Meter) -> int:
    """Acts on one subject. Returns its exit status."""
    subject = handled.subject
    report = shown.begin(subject)
    try:
        done = await handled.act(report)
    except (aioxen.Error, OSError, MemoryError, ValueError) as error:
        shown.end(subject, "failed")
        session.out.error(error, subject)
        return exits.code_of(error)
    except asyncio.CancelledError:
        shown.end(subject, "stopped")
        raise
    shown.end(subject, done.text)
    session.out.result(f"{subject}: {done.text}", {"domain": subject, **done.record})
    return exits.Exit.OK


async def _tell_states(session: Session, stopped: Iterable[Handled]) -> None:
    """Prints the states of the domains whose operations were stopped."""
    for handled in stopped:
        try:
            state = await handled.state()
        except (aioxen.Error, OSError, ValueError) as error:
            state = f"its state is unknown: {exits.text_of(error)}"
        session.out.warn(f"interrupted: {handled.subject}: {state}")
        if session.out.json:
            session.out.result("", {"domain": handled.subject, "interrupted": True, "state": state})


async def state_of(session: Session, domain: aioxen.Domain | str) -> str:
    """Asks Xen for the state of a domain, and returns the state in words."""
    try:
        async with asyncio.timeout(PATIENCE):
            if isinstance(domain, str):
                domain = await session.find(domain)
            return f"domain {domain.domid} {words_of(await domain.info())}"
    except aioxen.DomainNotFoundError:
        return "there is no such domain"


def words_of(info: aioxen.DomInfo) -> str:
    """Returns a domain's state in words."""
    if info.dying:
        return "is dying"
    if info.shutdown:
        return f"has stopped: {info.shutdown_reason}"
    return "is paused" if info.paused else "runs"


async def gather(awaitables: Iterable[Awaitable[T]]) -> list[T]:
    """Awaits all. After a failure, the others are cancelled and awaited, and the error is raised."""
    tasks = [asyncio.ensure_future(a) for a in awaitables]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
