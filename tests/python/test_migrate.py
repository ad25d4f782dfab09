# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest moves to a second world: over sockets, streams and commands, by this library and by xl. After a failure, a
cancellation, a cut connection or a killed process exactly one guest runs, and nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from saving import programs, started
from worldly import ROOT, Configure

pytestmark = pytest.mark.usefixtures("sim")


class Far:
    """The second world. Its functions are those of far_world.World."""

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


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    there = Far(tmp_path / "far")
    with there.process:
        yield there
        assert there.call("left") == []
        assert there.process.stdin
        there.process.stdin.close()


NAME = "traveller"


async def traveller(xen: aioxen.Context, guest: Configure) -> aioxen.Domain:
    return await started(xen, guest("l", machine="pvh", memory="24M", name=NAME))


async def is_gone(xen: aioxen.Context) -> bool:
    """Returns whether nothing is left here."""
    return [info.domid for info in await xen.domain_list()] == [0] and programs() == []


async def test_a_guest_moves_over_a_socket(xen: aioxen.Context, guest: Configure, far: Far) -> None:
    dom = await traveller(xen, guest)
    events: list[aioxen.OperationProgress] = []
    await far("receive")
    await dom.migrate(far.path, progress=events.append)
    assert (await far("ended")).startswith("domain ")
    assert await far("states") == {NAME: "runs"}
    phases = list(dict.fromkeys(event.phase for event in events))
    assert phases == [
        "look",
        "greet",
        "send",
        "received",
        "rename",
        "mark",
        "go",
        "answer",
        "permission",
        "finish",
    ]
    assert max(event.sent for event in events) > 1000
    assert await far("end", NAME)
    assert await is_gone(xen)
