# SPDX-License-Identifier: LGPL-2.1-or-later
"""saved.py KIND SAVER RESTORER [live]: a Linux guest is saved, destroyed and restored while it counts.

KIND is pv or pvh. SAVER and RESTORER are `ours` (this library) or `xl`. The guest has a mounted disk and an
interface. After the restoration no number is missing or twice, the disk can be written, and the guest
answers pings.
"""

from __future__ import annotations

import asyncio
import sys
import time

import aioxen
from linux import Console, image, left, linux, ping, prepare, run, text
from toolstacks import tool

KIND, SAVER, RESTORER = sys.argv[1:4]
LIVE = "live" in sys.argv
FILE = "/tmp/saved"


def config() -> str:
    disks, vifs = f'disk = ["{image("file")},raw,xvda,rw"]', 'vif = ["bridge=xenbr0"]'
    return text("g", KIND, "address=eth0=10.0.0.2/24", disks, vifs)


async def save(xen: aioxen.Context) -> None:
    begin = time.monotonic()
    if SAVER == "xl":
        await asyncio.to_thread(run, f"xl save g {FILE}")
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
    prepare()
    before = left()
    async with aioxen.Context() as xen, linux(tool("ours", xen), config()) as (_, console, _):
        await console.command("mount /dev/xvda /mnt && echo before >/mnt/word")
        count = "n=0; while :; do n=$((n+1)); echo $n >>/tmp/count; usleep 20000; done"
        await console.command(f"({count}) & until [ -s /tmp/count ]; do usleep 20000; done")
        await ping("10.0.0.2")
        await save(xen)
        assert [info.domid for info in await xen.domain_list()] == [0]
        await restore(xen)
        again = Console("g")
        await (await xen.domain_find("g")).unpause()
        await again.command("echo $(wc -l </tmp/count) >/tmp/first; usleep 300000")
        await again.command("cp /tmp/count /tmp/copy; seq $(wc -l </tmp/copy) | cmp - /tmp/copy")
        await again.command("test $(wc -l </tmp/copy) -gt $(cat /tmp/first)")
        await again.command("grep before /mnt/word && echo after >/mnt/word")
        await again.command("umount /mnt && mount /dev/xvda /mnt && grep after /mnt/word")
        await ping("10.0.0.2")
        again.close()
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
