#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Eight guests at once, from their creation until nothing is left of them.

Some stop by themselves, some are asked to, one is deaf, one is never born. What happens to each is
shown as it happens. Nothing remains: not at the end, not after an error, not after Ctrl-C.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import aioxen
from stage import Stage, find, perform

GUESTS = {  # name: kind of machine, and the tiny guest's orders, which are its kernel command line
    "poweroff": ("pv", "p"),
    "reboot": ("pvh", "r"),
    "crash": ("pv", "c"),
    "later": ("pvh", "d5"),
    "asked": ("pv", "l"),
    "restarted": ("pvh", "l"),
    "deaf": ("pv", "b"),
    "unborn": ("pvh", "b"),
}
Note = Callable[[str], None]


async def play(xen: aioxen.Context, name: str, config: aioxen.DomainConfig, note: Note) -> None:
    """One guest's life."""
    dom = await xen.domain_create(config)
    note(f"created as domain {dom.domid}")
    told = asyncio.create_task(follow(xen.events(dom), note))
    try:
        await dom.unpause()
        if name == "asked":
            await dom.shutdown()
        elif name == "restarted":
            await dom.reboot()
        elif name == "deaf":
            await dom.shutdown(limit=1)
        note(f"[bold]has stopped: {await dom.wait_shutdown()}[/]")
    except aioxen.TimedOutError:
        note("[bold]does not answer: time limit[/]")
    finally:
        await dom.destroy()
    await dom.wait_gone()
    await told


async def follow(events: aioxen.Events, note: Note) -> None:
    async for event in events:  # ends when the domain is gone
        note(f"[dim]{type(event).__name__}[/]")


async def abandon(xen: aioxen.Context, name: str, config: aioxen.DomainConfig, note: Note) -> None:
    """A creation that is cancelled half-way: when the hypervisor has the domain already."""
    creation = xen.domain_create(config)
    try:
        while not (domids := await find(xen, config)) and not creation.done():
            await asyncio.sleep(0.001)
        note(f"half made as domain {domids[0]}, then cancelled" if domids else "cancelled too late")
    finally:
        creation.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await creation).destroy()
    note("[red]is still there[/]" if await find(xen, config) else "[bold]nothing is left of it[/]")


async def run(kernel: Path, stage: Stage) -> None:
    async with aioxen.Context() as xen, stage.watched(xen):
        kinds = await stage.kinds(xen)
        async with asyncio.TaskGroup() as group:
            for name, (kind, orders) in GUESTS.items():
                make = aioxen.pv if kinds[kind] == "pv" else aioxen.pvh
                config = make(f"{name}-{os.getpid()}", kernel, memory="32M", cmdline=orders, uuid=uuid4())
                act = abandon if name == "unborn" else play
                group.create_task(act(xen, name, config, partial(stage.note, name)))


if __name__ == "__main__":
    perform(run, GUESTS)
