# SPDX-License-Identifier: LGPL-2.1-or-later
"""The media of the CD drives of HVM domains. QEMU, the backend's nodes and the stored configuration agree
after each change, also after a failed change."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aioxen
import pytest
from aioxen import DeviceDisk, DiskFormat, DomainConfig
from command_line import COMMAND
from test_device_model import qemus
from worldly import ROOT, Configure, read_node

Sim = Callable[..., str]
ABSENT = "/no/such/file"


@pytest.fixture(autouse=True)
def _as_before(hypervisor: None, sim: Sim) -> Iterator[None]:
    yield
    sim("behaviours", "clear")
    assert qemus() == {}


@asynccontextmanager
async def machine(xen: aioxen.Context, hvm: DomainConfig) -> AsyncIterator[aioxen.Domain]:
    """Makes an HVM domain with the empty drive hdc."""
    dom = await xen.domain_create(hvm)
    try:
        yield dom
    finally:
        await dom.destroy(timeout=20)


async def printed(*command: str, status: int = 0) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == status
    return output.decode()


async def media(dom: aioxen.Domain) -> set[str]:
    """Returns what QEMU, xenstore and the stored configuration say about the drive hdc."""
    [drive] = [d["file"] for d in await dom.qmp("query-block") if d["device"] == "ide-5632"]
    nodes = (
        f"/local/domain/0/backend/qdisk/{dom.domid}/5632/params",
        f"/libxl/{dom.domid}/device/vbd/5632/params",
    )
    params = {str(read_node(node)).partition(":")[2] for node in nodes}
    [disk] = [disk for disk in (await dom.configuration()).disks if disk.vdev == "hdc"]
    assert disk.format != DiskFormat.EMPTY or not disk.pdev_path
    [listed] = [disk for disk in await dom.disk_list() if disk.vdev == "hdc"]
    return {drive, *params, disk.pdev_path or "", listed.pdev_path or ""}


async def test_a_medium_comes_and_goes(
    xen: aioxen.Context, hvm: DomainConfig, hvm_files: dict[str, str]
) -> None:
    async with machine(xen, hvm) as dom:
        assert await media(dom) == {""}
        for name in "cd", "table":
            await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files[name]))
            assert await media(dom) == {hvm_files[name]}
        for _ in range(2):
            await dom.cdrom_eject("hdc")
            assert await media(dom) == {""}
        await dom.cdrom_insert(DeviceDisk(vdev="hdc"))
        assert await media(dom) == {""}


@pytest.mark.parametrize(
    ("disk", "error", "words"),
    [
        (
            DeviceDisk(vdev="hda", pdev_path=ABSENT),
            aioxen.InvalidError,
            "hda of domain .* not an emulated CD",
        ),
        (DeviceDisk(vdev="hdb", pdev_path=ABSENT), aioxen.NotFoundError, "has no disk hdb"),
        (DeviceDisk(vdev="nonsense"), aioxen.InvalidError, "'nonsense' is not the name"),
        (DeviceDisk(pdev_path=ABSENT), aioxen.InvalidError, "vdev: missing"),
        (DeviceDisk(vdev="hdc", pdev_path=ABSENT), aioxen.InvalidError, f"{ABSENT}: No such file"),
        (DeviceDisk(vdev="hdc", pdev_path="/dev/null"), aioxen.InvalidError, "neither a file nor a block"),
        (DeviceDisk(vdev="hdc", pdev_path="/", readwrite=1), aioxen.InvalidError, "readwrite: "),
        (DeviceDisk(vdev="hdc", pdev_path="/", format=DiskFormat.QCOW), aioxen.NotSupportedError, "format"),
    ],
)
async def test_what_is_refused(
    xen: aioxen.Context,
    hvm: DomainConfig,
    hvm_files: dict[str, str],
    disk: DeviceDisk,
    error: type[aioxen.Error],
    words: str,
) -> None:
    async with machine(xen, hvm) as dom:
        await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files["cd"]))
        with pytest.raises(error, match=words):
            await dom.cdrom_insert(disk)
        assert await media(dom) == {hvm_files["cd"]}


async def test_the_guest_locks_the_drive(
    xen: aioxen.Context, hvm: DomainConfig, sim: Sim, hvm_files: dict[str, str]
) -> None:
    sim("qemu", "all", "refuses")
    hvm.disks[1].pdev_path = hvm_files["cd"]
    async with machine(xen, hvm) as dom:
        with pytest.raises(aioxen.DeviceRefusedError, match="the guest has locked the drive hdc"):
            await dom.cdrom_eject("hdc")
        with pytest.raises(aioxen.DeviceRefusedError):
            await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files["table"]))
        assert await media(dom) == {hvm_files["cd"]}
        example = (sys.executable, str(ROOT / "examples/media.py"), "hvm", "hdc")
        assert "the guest has locked the drive" in await printed(*example)
        assert await media(dom) == {hvm_files["cd"]}
        assert f"hdc: {hvm_files['table']}" in await printed(*example, hvm_files["table"], "--force")
        assert await media(dom) == {hvm_files["table"]}
        await dom.cdrom_eject("hdc", force=True)
        assert await media(dom) == {""}


async def test_other_types_of_guests(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("b"))
    with pytest.raises(aioxen.InvalidError, match=r"domain \d+ is not HVM"):
        await dom.cdrom_insert(DeviceDisk(vdev="hdc"))
    await dom.destroy()


@pytest.mark.parametrize("lie", ["garbage", "flood", "nested", "types", "silent"])
async def test_a_device_model_that_lies(
    xen: aioxen.Context, hvm: DomainConfig, sim: Sim, hvm_files: dict[str, str], lie: str
) -> None:
    """The device model answers correctly until the medium is changed."""
    sim("qemu", "all", f"lies=later-{lie}")
    async with machine(xen, hvm) as dom:
        timeout = 1 if lie == "silent" else None
        error = aioxen.TimedOutError if lie == "silent" else aioxen.FailedError
        with pytest.raises(error):
            await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files["cd"]), timeout=timeout)
        node = f"/local/domain/0/backend/qdisk/{dom.domid}/5632/params"
        assert read_node(node) == "aio:"


async def test_a_device_model_that_has_ended(
    xen: aioxen.Context, hvm: DomainConfig, hvm_files: dict[str, str]
) -> None:
    async with machine(xen, hvm) as dom:
        [pid] = qemus()
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(aioxen.DeviceModelError):
            await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files["cd"]))


async def test_two_at_once(xen: aioxen.Context, hvm: DomainConfig, hvm_files: dict[str, str]) -> None:
    """Two changes run at the same time. The nodes describe the change that is made last."""
    async with machine(xen, hvm) as dom:
        names = ["cd", "table", "image"] * 3
        await asyncio.gather(
            *(dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files[name])) for name in names)
        )
        assert len(await media(dom)) == 1


async def test_the_lock_of_xl_is_respected(
    xen: aioxen.Context, hvm: DomainConfig, hvm_files: dict[str, str]
) -> None:
    async with machine(xen, hvm) as dom:
        path = Path(f"/var/lib/xen/userdata-l.{dom.domid}.{dom.uuid}.libxl-device-changes-lock")
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(aioxen.TimedOutError):
                await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files["cd"]), timeout=0.3)
            assert await media(dom) == {""}
            later = asyncio.ensure_future(dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files["cd"])))
            await asyncio.sleep(0)
            path.unlink()
        await later
        assert await media(dom) == {hvm_files["cd"]}
        assert not path.exists()


async def test_xl_and_this_library_change_the_same_drive(
    xen: aioxen.Context, hvm: DomainConfig, hvm_files: dict[str, str], xl: Callable[..., str]
) -> None:
    async with machine(xen, hvm) as dom:
        await asyncio.to_thread(xl, "cd-insert", "hvm", "hdc", hvm_files["cd"])
        assert await media(dom) == {hvm_files["cd"]}
        await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files["table"]))
        assert await media(dom) == {hvm_files["table"]}
        await asyncio.to_thread(xl, "cd-eject", "hvm", "hdc")
        assert await media(dom) == {""}


async def test_a_restricted_device_model_gets_the_file(
    xen: aioxen.Context, hvm: DomainConfig, hvm_files: dict[str, str]
) -> None:
    hvm.b_info.dm_restrict = True
    hvm.b_info.device_model_user = "nobody"
    async with machine(xen, hvm) as dom:
        await dom.cdrom_insert(DeviceDisk(vdev="hdc", pdev_path=hvm_files["cd"]))
        assert await media(dom) == {hvm_files["cd"]}


async def test_the_commands(xen: aioxen.Context, hvm: DomainConfig, hvm_files: dict[str, str]) -> None:
    async with machine(xen, hvm) as dom:
        told = await printed(*COMMAND, "cd-insert", "hvm", "hdc", hvm_files["cd"])
        assert f"{hvm_files['cd']} inserted into hdc" in told
        assert await media(dom) == {hvm_files["cd"]}
        await printed(*COMMAND, "cd-insert", "hvm", "hdb", hvm_files["cd"], status=4)
        told = await printed(*COMMAND, "cd-eject", "hvm", "hdc", "--force", "--json")
        assert json.loads(told)["outcome"] == "ejected"
        assert await media(dom) == {""}
