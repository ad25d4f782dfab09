# SPDX-License-Identifier: LGPL-2.1-or-later
"""with_xl.py ours: xl works on a guest of this library. with_xl.py xls: this library works on a guest of
xl."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aioxen
from linux import Console, image, left, linux, ping, prepare, run, set_address, text


def config(words: str = "disk=xvda address=eth0=10.0.0.2/24") -> str:
    return text("g", "pv", words, f'disk = ["{image("file")},raw,xvda,rw"]', 'vif = ["bridge=xenbr0"]')


async def xl_on_ours(xen: aioxen.Context) -> None:
    async with linux(xen, config()) as (dom, console, printed):
        assert "disk xvda: ok" in printed
        assert "51712 0   " in run("xl block-list g")
        assert "/local/domain/0/backend/vif/" in run("xl network-list g")
        (listed,) = json.loads(run("xl list -l g"))
        assert listed["config"]["disks"][0]["vdev"] == "xvda"
        run(f"xl block-attach g file:{image('more')} xvdb w")
        assert "disk xvdb: ok" in await console.command("check-disk xvdb")
        run("xl block-detach g xvdb")
        run("xl network-attach g bridge=xenbr0 mac=00:16:3e:00:00:43")
        await set_address(console, "eth1", "10.0.0.4/24")
        await ping("10.0.0.4")
        run("xl network-detach g 1")
        await ping("10.0.0.2")
        run("xl destroy g")
        await dom.wait_gone()


async def ours_on_xls(xen: aioxen.Context) -> None:
    Path("/tmp/xl.cfg").write_text(config())
    run("xl create -q /tmp/xl.cfg")
    dom = await xen.domain_find("g")
    console = Console(dom.domid)
    assert "disk xvda: ok" in await console.expect("linux: ready")
    more = aioxen.DeviceDisk(pdev_path=image("more"), vdev="xvdb", format=aioxen.DiskFormat.RAW, readwrite=1)
    await dom.disk_add(more)
    assert "disk xvdb: ok" in await console.command("check-disk xvdb")
    assert "51728 0   " in run("xl block-list g")
    await dom.disk_remove(more)
    run(f"xl block-attach g file:{image('xls')} xvdc w")
    await dom.disk_remove(aioxen.DeviceDisk(vdev="xvdc", pdev_path="/tmp/xls"))
    nic = aioxen.DeviceNic(devid=1, bridge="xenbr0")
    await dom.nic_add(nic)
    await set_address(console, "eth1", "10.0.0.4/24")
    await ping("10.0.0.4")
    await dom.nic_remove(nic)
    console.close()
    await dom.destroy()


async def main() -> None:
    prepare()
    before = left()
    async with aioxen.Context() as xen:
        await {"ours": xl_on_ours, "xls": ours_on_xls}[sys.argv[1]](xen)
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
