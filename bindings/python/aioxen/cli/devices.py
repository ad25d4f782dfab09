# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands for disks and network interfaces: block-attach, block-detach, block-list, and the same for
network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

import aioxen
from aioxen.cli import parallel
from aioxen.cli.core import F, Session, command
from aioxen.cli.files import read_config
from aioxen.cli.output import record_of
from aioxen.cli.parallel import Done, each
from aioxen.cli.progress import Report
from aioxen.cli.select import domain_argument, domains_argument

BLOCK_HEAD = ("Vdev", "BE", "handle", "state", "evt-ch", "ring-ref", "BE-path")
NETWORK_HEAD = ("Idx", "BE", "Mac Addr.", "handle", "state", "evt-ch", "tx-/rx-ring-ref", "BE-path")

wait_option: Callable[[F], F] = click.option(
    "--wait", is_flag=True, help="Also wait until the guest uses the device."
)
force_option: Callable[[F], F] = click.option(
    "--force", is_flag=True, help="Detach even if the guest uses the device."
)


def configuration(session: Session, key: str, words: Sequence[str]) -> aioxen.DomainConfig:
    """Returns a configuration with one device, described as in a file. Words are joined by commas."""
    text = ",".join(words)
    quote = "'" if '"' in text else '"'
    # A configuration needs a name and a kernel, too. Neither is used.
    return read_config(session, None, ["name = '-'", "kernel = '-'", f"{key} = [{quote}{text}{quote}]"])


@command("block-attach")
@domain_argument()
@click.argument("spec", metavar="DISK-SPEC...", nargs=-1, required=True)
@wait_option
async def block_attach(session: Session, domain: str, spec: tuple[str, ...], wait: bool) -> None:
    """Attaches a disk to a domain. DISK-SPEC has the form of xl-disk-configuration(5)."""
    disk = configuration(session, "disk", spec).disks[0]

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        before = await _numbers(session, dom, "vbd") if wait else set()
        await dom.disk_add(disk, timeout=session.timeout, progress=report)
        if wait:
            await _wait_connected(session, dom, "vbd", before, report)
        return Done(f"disk {disk.vdev} attached", {"outcome": "attached", "vdev": disk.vdev})

    await each(session, [domain], act)


@command("block-detach")
@domain_argument()
@click.argument("disks", metavar="DISK...", nargs=-1, required=True)
@force_option
async def block_detach(session: Session, domain: str, disks: tuple[str, ...], force: bool) -> None:
    """Detaches disks from a domain. DISK is the name in the guest, such as xvda, or the disk's number."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        detach = dom.disk_destroy if force else dom.disk_remove
        found = [aioxen.DeviceDisk(vdev=name) for name in disks]
        await parallel.gather(detach(disk, timeout=session.timeout, progress=report) for disk in found)
        return Done(f"{', '.join(disks)} detached", {"outcome": "detached", "disks": disks})

    await each(session, [domain], act)


@command("block-list")
@domains_argument()
async def block_list(session: Session, domains: tuple[str, ...]) -> None:
    """Lists the disks of domains."""
    rows = []
    for dom in await parallel.gather(session.find(text) for text in domains):
        for d in await dom.devices(timeout=session.timeout):
            if d.kind == "vbd":
                row = (d.devid, d.backend_domid, dom.domid, d.frontend_state, d.event_channel, d.ring_ref)
                rows.append(((*row, d.backend), {"domid": dom.domid, **record_of(d)}))
    session.out.table("%-5d %-3d %-6d %-5d %-6d %-8d %-30s", BLOCK_HEAD, rows)


@command("network-attach")
@domain_argument()
@click.argument("spec", metavar="NETWORK-SPEC...", nargs=-1)
@wait_option
async def network_attach(session: Session, domain: str, spec: tuple[str, ...], wait: bool) -> None:
    """Attaches a network interface to a domain. NETWORK-SPEC has the form of xl-network-configuration(5)."""
    nic = configuration(session, "vif", spec).nics[0]
    # The parser gives the first interface the number 0. With the default, the library chooses a free number.
    nic.devid = aioxen.DeviceNic().devid

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        before = await _numbers(session, dom, "vif")
        await dom.nic_add(nic, timeout=session.timeout, progress=report)
        if wait:
            await _wait_connected(session, dom, "vif", before, report)
        new = await _numbers(session, dom, "vif") - before
        return Done("network interface attached", {"outcome": "attached", "devids": sorted(new)})

    await each(session, [domain], act)


@command("network-detach")
@domain_argument()
@click.argument("nics", metavar="NUMBER|MAC...", nargs=-1, required=True)
@force_option
async def network_detach(session: Session, domain: str, nics: tuple[str, ...], force: bool) -> None:
    """Detaches network interfaces from a domain. Each interface is named by its number or its MAC address."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        detach = dom.nic_destroy if force else dom.nic_remove
        listed = await dom.nic_list(timeout=session.timeout)
        found = [_nic(listed, name) for name in nics]
        await parallel.gather(detach(nic, timeout=session.timeout, progress=report) for nic in found)
        return Done(f"{', '.join(nics)} detached", {"outcome": "detached", "nics": nics})

    await each(session, [domain], act)


@command("network-list")
@domains_argument()
async def network_list(session: Session, domains: tuple[str, ...]) -> None:
    """Lists the network interfaces of domains."""
    rows = []
    for dom in await parallel.gather(session.find(text) for text in domains):
        nics = {nic.devid: nic for nic in await dom.nic_list(timeout=session.timeout)}
        for d in await dom.devices(timeout=session.timeout):
            if d.kind == "vif":
                mac = nics[d.devid].mac.hex(":") if d.devid in nics else ""
                rings = f"{d.ring_ref}/{d.rx_ring_ref}"
                row = (d.devid, d.backend_domid, mac, d.devid, d.frontend_state, d.event_channel, rings)
                rows.append(((*row, d.backend), {"domid": dom.domid, "mac": mac, **record_of(d)}))
    session.out.table("%-3d %-2d %-17s %-6d %-5d %-6d %-15s %-30s", NETWORK_HEAD, rows)


def _nic(nics: Sequence[aioxen.DeviceNic], name: str) -> aioxen.DeviceNic:
    """Returns the interface with this number or MAC address."""
    for nic in nics:
        if name == str(nic.devid) or name.lower() == nic.mac.hex(":"):
            return nic
    raise aioxen.NotFoundError(f"no network interface has the number or MAC address {name!r}")


async def _numbers(session: Session, dom: aioxen.Domain, kind: str) -> set[int]:
    return {d.devid for d in await dom.devices(timeout=session.timeout) if d.kind == kind}


async def _wait_connected(
    session: Session, dom: aioxen.Domain, kind: str, before: set[int], report: Report
) -> None:
    """Waits until the guest uses the devices that were not there before."""
    new = await _numbers(session, dom, kind) - before
    await parallel.gather(
        dom.device_wait_connected(kind, devid, timeout=session.timeout, progress=report) for devid in new
    )
