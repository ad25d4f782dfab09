# SPDX-License-Identifier: LGPL-2.1-or-later
"""A sender first asks the receiver, which checks what the guest needs. If the receiver refuses the guest, the
sender's error has the receiver's words, no page is sent, and the guest continues to run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from migrating import NAME, traveller
from saving import runs, saved_domain
from test_migrate import RECEIVE, Far
from test_migrate import far as far
from test_received_allowed import config_of
from worldly import Configure, xenstore

pytestmark = pytest.mark.usefixtures("sim")

GREETING = b"xl migration receiver ready, send binary domain data.\n"
HEADER = struct.Struct("=32sIIII")
MAGIC = b"aioxen migration, request 1\n \0 \r"
BYTE_ORDER = 0x01020304


def request(text: bytes, flags: int = 0, size: int | None = None) -> bytes:
    return HEADER.pack(MAGIC, BYTE_ORDER, flags, 0, len(text) if size is None else size) + text


async def read_answer(reader: asyncio.StreamReader) -> Any:
    return json.loads(await reader.readexactly(int(await reader.readexactly(4))))


async def refused(dom: aioxen.Domain, far: Far, error: type[aioxen.Error], text: str) -> None:
    """Migrates, and checks that the receiver has refused the guest before a page was sent."""
    phases: list[str | None] = []
    before = xenstore()
    await far("receive")
    with pytest.raises(error, match="the receiver: .*" + re.escape(text)) as caught:
        await dom.migrate(far.path, ask=True, progress=lambda event: phases.append(event.phase))
    assert type(caught.value) is error
    assert (await far("ended")).startswith(f"{error.__name__}: ")
    assert phases[-1] == "accepted" and "send" not in phases
    assert xenstore() == before and await dom.name() == NAME and not (await dom.info()).shutdown


async def test_a_receiver_refuses_a_guest_with_its_own_words(
    xen: aioxen.Context, guest: Configure, far: Far, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 16))
    dom = await traveller(xen, guest)
    await far("create", NAME)
    await refused(dom, far, aioxen.DomainExistsError, f"'{NAME}'")
    await far("destroy", NAME)
    await dom.disk_add(aioxen.DeviceDisk(vdev="xvda", pdev_path=str(image)))
    image.rename(tmp_path / "elsewhere")
    await refused(dom, far, aioxen.InvalidError, f"disks[0]: pdev_path: {image}: ")
    (tmp_path / "elsewhere").rename(image)
    await far("receive")
    await dom.migrate(far.path, ask=True)
    assert (await far("ended")).startswith("domain ") and await far("end", NAME)


async def test_a_receiver_refuses_a_guest_that_does_not_fit(
    xen: aioxen.Context, guest: Configure, far: Far
) -> None:
    dom = await traveller(xen, guest)
    await far("fill", 8)
    await refused(dom, far, aioxen.NoMemoryForGuestError, "b_info.target_memkb: ")
    await far("destroy", "filler")
    await dom.destroy()


@contextlib.asynccontextmanager
async def asked(xen: aioxen.Context, octets: bytes) -> AsyncIterator[tuple[Any, Any, Any]]:
    """Sends the octets to a receiver. Yields the sender's streams, and the receiver's task."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    with theirs:
        receiving = asyncio.create_task(xen.receive(theirs))
        assert await reader.readexactly(len(GREETING)) == GREETING
        writer.write(octets)
        yield reader, writer, receiving
        writer.close()
        await asyncio.wait([receiving])
    assert [info.domid for info in await xen.domain_list()] == [0]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, kernel: Path) -> bytes:
    return saved_domain(kernel, tmp_path_factory.mktemp("saved") / "file")


async def test_what_a_sender_asks_is_checked(xen: aioxen.Context, saved: bytes) -> None:
    config = config_of(saved)
    nic = {"bridge": "br-missing"}
    wrong: list[tuple[Any, type[aioxen.Error], str]] = [
        ({"config": config, "features": [0] * 5 + [0xFFFFFFFF]}, aioxen.InvalidError, "features[5]: "),
        ({"config": config, "features": [0] * 64 + [1]}, aioxen.InvalidError, "features: more than 64 words"),
        ({"config": config, "memory_kb": 1 << 50}, aioxen.NoMemoryForGuestError, "memory_kb: "),
        ({"config": config, "memory_kb": 64 << 10}, aioxen.NoMemoryForGuestError, "configuration allows "),
        ({"config": config | {"nics": [nic]}}, aioxen.InvalidError, "nics[0]: bridge: "),
        ({"config": config | {"disks": 5}}, aioxen.InvalidError, "config.disks"),
        ({}, aioxen.InvalidError, "c_info.name"),
    ]
    for given, error, text in wrong:
        async with asked(xen, request(json.dumps(given).encode())) as (reader, _, receiving):
            answer = await read_answer(reader)
            with pytest.raises(error):
                await receiving
            assert answer["error"] == error.rc and text in answer["message"], answer


