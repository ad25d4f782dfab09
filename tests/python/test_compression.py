# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains are saved and moved in the compressed container of docs/compressed.md. A container that is cut off
or changed anywhere is refused, and leaves no domain. The error names the octet at which the container is
wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from migrating import NAME, is_gone, traveller
from saving import programs, runs, started
from test_migrate import Far
from test_migrate import far as far
from worldly import Configure

pytestmark = pytest.mark.usefixtures("sim")

HEADER = struct.pack("<II20sI", 0x184D2A5A, 24, b"aioxen saved domain", 1)
PART = struct.Struct("<IIIII")
MIB = 1 << 20

zstd = ctypes.CDLL("libzstd.so.1")
for function in (zstd.ZSTD_decompress, zstd.ZSTD_compress):
    function.restype = ctypes.c_size_t


def compressed(content: bytes) -> bytes:
    """Returns one frame of zstd."""
    room = ctypes.create_string_buffer(len(content) + (1 << 16))
    level = ctypes.c_int(1)
    size = zstd.ZSTD_compress(room, ctypes.c_size_t(len(room)), content, ctypes.c_size_t(len(content)), level)
    return room.raw[:size]


def part(number: int, frame: bytes) -> bytes:
    return PART.pack(0x184D2A5A, 12, number, len(frame), zlib.crc32(frame) if frame else 0) + frame


def parts(data: bytes) -> Iterator[bytes]:
    """Yields the content of each part. Checks everything that docs/compressed.md says of the container."""
    assert data[:32] == HEADER
    at, number = 32, 0
    while True:
        frame, length, numbered, size, crc = PART.unpack_from(data, at)
        assert (frame, length, numbered) == (0x184D2A5A, 12, number)
        at, number = at + PART.size, number + 1
        if not size:
            break
        packed = data[at : at + size]
        assert crc == zlib.crc32(packed)
        room = ctypes.create_string_buffer(MIB)
        got = zstd.ZSTD_decompress(room, ctypes.c_size_t(MIB), packed, ctypes.c_size_t(size))
        assert got <= MIB
        yield room.raw[:got]
        at += size
    assert (at, crc) == (len(data), 0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, kernel: Path) -> bytes:
    """Returns a saved domain in a container."""
    file = tmp_path_factory.mktemp("saved") / "file"

    async def make() -> None:
        async with aioxen.Context() as xen:
            dom = await started(xen, aioxen.pvh("template", kernel, memory="20M", cmdline="l"))
            await dom.save(file, compression=1)

    asyncio.run(make())
    return file.read_bytes()


async def test_a_compressed_domain_continues(
    xen: aioxen.Context, guest: Configure, tmp_path: Path, xl: Callable[..., str]
) -> None:
    """aioxen restores the container. xl restores the file into which zstd decompresses it."""
    dom = await started(xen, guest("l dirty=100", machine="pvh", memory="24M"))
    file, plain = tmp_path / "saved", tmp_path / "plain"
    policy = aioxen.SavePolicy(compression_threads=3)
    await dom.save(file, live=True, policy=policy, compression=3)
    assert policy.compression == 0
    restored = await xen.restore(file)
    await restored.unpause()
    assert await runs(restored)
    await restored.destroy()
    plain.write_bytes(b"".join(parts(file.read_bytes())))
    assert 3 * MIB < plain.stat().st_size > 2 * file.stat().st_size
    await asyncio.to_thread(xl, "restore", "-e", str(plain))
    again = await xen.domain_find(str(guest().c_info.name))
    assert await runs(again)
    await again.destroy()


async def refused(xen: aioxen.Context, data: bytes, path: Path) -> str:
    path.write_bytes(data)
    with pytest.raises(aioxen.InvalidError) as caught:
        await xen.restore(path)
    assert [info.domid for info in await xen.domain_list()] == [0]
    assert programs() == []
    return str(caught.value)


