# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands for PCI devices: pci-attach, pci-detach, pci-list, and those for assignable devices."""

from __future__ import annotations

import click

import aioxen
from aioxen.cli import parallel
from aioxen.cli.core import Session, command
from aioxen.cli.devices import configuration, force_option
from aioxen.cli.output import record_of
from aioxen.cli.parallel import Done, each
from aioxen.cli.progress import Report
from aioxen.cli.select import domain_argument, domains_argument


def address(pci: aioxen.DevicePci) -> str:
    """Returns the address as xl prints it: DDDD:BB:DD.F."""
    return f"{pci.domain:04x}:{pci.bus:02x}:{pci.dev:02x}.{pci.func:x}"


def _device(session: Session, text: str) -> aioxen.DevicePci:
    """Returns the device with this address or name."""
    bdf = ":" in text and "=" not in text
    return configuration(session, "pci", [text if bdf or "=" in text else f"name={text}"]).pcidevs[0]


@command("pci-attach")
@domain_argument()
@click.argument("spec", metavar="PCI-SPEC...", nargs=-1, required=True)
async def pci_attach(session: Session, domain: str, spec: tuple[str, ...]) -> None:
    """Gives a PCI device of the host to a domain. PCI-SPEC has the form of xl-pci-configuration(5)."""
    pci = configuration(session, "pci", spec).pcidevs[0]

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.pci_add(pci, timeout=session.timeout, progress=report)
        name = pci.name or address(pci)
        return Done(f"PCI device {name} attached", {"outcome": "attached", "pci": name})

    await each(session, [domain], act)


@command("pci-detach")
@domain_argument()
@click.argument("devices", metavar="PCI-SPEC...", nargs=-1, required=True)
@force_option
async def pci_detach(session: Session, domain: str, devices: tuple[str, ...], force: bool) -> None:
    """Takes PCI devices from a domain. PCI-SPEC is an address or a name."""
    found = [_device(session, text) for text in devices]

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        detach = dom.pci_destroy if force else dom.pci_remove
        for pci in found:  # In turn, because the backend reconfigures one device at a time.
            await detach(pci, timeout=session.timeout, progress=report)
        return Done(f"{', '.join(devices)} detached", {"outcome": "detached", "pcis": devices})

    await each(session, [domain], act)


@command("pci-list")
@domains_argument()
async def pci_list(session: Session, domains: tuple[str, ...]) -> None:
    """Lists the PCI devices of domains."""
    rows = []
    for dom in await parallel.gather(session.find(text) for text in domains):
        for pci in await dom.pci_list(timeout=session.timeout):
            place = f"{pci.vdevfn >> 3 & 0x1F:02x}.{pci.vdevfn & 7:x}"
            rows.append(((place, address(pci)), {"domid": dom.domid, **record_of(pci)}))
    session.out.table("%-4s %s", ("Vdev", "Device"), rows)


@command("pci-assignable-list")
@click.option("-n", "--names", is_flag=True, help="Print the names of the devices.")
async def assignable_list(session: Session, names: bool) -> None:
    """Lists the PCI devices of the host that can be given to domains."""
    for pci in await session.xen.pci_assignable(timeout=session.timeout):
        name = f"{pci.name or ''}" if names else ""
        session.out.answer(f"{address(pci)} {name}", record_of(pci))


@command("pci-assignable-add")
@click.option("-n", "--name", help="A name by which the device can be given to a domain.")
@click.argument("bdf", metavar="BDF")
async def assignable_add(session: Session, name: str | None, bdf: str) -> None:
    """Binds a PCI device of the host to pciback, so that domains can have it."""
    pci = _device(session, bdf)
    pci.name = name
    await session.xen.pci_assignable_add(pci, True, timeout=session.timeout)


@command("pci-assignable-remove")
@click.option("-r", "--rebind", is_flag=True, help="Give the device to the driver that it had before.")
@click.argument("device", metavar="BDF|NAME")
async def assignable_remove(session: Session, rebind: bool, device: str) -> None:
    """Unbinds a PCI device of the host from pciback."""
    await session.xen.pci_assignable_remove(_device(session, device), rebind, timeout=session.timeout)
