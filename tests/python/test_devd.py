# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hotplug daemon of a driver domain: `aioxen devd`, which runs Context.serve_backends().

The daemon runs as if it ran in a guest: for xenstored, its connection is that of the guest, and the
hypervisor refuses the hypercalls that only domain 0 may make. The simulator plays the drivers of that guest's
kernel. The toolstack of domain 0 is this library.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from leftovers import check_nothing_left, snapshot
from limits import scaled
from worldly import Configure, read_node, remove_node, write_node

pytestmark = pytest.mark.skipif("AIOXEN_SIM_DIR" not in os.environ, reason="the simulator plays the drivers")

Sim = Callable[..., str]
LIMIT = scaled(20)


class Daemon:
    """The daemon of a driver domain."""

    def __init__(self, server: aioxen.Domain) -> None:
        self.server = server
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts the daemon and waits until it says that it is ready."""
        words = ("aioxen-sim-ctl", "inside", str(self.server.domid), sys.executable, "-m", "aioxen", "devd")
        self._process = await asyncio.create_subprocess_exec(
            *words, "-F", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._process.stdout
        async with asyncio.timeout(LIMIT):
            assert b"serves" in await self._process.stdout.readline()

    async def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Ends the daemon. Returns its status and what it has written."""
        assert self._process
        process, self._process = self._process, None
        process.send_signal(number)
        async with asyncio.timeout(LIMIT):
            text, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, text.decode()

    def send(self, number: int) -> None:
        """Sends a signal to the daemon. SIGSTOP takes effect before this returns."""
        assert self._process
        self._process.send_signal(number)
        stat = Path(f"/proc/{self._process.pid}/task")
        while number == signal.SIGSTOP and not all(
            (task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in stat.iterdir()
        ):
            time.sleep(0.001)

    async def close(self) -> None:
        if self._process:
            await self.end()

    def backend(self, dom: aioxen.Domain, kind: str, devid: int) -> str:
        return f"/local/domain/{self.server.domid}/backend/{kind}/{dom.domid}/{devid}"


@contextlib.asynccontextmanager
async def driver_domain(
    xen: aioxen.Context, guest: Configure, **more: Any
) -> AsyncIterator[tuple[Daemon, aioxen.Domain]]:
    """Makes a driver domain with its daemon, and a guest. The guest's devices leave nothing behind."""
    before = snapshot()
    config = guest("b driver=kernel", name="server", machine="pvh")
    config.c_info.driver_domain = True
    server = await xen.domain_create(config)
    await server.unpause()
    daemon = Daemon(server)
    try:
        await daemon.start()
        async with xen.domain_create(guest("l", **more)) as dom:
            await dom.unpause()
            yield daemon, dom
        await until(lambda: not backends(server))
    finally:
        await daemon.close()
        await server.destroy()
    check_nothing_left(before)


def backends(server: aioxen.Domain) -> list[str]:
    """Returns the nodes of the backends in the driver domain, and the nodes of its QEMUs."""
    listed = subprocess.run(
        ["xenstore-ls", "-f", f"/local/domain/{server.domid}"], capture_output=True, text=True
    )
    return [
        line
        for line in listed.stdout.splitlines()
        if re.search(r"/(backend/\w+/\d+/|libxl/|device-model/)", line)
    ]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 20))
    return path


def disk(path: Path, **more: Any) -> aioxen.DeviceDisk:
    return aioxen.DeviceDisk(pdev_path=str(path), vdev="xvda", readwrite=1, backend_domname="server", **more)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not true():
            await asyncio.sleep(0.01)


def loops(sim: Sim) -> list[str]:
    return [line.split()[-1] for line in sim("loops").splitlines()]


def links(sim: Sim) -> dict[str, str]:
    return {line.split()[0]: line.split()[3] for line in sim("links").splitlines()}


async def test_a_disk_and_an_interface(xen: aioxen.Context, guest: Configure, image: Path, sim: Sim) -> None:
    async with driver_domain(xen, guest) as (daemon, dom):
        given = disk(image)
        nic = aioxen.DeviceNic(devid=0, backend_domname="server")
        await dom.disk_add(given)
        await dom.nic_add(nic)
        await dom.device_wait_connected("vbd", 51712)
        await dom.device_wait_connected("vif", 0)
        assert loops(sim) == [str(image)]
        assert links(sim)[f"vif{dom.domid}.0"] == "xenbr0"
        assert read_node(daemon.backend(dom, "vbd", 51712) + "/hotplug-status") == "connected"
        await dom.disk_remove(given)
        await dom.nic_remove(nic)
        assert read_node(daemon.backend(dom, "vbd", 51712)) is None
        assert loops(sim) == []
        code, _ = await daemon.end()  # The daemon may still wait until the kernel has released the interface.
        assert code == 0


