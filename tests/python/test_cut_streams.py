# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults at random positions of a stream, on the side that saves and on the side that restores. Afterwards
either one guest runs, or there is one saved file and no guest. Nothing else is left.

AIOXEN_POSITIONS is the number of positions for each side. AIOXEN_SEED repeats the positions of an earlier
run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from leftovers import check_nothing_left, snapshot
from limits import scaled
from saving import programs, resumed, runs, saved_domain, saver, seeded, started
from worldly import Configure

pytestmark = pytest.mark.usefixtures("sim")

POSITIONS = int(os.environ.get("AIOXEN_POSITIONS", "8"))
PAGE = 4096
ABRUPT = struct.pack("ii", 1, 0)
"""The value of SO_LINGER with which close() resets a connection."""

RESTORER = (
    "import asyncio, aioxen\n"
    "async def main():\n"
    "    async with aioxen.Context() as xen:\n"
    "        await xen.restore(0)\n"
    "asyncio.run(main())"
)
"""A program that restores a domain from its standard input."""


class Positions:
    """Random positions of a stream, each with a fault. All faults get the same number of positions, or one
    more."""

    def __init__(self, size: int, faults: list[str]) -> None:
        self.chance = seeded()
        self.ends: Counter[str] = Counter()
        self.size, self.faults = size, faults

    def __iter__(self) -> Iterator[tuple[int, str]]:
        faults = self.chance.sample(self.faults, len(self.faults))
        for number in range(POSITIONS):
            # Every second position is near an end of the stream, because the records there are short.
            near, far = self.chance.randrange(20_000), self.chance.randrange(self.size)
            place = [near, far, self.size - near, far][number % 4]
            fault = faults[number % len(faults)]
            print(f"{fault} at {place} of {self.size}")
            yield min(max(place, 1), self.size - 1), fault


def connection() -> tuple[socket.socket, socket.socket]:
    """Returns both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        mine = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPT)
    return mine, theirs


async def settled(xen: aioxen.Context, free: int, what: str) -> None:
    """Waits until no program that saves or restores is left, and host_free_memory() returns `free`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(scaled(20)):
            while programs() or await xen.host_free_memory() != free:
                await asyncio.sleep(0.005)
    assert programs() == [], what
    assert await xen.host_free_memory() == free, what


async def program() -> int:
    """Waits until a program that saves or restores runs, and returns its process id."""
    async with asyncio.timeout(scaled(20)):
        while not (found := programs()):
            await asyncio.sleep(0.001)
    return found[0]


def discard(fd: int, count: int) -> int:
    """Reads `count` octets, or to the end. Returns how many it has read."""
    left = count
    while left and (data := os.read(fd, min(left, 1 << 16))):
        left -= len(data)
    return count - left


