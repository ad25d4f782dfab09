# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the demonstration stands on: its command line, its display, and a last look at the hypervisor."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioxen
import click
from timeline import Timeline

TINY = Path(__file__).resolve().parent.parent / "build" / "guest" / "tiny"


class Stage(Timeline):
    """A timeline that also says what the hypervisor can do, and what is left on it."""

    async def kinds(self, xen: aioxen.Context) -> dict[str, str]:
        """For each kind of guest the kind to take: itself, where this hypervisor can run it."""
        host = await xen.host_info()
        able = [kind for kind, can in (("pv", host.cap_pv), ("pvh", host.cap_hvm)) if can] or ["pv"]
        if len(able) == 1:
            self.say(f"This hypervisor can run {able[0].upper()} guests only: all are.")
        return {kind: kind if kind in able else able[0] for kind in ("pv", "pvh")}

    @asynccontextmanager
    async def watched(self, xen: aioxen.Context) -> AsyncIterator[None]:
        """Shows the timeline meanwhile; waits for what is still going, then counts."""
        before = len(await xen.domain_list())
        try:
            with self:
                yield
        finally:
            going = [info.domid for info in await xen.domain_list() if info.dying]
            await asyncio.gather(*[xen.domain_wait_gone(domid) for domid in going])
            left = len(await xen.domain_list()) - before
            count = xen.counters()
            self.say(
                f"operations: {count.operations_started} started, {count.operations_completed} completed, "
                f"{count.operations_aborted} aborted, {count.operations} live; domains left: {left}"
            )


async def find(xen: aioxen.Context, config: aioxen.DomainConfig) -> list[int]:
    """The domains, at most one, that were made of this configuration."""
    return [info.domid for info in await xen.domain_list() if info.uuid == config.c_info.uuid]


def perform(run: Callable[[Path, Stage], Coroutine[Any, Any, None]], names: Iterable[str]) -> None:
    """The command line around it; what goes wrong with the guests is said in a line."""

    @click.command()
    @click.argument("kernel", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=TINY)
    def main(kernel: Path) -> None:
        """Show the life of eight guests that run KERNEL (default: the tiny guest of this tree)."""
        failures: list[str] = []
        try:
            asyncio.run(run(kernel, Stage(names)))
        except* aioxen.Error as failed:
            failures = [str(error) for error in failed.exceptions]
        if failures:
            raise click.ClickException("; ".join(failures))

    main()
