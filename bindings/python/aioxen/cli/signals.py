# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that send something to a guest or take its memory: sysrq, trigger, dump-core."""

from __future__ import annotations

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.guests import DUMPS, dump_file
from aioxen.cli.parallel import Done, each
from aioxen.cli.progress import Report
from aioxen.cli.select import domain_argument

TRIGGERS = tuple(str(trigger) for trigger in aioxen.Trigger if trigger)


@command("sysrq")
@domain_argument()
@click.argument("letter")
@click.option("-w", "--wait", is_flag=True, help="Wait until the guest has taken the request.")
async def sysrq(session: Session, domain: str, letter: str, wait: bool) -> None:
    """Sends a magic system request to a guest."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.send_sysrq(letter, wait=wait, timeout=session.timeout, progress=report)
        return Done(f"sysrq {letter} sent", {"outcome": "sent"})

    await each(session, [domain], act)


@command("trigger")
@domain_argument()
@click.argument("name", type=click.Choice(TRIGGERS))
@click.argument("vcpu", type=click.IntRange(0), default=0)
async def trigger(session: Session, domain: str, name: str, vcpu: int) -> None:
    """Sends a trigger to a virtual processor of a guest."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.send_trigger(aioxen.Trigger[name.upper()], vcpu)
        return Done(f"trigger {name} sent", {"outcome": "sent"})

    await each(session, [domain], act)


@command("dump-core")
@domain_argument()
@click.argument("file", required=False, type=click.Path(dir_okay=False, resolve_path=True))
async def dump_core(session: Session, domain: str, file: str | None) -> None:
    """Writes a domain's memory to a file. The default is a file in /var/lib/xen/dump.

    Pause the domain first if the dump must be consistent.
    """

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        nonlocal file
        file = file or str(dump_file(DUMPS, domain, dom))
        await dom.core_dump(file, timeout=session.timeout, progress=report)
        return Done(f"its memory is in {file}", {"outcome": "dumped", "file": file})

    await each(session, [domain], act, after="; the unfinished file was removed")
