# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two classes with the same methods. `Ours` does the work by this library, and `Xl` by Debian's xl. Each
class works on guests that either class has made.

The methods take a guest's name, because both toolstacks know it.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile

import aioxen
from linux import LIMIT, run


def card(address: str) -> aioxen.DevicePci:
    """Returns the card at an address such as 0000:00:10.0."""
    domain, bus, dev, func = (int(part, 16) for part in re.split("[:.]", address))
    return aioxen.DevicePci(domain=domain, bus=bus, dev=dev, func=func, vfunc_mask=1)


def address(pci: aioxen.DevicePci) -> str:
    return f"{pci.domain:04x}:{pci.bus:02x}:{pci.dev:02x}.{pci.func:x}"


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

    async def cd_insert(self, guest: str, path: str) -> None:
        """Inserts a CD into the drive hdc."""
        cd = aioxen.DeviceDisk(vdev="hdc", pdev_path=path, is_cdrom=1, removable=1)
        await (await self._xen.domain_find(guest)).cdrom_insert(cd)

    async def cd_eject(self, guest: str) -> None:
        await (await self._xen.domain_find(guest)).cdrom_eject("hdc")

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

    async def make_assignable(self, address: str) -> None:
        """Takes the card at this address of dom0, such as 0000:00:10.0, from its driver."""
        await self._xen.pci_assignable_add(card(address), True)

    async def make_unassignable(self, address: str) -> None:
        await self._xen.pci_assignable_remove(card(address), True)

    async def assignable(self) -> list[str]:
        """Returns the addresses of the cards that guests can get."""
        return [address(pci) for pci in await self._xen.pci_assignable()]

    async def card_add(self, guest: str, address: str) -> None:
        await (await self._xen.domain_find(guest)).pci_add(card(address))

    async def card_remove(self, guest: str, address: str) -> None:
        await (await self._xen.domain_find(guest)).pci_remove(card(address))

    async def cards(self, guest: str) -> list[str]:
        """Returns the addresses in dom0 of the guest's cards."""
        return [address(pci) for pci in await (await self._xen.domain_find(guest)).pci_list()]

    async def controller_add(self, guest: str, version: int) -> None:
        await (await self._xen.domain_find(guest)).usbctrl_add(aioxen.DeviceUsbctrl(version=version))

    async def controller_remove(self, guest: str, number: int) -> None:
        await (await self._xen.domain_find(guest)).usbctrl_remove(aioxen.DeviceUsbctrl(devid=number))

    async def stick_add(self, guest: str, bus: int, number: int) -> None:
        """Gives the guest the device with this bus and this address."""
        place = aioxen.DeviceUsbdevHostdev(hostbus=bus, hostaddr=number)
        await (await self._xen.domain_find(guest)).usbdev_add(aioxen.DeviceUsbdev(u=place))

    async def stick_remove(self, guest: str, controller: int, port: int) -> None:
        device = aioxen.DeviceUsbdev(ctrl=controller, port=port, u=aioxen.DeviceUsbdevHostdev())
        await (await self._xen.domain_find(guest)).usbdev_remove(device)

    async def sticks(self, guest: str) -> list[tuple[int, int, int, int]]:
        """Returns the controller, port, bus and address of each of the guest's USB devices."""
        listed = await (await self._xen.domain_find(guest)).usbdev_list()
        return [(each.ctrl, each.port, each.u.hostbus, each.u.hostaddr) for each in listed]

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

    async def cd_insert(self, guest: str, path: str) -> None:
        await self._xl(f"cd-insert {guest} hdc {path}")

    async def cd_eject(self, guest: str) -> None:
        await self._xl(f"cd-eject {guest} hdc")

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
        # xl writes a warning to standard error for each device that it has removed, because xl leaves such
        # devices in the stored file.
        (entry,) = json.loads(await self._xl(f"list -l {guest} 2>/dev/null"))
        stored: dict[str, list[dict[str, str]]] = entry["config"]
        return stored

    async def make_assignable(self, address: str) -> None:
        await self._xl(f"pci-assignable-add {address}")

    async def make_unassignable(self, address: str) -> None:
        await self._xl(f"pci-assignable-remove -r {address}")

    async def assignable(self) -> list[str]:
        return (await self._xl("pci-assignable-list")).split()

    async def card_add(self, guest: str, address: str) -> None:
        await self._xl(f"pci-attach {guest} {address}")

    async def card_remove(self, guest: str, address: str) -> None:
        await self._xl(f"pci-detach {guest} {address}")

    async def cards(self, guest: str) -> list[str]:
        return re.findall(r"[0-9a-f]{4}:[0-9a-f:.]+", await self._xl(f"pci-list {guest}"))

    async def controller_add(self, guest: str, version: int) -> None:
        await self._xl(f"usbctrl-attach {guest} version={version}")

    async def controller_remove(self, guest: str, number: int) -> None:
        await self._xl(f"usbctrl-detach {guest} {number}")

    async def stick_add(self, guest: str, bus: int, number: int) -> None:
        await self._xl(f"usbdev-attach {guest} hostbus={bus} hostaddr={number}")

    async def stick_remove(self, guest: str, controller: int, port: int) -> None:
        await self._xl(f"usbdev-detach {guest} {controller} {port}")

    async def sticks(self, guest: str) -> list[tuple[int, int, int, int]]:
        listed = await self._xl(f"usb-list {guest}")
        found = []
        for line in listed.splitlines():
            if words := re.match(r"\d+", line):
                controller = int(words[0])
            if words := re.match(r"\s+Port (\d+): Bus (\d+) Device (\d+)", line):
                port, bus, number = map(int, words.groups())
                found.append((controller, port, bus, number))
        return found

    async def shutdown(self, guest: str) -> None:
        assert "reason code 0" in await self._xl(f"shutdown -w {guest}")

    async def power_button(self, guest: str) -> None:
        await self._xl(f"shutdown -F {guest}")

    async def destroy(self, guest: str) -> None:
        await self._xl(f"destroy {guest}")


Tool = Ours | Xl


def tool(who: str, xen: aioxen.Context) -> Tool:
    return Ours(xen) if who == "ours" else Xl()
