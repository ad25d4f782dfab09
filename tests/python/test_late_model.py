# SPDX-License-Identifier: LGPL-2.1-or-later
"""A device model that answers an addition after its end does not keep the device. The test plays the monitor
of QEMU, which serves one connection after the other."""

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

CARD = DevicePci(bus=1, vfunc_mask=1, seize=True)
STICK = DeviceUsbdev(u=DeviceUsbdevHostdev(hostbus=1, hostaddr=2))


class Monitor:
    """Keeps the answer to device_add back until `answers` is set. `plugged` has the names of the devices."""

    def __init__(self, answers: asyncio.Event) -> None:
        self.plugged: list[str] = []
        self.answers = answers
        self.asked, self.unplugged = asyncio.Event(), asyncio.Event()
        self._one = asyncio.Lock()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._one:
            self._say(writer, {"QMP": {"version": {}, "capabilities": []}})
            while line := await reader.readline():
                request = json.loads(line)
                await self._obey(request["execute"], request.get("arguments", {}))
                self._say(writer, {"return": {}, "id": request.get("id")})
            writer.close()

    async def _obey(self, name: str, arguments: dict[str, str]) -> None:
        if name == "device_add":
            self.asked.set()
            await self.answers.wait()
            self.plugged.append(arguments["id"])
        elif name == "device_del":
            self.plugged.remove(arguments["id"])
            self.unplugged.set()

    @staticmethod
    def _say(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\n")


@asynccontextmanager
async def monitor(dom: aioxen.Domain, answers: asyncio.Event) -> AsyncIterator[Monitor]:
    """Takes the place of the monitor of the guest's QEMU, until the end of the block."""
    path = Path(f"/run/xen/qmp-libxl-{dom.domid}")
    kept = path.with_suffix(".kept")
    path.rename(kept)
    played = Monitor(answers)
    server = await asyncio.start_unix_server(played.serve, path)
    try:
        yield played
    finally:
        server.close()
        kept.rename(path)


async def cancelled_too_late(
    xen: aioxen.Context, name: str, add: Callable[[aioxen.Domain], Operation[None]], answers: asyncio.Event
) -> None:
    """Cancels an addition that QEMU has not answered."""
    config = DomainConfig()
    config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
    config.c_info.name = name
    config.c_info.passthrough = aioxen.Passthrough.ENABLED
    config.b_info.max_memkb = config.b_info.target_memkb = 64 << 10
    config.b_info.u = DomainBuildInfoHvm()
    config.usbctrls = [DeviceUsbctrl(version=3)]
    dom = await xen.domain_create(config)
    await dom.unpause()
    async with monitor(dom, answers) as played:
        adding = add(dom)
        await played.asked.wait()
        adding.cancel()
        await asyncio.wait_for(played.unplugged.wait(), scaled(60))
        with pytest.raises(asyncio.CancelledError):
            await adding
        assert played.plugged == []
    await dom.destroy()


async def test_a_late_device_is_unplugged(xen: aioxen.Context) -> None:
    """QEMU answers after the limit of a command, which is 10 s."""
    answers = asyncio.Event()
    asyncio.get_running_loop().call_later(11, answers.set)
    await asyncio.gather(
        cancelled_too_late(xen, "ctrl", lambda dom: dom.usbctrl_add(DeviceUsbctrl(version=3)), answers),
        cancelled_too_late(xen, "stick", lambda dom: dom.usbdev_add(STICK), answers),
        cancelled_too_late(xen, "card", lambda dom: dom.pci_add(CARD), answers),
    )
    for device in await xen.pci_assignable():
        await xen.pci_assignable_remove(device, True)
