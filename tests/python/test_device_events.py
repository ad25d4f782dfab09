# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events of devices. The library reports devices that are connected, that fail, and that are gone. The
simulator plays the drivers."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from aioxen import DeviceConnected, DeviceFailed, DeviceGone
from limits import scaled
from worldly import ROOT, Configure, remove_node, write_node

pytestmark = pytest.mark.skipif("AIOXEN_SIM_DIR" not in os.environ, reason="the simulator plays the drivers")

XVDA, XVDB = 51712, 51728
COUNT = 300
LOOP_CLR_FD = 0x4C01  # linux/loop.h


@pytest.fixture
def image(tmp_path: Path, sim: Callable[..., str]) -> Iterator[str]:
    """The path of a disk's image.

    A restarted xenstored has forgotten which loop device belongs to a disk, so a destruction does not release
    it. The fixture does that at the end.
    """
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 20))
    yield str(path)
    for line in sim("loops").splitlines():
        number, _, file = line.split(" ", 2)
        if file == str(path):
            with open(f"/dev/loop{number}") as loop:
                fcntl.ioctl(loop, LOOP_CLR_FD)


def disk_of(path: str, vdev: str = "xvda") -> aioxen.DeviceDisk:
    return aioxen.DeviceDisk(pdev_path=path, vdev=vdev)


async def named(xen: aioxen.Context, config: aioxen.DomainConfig, name: str) -> aioxen.Domain:
    config.c_info.name = name
    dom = await xen.domain_create(config)
    await dom.unpause()
    return dom


async def control(*command: str) -> None:
    process = await asyncio.create_subprocess_exec("aioxen-sim-ctl", *command)
    assert await process.wait() == 0


async def answers(xen: aioxen.Context) -> bool:
    try:
        await xen.domain_find("Domain-0")
    except aioxen.NoXenstoreError:
        await asyncio.sleep(0.01)
        return False
    return True


async def next_of(events: aioxen.Events[aioxen.Event]) -> aioxen.Event | aioxen.EventsLost:
    return await asyncio.wait_for(anext(events), scaled(10))


async def next_device(events: aioxen.Events[aioxen.Event]) -> tuple[type, str, int]:
    event = await next_of(events)
    assert isinstance(event, DeviceConnected | DeviceFailed | DeviceGone)
    return type(event), event.kind, event.devid


@pytest.mark.parametrize("all_domains", [False, True])
async def test_a_disk_comes_and_goes(
    xen: aioxen.Context, guest: Configure, image: str, all_domains: bool
) -> None:
    config = guest("b")
    config.disks = [disk_of(image)]
    dom = await xen.domain_create(config)
    async with xen.device_events(None if all_domains else dom) as events:
        await dom.unpause()
        event = await next_of(events)
        assert isinstance(event, DeviceConnected)
        assert (event.domid, event.uuid, event.kind, event.devid) == (dom.domid, dom.uuid, "vbd", XVDA)
        assert event.backend_domid == 0
        await dom.disk_add(disk_of(image, "xvdb"))
        assert await next_device(events) == (DeviceConnected, "vbd", XVDB)
        # This generator first reports the devices that exist already.
        async with xen.device_events(dom) as later:
            assert {await next_device(later), await next_device(later)} == {
                (DeviceConnected, "vbd", XVDA), (DeviceConnected, "vbd", XVDB),
            }  # fmt: skip
        await dom.disk_remove(disk_of(image))
        assert await next_device(events) == (DeviceGone, "vbd", XVDA)
        await dom.destroy()
        assert await next_device(events) == (DeviceGone, "vbd", XVDB)


async def test_a_failure_has_the_drivers_words(xen: aioxen.Context, guest: Configure, image: str) -> None:
    dom = await xen.domain_create(guest("b frontend=mute"))
    await dom.unpause()
    async with xen.device_events(dom) as events:
        await dom.disk_add(disk_of(image))
        await control("frontend", str(dom.domid), "error=12 no\x1brings")
        event = await next_of(events)
        assert isinstance(event, DeviceFailed)
        assert (event.kind, event.devid) == ("vbd", XVDA)
        assert event.message == r"the guest's driver says: 12 no\x1brings"
        error = f"/local/domain/0/error/backend/vbd/{dom.domid}/{XVDA}/error"
        await dom.disk_destroy(disk_of(image))
        assert await next_device(events) == (DeviceGone, "vbd", XVDA)
        await control("frontend", str(dom.domid), "plays")
        await dom.disk_add(disk_of(image))
        assert await next_device(events) == (DeviceConnected, "vbd", XVDA)
        write_node(error, "x" * 3000)  # A driver may write up to 4,096 octets.
        event = await next_of(events)
        assert isinstance(event, DeviceFailed)
        assert event.message == "the backend says: " + "x" * 400
        await dom.destroy()
        assert await next_device(events) == (DeviceGone, "vbd", XVDA)


