# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Balancer, which shares the memory of the host among the guests.

A guest writes into the node data/memory-wanted of its tree how many KiB it would like to have. The balancer
watches these nodes and sets the guests' memory targets. A guest never gets less than `memory` of its file,
and never more than `maxmem`. If there is not enough memory, each guest gets the same fraction of the memory
that it wants beyond `memory`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aioxen

NODE = "data/memory-wanted"
MIB = 1 << 10
SETTLE = 0.05
"""The delay between a guest's wish and the balancing, in seconds. One balancing serves all wishes that have
come by then."""
LIMIT = 20.0
"""The time that a guest has to reach its target, in seconds. A guest that does not reach it is asked again at
the next balancing."""


@dataclass
class Share:
    """The memory of one guest, in KiB."""

    dom: aioxen.Domain
    least: int
    most: int
    wanted: int
    target: int


def amount(text: str | None, least: int, most: int) -> int:
    """Returns the memory that a guest wants, in KiB. The text comes from the guest and may be anything."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 12):
        return least
    return min(max(int(text), least), most)


def shares(budget: int, guests: Mapping[str, Share]) -> dict[str, int]:
    """Returns the new target of each guest, in KiB, rounded down to MiB."""
    beyond = {name: share.wanted - share.least for name, share in guests.items()}
    spare = max(budget - sum(share.least for share in guests.values()), 0)
    part = min(1.0, spare / total) if (total := sum(beyond.values())) else 0.0
    return {name: share.least + int(beyond[name] * part) // MIB * MIB for name, share in guests.items()}


class Balancer:
    """Follows the wishes of all guests, and sets their targets. run() works until it is cancelled."""

    def __init__(self, xen: aioxen.Context, budget: int | None, report: Callable[[str, str], None]) -> None:
        """budget: The memory of all guests together, in KiB. None: the host's free memory when run() begins,
        before the guests are created."""
        self.xen, self.budget, self.report = xen, budget, report
        self.guests: dict[str, Share] = {}
        self._changed = asyncio.Event()

    def follow(self, name: str, dom: aioxen.Domain, config: aioxen.DomainConfig) -> asyncio.Task[None]:
        """Follows the wishes of a guest's new domain. Returns the task, which the caller cancels when the
        domain has stopped."""
        least = config.b_info.target_memkb
        most = max(config.b_info.max_memkb, least)
        share = Share(dom, least, most, least, least)
        return asyncio.create_task(self._follow(name, share))

    async def _follow(self, name: str, share: Share) -> None:
        self.guests[name] = share
        path = f"/local/domain/{share.dom.domid}/{NODE}"
        try:
            async with self.xen.store.watch(path, capacity=1) as changes:
                async for _ in changes:
                    wanted = amount(await self.xen.store.get(path), share.least, share.most)
                    if wanted != share.wanted:
                        share.wanted = wanted
                        self._changed.set()
        except aioxen.Error as error:
            self.report(name, f"its memory is not balanced: {error}")
        finally:
            self.guests.pop(name, None)
            self._changed.set()

    async def run(self) -> None:
        if self.budget is None:
            self.budget = await self.xen.host_free_memory()
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE)
            self._changed.clear()
            await self._balance(self.budget)

    async def _balance(self, budget: int) -> None:
        """Lowers targets first, so that the memory is free when the other targets are raised."""
        targets = shares(budget, self.guests)
        less = {name: t for name, t in targets.items() if t < self.guests[name].target}
        more = {name: t for name, t in targets.items() if t > self.guests[name].target}
        for changes in less, more:
            await asyncio.gather(*(self._set(name, target) for name, target in changes.items()))

    async def _set(self, name: str, target: int) -> None:
        if (share := self.guests.get(name)) is None:
            return
        try:
            await share.dom.set_memory(target, timeout=LIMIT)
            share.target = target
            self.report(name, f"has {target >> 10} MiB")
        except aioxen.Error as error:
            self.report(name, f"does not reach {target >> 10} MiB: {type(error).__name__}")