async def test_qemu_serves_a_guest_as_long_as_it_has_devices(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path
) -> None:
    async with driver_domain(xen, guest) as (daemon, _):
        pid = f"/local/domain/{daemon.server.domid}/libxl/{{}}/qdisk-backend-pid"
        share = aioxen.DeviceP9(tag="t", path=str(tmp_path), security_model="none", backend_domname="server")
        given = disk(image, format=aioxen.DiskFormat.QCOW2)
        async with xen.domain_create(guest("l", name="second", disks=[given])) as dom:
            await dom.unpause()
            await dom.p9_add(share)
            await dom.device_wait_connected("vbd", 51712)
            await dom.device_wait_connected("9pfs", 0)
            number = read_node(pid.format(dom.domid))
            assert number and Path(f"/proc/{number}").exists()
            await dom.disk_remove(given)
            assert Path(f"/proc/{number}").exists()  # This QEMU still serves the folder.
            await dom.disk_add(given)
            await dom.device_wait_connected("vbd", 51712)
            assert read_node(pid.format(dom.domid)) == number
        await until(lambda: not Path(f"/proc/{number}").exists() and read_node(pid.format(dom.domid)) is None)


async def test_the_toolstack_learns_why_a_disk_is_not_connected(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path, sim: Sim
) -> None:
    async with driver_domain(xen, guest) as (daemon, dom):
        # The simulated driver is mute, so that the toolstack does not see a state of it before the daemon's
        # error.
        sim("backend", "all", "mute")
        adding = dom.disk_add(disk(tmp_path / "missing"))
        error = f"/local/domain/{daemon.server.domid}/error/backend/vbd/{dom.domid}/51712/error"
        await until(lambda: "No such file or directory" in str(read_node(error)))
        sim("behaviours", "clear")
        with pytest.raises(
            aioxen.DeviceError, match=r"the backend says: .*missing: No such file or directory"
        ):
            await adding
        await dom.disk_add(disk(image))
        await dom.device_wait_connected("vbd", 51712)
        await dom.disk_remove(disk(image))
        code, text = await daemon.end()
        assert code == 0
        assert "No such file or directory" in text


async def test_a_script_runs_with_the_variables_of_libxl(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path
) -> None:
    async with driver_domain(xen, guest) as (_, dom):
        log, script = tmp_path / "log", Path("/etc/xen/scripts/block-own")
        script.write_text(
            f"#!/bin/sh\necho $1 $XENBUS_PATH $XENBUS_TYPE $XENBUS_BASE_PATH $script >>{log}\n"
            "[ $1 = remove ] && exit 0\n"
            "xenstore-write $XENBUS_PATH/physical-device 7:9 $XENBUS_PATH/hotplug-status connected\n"
        )
        script.chmod(0o755)
        try:
            own = disk(image, script="block-own")
            await dom.disk_add(own)
            await dom.device_wait_connected("vbd", 51712)
            await dom.disk_remove(own)
        finally:
            script.unlink()
        about = f"backend/vbd/{dom.domid}/51712 vbd backend {script}"
        assert log.read_text().splitlines() == [f"add {about}", f"remove {about}"]


async def test_a_failed_script_is_told_and_not_repeated(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path
) -> None:
    async with driver_domain(xen, guest) as (daemon, dom):
        log, script = tmp_path / "log", Path("/etc/xen/scripts/block-fails")
        script.write_text(f"#!/bin/sh\necho $1 >>{log}\necho it fails >&2\nexit 1\n")
        script.chmod(0o755)
        try:
            # The toolstack waits for the kernel's driver only.
            await dom.disk_add(disk(image, script="block-fails"))
            status = daemon.backend(dom, "vbd", 51712) + "/hotplug-status"
            await until(lambda: read_node(status) == "error")
            assert "it fails" in str(read_node(daemon.backend(dom, "vbd", 51712) + "/hotplug-error"))
            await dom.disk_destroy(disk(image))
        finally:
            script.unlink()
        assert log.read_text().split() == ["add", "remove"]


async def test_a_new_daemon_serves_the_devices_of_the_former_one(
    xen: aioxen.Context, guest: Configure, image: Path, sim: Sim
) -> None:
    async with driver_domain(xen, guest) as (daemon, dom):
        await dom.disk_add(disk(image))
        await dom.device_wait_connected("vbd", 51712)
        await daemon.end(signal.SIGKILL)
        nic = aioxen.DeviceNic(devid=0, backend_domname="server")
        await dom.nic_add(nic)
        await daemon.start()
        await dom.device_wait_connected("vif", 0)
        assert loops(sim) == [str(image)]
        await dom.disk_remove(disk(image))
        assert loops(sim) == []


