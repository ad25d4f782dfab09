# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that create domains and leave them running: create, start."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

import aioxen
from aioxen.cli import parallel
from aioxen.cli.console import attach
from aioxen.cli.core import Session, command
from aioxen.cli.exits import Exit
from aioxen.cli.files import read_config
from aioxen.cli.guests import DUMPS, Guest
from aioxen.cli.output import record_of
from aioxen.cli.parallel import Done, Handled
from aioxen.cli.progress import Report
from aioxen.cli.run import LOGS

F = TypeVar("F", bound=Callable[..., Any])


def creation_options(function: F) -> F:
    """Adds the options that create and start have in common."""
    alone = "Start no supervisor, so on_poweroff, on_reboot and on_crash are not carried out."
    for option in (
        click.option("--strict", is_flag=True, help="Refuse what xl ignores: unknown keys, wrong values."),
        click.option("-e", "alone", is_flag=True, help=alone),
        click.option("-p", "paused", is_flag=True, help="Leave the domains paused."),
    ):
        function = option(function)
    return function


@command("create")
@click.argument("words", metavar="[FILE] [KEY=VALUE]...", nargs=-1, type=click.Path())
@click.option("-f", "--defconfig", metavar="FILE", type=click.Path(), help="The configuration file.")
@click.option("-F", "foreground", is_flag=True, help="Supervise the domain until it has ended.")
@click.option("-c", "console", is_flag=True, help="Attach to the console.")
@click.option("-n", "--dryrun", is_flag=True, help="Print the configuration, and create nothing.")
@creation_options
async def create(
    session: Session,
    words: tuple[str, ...],
    defconfig: str | None,
    foreground: bool,
    console: bool,
    dryrun: bool,
    paused: bool,
    alone: bool,
    strict: bool,
) -> None:
    """Creates a domain from a file in the form of xl.cfg(5), and lets it run.

    KEY=VALUE replaces a setting of the file. A supervisor stays in the background. It carries out
    on_poweroff, on_reboot and on_crash. Its log is /var/log/xen/aioxen-NAME.log.
    """
    if words and "=" not in words[0]:
        defconfig, words = words[0], words[1:]
    if wrong := [word for word in words if "=" not in word]:
        raise click.UsageError(f"{wrong[0]!r} is not KEY=VALUE; `aioxen start` takes several files")
    config = read_config(session, defconfig, words, strict)
    if dryrun:
        return session.out.line(
            json.dumps(record_of(config, all=False), indent=None if session.out.json else 4)
        )
    guest = Guest(session, config, DUMPS)
    await _create(session, [guest], paused, alone or foreground)
    if guest.dom is not None and console:
        await attach(session, guest.dom)
    if guest.dom is not None and foreground:
        await guest.supervise()


@command("start")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(dir_okay=False))
@creation_options
async def start(session: Session, files: tuple[str, ...], paused: bool, alone: bool, strict: bool) -> None:
    """Creates domains from several files at once, and lets them run.

    If a file cannot be read, no domain is created. As with `aioxen create`, a supervisor stays in the
    background. It supervises all the domains.
    """
    guests = [Guest(session, read_config(session, file, strict=strict), DUMPS) for file in files]
    await _create(session, guests, paused, alone)


async def _create(session: Session, guests: list[Guest], paused: bool, alone: bool) -> None:
    """Creates guests at once, and starts their supervisor."""
    await parallel.all_of(session, [_creation(guest, paused) for guest in guests])
    made = [guest.dom for guest in guests if guest.dom is not None]
    if made and not alone:
        await _leave_supervisor(session, guests[0].name, made)


def _creation(guest: Guest, paused: bool) -> Handled:
    async def act(report: Report) -> Done:
        dom = await guest.create(report)
        if not paused:
            await dom.unpause()
        record = {"domid": dom.domid, "uuid": str(dom.uuid), "outcome": "created", "paused": paused}
        return Done(f"created as domain {dom.domid}" + (", paused" if paused else ""), record)

    return Handled(guest.name, act, lambda: parallel.state_of(guest.session, guest.name))


async def _leave_supervisor(session: Session, name: str, domains: Iterable[aioxen.Domain]) -> None:
    """Starts `aioxen supervise` in the background, and waits until it supervises the domains."""
    log = LOGS / f"aioxen-{name.replace('/', '_')}.log"
    # -P: Python ignores modules in the working directory, which may have the name of the package.
    words = [sys.executable, "-P", "-m", "aioxen", "supervise", "--background", "--log", str(log)]
    words += [str(dom.uuid) for dom in domains]
    process = await asyncio.create_subprocess_exec(
        *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode:
        session.out.warn(f"the domains run without a supervisor: {errors.decode(errors='replace').strip()}")
        session.code = Exit.FAILED
