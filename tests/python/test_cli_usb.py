# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands for USB controllers and USB devices. The output is that of xl."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from command_line import WriteFile, aioxen_
from command_line import cfg as cfg

Xl = Callable[..., str]
STICK, MOUSE = {"hostbus": 1, "hostaddr": 2}, {"hostbus": 1, "hostaddr": 4}


@pytest.fixture
def pv(xl: Xl, cfg: WriteFile) -> Iterator[str]:
    """Makes a PV guest. It is paused, so no state of a frontend changes between two commands."""
    xl("create", "-q", "-p", str(cfg("usb", "b")))
    yield "usb"
    xl("destroy", "usb")


@pytest.fixture
def hvm(xl: Xl, tmp_path: Path) -> Iterator[str]:
    """Makes an HVM guest with a controller that has two ports."""
    file = tmp_path / "hvm.cfg"
    file.write_text('name = "hvm"\ntype = "hvm"\nmemory = 64\nusbctrl = ["version=1"]\n')
    xl("create", "-q", str(file))
    yield "hvm"
    xl("destroy", "hvm")


async def connected(name: str, *devids: int) -> None:
    """Waits until the guest uses its controllers."""
    async with aioxen.Context() as xen:
        dom = await xen.domain(name)
        for devid in devids:
            await dom.device_wait_connected("vusb", devid)


def held(name: str) -> list[dict[str, object]]:
    """Returns the host addresses of the domain's devices from the output of usb-list."""
    listed = aioxen_("usb-list", "--json", name).records()
    return [device["type.hostdev"] for ctrl in listed for device in ctrl["devices"]]


def test_the_commands_print_what_xl_prints(xl: Xl, pv: str) -> None:
    assert aioxen_("usb-list", pv).out == xl("usb-list", pv) == ""
    xl("usbctrl-attach", pv, "type=pv", "ports=4")
    made = aioxen_("usbctrl-attach", "--json", pv, "version=1", "ports=3").records()
    assert [(each["outcome"], each["devids"]) for each in made] == [("attached", [1])]
    assert aioxen_("usb-list", pv).out == xl("usb-list", pv) != ""

    assert aioxen_("usbdev-attach", pv, "hostbus=1", "hostaddr=2").out == (
        "usb: Bus 001 Device 002 attached to port 1 of controller 0\n"
    )
    xl("usbdev-attach", pv, "hostbus=1", "hostaddr=4", "controller=1", "port=3")
    xl("unpause", pv)
    asyncio.run(connected(pv, 0, 1))
    listed = aioxen_("usb-list", pv).out
    assert listed == xl("usb-list", pv)
    assert "\n  Port 3: Bus 001 Device 004\n" in listed

    assert aioxen_("usbdev-detach", pv, 1, 3).code == 0
    assert aioxen_("usb-list", pv).out == xl("usb-list", pv)
    assert held(pv) == [STICK]
    aioxen_("usbctrl-detach", pv, 0, 1)
    assert xl("usb-list", pv) == ""


def test_xl_detaches_what_the_commands_have_attached(xl: Xl, pv: str) -> None:
    aioxen_("usbctrl-attach", pv, "type=pv,ports=2")
    aioxen_("usbdev-attach", pv, "type=hostdev,hostbus=1", "hostaddr=4,controller=0,port=2")
    assert aioxen_("usb-list", pv).out == xl("usb-list", pv)
    xl("unpause", pv)
    asyncio.run(connected(pv, 0))
    xl("usbdev-detach", pv, "0", "2")
    assert held(pv) == []
    xl("usbctrl-detach", pv, "0")
    assert aioxen_("usb-list", "--json", pv).records() == []


def test_several_domains_and_devices(xl: Xl, pv: str, hvm: str) -> None:
    aioxen_("usbctrl-attach", hvm, "version=3")
    xl("usbdev-attach", hvm, "hostbus=1", "hostaddr=2")
    aioxen_("usbdev-attach", hvm, "hostbus=1", "hostaddr=4", "controller=1")
    xl("usbctrl-attach", pv, "ports=1")
    assert aioxen_("usb-list", pv, hvm).out == xl("usb-list", pv) + xl("usb-list", hvm)

    records = aioxen_("usb-list", "--json", pv, hvm).records()
    assert [(each["type"], each["version"], each["ports"], each["state"]) for each in records] == [
        ("pv", 2, 1, 1),
        ("devicemodel", 1, 2, 0),
        ("devicemodel", 3, 8, 0),
    ]
    assert [each["devices"] for each in records] == [
        [],
        [{"ctrl": 0, "port": 1, "type.hostdev": STICK}],
        [{"ctrl": 1, "port": 1, "type.hostdev": MOUSE}],
    ]

    done = aioxen_("usb-detach", "--json", hvm, 0, 1, "controller=1", "port=1").records()
    assert [(each["ctrl"], each["port"]) for each in done[0]["usbdevs"]] == [(0, 1), (1, 1)]
    assert held(hvm) == []
    [given] = aioxen_("usb-attach", "--json", hvm, "hostbus=1", "hostaddr=2").records()
    assert given["usbdev"] == {"ctrl": 0, "port": 1, "type.hostdev": STICK}
    aioxen_("usbctrl-detach", "--force", hvm, 0, 1)
    assert xl("usb-list", hvm) == ""


@pytest.mark.parametrize(
    ("code", "words", "command"),
    [
        (2, "a controller and a port are expected for each device", "usbdev-detach usb 0"),
        (2, "'CONTROLLER PORT...': 'x' is not a valid integer", "usbdev-detach usb 0 x"),
        (2, "Missing argument", "usbdev-attach usb"),
        (2, "'NUMBER...': 'x' is not a valid integer", "usbctrl-detach usb x"),
        (3, "hostbus and hostaddr name the device", "usbdev-attach usb hostbus=1"),
        (3, "unknown parameter 'prots'; is 'ports' meant?", "usbctrl-attach usb prots=1"),
        (4, "this host has no USB device 9-9", "usbdev-attach usb hostbus=9 hostaddr=9"),
        (4, "no device in port 1 of controller 0", "usbdev-detach usb 0 1"),
        (4, "has no vusb 7", "usbctrl-detach usb 7"),
        (4, "there is no domain named 'nobody'", "usb-list usb nobody"),
    ],
)
def test_what_is_refused(pv: str, code: int, words: str, command: str) -> None:
    aioxen_("usbctrl-attach", pv, "ports=1")
    assert words in aioxen_(*command.split(), code=code).err
    assert [each["devid"] for each in aioxen_("usb-list", "--json", pv).records()] == [0]
    assert held(pv) == []
