# SPDX-License-Identifier: LGPL-2.1-or-later
"""hvm.py MAKER DRIVER FIRMWARE MEDIUM [restricted] [PICTURE]: an HVM guest boots, its screen is read, and it
is powered off.

MAKER makes the guest, and DRIVER does all other work. Each of the two is `ours` (this library) or `xl`.
FIRMWARE is seabios or ovmf. MEDIUM is disk or cd. The guest prints a line on its serial port and on its
screen, which VNC shows. It has no drivers for Xen, and ACPI powers it off. With `restricted`, the guest's
QEMU has no rights of root (dm_restrict). PICTURE is a file for the picture of the screen (PNG).

While the guest runs, a CD is inserted into its drive and ejected. Debian's QEMU crashes at `xl cd-insert` if
the drive is empty (docs/limits.md), so xl does this only if MEDIUM is cd. If DRIVER is `ours`, the guest's
QEMU is killed in the end, which is an event.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aioxen
from aioxen import DeviceModelEnded
from linux import LIMIT, left, run
from screen import Screen, screen
from toolstacks import Tool, tool

MAKER, DRIVER, FIRMWARE, MEDIUM, *MORE = sys.argv[1:]
RESTRICTED = "restricted" in MORE
USER, USER_ID = "model", "1234"
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
        *((f'dm_restrict = 1\ndevice_model_user = "{USER}"',) if RESTRICTED else ()),
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
    """Waits until the screen shows text. QEMU draws the text on the screen a moment after the guest has
    printed it."""
    deadline = time.monotonic() + LIMIT
    while True:
        seen = await screen(5907)
        if seen.lit_pixels() > 500:
            return seen
        assert time.monotonic() < deadline, f"the screen of {seen.width} * {seen.height} pixels is black"
        await asyncio.sleep(0.5)


async def media(dom: aioxen.Domain) -> list[int]:
    """Returns the sizes in octets of the media that QEMU has in its drives."""
    drives: Any = await dom.qmp("query-block")
    inserted = [drive["inserted"] for drive in drives if drive["removable"] and "inserted" in drive]
    return [each["image"]["virtual-size"] for each in inserted]


async def change_medium(driver: Tool, dom: aioxen.Domain) -> None:
    run("truncate -s 3M /tmp/other")
    begin = time.monotonic()
    await driver.cd_insert("g", "/tmp/other")
    inserted = time.monotonic()
    assert await media(dom) == [3 << 20]
    ejecting = time.monotonic()
    await driver.cd_eject("g")
    print(f"inserted in {inserted - begin:.2f} s, ejected in {time.monotonic() - ejecting:.2f} s", flush=True)
    assert await media(dom) == []


def check_restrictions(domid: int) -> None:
    """Checks what the kernel says of the guest's QEMU: its user, its capabilities and its root directory."""
    process = Path("/proc") / run("pidof xen-qemu-system-i386").strip()
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    assert status["Uid"].split() == status["Gid"].split() == [USER_ID] * 4, status
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0, status
    root = (process / "root").readlink()
    assert root.name == f"qemu-root-{domid}"
    assert list(root.iterdir()) == []


async def kill_qemu(xen: aioxen.Context, dom: aioxen.Domain) -> None:
    pid = int(run("pidof xen-qemu-system-i386"))
    async with xen.device_events(dom, [DeviceModelEnded]) as events:
        os.kill(pid, signal.SIGKILL)
        event = await asyncio.wait_for(anext(events), LIMIT)
        assert isinstance(event, DeviceModelEnded)
        assert (event.domid, event.pid) == (dom.domid, pid)


async def main() -> None:
    if RESTRICTED:
        run(f"echo {USER}:x:{USER_ID}:{USER_ID}::/:/bin/false >>/etc/passwd")
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
        if MORE[RESTRICTED:]:
            seen.save(Path(MORE[-1]))
        print(f"a screen of {seen.width} * {seen.height} pixels, {seen.lit_pixels()} are lit", flush=True)
        dom = await xen.domain_find("g")
        if DRIVER == "ours" or MEDIUM == "cd":
            await change_medium(driver, dom)
        if RESTRICTED:
            check_restrictions(dom.domid)
        await driver.power_button("g")
        await said(f"{NAME}: power button")
        assert await dom.wait_shutdown(timeout=LIMIT) is aioxen.ShutdownReason.POWEROFF
        if DRIVER == "ours":
            await kill_qemu(xen, dom)
        await driver.destroy("g")
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