async def test_the_end_of_a_driver_domain_is_a_failure(xen: aioxen.Context, guest: Configure) -> None:
    server = await named(xen, guest("b driver"), "server")
    dom = await named(xen, guest("b"), "guest")
    async with xen.device_events(dom) as events:
        await dom.nic_add(aioxen.DeviceNic(devid=0, backend_domid=server.domid))
        assert await next_device(events) == (DeviceConnected, "vif", 0)
        await server.destroy()
        event = await next_of(events)
        assert isinstance(event, DeviceFailed)
        assert event.backend_domid == server.domid
        await dom.destroy()
        assert await next_device(events) == (DeviceGone, "vif", 0)


async def test_a_loss_is_reported(xen: aioxen.Context, guest: Configure, image: str) -> None:
    """xenstored is started anew without any nodes. So the device is gone."""
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    async with xen.device_events() as events:
        await dom.disk_add(disk_of(image))
        assert await next_device(events) == (DeviceConnected, "vbd", XVDA)
        await control("xenstored", "kill")
        await control("xenstored", "start")
        assert isinstance(await next_of(events), aioxen.EventsLost)
        assert await next_device(events) == (DeviceGone, "vbd", XVDA)
        await dom.destroy()


async def test_a_domain_that_ends_without_xenstored(
    xen: aioxen.Context, guest: Configure, image: str
) -> None:
    """The device is read when its domain ends. Without xenstored the read fails. The generator continues."""
    config = guest("b")
    config.disks = [disk_of(image)]
    dom = await xen.domain_create(config)
    async with xen.device_events() as events:
        await dom.unpause()
        assert await next_device(events) == (DeviceConnected, "vbd", XVDA)
        await control("xenstored", "kill")
        await control("xenconsoled", "kill")  # it would not notice the end of the guest without xenstored
        # Requests wait a second for a new connection. Then they fail.
        with pytest.raises(aioxen.NoXenstoreError):
            await dom.destroy()
        assert dom.domid not in {info.domid for info in await xen.domain_list()}
        await control("xenstored", "start")
        assert isinstance(await next_of(events), aioxen.EventsLost)
        assert await next_device(events) == (DeviceGone, "vbd", XVDA)
    while xen.counters().timers:  # the timers of the destruction and of the domain
        await asyncio.sleep(0.01)


async def test_a_generator_enabled_before_xenstored_answers(guest: Configure, image: str) -> None:
    """The first answer of xenstored is not reported as a loss of events. After this answer the generator
    reports the devices."""
    await control("xenstored", "stop")
    async with aioxen.Context() as xen, xen.device_events() as events:
        with pytest.raises(aioxen.NoXenstoreError):  # By now the generator's own listing has failed, too.
            await xen.domain_find("Domain-0")
        await control("xenstored", "cont")
        while not await answers(xen):
            pass
        dom = await named(xen, guest("b"), "guest")
        await dom.disk_add(disk_of(image))
        assert await next_device(events) == (DeviceConnected, "vbd", XVDA)
        await dom.destroy()


