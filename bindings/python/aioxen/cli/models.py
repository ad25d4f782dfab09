# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that ask a domain's QEMU: qmp, qemu-monitor-command."""

from __future__ import annotations

import json
from typing import Any

import click

from aioxen.cli.core import Session, command
from aioxen.cli.select import domain_argument


@command("qmp")
@domain_argument()
@click.argument("name", metavar="COMMAND")
@click.argument("arguments", required=False)
async def qmp(session: Session, domain: str, name: str, arguments: str | None) -> None:
    """Sends a command of QMP to a domain's QEMU, and prints the answer as JSON.

    ARGUMENTS is a JSON object.
    """
    given = None if arguments is None else _object(arguments)
    dom = await session.find(domain)
    answer = await dom.qmp(name, given, timeout=session.timeout)
    session.out.answer(json.dumps(answer), {"domain": domain, "answer": answer})


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"ARGUMENTS: {error}") from None
    if not isinstance(found, dict):
        raise click.BadParameter("ARGUMENTS: not an object of JSON")
    return found


@command("qemu-monitor-command")
@domain_argument()
@click.argument("words", metavar="LINE...", nargs=-1, required=True)
async def qemu_monitor_command(session: Session, domain: str, words: tuple[str, ...]) -> None:
    """Sends a line to the monitor of a domain's QEMU, and prints the monitor's output."""
    dom = await session.find(domain)
    output = await dom.qemu_monitor_command(" ".join(words), timeout=session.timeout)
    session.out.answer(output.replace("\r\n", "\n"), {"domain": domain, "output": output})
