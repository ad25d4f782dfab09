#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs guests from xl files. When a guest stops, the program carries out the action that the file names:
on_poweroff, on_reboot and so on.

A guest whose configuration asks for a soft reset is preserved, because the library has no soft reset. Ctrl-C
asks the guests to stop, and destroys those that have not stopped after a while.
"""

import asyncio
import contextlib
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import aioxen
import click
from aioxen import ActionOnShutdown as Action

PATIENCE = 30  # The time limit of a guest's shutdown after Ctrl-C, in seconds.
AGAIN = (Action.RESTART, Action.RESTART_RENAME, Action.COREDUMP_RESTART)
DUMPED = (Action.COREDUMP_DESTROY, Action.COREDUMP_RESTART)


class Guest:
    """One guest, which may be created several times."""

    def __init__(self, xen: aioxen.Context, config: aioxen.DomainConfig, dumps: Path) -> None:
        self.xen, self.config, self.name, self.dumps = xen, config, config.c_info.name, dumps

    def say(self, text: str) -> None:
        click.echo(f"{datetime.now():%H:%M:%S} {self.name}: {text}")

    async def supervise(self) -> None:
        """Runs the guest until its configuration says that it is destroyed or preserved."""
        while await self.live():
            self.say("created anew")

    async def live(self) -> bool:
        """Runs the guest once. Returns whether the guest must be created again."""
        dom = await self.xen.domain_create(self.config)
        try:
            await dom.unpause()
            self.say(f"runs as domain {dom.domid}")
            reason = await dom.wait_shutdown()
        except asyncio.CancelledError:
            await self.stop(dom)
            raise
        what = aioxen.shutdown_action(self.config, reason)
        self.say(f"has stopped: {reason}; action: {what}")
        if what is not Action.DESTROY and what not in (*AGAIN, *DUMPED):
            return False
        if what in DUMPED:
            await self.dump(dom)
        if what in AGAIN:
            # This configuration also has the UUID and the MAC addresses that the library has chosen.
            self.config = await dom.configuration()
        if what is Action.RESTART_RENAME:
            await dom.rename(f"{self.name}-{dom.domid}")
            self.config.c_info.uuid = uuid4()
        else:
            await dom.destroy()
        return what in AGAIN

    async def dump(self, dom: aioxen.Domain) -> None:
        """Writes the guest's memory to a file. If this fails, prints the error and goes on."""
        file = self.dumps / f"{datetime.now():%Y-%m%d-%H%M.%S}-{self.name}.{dom.domid}.core"
        try:
            await dom.core_dump(str(file))
            self.say(f"its memory is in {file}")
        except aioxen.Error as error:
            self.say(f"its memory cannot be written: {error}")

    async def stop(self, dom: aioxen.Domain) -> None:
        """Asks the guest to stop, and destroys the guest."""
        with contextlib.suppress(aioxen.Error):
            self.say(f"asked to stop: {await dom.shutdown(timeout=PATIENCE)}")
            await dom.wait_shutdown(timeout=PATIENCE)
        await dom.destroy()


async def report_failures(xen: aioxen.Context) -> None:
    """Prints which devices do not work, and the reasons."""
    async for event in xen.device_events(types=[aioxen.DeviceFailed]):
        if isinstance(event, aioxen.DeviceFailed):
            device = f"domain {event.domid}, {event.kind} {event.devid}"
            click.echo(f"{datetime.now():%H:%M:%S} {device}: {event.message}")


async def run(files: tuple[Path, ...], dumps: Path) -> None:
    async with aioxen.Context() as xen:
        reporter = asyncio.create_task(report_failures(xen))
        try:
            async with asyncio.TaskGroup() as group:
                for file in files:
                    group.create_task(Guest(xen, aioxen.load(file), dumps).supervise())
        finally:
            reporter.cancel()


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--dumps",
    default="/var/lib/xen/dump",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The directory of core dumps.",
)
def main(files: tuple[Path, ...], dumps: Path) -> None:
    """Runs a guest for each of FILES, in xl's form."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(files, dumps.absolute()))


if __name__ == "__main__":
    main()
