# SPDX-License-Identifier: LGPL-2.1-or-later
"""stick.py MAKER DRIVER [linux]: an HVM guest gets a USB stick of the host (`aioxen-vm --passthrough`).

MAKER makes the guest, and DRIVER does all other work. Each of the two is `ours` (this library) or `xl`.

The guest gets the stick twice, and loses it in between. Each time its device model must have the stick, and
dom0's driver must not have it. In the end dom0's driver has the stick again. With `linux`, the guest is a
Linux that reads the stick. Otherwise the guest does not run.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aioxen
from linux import LIMIT, Console, left, linux, passthrough_text, prepare_passthrough
from toolstacks import Tool, tool

MAKER, DRIVER = sys.argv[1:3]
LINUX = "linux" in sys.argv
SERIAL = "aioxen"


def stick() -> Path:
    """Returns the stick's directory in sysfs."""
    serials = Path("/sys/bus/usb/devices").glob("*/serial")
    (found,) = (path.parent for path in serials if path.read_text().strip() == SERIAL)
    return found


def place() -> tuple[int, int]:
    """Returns the stick's bus and address in dom0."""
    return int((stick() / "busnum").read_text()), int((stick() / "devnum").read_text())


async def dom0_has_stick(has: bool) -> None:
    """Waits until dom0's driver has the stick, or no longer has it."""
    deadline = time.monotonic() + LIMIT
    while True:
        with contextlib.suppress(ValueError, OSError):  # The stick is missing for a moment when it is reset.
            links = list(stick().glob("*:1.0/driver"))
            if any(link.readlink().name == "usb-storage" for link in links) == has:
                return
        assert time.monotonic() < deadline, f"dom0 {'does not get' if has else 'keeps'} the stick"
        await asyncio.sleep(0.1)


async def guest_has_stick(console: Console | None) -> None:
    if console:
        await console.command(f"until grep -q {SERIAL} /sys/bus/usb/devices/*/serial; do usleep 100000; done")
        await console.command("until [ -b /dev/sda ]; do usleep 100000; done")
        await console.command("dd if=/dev/sda of=/dev/null bs=64k count=16")


async def guest_has_no_stick(console: Console | None) -> None:
    if console:
        await console.command("until [ ! -e /dev/sda ]; do usleep 50000; done")


@contextlib.asynccontextmanager
async def guest(maker: Tool) -> AsyncIterator[Console | None]:
    config = passthrough_text("hvm")
    if LINUX:
        async with linux(maker, config) as (_, console, _):
            yield console
    else:
        await maker.create(config)
        try:
            yield None
        finally:
            await maker.destroy("g")


async def plugged(xen: aioxen.Context) -> str:
    """Returns QEMU's list of USB devices."""
    dom = await xen.domain_find("g")
    return str(await dom.qmp("human-monitor-command", {"command-line": "info usb"}))


async def main() -> None:
    prepare_passthrough()
    before = left()
    await dom0_has_stick(True)
    async with aioxen.Context() as xen:
        maker, driver = tool(MAKER, xen), tool(DRIVER, xen)
        async with guest(maker) as console:
            await driver.controller_add("g", 3)
            for _ in range(2):
                bus, number = place()
                await driver.stick_add("g", bus, number)
                print(await plugged(xen), flush=True)
                assert await driver.sticks("g") == [(0, 1, bus, number)]
                assert "QEMU USB HARDDRIVE" in await plugged(xen)
                await dom0_has_stick(False)
                await guest_has_stick(console)
                await driver.stick_remove("g", 0, 1)
                assert await driver.sticks("g") == []
                assert "HARDDRIVE" not in await plugged(xen)
                await dom0_has_stick(True)
                await guest_has_no_stick(console)
            await driver.controller_remove("g", 0)
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