async def test_a_container_that_is_cut_off_is_refused(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    far = random.randrange(100, len(saved))
    for size in (20, 32, 40, 60, far, len(saved) - PART.size, len(saved) - 1):
        message = await refused(xen, saved[:size], tmp_path / "file")
        assert "octet " in message and "ends too early" in message, (size, message)


async def test_a_container_with_a_changed_bit_is_refused(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    headers = [random.randrange(0, 32), random.randrange(32, 52), len(saved) - random.randrange(1, PART.size)]
    for place in [*headers, *(random.randrange(52, len(saved)) for _ in range(4))]:
        data = bytearray(saved)
        data[place] ^= 1 << random.randrange(8)
        assert "octet " in await refused(xen, bytes(data), tmp_path / "file"), place


HOSTILE = {
    "version": (HEADER[:28] + b"\2\0\0\0", "compressed by a newer release"),
    "too large": (HEADER + part(0, compressed(bytes(MIB + 1))), "octet 32: Destination buffer is too small"),
    "no frame": (HEADER + part(0, b"xyz"), "octet 32: the compressed stream is corrupt"),
    "two frames": (HEADER + part(0, compressed(b"x") + compressed(b"y")), "a part is not one frame"),
    "old frame": (HEADER + part(0, b"\x27\xb5\x2f\xfd" + bytes(60)), "a part is not one frame"),
    "skipped frame": (HEADER + part(0, b"\x50\x2a\x4d\x18" + bytes(4)), "a part is not one frame"),
    "number": (HEADER + part(1, compressed(b"x")), "a part's header is expected here"),
    "size": (HEADER + PART.pack(0x184D2A5A, 12, 0, 2 * MIB, 0), "a part's header is expected here"),
    "nothing": (HEADER + part(0, b""), "ends too early"),
    "content": (HEADER + part(0, compressed(b"x" * 500)), "not a domain that xl or this library has saved"),
    "container": (HEADER + part(0, compressed(HEADER + b"x" * 500)), "not a domain that xl"),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_container_is_refused(xen: aioxen.Context, tmp_path: Path, kind: str) -> None:
    data, words = HOSTILE[kind]
    assert words in await refused(xen, data, tmp_path / "file")


async def test_a_missing_or_additional_part_is_refused(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    contents = list(parts(saved))
    assert len(contents) > 2
    without = [part(i, compressed(c)) for i, c in enumerate(contents[:1] + contents[2:])]
    assert "octet " in await refused(
        xen, HEADER + b"".join(without) + part(len(without), b""), tmp_path / "a"
    )
    more = [part(i, compressed(c)) for i, c in enumerate([*contents, b"more"])]
    message = await refused(xen, HEADER + b"".join(more) + part(len(more), b""), tmp_path / "b")
    assert "octets follow the saved domain" in message


def fill(pipe: int) -> None:
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(pipe, bytes(4096)):
            pass
    os.set_blocking(pipe, True)


async def test_a_compressed_save_that_fails_leaves_the_guest(xen: aioxen.Context, guest: Configure) -> None:
    """The disk is full, the reader has closed the stream, or the save is cancelled while no process reads the
    stream."""
    dom = await started(xen, guest("l", machine="pvh"))
    policy = aioxen.SavePolicy(compression=1)
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(aioxen.FailedError, match="fd: No space left on device"):
        await dom.save_stream(full, aioxen.Suspend(0), policy)
    os.close(full)
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(aioxen.FailedError, match="fd: Broken pipe"):
        await dom.save_stream(writer, aioxen.Suspend.LIVE, policy)
    os.close(writer)
    reader, writer = os.pipe()
    fill(writer)
    saving = dom.save_stream(writer, aioxen.Suspend.LIVE, policy)
    while not programs():
        await asyncio.sleep(0.001)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    os.close(reader)
    os.close(writer)
    assert await runs(dom)
    await dom.destroy()


async def test_a_guest_moves_compressed(xen: aioxen.Context, guest: Configure, far: Far) -> None:
    dom = await traveller(xen, guest)
    await far("receive")
    await dom.migrate(far.path, compression=3, policy=aioxen.SavePolicy(bandwidth_kib=64 << 10))
    assert (await far("ended")).startswith("domain ")
    assert await far("states") == {NAME: "runs"}
    assert await far("end", NAME)
    assert await is_gone(xen)
