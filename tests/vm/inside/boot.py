# SPDX-License-Identifier: LGPL-2.1-or-later
"""boot.py KIND file|pygrub MAKER: a guest boots Debian's kernel from a file, or from its disk by pygrub."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import aioxen
from linux import left, linux, prepare, run, text
from toolstacks import tool

KIND, SOURCE, MAKER = sys.argv[1:]
TREE = Path(tempfile.mkdtemp())  # The folder with the contents of the guest's disk.
GRUB = """\
set default=0
set timeout=1
menuentry 'Linux' {
    linux /boot/vmlinuz console=hvc0 quiet loglevel=3 chosen=by-grub disk=xvda
    initrd /boot/initrd
}
"""


def bootable() -> str:
    root = TREE / "boot"
    (root / "grub").mkdir(parents=True, exist_ok=True)
    run(f"cp build/dom0/boot/vmlinuz-* {root}/vmlinuz && cp build/guest/linux-initramfs {root}/initrd")
    (root / "grub/grub.cfg").write_text(GRUB)
    run(f"truncate -s 64M /tmp/bootable && mkfs.ext4 -q -d {root.parent} /tmp/bootable")
    return "/tmp/bootable"


async def main() -> None:
    prepare()
    image = bootable()
    before = left()
    async with aioxen.Context() as xen:
        if SOURCE == "file":
            disk = f'disk = ["{image},raw,xvda,rw"]'
            config = text("g", KIND, "disk=xvda", disk, kernel=f"{TREE}/boot/vmlinuz", memory=160)
        else:
            settings = (
                f'name="g"; type="{KIND}"; memory=160; bootloader="pygrub"; disk=["{image},raw,xvda,rw"]'
            )
            config = settings.replace("; ", "\n")
        async with linux(tool(MAKER, xen), config) as (_, _, printed):
            assert ("chosen=by-grub" in printed) == (SOURCE == "pygrub")
            assert "disk xvda: ok" in printed
    assert left() == before, f"{before}\nnow:\n{left()}"


asyncio.run(main())
