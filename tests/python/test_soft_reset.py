# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that asks for a soft reset keeps its memory, and gets new devices, nodes and a new device model."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import aioxen
import pytest
from aioxen import (
    DeviceDisk,
    DeviceNic,
    DevicePci,
    DeviceUsbdev,
    DeviceUsbdevHostdev,
    DomainBuildInfoHvm,
    DomainConfig,
)
from aioxen import ShutdownReason as Reason
from limits import scaled
from test_device_model import qemus, until
from worldly import Configure, read_node

Sim = Callable[..., str]

CARD, OTHER_CARD = DevicePci(bus=1, vfunc_mask=1, seize=True), DevicePci(bus=2, vfunc_mask=1)
STICK = DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=1, hostaddr=2))
MOUSE = DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=1, hostaddr=4))


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 16))
    return str(path)


def hvm(image: str) -> DomainConfig:
    config = DomainConfig(disks=[DeviceDisk(vdev="hda", pdev_path=image, readwrite=1)])
    config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
    config.c_info.name = "machine"
    config.b_info.u = DomainBuildInfoHvm()
    config.b_info.max_memkb = config.b_info.target_memkb = 32 << 10
    return config


async def stopped(xen: aioxen.Context, config: DomainConfig) -> aioxen.Domain:
    """Returns the domain of a guest that has asked for a soft reset."""
    dom = await xen.domain_create(config)
    await dom.unpause()
    assert await dom.wait_shutdown(timeout=scaled(30)) is Reason.SOFT_RESET
    return dom


async def test_pvh(xen: aioxen.Context, guest: Configure, image: str) -> None:
    config = guest("kkl", machine="pvh")
    config.disks = [DeviceDisk(vdev="xvda", pdev_path=image, readwrite=1)]
    config.nics = [DeviceNic(devid=0)]
    dom = await stopped(xen, config)
    before = await dom.info()
    async with dom.console() as console:
        for asks in (True, False):
            now = await dom.configuration()
            await dom.soft_reset(now)
            info = await dom.info()
            assert (info.uuid, info.paused, info.shutdown) == (before.uuid, True, False)
            assert await dom.configuration() == now
            await dom.unpause()
            line = f"tiny: {'k' if asks else ''}l"
            while (await console.readline()).decode().strip() != line:
                pass
            if asks:
                assert await dom.wait_shutdown(timeout=scaled(30)) is Reason.SOFT_RESET
    await dom.device_wait_connected("vbd", 51712)
    await dom.device_wait_connected("vif", 0)
    assert await dom.shutdown(timeout=scaled(30)) is Reason.POWEROFF
    await dom.destroy()


async def test_a_guest_without_devices(xen: aioxen.Context, guest: Configure) -> None:
    dom = await stopped(xen, guest("kl", machine="pvh"))
    before = await dom.info()
    async with dom.console() as console:
        await dom.soft_reset(await dom.configuration())
        info = await dom.info()
        assert (info.uuid, info.paused, info.shutdown) == (before.uuid, True, False)
        await dom.unpause()
        while (await console.readline()).decode().strip() != "tiny: l":
            pass
    assert await dom.shutdown(timeout=scaled(30)) is Reason.POWEROFF
    await dom.destroy()


async def test_hvm_has_a_device_model_with_the_former_state(
    xen: aioxen.Context, sim: Sim, image: str
) -> None:
    dom = await xen.domain_create(hvm(image))
    await dom.unpause()
    sim("shutdown", str(dom.domid), "soft_reset")
    former = qemus()
    assert await dom.wait_shutdown(timeout=scaled(30)) is Reason.SOFT_RESET
    await dom.soft_reset(await dom.configuration())
    (present,) = qemus()
    assert set(former) != {present}
    assert "-incoming" in Path(f"/proc/{present}/cmdline").read_text().split("\0")
    await dom.unpause()
    announced = f"/local/domain/{dom.domid}/control/feature-poweroff"
    await until(lambda: read_node(announced) == "1", "the guest to announce what it can do")
    assert await dom.shutdown(timeout=scaled(30)) is Reason.POWEROFF
    await dom.destroy()


