# SPDX-License-Identifier: LGPL-2.1-or-later
"""driver.py MAKER DRIVER: a driver domain serves interfaces to a guest. Debian's `xl devd` runs in the
driver domain.

The guest's only way to dom0 is through the driver domain. MAKER makes both domains. DRIVER plugs and unplugs
interfaces. Each of the two is `ours` or `xl`.
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


async def served(server: Console, nodes: str, domid: str, number: int) -> None:
    """Waits until the driver domain has an interface of the guest in its bridge, and has connected it."""
    interface = f"/sys/class/net/xenbr0/brif/vif{domid}.{number}"
    await server.command(f"until [ -e {interface} ]; do usleep 100000; done")
    while run(f"xenstore-read {nodes}/vif/{domid}/{number}/state") != "4\n":
        await asyncio.sleep(0.1)


async def gone(server: Console, nodes: str, domid: str, number: int) -> None:
    """Waits until the driver domain's interface is gone. The interface's nodes must be gone already."""
    assert run(f"xenstore-ls {nodes}/vif/{domid}/{number}", check=False).startswith("xenstore-ls: ")
    await server.command(f"until [ ! -e /sys/class/net/vif{domid}.{number} ]; do usleep 100000; done")


async def main() -> None:
    prepare()
    run(f"cp build/guest/linux-driver-initramfs {RAMDISK}")
    # Without this command, dom0's bridge would take the address of its vif. The vif's peer in the driver
    # domain has the same address.
    run("ip link set xenbr0 address 02:00:00:00:00:01")
    before = left()
    net = text("net", "pv", "serve=eth0", 'vif = ["bridge=xenbr0"]', "driver_domain = 1", ramdisk=RAMDISK)
    vif = 'vif = ["bridge=xenbr0,backend=net,script=vif-quick"]'
    guest = text("g", "pv", "address=eth0=10.0.0.2/24", vif)
    async with aioxen.Context() as xen:
        maker, driver = tool(MAKER, xen), tool(DRIVER, xen)
        async with linux(maker, net) as (_, server, printed):
            assert "serving: ok" in printed
            nodes = f"/local/domain/{run('xl domid net').strip()}/backend"
            async with linux(maker, guest) as (_, console, _):
                domid = run("xl domid g").strip()
                await served(server, nodes, domid, 0)
                await ping("10.0.0.2")
                await console.command("ping -c 2 10.0.0.1")
                await driver.nic_add("g", MAC, "net")
                await served(server, nodes, domid, 1)
                await set_address(console, "eth1", "10.0.1.2/24")
                await ping("10.0.1.2")
                await driver.nic_remove("g", MAC)
                await gone(server, nodes, domid, 1)
                await ping("10.0.0.2")
                await driver.shutdown("g")
                await driver.destroy("g")
            await gone(server, nodes, domid, 0)
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
