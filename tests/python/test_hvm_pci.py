# SPDX-License-Identifier: LGPL-2.1-or-later
"""PCI devices of the host are given to an HVM guest that runs, and are taken from it. QEMU plugs them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import DevicePci, DomainBuildInfoHvm, DomainConfig
from test_device_model import qemus
from worldly import Configure, read_node, running

Sim = Callable[..., str]

FIRST, SECOND = DevicePci(bus=1, vfunc_mask=1, seize=True), DevicePci(bus=2, vfunc_mask=1, seize=True)


@asynccontextmanager
async def passing(xen: aioxen.Context) -> AsyncIterator[aioxen.Domain]:
    """Creates an HVM guest that can have PCI devices. Destroys it at the end, and gives the devices back."""
    config = DomainConfig()
    config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
    config.c_info.name = "hvm"
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    config.b_info.max_memkb = config.b_info.target_memkb = 64 << 10
    config.b_info.u = DomainBuildInfoHvm()
    try:
        async with running(xen, config) as dom:
            yield dom
    finally:
        for device in await xen.pci_assignable():
            await xen.pci_assignable_remove(device, True)


async def plugged(dom: aioxen.Domain) -> dict[str, Any]:
    """Returns the slot of each of QEMU's devices, by the device's name."""
    buses: Any = await dom.qmp("query-pci")
    return {each["qdev_id"]: each["slot"] << 3 | each["function"] for each in buses[0]["devices"]}


def driver(bdf: str) -> str:
    return Path(f"/sys/bus/pci/devices/{bdf}/driver").resolve().name


async def test_devices_of_a_running_guest(xen: aioxen.Context, sim: Sim) -> None:
    async with passing(xen) as dom:
        await dom.pci_add(FIRST)
        await dom.pci_add(SECOND)
        places = await plugged(dom)
        listed = await dom.pci_list()
        assert [each.bus for each in listed] == [1, 2]
        assert {each.bus: each.vdevfn for each in listed} == {
            1: places["pci-pt-01_00.0"],
            2: places["pci-pt-02_00.0"],
        }
        assert driver("0000:01:00.0") == driver("0000:02:00.0") == "pciback"
        await dom.pci_remove(FIRST)
        assert set(await plugged(dom)) == {"pci-pt-02_00.0"}
        assert [each.bus for each in await dom.pci_list()] == [2]
        await dom.pci_remove(SECOND)
        assert await plugged(dom) == {}
        assert await dom.pci_list() == []
        assert read_node(f"/local/domain/{dom.domid}/device/pci/0/state") is None
        await dom.pci_add(FIRST)  # The device is free again.
        await dom.pci_destroy(FIRST)
        assert await plugged(dom) == {}
    assert (driver("0000:01:00.0"), driver("0000:02:00.0")) == ("e1000e", "nvme")


def granted(sim: Sim) -> int:
    """Returns the number of hypercalls that have given a domain access to a device's memory or taken the
    access away."""
    return sum(int(line.split()[0]) for line in sim("calls", "domctl.iomem_permission").splitlines())


async def test_qemu_gets_a_device_before_the_guest(xen: aioxen.Context, sim: Sim) -> None:
    async with passing(xen) as dom:
        before = granted(sim)
        same = {"driver": "xen-pci-passthrough", "id": "pci-pt-01_00.0"}
        await dom.qmp("device_add", same)
        with pytest.raises(aioxen.FailedError, match="Duplicate device ID"):
            await dom.pci_add(FIRST)
        assert granted(sim) == before
        assert await dom.pci_list() == []
        assert set(await plugged(dom)) == {"pci-pt-01_00.0"}  # The device of the other program stays.
        assert driver("0000:01:00.0") == "e1000e"


async def test_a_failed_addition_unplugs_the_device(xen: aioxen.Context, sim: Sim) -> None:
    async with passing(xen) as dom:
        await xen.pci_assignable_add(FIRST, True)
        sim("fault", "add", "domctl.assign_device:EBUSY")
        with pytest.raises(aioxen.BusyError):
            await dom.pci_add(FIRST)
        sim("fault", "clear")
        assert await plugged(dom) == {}
        assert await dom.pci_list() == []
        assert read_node("/libxl/pci/0000-01-00-0/domid") is None
        await dom.pci_add(FIRST)
        assert set(await plugged(dom)) == {"pci-pt-01_00.0"}


async def test_one_of_two_additions_to_a_domain_gets_the_device(xen: aioxen.Context) -> None:
    async with passing(xen) as dom:
        await xen.pci_assignable_add(FIRST, True)
        results = await asyncio.gather(dom.pci_add(FIRST), dom.pci_add(FIRST), return_exceptions=True)
        assert {type(each) for each in results} == {type(None), aioxen.DeviceExistsError}
        assert set(await plugged(dom)) == {"pci-pt-01_00.0"}
        assert [each.bus for each in await dom.pci_list()] == [1]


def resets() -> list[str]:
    """Returns the writes into the files that reset devices."""
    log = Path(os.environ["AIOXEN_SIM_DIR"], "pci.log")
    return [line for line in log.read_text().splitlines() if "reset" in line or "do_flr" in line]


async def test_the_second_of_two_domains_does_not_touch_the_access_of_the_first(
    xen: aioxen.Context, guest: Configure, sim: Sim
) -> None:
    """Two operations for two domains add the same device, and both find it free. The test stops the second
    domain's QEMU until the first domain has the device."""
    config = guest("b", machine="pv")
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    await xen.pci_assignable_add(FIRST, True)
    first = await xen.domain_create(config)
    async with passing(xen) as second:
        (pid,) = qemus()
        reached = asyncio.Event()

        def report(event: aioxen.OperationProgress) -> None:
            if event.phase == "model":
                reached.set()

        os.kill(pid, signal.SIGSTOP)
        try:
            adding = second.pci_add(FIRST, progress=report)
            adding.add_done_callback(lambda _: reached.set())
            await reached.wait()
            await first.pci_add(FIRST)
            before = granted(sim), resets()
            assert before[1]
        finally:
            os.kill(pid, signal.SIGCONT)
        with pytest.raises(aioxen.BusyError, match="another domain has the device"):
            await adding
        assert (granted(sim), resets()) == before
        assert await plugged(second) == {} and await second.pci_list() == []
        assert [each.bus for each in await first.pci_list()] == [1]
        await first.destroy()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock of libxl. Who releases the lock removes its file. So after locking, checks that the path
    still leads to the locked file."""
    while True:
        with path.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not path.exists() or not os.path.samestat(os.fstat(held.fileno()), path.stat()):
                continue
            yield
            return


async def test_a_removal_takes_the_lock_of_changes(xen: aioxen.Context) -> None:
    """The test holds the lock that xl takes for changes to the domain. The removal waits for this lock, and
    is cancelled."""
    async with passing(xen) as dom:
        await dom.pci_add(FIRST)
        lock = Path(f"/var/lib/xen/userdata-l.{dom.domid}.{dom.uuid}.libxl-device-changes-lock")
        phases: list[str] = []
        entered = asyncio.Event()

        def report(event: aioxen.OperationProgress) -> None:
            phases.append(event.phase)
            entered.set()

        with locked(lock):
            removing = dom.pci_remove(FIRST, progress=report)
            removing.add_done_callback(lambda _: entered.set())
            await entered.wait()
            assert phases == ["lock"]
            removing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await removing
        assert set(await plugged(dom)) == {"pci-pt-01_00.0"}
        await dom.pci_remove(FIRST)
