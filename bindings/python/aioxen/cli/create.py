# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that create domains and leave them running: create, start."""

from __future__ import annotations

import json

import click

import aioxen
from aioxen.cli import parallel
from aioxen.cli.core import Session, command
from aioxen.cli.files import read_config
from aioxen.cli.output import record_of
from aioxen.cli.parallel import Done, Handled
from aioxen.cli.progress import Report

FILE = click.Path(dir_okay=False)


@command("create")
@click.argument("words", metavar="[FILE] [KEY=VALUE]...", nargs=-1)
@click.option("-f", "--defconfig", metavar="FILE", type=FILE, help="The configuration file.")
@click.option("-p", "paused", is_flag=True, help="Leave the domain paused.")
@click.option("-n", "--dryrun", is_flag=True, help="Print the configuration, and create nothing.")
@click.option("--strict", is_flag=True, help="Refuse what xl ignores: unknown keys, wrong values.")
async def create(
    session: Session, words: tuple[str, ...], defconfig: str | None, paused: bool, dryrun: bool, strict: bool
) -> None:
    """Creates a domain from a file in the form of xl.cfg(5), and lets it run.

    KEY=VALUE replaces a setting of the file.
    """
    if words and "=" not in words[0]:
        defconfig, words = words[0], words[1:]
    if wrong := [word for word in words if "=" not in word]:
        raise click.UsageError(f"{wrong[0]!r} is not KEY=VALUE; `aioxen start` takes several files")
    config = read_config(session, defconfig, words, strict)
    if dryrun:
        return session.out.line(json.dumps(record_of(config), indent=None if session.out.json else 4))
    await parallel.all_of(session, [created(session, config, paused)])


@command("start")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@click.option("-p", "paused", is_flag=True, help="Leave the domains paused.")
@click.option("--strict", is_flag=True, help="Refuse what xl ignores: unknown keys, wrong values.")
async def start(session: Session, files: tuple[str, ...], paused: bool, strict: bool) -> None:
    """Creates domains from several files at once, and lets them run.

    No domain is created if a file cannot be read.
    """
    configs = [read_config(session, file, strict=strict) for file in files]
    await parallel.all_of(session, [created(session, config, paused) for config in configs])


def created(session: Session, config: aioxen.DomainConfig, paused: bool) -> Handled:
    """Returns what creates a domain."""
    name = config.c_info.name or "domain"

    async def act(report: Report) -> Done:
        dom = await session.xen.domain_create(config, timeout=session.timeout, progress=report)
        if not paused:
            await dom.unpause()
        record = {"domid": dom.domid, "uuid": str(dom.uuid), "outcome": "created", "paused": paused}
        return Done(f"created as domain {dom.domid}" + (", paused" if paused else ""), record)

    return Handled(name, act, lambda: parallel.state_of(session, name))
