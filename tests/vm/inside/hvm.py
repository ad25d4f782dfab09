# SPDX-License-Identifier: LGPL-2.1-or-later
"""hvm.py MAKER DRIVER FIRMWARE MEDIUM [PICTURE]: an HVM guest boots, is seen, and is powered off.

MAKER makes the guest, and DRIVER does all other work. Each of the two is `ours` (this library) or `xl`.
FIRMWARE is seabios or ovmf. MEDIUM is disk or cd. The guest prints a line on its serial port and on its
screen, which VNC shows. It has no drivers for Xen, and ACPI powers it off. PICTURE is a file for the picture
of the screen (PNG).
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import aioxen
from linux import LIMIT, left, run
from screen import Screen, screen
from toolstacks import Tool, tool

MAKER, DRIVER, FIRMWARE, MEDIUM = sys.argv[1:5]
SERIAL = Path("/tmp/serial")
NAME = {"seabios": "sector", "ovmf": "efi"}[FIRMWARE]


def config() -> str:
    run(f"cp build/guest/{NAME} /tmp/disk && truncate -s 2M /tmp/disk && cp build/guest/cd /tmp/cd")
    disks = {
        "disk": '"/tmp/disk,raw,hda,rw", "vdev=hdc,access=ro,devtype=cdrom"',
        "cd": '"/tmp/cd,raw,hdc,cdrom"',
    }
    lines = (
        'name = "g"',
        'type = "hvm"',
        f'bios = "{FIRMWARE}"',
        f"memory = {64 if FIRMWARE == 'seabios' else 128}",
        f"disk = [{disks[MEDIUM]}]",
        'boot = "cd"',
        f'serial = "file:{SERIAL}"',
        "vnc = 1",
        'vnclisten = "127.0.0.1:7"',
        'on_poweroff = "preserve"',
    )
    return "\n".join(lines) + "\n"


async def said(words: str) -> None:
    """Waits until the guest has printed the words on its serial port."""
    deadline = time.monotonic() + LIMIT
    while not SERIAL.exists() or words not in SERIAL.read_text(errors="replace"):
        told = run("cat /tmp/serial; tail /var/log/xen/*; xl dmesg | tail -20; xl list", check=False)
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.5)


async def shown() -> Screen:
    """Waits until the screen shows text. QEMU draws the screen a moment after the guest has printed."""
    deadline = time.monotonic() + LIMIT
    while True:
        seen = await screen(5907)
        if seen.lit_pixels() > 500:
            return seen
        assert time.monotonic() < deadline, f"the screen of {seen.width} * {seen.height} pixels is black"
        await asyncio.sleep(0.5)


async def main() -> None:
    before = left()
    async with aioxen.Context() as xen:
        maker: Tool = tool(MAKER, xen)
        driver: Tool = tool(DRIVER, xen)
        begin = time.monotonic()
        await maker.create(config())
        print(f"created by {MAKER} in {time.monotonic() - begin:.1f} s", flush=True)
        await driver.unpause("g")
        await said(f"{NAME}: booted")
        print(f"booted {time.monotonic() - begin:.1f} s after the begin", flush=True)
        seen = await shown()
        if sys.argv[5:]:
            seen.save(Path(sys.argv[5]))
        print(f"a screen of {seen.width} * {seen.height} pixels, {seen.lit_pixels()} are lit", flush=True)
        await driver.power_button("g")
        await said(f"{NAME}: power button")
        assert (
            await (await xen.domain_find("g")).wait_shutdown(timeout=LIMIT) is aioxen.ShutdownReason.POWEROFF
        )
        await driver.destroy("g")
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
