# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domains are restored. If a stream is cut off or wrong, the error names the octet, and no domain is left."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aioxen
import pytest
from limits import scaled
from saving import programs, saved_domain, seeded
from worldly import Configure

pytestmark = pytest.mark.usefixtures("sim")


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, kernel: Path) -> bytes:
    """Returns a saved domain."""
    return saved_domain(kernel, tmp_path_factory.mktemp("saved") / "file")


async def refused(xen: aioxen.Context, data: bytes, path: Path, timeout: float = scaled(60)) -> aioxen.Error:
    path.write_bytes(data)
    with pytest.raises(aioxen.Error) as caught:
        await xen.restore(path, timeout=timeout)
    assert [info.domid for info in await xen.domain_list()] == [0]
    return caught.value


async def test_a_file_that_is_cut_off_leaves_no_domain(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    sizes = [0, 10, 47, 48, 60, 400, 1000, 20_000, len(saved) // 2, len(saved) - 100, len(saved) - 3]
    for size in sizes:
        error = await refused(xen, saved[:size], tmp_path / "file")
        assert isinstance(error, aioxen.InvalidError), (size, error)
        assert f"fd: octet {size}: " in str(error), (size, error)


HEADERS: dict[str, tuple[Callable[[bytearray], Any], str]] = {
    "magic": (lambda d: d.__setitem__(3, 0), "octet 48: not a domain that xl or this library has saved"),
    "byte order": (lambda d: d.__setitem__(slice(32, 36), b"\1\2\3\4"), "with another byte order"),
    "mandatory flags": (lambda d: d.__setitem__(36, 7), "unknown mandatory flags"),
    "stream of xl 4.5": (lambda d: d.__setitem__(36, 1), "saved by xl 4.5 or older"),
    "size": (lambda d: d.__setitem__(slice(44, 48), b"\xff" * 4), "header is too large"),
    "no configuration": (lambda d: d.__setitem__(slice(44, 48), b"\0" * 4), "header has no configuration"),
    "length": (
        lambda d: d.__setitem__(slice(48, 52), b"\xff" * 4),
        "configuration in xl's header is cut off",
    ),
    "JSON": (lambda d: d.__setitem__(52, ord("[")), "the configuration in xl's header: "),
}


@pytest.mark.parametrize("header", HEADERS)
async def test_a_wrong_header_is_named(
    xen: aioxen.Context, saved: bytes, tmp_path: Path, header: str
) -> None:
    change, words = HEADERS[header]
    data = bytearray(saved)
    change(data)
    error = await refused(xen, bytes(data), tmp_path / "file")
    assert isinstance(error, aioxen.InvalidError) and words in str(error)


async def test_the_saved_domain_must_not_exist(
    xen: aioxen.Context, guest: Configure, saved: bytes, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(saved)
    first = await xen.restore(tmp_path / "file")
    with pytest.raises(aioxen.DomainExistsError):
        await xen.restore(tmp_path / "file")
    await first.destroy()


async def test_a_cancelled_restore_leaves_no_domain(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(saved)
    chance = seeded()
    for _ in range(10):
        restoring = asyncio.create_task(xen.restore(tmp_path / "file"))
        await asyncio.sleep(chance.random() * 0.3)
        restoring.cancel()
        await asyncio.wait([restoring])
        if not restoring.cancelled():
            await restoring.result().destroy()
        assert [info.domid for info in await xen.domain_list()] == [0]
    assert programs() == []


def with_configuration(saved: bytes, change: Callable[[str], str]) -> bytes:
    """Returns the saved domain with another configuration in xl's header."""
    (length,) = struct.unpack_from("=I", saved, 48)
    text = change(saved[52 : 52 + length].rstrip(b"\0").decode()).encode() + b"\0"
    return saved[:44] + struct.pack("=II", len(text) + 4, len(text)) + text + saved[52 + length :]


async def test_members_of_a_newer_release_are_ignored(
    xen: aioxen.Context, saved: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    newer = with_configuration(
        saved,
        lambda text: '{"future":[1],' + text[1:].replace('"c_info":{', '"c_info":{"other":{"x":null},', 1),
    )
    (tmp_path / "file").write_bytes(newer)
    restored = await xen.restore(tmp_path / "file")
    await restored.destroy()
    (warning,) = [r.getMessage() for r in caplog.records if "are ignored" in r.getMessage()]
    assert "2 members of the configuration in xl's header are ignored: future: there is no" in warning


async def test_known_members_of_a_newer_release_are_checked(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    wrong = with_configuration(saved, lambda text: text.replace('"c_info":{', '"c_info":{"uuid":7,', 1))
    error = await refused(xen, wrong, tmp_path / "file")
    assert isinstance(error, aioxen.InvalidError) and "c_info.uuid" in str(error)


async def test_a_long_configuration_is_read_in_linear_time(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    # An algorithm of quadratic time would need more than 30 s, so the operation's time limit would end it.
    text = ("{" + ",".join(f'"m{i}":1' for i in range(90_000)) + "}\0").encode()
    header = saved[:44] + struct.pack("=II", len(text) + 4, len(text))
    error = await refused(xen, header + text, tmp_path / "file", timeout=scaled(5))
    assert isinstance(error, aioxen.InvalidError) and "c_info" in str(error)


def place_of_first_page(data: bytes) -> int:
    """Returns the offset of the first frame number in the stream (Xen's
    docs/specs/libxc-migration-stream.pandoc)."""
    (optional,) = struct.unpack_from("=I", data, 44)
    at: int = 48 + optional + 16 + 8 + 24 + 16  # xl's header, libxl's header and record, libxc's two headers
    while True:
        kind, length = struct.unpack_from("=II", data, at)
        if kind == 1:
            return int(at + 16)
        at += 8 + (length + 7 & ~7)


RESTORE = """
import asyncio, resource, sys, aioxen

async def restore():
    async with aioxen.Context() as xen:
        await xen.restore(sys.argv[1])

try:
    asyncio.run(restore())
except aioxen.Error as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_a_wrong_frame_number_costs_no_memory(saved: bytes, tmp_path: Path) -> None:
    """libxenguest would make a bitmap of 512 MB. The kernel reports the greatest memory of all children that
    a process has had, so a new process restores here."""
    data, at = bytearray(saved), place_of_first_page(saved)
    (entry,) = struct.unpack_from("=Q", data, at)
    struct.pack_into("=Q", data, at, entry | 1 << 32)
    path = tmp_path / "file"
    path.write_bytes(bytes(data))
    done = subprocess.run([sys.executable, "-c", RESTORE, path], capture_output=True, text=True, check=True)
    *message, kilobytes = done.stdout.splitlines()
    assert "bitmap" in "".join(message)
    assert 0 < int(kilobytes) < 300 << 10


async def test_a_configuration_has_a_bounded_number_of_devices(
    xen: aioxen.Context, saved: bytes, tmp_path: Path
) -> None:
    disks = ",".join(["{}"] * 300_000)
    many = with_configuration(saved, lambda text: f'{{"disks":[{disks}],' + text[1:])
    error = await refused(xen, many, tmp_path / "file")
    assert "disks: 300000 elements are not between 0 and 256" in str(error)
