#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Put a medium into the CD drive of an HVM guest, or empty the drive if no medium is given.

A guest that uses its medium locks the drive. With --force the medium is taken out all the same.
"""

import asyncio
from pathlib import Path

import aioxen
import click


async def change(name: str, vdev: str, medium: Path | None, force: bool) -> None:
    async with aioxen.Context() as xen:
        guest = await xen.domain_find(name)
        try:
            if medium is None:
                await guest.cdrom_eject(vdev)
            else:
                await guest.cdrom_insert(aioxen.DeviceDisk(vdev=vdev, pdev_path=str(medium)))
        except aioxen.DeviceRefusedError as error:
            print(f"{vdev}: {error}")
            if not force:
                return
            await guest.cdrom_eject(vdev, force=True)
            if medium is not None:
                await guest.cdrom_insert(aioxen.DeviceDisk(vdev=vdev, pdev_path=str(medium)))
        print(f"{vdev}: {medium or 'empty'}")


@click.command(help=__doc__)
@click.argument("name")
@click.argument("vdev")
@click.argument("medium", required=False, type=click.Path(exists=True, resolve_path=True, path_type=Path))
@click.option("--force", is_flag=True, help="Do not take no for an answer.")
def main(name: str, vdev: str, medium: Path | None, force: bool) -> None:
    asyncio.run(change(name, vdev, medium, force))


if __name__ == "__main__":
    main()
