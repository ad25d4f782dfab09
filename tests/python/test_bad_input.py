# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that cannot be added. Each fault has an error of its own, which names the device. A failed addition
leaves nothing on the host.

Each row is one fault. The test adds the device to a running domain. It also creates a domain with a
configuration that has the device as the second of its kind. Before and after, the host must have the same
nodes, files, loop devices, interfaces and processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import DeviceDisk, DeviceNic, DeviceP9, DeviceVfb, DeviceVkb, DiskBackend, DiskFormat
from leftovers import check_nothing_left, snapshot
from limits import scaled
from worldly import Configure

SCRIPTS = {
    "fails": "echo no such array >&2; exit 1",
    "hangs": "sleep 1000",
    "prints": "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo at the end; exit 1",
}
ARRAYS = {"disk": "disks", "nic": "nics", "p9": "p9s", "vfb": "vfbs", "vkb": "vkbs"}


@dataclass
class Row:
    """A fault, and the error that it causes. `device` makes the faulty device. Its argument is the folder
    with the files and scripts."""

    name: str
    kind: str
    device: Callable[[Path], Any]
    error: type[aioxen.Error]
    words: str
    sim: list[str] = field(default_factory=list)
    timeout: float | None = None
    """The time limit of the operation, in seconds. Set for faults that otherwise end the operation only at a
    longer limit of the library."""


def disk(path: str | Path, vdev: str = "xvdb", **more: Any) -> DeviceDisk:
    return DeviceDisk(vdev=vdev, pdev_path=str(path), **more)


def script_rows(kind: str, make: Callable[[str], Any]) -> Iterator[Row]:
    """Yields the rows of scripts that fail, hang, or print 1 MB."""

    def row(name: str, error: type[aioxen.Error], words: str, timeout: float | None = None) -> Row:
        return Row(f"{kind}-script-{name}", kind, lambda at: make(str(at / name)), error, words, [], timeout)

    yield row("fails", aioxen.ScriptError, "fails: exit status 1: no such array")
    yield row("hangs", aioxen.TimedOutError, "", 1.0)
    yield row("prints", aioxen.ScriptError, "prints: exit status 1: at the end")


def without_qemu(kind: str, make: Callable[[Path], Any]) -> Row:
    order = ["qemu", "all", "error=no-kvm"]
    return Row(f"no-qemu-for-{kind}", kind, make, aioxen.DeviceModelError, "no-kvm", order)


ROWS = [
    Row(
        "missing-file",
        "disk",
        lambda at: disk("/no/such"),
        aioxen.InvalidError,
        "pdev_path: /no/such: No such",
    ),
    Row(
        "missing-qcow2",
        "disk",
        lambda at: disk("/no/such", format=DiskFormat.QCOW2),
        aioxen.InvalidError,
        "pdev_path: /no/such: No such",
    ),
    Row(
        "missing-folder",
        "p9",
        lambda at: DeviceP9(tag="a", path="/no/such"),
        aioxen.InvalidError,
        "path: /no/such",
    ),
    Row(
        "missing-bridge",
        "nic",
        lambda at: DeviceNic(bridge="none"),
        aioxen.InvalidError,
        "bridge: none: No such",
    ),
    Row("wrong-vdev", "disk", lambda at: disk(at / "image", "xvd5"), aioxen.InvalidError, "vdev: 'xvd5'"),
    Row(
        "busy-disk", "disk", lambda at: disk(at / "busy", readwrite=1), aioxen.BusyError, "pdev_path: .*busy"
    ),
    Row(
        "used-name",
        "nic",
        lambda at: DeviceNic(ifname="xenbr0"),
        aioxen.BusyError,
        "ifname: xenbr0: an interface has",
    ),
    Row(
        "disk-no-script",
        "disk",
        lambda at: disk("x", script="none"),
        aioxen.ScriptError,
        "script: .*none: No such",
    ),
    Row(
        "nic-no-script",
        "nic",
        lambda at: DeviceNic(script="/none"),
        aioxen.ScriptError,
        "script: /none: No such",
    ),
    *script_rows("disk", lambda script: disk("x", script=script)),
    *script_rows("nic", lambda script: DeviceNic(script=script)),
    without_qemu("disk", lambda at: disk(at / "image", backend=DiskBackend.QDISK)),
    without_qemu("p9", lambda at: DeviceP9(tag="a", path=str(at))),
    without_qemu("vfb", lambda at: DeviceVfb()),
    without_qemu("vkb", lambda at: DeviceVkb()),
]


