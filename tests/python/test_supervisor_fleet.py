# SPDX-License-Identifier: LGPL-2.1-or-later
"""The supervisor runs fifty guests with disks, and is controlled through its socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from limits import scaled
from supervision.memory import MIB, Share, amount, shares
from worldly import ROOT, domids, read_node, write_node

SUPERVISOR = [sys.executable, str(ROOT / "examples" / "supervisor.py")]
GUESTS = 50
MUTE, CRASHING, REBOOTING, ENDING, GREEDY = "g0", "g1", "g2", "g3", "g4"
SPECIAL = {
    MUTE: 'extra="b"',
    CRASHING: 'extra="l"\non_crash="restart"',
    REBOOTING: 'extra="l"\non_reboot="restart"',
    ENDING: 'extra="l"\non_poweroff="destroy"',
    GREEDY: 'extra="l"\nmaxmem=64',
}
Send = Callable[..., Any]


@contextlib.asynccontextmanager
async def client(path: Path) -> AsyncIterator[Send]:
    """Yields a function that sends a request, and returns the answer. Waits until the socket is there."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_unix_connection(path, limit=1 << 20)
            break
        await asyncio.sleep(0.02)

    async def send(line: str | bytes | None = None, **request: str) -> Any:
        data = json.dumps(request) if line is None else line
        writer.write((data.encode() if isinstance(data, str) else data) + b"\n")
        return json.loads(await reader.readline())

    try:
        yield send
    finally:
        writer.close()


async def until(send: Send, name: str, **wanted: object) -> dict[str, Any]:
    """Waits until the supervisor's description of a guest has the values `wanted`. Returns the
    description."""
    while True:
        shown: dict[str, Any] = await send(do="show", guest=name)
        if wanted.items() <= shown.items():
            return shown
        await asyncio.sleep(0.02)


async def test_fifty_guests(
    hypervisor: None, sim: Callable[..., str], kernel: Path, nothing_left: None, tmp_path: Path
) -> None:
    files = []
    for number in range(GUESTS):
        name = f"g{number}"
        image = tmp_path / f"{name}.img"
        image.write_bytes(bytes(1 << 20))
        files.append(tmp_path / f"{name}.cfg")
        files[-1].write_text(
            f'name="{name}"\ntype="pv"\nkernel="{kernel}"\nmemory=24\ndisk=["{image},raw,xvda,rw"]\n'
            + SPECIAL.get(name, 'extra="l"')
        )
    socket, loops = tmp_path / "socket", sim("loops")
    options = ["--socket", str(socket), "--patience", str(scaled(0.7)), "--dumps", str(tmp_path)]
    command = [*SUPERVISOR, *options, *map(str, files)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        async with asyncio.timeout(scaled(60)), client(socket) as send:
            assert socket.stat().st_mode & 0o777 == 0o600
            for number in range(GUESTS):
                await until(send, f"g{number}", state="running", lives=1)
            assert len(await domids()) == GUESTS + 1
            assert len(sim("loops").splitlines()) == len(loops.splitlines()) + GUESTS
            await policies(send, sim)
            await memory(send)
            await requests(send)
            process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.to_thread(process.communicate, timeout=scaled(60))
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert f"{MUTE}: destroyed, because it has not stopped: TimedOutError" in output
    # The line is printed for each guest that has obeyed: twice for CRASHING, and not for MUTE and ENDING.
    assert output.count("asked to stop: poweroff") == GUESTS - 1
    assert await domids() == [0]
    assert sim("loops") == loops
    assert not socket.exists()


async def policies(send: Send, sim: Callable[..., str]) -> None:
    """A guest that crashes or reboots comes back as another domain. One that powers off does not."""
    for name, reason in (CRASHING, "crash"), (REBOOTING, "reboot"):
        first = (await until(send, name))["domid"]
        sim("shutdown", str(first), reason)
        again = await until(send, name, state="running", lives=2, reason=reason)
        assert again["domid"] != first
    sim("shutdown", str((await until(send, ENDING))["domid"]), "poweroff")
    await until(send, ENDING, state="ended", domid=None, reason="poweroff")


async def memory(send: Send) -> None:
    """A guest gets the memory that it asks for, up to its maximum. A request that is no number is ignored."""
    domid = (await until(send, GREEDY))["domid"]
    wish = f"/local/domain/{domid}/data/memory-wanted"
    write_node(wish, str(48 * MIB))
    await until(send, GREEDY, memory_kib=48 * MIB)
    assert read_node(f"/local/domain/{domid}/memory/target") == str(48 * MIB)
    write_node(wish, "9" * 12)
    await until(send, GREEDY, memory_kib=64 * MIB)
    write_node(wish, "-1\udcff")
    await until(send, GREEDY, memory_kib=24 * MIB)


async def requests(send: Send) -> None:
    """A guest is stopped and started by requests. Invalid requests get an answer, too."""
    assert await send(do="stop", guest=CRASHING) == {"done": True}
    assert await send(do="stop", guest=CRASHING) == {"done": False}
    await until(send, CRASHING, state="ended", domid=None)
    assert await send(do="start", guest=CRASHING) == {"done": True}
    assert await send(do="start", guest=CRASHING) == {"done": False}
    await until(send, CRASHING, state="running", lives=3)
    assert len((await send(do="list"))["guests"]) == GUESTS
    assert any(f"{CRASHING}: created anew" in line for line in (await send(do="reports"))["reports"])
    assert await send(do="dance") == {
        "error": "do: list, show, stop, start or reports is expected, not 'dance'"
    }
    assert await send(do="stop", guest="x") == {"error": "guest: there is no guest 'x'"}
    assert "no JSON" in (await send("{"))["error"]
    assert "an object" in (await send("[]"))["error"]
    assert "no JSON" in (await send("[" * 20_000))["error"]
    assert "no JSON" in (await send(b"\xff"))["error"]


@pytest.mark.parametrize(
    ("text", "kib"), [(None, 10), ("", 10), ("15", 15), ("5", 10), ("99", 20), ("1e9", 10), ("²", 10)]
)
def test_a_wish_is_bounded(text: str | None, kib: int) -> None:
    assert amount(text, 10, 20) == kib


def test_guests_share_what_is_there() -> None:
    def share(least: int, wanted: int) -> Share:
        return Share(None, least * MIB, 1000 * MIB, wanted * MIB, 0)  # type: ignore[arg-type]

    guests = {"a": share(100, 300), "b": share(100, 200), "c": share(50, 50)}
    for budget, expected in {1000: (300, 200, 50), 400: (200, 150, 50), 100: (100, 100, 50)}.items():
        given = shares(budget * MIB, guests)
        assert tuple(kib // MIB for kib in given.values()) == expected
    assert shares(0, {}) == {}
