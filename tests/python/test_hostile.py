# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest writes 500 hostile values into each node that it may write, while operations run on it.

An operation may fail with an error of the library, whose message must be printable. No test may leave
anything on the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import DeviceDisk, DeviceP9, DeviceVkb, DiskBackend
from limits import scaled
from worldly import Configure, remove_node

VALUES = 500


@pytest.fixture(autouse=True)
def _no_device_left(hypervisor: None, sim: Callable[..., str]) -> Iterator[None]:
    yield
    sim("behaviours", "clear")
    for kind in "vbd", "vif", "qdisk", "9pfs", "vkbd":
        left = subprocess.run(
            ["xenstore-list", f"/local/domain/0/backend/{kind}"], capture_output=True, text=True
        )
        assert left.stdout == "", kind
    assert sim("loops") == ""


@contextlib.asynccontextmanager
async def hostility(domid: int) -> AsyncIterator[Callable[[], bool]]:
    """The guest writes during the block. Yields a function that returns whether the guest is still writing.
    The end of the block waits until the guest has written all values."""
    process = await asyncio.create_subprocess_exec("aioxen-sim-ctl", "hostile", str(domid), str(VALUES))
    try:
        yield lambda: process.returncode is None
    finally:
        assert await asyncio.wait_for(process.wait(), scaled(60)) == 0


async def outcome(operation: Awaitable[object]) -> str:
    """Awaits an operation. Returns "" after a success, else the message of the error. The message
    must be printable."""
    words = ""
    try:
        await operation
    except aioxen.Error as error:
        words = str(error)
    assert words.isprintable()
    return words


def disk(path: Path, vdev: str, backend: DiskBackend = DiskBackend.UNKNOWN) -> DeviceDisk:
    path.write_bytes(bytes(1 << 16))
    return DeviceDisk(vdev=vdev, pdev_path=str(path), backend=backend, readwrite=1)


