#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs eight guests at once, from creation to destruction.

Some guests stop by themselves, two are asked to stop, one ignores the request, and one creation is cancelled.
The display shows the events of each guest. All domains are destroyed at the end, after an error, and after
Ctrl-C.
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

# The machine type and the kernel command line of each guest, by name. The command line tells the tiny guest
# what to do.
GUESTS = {
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
    """Creates a guest, waits until the guest stops, and destroys the guest."""
    dom = await xen.domain_create(config)
    note(f"created as domain {dom.domid}")
    following = asyncio.create_task(follow(xen.events(dom), note))
    try:
        await dom.unpause()
        if name == "asked":
            reason = await dom.shutdown()
        elif name == "restarted":
            reason = await dom.reboot()
        elif name == "deaf":
            reason = await dom.shutdown(timeout=1)
        else:
            reason = await dom.wait_shutdown()
        note(f"[bold]has stopped: {reason}[/]")
    except aioxen.TimedOutError:
        note("[bold]does not answer: time limit[/]")
    finally:
        await dom.destroy()
    await following


async def follow(events: aioxen.Events[aioxen.Event], note: Note) -> None:
    async for event in events:  # The iteration ends after DomainGone.
        note(f"[dim]{type(event).__name__}[/]")


async def cancel_creation(xen: aioxen.Context, name: str, config: aioxen.DomainConfig, note: Note) -> None:
    """Cancels the creation of a guest after the hypervisor has created the domain."""
    creation = xen.domain_create(config)
    try:
        while not (domids := await find(xen, config)) and not creation.done():
            await asyncio.sleep(0.001)
        note(f"partly created as domain {domids[0]}, then cancelled" if domids else "cancelled too late")
    finally:
        creation.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await creation).destroy()
    note("[red]still exists[/]" if await find(xen, config) else "[bold]no domain is left[/]")


async def run(kernel: Path, stage: Stage) -> None:
    async with aioxen.Context() as xen, stage.watched(xen):
        kinds = await stage.kinds(xen)
        async with asyncio.TaskGroup() as group:
            for name, (kind, orders) in GUESTS.items():
                make = aioxen.pv if kinds[kind] == "pv" else aioxen.pvh
                config = make(f"{name}-{os.getpid()}", kernel, memory="32M", cmdline=orders, uuid=uuid4())
                act = cancel_creation if name == "unborn" else play
                group.create_task(act(xen, name, config, partial(stage.note, name)))


if __name__ == "__main__":
    perform(run, GUESTS)
