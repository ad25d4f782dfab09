#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Creates domains, controls them and ends them at random for a long time, while faults happen. At the end,
the host must be in its initial state.

    make soak                                             an hour on the real Xen, in the virtual machine
    sim/aioxen-sim -- tests/soak/soak.py --seconds 60     on the simulated hypervisor

Several guests exist at a time. The creation of a guest succeeds, is cancelled, or has a short time limit. A
guest stops by itself, crashes, is asked to stop by the library, or is destroyed by the library or by xl. At
the same time, xenconsoled is restarted, and xl lists and pauses the same domains. Other contexts are opened,
and are closed during creations.

At the end the program compares the host with its initial state: domains, all nodes of xenstore, the
hypervisor's free memory, and this process's descriptors and threads. It exits with 1 if something differs, or
if an operation gave an error that no fault explains. The same seed gives the same decisions, but not the same
timing.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:0] = [str(ROOT / "build/python"), str(ROOT / "tests/python")]

import aioxen  # noqa: E402
from worldly import descriptors, threads, xenstore_handle  # noqa: E402

KERNEL = ROOT / "build/guest/tiny"
SIMULATED = "AIOXEN_SIM_DIR" in os.environ
SETTLE_SECONDS = 30
"""The longest time until the host is back in its initial state, in seconds."""

GIVEN_UP = (aioxen.AbortedError, aioxen.TimedOutError, aioxen.GuestTimedOutError, asyncio.CancelledError)
GONE = (aioxen.DomainNotFoundError, aioxen.DomainDestroyedError, aioxen.NotFoundError)
"""The errors of an operation whose domain another program has destroyed."""
STOLEN_CREATION = (*GONE, *GIVEN_UP)