async def test_nodes_that_vanish_leave_nothing(
    xen: aioxen.Context, guest: Configure, image: Path, sim: Sim
) -> None:
    async with driver_domain(xen, guest) as (daemon, dom):
        await dom.disk_add(disk(image))
        await dom.device_wait_connected("vbd", 51712)
        remove_node(daemon.backend(dom, "vbd", 51712))
        await until(lambda: loops(sim) == [])
        await dom.disk_destroy(disk(image))


async def test_a_backend_that_is_taken_away_while_it_is_connected(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path, sim: Sim
) -> None:
    async with driver_domain(xen, guest) as (_, dom):
        begun, script = tmp_path / "begun", Path("/etc/xen/scripts/block-waits")
        script.write_text(f"#!/bin/sh\n[ $1 = remove ] && exit 0\ntouch {begun}\nexec sleep 1000\n")
        script.chmod(0o755)
        try:
            await dom.disk_add(disk(image, script="block-waits"))
            await until(begun.exists)
            await dom.disk_destroy(disk(image))
            await dom.disk_add(disk(image))
            await dom.device_wait_connected("vbd", 51712)
        finally:
            script.unlink()
        assert loops(sim) == [str(image)]


async def test_hostile_nodes_do_no_harm(xen: aioxen.Context, guest: Configure, image: Path, sim: Sim) -> None:
    async with driver_domain(xen, guest) as (daemon, dom):
        root = f"/local/domain/{daemon.server.domid}/backend"
        long = "x" * 3000
        sim("backend", "all", "mute")
        frontend = f"/local/domain/{dom.domid}/device/vbd/51744"
        write_node(f"{frontend}/state", "1")
        for path, value in {
            "vbd/99999999999/1/state": "2",
            f"vbd/{dom.domid}/-1/state": "2",
            f"vbd/{dom.domid}/51728x/state": "2",
            f"{'k' * 60}/1/1/state": "2",
            f"vif/{dom.domid}/4294967295/state": "2",
            f"vbd/{dom.domid}/51744/frontend": frontend,
            f"vbd/{dom.domid}/51744/params": long,
            f"vbd/{dom.domid}/51744/dev": "../../" + long,
            f"vbd/{dom.domid}/51744/script": "/dev/null",
            f"vbd/{dom.domid}/51744/online": "1",
            f"vbd/{dom.domid}/51744/state": "2",
            f"vif/{dom.domid}/7/bridge": "a b/../" + long,
            f"vif/{dom.domid}/7/mac": long,
            f"vif/{dom.domid}/7/online": "1",
            f"vif/{dom.domid}/7/state": "2\n",
            f"9pfs/{dom.domid}/3/online": "1",
            f"9pfs/{dom.domid}/3/state": "1",
            f"other/{dom.domid}/3/state": "6",
            f"other/{dom.domid}/3/online": "0",
        }.items():
            write_node(f"{root}/{path}", value)
            # As a toolstack does, makes the backend's domain the owner of the backend's nodes.
            folder = "/".join(path.split("/")[:-1])
            subprocess.run(["xenstore-chmod", f"{root}/{folder}", f"n{daemon.server.domid}"])
        for path in f"vbd/{dom.domid}/51744", f"9pfs/{dom.domid}/3":
            await until(lambda path=path: read_node(f"{root}/{path}/hotplug-status") == "error")  # type: ignore[misc]
        await until(lambda: read_node(f"{root}/other/{dom.domid}/3/state") is None)
        sim("behaviours", "clear")
        await dom.disk_add(disk(image))
        await dom.device_wait_connected("vbd", 51712)
        await dom.disk_remove(disk(image))
        remove_node(root)
        remove_node(frontend)
        remove_node(f"/local/domain/{daemon.server.domid}/error/backend")


@contextlib.contextmanager
def own_script(name: str, text: str) -> Iterator[str]:
    """Makes a hotplug script for the time of the block. Yields its name."""
    path = Path("/etc/xen/scripts") / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    try:
        yield name
    finally:
        path.unlink()


