# SPDX-License-Identifier: LGPL-2.1-or-later
"""devices.py KIND MAKER DRIVER [few]: a guest uses its devices while others are plugged and unplugged.

KIND is pv or pvh. MAKER makes the guest, and DRIVER does all other work. Each of the two is `ours` (this
library) or `xl`.

The guest has disks of all backends, two interfaces and a share. With `few` the guest has a disk and an
interface, and nothing is plugged.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aioxen
from linux import Console, image, left, linux, ping, prepare, run, set_address, text
from toolstacks import Tool, tool

KIND, MAKER, DRIVER = sys.argv[1:4]
FEW = "few" in sys.argv
SHARE = Path("/tmp/share")
MACS = [f"00:16:3e:00:00:4{n}" for n in range(3)]


def few() -> str:
    disks, vifs = f'disk = ["{image("file")},raw,xvda,rw"]', f'vif = ["bridge=xenbr0,mac={MACS[0]}"]'
    return text("g", KIND, "disk=xvda address=eth0=10.0.0.2/24", disks, vifs)


def all_devices() -> str:
    loop = run(f"losetup -f --show {image('phy')}").strip()
    qcow2 = image("grown", "qcow2")
    SHARE.mkdir()
    (SHARE / "question").write_text("42\n")
    return text(
        "g",
        KIND,
        "disk=xvda disk=xvdb disk=xvdc share=tag1 address=eth0=10.0.0.2/24 address=eth1=10.0.1.2/24",
        f'disk = ["{image("file")},raw,xvda,rw", "phy:{loop},xvdb,w", "{qcow2},qcow2,xvdc,rw"]',
        f'vif = ["bridge=xenbr0,mac={MACS[0]}", "bridge=xenbr0,mac={MACS[1]}"]',
        'p9 = ["tag=tag1,security_model=none,path=/tmp/share"]',
    )


@contextlib.asynccontextmanager
async def disk_works(console: Console) -> AsyncIterator[None]:
    """Makes the guest write and compare a file on its first disk, until the end of the block."""
    await console.command("mount /dev/xvda /mnt")
    write_and_compare = "cp /bin/busybox /mnt/copy && sync && cmp /bin/busybox /mnt/copy && usleep 200000"
    await console.command(f"(while {write_and_compare}; do :; done) 2>/tmp/errors & worker=$!")
    yield
    await console.command("test ! -s /tmp/errors && kill $worker")


async def plug_disk(driver: Tool, console: Console, path: str) -> None:
    """Plugs a disk, and unplugs it while the guest reads it."""
    await driver.disk_add("g", path, "xvdd")
    assert "xvdd" in await driver.disks("g")
    assert "disk xvdd: ok" in await console.command("check-disk xvdd")
    # Closing a block device drops its cache, so each dd reads the disk and not the cache.
    turn = "dd if=/dev/xvdd of=/dev/null bs=64k count=16; do echo >>/tmp/turns; usleep 50000"
    await console.command(f"rm -f /tmp/turns; (while {turn}; done) 2>/tmp/end & reader=$!")
    await console.command("until [ -s /tmp/turns ]; do usleep 50000; done")
    await driver.disk_remove("g", "xvdd")
    assert "xvdd" not in await driver.disks("g")
    await console.command("wait $reader; until [ ! -e /dev/xvdd ]; do usleep 50000; done")


async def plug_nic(driver: Tool, console: Console, device: str) -> None:
    """Plugs an interface, and unplugs it while the guest answers pings."""
    await driver.nic_add("g", MACS[2])
    await set_address(console, device, "10.0.2.2/24")
    await ping("10.0.2.2")
    pings = await asyncio.create_subprocess_exec("ping", "10.0.2.2", stdout=asyncio.subprocess.PIPE)
    assert pings.stdout
    while b"bytes from 10.0.2.2" not in await pings.stdout.readline():
        pass
    await driver.nic_remove("g", MACS[2])
    pings.kill()
    await pings.wait()
    assert MACS[2] not in await driver.nics("g")
    # The guest's driver first reports that the interface is closed, and only then removes it.
    await console.command(f"until [ ! -e /sys/class/net/{device} ]; do usleep 50000; done")


async def main() -> None:
    prepare()
    config = few() if FEW else all_devices()
    before = left()
    async with aioxen.Context() as xen:
        maker, driver = tool(MAKER, xen), tool(DRIVER, xen)
        async with linux(maker, config) as (_, console, printed):
            for disk in ("xvda",) if FEW else ("xvda", "xvdb", "xvdc"):
                assert f"disk {disk}: ok" in printed
                assert disk in await driver.disks("g")
            assert await driver.nics("g") == MACS[: 1 if FEW else 2]
            await ping("10.0.0.2")
            if not FEW:
                assert "share tag1: ok" in printed
                assert (SHARE / "answer").read_text() == "answer: 42\n"
                assert MACS[1] in await console.command("cat /sys/class/net/eth1/address")
                await ping("10.0.1.2")
                async with disk_works(console):
                    path = image("more")
                    for _ in range(2):
                        await plug_disk(driver, console, path)
                    await plug_nic(driver, console, "eth2")
            await driver.shutdown("g")
            await driver.destroy("g")
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