def discard_all(fd: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(fd, 1 << 16):
            pass


# ---- the side that saves


@contextlib.contextmanager
def full_disk(folder: Path, size: int) -> Iterator[int]:
    """Yields a file on a disk that is full after about `size` octets."""
    options = f"size={max(size // PAGE, 1) * PAGE}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    fd = os.open(folder / "saved", os.O_WRONLY | os.O_CREAT)
    try:
        yield fd
    finally:
        os.close(fd)
        subprocess.run(["umount", folder], check=True)


async def save_to_full_disk(dom: aioxen.Domain, place: int, flags: aioxen.Suspend, folder: Path) -> None:
    with full_disk(folder, place) as fd:
        await dom.save_stream(fd, flags)


async def save_by_another_process(dom: aioxen.Domain, place: int, size: int) -> None:
    """The process that saves is killed when `place` octets of the stream were read. If it has written the
    whole stream by then, the saved file is complete, and the guest may stay suspended."""
    reader, writer = os.pipe()
    process = await saver(dom, stdout=writer)
    os.close(writer)
    read = await asyncio.to_thread(discard, reader, place)
    process.kill()
    await process.wait()
    read += await asyncio.to_thread(discard, reader, size)
    os.close(reader)
    while programs():
        await asyncio.sleep(0.005)
    if read < size or not (await dom.info()).shutdown:
        raise aioxen.FailedError("the process was killed")


async def save_with_fault(
    dom: aioxen.Domain, place: int, fault: str, flags: aioxen.Suspend, sim: Callable[..., str]
) -> None:
    """Saves to a socket. The fault occurs when `place` octets were read from the socket's other end."""
    mine, theirs = connection() if fault == "reset" else socket.socketpair()
    limit = 0.3 if fault == "limit" else None
    saving = dom.save_stream(theirs.fileno(), flags, timeout=limit)
    number = await program()
    try:
        reading = asyncio.ensure_future(asyncio.to_thread(discard, mine.fileno(), place))
        while not reading.done() and not saving.done():
            await asyncio.sleep(0.001)
        if not reading.done():  # the limit was reached, or the stream is shorter than measured
            theirs.close()
            await reading
        if fault == "abort":
            saving.cancel()
        elif fault in ("killed", "terminated"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL if fault == "killed" else signal.SIGTERM)
        elif fault == "failure":
            sim("fault", "add", "--pid", str(number), "foreign.map:EIO")
        elif fault in ("closed", "reset"):
            mine.close()
        rest = mine.fileno() if fault in ("failure", "killed", "terminated") else -1
        discarding = asyncio.ensure_future(asyncio.to_thread(discard_all, rest))
        try:
            await saving
        finally:
            theirs.close()
            await discarding
    finally:
        mine.close()
        theirs.close()
        sim("fault", "clear")


SAVE_FAULTS = [
    "abort",
    "limit",
    "killed",
    "terminated",
    "failure",
    "closed",
    "reset",
    "full disk",
    "process killed",
]


@pytest.mark.parametrize("machine", ["pv", "pvh"])
async def test_faults_while_a_domain_is_saved(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, sim: Callable[..., str], machine: str
) -> None:
    dom = await started(xen, guest("l dirty=60", machine=machine))
    await dom.save(tmp_path / "saved", afterwards="resume")
    size = (tmp_path / "saved").stat().st_size
    free, before = await xen.host_free_memory(), snapshot()
    positions = Positions(size, SAVE_FAULTS)
    (tmp_path / "disk").mkdir()
    for place, fault in positions:
        what = f"{fault} at {place}"
        flags = positions.chance.choice([aioxen.Suspend(0), aioxen.Suspend.LIVE])
        try:
            if fault == "full disk":
                await save_to_full_disk(dom, place, flags, tmp_path / "disk")
            elif fault == "process killed":
                await save_by_another_process(dom, place, size)
            else:
                await save_with_fault(dom, place, fault, flags, sim)
        except (aioxen.Error, asyncio.CancelledError):
            positions.ends["guest"] += 1
            await resumed(dom)
        else:  # the fault has occurred after the end of the stream
            positions.ends["file"] += 1
            assert (await dom.info()).shutdown_reason is aioxen.ShutdownReason.SUSPEND, what
            await dom.resume()
        await settled(xen, free, what)
        info = await dom.info()
        assert not info.shutdown and not info.paused and sim("log-dirty") == "", what
        check_nothing_left(before, what)
    assert positions.ends["guest"] > positions.ends["file"]
    assert await runs(dom)
    await dom.destroy()


# ---- the side that restores


@pytest.fixture(scope="module", params=["pv", "pvh"])
def saved(tmp_path_factory: pytest.TempPathFactory, kernel: Path, request: pytest.FixtureRequest) -> bytes:
    """Returns a saved domain."""
    return saved_domain(kernel, tmp_path_factory.mktemp("saved") / "file", request.param)


@contextlib.asynccontextmanager
async def sending(mine: socket.socket, data: bytes) -> AsyncIterator[threading.Event]:
    """Sends in a thread. Sets the event when all is sent, or when the other end is closed."""
    sent = threading.Event()

    def send() -> None:
        with contextlib.suppress(OSError):
            mine.sendall(data)
        sent.set()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        mine.shutdown(socket.SHUT_RDWR) if mine.fileno() >= 0 else None
        await asyncio.to_thread(thread.join)


async def restore_with_fault(
    xen: aioxen.Context, data: bytes, place: int, fault: str, sim: Callable[..., str]
) -> aioxen.Domain:
    """Restores from a socket. The fault occurs when `place` octets were sent into the socket's other end."""
    mine, theirs = connection() if fault == "reset" else socket.socketpair()
    if fault == "corrupt":
        data = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
    else:
        data = data[:place]
    limit = 0.3 if fault == "limit" else None
    restoring = asyncio.ensure_future(xen.restore(theirs.fileno(), timeout=limit))
    try:
        async with sending(mine, data) as sent:
            number = await program()
            while not sent.is_set() and not restoring.done():
                await asyncio.sleep(0.001)
            if fault == "abort":
                restoring.cancel()
            elif fault in ("killed", "terminated"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL if fault == "killed" else signal.SIGTERM)
            elif fault == "failure":
                sim("fault", "add", "--pid", str(number), "memory_op.populate_physmap:ENOMEM")
                sim("fault", "add", "--pid", str(number), "foreign.map:EIO")
                mine.shutdown(socket.SHUT_WR)
            elif fault in ("cut", "corrupt"):
                mine.shutdown(socket.SHUT_WR)
            elif fault == "reset":
                mine.close()
            return await restoring
    finally:
        mine.close()
        theirs.close()
        sim("fault", "clear")


async def restore_by_another_process(xen: aioxen.Context, data: bytes, place: int) -> None:
    """The process that restores is killed when `place` octets were sent. Another process removes the
    unfinished domain."""
    mine, theirs = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RESTORER, stdin=theirs.fileno(), stderr=asyncio.subprocess.DEVNULL
    )
    theirs.close()
    async with sending(mine, data[:place]) as sent:
        await program()
        assert await asyncio.to_thread(sent.wait, scaled(20))
        process.kill()
        await process.wait()
        for unfinished in await xen.unfinished():
            await xen.remove_unfinished(unfinished.uuid)
    mine.close()


RESTORE_FAULTS = [
    "abort",
    "limit",
    "killed",
    "terminated",
    "failure",
    "cut",
    "reset",
    "corrupt",
    "process killed",
]


async def test_faults_while_a_domain_is_restored(
    xen: aioxen.Context, saved: bytes, sim: Callable[..., str]
) -> None:
    free, before = await xen.host_free_memory(), snapshot()
    positions = Positions(len(saved), RESTORE_FAULTS)
    for place, fault in positions:
        what = f"{fault} at {place}"
        try:
            if fault == "process killed":
                await restore_by_another_process(xen, saved, place)
                positions.ends["file"] += 1
            else:
                restored = await restore_with_fault(xen, saved, place, fault, sim)
                positions.ends["guest"] += 1
                # The changed octet was in the guest's memory, where libxenguest checks nothing.
                assert fault == "corrupt", what
                await restored.destroy()
        except (aioxen.Error, asyncio.CancelledError):
            positions.ends["file"] += 1
        assert [info.domid for info in await xen.domain_list()] == [0], what
        assert await xen.unfinished() == [], what
        await settled(xen, free, what)
        check_nothing_left(before, what)
    assert positions.ends["file"] > positions.ends["guest"]