async def test_a_request_that_is_not_one_is_refused(xen: aioxen.Context, saved: bytes) -> None:
    good = json.dumps({"config": config_of(saved)}).encode()
    for octets in (
        request(good, flags=1),
        request(good, size=1 << 31),
        request(good)[:100],
        request(b"{")[:-1],
    ):
        async with asked(xen, octets) as (reader, writer, receiving):
            writer.write_eof()
            with pytest.raises((aioxen.InvalidError, aioxen.FailedError)) as caught:
                await receiving
            answer = await read_answer(reader)
            assert answer["error"] == caught.value.rc and answer["message"].startswith("fd: "), answer


async def reserved(xen: aioxen.Context) -> int:
    """Returns how much memory is reserved for the only guest, in KiB."""
    return (await xen.domain_list())[1].outstanding_memkb


async def test_memory_is_reserved_until_the_guest_has_it(xen: aioxen.Context, saved: bytes) -> None:
    good = json.dumps({"config": config_of(saved), "memory_kb": 20 << 10}).encode()
    for goes in (True, False):
        async with asked(xen, request(good)) as (reader, writer, receiving):
            assert await read_answer(reader) == {}
            assert await reserved(xen) == 20 << 10
            if goes:  # The sender closes the connection after the receiver has accepted the guest.
                writer.write_eof()
                with pytest.raises(aioxen.InvalidError, match="ends too early"):
                    await receiving
            else:
                writer.write(saved)
                assert (await reader.readuntil(b"\0")).startswith(b"domain received")
                assert await reserved(xen) == 0


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b'0046{"error": -3, "message": "no\\u001b[31m place"}', r"the receiver: no\\x1b"),
        (b'0014{"error": -27}', "the receiver: "),
        (b'0014{"error":-999}', "the receiver: "),
        (b'0014{"error": -21}', "the receiver: "),
        (b'0014{"error": -24}', "the receiver: "),
        (b"9999", "something else than an answer"),
        (b"domain received", "something else than an answer"),
        (b"0002[]", "the receiver's answer: "),
        (b"", "another toolstack"),
    ],
)
async def test_an_answer_is_not_trusted(
    xen: aioxen.Context, guest: Configure, answer: bytes, text: str
) -> None:
    dom = await traveller(xen, guest)
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    with ours:
        moving = asyncio.create_task(dom.migrate(ours, ask=True))
        writer.write(GREETING)
        head = HEADER.unpack(await reader.readexactly(HEADER.size))
        assert head[:2] == (MAGIC, BYTE_ORDER)
        asked = json.loads(await reader.readexactly(head[4]))
        assert asked["config"]["c_info"]["name"] == NAME and len(asked["features"]) == 16
        assert asked["memory_kb"] >= 24 << 10
        writer.write(answer)
        writer.write_eof()
        with pytest.raises(aioxen.FailedError, match=text):
            await moving
    writer.close()
    assert await runs(dom)
    await dom.destroy()


async def test_xl_as_the_receiver_does_not_understand_the_question(
    xen: aioxen.Context, guest: Configure, far: Far
) -> None:
    dom = await traveller(xen, guest)
    await far("spawn", "xl", "migrate-receive", "-e")
    with pytest.raises(aioxen.FailedError, match="another toolstack does not understand the option ASK"):
        await dom.migrate(far.path, ask=True)
    await far("ended")
    assert await far("states") == {} and await runs(dom)
    await dom.destroy()


async def test_a_guest_that_has_not_announced_that_it_can_suspend_itself(
    xen: aioxen.Context, guest: Configure, far: Far
) -> None:
    """The guest is paused, so it has not announced anything."""
    dom = await xen.domain_create(guest("l", machine="pvh", memory="24M", name=NAME))
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(aioxen.GuestCannotAnswerError, match="control/feature-suspend: "):
        await dom.migrate(ours)
    await dom.unpause()
    await far("receive")
    await dom.migrate(far.path, ask=True, unannounced=True)
    assert (await far("ended")).startswith("domain ") and await far("end", NAME)


async def test_the_command_asks_and_prints_the_reason(
    xen: aioxen.Context, guest: Configure, far: Far
) -> None:
    dom = await traveller(xen, guest)
    await far("create", NAME)
    await far("spawn", *RECEIVE)
    words = ("-m", "aioxen", "migrate", "--ask", NAME, f"unix:{far.path}")
    sender = await asyncio.create_subprocess_exec(sys.executable, *words, stderr=asyncio.subprocess.PIPE)
    said = (await sender.communicate())[1].decode()
    assert sender.returncode and "the receiver: " in said and NAME in said, said
    assert (await far("ended")) != "status 0"
    assert await runs(dom)
    await far("destroy", NAME)
    await dom.destroy()
