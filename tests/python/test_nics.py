# SPDX-License-Identifier: LGPL-2.1-or-later
"""This library and Debian's xl write the same nodes for an interface. Each of the two can remove
interfaces that the other has added."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Callable

import aioxen
import pytest
from limits import scaled
from worldly import Configure, read_node

pytestmark = pytest.mark.skipif(
    "AIOXEN_SIM_DIR" not in os.environ, reason="needs the simulator's bridge and backends"
)

MAC = "00:16:3e:01:02:03"
OURS = 20  # The number of the interface that this library adds.
Xl = Callable[..., str]

VARIANTS: list[tuple[list[str], dict[str, object]]] = [
    ([], {}),
    (["bridge=xenbr0", "mtu=1400"], {"bridge": "xenbr0", "mtu": 1400}),
    (["rate=10Mb/s"], {"rate_bytes_per_interval": 62500, "rate_interval_usecs": 50000}),
    (["rate=10MB/s@20ms"], {"rate_bytes_per_interval": 200000, "rate_interval_usecs": 20000}),
    (["ip=10.0.0.1 10.0.0.2", "model=e1000"], {"ip": "10.0.0.1 10.0.0.2", "model": "e1000"}),
    (["script=vif-route", "gatewaydev=eth0"], {"script": "vif-route", "gatewaydev": "eth0"}),
    (["script=/etc/xen/scripts/vif-nat", "type=vif"], {"script": "/etc/xen/scripts/vif-nat"}),
]


async def running(xen: aioxen.Context, guest: Configure, command_line: str = "b") -> aioxen.Domain:
    dom = await xen.domain_create(guest(command_line))
    await dom.unpause()
    return dom


async def connected(domid: int, devid: int) -> None:
    async with asyncio.timeout(scaled(20)):
        while read_node(f"/local/domain/0/backend/vif/{domid}/{devid}/state") != "4":
            await asyncio.sleep(0.01)


def nodes(domid: int, devid: int) -> set[str]:
    """Returns the three trees of an interface with values and permissions. N stands for the
    interface's number."""
    lines = set()
    listed = subprocess.run(["xenstore-ls", "-fp"], capture_output=True, text=True, check=True).stdout
    folders = f"/local/domain/0/backend/vif/{domid}|(/local/domain|/libxl)/{domid}/device/vif"
    place = rf"^({folders})/{devid}\b"
    for line in listed.splitlines():
        if re.match(place, line):
            line = re.sub(rf"(vif(/{domid})?)/{devid}\b", r"\1/N", line)
            lines.add(re.sub(rf'handle = "{devid}"', 'handle = "N"', line))
    return lines


@pytest.mark.parametrize(("arguments", "fields"), VARIANTS)
async def test_the_nodes_are_those_of_xl(
    xen: aioxen.Context, guest: Configure, xl: Xl, arguments: list[str], fields: dict[str, object]
) -> None:
    dom = await running(xen, guest)
    xl("network-attach", str(dom.domid), "devid=1", f"mac={MAC}", *arguments)
    nic = aioxen.DeviceNic(devid=OURS, mac=bytes.fromhex(MAC.replace(":", "")), **fields)  # type: ignore[arg-type]
    await dom.nic_add(nic)
    await connected(dom.domid, 1)
    await connected(dom.domid, OURS)
    assert nodes(dom.domid, 1) == nodes(dom.domid, OURS)
    await dom.destroy()


async def test_each_removes_what_the_other_has_added(xen: aioxen.Context, guest: Configure, xl: Xl) -> None:
    dom = await running(xen, guest)
    await dom.nic_add(aioxen.DeviceNic(devid=2, mac=bytes.fromhex(MAC.replace(":", ""))))
    xl("network-attach", str(dom.domid), "devid=3")
    await connected(dom.domid, 2)
    await connected(dom.domid, 3)
    listed = [line.split()[:3] for line in xl("network-list", str(dom.domid)).splitlines()[1:]]
    assert [row[0] for row in listed] == ["2", "3"]
    assert listed[0][2] == MAC
    xl("network-detach", str(dom.domid), "2")
    assert not nodes(dom.domid, 2)
    await dom.nic_remove(aioxen.DeviceNic(devid=3))
    assert not nodes(dom.domid, 3)
    await dom.destroy()


async def test_a_creation_stores_the_number_and_the_address(
    xen: aioxen.Context, guest: Configure, xl: Xl
) -> None:
    config = guest("b")
    config.nics = [aioxen.DeviceNic(), aioxen.DeviceNic(devid=4), aioxen.DeviceNic()]
    config.vtpms = [aioxen.DeviceVtpm()]
    dom = await xen.domain_create(config)
    now = await dom.configuration()
    assert [nic.devid for nic in now.nics] == [5, 4, 6]
    listed = {nic.devid: nic for nic in await dom.nic_list()}
    assert {nic.devid: nic.mac for nic in now.nics} == {devid: nic.mac for devid, nic in listed.items()}
    assert len({nic.mac for nic in now.nics}) == 3
    (vtpm,) = now.vtpms
    assert vtpm.devid == 0
    assert vtpm.uuid == (await dom.vtpm_list())[0].uuid
    rows = [line.split()[:3] for line in xl("network-list", str(dom.domid)).splitlines()[1:]]
    assert sorted(row[0] for row in rows) == ["4", "5", "6"]
    (theirs,) = json.loads(xl("list", "-l", str(dom.domid)))
    assert [nic["devid"] for nic in theirs["config"]["nics"]] == [5, 4, 6]
    assert [nic["mac"] for nic in theirs["config"]["nics"]] == [nic.mac.hex(":") for nic in now.nics]
    await dom.destroy()


async def test_wrong_interfaces(xen: aioxen.Context, guest: Configure) -> None:
    dom = await running(xen, guest)
    with pytest.raises(aioxen.InvalidError, match="bridge: no-bridge: No such device"):
        await dom.nic_add(aioxen.DeviceNic(bridge="no-bridge"))
    with pytest.raises(aioxen.ScriptError, match="script: /nonexistent: No such file"):
        await dom.nic_add(aioxen.DeviceNic(script="/nonexistent"))
    with pytest.raises(aioxen.NotFoundError):
        await dom.nic_remove(aioxen.DeviceNic(devid=7))
    await dom.destroy()


async def test_many_at_once(xen: aioxen.Context, guest: Configure) -> None:
    dom = await running(xen, guest)
    await asyncio.gather(*(dom.nic_add(aioxen.DeviceNic(devid=-1)) for _ in range(20)))
    numbers = {devid for devid in range(30) if nodes(dom.domid, devid)}
    assert numbers == set(range(20))
    await asyncio.gather(*(dom.nic_destroy(aioxen.DeviceNic(devid=devid)) for devid in numbers))
    assert not any(nodes(dom.domid, devid) for devid in numbers)
    await dom.destroy()


async def test_a_cancelled_addition_leaves_nothing(xen: aioxen.Context, guest: Configure, sim: Xl) -> None:
    dom = await running(xen, guest)
    sim("backend", str(dom.domid), "mute")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(dom.nic_add(aioxen.DeviceNic(devid=1)), 0.1)
    assert not nodes(dom.domid, 1)
    sim("backend", str(dom.domid), "plays")
    await dom.destroy()
