# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest moves to a second simulated machine (far_world.py): over sockets, streams and commands, by this
library and by xl. After a failure, a cancellation, a cut connection or a killed process, exactly one guest
runs, and nothing else is left.

AIOXEN_POSITIONS is the number of random positions at which a connection is cut, for each direction.
AIOXEN_SEED repeats the positions of an earlier run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from limits import scaled
from migrating import GO, NAME, READY, Moment, at_received, is_gone, traveller
from saving import programs, runs, seeded
from worldly import ROOT, Configure

pytestmark = pytest.mark.usefixtures("sim")


POSITIONS = int(os.environ.get("AIOXEN_POSITIONS", "2"))


class Far:
    """The second machine. Its functions are those of far_world.World."""

    def __init__(self, path: Path) -> None:
        self.path = path
        outside = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        program = str(Path(__file__).with_name("far_world.py"))
        self.process = subprocess.Popen(
            [str(ROOT / "sim" / "aioxen-sim"), "--", sys.executable, program, str(path)],
            env=outside | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.answer()

    def answer(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def call(self, *call: object) -> Any:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(call).encode() + b"\n")
        self.process.stdin.flush()
        return self.answer()

    async def __call__(self, *call: object) -> Any:
        return await asyncio.to_thread(self.call, *call)

    async def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, str(self.path))
        return connection


@contextlib.contextmanager
def second_world(folder: Path) -> Iterator[Far]:
    there = Far(folder / "far")
    with there.process:
        yield there
        assert there.call("left") == []
        assert there.process.stdin
        there.process.stdin.close()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    with second_world(tmp_path) as there:
        yield there


async def test_a_guest_moves_over_a_socket(xen: aioxen.Context, guest: Configure, far: Far) -> None:
    dom = await traveller(xen, guest)
    events: list[aioxen.OperationProgress] = []
    await far("receive")
    await dom.migrate(far.path, ask=True, progress=events.append)
    assert (await far("ended")).startswith("domain ")
    assert await far("states") == {NAME: "runs"}
    phases = list(dict.fromkeys(event.phase for event in events))
    before, after = "look announced greet configuration ask accepted send", "received rename mark go"
    assert " ".join(map(str, phases)) == f"{before} {after} answer permission moved finish"
    assert max(event.sent for event in events) > 1000
    assert await far("end", NAME)
    assert await is_gone(xen)


RELAY = [sys.executable, str(Path(__file__).with_name("relay.py"))]
RECEIVE = [sys.executable, "-m", "aioxen", "migrate-receive"]


async def test_a_guest_moves_over_streams_and_commands(
    xen: aioxen.Context, guest: Configure, far: Far
) -> None:
    dom = await traveller(xen, guest)
    await far("receive")
    reader, writer = await asyncio.open_unix_connection(far.path)
    await dom.migrate((reader, writer), live=False, ask=True)
    writer.close()
    await writer.wait_closed()
    assert (await far("ended")).startswith("domain ") and await far("end", NAME)
    dom = await traveller(xen, guest)
    await far("spawn", *RECEIVE)
    await dom.migrate([*RELAY, str(far.path)])
    assert await far("ended") == "status 0" and await far("end", NAME)
    assert await is_gone(xen)


async def test_this_library_and_xl_move_guests_to_each_other(
    xen: aioxen.Context, guest: Configure, far: Far, xl: Callable[..., str]
) -> None:
    dom = await traveller(xen, guest)
    await far("spawn", "xl", "migrate-receive", "-e")
    await dom.migrate(far.path)
    assert await far("ended") == "status 0" and await far("states") == {NAME: "runs"}
    assert await far("end", NAME)
    await traveller(xen, guest)
    await far("receive")
    await asyncio.to_thread(xl, "migrate", "-s", "", NAME, " ".join([*RELAY, str(far.path)]))
    assert (await far("ended")).startswith("domain ") and await far("states") == {NAME: "runs"}
    assert await far("end", NAME)
    assert await is_gone(xen)


@pytest.mark.parametrize("name", [NAME, f"{NAME}--incoming"])
async def test_a_name_that_is_taken_at_the_target_ends_the_migration(
    xen: aioxen.Context, guest: Configure, far: Far, name: str
) -> None:
    dom = await traveller(xen, guest)
    await far("create", name)
    await far("receive")
    with pytest.raises(aioxen.FailedError):
        await dom.migrate(far.path)
    assert (await far("ended")).startswith("DomainExistsError")
    assert await dom.name() == NAME and await runs(dom)
    await far("destroy", name)
    await dom.destroy()


