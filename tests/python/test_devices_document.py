# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program in docs/devices.md works. disk() and nic() raise errors that name the wrong argument."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import aioxen
import pytest
from documents import blocks
from limits import scaled
from worldly import ROOT


async def test_the_program_of_the_document(
    kernel: Path, sim: object, nothing_left: None, tmp_path: Path
) -> None:
    program = blocks(ROOT / "docs/devices.md")[0].text
    for name in "web.img", "data.img":
        (tmp_path / name).write_bytes(bytes(1 << 20))
    for path, other in {
        "/boot/vmlinuz": str(kernel),
        "/srv": str(tmp_path),
        "/var/log": str(tmp_path),
        '"root=': '"b root=',
    }.items():
        assert path in program
        program = program.replace(path, other)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, timeout=scaled(60)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "web ['xvda', 'xvdb']\n"
    assert "root=/dev/xvda" in (tmp_path / "web.log").read_text()


def test_a_disk() -> None:
    disk = aioxen.disk("/x.img", "xvdb", readonly=True)
    assert (disk.pdev_path, disk.vdev, disk.readwrite, disk.format) == (
        "/x.img", "xvdb", 0, aioxen.DiskFormat.RAW,
    )  # fmt: skip
    assert aioxen.disk("/x.img").readwrite == 1
    with pytest.raises(ValueError, match="path"):
        aioxen.disk("")


def test_an_interface() -> None:
    nic = aioxen.nic("xenbr0", mac="00:16:3E:12:34:56")
    assert (nic.bridge, nic.mac) == ("xenbr0", bytes.fromhex("00163e123456"))
    assert aioxen.nic() == aioxen.DeviceNic()
    assert aioxen.nic(mac=b"\0\x16>\1\2\3").mac == b"\0\x16>\1\2\3"
    wrongs: list[str | bytes] = ["00:16:3e", "0:0:0:0:0:0", b"\0", "00:16:3e:12:34:5g"]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="mac"):
            aioxen.nic(mac=wrong)


def test_a_guest_with_both() -> None:
    config = aioxen.pv("g", "/k", disks=[aioxen.disk("/x.img")], nics=[aioxen.nic("br")])
    assert (config.disks[0].vdev, config.nics[0].bridge) == ("xvda", "br")
