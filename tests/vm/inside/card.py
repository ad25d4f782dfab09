# SPDX-License-Identifier: LGPL-2.1-or-later
"""card.py KIND MAKER DRIVER: a guest uses a network card of the host (`aioxen-vm --passthrough`).

KIND is pv or hvm. MAKER makes the guest, and DRIVER does all other work. Each of the two is `ours` (this
library) or `xl`.

The guest gets the card while it runs, loses it, and gets it again. Then a second guest gets the card at its
creation. In the end dom0's driver has the card again. The guest's driver must pass frames each time, so the
card's interrupts and its access to memory work.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aioxen
from linux import Console, left, linux, passthrough_text, ping, prepare_passthrough, run, set_address
from toolstacks import Tool, tool

KIND, MAKER, DRIVER = sys.argv[1:4]
CARD = "0000:00:10.0"
IN_DOM0 = Path("/sys/bus/pci/devices") / CARD


def config(*settings: str) -> str:
    more = () if KIND == "hvm" else ("e820_host = 1",)
    return passthrough_text(KIND, 'passthrough = "enabled"', *more, *settings)


def driver_in_dom0() -> str:
    return (IN_DOM0 / "driver").readlink().name if (IN_DOM0 / "driver").exists() else ""


async def card_works(console: Console) -> None:
    await set_address(console, "eth0", "10.0.0.2/24")
    assert "e1000e" in await console.command("readlink /sys/class/net/eth0/device/driver")
    assert "02:00:00:00:01:00" in await console.command("cat /sys/class/net/eth0/address")
    await console.command("until [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do usleep 100000; done")
    await ping("10.0.0.2")


async def detach(driver: Tool, console: Console) -> None:
    await driver.card_remove("g", CARD)
    assert await driver.cards("g") == []
    await console.command("until [ ! -e /sys/class/net/eth0 ]; do usleep 50000; done")


async def main() -> None:
    prepare_passthrough()
    before = left()
    assert driver_in_dom0() == "e1000e"
    async with aioxen.Context() as xen:
        maker, driver = tool(MAKER, xen), tool(DRIVER, xen)
        await driver.make_assignable(CARD)
        assert driver_in_dom0() == "pciback"
        assert await driver.assignable() == [CARD]
        async with linux(maker, config()) as (_, console, _):
            for _ in range(2):
                await driver.card_add("g", CARD)
                assert await driver.cards("g") == [CARD]
                await card_works(console)
                await detach(driver, console)
        async with linux(maker, config(f'pci = ["{CARD}"]')) as (_, console, _):
            assert await driver.cards("g") == [CARD]
            await card_works(console)
            await driver.shutdown("g")
            await driver.destroy("g")
            if DRIVER == "xl":  # xl leaves the backend's nodes of a guest that has stopped (docs/limits.md).
                run("xenstore-rm /local/domain/0/backend/pci", check=False)
        await driver.make_unassignable(CARD)
    assert driver_in_dom0() == "e1000e"
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
