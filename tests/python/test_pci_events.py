# SPDX-License-Identifier: LGPL-2.1-or-later
"""PCI devices in the lists of devices, in the events of devices, and in the stored configuration."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aioxen
import pytest
from aioxen import DeviceConnected, DeviceGone, DevicePci
from limits import scaled
from worldly import Configure

FIRST, SECOND = (DevicePci(bus=bus, vfunc_mask=1, seize=True) for bus in (1, 2))


@asynccontextmanager
async def running(xen: aioxen.Context, guest: Configure) -> AsyncIterator[aioxen.Domain]:
    """Makes a guest that can have PCI devices. Then destroys it, and gives the devices back."""
    config = guest("b", machine="pv")
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    dom = await xen.domain_create(config)
    try:
        await dom.unpause()
        yield dom
    finally:
        with suppress(aioxen.DomainGoneError):
            await dom.destroy()
        for device in await xen.pci_assignable():
            await xen.pci_assignable_remove(device, True)


async def next_event(events: aioxen.Events[aioxen.Event]) -> tuple[type, str, int]:
    event = await asyncio.wait_for(anext(events), scaled(10))
    assert isinstance(event, DeviceConnected | DeviceGone)
    return type(event), event.kind, event.devid


@pytest.mark.parametrize("all_domains", [False, True])
async def test_the_devices_come_and_go(xen: aioxen.Context, guest: Configure, all_domains: bool) -> None:
    async with running(xen, guest) as dom:
        async with xen.device_events(None if all_domains else dom) as events:
            await dom.pci_add(FIRST)
            assert await next_event(events) == (DeviceConnected, "pci", 0)
            await dom.pci_remove(FIRST)
            assert await next_event(events) == (DeviceGone, "pci", 0)
            await dom.pci_add(SECOND)
            assert await next_event(events) == (DeviceConnected, "pci", 0)
        async with xen.device_events(dom) as later:  # reports the devices that exist already
            assert await next_event(later) == (DeviceConnected, "pci", 0)
            await dom.destroy()
            assert await next_event(later) == (DeviceGone, "pci", 0)


async def test_the_list_of_devices_has_them(xen: aioxen.Context, guest: Configure) -> None:
    async with running(xen, guest) as dom, xen.device_events(dom) as events:
        await dom.pci_add(FIRST)
        assert await next_event(events) == (DeviceConnected, "pci", 0)
        (status,) = [each for each in await dom.devices() if each.kind == "pci"]
        assert (status.devid, status.backend_domid) == (0, 0)
        assert status.backend_state == 4
        assert status.backend == f"/local/domain/0/backend/pci/{dom.domid}/0"
        assert status.frontend == f"/local/domain/{dom.domid}/device/pci/0"
        await dom.pci_remove(FIRST)
        assert not [each for each in await dom.devices() if each.kind == "pci"]


async def test_the_configuration_has_the_devices_that_the_domain_has(
    xen: aioxen.Context, guest: Configure
) -> None:
    async with running(xen, guest) as dom:
        await dom.pci_add(FIRST)
        stored = Path(f"/var/lib/xen/userdata-d.{dom.domid}.{dom.uuid}.libxl-json")
        config = json.loads(stored.read_bytes().rstrip(b"\0"))
        # The domain does not have the first two. The third means all functions of a device that it has. The
        # last one has no address.
        config["pcidevs"] += [
            {"bus": 2, "vfunc_mask": 1},
            {"bus": 1, "func": 1, "vfunc_mask": 1},
            {"bus": 1, "func": 7, "vfunc_mask": 0xFFFFFFFF},
            {"name": "card"},
        ]
        stored.write_bytes(json.dumps(config).encode() + b"\0")
        kept = [(pci.bus, pci.func, pci.vfunc_mask, pci.name) for pci in (await dom.configuration()).pcidevs]
        assert kept == [(1, 0, 1, None), (1, 7, 0xFFFFFFFF, None), (0, 0, 0, "card")]
