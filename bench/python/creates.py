# SPDX-License-Identifier: LGPL-2.1-or-later
"""creates.py aioxen|xl|idle N MB [devices] [watched]: creates N PV and N PVH guests with MB megabytes.

It creates 16 at a time. With "devices" each guest has two disks and a network interface, and runs, so its
drivers connect.

Then the program destroys all guests. With "idle" the program does nothing for IDLE_S seconds, which gives the
floor of "late".

All numbers are in ms. "ms": the whole time divided by the number of guests. The others exist with "watched",
which takes 5 % of a processor. "late": the event loop's largest delay. A delay is the time from a timer's
expiry to the start of the timer's callback. "held": the duration of the loop's longest callback.
"unhindered": the duration of the longest callback without the time in which the thread waited for a
processor. "busy": the processor time of the longest callback.
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
DISK_OCTETS = 1 << 20
BRIDGE = "xenbr0"


class Watched:
    """Measures the callbacks and delays of the running loop, from the creation of this object on."""

    def __init__(self) -> None:
        self.late = self.held = self.unhindered = self.busy = 0.0
        run = asyncio.Handle._run
        schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)  # The loop runs in this thread.

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


def disks(folder: Path, i: int) -> list[Path]:
    """Makes the files of a guest's two disks."""
    paths = [folder / f"{i}-{number}" for number in range(2)]
    for path in paths:
        path.touch()
        os.truncate(path, DISK_OCTETS)
    return paths


def with_devices(config: aioxen.DomainConfig, paths: list[Path]) -> aioxen.DomainConfig:
    config.disks = [
        aioxen.DeviceDisk(pdev_path=str(path), vdev=vdev, format=aioxen.DiskFormat.RAW, readwrite=1)
        for path, vdev in zip(paths, ("xvda", "xvdb"), strict=True)
    ]
    config.nics = [aioxen.DeviceNic(bridge=BRIDGE)]
    return config


async def with_aioxen(count: int, memory: int, folder: Path | None) -> None:
    async with aioxen.Context() as xen:
        configs = [guest("b", memory, pvh=bool(i % 2)) for i in range(2 * count)]
        if folder:
            configs = [with_devices(config, disks(folder, i)) for i, config in enumerate(configs)]

        async def create(config: aioxen.DomainConfig) -> aioxen.Domain:
            dom = await xen.domain_create(config)
            if folder:
                await dom.unpause()
            return dom

        doms = await some_at_a_time(create, configs)
        await some_at_a_time(lambda dom: dom.destroy(), doms)


async def xl(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec("xl", *arguments, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError(f"xl {arguments}: {process.returncode}")


def write_xl(path: Path, i: int, memory: int, folder: Path | None) -> Path:
    kind = ("pv", "pvh")[i % 2]
    text = f'name="xl-{i}"\ntype="{kind}"\nkernel="{KERNEL}"\ncmdline="b"\nmemory={memory}\n'
    if folder:
        first, second = disks(folder, i)
        text += f'disk=["{first},raw,xvda,w", "{second},raw,xvdb,w"]\nvif=["bridge={BRIDGE}"]\n'
    path.write_text(text)
    return path


async def with_xl(count: int, memory: int, folder: Path | None) -> None:
    with tempfile.TemporaryDirectory() as files:
        paths = [write_xl(Path(files, f"{i}.cfg"), i, memory, folder) for i in range(2 * count)]

        # With -e, xl leaves no process behind that waits for the guest's end.
        how = ["-q", "-e"] if folder else ["-q", "-e", "-p"]
        await some_at_a_time(lambda path: xl("create", *how, str(path)), paths)
        await some_at_a_time(lambda i: xl("destroy", f"xl-{i}"), range(2 * count))


async def idle(count: int, memory: int, folder: Path | None) -> None:
    await asyncio.sleep(IDLE_S)


WAYS = {"aioxen": with_aioxen, "xl": with_xl, "idle": idle}


async def main(way: str, count: int, memory: int, options: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched() if "watched" in options else None
        began = time.perf_counter()
        await WAYS[way](count, memory, Path(folder) if "devices" in options else None)
        took = time.perf_counter() - began
    ms = {"ms": took / (2 * count)} | (vars(watched) if watched else {})
    print(json.dumps({name: value * 1000 for name, value in ms.items()}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