async def one_guest(xen: aioxen.Context, dom: aioxen.Domain, far: Far) -> str:
    """Ends unfinished migrations, checks that exactly one guest runs, and destroys it. Returns "there"
    if the guest was on the second machine, otherwise "here"."""
    await far("finish")
    there = (await far("states")).get(NAME) == "runs"
    for left in await xen.unfinished():
        # An operator checks where the guest runs. Then the operator destroys the domain here, or lets it run.
        await (dom.destroy() if there else xen.resume_unfinished(left.uuid))
    if there:
        await dom.wait_gone(timeout=scaled(20))
        assert await far("end", NAME)
    else:
        assert await runs(dom)
        await dom.destroy()
    assert await far("states") == {}
    assert await is_gone(xen)
    return "there" if there else "here"


PHASES = ("greet", "ask", "accepted", "send", "send", "received", "rename", "mark", "go", "answer", "finish")


async def accepted(far: Far) -> None:
    """If the second machine still waits for a connection, ends this wait."""
    if await far("pending") == "waits":
        await far("cancel")
    await far("ended")


async def test_a_migration_that_is_cancelled_or_limited_leaves_one_guest(
    xen: aioxen.Context, guest: Configure, far: Far
) -> None:
    chance = seeded()
    ends = []
    for number in range(12):
        dom = await traveller(xen, guest)
        way = ("here", "there", "limit")[number % 3]
        moment = Moment(chance.choice(PHASES), chance.randrange(6000))
        await far("receive")
        limit = chance.random() * 0.5 if way == "limit" else None
        moving = asyncio.create_task(
            dom.migrate(far.path, live=False, ask=True, timeout=limit, progress=moment)
        )
        await moment.wait(moving)
        if way == "here":
            moving.cancel()
        elif way == "there":
            await far("cancel")
        await asyncio.wait([moving])
        await accepted(far)
        ends.append((way, moment.phase, await one_guest(xen, dom, far)))
        print(ends[-1])
    assert {"here", "there"} == {end for *_, end in ends}


async def cut_after(
    count: int, source: asyncio.StreamReader, sink: asyncio.StreamWriter, writers: list[asyncio.StreamWriter]
) -> int:
    """Copies this number of octets at most, and then cuts the connection in both directions. Returns the
    number of copied octets."""
    done = 0
    with contextlib.suppress(ConnectionError):
        while done < count and (data := await source.read(min(1 << 16, count - done))):
            sink.write(data)
            await sink.drain()
            done += len(data)
    for writer in writers:
        writer.close()
    return done


async def move_over_a_cut(dom: aioxen.Domain, far: Far, there: int, back: int) -> tuple[int, int]:
    """Migrates over a connection that is cut after this number of octets in one direction. Returns the number
    of octets that were sent in each direction."""
    await far("receive")
    far_reader, far_writer = await asyncio.open_unix_connection(far.path)
    near, ours = socket.socketpair()
    near_reader, near_writer = await asyncio.open_connection(sock=near)
    writers = [near_writer, far_writer]
    copies = asyncio.gather(
        cut_after(there, near_reader, far_writer, writers), cut_after(back, far_reader, near_writer, writers)
    )
    with ours, contextlib.suppress(aioxen.FailedError, aioxen.OwnerUnknownError):
        await dom.migrate(ours, live=False, ask=True)
    sent, received = await copies
    for writer in writers:
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    await far("ended")
    return sent, received


async def test_a_connection_that_is_cut_leaves_one_guest(
    xen: aioxen.Context, guest: Configure, far: Far
) -> None:
    chance = seeded()
    endless = 1 << 40
    dom = await traveller(xen, guest)
    sent, received = await move_over_a_cut(dom, far, endless, endless)
    assert await one_guest(xen, dom, far) == "there"
    cuts = [(chance.randrange(1000), endless)]
    cuts += [(sent - chance.randrange(1, 50), endless) for _ in range(2)]
    for _ in range(POSITIONS):
        cuts += [(chance.randrange(sent), endless), (endless, chance.randrange(received))]
    for there, back in cuts:
        dom = await traveller(xen, guest)
        await move_over_a_cut(dom, far, there, back)
        print(there, back, await one_guest(xen, dom, far))


async def test_a_killed_receiver_leaves_one_guest(xen: aioxen.Context, guest: Configure, far: Far) -> None:
    for phase in ("accepted", "send", "received", "answer"):
        dom = await traveller(xen, guest)
        moment = Moment(phase, 1000)
        await far("spawn", *RECEIVE)
        moving = asyncio.create_task(dom.migrate(far.path, live=False, ask=True, progress=moment))
        await moment.wait(moving)
        await far("kill")
        await asyncio.wait([moving])
        await far("ended")
        print(phase, await one_guest(xen, dom, far))


