# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two classes with the same methods. `Ours` does the work by this library, and `Xl` by Debian's xl. Each
class works on guests that either class has made.

The methods take a guest's name, because both classes know the name.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile

import aioxen
from linux import LIMIT, run


class Ours:
    def __init__(self, xen: aioxen.Context) -> None:
        self._xen = xen

    async def create(self, config: str) -> None:
        await self._xen.domain_create(aioxen.loads(config), limit=LIMIT)

    async def unpause(self, guest: str) -> None:
        await (await self._xen.domain_find(guest)).unpause()

    async def disk_add(self, guest: str, path: str, vdev: str) -> None:
        await (await self._xen.domain_find(guest)).disk_add(aioxen.disk(path, vdev))

    async def disk_remove(self, guest: str, vdev: str) -> None:
        dom = await self._xen.domain_find(guest)
        (disk,) = (disk for disk in await dom.disk_list() if disk.vdev == vdev)
        await dom.disk_remove(disk)

    async def disks(self, guest: str) -> list[str]:
        """Returns the names of the guest's disks."""
        return [str(disk.vdev) for disk in await (await self._xen.domain_find(guest)).disk_list()]

    async def nic_add(self, guest: str, mac: str, server: str | None = None) -> None:
        nic = aioxen.nic("xenbr0", mac=mac)
        if server:
            nic.backend_domname, nic.script = server, "vif-quick"
        await (await self._xen.domain_find(guest)).nic_add(nic)

    async def nic_remove(self, guest: str, mac: str) -> None:
        dom = await self._xen.domain_find(guest)
        (nic,) = (nic for nic in await dom.nic_list() if nic.mac == bytes.fromhex(mac.replace(":", "")))
        await dom.nic_remove(nic)

    async def nics(self, guest: str) -> list[str]:
        """Returns the addresses of the guest's interfaces."""
        return [nic.mac.hex(":") for nic in await (await self._xen.domain_find(guest)).nic_list()]

    async def shutdown(self, guest: str) -> None:
        dom = await self._xen.domain_find(guest)
        assert str(await dom.shutdown()) == "poweroff"
        assert await dom.wait_shutdown() is aioxen.ShutdownReason.POWEROFF

    async def power_button(self, guest: str) -> None:
        await (await self._xen.domain_find(guest)).send_trigger(aioxen.Trigger.POWER)

    async def destroy(self, guest: str) -> None:
        await (await self._xen.domain_find(guest)).destroy()


class Xl:
    async def _xl(self, command: str) -> str:
        return await asyncio.to_thread(run, f"xl {command}")

    async def create(self, config: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
            file.write(config)
            file.flush()
            # With -e, xl leaves no process behind that would destroy the guest at its end.
            await self._xl(f"create -e -p -q {file.name}")

    async def unpause(self, guest: str) -> None:
        await self._xl(f"unpause {guest}")

    async def disk_add(self, guest: str, path: str, vdev: str) -> None:
        await self._xl(f"block-attach {guest} 'vdev={vdev},format=raw,access=rw,target={path}'")

    async def disk_remove(self, guest: str, vdev: str) -> None:
        await self._xl(f"block-detach {guest} {vdev}")

    async def disks(self, guest: str) -> list[str]:
        """Returns the names of the guest's disks in the stored configuration. Checks that `xl block-list`
        has them, too."""
        names = [disk["vdev"] for disk in (await self._stored(guest)).get("disks", [])]
        numbers = re.findall(r"^\d+", await self._xl(f"block-list {guest}"), re.MULTILINE)
        assert sorted(map(int, numbers)) == sorted(51712 + 16 * (ord(name[3]) - ord("a")) for name in names)
        return names

    async def nic_add(self, guest: str, mac: str, server: str | None = None) -> None:
        backend = f" backend={server} script=vif-quick" if server else ""
        await self._xl(f"network-attach {guest} bridge=xenbr0 mac={mac}{backend}")

    async def nic_remove(self, guest: str, mac: str) -> None:
        await self._xl(f"network-detach {guest} {mac}")

    async def nics(self, guest: str) -> list[str]:
        """Returns the addresses of the guest's interfaces in the stored configuration. Checks that `xl
        network-list` has them, too."""
        macs = [nic["mac"] for nic in (await self._stored(guest)).get("nics", [])]
        listed = await self._xl(f"network-list {guest}")
        assert re.findall(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", listed) == macs
        return macs

    async def _stored(self, guest: str) -> dict[str, list[dict[str, str]]]:
        # Standard error has a warning for each device that xl has removed. xl leaves such devices in the
        # stored file.
        (entry,) = json.loads(await self._xl(f"list -l {guest} 2>/dev/null"))
        stored: dict[str, list[dict[str, str]]] = entry["config"]
        return stored

    async def shutdown(self, guest: str) -> None:
        assert "reason code 0" in await self._xl(f"shutdown -w {guest}")

    async def power_button(self, guest: str) -> None:
        await self._xl(f"shutdown -F {guest}")

    async def destroy(self, guest: str) -> None:
        await self._xl(f"destroy {guest}")


Tool = Ours | Xl


def tool(who: str, xen: aioxen.Context) -> Tool:
    return Ours(xen) if who == "ours" else Xl()
