# SPDX-License-Identifier: LGPL-2.1-or-later
"""A device model may answer an addition only after the operation has ended. It then does not keep the device.
Its answer does not delay the end of the operation.

The tests play QEMU's monitor, which serves one connection after the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import (
    DevicePci,
    DeviceUsbctrl,
    DeviceUsbdev,
    DeviceUsbdevHostdev,
    DomainBuildInfoHvm,
    DomainConfig,
    Operation,
)
from limits import scaled

CARD = DevicePci(bus=1, vfunc_mask=1)
STICK = DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=1, hostaddr=2))


class Monitor:
    """Keeps the answer to device_add back until `answers` is set. `plugged` has the names of the devices.
    `refuses` true: refuses all commands without a reason."""

    def __init__(self, refuses: bool) -> None:
        self.plugged: list[str] = []
        self.refuses = refuses
        self.answers, self.asked, self.unplugged = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._one = asyncio.Lock()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._one:
            self._say(writer, {"QMP": {"version": {}, "capabilities": []}})
            while line := await reader.readline():
                request = json.loads(line)
                await self._obey(request["execute"], request.get("arguments", {}))
                refused = self.refuses and request["execute"] != "qmp_capabilities"
                self._say(
                    writer,
                    {
                        "error" if refused else "return": {"desc": ""} if refused else {},
                        "id": request.get("id"),
                    },
                )
            writer.close()

    async def _obey(self, name: str, arguments: dict[str, str]) -> None:
        if name == "device_add" and not self.refuses:
            self.asked.set()
            await self.answers.wait()
            self.plugged.append(arguments["id"])
        elif name == "device_del" and not self.refuses:
            self.plugged.remove(arguments["id"])
            self.unplugged.set()

    @staticmethod
    def _say(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")


@asynccontextmanager
async def monitor(dom: aioxen.Domain, refuses: bool = False) -> AsyncIterator[Monitor]:
    """Takes the place of the monitor of the guest's QEMU, until the end of the block."""
    path = Path(f"/run/xen/qmp-libxl-{dom.domid}")
    kept = path.with_suffix(".kept")
    path.rename(kept)
    played = Monitor(refuses)
    server = await asyncio.start_unix_server(played.serve, path)
    try:
        yield played
    finally:
        server.close()
        kept.rename(path)


async def guest(xen: aioxen.Context, name: str, controllers: int = 1) -> aioxen.Domain:
    config = DomainConfig()
    config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
    config.c_info.name = name
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    config.b_info.max_memkb = config.b_info.target_memkb = 64 << 10
    config.b_info.u = DomainBuildInfoHvm()
    config.usbctrls = [DeviceUsbctrl(version=3)] * controllers
    dom = await xen.domain_create(config)
    await dom.unpause()
    return dom


async def cancelled_too_late(
    xen: aioxen.Context, name: str, add: Callable[[aioxen.Domain], Operation[None]]
) -> None:
    """Cancels an addition. QEMU answers the addition only after the operation has ended."""
    dom = await guest(xen, name)
    async with monitor(dom) as played:
        adding = add(dom)
        await played.asked.wait()
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(adding, scaled(60))
        played.answers.set()
        await asyncio.wait_for(played.unplugged.wait(), scaled(60))
        assert played.plugged == []
    await dom.destroy()


async def test_a_late_device_is_unplugged(xen: aioxen.Context) -> None:
    """The device model is mute until the undo of each addition has reached its limit."""
    await xen.pci_assignable_add(CARD, True)
    await asyncio.gather(
        cancelled_too_late(xen, "ctrl", lambda dom: dom.usbctrl_add(DeviceUsbctrl(version=3))),
        cancelled_too_late(xen, "stick", lambda dom: dom.usbdev_add(STICK)),
        cancelled_too_late(xen, "card", lambda dom: dom.pci_add(CARD)),
    )
    for device in await xen.pci_assignable():
        await xen.pci_assignable_remove(device, True)


async def test_a_mute_model_does_not_delay_another_guest(xen: aioxen.Context) -> None:
    """The addition to the first guest waits, because the device model does not answer. The other guest gets
    the device meanwhile."""
    mute, other = await guest(xen, "mute-model", 0), await guest(xen, "other")
    async with monitor(mute) as played:
        adding = mute.usbdev_add(STICK)
        await played.asked.wait()
        await asyncio.wait_for(other.usbdev_add(STICK), scaled(30))
        played.answers.set()
        with pytest.raises(aioxen.BusyError, match=f"domain {other.domid} has the device"):
            await adding
        assert played.plugged == []
    await mute.destroy()
    await other.destroy()


async def test_a_mute_model_does_not_delay_the_end_of_the_context(xen: aioxen.Context) -> None:
    """When the context is closed, the controller of a cancelled addition is still being removed in the
    background.

    Without the end of the context, this removal would wait 40 s for the device model.
    """
    dom = await guest(xen, "closing", 0)
    async with monitor(dom) as played, aioxen.Context() as closing:
        adding = (await closing.domain(dom.domid)).usbctrl_add(DeviceUsbctrl(version=3))
        await played.asked.wait()
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(adding, scaled(30))
        await asyncio.wait_for(closing.aclose(), 25)
        played.answers.set()
    assert await dom.usbctrl_list() == []
    await dom.destroy()


async def test_a_refusal_without_a_reason_is_an_error(xen: aioxen.Context) -> None:
    dom = await guest(xen, "refused")
    async with monitor(dom, refuses=True):
        with pytest.raises(aioxen.Error, match="it gives no reason"):
            await dom.usbdev_add(STICK)
    await dom.destroy()


async def test_domain_0_gets_no_usb_device(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.Error, match="domid: domain 0"):
        await (await xen.domain(0)).usbdev_add(STICK)