class Soak:
    """One run of the soak test: its random decisions, its counts, and the faults that it has found."""

    def __init__(self, seed: int, seconds: float, lives: int) -> None:
        self.random = random.Random(seed)
        self.lives = lives
        self.end = time.monotonic() + seconds
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.names = 0
        self.living: set[int] = set()
        self.destroyed_by_xl: set[int] = set()
        self.events: dict[tuple[int, object], int] = {}
        """The last event of each domain: 0 for stopped, 1 for dying, 2 for gone."""

    def over(self) -> bool:
        return time.monotonic() >= self.end

    def fault(self, text: str) -> None:
        self.faults.append(text)
        print(f"soak: FAULT: {text}", flush=True)

    async def some_time(self, most: float) -> None:
        await asyncio.sleep(self.random.uniform(0, most))

    def any_magnitude(self) -> float:
        """Returns a random time from 0.1 ms to 1 s. The logarithm of the time is distributed uniformly, so
        that each step of a creation is interrupted on fast and on slow hosts."""
        return float(10 ** self.random.uniform(-4, 0))

    async def attempt(
        self, what: str, operation: Awaitable[object], allowed: tuple[type[BaseException], ...]
    ) -> bool:
        """Awaits an operation, and counts its result. Returns whether the operation has succeeded."""
        try:
            await operation
        except allowed as error:
            self.counts[f"{what}: {type(error).__name__}"] += 1
            return False
        except aioxen.Error as error:
            self.fault(f"{what}: {type(error).__name__}: {error}")
            return False
        self.counts[what] += 1
        return True

    # One domain, from its creation to its end

    def config(self, name: str = "") -> aioxen.DomainConfig:
        self.names += 1
        make = self.random.choice([aioxen.pv, aioxen.pvh])
        orders = self.random.choice(["p", "r", "c", "d1", "d3", "d9", "l", "l", "l5", "b", "b"])
        memory = self.random.choice(["24M", "32M", "40M"])
        return make(name or f"soak{self.names}", KERNEL, memory=memory, cmdline=orders)

    async def create(self, xen: aioxen.Context) -> aioxen.Domain | None:
        """Creates a guest in one of several ways."""
        fate = self.random.random()
        limit = max(0.001, self.any_magnitude()) if fate < 0.2 else None
        creation = xen.domain_create(self.config(), limit=limit)
        if 0.2 <= fate < 0.4:
            await asyncio.sleep(self.any_magnitude())
            creation.cancel()
        if not await self.attempt("create", creation, STOLEN_CREATION):
            return None
        return creation.result()

    async def live(self, xen: aioxen.Context) -> None:
        dom = await self.create(xen)
        if dom is None:
            return
        self.living.add(dom.domid)
        if await self.attempt("unpause", dom.unpause(), GONE):
            for _ in range(self.random.randrange(3)):
                await self.act(dom)
        limit = self.random.choice([None, None, 0.01])
        if not await self.attempt("destroy", dom.destroy(limit=limit), (*GONE, aioxen.TimedOutError)):
            await self.attempt("wait_gone", dom.wait_gone(), ())
        self.living.discard(dom.domid)

    async def act(self, dom: aioxen.Domain) -> None:
        limit = self.random.uniform(0.05, 1.5)
        errors = (*GONE, *GIVEN_UP)
        match self.random.randrange(9 if shutil.which("xl") else 7):
            case 0:
                await self.attempt("shutdown", dom.shutdown(limit=limit), errors)
            case 1:
                await self.attempt("reboot", dom.reboot(limit=limit), errors)
            case 2 | 3:
                await self.attempt("wait_shutdown", dom.wait_shutdown(limit=limit), errors)
            case 4:
                if await self.attempt("pause", dom.pause(), GONE):
                    await self.some_time(0.2)
                    await self.attempt("unpause", dom.unpause(), GONE)
            case 5:
                await self.attempt("name", dom.name(limit=limit), errors)
            case 6:
                waiting = dom.wait_shutdown()
                await self.some_time(0.1)
                waiting.cancel()
                await self.attempt("cancelled wait", waiting, errors)
            case 7:
                await self.xl("destroy", dom.domid)
            case 8:
                if await self.xl("pause", dom.domid):
                    await self.attempt("unpause", dom.unpause(), GONE)

    async def keep_living(self, xen: aioxen.Context) -> None:
        while not self.over():
            await self.live(xen)

    # Faults

    async def run(self, *command: str) -> int:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait()

    async def xl(self, what: str, *domids: int) -> bool:
        rc = await self.run("xl", what, *map(str, domids))
        self.counts[f"xl {what}" + ("" if rc == 0 else ": refused")] += 1
        if what == "destroy" and rc == 0:
            self.destroyed_by_xl.update(domids)
        return rc == 0

    async def interfere(self) -> None:
        """Runs xl commands on this program's domains at random times."""
        while not self.over():
            await self.some_time(2)
            what = self.random.choice(["list", "destroy", "pause", "domname"])
            domid = self.random.choice(sorted(self.living) or [0])
            if what == "list":
                await self.xl("list")
            elif domid:
                await self.xl(what, domid)

    async def restart_xenconsoled(self) -> None:
        while not self.over():
            await self.some_time(20)
            if SIMULATED:
                await self.run("aioxen-sim-ctl", "xenconsoled", "stop")
                await self.some_time(1)
                await self.run("aioxen-sim-ctl", "xenconsoled", "cont")
            else:
                await self.run("killall", "xenconsoled")
                await self.some_time(1)
                await self.run("xenconsoled", "--pid-file=/run/xen/xenconsoled.pid")
            self.counts["xenconsoled restarted"] += 1

    async def open_and_close(self) -> None:
        """Opens another context, and closes it during creations. Closing undoes the creations."""
        while not self.over():
            await self.some_time(10)
            async with aioxen.Context() as xen:
                creations = [xen.domain_create(self.config()) for _ in range(2)]
                await asyncio.sleep(self.any_magnitude())
                late = [c for c in creations if not c.done()]
                made = [c.result() for c in creations if c.done() and not c.cancelled() and not c.exception()]
                for dom in made:
                    await self.attempt("destroy", dom.destroy(), GONE)
            for creation in late:
                allowed = (*STOLEN_CREATION, aioxen.ClosedError)
                if await self.attempt("create in a context that closes", creation, allowed):
                    async with aioxen.Context() as xen:
                        await self.attempt("destroy", xen.domain_destroy(creation.result().domid), GONE)
            self.counts["context opened and closed"] += 1

    async def follow(self, xen: aioxen.Context) -> None:
        """Checks the order of each domain's events."""
        order, last = ["DomainShutdown", "DomainDying", "DomainGone"], self.events
        async for event in xen.events():
            name = type(event).__name__
            self.counts[name] += 1
            if isinstance(event, aioxen.EventsLost) or name not in order:
                continue
            key = (event.domid, event.uuid)
            place = order.index(name)
            if place <= last.get(key, -1):
                self.fault(f"{name} of domain {event.domid} after {order[last[key]]}")
            last[key] = place

    async def dying(self) -> set[tuple[int, object]]:
        return {key for key, place in self.events.items() if place == 1}

    async def soak(self) -> None:
        async with aioxen.Context() as xen:
            following = asyncio.create_task(self.follow(xen))
            async with asyncio.TaskGroup() as group:
                for _ in range(self.lives):
                    group.create_task(self.keep_living(xen))
                group.create_task(self.open_and_close())
                group.create_task(self.restart_xenconsoled())
                if shutil.which("xl"):
                    group.create_task(self.interfere())
            await self.settled("jobs", lambda: jobs(xen), 0)
            await self.settled("domains without a DomainGone", self.dying, set())
            counters = xen.counters()
            self.counts["operations"] = counters.operations_started
            if counters.operations_started != counters.operations_completed:
                self.fault(f"operations without a completion: {counters}")
        await following

    # The host

    async def without_terminals(self) -> set[str]:
        """Returns all paths in xenstore, except the terminals of domains that xl has destroyed. xenconsoled
        may write the name of a terminal after xl has removed the nodes (docs/limits.md)."""
        left = {
            f"/local/domain/{domid}{path}"
            for domid in self.destroyed_by_xl - await domids()
            for path in ("", "/console", "/console/tty")
        }
        now = await nodes()
        self.counts["terminals that xl left"] = sum(path.endswith("tty") for path in now & left)
        return now - left

    async def settled(self, what: str, look: Callable[[], Awaitable[object]], wanted: object) -> None:
        """Waits until `look` returns `wanted`. Reports a fault if this takes longer than SETTLE_SECONDS."""
        end = time.monotonic() + SETTLE_SECONDS
        while (now := await look()) != wanted and time.monotonic() < end:
            await asyncio.sleep(0.2)
        if now != wanted:
            difference = (
                now ^ wanted if isinstance(now, set) and isinstance(wanted, set) else f"{now}, not {wanted}"
            )
            self.fault(f"{what} at the end: {difference}")


