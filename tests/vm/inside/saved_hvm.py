# SPDX-License-Identifier: LGPL-2.1-or-later
"""saved_hvm.py SAVER RESTORER [live]: an HVM guest is saved, destroyed and restored while it counts.

SAVER and RESTORER are `ours` (this library) or `xl`. The guest has no drivers for Xen. It prints letters on
its serial port, a to z. After the restoration no letter is missing or printed twice.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import aioxen
from aioxen import DeviceDisk, DomainBuildInfoHvm, DomainConfig, VncInfo
from letters import check, letters
from linux import left, run

SAVER, RESTORER = sys.argv[1:3]
LIVE = "live" in sys.argv
FILE, DISK, SERIAL = "/tmp/saved", Path("/tmp/disk"), Path("/tmp/serial")


def config() -> DomainConfig:
    DISK.write_bytes(Path("build/guest/counter").read_bytes() + bytes((1 << 20) - 512))
    made = DomainConfig()
    made.c_info.type = made.b_info.type = aioxen.DomainType.HVM
    made.c_info.name = "g"
    made.b_info.max_memkb = made.b_info.target_memkb = 32 << 10
    made.b_info.u = DomainBuildInfoHvm(serial=f"file:{SERIAL}", vnc=VncInfo(enable=True))
    made.disks = [
        DeviceDisk(vdev="hda", pdev_path=str(DISK), readwrite=1),
        DeviceDisk(vdev="hdc", is_cdrom=1, removable=1),
    ]
    return made


async def save(xen: aioxen.Context) -> None:
    begin = time.monotonic()
    if SAVER == "xl":
        print(await asyncio.to_thread(run, f"xl save g {FILE}"))
    else:
        await (await xen.domain_find("g")).save(FILE, live=LIVE)
    print(f"saved by {SAVER} in {time.monotonic() - begin:.2f} s", run(f"ls -l {FILE}"), flush=True)


async def restore(xen: aioxen.Context) -> None:
    begin = time.monotonic()
    if RESTORER == "xl":
        await asyncio.to_thread(run, f"xl restore -e -p {FILE}")
    else:
        await xen.restore(FILE)
    print(f"restored by {RESTORER} in {time.monotonic() - begin:.2f} s", flush=True)


async def main() -> None:
    before = left()
    async with aioxen.Context() as xen:
        await (await xen.domain_create(config())).unpause()
        await letters(SERIAL, 20)
        await save(xen)
        assert [info.domid for info in await xen.domain_list()] == [0]
        first = SERIAL.read_text()
        SERIAL.unlink()
        await restore(xen)
        dom = await xen.domain_find("g")
        await dom.unpause()
        second = await letters(SERIAL, 20)
        print(first, second, flush=True)
        check(first + second)
        await dom.destroy()
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
