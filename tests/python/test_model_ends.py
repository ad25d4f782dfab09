# SPDX-License-Identifier: LGPL-2.1-or-later
"""The end of a domain's QEMU is an event, unless the domain is destroyed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from aioxen import DeviceDisk, DeviceModelEnded, DomainConfig
from limits import scaled
from test_device_model import qemus
from worldly import Configure, write_node

pytestmark = pytest.mark.skipif("AIOXEN_SIM_DIR" not in os.environ, reason="the simulator plays QEMU")

LOG = Path("/var/log/xen/qemu-dm-hvm.log")


@pytest.fixture(autouse=True)
def _no_qemu_left(hypervisor: None) -> Iterator[None]:
    yield
    assert qemus() == {}


async def end_of_model(events: aioxen.Events[DeviceModelEnded]) -> DeviceModelEnded:
    event = await asyncio.wait_for(anext(events), scaled(10))
    assert isinstance(event, DeviceModelEnded)
    return event


def kill() -> int:
    [pid] = qemus()
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("all_domains", [False, True])
@pytest.mark.parametrize("early", [False, True])
async def test_a_guest_that_runs(
    xen: aioxen.Context, hvm: DomainConfig, all_domains: bool, early: bool
) -> None:
    """The events are enabled before the domain is created or after that."""
    events = xen.device_events(None, [DeviceModelEnded]) if early else None
    dom = await xen.domain_create(hvm)
    await dom.unpause()
    if events is None or not all_domains:
        if events is not None:
            await events.aclose()
        events = xen.device_events(None if all_domains else dom, [DeviceModelEnded])
    with LOG.open("a") as log:
        log.write("it is out of memory\n\x1b[31m\n")
    pid = kill()
    event = await end_of_model(events)
    assert (event.domid, event.uuid, event.pid) == (dom.domid, dom.uuid, pid)
    assert event.words == "it is out of memory; \\x1b[31m"
    await events.aclose()
    await dom.destroy()


async def test_a_guest_that_is_paused(xen: aioxen.Context, hvm: DomainConfig) -> None:
    dom = await xen.domain_create(hvm)
    async with xen.device_events(dom, [DeviceModelEnded]) as events:
        pid = kill()
        assert (await end_of_model(events)).pid == pid
    await dom.destroy()


async def test_a_destruction_is_no_event(
    xen: aioxen.Context, hvm: DomainConfig, xl: Callable[..., str]
) -> None:
    async with xen.device_events(None, [DeviceModelEnded]) as events:
        for by_xl in False, True:
            dom = await xen.domain_create(hvm)
            await dom.unpause()
            if by_xl:
                await asyncio.to_thread(xl, "destroy", "hvm")
            else:
                await dom.destroy()
        dom = await xen.domain_create(hvm)
        await dom.unpause()
        pid = kill()
        assert (await end_of_model(events)).pid == pid
    await dom.destroy()


async def test_a_guest_that_is_not_hvm(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 16))
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    async with xen.device_events(dom, [DeviceModelEnded]) as events:
        await dom.disk_add(DeviceDisk(vdev="xvda", pdev_path=str(image), backend=aioxen.DiskBackend.QDISK))
        pid = kill()
        assert (await end_of_model(events)).pid == pid
    await dom.destroy()


async def test_a_node_that_names_no_qemu(xen: aioxen.Context, hvm: DomainConfig) -> None:
    """If the process in the node is no QEMU of the domain, the library does not watch it, and reports that
    QEMU has ended."""
    dom = await xen.domain_create(hvm)
    await dom.unpause()
    other = await asyncio.create_subprocess_exec("sleep", "60")
    write_node(f"/local/domain/{dom.domid}/image/device-model-pid", str(other.pid))
    async with xen.device_events(dom, [DeviceModelEnded]) as events:
        assert (await end_of_model(events)).pid == other.pid
    other.kill()
    await other.wait()
    kill()
    await dom.destroy()


async def test_a_qemu_that_has_ended_before(xen: aioxen.Context, hvm: DomainConfig) -> None:
    """The end is reported once, although the node with the process id stays."""
    dom = await xen.domain_create(hvm)
    await dom.unpause()
    pid = kill()
    async with xen.device_events(dom, [DeviceModelEnded]) as events:
        assert (await end_of_model(events)).pid == pid
        write_node(f"/local/domain/{dom.domid}/image/device-model-pid", str(pid))
        write_node(f"/local/domain/{dom.domid}/image/device-model-pid", str(2**22))
        assert (await end_of_model(events)).pid == 2**22
    await dom.destroy()
