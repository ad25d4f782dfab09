# SPDX-License-Identifier: LGPL-2.1-or-later
"""domain_statistics() returns the counters of every domain, and the counters of the domain's disks
and interfaces."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from limits import scaled
from worldly import Configure

DISKS, NICS = Path("/sys/bus/xen-backend/devices"), Path("/sys/class/net")
OF_DISK = ("rd_req", "wr_req", "f_req", "ds_req", "oo_req", "rd_sect", "wr_sect")
OF_NIC = tuple(f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped"))


def play(device: Path, files: tuple[str, ...], first: int) -> None:
    """Writes the counter files of a backend driver. The files get the numbers first, first + 1 and so on."""
    # The simulator keeps these files in another folder.
    statistics = device.parent.resolve() / device.name / "statistics"
    statistics.mkdir(parents=True)
    for number, name in enumerate(files, first):
        (statistics / name).write_text(f"{number}\n")


@pytest.fixture
def counted(sim: Callable[..., str]) -> Iterator[list[Path]]:
    """Yields a list for directories of devices. The fixture removes these directories after the test."""
    made: list[Path] = []
    yield made
    for device in made:
        shutil.rmtree(device.parent.resolve() / device.name)


async def test_devices_are_those_of_their_domains(
    xen: aioxen.Context, guest: Configure, counted: list[Path]
) -> None:
    one = await xen.domain_create(guest(name="one"))
    two = await xen.domain_create(guest(name="two"))
    for device, files, first in (
        (DISKS / f"vbd-{two.domid}-51728", OF_DISK, 20),
        (DISKS / f"vbd-{two.domid}-51712", OF_DISK, 10),
        (NICS / f"vif{one.domid}.0", OF_NIC, 30),
        (NICS / f"vif{one.domid}.0-emu", OF_NIC, 40),  # An interface of another program.
        (DISKS / "vbd-30000-51712", OF_DISK, 50),  # A disk of a domain that is gone.
        (DISKS / f"vif-{one.domid}-0", OF_NIC, 60),
    ):
        play(device, files, first)
        counted.append(device)
    # The driver of this disk has ended.
    (DISKS.resolve() / f"vbd-{two.domid}-51728/statistics/wr_sect").unlink()
    found = {domain.info.domid: domain for domain in await xen.domain_statistics()}
    assert found[one.domid].disks == []
    assert found[one.domid].nics == [aioxen.NicCounters(0, 34, 35, 36, 37, 30, 31, 32, 33)]
    assert found[two.domid].nics == []
    assert found[two.domid].disks == [
        aioxen.DiskCounters(51712, 10, 11, 12, 13, 14, 15, 16),
        aioxen.DiskCounters(51728, 20, 21, 22, 23, 24, 25, 0),
    ]
    plain = {domain.info.domid: domain for domain in await xen.domain_statistics(devices=False)}
    assert plain[two.domid].disks == []
    assert len(plain[two.domid].vcpus) == 1
    await one.destroy()
    await two.destroy()


async def test_the_devices_of_xl(
    xen: aioxen.Context, kernel: Path, tmp_path: Path, xl: Callable[..., str], sim: Callable[..., str]
) -> None:
    """The library returns the counters of simulated drivers in the same way as the counters of
    real drivers."""
    disk, config = tmp_path / "disk", tmp_path / "counted.cfg"
    disk.write_bytes(bytes(1 << 20))
    config.write_text(
        f'name="counted"\ntype="pv"\nkernel="{kernel}"\ncmdline="b"\nmemory=32\ndisk=["file:{disk},xvda,w"]\n'
    )
    xl("create", "-q", str(config))
    domid = int(xl("domid", "counted"))
    found: list[tuple[int, int]] = []
    async with asyncio.timeout(scaled(10)):
        while found != [(51712, 1000 * domid + 6)]:  # xl does not wait until the disk is connected.
            await asyncio.sleep(0.01)
            domains = await xen.domain_statistics()
            (domain,) = (each for each in domains if each.info.domid == domid)
            found = [(each.devid, each.write_sectors) for each in domain.disks]
    xl("destroy", "counted")
    await xen.domain_wait_gone(domid)
