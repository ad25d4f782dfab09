# SPDX-License-Identifier: LGPL-2.1-or-later
"""The domain of a save that was not finished has a mark (src/xen/save_mark.h). Another process lists such
domains, and lets their guests run again."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aioxen
import pytest
from saving import programs, resumed, runs, started
from saving import saver as stream_saver
from worldly import Configure, read_node, write_node

pytestmark = pytest.mark.usefixtures("sim")

UNFINISHED_SAVE = """
import asyncio, os, signal, sys
import aioxen

async def main():
    async with aioxen.Context() as xen:
        dom = await xen.domain(int(sys.argv[1]))
        replace = os.replace
        def killed(*names):
            if sys.argv[3] == "after":
                replace(*names)
            os.kill(os.getpid(), signal.SIGKILL)
        os.replace = killed
        await dom.save(sys.argv[2])

asyncio.run(main())
"""
"""A program that saves a domain, and is killed when the file of the second argument gets its name."""


async def saver(program: str, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-c", program, *map(str, arguments))


async def left(xen: aioxen.Context) -> list[tuple[object, int, aioxen.UnfinishedWork]]:
    return [(u.uuid, u.domid, u.work) for u in await xen.unfinished()]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_process_that_is_killed_as_it_names_the_file_leaves_a_mark(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, moment: str
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    process = await saver(UNFINISHED_SAVE, dom.domid, tmp_path / "saved", moment)
    assert await process.wait() == -signal.SIGKILL
    assert (await dom.info()).shutdown_reason is aioxen.ShutdownReason.SUSPEND
    assert await left(xen) == [(dom.uuid, dom.domid, aioxen.UnfinishedWork.SAVE)]
    with pytest.raises(aioxen.NotFoundError, match="no creation"):
        await xen.remove_unfinished(dom.uuid)
    command = [sys.executable, "-m", "aioxen", "unfinished", "resume", "--all"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert await left(xen) == []
    with pytest.raises(aioxen.NotFoundError, match="no save"):
        await xen.resume_unfinished(dom.uuid)
    assert await runs(dom)
    await dom.destroy()


@pytest.mark.parametrize("end", ["xl destroy", "resume", "keep"])
async def test_a_finished_save_leaves_no_mark(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, xl: Callable[..., str], end: str
) -> None:
    dom = await started(xen, guest("l", machine="pvh"))
    node = f"/libxl/{dom.domid}/aioxen-save"
    fd = os.open(tmp_path / "saved", os.O_WRONLY | os.O_CREAT)
    await dom.save_stream(fd)
    os.close(fd)
    assert (read_node(node) or "").endswith(" saved")
    assert await left(xen) == []  # the process that has saved, this one, still runs
    if end == "xl destroy":
        await asyncio.to_thread(xl, "destroy", str(dom.domid))
    elif end == "resume":
        await dom.resume()
        assert await runs(dom)
    else:
        await xen.domain_keep_suspended(dom)
    assert read_node(node) is None
    if end != "xl destroy":
        await dom.destroy()


MUTE_SAVER = """
import asyncio, os, sys
import aioxen

async def main():
    async with aioxen.Context() as xen:
        await xen.domain_save_stream(int(sys.argv[1]), os.open("/dev/null", os.O_WRONLY))

