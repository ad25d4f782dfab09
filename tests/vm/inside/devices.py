# SPDX-License-Identifier: LGPL-2.1-or-later
"""devices.py KIND [plug]: a guest uses its devices. With `plug` further devices are plugged meanwhile.

A PV guest has disks of all backends, two networks and a share. A PVH guest, which is slow under emulation,
has a disk and a network.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aioxen
from linux import Console, image, left, linux, ping, prepare, run, set_address, text

KIND, PLUG = sys.argv[1], "plug" in sys.argv
SHARE = Path("/tmp/share")


def disk(path: str, vdev: str) -> aioxen.DeviceDisk:
    return aioxen.DeviceDisk(pdev_path=path, vdev=vdev, format=aioxen.DiskFormat.RAW, readwrite=1)


def pvh() -> str:
    return text(
        "g",
        "pvh",
        "disk=xvda address=eth0=10.0.0.2/24",
        f'disk = ["{image("file")},raw,xvda,rw"]',
        'vif = ["bridge=xenbr0"]',
    )


def pv() -> str:
    loop = run(f"losetup -f --show {image('phy')}").strip()
    qcow2 = image("grown", "qcow2")
    SHARE.mkdir()
    (SHARE / "question").write_text("42\n")
    return text(
        "g",
        "pv",
        "disk=xvda disk=xvdb disk=xvdc share=tag1 address=eth0=10.0.0.2/24 address=eth1=10.0.0.3/24",
        f'disk = ["{image("file")},raw,xvda,rw", "phy:{loop},xvdb,w", "{qcow2},qcow2,xvdc,rw"]',
        'vif = ["bridge=xenbr0", "bridge=xenbr0,mac=00:16:3e:00:00:42"]',
        'p9 = ["tag=tag1,security_model=none,path=/tmp/share"]',
    )


async def plug(dom: aioxen.Domain, console: Console) -> None:
    """Plugs and unplugs a disk twice and an interface once, while the guest writes and compares a file."""
    await console.command("mount /dev/xvda /mnt")
    write_and_compare = "cp /bin/busybox /mnt/copy && sync && cmp /bin/busybox /mnt/copy"
    await console.command(f"(while {write_and_compare}; do :; done) 2>/tmp/errors &")
    more = disk(image("more"), "xvdd")
    for _ in range(2):
        await dom.disk_add(more)
        assert "disk xvdd: ok" in await console.command("check-disk xvdd")
        await dom.disk_remove(more)
    nic = aioxen.DeviceNic(devid=2, bridge="xenbr0", mac=bytes.fromhex("00163e000043"))
    await dom.nic_add(nic)
    await set_address(console, {"pv": "eth2", "pvh": "eth1"}[KIND], "10.0.0.4/24")
    await ping("10.0.0.4")
    await dom.nic_remove(nic)
    await console.command("test ! -s /tmp/errors && kill $!")  # xvda has had no error


async def main() -> None:
    prepare()
    config = {"pv": pv, "pvh": pvh}[KIND]()
    before = left()
    async with aioxen.Context() as xen, linux(xen, config) as (dom, console, printed):
        assert "disk xvda: ok" in printed
        await ping("10.0.0.2")
        if KIND == "pv":
            for words in "disk xvdb: ok", "disk xvdc: ok", "share tag1: ok":
                assert words in printed
            assert (SHARE / "answer").read_text() == "answer: 42\n"
            assert "00:16:3e:00:00:42" in await console.command("cat /sys/class/net/eth1/address")
            await ping("10.0.0.3")
        if PLUG:
            await plug(dom, console)
        assert str(await dom.shutdown()) == "poweroff"
        await dom.wait_shutdown()
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
