# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest does random hostile acts in all nodes that it may write, during each operation.

The guest writes strange values, removes nodes, and changes the permissions of nodes. It also replaces nodes
by folders with up to 2,000 children. Each operation ends in time with a result that the IDL declares, and its
message can be printed. Nothing is left on the host. The memory of this process does not grow, and the logs
stay short.

AIOXEN_SEED=N chooses the acts. AIOXEN_HOSTILE_SECONDS=N is the duration of each test; the default is 0.4.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import DeviceDisk, DeviceNic, DeviceP9, DeviceVfb, DeviceVkb, DeviceVtpm, DiskBackend
from hostility import WITHOUT_END, bounded, hostile_guest, outcome
from worldly import Configure

SEED = int(os.environ.get("AIOXEN_SEED", "1"))
SECONDS = float(os.environ.get("AIOXEN_HOSTILE_SECONDS", "0.4"))


@pytest.fixture(autouse=True)
def _bounded(hypervisor: None, sim: Callable[..., str]) -> Iterator[None]:
    with bounded(f"seed {SEED}"):
        yield


def hostility(domid: int, seed: int) -> contextlib.AbstractContextManager[Callable[[], bool]]:
    """Makes the guest do random hostile acts until the end of the block."""
    return hostile_guest(domid, WITHOUT_END, seed)


@dataclass
class Plug:
    """A device, and the functions of a domain that add and remove the device."""

    name: str
    device: Any

    async def __call__(self, dom: aioxen.Domain) -> None:
        added = await outcome(getattr(dom, f"{self.name}_add")(self.device))
        asked = await outcome(getattr(dom, f"{self.name}_remove")(self.device, timeout=0.2))
        if not asked:
            return
        forced = await outcome(getattr(dom, f"{self.name}_destroy")(self.device))
        assert added or not forced or isinstance(forced, aioxen.NotFoundError), (added, asked, forced)


def devices(folder: Path) -> list[Plug]:
    for name in "a", "b":
        (folder / name).write_bytes(bytes(1 << 16))
    disk = DeviceDisk(vdev="xvda", pdev_path=str(folder / "a"), readwrite=1)
    image = DeviceDisk(vdev="xvdb", pdev_path=str(folder / "b"), backend=DiskBackend.QDISK)
    share = DeviceP9(tag="share", path=str(folder), devid=0)
    return [
        Plug("disk", disk),
        Plug("disk", image),
        Plug("nic", DeviceNic(devid=0)),
        Plug("p9", share),
        Plug("vfb", DeviceVfb(devid=0)),
        Plug("vkb", DeviceVkb(devid=0)),
        Plug("vtpm", DeviceVtpm(devid=0)),
    ]


@contextlib.asynccontextmanager
async def victim(
    xen: aioxen.Context, config: aioxen.DomainConfig, number: int
) -> AsyncIterator[aioxen.Domain]:
    """Creates a domain. The domain's guest is hostile until the end of the block."""
    print(f"seed {SEED}")
    dom = await xen.domain_create(config)
    await dom.unpause()
    with hostility(dom.domid, SEED * 1000 + number):
        try:
            yield dom
        finally:
            failed = await outcome(dom.destroy())
        assert not failed
    while xen.operations():  # removals that go on in the background
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", range(7))
async def test_plugging(xen: aioxen.Context, guest: Configure, tmp_path: Path, number: int) -> None:
    async with victim(xen, guest("b"), number) as dom:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            await devices(tmp_path)[number](dom)


async def test_plugging_all_at_once(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    async with victim(xen, guest("b"), 20) as dom:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            await asyncio.gather(*(plug(dom) for plug in devices(tmp_path)))


async def test_looking(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    config = guest("b", disks=[devices(tmp_path)[0].device], nics=[DeviceNic()])
    async with victim(xen, config, 21) as dom:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            assert not await outcome(dom.info())
            assert not await outcome(dom.name())
            assert not await outcome(xen.domain_find(config.c_info.name or ""))
            assert not await outcome(xen.domain_list())
            assert not await outcome(dom.configuration())
            assert not await outcome(dom.console_tty())
            assert not await outcome(dom.disk_list())
            assert not await outcome(dom.nic_list())
            assert not await outcome(dom.devices())
            assert not await outcome(dom.memory_target())
            assert not await outcome(dom.list_vcpus())
            assert not await outcome(xen.domain_statistics())
            await outcome(dom.wait_shutdown(timeout=0.01))
            await outcome(dom.wait_gone(timeout=0.01))


async def test_running(xen: aioxen.Context, guest: Configure) -> None:
    config = guest("l", vcpus=4)
    async with victim(xen, config, 22) as dom:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            await outcome(dom.set_memory(20 << 10, timeout=0.1))
            await outcome(dom.set_memory(24 << 10, timeout=0.1))
            await outcome(dom.set_vcpus_online({0, 1}, timeout=0.1))
            await outcome(dom.send_sysrq("h", timeout=0.1))
            assert not await outcome(dom.rename(f"{config.c_info.name}x"))
            assert not await outcome(dom.rename(config.c_info.name or ""))
            assert not await outcome(dom.pause())
            assert not await outcome(dom.unpause())


@pytest.mark.parametrize("order", ["shutdown", "reboot"])
async def test_stopping(xen: aioxen.Context, guest: Configure, order: str) -> None:
    end = time.monotonic() + SECONDS
    number = 30
    while time.monotonic() < end:
        number += 1
        async with victim(xen, guest("l"), number) as dom:
            await outcome(getattr(dom, order)(timeout=0.3))
            await outcome(dom.wait_shutdown(timeout=0.1))


async def test_a_whole_life(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    """The acts begin during the creation of a domain with devices, and end with the destruction of
    the domain."""
    plugs = devices(tmp_path)
    config = guest("b")
    config.disks, config.nics = [plugs[0].device, plugs[1].device], [plugs[2].device]
    config.p9s = [plugs[3].device]
    config.vfbs, config.vkbs, config.vtpms = [plugs[4].device], [plugs[5].device], [plugs[6].device]
    async with xen.domain_create(guest("b", name="first")) as first:
        number = first.domid
    end = time.monotonic() + SECONDS
    print(f"seed {SEED}")
    while time.monotonic() < end:
        number += 1
        with hostility(number, SEED * 1000 + number):
            created = asyncio.ensure_future(xen.domain_create(config))
            failed = await outcome(created)
            if failed:
                continue
            dom = created.result()
            assert dom.domid == number
            await outcome(dom.unpause())
            await asyncio.sleep(0.05)
            assert not await outcome(dom.destroy())
