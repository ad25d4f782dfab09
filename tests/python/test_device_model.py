# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU that serves a domain's disks in QEMU's formats, shared folders and framebuffer."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from aioxen import DeviceDisk, DeviceP9, DeviceVfb, DeviceVkb, DiskFormat
from limits import scaled
from worldly import ROOT, Configure, read_node, write_node

PROGRAM = Path("/usr/libexec/xen-qemu-system-i386")
LOG = Path("/var/log/xen")


def qemus() -> dict[int, list[str]]:
    """Returns the command lines of all QEMUs, by process id. A process that ends loses its command line
    before the kernel closes its files. So a QEMU is found by the name of its process, and is in the result
    until its files are closed."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")[:-1]
            name, state = (process / "stat").read_text().split("(", 1)[1].rsplit(") ", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if name == PROGRAM.name[:15] and state[0] not in "ZX":
            found[int(process.name)] = words
    return found


def sockets() -> list[str]:
    return sorted(os.listdir("/run/xen")) if Path("/run/xen").is_dir() else []


async def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + scaled(10)
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _no_qemu_left(hypervisor: None, sim: Callable[..., str]) -> Iterator[None]:
    """Checks that each test ends its QEMUs, and that their sockets and nodes are gone."""
    before = sockets()
    yield
    sim("behaviours", "clear")
    assert qemus() == {}
    assert [name for name in sockets() if "qmp" in name] == [name for name in before if "qmp" in name]
    for path in "device-model", "backend/qdisk", "backend/9pfs", "backend/vfb", "backend/vkbd":
        left = subprocess.run(["xenstore-list", f"/local/domain/0/{path}"], capture_output=True, text=True)
        assert left.stdout == "", path


@pytest.fixture
def image(tmp_path: Path) -> DeviceDisk:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 16))
    return DeviceDisk(vdev="xvda", pdev_path=str(path), format=DiskFormat.QCOW2, readwrite=1)


@pytest.fixture
def full(guest: Configure, image: DeviceDisk, tmp_path: Path) -> aioxen.DomainConfig:
    """Makes the configuration of a guest with one device of each kind."""
    config = guest("b")
    config.disks = [image]
    config.p9s = [DeviceP9(tag="share", path=str(tmp_path))]
    config.vfbs = [DeviceVfb()]
    config.vkbs = [DeviceVkb()]
    return config


def states(domid: int) -> dict[str, str | None]:
    """Returns the states of the backends of a guest that has the configuration `full`."""
    kinds = {"qdisk": 51712, "9pfs": 0, "vfb": 0, "vkbd": 0}
    return {
        kind: read_node(f"/local/domain/0/backend/{kind}/{domid}/{number}/state")
        for kind, number in kinds.items()
    }


async def test_all_kinds(xen: aioxen.Context, full: aioxen.DomainConfig) -> None:
    dom = await xen.domain_create(full)
    [(pid, words)] = qemus().items()
    assert read_node(f"/local/domain/{dom.domid}/image/device-model-pid") == str(pid)
    assert words[1:3] == ["-xen-domid", str(dom.domid)]
    assert os.getsid(pid) != os.getsid(0), "signals of the terminal would reach it"
    await dom.unpause()
    await until(lambda: set(states(dom.domid).values()) == {"4"}, str(states(dom.domid)))
    await dom.destroy()


def test_the_command_line_is_that_of_xl(xl: Callable[..., str], guest: Configure, tmp_path: Path) -> None:
    async def ours(config: aioxen.DomainConfig) -> list[str]:
        async with aioxen.Context() as xen:
            dom = await xen.domain_create(config)
            [words] = qemus().values()
            await dom.destroy()
            return words

    config = guest("b", memory="33M")
    config.vfbs = [
        DeviceVfb(vnc=aioxen.VncInfo(listen="127.0.0.2", display=7, findunused=False), keymap="de")
    ]
    config.vkbs = [DeviceVkb()]
    mine = asyncio.run(ours(config))
    path = tmp_path / "cfg"
    path.write_text(
        f'name="{config.c_info.name}"\ntype="pv"\nkernel="{ROOT}/build/guest/tiny"\ncmdline="b"\nmemory=33\n'
        'vfb=["vnc=1,vnclisten=127.0.0.2,vncdisplay=7,vncunused=0,keymap=de"]\n'
    )
    xl("create", "-pq", str(path))
    [theirs] = qemus().values()
    xl("destroy", config.c_info.name or "")
    position = theirs.index("-xen-domid") + 1
    mine[position] = theirs[position]
    assert [
        word.replace(f"-{int(theirs[position]) - 1},", f"-{theirs[position]},") for word in mine
    ] == theirs


async def test_the_password_is_told_by_qmp(xen: aioxen.Context, guest: Configure) -> None:
    config = guest("b")
    config.vfbs = [DeviceVfb(vnc=aioxen.VncInfo(passwd="secret"))]
    dom = await xen.domain_create(config)
    [words] = qemus().values()
    assert not any("secret" in word for word in words)
    assert any(",password=on" in word for word in words)
    await dom.destroy()


@pytest.mark.parametrize("behaviour", ["error=no-kvm", "error"])
async def test_a_qemu_that_ends(
    xen: aioxen.Context, full: aioxen.DomainConfig, sim: Callable[..., str], behaviour: str
) -> None:
    words = behaviour.partition("=")[2] or "could not initialise"
    sim("qemu", "all", behaviour)
    with pytest.raises(aioxen.DeviceModelError, match=f"the device model has ended: qemu: {words}"):
        await xen.domain_create(full)


async def test_a_qemu_that_ends_when_it_gets_a_command(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str]
) -> None:
    sim("qemu", "all", "dies=no-cipher")
    config = guest("b")
    config.vfbs = [DeviceVfb(vnc=aioxen.VncInfo(passwd="secret"))]
    with pytest.raises(aioxen.DeviceModelError, match="the device model has ended: qemu: no-cipher"):
        await xen.domain_create(config)


async def test_a_qemu_that_prints_a_megabyte(
    xen: aioxen.Context, full: aioxen.DomainConfig, sim: Callable[..., str]
) -> None:
    sim("qemu", "all", "nonsense=8000")
    dom = await xen.domain_create(full)
    assert (LOG / f"qemu-dm-{full.c_info.name}.log").stat().st_size > 1_000_000
    await dom.destroy()


async def test_a_qemu_that_never_runs(
    xen: aioxen.Context, full: aioxen.DomainConfig, sim: Callable[..., str]
) -> None:
    sim("qemu", "all", "mute")
    with pytest.raises(aioxen.TimedOutError):
        await xen.domain_create(full, timeout=0.7)
    await until(lambda: not qemus(), "the process stays")


async def test_a_missing_qemu(xen: aioxen.Context, full: aioxen.DomainConfig) -> None:
    away = PROGRAM.with_name("away")
    PROGRAM.rename(away)
    try:
        with pytest.raises(aioxen.DeviceModelError, match=f"{PROGRAM}: No such file or directory"):
            await xen.domain_create(full)
    finally:
        away.rename(PROGRAM)


async def test_what_is_missing_is_named_by_its_path(
    xen: aioxen.Context, guest: Configure, image: DeviceDisk, tmp_path: Path
) -> None:
    config = guest("b")
    config.disks = [image, DeviceDisk(vdev="xvdb", pdev_path="/no/such", format=DiskFormat.VHD)]
    with pytest.raises(aioxen.InvalidError, match=r"disks\[1\]: pdev_path: /no/such: No such file"):
        await xen.domain_create(config)
    config.disks = []
    config.p9s = [DeviceP9(tag="a", path=str(tmp_path)), DeviceP9(tag="b", path="/no/such")]
    with pytest.raises(aioxen.InvalidError, match=r"p9s\[1\]: path: /no/such: No such file"):
        await xen.domain_create(config)
    config.p9s = [DeviceP9(tag="a", path=str(image.pdev_path))]
    with pytest.raises(aioxen.InvalidError, match=r"p9s\[0\]: path: .* is not a folder"):
        await xen.domain_create(config)


async def test_devices_that_are_plugged_in_at_once_share_a_qemu(
    xen: aioxen.Context, guest: Configure, image: DeviceDisk, tmp_path: Path
) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    assert qemus() == {}
    share = DeviceP9(tag="share", path=str(tmp_path), devid=3)
    await asyncio.gather(dom.disk_add(image), dom.p9_add(share), dom.vkb_add(DeviceVkb()))
    assert len(qemus()) == 1
    await until(lambda: read_node(f"/local/domain/{dom.domid}/device/9pfs/3/state") == "4", "the share")
    await until(lambda: read_node(f"/local/domain/{dom.domid}/device/vbd/51712/state") == "4", "the disk")
    await asyncio.gather(dom.p9_remove(share), dom.disk_remove(image))
    assert len(qemus()) == 1, "QEMU serves the keyboard still"
    await dom.destroy()


async def test_a_cancelled_start_leaves_no_qemu(
    xen: aioxen.Context, guest: Configure, image: DeviceDisk, sim: Callable[..., str]
) -> None:
    sim("qemu", "all", "mute")
    dom = await xen.domain_create(guest("b"))
    first = asyncio.ensure_future(dom.disk_add(image))
    await until(qemus, "no process")
    second = asyncio.ensure_future(dom.vkb_add(DeviceVkb()))
    await until(lambda: [o.phase for o in xen.operations()].count("model") == 2, "the second does not wait")
    sim("behaviours", "clear")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second  # The first start was cancelled, so this operation starts QEMU.
    assert len(qemus()) == 1
    assert read_node(f"/local/domain/{dom.domid}/device/vbd/51712") is None
    await dom.destroy()


async def test_a_qemu_that_was_killed_does_not_hold_up_the_end(
    xen: aioxen.Context, full: aioxen.DomainConfig
) -> None:
    dom = await xen.domain_create(full)
    [pid] = qemus()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not qemus(), "the process stays")
    await dom.destroy(timeout=scaled(8))


async def test_devices_of_a_qemu_that_was_killed_are_removed_at_once(
    xen: aioxen.Context, guest: Configure, image: DeviceDisk, tmp_path: Path
) -> None:
    config = guest("b")
    share = DeviceP9(tag="share", path=str(tmp_path), devid=0)
    config.disks, config.p9s = [image], [share]
    dom = await xen.domain_create(config)
    [pid] = qemus()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not qemus(), "the process stays")
    # disk_remove would wait up to 10 s for the backend. disk_destroy does not wait.
    await dom.disk_destroy(image, timeout=scaled(8))
    assert read_node(f"/local/domain/0/backend/qdisk/{dom.domid}/51712/state") is None
    await dom.p9_destroy(share, timeout=scaled(8))
    await dom.destroy()


async def test_a_qemu_that_dies_during_a_forced_removal(
    xen: aioxen.Context, guest: Configure, image: DeviceDisk, sim: Callable[..., str]
) -> None:
    config = guest("b")
    config.disks = [image]
    dom = await xen.domain_create(config)
    sim("backend", f"{dom.domid}/qdisk", "mute")
    [pid] = qemus()
    removal = asyncio.ensure_future(dom.disk_destroy(image, timeout=scaled(8)))
    frontend = f"/local/domain/{dom.domid}/device/vbd/51712/state"
    await until(lambda: read_node(frontend) is None, "the removal of the frontend")
    os.kill(pid, signal.SIGKILL)
    await removal
    await dom.destroy()


async def test_a_removal_does_not_wait_for_a_qemu_that_was_killed(
    xen: aioxen.Context, guest: Configure, image: DeviceDisk, tmp_path: Path
) -> None:
    config = guest("b")
    share = DeviceP9(tag="share", path=str(tmp_path), devid=0)
    config.disks, config.p9s = [image], [share]
    dom = await xen.domain_create(config)
    await dom.unpause()
    await dom.device_wait_connected("vbd", 51712)
    await dom.device_wait_connected("9pfs", 0)
    [pid] = qemus()
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not qemus(), "the process stays")
    await dom.disk_remove(image)  # It does not wait for the dead QEMU (10 s, GUEST_TIMEDOUT).
    await dom.p9_remove(share)
    assert [device.kind for device in await dom.devices()] == []
    await dom.destroy()


async def test_a_qemu_that_dies_during_a_removal(
    xen: aioxen.Context, guest: Configure, image: DeviceDisk, sim: Callable[..., str]
) -> None:
    config = guest("b")
    config.disks = [image]
    dom = await xen.domain_create(config)
    await dom.unpause()
    await dom.device_wait_connected("vbd", 51712)
    sim("backend", f"{dom.domid}/qdisk", "mute")
    [pid] = qemus()
    removal = asyncio.ensure_future(dom.disk_remove(image))
    state = f"/local/domain/0/backend/qdisk/{dom.domid}/51712/state"
    await until(lambda: read_node(state) == "5", "the request to close")
    assert not removal.done()
    os.kill(pid, signal.SIGKILL)
    await removal
    assert read_node(state) is None
    await dom.destroy()


async def test_a_process_that_is_no_qemu_is_spared(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("b"))
    with subprocess.Popen(["sleep", "60"]) as innocent:
        write_node(f"/local/domain/{dom.domid}/image/device-model-pid", str(innocent.pid))
        await dom.destroy()
        assert innocent.poll() is None
        innocent.kill()


def test_it_outlives_this_process_and_xl_ends_it(xl: Callable[..., str], image: DeviceDisk) -> None:
    script = f"""
import asyncio, aioxen
async def main():
    async with aioxen.Context() as xen:
        config = aioxen.pv("lives", {str(ROOT / "build/guest/tiny")!r}, memory="24M", cmdline="b")
        disk = aioxen.DeviceDisk(vdev="xvda", pdev_path={image.pdev_path!r}, format=aioxen.DiskFormat.QCOW2)
        config.disks = [disk]
        await (await xen.domain_create(config)).unpause()
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=scaled(60))
    assert len(qemus()) == 1
    xl("destroy", "lives")
    assert qemus() == {}


async def test_the_qemu_of_xl_ends_with_our_destroy(
    xen: aioxen.Context, xl: Callable[..., str], image: DeviceDisk, tmp_path: Path
) -> None:
    path = tmp_path / "cfg"
    path.write_text(
        f'name="theirs"\ntype="pv"\nkernel="{ROOT}/build/guest/tiny"\ncmdline="b"\nmemory=24\n'
        f'disk=["{shlex.quote(image.pdev_path or "")},qcow2,xvda,w"]\n'
    )
    await asyncio.to_thread(xl, "create", "-q", str(path))
    assert len(qemus()) == 1
    await xen.domain_destroy(int(await asyncio.to_thread(xl, "domid", "theirs")))
