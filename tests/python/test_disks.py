# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks are added to running guests and removed. xl works on disks of this library, and this library on disks
of xl.

The simulator plays the drivers. The tests compare the nodes that xl and this library write for the same disk.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import aioxen
import pytest
from limits import scaled
from worldly import ROOT, Configure, write_node

pytestmark = pytest.mark.skipif("AIOXEN_SIM_DIR" not in os.environ, reason="the simulator plays the drivers")

# The nodes that only xl or only this library writes. This library does not run xl's script. docs/libxl.md has
# the reasons.
DIFFERENT = re.compile(r"/(physical-device-path|node|physical-device|hotplug-status|feature-[a-z-]*) = ")


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=scaled(60)).stdout


async def shell(*command: str) -> str:
    return await asyncio.to_thread(run, *command)


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 20))
    return str(path)


def disk_of(path: str, **more: object) -> aioxen.DeviceDisk:
    return aioxen.DeviceDisk(pdev_path=path, vdev="xvda", **more)  # type: ignore[arg-type]


async def nodes() -> set[str]:
    """Returns the lines of xenstore-ls -fp about disks. Only one guest has disks."""
    lines = (await shell("xenstore-ls", "-fp")).splitlines()
    return {line for line in lines if re.search(r"/vbd\b", line) and not DIFFERENT.search(line)}


async def test_a_disk_is_plugged_and_unplugged(xen: aioxen.Context, guest: Configure, image: str) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    disk = disk_of(image, readwrite=1)
    await dom.disk_add(disk)
    (listed,) = await dom.disk_list()
    assert (listed.vdev, listed.pdev_path, listed.readwrite) == ("xvda", image, 1)
    assert [device.kind for device in await dom.devices()].count("vbd") == 1
    with pytest.raises(aioxen.DeviceExistsError):
        await dom.disk_add(disk)
    await dom.disk_remove(disk)
    assert await dom.disk_list() == []
    with pytest.raises(aioxen.NotFoundError):
        await dom.disk_remove(disk)
    await dom.destroy()


async def test_a_connection_is_waited_for(xen: aioxen.Context, guest: Configure, image: str) -> None:
    dom = await xen.domain_create(guest("b frontend=mute"))
    await dom.disk_add(disk_of(image))
    with pytest.raises(aioxen.GuestCannotAnswerError, match="paused"):
        await dom.device_wait_connected("vbd", 51712)
    await dom.unpause()
    waiting = dom.device_wait_connected("vbd", 51712)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await shell("aioxen-sim-ctl", "frontend", str(dom.domid), "plays")
    await waiting
    states = [(d.backend_state, d.frontend_state) for d in await dom.devices() if d.kind == "vbd"]
    assert states == [(4, 4)]
    await dom.disk_remove(disk_of(image))
    with pytest.raises(aioxen.NotFoundError):
        await dom.device_wait_connected("vbd", 51712)
    await shell("aioxen-sim-ctl", "frontend", str(dom.domid), "mute")
    await dom.disk_add(disk_of(image))
    await shell("aioxen-sim-ctl", "frontend", str(dom.domid), "error=12 no rings")
    with pytest.raises(aioxen.DeviceError, match="the guest's driver says: 12 no rings"):
        await dom.device_wait_connected("vbd", 51712)
    await dom.destroy()


async def test_an_error_names_the_disk(xen: aioxen.Context, guest: Configure, image: str) -> None:
    config = guest("b")
    config.disks = [disk_of(image), disk_of(image + ".missing")]
    config.disks[1].vdev = "xvdb"
    with pytest.raises(aioxen.Error, match=r"disks\[1\]: pdev_path: .*missing"):
        await xen.domain_create(config)
    assert await nodes() == set()


@pytest.mark.parametrize("access", ["r", "w"])
async def test_both_write_the_same_nodes(
    xen: aioxen.Context, guest: Configure, image: str, access: str
) -> None:
    # The domain stays paused, so the states of its disks do not change.
    dom = await xen.domain_create(guest("b"))
    await shell("xl", "block-attach", str(dom.domid), f"{image},raw,xvda,{access}")
    theirs = await nodes()
    await dom.disk_destroy(disk_of(image))
    assert await nodes() == set()
    await dom.disk_add(disk_of(image, readwrite=int(access == "w")))
    assert await nodes() == theirs
    assert len(theirs) > 35
    await dom.destroy()


async def test_xl_works_on_our_disks(xen: aioxen.Context, guest: Configure, image: str) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    await dom.disk_add(disk_of(image))
    assert "51712" in await shell("xl", "block-list", str(dom.domid))
    await dom.device_wait_connected("vbd", 51712)  # xl does not wait until the disk is connected.
    await shell("xl", "block-detach", str(dom.domid), "xvda")
    assert await dom.disk_list() == []
    assert await nodes() == set()
    await dom.disk_add(disk_of(image))
    await shell("xl", "destroy", str(dom.domid))
    await dom.wait_gone()
    assert await nodes() == set()


