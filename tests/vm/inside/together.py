# SPDX-License-Identifier: LGPL-2.1-or-later
"""A PV guest of this library and a PVH guest of xl on one bridge ping each other and dom0."""

from __future__ import annotations

import asyncio

import aioxen
from linux import left, linux, ping, prepare, text
from toolstacks import tool

VIF = 'vif = ["bridge=xenbr0"]'


async def main() -> None:
    prepare()
    before = left()
    one = text("one", "pv", "address=eth0=10.0.0.11/24", VIF)
    two = text("two", "pvh", "address=eth0=10.0.0.12/24", VIF)
    async with (
        aioxen.Context() as xen,
        linux(tool("ours", xen), one) as (_, first, _),
        linux(tool("xl", xen), two) as (_, second, _),
    ):
        await ping("10.0.0.11")
        await ping("10.0.0.12")
        await first.command("ping -c 2 10.0.0.12")
        await second.command("ping -c 2 10.0.0.11")
        await second.command("ping -c 2 10.0.0.1")
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
