# SPDX-License-Identifier: LGPL-2.1-or-later
"""USB controllers and devices of PV guests, by usbback and by QEMU, and of HVM guests, by their QEMU."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import DeviceUsbctrl, DomainBuildInfoHvm, DomainConfig, UsbctrlType
from worldly import Configure, read_node


def hvm() -> DomainConfig:
    config = DomainConfig()
    config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
    config.c_info.name = "hvm"
    config.b_info.max_memkb = config.b_info.target_memkb = 64 << 10
    config.b_info.u = DomainBuildInfoHvm()
    return config


@asynccontextmanager
async def running(xen: aioxen.Context, config: DomainConfig) -> AsyncIterator[aioxen.Domain]:
    dom = await xen.domain_create(config)
    try:
        await dom.unpause()
        yield dom
    finally:
        await dom.destroy()


async def plugged(dom: aioxen.Domain) -> set[str]:
    """Returns the names of QEMU's devices."""
    buses: Any = await dom.qmp("query-pci")
    return {each["qdev_id"] for each in buses[0]["devices"]}


async def test_controllers_of_a_pv_guest(xen: aioxen.Context, guest: Configure) -> None:
    async with running(xen, guest("b", machine="pv")) as dom:
        await dom.usbctrl_add(DeviceUsbctrl(ports=4))
        await dom.usbctrl_add(DeviceUsbctrl(type=UsbctrlType.QUSB, version=1))
        listed = await dom.usbctrl_list()
        assert [(each.devid, each.type, each.version, each.ports) for each in listed] == [
            (0, UsbctrlType.PV, 2, 4),
            (1, UsbctrlType.QUSB, 1, 8),
        ]
        assert [each.devid for each in (await dom.configuration()).usbctrls] == [0, 1]
        tree = f"/local/domain/0/backend/qusb/{dom.domid}/1"
        assert read_node(f"{tree}/port/8") == ""
        assert read_node(f"{tree}/port/9") is None
        await dom.usbctrl_remove(DeviceUsbctrl(devid=0))
        await dom.usbctrl_destroy(DeviceUsbctrl(devid=1))
        assert await dom.usbctrl_list() == []
        assert not (await dom.configuration()).usbctrls
        assert read_node(f"/libxl/{dom.domid}/device/vusb") is None


async def test_controllers_of_an_hvm_guest(xen: aioxen.Context) -> None:
    async with running(xen, hvm()) as dom:
        before = await plugged(dom)
        for version in 1, 2, 3:
            await dom.usbctrl_add(DeviceUsbctrl(version=version))
        listed = await dom.usbctrl_list()
        assert [(each.devid, each.version, each.ports) for each in listed] == [
            (0, 1, 2),
            (1, 2, 6),
            (2, 3, 8),
        ]
        assert {each.type for each in listed} == {UsbctrlType.DEVICEMODEL}
        assert await plugged(dom) - before == {"xenusb-0", "xenusb-1", "xenusb-2"}
        status = next(each for each in await dom.devices() if (each.kind, each.devid) == ("vusb", 2))
        assert (status.backend, status.frontend, status.backend_state) == ("", "", -1)
        await dom.usbctrl_remove(DeviceUsbctrl(devid=1))
        assert [each.devid for each in await dom.usbctrl_list()] == [0, 2]
        assert await plugged(dom) - before == {"xenusb-0", "xenusb-2"}
        with pytest.raises(aioxen.NotFoundError, match="has no vusb 1"):
            await dom.usbctrl_remove(DeviceUsbctrl(devid=1))


@pytest.mark.parametrize(
    ("controller", "words"),
    [
        (DeviceUsbctrl(version=3), "version: 3; a paravirtual controller has version 1 or 2"),
        (DeviceUsbctrl(ports=32), "ports: 32; a controller of this type and version has 1 to 31 ports"),
        (DeviceUsbctrl(type=UsbctrlType.DEVICEMODEL), "type: only an HVM domain has a device model"),
    ],
)
async def test_wrong_controllers_of_a_pv_guest(
    xen: aioxen.Context, guest: Configure, controller: DeviceUsbctrl, words: str
) -> None:
    async with running(xen, guest("b", machine="pv")) as dom:
        with pytest.raises(aioxen.InvalidError, match=words):
            await dom.usbctrl_add(controller)
        assert await dom.usbctrl_list() == []
        assert not (await dom.configuration()).usbctrls


@pytest.mark.parametrize(
    ("controller", "words"),
    [
        (DeviceUsbctrl(version=4), "version: 4 is not 1, 2 or 3"),
        (DeviceUsbctrl(version=2, ports=4), "ports: 4; a controller of version 2 has 6 ports"),
        (DeviceUsbctrl(version=3, ports=16), "ports: 16; a controller of this type and version has 1 to 15"),
    ],
)
async def test_wrong_controllers_of_an_hvm_guest(
    xen: aioxen.Context, controller: DeviceUsbctrl, words: str
) -> None:
    async with running(xen, hvm()) as dom:
        with pytest.raises(aioxen.InvalidError, match=words):
            await dom.usbctrl_add(controller)
        assert await dom.usbctrl_list() == []


async def test_a_kernel_without_usbback(xen: aioxen.Context, guest: Configure) -> None:
    driver = Path("/sys/bus/usb/drivers/usbback")
    driver.rename(driver.with_name("other"))
    try:
        async with running(xen, guest("b", machine="pv")) as dom:
            with pytest.raises(aioxen.NotSupportedError, match="type: this host's kernel has no usbback"):
                await dom.usbctrl_add(DeviceUsbctrl(type=UsbctrlType.PV))
            await dom.usbctrl_add(DeviceUsbctrl())
            assert [each.type for each in await dom.usbctrl_list()] == [UsbctrlType.QUSB]
    finally:
        driver.with_name("other").rename(driver)