async def test_a_device_that_fails_after_the_check_ends_the_domain(
    xen: aioxen.Context, guest: Configure, sim: Sim, image: str
) -> None:
    dom = await stopped(xen, guest("kl", machine="pvh"))
    config = await dom.configuration()
    config.disks = [DeviceDisk(vdev="xvda", pdev_path=image, readwrite=1)]
    sim("backend", str(dom.domid), "error=2 creating vbd structure")
    with pytest.raises(aioxen.DeviceError, match=r"disks\[0\].*2 creating vbd structure"):
        await dom.soft_reset(config)
    assert await dom.state() is aioxen.DomainState.GONE
    assert read_node(f"/local/domain/{dom.domid}") is None


async def test_a_device_that_cannot_be_added_changes_nothing(
    xen: aioxen.Context, guest: Configure, image: str
) -> None:
    dom = await stopped(xen, guest("kl", machine="pvh"))
    config = await dom.configuration()
    config.disks = [DeviceDisk(vdev="xvda", pdev_path=image + "-missing", readwrite=1)]
    with pytest.raises(aioxen.InvalidError, match=r"disks\[0\]: pdev_path: .*-missing"):
        await dom.soft_reset(config)
    assert await xen.unfinished() == []
    await dom.soft_reset(await dom.configuration())
    await dom.destroy()


def with_host_devices(image: str) -> DomainConfig:
    config = hvm(image)
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    config.pcidevs = [CARD]
    config.usbctrls = [aioxen.DeviceUsbctrl(version=1)]
    config.usbdevs = [STICK]
    return config


async def test_devices_of_the_host(xen: aioxen.Context, guest: Configure, sim: Sim, image: str) -> None:
    other = await xen.domain_create(guest("b", machine="pv"))
    await other.usbdev_add(MOUSE)
    dom = await xen.domain_create(with_host_devices(image))
    await dom.unpause()
    sim("shutdown", str(dom.domid), "soft_reset")
    assert await dom.wait_shutdown(timeout=scaled(30)) is Reason.SOFT_RESET
    config = await dom.configuration()
    wrong: list[tuple[str, list[Any], type[Exception], str]] = [
        ("pcidevs", [OTHER_CARD], aioxen.NotAssignableError, r"0000:02:00\.0 is not bound to pciback"),
        ("usbdevs", [MOUSE], aioxen.BusyError, f"u.hostdev: domain {other.domid} has the device 1-4"),
    ]
    for field, devices, error, words in wrong:
        changed = await dom.configuration()
        setattr(changed, field, devices)
        with pytest.raises(error, match=words):
            await dom.soft_reset(changed)
        assert len(await dom.pci_list()) == len(await dom.usbdev_list()) == 1
    await dom.soft_reset(config)
    assert [device.bus for device in await dom.pci_list()] == [1]
    assert [(device.ctrl, device.port) for device in await dom.usbdev_list()] == [(0, 1)]
    await dom.destroy()
    await other.destroy()
    await xen.pci_assignable_remove(CARD, True)


def usb(address: int, ctrl: int = -1, port: int = 0) -> DeviceUsbdev:
    return DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=1, hostaddr=address), ctrl=ctrl, port=port)


