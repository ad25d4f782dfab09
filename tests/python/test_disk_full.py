# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's disk is full. The error names the file, and nothing is left."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from limits import scaled
from worldly import Configure, read_node

pytestmark = pytest.mark.skipif(
    "AIOXEN_SIM_DIR" not in os.environ, reason="mounts over the world's directories"
)

STORED = Path("/var/lib/xen")
LOGS = Path("/var/log/xen")


@contextlib.contextmanager
def small(path: Path, inodes: int = 0) -> Iterator[Path]:
    """Mounts a file system of 16 KiB at a directory. Yields a file with which fill() fills it.

    inodes: The most files and directories that it can have; 0: no limit."""
    options = f"size=16k,nr_inodes={inodes}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], check=True)
    try:
        yield path / "filler"
    finally:
        subprocess.run(["umount", path], check=True)


def fill(filler: Path) -> None:
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


async def test_a_creation(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str], nothing_left: None, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    config = guest("b", disks=[aioxen.disk(image, "xvda")])
    with small(STORED) as filler:
        fill(filler)
        with pytest.raises(aioxen.FailedError, match=r"writing /var/lib/xen/userdata-n\.\S+: No space left"):
            await xen.domain_create(config)
        assert os.listdir(STORED) == ["filler"]
        filler.unlink()
        await (await xen.domain_create(config)).destroy()
        assert os.listdir(STORED) == []
    assert sim("loops") == ""


async def test_changes_of_the_stored_configuration(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str], nothing_left: None, tmp_path: Path
) -> None:
    first, second = (aioxen.disk(tmp_path / name, name) for name in ("xvda", "xvdb"))
    for name in "xvda", "xvdb":
        (tmp_path / name).write_bytes(bytes(1 << 20))
    with small(STORED) as filler:
        dom = await xen.domain_create(guest("b", disks=[first]))
        name = await dom.name()
        (file,) = STORED.glob("userdata-d.*.libxl-json")
        before = file.read_bytes()
        fill(filler)
        words = r"writing /var/lib/xen/userdata-n\.\S+: No space left"
        with pytest.raises(aioxen.FailedError, match=words):
            await dom.disk_add(second)
        with pytest.raises(aioxen.FailedError, match=words):
            await dom.nic_add(aioxen.DeviceNic())
        with pytest.raises(aioxen.FailedError, match=words):
            await dom.rename("another")
        assert await dom.name() == name
        assert [device.kind for device in await dom.devices()] == ["vbd"]
        assert read_node(f"/local/domain/0/backend/vif/{dom.domid}") is None
        assert sorted(os.listdir(STORED)) == ["filler", file.name]
        assert file.read_bytes() == before
        await dom.disk_destroy(first)  # A removal does not need the disk.
        assert (await dom.configuration()).disks == []
        assert len(json.loads(file.read_text().rstrip("\0"))["disks"]) == 1
        await dom.destroy()
        assert os.listdir(STORED) == ["filler"]
    assert sim("loops") == ""


async def test_the_log_of_a_device_model(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str], nothing_left: None, tmp_path: Path
) -> None:
    config = guest("b")
    config.p9s = [aioxen.DeviceP9(tag="share", path=str(tmp_path))]
    with small(LOGS, inodes=1):  # There is no room for another file.
        words = r"/var/log/xen/qemu-dm-\S+\.log: No space left"
        with pytest.raises(aioxen.DeviceModelError, match=words):
            await xen.domain_create(config)
        assert os.listdir(LOGS) == []
    with small(LOGS) as filler:  # A log can be made, but QEMU cannot write to it.
        fill(filler)
        async with xen.domain_create(config) as dom:
            await dom.unpause()
            await dom.device_wait_connected("9pfs", 0)
    running = subprocess.run(["pgrep", "-f", "xen-qemu-system"], capture_output=True, text=True)
    assert running.stdout == ""


async def test_the_log_of_a_console(
    xen: aioxen.Context, guest: Configure, nothing_left: None, tmp_path: Path
) -> None:
    """The console goes on without its log."""
    dom = await xen.domain_create(guest("b"))
    with small(LOGS) as filler:
        fill(filler)
        with pytest.raises(OSError, match="No space left") as told:
            async with dom.console() as console:
                await console.log_to(LOGS / "console.log")
                await dom.unpause()
                await console.expect("tiny", timeout=scaled(10))
        assert (told.value.errno, told.value.filename) == (errno.ENOSPC, str(LOGS / "console.log"))
    await dom.destroy()