@pytest.fixture
def folder(tmp_path: Path, sim: Callable[..., str]) -> Iterator[Path]:
    for name in "image", "busy", "first":
        (tmp_path / name).write_bytes(bytes(1 << 16))
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_text(f'#!/bin/sh\ncase "$1" in remove|offline) exit 0; esac\n{text}\n')
        (tmp_path / name).chmod(0o755)
    yield tmp_path
    sim("behaviours", "clear")


@contextlib.asynccontextmanager
async def user_of(xen: aioxen.Context, config: aioxen.DomainConfig, folder: Path) -> AsyncIterator[None]:
    """Runs a domain that writes to the file `busy`, until the end of the block."""
    config.c_info.name = "user"
    config.disks = [disk(folder / "busy", readwrite=1)]
    async with xen.domain_create(config):
        yield


def firsts(kind: str, folder: Path) -> list[Any]:
    """Returns the devices that precede the wrong device in the configuration."""
    devices = {
        "disk": disk(folder / "first", "xvda"),
        "nic": DeviceNic(devid=7),
        "p9": DeviceP9(tag="first", path="/", devid=7),
    }
    return [devices[kind]] if kind in devices else []


async def check(operation: Any, row: Row, place: str) -> None:
    async with asyncio.timeout(scaled(20)):
        with pytest.raises(row.error) as caught:
            await operation
    assert not row.words or re.search(place + ".*" + row.words, str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_a_device_that_cannot_be_added(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str], folder: Path, row: Row
) -> None:
    async with user_of(xen, guest("b"), folder):
        async with xen.domain_create(guest("b", disks=[disk(folder / "first", "xvda")])) as dom:
            before = snapshot()
            if row.sim:
                sim(*row.sim)
            add = getattr(dom, f"{row.kind}_add")
            await check(add(row.device(folder), timeout=row.timeout), row, "")
            check_nothing_left(before, row.name)
            assert len((await dom.configuration()).disks) == 1

        sim("behaviours", "clear")
        before = snapshot()
        config, device = guest("b"), row.device(folder)
        setattr(config, ARRAYS[row.kind], [*firsts(row.kind, folder), device])
        if row.sim:
            sim(*row.sim)
        # All devices of a domain share one QEMU, so its error names only the domain.
        of_domain = row.error is aioxen.DeviceModelError
        place = "" if of_domain else rf"^{ARRAYS[row.kind]}\[\d\]: "
        await check(xen.domain_create(config, timeout=row.timeout), row, place)
        check_nothing_left(before, row.name)


async def test_two_of_one_number(xen: aioxen.Context, guest: Configure, folder: Path, sim: object) -> None:
    pairs = {
        "disks": [disk(folder / "first"), disk(folder / "image")],
        "nics": [DeviceNic(devid=3), DeviceNic(devid=3)],
        "p9s": [DeviceP9(tag="a", path="/", devid=3), DeviceP9(tag="b", path="/", devid=3)],
        "vkbs": [DeviceVkb(devid=3), DeviceVkb(devid=3)],
    }
    before = snapshot()
    for name, devices in pairs.items():
        config = guest("b")
        setattr(config, name, devices)
        with pytest.raises(aioxen.DeviceExistsError, match=rf"{name}\[[01]\]: domain \d+ has a"):
            await xen.domain_create(config)
        check_nothing_left(before, name)


async def test_the_name_of_another_domain(
    xen: aioxen.Context, guest: Configure, folder: Path, sim: object
) -> None:
    async with xen.domain_create(guest("b")):
        before = snapshot()
        with pytest.raises(aioxen.DomainExistsError, match=r"d_config\.c_info\.name: there is a domain"):
            await xen.domain_create(guest("b", disks=[disk(folder / "image")]))
        check_nothing_left(before)


@pytest.mark.parametrize("kind", ["disk", "nic"])
async def test_a_backend_domain_that_dies(
    xen: aioxen.Context, guest: Configure, folder: Path, sim: Callable[..., str], kind: str
) -> None:
    before = snapshot()
    server = await xen.domain_create(guest("b driver", name="server"))
    await server.unpause()
    try:
        async with xen.domain_create(guest("b")) as dom:
            sim("backend", "all", "mute")
            given: Any = {"backend_domid": server.domid}
            device = disk(folder / "image", **given) if kind == "disk" else DeviceNic(**given)
            operation = getattr(dom, f"{kind}_add")(device)
            while "backend" not in [info.phase for info in xen.operations()]:
                await asyncio.sleep(0.01)
            await server.destroy()
            with pytest.raises(aioxen.NoBackendError, match="which serves the device"):
                await operation
    finally:
        sim("behaviours", "clear")
        with contextlib.suppress(aioxen.DomainNotFoundError):
            await server.destroy()
    check_nothing_left(before)
