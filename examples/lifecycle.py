#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Eight guests at once, from their creation until nothing is left of them.

Some stop by themselves, some are asked to, one is deaf, one is never born. What happens to each is
shown as it happens. Nothing remains: not at the end, not after an error, not after Ctrl-C.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import aioxen
import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

TINY = Path(__file__).resolve().parent.parent / "build" / "guest" / "tiny"
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
    while not (domids := await find(xen, config)) and not creation.done():
        await asyncio.sleep(0.001)
    creation.cancel()
    note(f"half made as domain {domids[0]}, then cancelled" if domids else "cancelled too late")
    with contextlib.suppress(asyncio.CancelledError):
        await creation
    note("[red]is still there[/]" if await find(xen, config) else "[bold]nothing is left of it[/]")


async def find(xen: aioxen.Context, config: aioxen.DomainConfig) -> list[int]:
    return [info.domid for info in await xen.domain_list() if info.uuid == config.c_info.uuid]


def cast(host: aioxen.PhysInfo, say: Note) -> dict[str, tuple[str, str]]:
    """The guests as this hypervisor can run them."""
    able = [kind for kind, can in (("pv", host.cap_pv), ("pvh", host.cap_hvm)) if can]
    if len(able) == 1:
        say(f"This hypervisor can run {able[0].upper()} guests only: all eight are.")
    return {name: (kind if kind in able else able[0], orders) for name, (kind, orders) in GUESTS.items()}


class Stage:
    """What has happened to each guest: a table that grows, or lines where there is no terminal."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self.began = time.monotonic()
        self.story: dict[str, list[str]] = {name: [] for name in GUESTS}
        live = Live(console=self.console, get_renderable=self.timelines, refresh_per_second=10)
        self.live = live if self.console.is_terminal else None

    def note(self, name: str, what: str) -> None:
        self.story[name].append(f"[dim]{time.monotonic() - self.began:.2f}[/] {what}")
        if self.live is None:
            self.console.print(f"{name:>10}  {self.story[name][-1]}")

    def timelines(self) -> Table:
        table = Table("guest", "seconds, and what happened", box=None, pad_edge=False)
        for name, lines in self.story.items():
            table.add_row(name, " · ".join(lines))
        return table

    def report(self, count: aioxen.Counters, left: int) -> None:
        if self.live is None:
            self.console.print(self.timelines())
        self.console.print(
            f"operations: {count.operations_started} started, {count.operations_completed} completed, "
            f"{count.operations_aborted} aborted, {count.operations} live; domains left: {left}"
        )


async def run(kernel: Path, stage: Stage) -> None:
    async with aioxen.Context() as xen:
        before = len(await xen.domain_list())
        try:
            with stage.live or contextlib.nullcontext():
                async with asyncio.TaskGroup() as group:
                    for name, (kind, orders) in cast(await xen.host_info(), stage.console.print).items():
                        make = aioxen.pv if kind == "pv" else aioxen.pvh
                        config = make(
                            f"{name}-{os.getpid()}", kernel, memory="32M", cmdline=orders, uuid=uuid4()
                        )
                        act = abandon if name == "unborn" else play
                        group.create_task(act(xen, name, config, partial(stage.note, name)))
        finally:
            stage.report(xen.counters(), len(await xen.domain_list()) - before)


@click.command()
@click.argument("kernel", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=TINY)
def main(kernel: Path) -> None:
    """Show the life of eight guests that run KERNEL (default: the tiny guest of this tree)."""
    try:
        asyncio.run(run(kernel, Stage()))
    except* aioxen.Error as failed:
        raise click.ClickException("; ".join(str(error) for error in failed.exceptions)) from None


if __name__ == "__main__":
    main()