async def test_nothing_is_missed_under_load(xen: aioxen.Context, guest: Configure, image: str) -> None:
    """Disks of three guests are plugged and unplugged 300 times. Each disk gives one event when it is
    connected, and one event when it is gone."""
    doms = [await named(xen, guest("b"), f"guest{i}") for i in range(3)]

    async def plug(dom: aioxen.Domain) -> None:
        for _ in range(COUNT // len(doms)):
            await dom.disk_add(disk_of(image))
            await dom.device_wait_connected("vbd", XVDA)
            await dom.disk_remove(disk_of(image))

    async with xen.device_events() as events, asyncio.TaskGroup() as group:
        for dom in doms:
            group.create_task(plug(dom))
        seen: dict[int, list[type]] = {dom.domid: [] for dom in doms}
        for _ in range(2 * COUNT):
            event = await next_of(events)
            assert isinstance(event, DeviceConnected | DeviceGone)
            seen[event.domid].append(type(event))
    assert all(types == [DeviceConnected, DeviceGone] * (COUNT // len(doms)) for types in seen.values())
    for dom in doms:
        await dom.destroy()


CHANNELS = """
name = "channels"
type = "pv"
kernel = "{kernel}"
memory = 24
extra = "b"
disk = ["{image},raw,xvda,w"]
channel = ["connection=pty,name=org.first", "connection=pty,name=org.second"]
"""


async def test_the_end_of_a_channel_is_no_failure(xen: aioxen.Context, image: str) -> None:
    """The backend of a channel has no node `state`, and no toolstack asks it to close before its nodes are
    removed. The generator reports that the device is gone, and no failure."""
    config = aioxen.loads(CHANNELS.format(kernel=ROOT / "build/guest/tiny", image=image))
    for _ in range(4):
        dom = await xen.domain_create(config)
        await dom.unpause()
        seen = []
        async with xen.device_events() as events:
            while (DeviceConnected, "vbd", XVDA) not in seen:
                seen.append(await next_device(events))
            await dom.destroy()
            while sum(event is DeviceGone for event, _, _ in seen) < 3:
                seen.append(await next_device(events))
        assert DeviceFailed not in {event for event, _, _ in seen}


async def test_a_refused_listing_is_tried_again(xen: aioxen.Context, guest: Configure, image: str) -> None:
    """After a loss of events the generator lists the domains. If the hypervisor refuses the list, the
    generator tries again."""
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    async with xen.device_events() as events:
        await dom.disk_add(disk_of(image))
        assert await next_device(events) == (DeviceConnected, "vbd", XVDA)
        await control("xenstored", "kill")
        await control("fault", "add", "--pid", str(os.getpid()), "sysctl.getdomaininfolist:*:EAGAIN")
        await control("xenstored", "start")
        assert isinstance(await next_of(events), aioxen.EventsLost)
        await control("fault", "clear")
        assert await next_device(events) == (DeviceGone, "vbd", XVDA)
        await dom.destroy()


class Plain:
    """The nodes of devices of a kind that no driver serves. The test adds and removes them."""

    def __init__(self, dom: aioxen.Domain) -> None:
        self.toolstack = f"/libxl/{dom.domid}/device/plain"
        self.backend = f"/local/domain/0/backend/plain/{dom.domid}"

    def add(self, devid: int) -> None:
        write_node(f"{self.toolstack}/{devid}/backend", f"{self.backend}/{devid}")

    def remove(self, devid: int) -> None:
        remove_node(f"{self.toolstack}/{devid}")


async def test_devices_that_are_removed_and_added_again(xen: aioxen.Context, guest: Configure) -> None:
    """A device may be added again while the nodes of the removed one are read. The last event of each round
    is that the device is connected."""
    dom = await xen.domain_create(guest("b"))
    devids, barrier, rounds = range(8), 99, 60
    plain = Plain(dom)
    for devid in [*devids, barrier]:
        write_node(f"{plain.backend}/{devid}/state", "4")

    def renew(delay: float) -> None:
        for devid in devids:
            plain.remove(devid)
            time.sleep(delay)
            plain.add(devid)
        plain.add(barrier)

    async with xen.device_events(dom, capacity=10000) as events:
        for devid in devids:
            plain.add(devid)
        last: dict[int, type] = {}

        async def until(awaited: tuple[type, str, int]) -> None:
            seen = None
            while seen != awaited:
                seen = await next_device(events)
                last[seen[2]] = seen[0]

        for i in range(rounds):
            await asyncio.to_thread(renew, i * 1e-5)
            await until((DeviceConnected, "plain", barrier))
            plain.remove(barrier)
            await until((DeviceGone, "plain", barrier))
            assert last.pop(barrier) is DeviceGone
            assert last == dict.fromkeys(devids, DeviceConnected)
        for devid in devids:
            plain.remove(devid)
    remove_node("/local/domain/0/backend/plain")
    await dom.destroy()


async def test_a_domain_that_does_not_exist(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.DomainNotFoundError, match="there is no domain 28672"):
        xen.device_events(0x7000)
