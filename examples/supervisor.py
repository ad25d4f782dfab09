#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs guests from xl files. The parts are in the package supervision.

- When a guest stops, the program carries out the action that its file names: on_poweroff, on_reboot and so
  on. A guest that stops soon after its start is created again only after a while.
- Guests write into xenstore how much memory they want. They get it if there is enough memory.
- A socket answers requests in JSON: they list the guests, show the state of a guest, and stop or start a
  guest.
- SIGTERM and Ctrl-C ask the guests to stop, wait, and destroy those that have not stopped.

    supervisor.py --socket /run/supervisor.sock /etc/xen/*.cfg &
    echo '{"do": "list"}' | nc -UN /run/supervisor.sock
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Any

import aioxen
import click
from supervision.api import serving
from supervision.fleet import Fleet
from supervision.guest import Rules


async def run(files: tuple[Path, ...], rules: Rules, budget: int | None, socket: str | None) -> bool:
    """Runs the guests. Without a socket, returns when all have ended. With a socket, goes on until a signal
    comes, because a client may start them again. Returns whether no guest has failed."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in signal.SIGINT, signal.SIGTERM:
        loop.add_signal_handler(number, ended.set)
    configs = [aioxen.load(file) for file in files]
    async with (
        aioxen.Context() as xen,
        Fleet(xen, configs, rules, budget) as fleet,
        serving(fleet, socket) if socket else contextlib.nullcontext(),
    ):
        waits: set[asyncio.Task[Any]] = {asyncio.create_task(ended.wait())}
        if not socket:
            waits.add(asyncio.create_task(fleet.wait()))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    return not fleet.failed


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
@click.option("--socket", type=click.Path(), help="The path of the socket for requests.")
@click.option(
    "--patience",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="The seconds that a guest has to stop when it is asked.",
)
@click.option(
    "--memory",
    type=click.IntRange(min=1),
    metavar="MIB",
    help="The memory of all guests together. Default: what is free.",
)
def main(
    files: tuple[Path, ...], dumps: Path, socket: str | None, patience: float, memory: int | None
) -> None:
    """Runs a guest for each of FILES, in xl's form."""
    rules = Rules(patience, dumps.absolute())
    budget = None if memory is None else memory << 10
    try:
        well = asyncio.run(run(files, rules, budget, socket))
    except (aioxen.XlFileError, aioxen.Error, OSError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