async def test_a_new_daemon_keeps_the_qemu_of_a_disk_that_is_in_use(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path
) -> None:
    async with driver_domain(xen, guest) as (daemon, dom):
        second = tmp_path / "second"
        second.write_bytes(bytes(1 << 20))
        one = disk(image, format=aioxen.DiskFormat.QCOW2)
        two = disk(second, format=aioxen.DiskFormat.QCOW2)
        two.vdev = "xvdb"
        for given, devid in (one, 51712), (two, 51728):
            await dom.disk_add(given)
            await dom.device_wait_connected("vbd", devid)
        pid = f"/local/domain/{daemon.server.domid}/libxl/{dom.domid}/qdisk-backend-pid"
        number = read_node(pid)
        assert number
        await daemon.end(signal.SIGKILL)
        removal = dom.disk_remove(one)
        await until(lambda: read_node(daemon.backend(dom, "qdisk", 51712) + "/state") == "6")
        await daemon.start()
        await removal
        assert read_node(pid) == number
        await dom.disk_remove(two)
        await until(lambda: read_node(pid) is None)


async def test_the_end_of_another_guest_repeats_no_failed_script(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with own_script("block-fails", f"echo $1 >>{log}; exit 1") as name:
        async with driver_domain(xen, guest) as (daemon, dom):
            await dom.disk_add(disk(image, script=name))
            status = daemon.backend(dom, "vbd", 51712) + "/hotplug-status"
            await until(lambda: read_node(status) == "error")
            folder = f"/local/domain/{daemon.server.domid}/backend/vbd/{dom.domid + 1}"
            write_node(folder, "")
            remove_node(folder)
            # The daemon handles the folder's event before it connects this interface.
            await dom.nic_add(aioxen.DeviceNic(devid=0, backend_domname="server"))
            await dom.device_wait_connected("vif", 0)
            await dom.disk_destroy(disk(image))
            await until(lambda: log.read_text().split()[-1] == "remove")
            assert log.read_text().split() == ["add", "remove"]


async def test_a_disk_that_is_removed_and_added_at_once_is_released_first(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path, sim: Sim
) -> None:
    log, second = tmp_path / "log", tmp_path / "second"
    second.write_bytes(bytes(1 << 20))
    text = (
        f"echo $1 >>{log}; [ $1 = remove ] && exit 0\n"
        "xenstore-write $XENBUS_PATH/physical-device 7:9 $XENBUS_PATH/hotplug-status connected"
    )
    with own_script("block-own", text) as name:
        async with driver_domain(xen, guest) as (daemon, dom):
            for given in disk(image), disk(image, script=name):
                await dom.disk_add(given)
                await dom.device_wait_connected("vbd", 51712)
                daemon.send(signal.SIGSTOP)
                path = daemon.backend(dom, "vbd", 51712)
                remove_node(path)  # The toolstack would wait some seconds for the daemon.
                await dom.disk_destroy(given)
                adding = dom.disk_add(disk(second))
                await until(lambda path=path: str(second) in str(read_node(path + "/params")))  # type: ignore[misc]
                daemon.send(signal.SIGCONT)
                await adding
                await dom.device_wait_connected("vbd", 51712)
                assert loops(sim) == [str(second)]
                await dom.disk_remove(disk(second))
                assert loops(sim) == []
    assert log.read_text().split() == ["add", "remove"]


async def test_a_new_disk_does_not_get_the_error_of_the_former_one(
    xen: aioxen.Context, guest: Configure, image: Path, tmp_path: Path, sim: Sim
) -> None:
    begun, go, gone = tmp_path / "begun", tmp_path / "go", tmp_path / "gone"
    text = (
        f"[ $1 = remove ] && exit 0\ntouch {begun}; while ! [ -e {go} ]; do sleep 0.02; done\n"
        f"touch {gone}; exit 1"
    )
    with own_script("block-late", text) as name:
        async with driver_domain(xen, guest) as (daemon, dom):
            await dom.disk_add(disk(image, script=name))
            await until(begun.exists)
            daemon.send(signal.SIGSTOP)
            path = daemon.backend(dom, "vbd", 51712)
            remove_node(path)  # The toolstack would wait some seconds for the daemon.
            await dom.disk_destroy(disk(image))
            adding = dom.disk_add(disk(image))
            await until(lambda: str(image) in str(read_node(path + "/params")))
            go.touch()
            await until(gone.exists)
            daemon.send(signal.SIGCONT)
            await adding
            await dom.device_wait_connected("vbd", 51712)
            assert read_node(path + "/hotplug-error") is None
            assert loops(sim) == [str(image)]


async def test_in_domain_0_it_waits_and_does_nothing(
    xen: aioxen.Context, guest: Configure, image: Path, sim: Sim
) -> None:
    serving = xen.serve_backends()
    async with xen.domain_create(
        guest("l", disks=[aioxen.DeviceDisk(pdev_path=str(image), vdev="xvda")])
    ) as dom:
        await dom.unpause()
        await dom.device_wait_connected("vbd", 51712)
        assert loops(sim) == [str(image)]
    assert not serving.done()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    assert serving.cancelled()