async def test_we_work_on_xls_disks(xen: aioxen.Context, guest: Configure, image: str) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    await shell("xl", "block-attach", str(dom.domid), f"{image},raw,xvda,w")
    (listed,) = await dom.disk_list()
    assert (listed.vdev, listed.pdev_path, listed.readwrite) == ("xvda", image, 1)
    await dom.disk_remove(listed)
    assert await nodes() == set()
    await shell("xl", "block-attach", str(dom.domid), f"{image},raw,xvda,w")
    await dom.destroy()
    assert await nodes() == set()
    assert await shell("aioxen-sim-ctl", "loops") == ""


async def test_the_example(xen: aioxen.Context, guest: Configure, image: str) -> None:
    config = guest("b")
    dom = await xen.domain_create(config)
    await dom.unpause()
    told = await shell(sys.executable, str(ROOT / "examples/disks.py"), str(config.c_info.name), image)
    assert told.splitlines() == ["xvdz: plugged", "xvdz: connected", "xvdz: unplugged"]
    await dom.destroy()


async def test_a_list_longer_than_a_message_of_xenstored(
    xen: aioxen.Context, guest: Configure, nothing_left: None
) -> None:
    """The library lists and destroys 1,000 network interfaces. Another program has written the nodes of
    these interfaces."""
    dom = await xen.domain_create(guest("b"))
    before = len(await dom.devices())
    # The names have 6,000 octets. They do not fit into one message of xenstored.
    for number in range(10000, 11000):
        backend = f"/local/domain/0/backend/vif/{dom.domid}/{number}"
        write_node(f"/libxl/{dom.domid}/device/vif/{number}/backend", backend)
    listed = [device.devid for device in await dom.devices() if device.kind == "vif"]
    assert sorted(listed) == list(range(10000, 11000))
    await dom.nic_add(aioxen.DeviceNic())
    await dom.nic_add(aioxen.DeviceNic())
    assert len(await dom.devices()) == before + 1002
    assert [nic.devid for nic in (await dom.configuration()).nics] == [11000, 11001]
    await shell("xenstore-rm", f"/libxl/{dom.domid}/device/vif/11000")
    assert [nic.devid for nic in (await dom.configuration()).nics] == [11001]
    await dom.destroy()
    assert "vif" not in await shell("xenstore-ls", "-f", "/libxl")
    # The destruction has not found one of the devices, because the test has removed its node below /libxl.
    await shell("xenstore-rm", "/local/domain/0/backend")


async def test_the_drives_of_cds_are_those_of_xl(
    xen: aioxen.Context, guest: Configure, image: str, tmp_path: Path
) -> None:
    """One drive is empty, and the other one has a medium. In a PV guest, the library cannot change the
    medium of a drive."""

    def told(listed: set[str], domid: int) -> set[str]:
        # QEMU changes the state of an empty drive later. A creation does not wait for that.
        changing = r"/(sector|info|physical)|/qdisk/.*/state"
        lines = {line for line in listed if not re.search(changing, line)}
        return {re.sub(rf"\b([nr]?){domid}\b", r"\1N", line) for line in lines}

    text = (
        f'name="drives"\ntype="pv"\nkernel="{ROOT}/build/guest/tiny"\nmemory=24\nextra="b"\n'
        f'disk=["vdev=xvdc,access=ro,devtype=cdrom", "{image},raw,xvdd:cdrom,r"]\n'
    )
    path = tmp_path / "cfg"
    path.write_text(text)

    async def all_nodes(domid: int) -> set[str]:
        lines = (await shell("xenstore-ls", "-fp")).splitlines()
        found = {line for line in lines if re.search(r"/(vbd|qdisk)\b", line) and not DIFFERENT.search(line)}
        return told(found, domid)

    await shell("xl", "create", "-pq", str(path))
    theirs = await all_nodes(int(await shell("xl", "domid", "drives")))
    await (await xen.domain_find("drives")).destroy()
    dom = await xen.domain_create(aioxen.loads(text))
    assert await all_nodes(dom.domid) == theirs
    assert len(theirs) > 60
    drives = {disk.vdev: disk for disk in await dom.disk_list()}
    assert drives["xvdc"].format == aioxen.DiskFormat.EMPTY
    assert [(drive.is_cdrom, drive.pdev_path or None) for drive in drives.values()] == [(1, None), (1, image)]
    await dom.disk_add(aioxen.DeviceDisk(vdev="xvde", is_cdrom=1, removable=1))
    assert len(await dom.disk_list()) == 3
    await dom.destroy()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"is_cdrom": 1, "readwrite": 1}, "readwrite: the medium of a CD is read only"),
        ({"format": aioxen.DiskFormat.EMPTY}, "format: only the drive of a CD can be empty"),
        ({}, "pdev_path: missing"),
    ],
)
async def test_wrong_drives(
    xen: aioxen.Context, guest: Configure, fields: dict[str, object], words: str
) -> None:
    dom = await xen.domain_create(guest("b"))
    with pytest.raises(aioxen.InvalidError, match=words):
        await dom.disk_add(aioxen.DeviceDisk(vdev="xvda", **fields))  # type: ignore[arg-type]
    await dom.destroy()
