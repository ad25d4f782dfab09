# SPDX-License-Identifier: LGPL-2.1-or-later
"""many.py HOSTS GUESTS: creates, follows and destroys guests on many hosts, from one program.

Each host is a simulated machine with an agent. Meanwhile the broker is killed and started again, agents are
killed and stopped, and requests are sent twice. No operation may be lost, done twice or reported wrongly, and
no event may be missing without an EventsLost. Prints the measurements.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aioxen
from aioxen import fleet
from fleetly import Broker, World, guest, names, worlds

Outcomes = Counter[str]


async def life(f: fleet.Fleet, host: str, name: str, seen: Outcomes, made: dict[str, set[str]]) -> None:
    """Creates a guest that powers off after six seconds, waits for that, and destroys it."""
    try:
        dom = await answered(f[host].domain_create(guest("d60", name), timeout=120), seen)
    except fleet.NotDoneError:  # The agent was killed, and has removed the unfinished domain.
        seen["created again"] += 1
        dom = await answered(f[host].domain_create(guest("d60", name), timeout=120), seen)
    made[host].add(str(dom.uuid))
    await once_more(dom.unpause, seen)
    assert await once_more(dom.wait_shutdown, seen) is aioxen.ShutdownReason.POWEROFF
    await once_more(dom.destroy, seen)


async def answered(operation: Any, seen: Outcomes) -> Any:
    """Awaits an operation. If its outcome is unknown, waits until the host answers."""
    try:
        return await operation
    except fleet.UnknownOutcomeError as error:
        seen["unknown, then resolved"] += 1
        return await error.resolve(timeout=120)


async def once_more(start: Any, seen: Outcomes) -> Any:
    """Calls an operation that may be done twice. Calls it again if the agent was killed during the call."""
    while True:
        try:
            return await answered(start(), seen)
        except (fleet.InterruptedError, fleet.NotDoneError):
            seen["interrupted"] += 1
        except (aioxen.DomainNotFoundError, aioxen.DomainGoneError):
            return None  # The interrupted call has done its work.


async def follow(events: fleet.FleetEvents, gone: set[tuple[str, str]], losses: Counter[str]) -> None:
    """Reads events until the task is cancelled. Checks that the numbers of the events have no gap, for each
    run of each agent."""
    last: dict[tuple[str, str], int] = {}
    async for one in events:
        key = one.host, one.epoch
        before = last.get(key, one.number - 1)
        last[key] = one.number
        if isinstance(one.event, aioxen.EventsLost):
            losses[one.host] += 1
            # A loss that the agent reports has a number of its own. Another loss stands for the numbers that
            # are missing.
            assert one.number in (before + 1, before + one.event.count), one
        else:
            assert one.number == before + 1, one
        if isinstance(one.event, aioxen.DomainGone):
            gone.add((one.host, str(one.event.uuid)))


async def accounted(
    wanted: set[tuple[str, str]], gone: set[tuple[str, str]], losses: Counter[str], reader: asyncio.Task[None]
) -> None:
    """Waits until the reader has got the end of each domain, or a loss of events of the domain's host. Ends
    the reader."""
    async with asyncio.timeout(60):
        while not reader.done() and any(host not in losses for host, _ in wanted - gone):
            await asyncio.sleep(0.1)
    if not reader.cancel():
        reader.result()


async def trouble(broker: Broker, made: dict[str, World]) -> None:
    """Kills the broker and the agents, and stops agents for some time."""
    await asyncio.sleep(0.3)
    broker.kill()
    await asyncio.sleep(0.3)
    await asyncio.to_thread(broker.start)
    for world in random.sample(list(made.values()), max(1, len(made) // 10)):
        await asyncio.to_thread(world.kill_agent)
        world.start_agent()
    stopped = random.choice(list(made.values()))
    stopped.send(signal.SIGSTOP)
    await asyncio.sleep(4)
    stopped.send(signal.SIGCONT)


async def duplicates(f: fleet.Fleet) -> None:
    """Sends pending requests again and again."""
    while True:
        await asyncio.sleep(0.2)
        for operation in list(f._pending.values())[:20]:
            f._send(operation)


async def run(hosts: int, guests: int, folder: Path) -> None:
    broker = Broker(folder)
    broker.start()
    try:
        async with asyncio.timeout(600):
            await on(broker, hosts, guests, folder)
    finally:
        broker.kill()


async def on(broker: Broker, hosts: int, guests: int, folder: Path) -> None:
    names_of = [f"h{i}" for i in range(hosts)]
    seen: Outcomes = Counter()
    began = time.monotonic()
    with worlds(folder, names_of, broker.url) as made:
        async with fleet.connect(broker.url, patience=3) as f:
            await f.wait_for(*names_of, timeout=300)
            up = time.monotonic()
            gone: set[tuple[str, str]] = set()
            losses: Counter[str] = Counter()
            reader = asyncio.create_task(follow(await f.subscribe(), gone, losses))
            uuids: dict[str, set[str]] = {host: set() for host in names_of}
            trouble_maker = asyncio.create_task(trouble(broker, made))
            sender = asyncio.create_task(duplicates(f))
            lives = (life(f, host, f"g{i}", seen, uuids) for host in names_of for i in range(guests))
            await asyncio.gather(*lives)
            done = time.monotonic()
            await trouble_maker
            sender.cancel()
            wanted = {(host, uuid) for host, all_of in uuids.items() for uuid in all_of}
            await accounted(wanted, gone, losses, reader)
            told = {"hosts with losses": len(losses), "losses": losses.total(), "ends told": len(gone)}
            for host in names_of:
                assert await names(f[host]) == [], host
                lines = made[host].audited()
                creates = [a for a in lines if a["call"] == "domain_create" and a["outcome"] == "done"]
                twice = [uuid for uuid, n in Counter(a["uuid"] for a in creates).items() if n > 1]
                assert twice == []
                assert {a["uuid"] for a in creates} == uuids[host]
    print(f"{hosts} hosts up after {up - began:.1f} s; {hosts * guests} guests in {done - up:.1f} s")
    print(dict(seen) | told)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(run(int(sys.argv[1]), int(sys.argv[2]), Path(temporary)))
