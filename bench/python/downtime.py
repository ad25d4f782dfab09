# SPDX-License-Identifier: LGPL-2.1-or-later
"""downtime.py N: the downtime of a guest that moves between two machines, for N moves by each toolstack.

A Linux PVH guest has 128 MiB, an interface, and a disk that both machines share. It sends a ping to machine 1
every 50 ms. It moves to machine 2, back to machine 1, and so on. This library makes one half of the moves,
and Debian's xl makes the other half. The same toolstack runs on both machines during a move. Both toolstacks
send the guest through the program relay.py, which opens one TCP connection for each move.

The downtime of a move is the longest time between two pings that machine 1 receives. The first of these pings
is the last one before the move, and the last is one of those after the move. The downtime includes the time
that the guest needs to connect its interface again.

The program starts both machines by aioxen-vm-pair, which runs this program in each of them. The result has
the median of the moves: "ours" and "xl", the downtime in ms, and "ours_s" and "xl_s", the whole move in s.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aioxen

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/vm/inside"))

import linux  # noqa: E402
from toolstacks import tool  # noqa: E402

NUMBER = os.environ.get("AIOXEN_VM_NUMBER", "")

HOSTS = {"1": "10.0.0.1", "2": "10.0.0.2"}
GUEST = "10.0.0.9"
OTHER = HOSTS["2" if NUMBER == "1" else "1"]
TELL, MOVE = 7000, 7001  # The ports for messages between the machines, and for the moves.
AGAIN = 20  # The guest counts as reachable again after this number of received pings.
LIMIT_S = 600
ECHO_REQUEST = 8


def outside(count: int) -> None:
    """Starts the machines."""
    command = [
        ROOT / "vm/aioxen-vm-pair",
        "--env",
        f"PYTHONPATH={ROOT}/build/python",
        "--env",
        "AIOXEN_TEST_FACTOR=10",
    ]
    command += ["--", "/usr/bin/python3", __file__, str(count)]
    sys.exit(subprocess.run(command).returncode)


class Pings:
    """The times at which machine 1 has received the guest's pings."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, (sender, _) = self.socket.recvfrom(256)
                if sender == GUEST and packet[20] == ECHO_REQUEST:
                    self.times.append(time.monotonic())

    async def more(self, count: int = AGAIN) -> None:
        """Waits until `count` further pings were received."""
        end, deadline = len(self.times) + count, time.monotonic() + LIMIT_S
        while len(self.times) < end:
            assert time.monotonic() < deadline, "the guest is not heard"
            await asyncio.sleep(0.05)

    def longest(self, since: float) -> float:
        """Returns the longest time between two pings, in s."""
        last = max(t for t in self.times if t < since)
        times = [last, *(t for t in self.times if t >= since)]
        return max(b - a for a, b in itertools.pairwise(times))


def moves(count: int) -> Iterator[str]:
    """Yields the toolstack of each move. Both toolstacks move the guest in both directions. The first move
    goes from machine 1 to machine 2."""
    for number in range(2 * count):
        yield ("ours", "xl", "xl", "ours")[number % 4]


async def receive(xen: aioxen.Context, who: str, tell: socket.socket) -> None:
    """Receives the guest from the other machine. Writes "+" to `tell` when the other machine can connect."""
    loop = asyncio.get_running_loop()
    with socket.create_server((HOSTS[NUMBER], MOVE)) as server:
        server.setblocking(False)
        await loop.sock_sendall(tell, b"+")
        stream, _ = await loop.sock_accept(server)
    with stream:
        if who == "ours":
            await xen.receive(stream)
        else:
            stream.setblocking(True)
            words = ["xl", "migrate-receive", "-e"]
            xl = await asyncio.create_subprocess_exec(*words, stdin=stream, stdout=stream)
            assert await xl.wait() == 0


async def send(xen: aioxen.Context, who: str, tell: socket.socket) -> None:
    """Sends the guest to the other machine."""
    loop = asyncio.get_running_loop()
    assert await loop.sock_recv(tell, 1) == b"+"
    relay = ["/usr/bin/python3", str(ROOT / "tests/vm/inside/relay.py"), OTHER, str(MOVE)]
    if who == "ours":
        await (await xen.domain_find("g")).migrate(relay)
    else:
        words = ["xl", "migrate", "-s", "", "g", " ".join(relay)]
        xl = await asyncio.create_subprocess_exec(*words, stdout=subprocess.DEVNULL)
        assert await xl.wait() == 0


async def machine_1(xen: aioxen.Context, count: int) -> None:
    linux.run("mkfs.ext4 -q /dev/vda")
    words = f"address=eth0={GUEST}/24 disk=xvda"
    config = linux.text("g", "pvh", words, 'disk = ["phy:/dev/vda,xvda,w"]', 'vif = ["bridge=xenbr0"]')
    found: dict[str, list[float]] = {name: [] for name in ("ours", "xl", "ours_s", "xl_s")}
    async with linux.linux(tool("ours", xen), config) as (_, console, _):
        await console.command(f"ping -i 0.05 {HOSTS['1']} >/dev/null &")
        with socket.create_server((HOSTS["1"], TELL)) as server:
            tell = (await asyncio.to_thread(server.accept))[0]
        pings = Pings()
        with tell:
            tell.setblocking(False)
            for number, who in enumerate(moves(count)):
                await pings.more()
                begin = time.monotonic()
                await (receive if number % 2 else send)(xen, who, tell)
                found[f"{who}_s"].append(time.monotonic() - begin)
                await pings.more()
                found[who].append(pings.longest(begin) * 1000)
                print(f"move {number} by {who}: {found[who][-1]:.0f} ms", file=sys.stderr, flush=True)
    print(json.dumps({name: statistics.median(values) for name, values in found.items()}), flush=True)


async def machine_2(xen: aioxen.Context, count: int) -> None:
    tell = socket.socket()
    while await asyncio.to_thread(tell.connect_ex, (OTHER, TELL)):
        await asyncio.sleep(0.5)
    tell.setblocking(False)
    with tell:
        for number, who in enumerate(moves(count)):
            await (send if number % 2 else receive)(xen, who, tell)


async def inside(count: int) -> None:
    linux.run(f"make-bridge xenbr0 {HOSTS[NUMBER]}/24 && ip link set eth0 master xenbr0")
    linux.prepare()
    async with aioxen.Context() as xen:
        await (machine_1 if NUMBER == "1" else machine_2)(xen, count)


if NUMBER:
    asyncio.run(inside(int(sys.argv[1])))
else:
    outside(int(sys.argv[1]))
