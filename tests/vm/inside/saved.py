# SPDX-License-Identifier: LGPL-2.1-or-later
"""saved.py KIND MOVE... [verified]: a Linux guest is saved, destroyed and restored while it counts.

KIND is pv or pvh. A MOVE is SAVER-RESTORER or ours-RESTORER-live. SAVER and RESTORER are `ours` (this
library) or `xl`. The guest has a mounted disk and an interface. After each restoration no number is missing
or printed twice, the disk can be written, and the guest answers pings. With `verified`, Xen's
verify-stream-v2 reads each file.
"""

from __future__ import annotations

import asyncio
import sys
import time

import aioxen
from linux import Console, image, left, linux, ping, prepare, run, text
from toolstacks import tool

KIND, *MOVES = sys.argv[1:]
VERIFIED = MOVES[-1] == "verified"
FILE = "/tmp/saved"
XEN = "build/dom0/usr/lib/xen-4.17"
VERIFY = f"PYTHONPATH={XEN}/lib/python /usr/bin/python3 {XEN}/bin/verify-stream-v2 --format xl --in {FILE}"


def config() -> str:
    disks, vifs = f'disk = ["{image("file")},raw,xvda,rw"]', 'vif = ["bridge=xenbr0"]'
    return text("g", KIND, "address=eth0=10.0.0.2/24", disks, vifs)


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


async def move(xen: aioxen.Context, saver: str, restorer: str, *live: str) -> None:
    await save(xen, saver, bool(live))
    assert [info.domid for info in await xen.domain_list()] == [0]
    if VERIFIED:
        print(f"verify-stream-v2: {run(VERIFY) or 'no fault'}", flush=True)
    await restore(xen, restorer)
    console = Console("g")
    await (await xen.domain_find("g")).unpause()
    await console.command("echo $(wc -l </tmp/count) >/tmp/first; usleep 300000")
    await console.command("cp /tmp/count /tmp/copy; seq $(wc -l </tmp/copy) | cmp - /tmp/copy")
    await console.command("test $(wc -l </tmp/copy) -gt $(cat /tmp/first)")
    await console.command("grep before /mnt/word && echo after >/mnt/word")
    await console.command("umount /mnt && mount /dev/xvda /mnt && grep after /mnt/word")
    await console.command("echo before >/mnt/word")
    await ping("10.0.0.2")
    console.close()


async def main() -> None:
    prepare()
    before = left()
    async with aioxen.Context() as xen, linux(tool("ours", xen), config()) as (_, console, _):
        await console.command("mount /dev/xvda /mnt && echo before >/mnt/word")
        count = "n=0; while :; do n=$((n+1)); echo $n >>/tmp/count; usleep 20000; done"
        await console.command(f"({count}) & until [ -s /tmp/count ]; do usleep 20000; done")
        await ping("10.0.0.2")
        for one in MOVES[:-1] if VERIFIED else MOVES:
            await move(xen, *one.split("-"))
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
