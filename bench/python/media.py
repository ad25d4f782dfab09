# SPDX-License-Identifier: LGPL-2.1-or-later
"""media.py aioxen|xl N: an HVM guest with a disk and a CD drive, N times each.

"create": the median time of a creation until the guest is ready and paused, in ms.
"insert": the median time of the insertion of a medium into the drive, in place of another medium, in ms.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aioxen
import lives

NAME = "bench-media"


def text(folder: Path) -> str:
    disks = f'"{folder}/disk,raw,hda,rw", "vdev=hdc,access=ro,devtype=cdrom"'
    return f'name = "{NAME}"\ntype = "hvm"\nmemory = 32\nserial = "pty"\ndisk = [{disks}]\n'


class Ours(lives.Ours):
    async def insert(self, path: Path) -> None:
        await self._dom.cdrom_insert(aioxen.DeviceDisk(vdev="hdc", pdev_path=str(path)))


class Xl(lives.Xl):
    async def insert(self, path: Path) -> None:
        await lives.run("xl", "cd-insert", self._name, "hdc", str(path))


async def timed(action: Callable[[Path], Awaitable[None]], path: Path) -> float:
    begin = time.monotonic()
    await action(path)
    return (time.monotonic() - begin) * 1000


async def measure(tool: Ours | Xl, count: int) -> dict[str, float]:
    created, inserted = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in "disk", "one", "two":
            (folder / file).write_bytes(bytes(1 << 20))
        config = folder / "cfg"
        config.write_text(text(folder))
        for _ in range(count):
            created.append(await timed(tool.create, config))
            for file in "one", "two", "one":
                inserted.append(await timed(tool.insert, folder / file))
            await tool.destroy()
    return {"create": statistics.median(created), "insert": statistics.median(inserted)}


async def main() -> None:
    who, count = sys.argv[1], int(sys.argv[2])
    if who == "xl":
        result = await measure(Xl(NAME), count)
    else:
        async with aioxen.Context() as xen:
            result = await measure(Ours(xen), count)
    print(json.dumps(result))


asyncio.run(main())