asyncio.run(main())
"""


async def kill_both(process: asyncio.subprocess.Process) -> None:
    """Kills a process that saves, and its transfer program, so that neither withdraws the request to
    suspend."""
    (program,) = programs()
    os.kill(program, signal.SIGSTOP)
    process.kill()
    await process.wait()
    os.kill(program, signal.SIGKILL)
    while programs():
        await asyncio.sleep(0.01)


async def unmarked(dom: aioxen.Domain) -> None:
    """Waits until the mark of the save is gone."""
    while read_node(f"/libxl/{dom.domid}/aioxen-save") is not None:
        await asyncio.sleep(0.01)


async def asked(dom: aioxen.Domain) -> None:
    while read_node(f"/local/domain/{dom.domid}/control/shutdown") != "suspend":
        await asyncio.sleep(0.01)


async def test_a_mark_of_another_process_excludes_saves_until_it_ends(
    xen: aioxen.Context, guest: Configure
) -> None:
    dom = await started(xen, guest("b", machine="pvh"))  # the guest does not answer
    process = await saver(MUTE_SAVER, dom.domid)
    await asked(dom)
    fd = os.open("/dev/null", os.O_WRONLY)
    with pytest.raises(aioxen.BusyError, match=f"is being saved by process {process.pid}"):
        await dom.save_stream(fd)
    with pytest.raises(aioxen.BusyError, match=f"is being saved by process {process.pid}"):
        await dom.resume()
    with pytest.raises(aioxen.NotFoundError, match=f"process {process.pid} is saving"):
        await xen.resume_unfinished(dom.uuid)
    await kill_both(process)
    assert await left(xen) == [(dom.uuid, dom.domid, aioxen.UnfinishedWork.SAVE)]
    with pytest.raises(aioxen.TimedOutError):
        await dom.save_stream(fd, timeout=0.5)  # not busy: the owner of the mark is dead
    os.close(fd)
    await unmarked(dom)
    assert await left(xen) == []
    assert not read_node(f"/local/domain/{dom.domid}/control/shutdown")
    await dom.destroy()


async def test_the_request_of_a_killed_process_is_withdrawn(xen: aioxen.Context, guest: Configure) -> None:
    dom = await started(xen, guest("b", machine="pvh"))
    process = await saver(MUTE_SAVER, dom.domid)
    await asked(dom)
    await kill_both(process)
    await xen.resume_unfinished(dom.uuid)
    assert not read_node(f"/local/domain/{dom.domid}/control/shutdown")
    assert await left(xen) == []
    info = await dom.info()
    assert not info.shutdown
    await dom.destroy()


async def sleeps(number: int) -> None:
    """Waits until the process was asleep in 20 samples in a row, 5 ms apart."""
    count = 0
    while count < 20:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
        count = count + 1 if state == "S" else 0
        await asyncio.sleep(0.005)


async def test_a_process_that_is_killed_before_it_asks_the_guest_leaves_no_mark(
    xen: aioxen.Context, guest: Configure
) -> None:
    """The process is stopped before its transfer program asks it to suspend the guest."""
    dom = await started(xen, guest("l", machine="pvh"))
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    filled = os.write(writer, bytes(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)))  # the transfer program blocks
    process = await stream_saver(dom, stdout=writer)
    os.close(writer)
    while not programs():
        await asyncio.sleep(0.005)
    (program,) = programs()
    await sleeps(program)
    process.send_signal(signal.SIGSTOP)
    assert len(os.read(reader, filled)) == filled
    await sleeps(program)
    process.kill()
    await process.wait()
    while programs():
        await asyncio.sleep(0.01)
    os.close(reader)
    assert await left(xen) == []
    assert read_node(f"/libxl/{dom.domid}/aioxen-save") is None
    assert await runs(dom)
    await dom.destroy()


async def test_a_guest_that_suspends_itself_late_is_resumed(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str]
) -> None:
    dom = await started(xen, guest("b", machine="pvh"))
    fd = os.open("/dev/null", os.O_WRONLY)
    saving = dom.save_stream(fd)
    await asked(dom)
    # An empty value acknowledges the request, but the guest goes on to run.
    write_node(f"/local/domain/{dom.domid}/control/shutdown", "")
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    with pytest.raises(aioxen.BusyError, match="is being saved"):
        await dom.save_stream(fd)
    os.close(fd)
    sim("shutdown", str(dom.domid), "suspend")
    await resumed(dom)
    await unmarked(dom)
    await dom.destroy()


async def test_a_resumption_that_fails_is_tried_again(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str]
) -> None:
    """The reader of the stream goes away while the guest is suspended. The hypervisor refuses once to resume
    the guest."""
    dom = await started(xen, guest("l", machine="pvh"))
    sim("fault", "add", "--pid", str(os.getpid()), "domctl.resumedomain:1:EPERM")
    reader, writer = os.pipe()
    saving = dom.save_stream(writer)
    while (await dom.info()).shutdown_reason is not aioxen.ShutdownReason.SUSPEND:
        await asyncio.sleep(0.001)
    os.close(reader)
    with pytest.raises(
        aioxen.FailedError, match=r"Broken pipe.*may stay suspended: .*tried again every second"
    ):
        await saving
    os.close(writer)
    await resumed(dom)
    await unmarked(dom)
    assert await runs(dom)
    await dom.destroy()
