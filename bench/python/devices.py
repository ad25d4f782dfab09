# SPDX-License-Identifier: LGPL-2.1-or-later
"""devices.py aioxen|xl N: creates and destroys N guests with a file disk and a bridged interface, one by one.

"create": the median time of a creation until the devices are ready, in ms. The median time of a creation
without devices is subtracted.
"destroy": the median time of a destruction, in ms.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aioxen
from guests import KERNEL

BRIDGE = "bench0"


def text(disk: Path | None) -> str:
    lines = ['name = "bench-devices"', 'type = "pvh"', f'kernel = "{KERNEL}"', "memory = 24", 'cmdline = "b"']
    if disk:
        lines += [f'disk = ["{disk},raw,xvda,rw"]', f'vif = ["bridge={BRIDGE}"]']
    return "\n".join(lines) + "\n"


async def run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError(" ".join(command))


class Ours:
    def __init__(self, xen: aioxen.Context) -> None:
        self._xen = xen

    async def create(self, config: Path) -> None:
        self._dom = await self._xen.domain_create(aioxen.load(config))

    async def destroy(self) -> None:
        await self._dom.destroy()


class Xl:
    async def create(self, config: Path) -> None:
        await run("xl", "create", "-p", "-q", str(config))

    async def destroy(self) -> None:
        await run("xl", "destroy", "bench-devices")


async def lives(tool: Ours | Xl, config: Path, count: int) -> tuple[float, float]:
    """Returns the median times of a creation and of a destruction, in ms."""
    created, destroyed = [], []
    for _ in range(count):
        begin = time.monotonic()
        await tool.create(config)
        middle = time.monotonic()
        await tool.destroy()
        created.append(middle - begin)
        destroyed.append(time.monotonic() - middle)
    return statistics.median(created) * 1000, statistics.median(destroyed) * 1000


async def measure(tool: Ours | Xl, count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        disk, bare, full = (Path(folder) / name for name in ("disk", "bare.cfg", "full.cfg"))
        with disk.open("wb") as file:
            file.truncate(16 << 20)
        bare.write_text(text(None))
        full.write_text(text(disk))
        await run("ip", "link", "add", BRIDGE, "type", "bridge")
        await run("ip", "link", "set", BRIDGE, "up")
        try:
            await lives(tool, bare, 1)  # This call is a warm-up. It loads programs and libraries.
            without, _ = await lives(tool, bare, count)
            create, destroy = await lives(tool, full, count)
        finally:
            await run("ip", "link", "delete", BRIDGE)
    return {"create": create - without, "destroy": destroy}


async def main() -> None:
    who, count = sys.argv[1], int(sys.argv[2])
    if who == "xl":
        result = await measure(Xl(), count)
    else:
        async with aioxen.Context() as xen:
            result = await measure(Ours(xen), count)
    print(json.dumps(result))


asyncio.run(main())