async def test_attach_and_detach(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    kernel, qemu = disk(tmp_path / "a", "xvda"), disk(tmp_path / "b", "xvdb", DiskBackend.QDISK)
    share, keyboard = DeviceP9(tag="share", path=str(tmp_path), devid=0), DeviceVkb(devid=0)
    rounds = 0
    async with hostility(dom.domid) as writes:
        while writes() or not rounds:
            rounds += 1
            added = await asyncio.gather(
                outcome(dom.disk_add(kernel)),
                outcome(dom.disk_add(qemu)),
                outcome(dom.p9_add(share)),
                outcome(dom.vkb_add(keyboard)),
            )
            removals: tuple[tuple[Any, Any, object], ...] = (
                (dom.disk_remove, dom.disk_destroy, kernel),
                (dom.disk_remove, dom.disk_destroy, qemu),
                (dom.p9_remove, dom.p9_destroy, share),
                (dom.vkb_remove, dom.vkb_destroy, keyboard),
            )
            for failed, (remove, destroy, device) in zip(added, removals, strict=True):
                asked = await outcome(remove(device, timeout=0.3))
                forced = await outcome(destroy(device)) if asked else ""
                assert failed or not forced or "has no" in forced, (failed, asked, forced)
    assert rounds
    await dom.destroy()


async def test_listing(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    config = guest("b")
    config.disks = [disk(tmp_path / "a", "xvda")]
    dom = await xen.domain_create(config)
    await dom.unpause()
    calls = 0
    async with hostility(dom.domid) as writes:
        while writes():
            calls += 1
            assert dom.domid in {info.domid for info in await xen.domain_list()}
            assert (await xen.domain_find(config.c_info.name or "")).domid == dom.domid
            await outcome(dom.configuration())
            await outcome(dom.console_tty())
            await outcome(xen.domain_statistics())
            await asyncio.sleep(0.01)
    assert calls
    await dom.destroy()


@pytest.mark.parametrize("late", [False, True])
async def test_destroy(xen: aioxen.Context, guest: Configure, tmp_path: Path, *, late: bool) -> None:
    """The domain is destroyed while its guest writes. If `late` is true, it is destroyed after the guest
    has written all values."""
    config = guest("b")
    config.disks = [disk(tmp_path / "a", "xvda"), disk(tmp_path / "b", "xvdb", DiskBackend.QDISK)]
    config.p9s = [DeviceP9(tag="share", path=str(tmp_path))]
    dom = await xen.domain_create(config)
    await dom.unpause()
    async with hostility(dom.domid):
        if not late:
            await asyncio.sleep(0.2)
            await dom.destroy(timeout=scaled(20))
    if late:
        await dom.destroy(timeout=scaled(20))
    assert dom.domid not in {info.domid for info in await xen.domain_list()}


async def test_states(xen: aioxen.Context, guest: Configure, sim: Callable[..., str], tmp_path: Path) -> None:
    """Before each change of its state, the frontend's driver writes 500 invalid states. The library can
    still remove the disk."""
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    sim("frontend", str(dom.domid), f"nonsense={VALUES}")
    image = disk(tmp_path / "a", "xvda")
    for _ in range(2):
        await dom.disk_add(image)
        words = await outcome(dom.disk_remove(image))
        assert not words or not await outcome(dom.disk_destroy(image)), words
    await dom.destroy()


FLOOD = """
import socket, struct, sys, threading
def message(state):
    body = sys.argv[1].encode() + b"\\0" + state
    return struct.pack("<IIII", 11, 1, 0, len(body)) + body
store = socket.socket(socket.AF_UNIX)
store.connect("/run/xenstored/socket")
messages = (message(b"4") + message(b"5")) * 50
def drain():
    while store.recv(65536):
        pass
threading.Thread(target=drain, daemon=True).start()
store.sendall(messages)
print("writing", flush=True)
while True:
    store.sendall(messages)
"""


async def test_a_backend_that_changes_its_state_all_the_time(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str], tmp_path: Path
) -> None:
    """A program changes the backend's state so fast that no transaction succeeds. The removal by force needs
    no transaction and no backend."""
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    disk = DeviceDisk(pdev_path=str(image), vdev="xvda")
    dom = await xen.domain_create(guest("b", disks=[disk]))
    await dom.unpause()
    await dom.device_wait_connected("vbd", 51712)
    state = f"/local/domain/0/backend/vbd/{dom.domid}/51712/state"
    flood = await asyncio.create_subprocess_exec(sys.executable, "-c", FLOOD, state, stdout=subprocess.PIPE)
    try:
        assert flood.stdout and await flood.stdout.readline() == b"writing\n"
        with pytest.raises(aioxen.DeviceError, match="all the time"):
            await asyncio.wait_for(dom.disk_remove(disk), scaled(10))
        await asyncio.wait_for(dom.disk_destroy(disk), scaled(10))
    finally:
        flood.kill()
        await flood.wait()
    assert await dom.devices() == []
    remove_node("/local/domain/0/backend")  # The last write may have come after the removal.
    # The backend closes its loop device when its nodes are gone.
    while await asyncio.to_thread(sim, "loops"):
        await asyncio.sleep(0.01)
    await dom.destroy()


async def test_a_driver_domain_that_changes_its_nodes_all_the_time(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The driver domain never removes the nodes. The removal ends before the limit of the phase that waits
    for this."""
    caplog.set_level(logging.WARNING, "aioxen")
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    async with xen.domain_create(guest("b driver", name="server")) as server:
        await server.unpause()
        disk = DeviceDisk(pdev_path=str(image), vdev="xvda", backend_domid=server.domid)
        async with xen.domain_create(guest("b", disks=[disk])) as dom:
            await dom.unpause()
            await dom.device_wait_connected("vbd", 51712)
            state = f"/local/domain/{server.domid}/backend/vbd/{dom.domid}/51712/state"
            flood = await asyncio.create_subprocess_exec(
                sys.executable, "-c", FLOOD, state, stdout=subprocess.PIPE
            )
            try:
                assert flood.stdout and await flood.stdout.readline() == b"writing\n"
                await dom.disk_destroy(disk)
            finally:
                flood.kill()
                await flood.wait()
            assert await dom.devices() == []
    assert f"domain {server.domid} changes the nodes of a device all the time" in caplog.text