async def test_devices_that_do_not_agree(xen: aioxen.Context, sim: Sim, image: str) -> None:
    """Each of these devices is right, but not together with the others."""
    machine = with_host_devices(image)
    machine.pcidevs = []
    dom = await xen.domain_create(machine)
    await dom.unpause()
    sim("shutdown", str(dom.domid), "soft_reset")
    assert await dom.wait_shutdown(timeout=scaled(30)) is Reason.SOFT_RESET
    disk = DeviceDisk(vdev="xvdb", pdev_path=image, readwrite=1)
    remote = aioxen.DeviceUsbctrl(devid=0, type=aioxen.UsbctrlType.PV, backend_domid=dom.domid)
    wrong: list[tuple[str, list[Any], type[Exception], str]] = [
        ("disks", [disk, disk], aioxen.InvalidError, r"disks\[1\]: the number of another disk"),
        ("nics", [DeviceNic(devid=3), DeviceNic(devid=3)], aioxen.InvalidError, r"nics\[1\]: the number"),
        ("usbctrls", [aioxen.DeviceUsbctrl(devid=2)] * 2, aioxen.InvalidError, r"usbctrls\[1\]: the number"),
        ("usbctrls", [remote], aioxen.NotSupportedError, r"usbdevs\[0\]: ctrl: another domain"),
        ("usbctrls", [aioxen.DeviceUsbctrl(devid=2**31 - 1)], aioxen.NotFoundError, r"usbdevs\[0\]: ctrl:"),
        ("usbdevs", [usb(2), usb(2)], aioxen.InvalidError, r"usbdevs\[1\]: u\.hostdev: .* given twice"),
        ("usbdevs", [usb(2, 5, 1)], aioxen.NotFoundError, r"usbdevs\[0\]: ctrl: .* controller 5"),
        ("usbdevs", [usb(2, 0, 9)], aioxen.BusyError, r"usbdevs\[0\]: port: controller 0"),
        ("usbdevs", [usb(2), usb(4, 0, 1)], aioxen.BusyError, r"usbdevs\[1\]: port: controller 0"),
        ("usbdevs", [usb(2), usb(3, 0), usb(4, 0)], aioxen.BusyError, r"usbdevs\[2\]: port: controller 0"),
    ]
    for field, devices, error, words in wrong:
        changed = await dom.configuration()
        if field == "usbctrls":
            changed.usbdevs = [usb(2, 0)]
        setattr(changed, field, devices)
        with pytest.raises(error, match=words):
            await dom.soft_reset(changed)
        assert await xen.unfinished() == []
        assert len(await dom.usbdev_list()) == len(await dom.disk_list()) == 1
    changed = await dom.configuration()
    changed.usbdevs = [usb(2, 0, 2), usb(4)]
    await dom.soft_reset(changed)
    assert sorted((device.ctrl, device.port) for device in await dom.usbdev_list()) == [(0, 1), (0, 2)]
    await dom.destroy()


@pytest.mark.parametrize(
    ("machine", "change", "words"),
    [
        ("pvh", "running", "has not stopped"),
        ("pv", "", "is PV"),
        ("pvh", "uuid", r"d_config\.c_info\.uuid: domain \d+ has"),
        ("pvh", "type", r"d_config\.c_info\.type: domain \d+ is pvh"),
    ],
)
async def test_refusals(
    xen: aioxen.Context, guest: Configure, sim: Sim, machine: str, change: str, words: str
) -> None:
    dom = await xen.domain_create(guest("l", machine=machine))
    if change != "running":
        sim("shutdown", str(dom.domid), "soft_reset")
    config = await dom.configuration()
    if change == "uuid":
        config.c_info.uuid = UUID(int=1)
    if change == "type":
        config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
        config.b_info.u = DomainBuildInfoHvm()
    with pytest.raises(aioxen.InvalidError, match=words):
        await dom.soft_reset(config)
    assert await dom.state() is not aioxen.DomainState.GONE
    await dom.destroy()


async def test_a_domain_of_xl(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    kernel = guest("kl", machine="pvh").b_info.kernel
    file = tmp_path / "x.cfg"
    file.write_text(f"name='x'\ntype='pvh'\nkernel='{kernel}'\nmemory=32\nextra='kl'\n")
    subprocess.run(["xl", "create", "-qe", file], check=True)
    dom = await xen.domain("x")
    assert await dom.wait_shutdown(timeout=scaled(30)) is Reason.SOFT_RESET
    await dom.soft_reset(await dom.configuration())
    await dom.unpause()
    subprocess.run(["xl", "shutdown", "-w", "x"], check=True, timeout=scaled(60))
    await dom.destroy()
