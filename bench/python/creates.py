# SPDX-License-Identifier: LGPL-2.1-or-later
"""creates.py aioxen|xl|idle N MB: creates N PV and N PVH guests with MB megabytes each, 16 at a time.

Then it destroys all of them. With "idle" it does nothing for IDLE_S seconds, which gives the floor of "late".

All numbers are in ms. "ms": the whole time divided by the number of guests. "late": the event loop's largest
delay, which is how long after its time a timer's callback began. "held": the duration of the loop's longest
callback. "unhindered": that duration without the time in which the thread waited for a processor. "busy": the
processor time of the longest callback.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import aioxen
from guests import KERNEL, guest

AT_ONCE = 16
BEAT_S = 0.0005
IDLE_S = 0.5


class Watched:
    """Measures the callbacks and delays of the running loop, from the creation of this object on."""

    def __init__(self) -> None:
        self.late = self.held = self.unhindered = self.busy = 0.0
        run = asyncio.Handle._run
        schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)  # of the loop's thread

        def waited() -> float:
            """Returns the seconds for which this thread has waited for a processor so far."""
            return int(os.pread(schedstat, 100, 0).split()[1]) / 1e9

        def timed(handle: Any) -> None:
            hindered, began, worked = waited(), time.perf_counter(), time.thread_time()
            run(handle)
            held, busy = time.perf_counter() - began, time.thread_time() - worked
            self.held = max(self.held, held)
            self.unhindered = max(self.unhindered, held - (waited() - hindered))
            self.busy = max(self.busy, busy)

        asyncio.Handle._run = timed  # type: ignore[attr-defined]
        self.beat(asyncio.get_running_loop(), 0.0)

    def beat(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self.late = max(self.late, now - due if due else 0.0)
        loop.call_later(BEAT_S, self.beat, loop, now + BEAT_S)


async def some_at_a_time(one: Callable[[Any], Awaitable[Any]], each: Iterable[Any]) -> list[Any]:
    room = asyncio.Semaphore(AT_ONCE)

    async def alone(item: Any) -> Any:
        async with room:
            return await one(item)

    return await asyncio.gather(*[alone(item) for item in each])


async def with_aioxen(count: int, memory: int) -> None:
    async with aioxen.Context() as xen:
        configs = [guest("b", memory, pvh=bool(i % 2)) for i in range(2 * count)]
        doms = await some_at_a_time(xen.domain_create, configs)
        await some_at_a_time(lambda dom: dom.destroy(), doms)


async def xl(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec("xl", *arguments, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError(f"xl {arguments}: {process.returncode}")


def write_xl(path: Path, i: int, memory: int) -> Path:
    kind = ("pv", "pvh")[i % 2]
    path.write_text(f'name="xl-{i}"\ntype="{kind}"\nkernel="{KERNEL}"\ncmdline="b"\nmemory={memory}\n')
    return path


async def with_xl(count: int, memory: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [write_xl(Path(folder, str(i)), i, memory) for i in range(2 * count)]

        # With -e, xl leaves no process behind that waits for the guest's end.
        await some_at_a_time(lambda path: xl("create", "-q", "-e", "-p", str(path)), paths)
        await some_at_a_time(lambda i: xl("destroy", f"xl-{i}"), range(2 * count))


async def idle(count: int, memory: int) -> None:
    await asyncio.sleep(IDLE_S)


WAYS = {"aioxen": with_aioxen, "xl": with_xl, "idle": idle}


async def main(way: str, count: int, memory: int) -> None:
    watched = Watched()
    began = time.perf_counter()
    await WAYS[way](count, memory)
    took = time.perf_counter() - began
    ms = {"ms": took / (2 * count)} | vars(watched)
    print(json.dumps({name: value * 1000 for name, value in ms.items()}))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
