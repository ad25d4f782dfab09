# SPDX-License-Identifier: LGPL-2.1-or-later
"""USB controllers and devices of PV guests, by usbback and by QEMU, and of HVM guests, by their QEMU."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import (
    DeviceUsbctrl,
    DeviceUsbdev,
    DeviceUsbdevHostdev,
    DomainBuildInfoHvm,
    DomainConfig,
    UsbctrlType,
)
from worldly import Configure, read_node, remove_node, running, write_node

Sim = Callable[..., str]


def hvm() -> DomainConfig:
    config = DomainConfig()
    config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
    config.c_info.name = "hvm"
    config.b_info.max_memkb = config.b_info.target_memkb = 64 << 10
    config.b_info.u = DomainBuildInfoHvm()
    return config


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


STICK = DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=1, hostaddr=2))
MOUSE = DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=1, hostaddr=4))


def at(ctrl: int, port: int) -> DeviceUsbdev:
    return DeviceUsbdev(ctrl=ctrl, port=port, u=DeviceUsbdevHostdev())


def placed(devices: list[DeviceUsbdev]) -> list[tuple[int, int, int]]:
    """Returns the controller, the port, and the address on the host of each device."""
    return [(each.ctrl, each.port, each.u.hostaddr) for each in devices if each.u]


def driver(interface: str) -> str:
    link = Path(f"/sys/bus/usb/devices/{interface}/driver")
    return link.readlink().name if link.is_symlink() else ""


async def test_a_guest_with_a_device_is_not_migrated(xen: aioxen.Context, guest: Configure) -> None:
    async with running(xen, guest("l", machine="pv")) as dom:
        await dom.usbdev_add(STICK)
        for ask in False, True:
            near, far = socket.socketpair()
            far.sendall(b"xl migration receiver ready, send binary domain data.\n")
            with near, far:
                with pytest.raises(aioxen.InvalidError, match=r"usbdevs\[0\]: "):
                    await dom.migrate(near, ask=ask)
                near.shutdown(socket.SHUT_WR)
                assert far.recv(1) == b""  # Nothing was sent.


async def test_devices_of_a_pv_guest(xen: aioxen.Context, guest: Configure) -> None:
    async with running(xen, guest("b", machine="pv")) as dom:
        await dom.usbdev_add(STICK)  # The operation also adds a controller for the device.
        await dom.usbdev_add(MOUSE)
        assert placed(await dom.usbdev_list()) == [(0, 1, 2), (0, 2, 4)]
        config = await dom.configuration()
        assert placed(config.usbdevs) == [(0, 1, 2), (0, 2, 4)]
        assert [each.devid for each in config.usbctrls] == [0]
        assert read_node(f"/local/domain/0/backend/vusb/{dom.domid}/0/port/2") == "1-2.4"
        assert [driver(f"1-1:1.{i}") for i in (0, 1)] == ["usbback", "usbback"]
        kept = "/libxl/usbback/1-2_4/1-2_4@1_0/driver_path"
        assert read_node(kept) == "/sys/bus/usb/drivers/usbhid"
        with pytest.raises(aioxen.DeviceExistsError, match=f"domain {dom.domid} has the device 1-2"):
            await dom.usbdev_add(STICK)
        await dom.usbdev_remove(at(0, 1))
        assert placed(await dom.usbdev_list()) == placed((await dom.configuration()).usbdevs) == [(0, 2, 4)]
        assert [driver(f"1-1:1.{i}") for i in (0, 1)] == ["usb-storage", ""]
        with pytest.raises(aioxen.NotFoundError, match="port: there is no device in port 1 of controller 0"):
            await dom.usbdev_remove(at(0, 1))
        # The removal of the controller first removes its device.
        await dom.usbctrl_remove(DeviceUsbctrl(devid=0))
        assert driver("1-2.4:1.0") == driver("1-2.4:1.1") == "usbhid"
        assert read_node(kept) is None
        assert not (await dom.configuration()).usbdevs


async def test_devices_of_an_hvm_guest(xen: aioxen.Context) -> None:
    config = hvm()
    config.usbctrls = [DeviceUsbctrl(version=1)]
    config.usbdevs = [STICK]
    async with running(xen, config) as dom:
        assert placed(await dom.usbdev_list()) == [(0, 1, 2)]
        await dom.usbdev_add(MOUSE)
        assert {"xenusb-0", "xenusb-1-2", "xenusb-1-4"} <= await plugged(dom)
        with pytest.raises(aioxen.BusyError, match="ctrl: controller 0 has no free port"):
            await dom.usbdev_add(DeviceUsbdev(ctrl=0, u=DeviceUsbdevHostdev(hostbus=2, hostaddr=2)))
        await dom.usbdev_remove(at(0, 1))
        assert "xenusb-1-2" not in await plugged(dom)
        await dom.usbctrl_destroy(DeviceUsbctrl(devid=0))
        assert not {"xenusb-0", "xenusb-1-4"} & await plugged(dom)


async def test_devices_of_a_creation(xen: aioxen.Context, guest: Configure) -> None:
    config = guest("b", machine="pv")
    config.usbdevs = [STICK, MOUSE]
    async with running(xen, config) as dom:
        assert placed(await dom.usbdev_list()) == [(0, 1, 2), (0, 2, 4)]
        async with running(xen, guest("b", machine="pv", name="other")) as other:
            with pytest.raises(aioxen.BusyError, match=f"u.hostdev: domain {dom.domid} has the device 1-4"):
                await other.usbdev_add(MOUSE)
            assert await other.usbctrl_list() == []
    assert (driver("1-1:1.0"), driver("1-2.4:1.1")) == ("usb-storage", "usbhid")


@pytest.mark.parametrize(
    ("device", "error", "words"),
    [
        (at(-1, 0), aioxen.InvalidError, "u.hostdev: hostbus and hostaddr name the device"),
        (
            DeviceUsbdev(port=2, u=STICK.u),
            aioxen.InvalidError,
            "port: a port needs the number of its controller",
        ),
        (
            DeviceUsbdev(ctrl=7, u=STICK.u),
            aioxen.NotFoundError,
            "ctrl: domain [0-9]+ has no USB controller 7",
        ),
        (DeviceUsbdev(ctrl=0, port=5, u=STICK.u), aioxen.InvalidError, "port: controller 0 has no port 5"),
        (
            DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=9, hostaddr=9)),
            aioxen.NotFoundError,
            "u.hostdev: this host has no USB device 9-9",
        ),
        (
            DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=1, hostaddr=3)),
            aioxen.NotAssignableError,
            "u.hostdev: the device 1-3 is a hub",
        ),
    ],
)
async def test_wrong_devices(
    xen: aioxen.Context, guest: Configure, device: DeviceUsbdev, error: type[aioxen.Error], words: str
) -> None:
    config = guest("b", machine="pv")
    config.usbctrls = [DeviceUsbctrl(ports=4)]
    async with running(xen, config) as dom:
        with pytest.raises(error, match=words):
            await dom.usbdev_add(device)
        assert await dom.usbdev_list() == []
        assert not (await dom.configuration()).usbdevs


@pytest.mark.parametrize("gone", ["nodes", "online"])
async def test_a_device_is_given_back_if_the_controller_goes_meanwhile(
    xen: aioxen.Context, guest: Configure, gone: str
) -> None:
    """A pipe in place of the driver's file `unbind` makes the operation wait while usbback takes the
    device."""
    config = guest("b", machine="pv")
    config.usbctrls = [DeviceUsbctrl(ports=4)]
    unbind = Path("/sys/bus/usb/drivers/usb-storage/unbind")
    kept = unbind.with_name("kept")
    async with running(xen, config) as dom:
        tree = f"/local/domain/0/backend/vusb/{dom.domid}/0"
        unbind.rename(kept)
        os.mkfifo(unbind)
        try:
            adding = asyncio.ensure_future(dom.usbdev_add(STICK))
            while read_node("/libxl/usbback/1-1/1-1@1_0/driver_path") is None:
                await asyncio.sleep(0.001)
            assert read_node(f"{tree}/port/1") == "1-1"
            if gone == "nodes":
                remove_node(tree)
            else:
                write_node(f"{tree}/online", "0")
            # Opening the reading end lets the operation continue.
            pipe = os.open(unbind, os.O_RDONLY | os.O_NONBLOCK)
            with pytest.raises(aioxen.DomainDestroyedError, match="or its USB controller 0 was destroyed"):
                await adding
            os.close(pipe)
        finally:
            kept.rename(unbind)
        assert read_node(f"{tree}/port/1") == (None if gone == "nodes" else "")
        assert (driver("1-1:1.0"), driver("1-1:1.1")) == ("usb-storage", "")
        assert read_node("/libxl/usbback/1-1") is None
        assert not (await dom.configuration()).usbdevs


@pytest.mark.parametrize("fails", [False, True])
async def test_a_device_that_usbback_already_has_keeps_its_former_driver(
    xen: aioxen.Context, guest: Configure, sim: Sim, fails: bool
) -> None:
    """Another toolstack has given the first interface to usbback, and has ended before it wrote the port."""
    drivers = Path("/sys/bus/usb/drivers")
    kept = "/libxl/usbback/1-1/1-1@1_0/driver_path"
    async with running(xen, guest("b", machine="pv")) as dom:
        (drivers / "usb-storage/unbind").write_text("1-1:1.0")
        (drivers / "usbback/bind").write_text("1-1:1.0")
        write_node(kept, str(drivers / "usb-storage"))
        if fails:
            sim("fault", "add", "host.usb_write:1:EBUSY")
            with pytest.raises(aioxen.BusyError, match="Device or resource busy"):
                await dom.usbdev_add(STICK)
            sim("fault", "clear")
            assert driver("1-1:1.0") == "usbback"
        assert read_node(kept) == str(drivers / "usb-storage")
        await dom.usbdev_add(STICK)
        assert read_node(kept) == str(drivers / "usb-storage")
        assert [driver(f"1-1:1.{i}") for i in (0, 1)] == ["usbback", "usbback"]
        await dom.usbdev_remove(at(0, 1))
        assert [driver(f"1-1:1.{i}") for i in (0, 1)] == ["usb-storage", ""]
        assert read_node(kept) is None


async def test_one_of_several_domains_gets_a_device(xen: aioxen.Context, guest: Configure) -> None:
    async with AsyncExitStack() as stack:
        doms = [
            await stack.enter_async_context(running(xen, guest("b", machine="pv", name=f"g{number}")))
            for number in range(3)
        ]
        adding = [dom.usbdev_add(STICK) for dom in doms]
        results = await asyncio.gather(*adding, return_exceptions=True)
        assert sorted(type(each).__name__ for each in results) == ["BusyError", "BusyError", "NoneType"]
        (winner,) = (dom for dom, result in zip(doms, results, strict=True) if result is None)
        assert placed(await winner.usbdev_list()) == [(0, 1, 2)]
        assert driver("1-1:1.0") == "usbback"


async def test_an_addition_waits_until_no_other_one_chooses_a_device(
    xen: aioxen.Context, guest: Configure
) -> None:
    """The test holds the lock for changes to domain 0's devices. Meanwhile it gives the device to another
    domain."""
    lock = Path("/var/lib/xen/userdata-l.0.00000000-0000-0000-0000-000000000000.libxl-device-changes-lock")
    config = guest("b", machine="pv")
    config.usbctrls = [DeviceUsbctrl(ports=4)]
    async with running(xen, config) as dom, running(xen, guest("b", machine="pv", name="other")) as other:
        reached = asyncio.Event()

        def report(event: aioxen.OperationProgress) -> None:
            if event.phase == "turn":
                reached.set()

        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            adding = other.usbdev_add(STICK, progress=report)
            adding.add_done_callback(lambda _: reached.set())
            await reached.wait()
            write_node(f"/local/domain/0/backend/vusb/{dom.domid}/0/port/1", "1-1")
        with pytest.raises(aioxen.BusyError, match=f"domain {dom.domid} has the device 1-2"):
            await adding
        assert await other.usbctrl_list() == []


async def test_a_locked_configuration_does_not_delay_another_guest(
    xen: aioxen.Context, guest: Configure
) -> None:
    """Another program keeps the file of the first guest's configuration locked. The other guest gets its
    device meanwhile."""
    async with (
        running(xen, guest("b", machine="pv")) as dom,
        running(xen, guest("b", machine="pv", name="other")) as other,
        aioxen.Context() as second,
    ):
        lock = Path(f"/var/lib/xen/userdata-l.{dom.domid}.{dom.uuid}.domain-userdata-lock")
        reached = asyncio.Event()

        def report(event: aioxen.OperationProgress) -> None:
            if event.phase == "record":
                reached.set()

        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            adding = dom.usbdev_add(STICK, progress=report)
            adding.add_done_callback(lambda _: reached.set())
            await reached.wait()
            await (await second.domain(other.domid)).usbdev_add(MOUSE)
            assert not adding.done()
        await adding
        assert placed(await dom.usbdev_list()) == [(0, 1, 2)]
        assert placed(await other.usbdev_list()) == [(0, 1, 4)]


async def test_a_failed_addition_leaves_nothing(xen: aioxen.Context, guest: Configure, sim: Sim) -> None:
    async with running(xen, guest("b", machine="pv")) as dom:
        sim("fault", "add", "host.usb_write:1:EBUSY")
        with pytest.raises(aioxen.BusyError, match=r"/sys/bus/usb/drivers/.*: Device or resource busy"):
            await dom.usbdev_add(STICK)
        sim("fault", "clear")
        assert await dom.usbctrl_list() == []
        config = await dom.configuration()
        assert not config.usbctrls
        assert not config.usbdevs
        assert read_node("/libxl/usbback/1-1") is None
        assert (driver("1-1:1.0"), driver("1-1:1.1")) == ("usb-storage", "")
