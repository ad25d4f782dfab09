# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line of lifecycle.py, and the check that no domain is left."""

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
    """A timeline that also reports which guests the hypervisor supports, and how many domains are left."""

    async def kinds(self, xen: aioxen.Context) -> dict[str, str]:
        """Returns the machine type to use for "pv" and for "pvh". If the host does not support a type, the
        result names the other type."""
        host = await xen.host_info()
        supported = [kind for kind, can in (("pv", host.cap_pv), ("pvh", host.cap_hvm)) if can] or ["pv"]
        if len(supported) == 1:
            self.say(f"This hypervisor can run {supported[0].upper()} guests only, so all guests are.")
        return {kind: kind if kind in supported else supported[0] for kind in ("pv", "pvh")}

    @asynccontextmanager
    async def watched(self, xen: aioxen.Context) -> AsyncIterator[None]:
        """Shows the timeline during the block. After the block, waits until dying domains are gone, and
        prints the counters."""
        for left in await xen.unfinished():
            await xen.remove_unfinished(left.uuid)
            self.say(f"Removed {left.uuid}, whose creation a killed process has not finished.")
        before = len(await xen.domain_list())
        try:
            with self:
                yield
        finally:
            dying = [info.domid for info in await xen.domain_list() if info.dying]
            await asyncio.gather(*[xen.domain_wait_gone(domid) for domid in dying])
            domains = len(await xen.domain_list()) - before
            count = xen.counters()
            self.say(
                f"operations: {count.operations_started} started, {count.operations_completed} completed, "
                f"{count.operations_aborted} aborted, {count.operations} live; domains left: {domains}"
            )


async def find(xen: aioxen.Context, config: aioxen.DomainConfig) -> list[int]:
    """Returns a list with the domid of the domain that has this configuration's UUID, if it exists."""
    return [info.domid for info in await xen.domain_list() if info.uuid == config.c_info.uuid]


def perform(run: Callable[[Path, Stage], Coroutine[Any, Any, None]], names: Iterable[str]) -> None:
    """Runs the demonstration from the command line. Prints one line for each guest that has failed."""

    @click.command()
    @click.argument("kernel", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=TINY)
    def main(kernel: Path) -> None:
        """Runs eight guests that boot KERNEL (default: the tiny guest of this tree)."""
        failures: list[str] = []
        try:
            asyncio.run(run(kernel, Stage(names)))
        except* aioxen.Error as failed:
            failures = [str(error) for error in failed.exceptions]
        if failures:
            raise click.ClickException("; ".join(failures))

    main()
