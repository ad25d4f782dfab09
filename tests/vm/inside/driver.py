# SPDX-License-Identifier: LGPL-2.1-or-later
"""driver.py MAKER DRIVER: a driver domain, in which Debian's `xl devd` runs, serves interfaces to a guest.

The guest's only way to dom0 is through the driver domain. MAKER (`ours` or `xl`) makes both, DRIVER plugs and
unplugs.
"""

from __future__ import annotations

import asyncio
import sys

import aioxen
from linux import Console, left, linux, ping, prepare, run, set_address, text
from toolstacks import tool

MAKER, DRIVER = sys.argv[1:]
RAMDISK = "/tmp/linux-driver-initramfs"
MAC = "00:16:3e:00:00:42"


async def has_interface(server: Console, name: str, there: bool) -> None:
    """Waits until the driver domain has the interface in its bridge, or has it no more."""
    wanted = "" if there else "! "
    await server.command(f"until [ {wanted}-e /sys/class/net/xenbr0/brif/{name} ]; do usleep 100000; done")


async def main() -> None:
    prepare()
    run(f"cp build/guest/linux-driver-initramfs {RAMDISK}")
    before = left()
    net = text("net", "pv", "serve=eth0", 'vif = ["bridge=xenbr0"]', "driver_domain = 1", ramdisk=RAMDISK)
    served = 'vif = ["bridge=xenbr0,backend=net,script=vif-quick"]'
    guest = text("g", "pv", "address=eth0=10.0.0.2/24", served)
    async with aioxen.Context() as xen:
        maker, driver = tool(MAKER, xen), tool(DRIVER, xen)
        async with linux(maker, net) as (_, server, printed):
            assert "serving: ok" in printed
            backend = f"/local/domain/{run('xl domid net').strip()}/backend"
            async with linux(maker, guest) as (_, console, _):
                domid = run("xl domid g").strip()
                await has_interface(server, f"vif{domid}.0", True)
                await ping("10.0.0.2")
                await console.command("ping -c 2 10.0.0.1")
                await driver.nic_add("g", MAC, "net")
                await set_address(console, "eth1", "10.0.1.2/24")
                await ping("10.0.1.2")
                await driver.nic_remove("g", MAC)
                await has_interface(server, f"vif{domid}.1", False)
                await ping("10.0.0.2")
                await driver.shutdown("g")
                await driver.destroy("g")
            await has_interface(server, f"vif{domid}.0", False)
            assert run(f"xenstore-ls -f {backend} | grep /{domid}/", check=False) == ""
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
