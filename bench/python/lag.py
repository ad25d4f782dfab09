# SPDX-License-Identifier: LGPL-2.1-or-later
"""lag.py aioxen|idle N: the event loop's lag while a program does everything at once.

N guests with two disks and a network interface are created, 16 at a time, and run. One of them ignores every
request. All guests are asked to shut down. Then xenstored is frozen for FREEZE_S seconds, and meanwhile the
program reads names, creates a guest, and opens and closes contexts. After that, contexts are closed while
they create guests, a context is collected without having been closed, and all guests are destroyed. With
"idle" the loop has no work for IDLE_S seconds, which gives the floor.

All numbers are in ms; creates.py describes them. With AIOXEN_BENCH_WORST=1 the numbers so far are printed to
the standard error after each part.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import aioxen
from creates import Watched, disks, some_at_a_time, with_devices
from guests import guest

FREEZE_S = 2
IDLE_S = 3
SHORT_S = 0.2
"""Replaces FREEZE_S and IDLE_S if there are at most FEW guests. This is for a test of this program."""
FEW = 10
CLOSED = 5
"""The number of contexts that are closed in each part."""

FREEZE = "read go && aioxen-sim-ctl xenstored stop && sleep {} && aioxen-sim-ctl xenstored cont"


class Freezer:
    """A process that freezes xenstored at a given moment."""

    def __init__(self, seconds: float) -> None:
        self._process = subprocess.Popen(["sh", "-c", FREEZE.format(seconds)], stdin=subprocess.PIPE)

    def freeze(self) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"go\n")
        self._process.stdin.close()

    async def thawed(self) -> None:
        while self._process.poll() is None:
            await asyncio.sleep(0.01)
        if self._process.returncode:
            raise RuntimeError("xenstored could not be frozen")


class Parts:
    """Prints the numbers so far after each part of the program."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._began = time.perf_counter()

    def end(self, name: str) -> None:
        if os.environ.get("AIOXEN_BENCH_WORST"):
            now = time.perf_counter()
            numbers = ", ".join(f"{key} {value * 1000:.2f}" for key, value in vars(self._watched).items())
            print(f"{name}: {numbers}, {now - self._began:.1f} s", file=sys.stderr)
            self._began = now


async def closed_at_once(name: str) -> None:
    """Closes a context while it creates a guest."""
    async with aioxen.Context() as xen:
        creation = xen.domain_create(guest(name, 256))
        await asyncio.sleep(0.01)
    creation.exception()


async def forget() -> None:
    """Drops the last reference to a context that is creating a guest."""
    xen = aioxen.Context()
    xen.domain_create(guest("b", 256))
    await asyncio.sleep(0.01)


async def read(events: aioxen.Events) -> None:
    async for _ in events:
        pass


async def everything(count: int, folder: Path, freezer: Freezer, parts: Parts) -> None:
    xen = aioxen.Context()
    readers = [asyncio.create_task(read(events)) for events in (xen.events(), xen.device_events())]
    commands = ["b", *["l"] * (count - 1)]
    configs = [with_devices(guest(command), disks(folder, i)) for i, command in enumerate(commands)]
    parts.end("configurations")
    await asyncio.sleep(0)
    doms = await some_at_a_time(xen.domain_create, configs)
    parts.end("creations")
    await asyncio.gather(*[dom.unpause() for dom in doms])
    await asyncio.gather(*[dom.shutdown(timeout=2) for dom in doms], return_exceptions=True)
    parts.end("shutdowns")
    freezer.freeze()
    await asyncio.sleep(0.2)
    await asyncio.gather(
        *[dom.name() for dom in doms],
        xen.domain_create(guest("b")),
        *[closed_at_once("b") for _ in range(CLOSED)],
        return_exceptions=True,
    )
    await freezer.thawed()
    parts.end("frozen")
    await asyncio.gather(*[closed_at_once("b") for _ in range(CLOSED)])
    parts.end("closed")
    await asyncio.to_thread(asyncio.run, forget())
    gc.collect()
    await asyncio.sleep(0.1)
    parts.end("collected")
    await asyncio.gather(*[dom.destroy() for dom in doms], return_exceptions=True)
    parts.end("destructions")
    await xen.aclose()
    await asyncio.gather(*readers)


async def main(way: str, count: int) -> None:
    warnings.simplefilter("ignore", ResourceWarning)
    with tempfile.TemporaryDirectory() as folder:
        freezer = Freezer(FREEZE_S if count > FEW else SHORT_S)
        gc.freeze()  # gc.collect() then visits only objects that are made from now on.
        watched = Watched()
        if way == "idle":
            await asyncio.sleep(IDLE_S if count > FEW else SHORT_S)
            freezer.freeze()
        else:
            await everything(count, Path(folder), freezer, Parts(watched))
        result = {name: value * 1000 for name, value in vars(watched).items()}
        await freezer.thawed()
    print(json.dumps(result))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
