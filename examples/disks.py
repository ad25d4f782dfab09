#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plug a disk into a guest that runs, wait until the guest has connected to it, and unplug it again.

With --force the disk is removed by force if the guest refuses to release it.
"""

import asyncio
from pathlib import Path

import aioxen
import click

VDEV, NUMBER = "xvdz", 1 << 28 | 25 << 8  # The name and the number of the disk; see xen-vbd-interface(7).


async def unplug(guest: aioxen.Domain, disk: aioxen.DeviceDisk, force: bool) -> None:
    try:
        await guest.disk_remove(disk)
        print(f"{disk.vdev}: unplugged")
    except (aioxen.DeviceRefusedError, aioxen.GuestCannotAnswerError, aioxen.GuestTimedOutError) as error:
        print(f"{disk.vdev}: {error}")
        if force:
            await guest.disk_destroy(disk)
            print(f"{disk.vdev}: taken away")


async def plug_and_unplug(name: str, image: Path, patience: float, force: bool) -> None:
    async with aioxen.Context() as xen:
        guest = await xen.domain_find(name)
        disk = aioxen.DeviceDisk(pdev_path=str(image), vdev=VDEV, readwrite=1)
        await guest.disk_add(disk)
        print(f"{VDEV}: plugged")
        try:
            await asyncio.wait_for(guest.device_wait_connected("vbd", NUMBER), patience)
            print(f"{VDEV}: connected")
        except (TimeoutError, aioxen.DeviceError, aioxen.GuestCannotAnswerError) as error:
            print(f"{VDEV}: the guest has not connected to it: {error}")
        await unplug(guest, disk, force)


@click.command(help=__doc__)
@click.argument("name")
@click.argument("image", type=click.Path(exists=True, resolve_path=True, path_type=Path))
@click.option("--patience", default=10.0, help="Seconds that the guest has to connect.")
@click.option("--force", is_flag=True, help="Do not take no for an answer.")
def main(name: str, image: Path, patience: float, force: bool) -> None:
    asyncio.run(plug_and_unplug(name, image, patience, force))


if __name__ == "__main__":
    main()