async def jobs(xen: aioxen.Context) -> int:
    return xen.counters().jobs


async def domids() -> set[int]:
    async with aioxen.Context() as xen:
        return {info.domid for info in await xen.domain_list()}


async def free_pages() -> int:
    async with aioxen.Context() as xen:
        return (await xen.host_info()).free_pages


async def nodes() -> set[str]:
    """Returns all paths in xenstore."""
    found: set[str] = set()
    with xenstore_handle() as (library, store):

        def walk(path: str) -> None:
            count = ctypes.c_uint()
            names = library.xs_directory(store, 0, path.encode(), ctypes.byref(count))
            children = [names[i].decode() for i in range(count.value)] if names else []
            library.free(names)
            for child in children:
                below = f"{path.rstrip('/')}/{child}"
                if re.fullmatch(r"/tool|/tool/aioxen|/tool/aioxen/unfinished(/..)?", below):
                    walk(below)  # The groups of marks (src/xen/marks.h) stay when empty.
                    continue
                found.add(below)
                walk(below)

        walk("/")
    return found


async def opened() -> set[tuple[str, str]]:
    return descriptors()


async def running() -> int:
    return threads()


LOOKS: dict[str, Callable[[], Awaitable[object]]] = {
    "domains": domids,
    "nodes": nodes,
    "free pages": free_pages,
    "descriptors": opened,
    "threads": running,
}


async def warm_up() -> None:
    """Creates and destroys domains first, because the first domains of a host leave memory in Xen's own
    pools. Later domains reuse this memory."""
    async with aioxen.Context() as xen:
        for make in (aioxen.pv, aioxen.pvh):
            dom = await xen.domain_create(make("warm", KERNEL, memory="24M", cmdline="p"))
            await dom.unpause()
            await dom.wait_shutdown()
            await dom.destroy()


async def main(seed: int, seconds: float, lives: int) -> int:
    print(f"soak: seed {seed}, {seconds:g} s, {lives} at a time", flush=True)
    await warm_up()
    before = {name: await look() for name, look in LOOKS.items()}
    soak = Soak(seed, seconds, lives)
    began = time.monotonic()
    await soak.soak()
    for name, look in LOOKS.items():
        await soak.settled(name, soak.without_terminals if look is nodes else look, before[name])
    for what, count in sorted(soak.counts.items()):
        print(f"soak: {count:8} {what}")
    if soak.faults:
        print(f"soak: xl has destroyed the domains {sorted(soak.destroyed_by_xl)}")
    created = soak.counts["create"]
    print(
        f"soak: seed {seed}: {created} domains in {time.monotonic() - began:.0f} s, {len(soak.faults)} faults"
    )
    print(f"soak: {await free_pages()} free pages, {len(await nodes())} nodes at the end")
    return bool(soak.faults)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--lives", type=int, default=4, help="domains at a time")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.seed, given.seconds, given.lives)))
