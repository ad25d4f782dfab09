# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands for USB: usbctrl-attach, usbctrl-detach, usbdev-attach, usbdev-detach, usb-list."""

from __future__ import annotations

from itertools import cycle

import click

import aioxen
from aioxen.cli import parallel
from aioxen.cli.core import Session, command
from aioxen.cli.devices import configuration, force_option
from aioxen.cli.output import record_of
from aioxen.cli.parallel import Done, each
from aioxen.cli.progress import Report
from aioxen.cli.select import domain_argument, domains_argument

HEAD = ("Devid", "Type", "BE", "state", "usb-ver", "ports")
NUMBER = click.IntRange(0, 2**31 - 1)

Places = tuple[tuple[int, int], ...]


def _places(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> Places:
    """Returns pairs of a controller and a port. As in xl(1), the words may begin with their keys."""
    if len(words) % 2:
        raise click.BadParameter("a controller and a port are expected for each device", ctx, param)
    keyed = zip(words, cycle(("controller=", "port=")))
    numbers = [NUMBER.convert(word.removeprefix(key), param, ctx) for word, key in keyed]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


@command("usbctrl-attach")
@domain_argument()
@click.argument("spec", metavar="[KEY=VALUE]...", nargs=-1)
async def usbctrl_attach(session: Session, domain: str, spec: tuple[str, ...]) -> None:
    """Attaches a USB controller to a domain. The keys are those of usbctrl in xl.cfg(5)."""
    ctrl = configuration(session, "usbctrl", spec).usbctrls[0]
    # The parser gives the first controller the number 0. With the default, the library chooses a free number.
    ctrl.devid = aioxen.DeviceUsbctrl().devid

    async def numbers(dom: aioxen.Domain) -> set[int]:
        return {c.devid for c in await dom.usbctrl_list(timeout=session.timeout)}

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        before = await numbers(dom)
        await dom.usbctrl_add(ctrl, timeout=session.timeout, progress=report)
        new = await numbers(dom) - before
        return Done("USB controller attached", {"outcome": "attached", "devids": sorted(new)})

    await each(session, [domain], act)


@command("usbctrl-detach")
@domain_argument()
@click.argument("devids", metavar="NUMBER...", nargs=-1, required=True, type=NUMBER)
@force_option
async def usbctrl_detach(session: Session, domain: str, devids: tuple[int, ...], force: bool) -> None:
    """Detaches USB controllers from a domain. The host gets the devices in their ports back."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        detach = dom.usbctrl_destroy if force else dom.usbctrl_remove
        found = [aioxen.DeviceUsbctrl(devid=devid) for devid in devids]
        await parallel.gather(detach(ctrl, timeout=session.timeout, progress=report) for ctrl in found)
        text = ", ".join(f"USB controller {devid}" for devid in devids)
        return Done(f"{text} detached", {"outcome": "detached", "devids": devids})

    await each(session, [domain], act)


@command("usbdev-attach")
@domain_argument()
@click.argument("spec", metavar="KEY=VALUE...", nargs=-1, required=True)
async def usbdev_attach(session: Session, domain: str, spec: tuple[str, ...]) -> None:
    """Gives a USB device of the host to a domain. The keys are those of usbdev in xl.cfg(5): hostbus and
    hostaddr name the device, and controller and port say where the domain gets it."""
    usb = configuration(session, "usbdev", spec).usbdevs[0]

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.usbdev_add(usb, timeout=session.timeout, progress=report)
        listed = await dom.usbdev_list(timeout=session.timeout)
        # The device may have been unplugged meanwhile.
        placed = next((d for d in listed if d.u == usb.u), usb)
        text = f"{name_of(usb)} attached to port {placed.port} of controller {placed.ctrl}"
        return Done(text, {"outcome": "attached", "usbdev": record_of(placed)})

    await each(session, [domain], act)


@command("usbdev-detach")
@domain_argument()
@click.argument("places", metavar="CONTROLLER PORT...", nargs=-1, required=True, callback=_places)
async def usbdev_detach(session: Session, domain: str, places: Places) -> None:
    """Takes USB devices from a domain. Each is named by the numbers of its controller and its port."""
    found = [aioxen.DeviceUsbdev(ctrl=c, port=p, u=aioxen.DeviceUsbdevHostdev()) for c, p in places]

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        for usb in found:  # In turn, because each removal holds the lock of the domain's devices.
            await dom.usbdev_remove(usb, timeout=session.timeout, progress=report)
        text = ", ".join(f"USB device in port {port} of controller {ctrl}" for ctrl, port in places)
        return Done(f"{text} detached", {"outcome": "detached", "usbdevs": list(map(record_of, found))})

    await each(session, [domain], act)


@command("usb-list")
@domains_argument()
async def usb_list(session: Session, domains: tuple[str, ...]) -> None:
    """Lists the USB controllers of domains, and the devices in their ports."""
    for dom in await parallel.gather(session.find(text) for text in domains):
        listed = await dom.devices(timeout=session.timeout)
        states = {d.devid: d.frontend_state for d in listed if d.kind == "vusb"}
        found = await dom.usbdev_list(timeout=session.timeout)
        for ctrl in await dom.usbctrl_list(timeout=session.timeout):
            used = {usb.port: usb for usb in found if usb.ctrl == ctrl.devid}
            state = max(states.get(ctrl.devid, 0), 0)  # 0: the controller has no frontend in xenstore.
            row = (ctrl.devid, ctrl.type.name.lower(), ctrl.backend_domid, state, ctrl.version, ctrl.ports)
            devices = [record_of(usb) for usb in used.values()]
            record = {"domid": dom.domid, **record_of(ctrl), "state": state, "devices": devices}
            session.out.table("%-6d %-12s %-3d %-5d %-7d %-5d", HEAD, [(row, record)])
            if not session.out.json:
                for port in range(1, ctrl.ports + 1):
                    session.out.line(f"  Port {port}:" + (f" {name_of(used[port])}" if port in used else ""))


def name_of(usb: aioxen.DeviceUsbdev) -> str:
    """Returns the device's address on the host as xl and lsusb(8) print it."""
    host = usb.u or aioxen.DeviceUsbdevHostdev()
    return f"Bus {host.hostbus:03d} Device {host.hostaddr:03d}"
