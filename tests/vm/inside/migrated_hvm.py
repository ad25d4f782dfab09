# SPDX-License-Identifier: LGPL-2.1-or-later
"""migrated_hvm.py SENDER RECEIVER: an HVM guest moves to another machine while it runs, with the state of its
device model.

`aioxen-vm-pair` runs this program in both machines. SENDER, on machine 1, and RECEIVER, on machine 2, are
`ours` (this library) or `xl`. SENDER makes the guest, and RECEIVER destroys it. The guest has no drivers for
Xen. Its disk is the one that both machines share. It prints letters on its serial port, a to z. On the two
ports together, no letter is missing or printed twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from pathlib import Path

import aioxen
from letters import check, letters
from linux import left, run
from moving import relay, xl_receives, xl_sends
from pair import NUMBER, accepted, connected, join
from toolstacks import tool

SENDER, RECEIVER = sys.argv[1:]
PORT, REPORT_PORT = 7000, 7001
DISK, SERIAL = "/dev/vda", Path("/tmp/serial")
CONFIG = f"""
name = "g"
type = "hvm"
memory = 32
serial = "file:{SERIAL}"
vnc = 1
disk = ["phy:{DISK},hda,w"]
"""


async def source() -> None:
    run(f"dd if=build/guest/counter of={DISK} conv=notrunc && sync")
    before = left()
    loop = asyncio.get_running_loop()
    async with aioxen.Context() as xen:
        await tool(SENDER, xen).create(CONFIG)
        dom = await xen.domain_find("g")
        await dom.unpause()
        await letters(SERIAL, 20)
        with contextlib.closing(await connected(REPORT_PORT)) as report:
            begin = time.monotonic()
            if SENDER == "xl":
                await xl_sends(relay(PORT))
            else:
                with await connected(PORT) as connection:
                    await dom.migrate(connection, live=True)
            print(f"{SENDER} to {RECEIVER}: moved in {time.monotonic() - begin:.1f} s", flush=True)
            assert [info.domid for info in await xen.domain_list()] == [0]
            await loop.sock_sendall(report, SERIAL.read_bytes())
            report.shutdown(socket.SHUT_WR)
            assert await loop.sock_recv(report, 16) == b"done"
    assert left() == before, f"{before}\nnow:\n{left()}"


async def target() -> None:
    before = left()
    loop = asyncio.get_running_loop()
    async with aioxen.Context() as xen:
        with await accepted(REPORT_PORT) as report:
            with await accepted(PORT) as connection:
                await (xl_receives(connection) if RECEIVER == "xl" else xen.receive(connection))
            said = b""
            while more := await loop.sock_recv(report, 65536):
                said += more
            here = await letters(SERIAL, 20)
            print(f"{len(said)} letters on machine 1, {len(here)} on machine 2", flush=True)
            check(said.decode() + here)
            assert await (await xen.domain_find("g")).qmp("query-status") == {
                "status": "running", "singlestep": False, "running": True,
            }  # fmt: skip
            await tool(RECEIVER, xen).destroy("g")
            await loop.sock_sendall(report, b"done")
            await loop.sock_recv(report, 1)  # Waits until machine 1 has read the word.
    assert left() == before, f"{before}\nnow:\n{left()}"


join()
asyncio.run(source() if NUMBER == 1 else target())
