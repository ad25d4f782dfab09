# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains are saved and restored: to files, descriptors and streams, by this library and by xl. After a
failure the guest runs, and nothing is left."""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aioxen
import pytest
from limits import scaled
from saving import programs, resumed, runs, saver, seeded, started, verify
from worldly import Configure, ended, read_node

pytestmark = pytest.mark.usefixtures("sim")


async def test_a_saved_domain_continues_in_a_new_domain(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    uuid, file = dom.uuid, tmp_path / "saved"
    events: list[aioxen.OperationProgress] = []
    await dom.save(file, progress=events.append)
    assert [info.domid for info in await xen.domain_list()] == [0]
    assert {event.phase for event in events} >= {"mark", "configuration", "transfer", "settle"}
    pages = [event for event in events if event.phase == "transfer"]
    assert max(event.done for event in pages) == pages[-1].total > 0
    assert pages[-1].unit == "pages"
    restored = await xen.restore(file)
    assert (restored.uuid, await restored.name()) == (uuid, guest().c_info.name)
    assert (await restored.info()).paused
    await restored.unpause()
    assert await runs(restored)
    await restored.destroy()


@pytest.mark.parametrize("saver", ["xl", "aioxen"])
@pytest.mark.parametrize("restorer", ["xl", "aioxen"])
@pytest.mark.parametrize("machine", ["pv", "pvh"])
async def test_xl_and_aioxen_read_each_others_files(
    xen: aioxen.Context,
    guest: Configure,
    tmp_path: Path,
    xl: Callable[..., str],
    machine: str,
    saver: str,
    restorer: str,
) -> None:
    """The guest writes into its memory while it is saved, and checks its memory after it was restored."""
    dom = await started(xen, guest("l dirty=100", machine=machine, memory="24M"))
    file, name = tmp_path / "saved", str(guest().c_info.name)
    await asyncio.sleep(0.1)
    if saver == "xl":
        await asyncio.to_thread(xl, "save", str(dom.domid), str(file))
    else:
        await dom.save(file, live=True)
        await asyncio.to_thread(verify, file)
    if restorer == "xl":
        await asyncio.to_thread(xl, "restore", "-e", str(file))
        restored = await xen.domain_find(name)
    else:
        restored = await xen.restore(file)
        await restored.unpause()
    assert restored.uuid == dom.uuid and restored.domid != dom.domid
    async with restored.console() as console:
        match = await console.expect(r"dirty: (.*)\n", timeout=scaled(20))
        assert re.fullmatch(rb"continues after \d{3,}", match[1].strip())
    assert await runs(restored)
    await restored.destroy()


async def test_a_domain_travels_through_streams(xen: aioxen.Context, guest: Configure) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    arrived: asyncio.Future[aioxen.Domain] = asyncio.get_running_loop().create_future()
    gone = asyncio.Event()
    data: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(1 << 20):
            data.append(part)
        await gone.wait()
        again = asyncio.StreamReader()
        again.feed_data(b"".join(data))
        again.feed_eof()
        arrived.set_result(await xen.restore(again))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await dom.save(writer)
    writer.close()
    gone.set()
    restored = await arrived
    server.close()
    await restored.unpause()
    assert await runs(restored)
    await restored.destroy()


async def test_the_guest_goes_on_after_a_snapshot(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    await dom.save(tmp_path / "saved", afterwards="resume")
    assert (tmp_path / "saved").stat().st_size > 1 << 20
    assert await runs(dom)
    await dom.destroy()


async def test_a_suspended_guest_is_resumed(xen: aioxen.Context, guest: Configure) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    with pytest.raises(aioxen.NotReadyError, match="is not suspended"):
        await dom.resume()
    async with xen.events(dom) as events:
        # xenstored reports the second suspension only if the library has announced the resumption to it.
        for _ in range(2):
            await dom.suspend_only()
            assert (await dom.info()).shutdown_reason is aioxen.ShutdownReason.SUSPEND
            await dom.resume()
        assert isinstance(await anext(events), aioxen.DomainShutdown)
    assert await runs(dom)
    await dom.destroy()


async def test_xenstored_is_told_after_a_cancelled_resumption(xen: aioxen.Context, guest: Configure) -> None:
    """xenstored reports that the guest stops again only if the library has announced the resumption to it."""
    dom = await started(xen, guest("l", machine="pvh"))
    await dom.suspend_only()
    phases: list[str | None] = []

    def noted(event: aioxen.OperationProgress) -> None:
        phases.append(event.phase)
        if event.phase == "resume":
            resumption.cancel()

    resumption = xen.domain_resume(dom, progress=noted)
    await ended(resumption)
    assert phases == ["check", "model", "resume", "tell"]
    assert await runs(dom)
    await dom.destroy()


async def test_a_guest_that_does_not_answer_runs_on(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    dom = await started(xen, guest("b", machine="pvh"))
    with pytest.raises(aioxen.TimedOutError):
        await dom.save(tmp_path / "saved", timeout=0.5)
    assert list(tmp_path.iterdir()) == []
    info = await dom.info()
    assert not info.shutdown and not info.paused
    await dom.destroy()
    assert programs() == []


async def test_a_guest_that_stops_instead_is_reported(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, sim: Callable[..., str]
) -> None:
    dom = await started(xen, guest("b", machine="pvh"))
    saving = asyncio.create_task(dom.save(tmp_path / "saved"))
    while read_node(f"/local/domain/{dom.domid}/control/shutdown") != "suspend":
        await asyncio.sleep(0.01)
    sim("shutdown", str(dom.domid), "crash")
    with pytest.raises(aioxen.FailedError, match="the reason 'crash' instead of suspending"):
        await saving
    assert list(tmp_path.iterdir()) == []
    await dom.destroy()


async def test_a_cancelled_save_leaves_a_running_guest(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    """The save is cancelled at random moments. The guest either runs, or is saved and destroyed."""
    chance = seeded()
    ends = {"runs": 0, "saved": 0}
    for _ in range(12):
        dom = await started(xen, guest("l", machine="pvh"))
        saving = asyncio.create_task(dom.save(tmp_path / "saved", live=chance.random() < 0.5))
        await asyncio.sleep(chance.random() * 0.6)
        saving.cancel()
        await asyncio.wait([saving])
        if (tmp_path / "saved").exists():
            ends["saved"] += 1
            (tmp_path / "saved").unlink()
            await dom.wait_gone(timeout=scaled(20))
        else:
            ends["runs"] += 1
            assert list(tmp_path.iterdir()) == []
            assert await runs(dom)
            await dom.destroy()
    assert ends["runs"] and programs() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_program_is_killed(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, number: signal.Signals
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    saving = asyncio.create_task(dom.save(tmp_path / "saved", live=True))
    while not (found := programs()):
        await asyncio.sleep(0)
    os.kill(found[0], number)
    with pytest.raises((aioxen.FailedError, aioxen.AbortedError)):
        await saving
    assert list(tmp_path.iterdir()) == []
    assert await runs(dom)
    await dom.destroy()


async def test_a_reader_that_goes_away_ends_the_save(xen: aioxen.Context, guest: Configure) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    reader, writer = os.pipe()
    saving = dom.save_stream(writer)
    await asyncio.to_thread(os.read, reader, 100)
    os.close(reader)
    with pytest.raises(aioxen.FailedError, match="fd: Broken pipe"):
        await saving
    os.close(writer)
    assert await runs(dom)
    await dom.destroy()


async def test_a_full_disk_ends_the_save(xen: aioxen.Context, guest: Configure) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(aioxen.FailedError, match="fd: No space left on device"):
        await dom.save_stream(full)
    os.close(full)
    assert await runs(dom)
    await dom.destroy()


@pytest.mark.parametrize(
    ("flag", "words"), [(os.O_RDONLY, "not open for writing"), (os.O_RDWR | os.O_NONBLOCK, "not blocking")]
)
async def test_a_descriptor_that_cannot_be_used_is_refused(
    xen: aioxen.Context, guest: Configure, flag: int, words: str
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    fd = os.open("/dev/null", flag)
    with pytest.raises(aioxen.InvalidError, match=f"fd: {words}"):
        await dom.save_stream(fd)
    os.close(fd)
    with pytest.raises(aioxen.InvalidError, match="fd: Bad file descriptor"):
        await dom.save_stream(9999)
    assert await runs(dom)
    await dom.destroy()


async def test_a_killed_process_leaves_a_running_guest(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    """The process that saves is killed while the guest is suspended. The transfer program then resumes the
    guest."""
    dom = await started(xen, guest("l", machine="pvh"))
    process = await saver(dom, stdout=asyncio.subprocess.PIPE)
    while (await dom.info()).shutdown_reason is not aioxen.ShutdownReason.SUSPEND:
        await asyncio.sleep(0.001)
    process.kill()
    assert process.stdout
    assert await process.stdout.read()
    await resumed(dom)
    assert await runs(dom)
    await dom.destroy()


def cancel_when_done(monkeypatch: pytest.MonkeyPatch, name: str, task: list[asyncio.Task[Any]]) -> None:
    """Cancels the task in the turn of the event loop in which the operation succeeds."""
    start = getattr(aioxen.Context, name)

    def started_and_cancelled(*args: Any, **more: Any) -> Any:
        operation = start(*args, **more)
        operation.add_done_callback(lambda _: task[0].cancel())
        return operation

    monkeypatch.setattr(aioxen.Context, name, started_and_cancelled)


async def test_a_save_that_succeeds_as_it_is_cancelled_leaves_a_running_guest(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    task: list[asyncio.Task[Any]] = []
    cancel_when_done(monkeypatch, "domain_save_stream", task)
    task.append(asyncio.create_task(dom.save(tmp_path / "saved")))
    await asyncio.wait(task)
    assert task[0].cancelled() and list(tmp_path.iterdir()) == []
    assert await runs(dom)
    await dom.destroy()


@pytest.mark.parametrize(("module", "name"), [(os, "fsync"), (tempfile, "mkstemp")])
async def test_a_save_that_is_cancelled_during_a_slow_call_leaves_no_file(
    xen: aioxen.Context,
    guest: Configure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    function = getattr(module, name)
    begun, go_on = threading.Event(), threading.Event()

    def slow(*args: Any, **more: Any) -> Any:
        begun.set()
        go_on.wait(20)
        return function(*args, **more)

    monkeypatch.setattr(module, name, slow)
    saving = asyncio.create_task(dom.save(tmp_path / "saved"))
    await asyncio.to_thread(begun.wait, 20)
    saving.cancel()
    await asyncio.sleep(0.1)
    go_on.set()
    await asyncio.wait([saving])
    assert saving.cancelled() and list(tmp_path.iterdir()) == []
    assert await runs(dom)
    await dom.destroy()


async def test_a_named_pipe_is_written_to(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    os.mkfifo(tmp_path / "pipe")
    saving = asyncio.create_task(dom.save(tmp_path / "pipe"))
    data = await asyncio.to_thread((tmp_path / "pipe").read_bytes)
    await saving
    assert len(data) > 1 << 20 and (tmp_path / "pipe").is_fifo()


async def test_the_stream_is_sent_before_the_domain_is_destroyed(
    xen: aioxen.Context, guest: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    destroy, left = aioxen.Context.domain_destroy, []

    def noted(*args: Any, **more: Any) -> Any:
        left.append(writer.transport.get_write_buffer_size())
        return destroy(*args, **more)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            await asyncio.sleep(0.001)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    monkeypatch.setattr(aioxen.Context, "domain_destroy", noted)
    await dom.save(writer)
    assert left == [0]
    writer.close()
    server.close()
    await asyncio.sleep(0.1)


async def test_a_killed_process_leaves_a_running_guest_if_nobody_reads(
    xen: aioxen.Context, guest: Configure
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    reader, writer = os.pipe()
    process = await saver(dom, stdout=writer)
    while select.select([], [writer], [], 0)[1]:  # until the pipe is full
        await asyncio.sleep(0.001)
    os.close(writer)
    assert (await dom.info()).shutdown_reason is aioxen.ShutdownReason.SUSPEND
    process.kill()
    await process.wait()
    await resumed(dom)
    assert await runs(dom)
    os.close(reader)
    await dom.destroy()
    assert programs() == []


async def test_two_savings_of_a_domain_exclude_each_other(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    fd = os.open(tmp_path / "saved", os.O_WRONLY | os.O_CREAT)
    first = dom.save_stream(fd)
    with pytest.raises(aioxen.BusyError, match="is being saved"):
        await dom.save_stream(fd)
    await first
    os.close(fd)
    assert (await dom.info()).shutdown_reason is aioxen.ShutdownReason.SUSPEND
    await dom.destroy()


async def test_the_rounds_of_a_live_save_are_reported_and_limited(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    events: list[aioxen.OperationProgress] = []
    policy = aioxen.SavePolicy(downtime_ms=1000, most_rounds=3, bandwidth_kib=64 << 10)
    await dom.save(tmp_path / "saved", live=True, policy=policy, progress=events.append)
    ended = [event for event in events if event.rate]
    assert 1 << 20 < ended[0].sent << 12 < 1 << 26
    assert max(event.rate for event in ended) < 72 << 20
    assert all(event.downtime_ms <= 1000 for event in ended[-1:]) and ended[-1].round <= 3
    restored = await xen.restore(tmp_path / "saved")
    await restored.unpause()
    assert await runs(restored)
    await restored.destroy()


async def test_a_full_disk_ends_a_limited_save(xen: aioxen.Context, guest: Configure) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    full = os.open("/dev/full", os.O_WRONLY)
    policy = aioxen.SavePolicy(bandwidth_kib=1 << 20)
    with pytest.raises(aioxen.FailedError, match="fd: No space left on device"):
        await dom.save_stream(full, aioxen.Suspend.LIVE, policy)
    os.close(full)
    assert await runs(dom)
    await dom.destroy()