async def test_a_killed_sender_leaves_one_guest(xen: aioxen.Context, guest: Configure, far: Far) -> None:
    for phase in ("send", "rename", "answer"):
        dom = await traveller(xen, guest)
        await far("receive")
        sender = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "aioxen", "migrate", "--progress=plain", NAME, f"unix:{far.path}"),
            stderr=asyncio.subprocess.PIPE,
        )
        assert sender.stderr
        async for line in sender.stderr:
            if line.strip().endswith(f": {phase}".encode()):
                break
        sender.kill()
        await sender.wait()
        await accepted(far)
        async with asyncio.timeout(scaled(20)):
            while programs():
                await asyncio.sleep(0.01)
        print(phase, await one_guest(xen, dom, far))


@pytest.mark.parametrize("streams", [False, True], ids=["socket", "streams"])
async def test_a_receiver_that_gives_up_gives_the_guest_back(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, streams: bool
) -> None:
    """The last message arrives even if the receiver's operation ends right after sending it."""
    dom = await traveller(xen, guest)
    await dom.save(tmp_path / "saved")
    ours, theirs = socket.socketpair()
    far_reader, far_writer = await asyncio.open_connection(sock=ours)
    connection: socket.socket | tuple[asyncio.StreamReader, asyncio.StreamWriter] = theirs
    if streams:
        connection = await asyncio.open_connection(sock=theirs)
    receiving = asyncio.create_task(xen.receive(connection))
    far_writer.write((tmp_path / "saved").read_bytes())
    ready = b"domain received, ready to unpause\0"
    await far_reader.readuntil(ready)
    receiving.cancel()
    await asyncio.wait([receiving])
    assert receiving.cancelled()
    if isinstance(connection, tuple):
        connection[1].close()
    else:
        connection.close()
    answer = b"my copy unpause results are as follows\0"
    permission = b"domain is yours, you are cleared to unpause\0"
    assert await far_reader.read() == answer + b"\x03" + permission
    far_writer.close()
    assert await is_gone(xen)


OUTSIDER = (
    "import asyncio, aioxen, sys\n"
    "async def main():\n"
    "    async with aioxen.Context() as xen:\n"
    "        try:\n"
    "            await getattr(xen, sys.argv[1])(int(sys.argv[2]))\n"
    "        except aioxen.BusyError:\n"
    "            print('busy')\n"
    "asyncio.run(main())"
)
"""A program that calls a method of the context with a domid. It prints whether the domain is busy."""


async def outside(method: str, dom: aioxen.Domain) -> str:
    """Runs OUTSIDER, and returns what it prints."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OUTSIDER, method, str(dom.domid)), stdout=asyncio.subprocess.PIPE
    )
    said = (await program.communicate())[0].decode()
    assert program.returncode == 0
    return said


@pytest.mark.parametrize("method", ["domain_resume", "domain_keep_suspended"])
async def test_nobody_else_takes_a_guest_that_is_sent(
    xen: aioxen.Context, guest: Configure, method: str
) -> None:
    dom = await traveller(xen, guest)
    moving, reader, writer = await at_received(dom)
    assert await outside(method, dom) == "busy\n"
    async with aioxen.Context() as other:
        with pytest.raises(aioxen.BusyError):
            await getattr(other, method)(dom.domid)
    assert (await dom.info()).shutdown
    writer.write(READY)
    assert await reader.readexactly(len(GO)) == GO
    writer.write(b"my copy unpause results are as follows\0\0")
    await moving
    writer.close()
    assert await is_gone(xen)


@pytest.mark.parametrize("change", ["mark", "guest"])
async def test_a_guest_that_runs_again_is_not_given_away(
    xen: aioxen.Context, guest: Configure, change: str
) -> None:
    """Another program resumes the guest, which the mark of the save (src/xen/save_mark.h) forbids. For this
    the test removes the mark. It stays removed, or the test writes it again."""
    dom = await traveller(xen, guest)
    moving, reader, writer = await at_received(dom)
    mark = f"/libxl/{dom.domid}/aioxen-save"
    kept = await xen.store_read(mark)
    assert kept.endswith(b" sent")
    await xen.store_remove(mark)
    assert await outside("domain_resume", dom) == ""
    if change == "guest":
        await xen.store_write(mark, kept)
    assert not (await dom.info()).shutdown
    writer.write(READY)
    with pytest.raises(aioxen.BusyError, match="another program"):
        await moving
    assert await reader.read() == b""
    writer.close()
    assert await dom.name() == NAME and await runs(dom)
    await dom.destroy()
    assert await is_gone(xen)
