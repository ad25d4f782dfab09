# SPDX-License-Identifier: LGPL-2.1-or-later
"""saved_hvm.py MAKER MOVE...: an HVM guest is saved, destroyed and restored while it counts.

MAKER makes the guest. A MOVE is SAVER-RESTORER or ours-RESTORER-live. MAKER, SAVER and RESTORER are `ours`
(this library) or `xl`. The guest has no drivers for Xen. It prints letters on its serial port, a to z. After
each restoration no letter is missing or printed twice.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import aioxen
from letters import check, letters
from linux import left, run
from toolstacks import tool

MAKER, *MOVES = sys.argv[1:]
FILE, DISK, SERIAL = "/tmp/saved", Path("/tmp/disk"), Path("/tmp/serial")
CONFIG = f"""
name = "g"
type = "hvm"
memory = 32
serial = "file:{SERIAL}"
vnc = 1
disk = ["{DISK},raw,hda,rw", "vdev=hdc,access=ro,devtype=cdrom"]
"""


async def save(xen: aioxen.Context, saver: str, live: bool) -> None:
    begin = time.monotonic()
    if saver == "xl":
        await asyncio.to_thread(run, f"xl save g {FILE}")
    else:
        await (await xen.domain_find("g")).save(FILE, live=live)
    print(f"saved by {saver} in {time.monotonic() - begin:.2f} s", run(f"ls -l {FILE}"), flush=True)


async def restore(xen: aioxen.Context, restorer: str) -> None:
    begin = time.monotonic()
    if restorer == "xl":
        await asyncio.to_thread(run, f"xl restore -e -p {FILE}")
    else:
        await xen.restore(FILE)
    print(f"restored by {restorer} in {time.monotonic() - begin:.2f} s", flush=True)


async def move(xen: aioxen.Context, saver: str, restorer: str, *live: str) -> str:
    """Returns the letters that the guest had printed before. The next QEMU begins a new file of letters."""
    await letters(SERIAL, 20)
    await save(xen, saver, bool(live))
    assert [info.domid for info in await xen.domain_list()] == [0]
    printed = SERIAL.read_text()
    SERIAL.unlink()
    await restore(xen, restorer)
    await (await xen.domain_find("g")).unpause()
    return printed


async def main() -> None:
    DISK.write_bytes(Path("build/guest/counter").read_bytes() + bytes((1 << 20) - 512))
    before = left()
    async with aioxen.Context() as xen:
        await tool(MAKER, xen).create(CONFIG)
        await (await xen.domain_find("g")).unpause()
        printed = [await move(xen, *one.split("-")) for one in MOVES]
        printed.append(await letters(SERIAL, 20))
        print(*printed, flush=True)
        check("".join(printed))
        await (await xen.domain_find("g")).destroy()
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
