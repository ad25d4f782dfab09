# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands for CD drives of HVM domains: cd-insert, cd-eject."""

from __future__ import annotations

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.parallel import Done, each
from aioxen.cli.progress import Report
from aioxen.cli.select import domain_argument

FORMATS = ("raw", "qcow2", "vhd", "qed")


@command("cd-insert")
@domain_argument()
@click.argument("vdev", metavar="VDEV")
@click.argument("path", metavar="FILE", type=click.Path(resolve_path=True))
@click.option("--format", "kind", type=click.Choice(FORMATS), default="raw", help="The format of FILE.")
async def cd_insert(session: Session, domain: str, vdev: str, path: str, kind: str) -> None:
    """Inserts a medium into a CD drive of an HVM domain, instead of the medium that is there.

    VDEV is the drive, such as hdc.
    """
    disk = aioxen.DeviceDisk(vdev=vdev, pdev_path=path, format=aioxen.DiskFormat[kind.upper()])

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.cdrom_insert(disk, timeout=session.timeout, progress=report)
        return Done(f"{path} inserted into {vdev}", {"outcome": "inserted", "vdev": vdev, "path": path})

    await each(session, [domain], act)


@command("cd-eject")
@domain_argument()
@click.argument("vdev", metavar="VDEV")
@click.option("--force", is_flag=True, help="Eject even if the guest has locked the drive.")
async def cd_eject(session: Session, domain: str, vdev: str, force: bool) -> None:
    """Ejects the medium of a CD drive of an HVM domain. VDEV is the drive, such as hdc."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.cdrom_eject(vdev, force, timeout=session.timeout, progress=report)
        return Done(f"{vdev} is empty", {"outcome": "ejected", "vdev": vdev})

    await each(session, [domain], act)
