# SPDX-License-Identifier: LGPL-2.1-or-later
"""devices.py aioxen|xl N: creates and destroys N guests with a file disk and a bridged interface, one by one.

"create": the median time of a creation until the devices are ready, in ms. The median time of a creation
without devices is subtracted.
"destroy": the median time of a destruction, in ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import aioxen
from guests import KERNEL
from lives import Ours, Xl, lives, run

BRIDGE = "bench0"


def text(disk: Path | None) -> str:
    lines = ['name = "bench-devices"', 'type = "pvh"', f'kernel = "{KERNEL}"', "memory = 24", 'cmdline = "b"']
    if disk:
        lines += [f'disk = ["{disk},raw,xvda,rw"]', f'vif = ["bridge={BRIDGE}"]']
    return "\n".join(lines) + "\n"


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
        result = await measure(Xl("bench-devices"), count)
    else:
        async with aioxen.Context() as xen:
            result = await measure(Ours(xen), count)
    print(json.dumps(result))


asyncio.run(main())
