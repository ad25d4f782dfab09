# SPDX-License-Identifier: LGPL-2.1-or-later
"""The end of a save: the file gets its name, and the domain is destroyed or resumed. If a step fails, the
error names the step, and nothing is left."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import _saving
from saving import runs, started
from worldly import Configure, descriptors, read_node

pytestmark = pytest.mark.usefixtures("sim")


def opened(fd: int) -> Path:
    return Path(f"/proc/self/fd/{fd}").readlink()


async def test_the_name_of_the_file_is_written_to_the_disk(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    fsync, synced = os.fsync, []

    def noted(fd: int) -> None:
        synced.append((opened(fd), (tmp_path / "saved").exists()))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    await dom.save(tmp_path / "saved")
    assert [named for _, named in synced] == [False, True]
    assert synced[1][0] == tmp_path


async def test_a_folder_that_cannot_be_written_leaves_no_file(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    fsync = os.fsync

    def failing(fd: int) -> None:
        if opened(fd) == tmp_path:
            raise OSError(5, "Input/output error")
        fsync(fd)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output error"):
        await dom.save(tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []
    assert await runs(dom)
    await dom.destroy()


async def test_a_save_that_is_cancelled_as_the_file_is_named_goes_on(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    replace = os.replace
    begun, go_on = threading.Event(), threading.Event()

    def slow(*names: Any) -> None:
        begun.set()
        go_on.wait(20)
        replace(*names)

    monkeypatch.setattr(os, "replace", slow)
    saving = asyncio.create_task(dom.save(tmp_path / "saved"))
    await asyncio.to_thread(begun.wait, 20)
    saving.cancel()
    await asyncio.sleep(0.1)
    go_on.set()
    await asyncio.wait([saving])
    assert saving.cancelled() and (tmp_path / "saved").exists()
    assert [info.domid for info in await xen.domain_list()] == [0]


@pytest.mark.parametrize("afterwards", ["destroy", "resume"])
async def test_an_end_that_fails_names_the_file_and_the_domain(
    xen: aioxen.Context,
    guest: Configure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    afterwards: _saving.Afterwards,
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))

    async def refused(*_: object) -> None:
        raise aioxen.PermissionError("the hypervisor has refused", f"domain_{afterwards}", dom.domid)

    with monkeypatch.context() as patch:
        patch.setattr(aioxen.Context, f"domain_{afterwards}", refused)
        with pytest.raises(aioxen.PermissionError) as caught:
            await dom.save(tmp_path / "saved", afterwards=afterwards)
    for part in (f"domain {dom.domid} is saved in", str(tmp_path / "saved"), "the hypervisor has refused"):
        assert part in str(caught.value)
    assert (tmp_path / "saved").stat().st_size > 1 << 20
    assert (await dom.info()).shutdown_reason is aioxen.ShutdownReason.SUSPEND
    await dom.resume()
    assert await runs(dom)
    await dom.destroy()


async def test_a_shutdown_during_a_save_is_an_error(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, sim: Callable[..., str]
) -> None:
    dom = await started(xen, guest("b", machine="pvh"))
    node = f"/local/domain/{dom.domid}/control/shutdown"
    saving = asyncio.create_task(dom.save(tmp_path / "saved", afterwards="resume"))
    while read_node(node) != "suspend":
        await asyncio.sleep(0.01)
    stopping = dom.shutdown()
    while read_node(node) != "poweroff":
        await asyncio.sleep(0.01)
    sim("shutdown", str(dom.domid), "suspend")
    with pytest.raises(aioxen.NotReadyError, match="suspended"):
        await stopping
    await saving
    assert not read_node(node)
    await dom.destroy()


async def test_a_shutdown_whose_request_the_suspension_has_emptied_is_an_error(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    """The guest empties control/shutdown to acknowledge the suspension. The shutdown, which waits for the
    same change, must not take this for its own acknowledgement."""
    dom = await started(xen, guest("l", machine="pvh"))
    request: Any = asyncio.get_running_loop().create_future()
    stopped: Any = xen.domain_wait_shutdown(dom)
    request.set_result(None)
    stopping = xen._shutdown(request, stopped)
    await dom.suspend_only()
    with pytest.raises(aioxen.NotReadyError, match="suspended"):
        await stopping
    await dom.destroy()


@pytest.mark.parametrize("name", ["connect_read_pipe", "connect_write_pipe"])
async def test_a_pipe_is_closed_if_it_is_cancelled_as_it_connects(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting = asyncio.Event()

    async def endless(*_: object) -> None:
        connecting.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), name, endless)
    stream: Any = asyncio.StreamReader()
    pipe = _saving._pipe_to(stream) if name == "connect_read_pipe" else _saving._pipe_from(stream)
    gc.collect()
    before = descriptors()
    task = asyncio.ensure_future(pipe.__aenter__())
    await connecting.wait()
    assert descriptors() != before
    task.cancel()
    await asyncio.wait([task])
    assert descriptors() == before


async def test_the_error_of_a_stream_is_the_cause(xen: aioxen.Context, guest: Configure) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    unretrieved: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, what: unretrieved.append(what))

    class Broken(asyncio.StreamWriter):
        async def drain(self) -> None:
            raise ConnectionResetError("the peer has gone")

    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    broken = Broken(writer.transport, writer.transport.get_protocol(), reader, loop)
    with pytest.raises(aioxen.FailedError, match="Broken pipe") as caught:
        await dom.save(broken)
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    writer.close()
    server.close()
    del caught
    gc.collect()
    await asyncio.sleep(0.1)
    assert unretrieved == []
    assert await runs(dom)
    await dom.destroy()


async def test_a_forked_child_closes_the_file_in_memory(xen: aioxen.Context, guest: Configure) -> None:
    dom = await started(xen, guest("b", machine="pvh"))
    sink = os.open("/dev/null", os.O_WRONLY)
    saving = dom.save_stream(sink)
    while read_node(f"/local/domain/{dom.domid}/control/shutdown") != "suspend":
        await asyncio.sleep(0.01)

    def heads() -> int:
        links = (os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd"))
        return sum("aioxen-head" in link for link in links)

    assert heads() == 1
    child = os.fork()
    if not child:
        os._exit(heads())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    os.close(sink)
    await dom.destroy()
