# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that supervise guests: `run` creates the guests, `supervise` supervises existing domains."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import click

import aioxen
from aioxen.cli import exits, parallel
from aioxen.cli.core import F, Session, command
from aioxen.cli.files import read_config
from aioxen.cli.guests import DUMPS, Guest
from aioxen.cli.notify import Background, notify
from aioxen.cli.parallel import Done, Handled
from aioxen.cli.progress import Report
from aioxen.cli.select import domains_argument

LOGS = Path("/var/log/xen")

dumps_option: Callable[[F], F] = click.option(
    "--dumps",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    default=DUMPS,
    show_default=True,
    help="The directory for the memory of guests with an action coredump-*.",
)


@command("run")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(dir_okay=False))
@click.option("--stop-timeout", type=click.FloatRange(0), default=60, show_default=True, metavar="SECONDS",
              help="How long a guest may take to stop before it is destroyed.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Refuse what xl ignores: unknown keys, wrong values.")
@dumps_option
async def run(
    session: Session, files: tuple[str, ...], stop_timeout: float, strict: bool, dumps: Path
) -> None:
    """Creates guests from files in the form of xl.cfg(5), and supervises them until all have ended.

    When a guest stops, the action of its file is carried out: on_poweroff, on_reboot and so on. If a guest
    cannot be created at the start, the others are stopped and the command fails.

    SIGTERM and Ctrl-C ask the guests to stop, wait, and destroy those that have not stopped. After SIGTERM
    the exit status is 0. Under systemd (Type=notify) the service is ready when all guests run; see
    aioxen-guest@.service.
    """
    configs = [read_config(session, file, strict=strict) for file in files]
    names = [config.c_info.name for config in configs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise aioxen.InvalidError(f"two files have the name {min(map(str, twice))!r}")
    guests = [Guest(session, config, dumps) for config in configs]
    async with _stopped_at_the_end(session, guests, stop_timeout):
        await parallel.all_of(session, [_creation(guest) for guest in guests])
        if session.code == exits.Exit.OK:
            notify("READY=1", f"STATUS={len(guests)} guests run")
            await _supervise(session, guests)


def _creation(guest: Guest) -> Handled:
    async def act(report: Report) -> Done:
        dom = await guest.create(report)
        await dom.unpause()
        return Done(f"created as domain {dom.domid}", {"domid": dom.domid, "outcome": "created"})

    return Handled(guest.name, act, lambda: parallel.state_of(guest.session, guest.name))


@contextlib.asynccontextmanager
async def _stopped_at_the_end(session: Session, guests: list[Guest], patience: float) -> AsyncIterator[None]:
    """Stops the guests after a signal, and after a failure at the start."""
    try:
        yield
    except asyncio.CancelledError:
        notify("STOPPING=1")
        session.out.note(f"the guests have {patience:g} s to stop; a second signal leaves them running")
        await asyncio.gather(*(guest.stop(patience) for guest in guests))
        if session.signal is not signal.SIGTERM:
            raise
        session.signal, session.code = None, exits.Exit.OK
        current = asyncio.current_task()
        assert current is not None
        current.uncancel()
    if session.code not in (exits.Exit.OK, exits.Exit.CRASHED):
        await asyncio.gather(*(guest.stop(patience) for guest in guests))


async def _supervise(session: Session, guests: list[Guest]) -> None:
    """Supervises guests until all have ended, and prints which of their devices fail."""
    reporter = asyncio.create_task(_report_devices(session, guests))
    try:
        tasks = [asyncio.create_task(_one(guest)) for guest in guests]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    finally:
        reporter.cancel()


async def _one(guest: Guest) -> None:
    """Supervises one guest. Its error does not end the others."""
    try:
        await guest.supervise()
    except (aioxen.Error, OSError) as error:
        guest.session.out.error(error, guest.name)
        guest.session.code = exits.code_of(error)


async def _report_devices(session: Session, guests: list[Guest]) -> None:
    async for event in session.xen.device_events(types=[aioxen.DeviceFailed, aioxen.DeviceModelEnded]):
        if isinstance(event, aioxen.EventsLost):
            continue
        if isinstance(event, aioxen.DeviceModelEnded):
            text, outcome = f"the device model has ended: {event.words}", "device model ended"
        else:
            text, outcome = f"{event.kind} {event.devid} has failed: {event.message}", "device failed"
        for guest in guests:
            if guest.dom is not None and guest.dom.domid == event.domid:
                guest.say(text, outcome)


def _go_to_background(session: Session, arguments: dict[str, Any]) -> None:
    if arguments.pop("background"):
        log = arguments["log"] or LOGS / f"aioxen-{arguments['domains'][0].replace('/', '_')}.log"
        session.ready = Background(log).ready
    arguments.pop("log")


@command("supervise", before=_go_to_background)
@domains_argument()
@click.option("--background", is_flag=True, help="Return when the domains are supervised, and go on.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help=f"The log of --background.  [default: {LOGS}/aioxen-DOMAIN.log]")  # fmt: skip
@dumps_option
async def supervise(session: Session, domains: tuple[str, ...], dumps: Path) -> None:
    """Supervises existing domains: carries out the actions of their configurations when they stop.

    `aioxen create` starts this in the background. A signal ends the command, not the guests. Do not
    supervise a domain that xl supervises.
    """
    guests = []
    for dom in await parallel.gather(session.find(text) for text in domains):
        guest = Guest(session, await dom.configuration(timeout=session.timeout), dumps)
        guest.dom = dom
        guests.append(guest)
    session.ready()
    for guest in guests:
        guest.say("is supervised", "supervised")
    await _supervise(session, guests)
