# SPDX-License-Identifier: LGPL-2.1-or-later
"""fleet.py MODE [HOSTS] N: measures operations through a broker, and prints one object in JSON.

local N          the median time of a call of domain_get_info on a context, N calls one after the other, in
                 microseconds
trip N           the same on another host, through NATS
rate HOSTS N     the number of calls in a second: for N tenths of a second, 64 tasks call domain_get_info on
                 HOSTS hosts
memory N         the memory of an agent that is idle, and with N domains, in MiB
crowd N          with N agents: the seconds until all are connected, until a client has got heartbeats of
                 all, and for one call of domain_list on each; the memory of the processes, in MiB

The broker, the agents and the program run in one simulated machine. In `rate` and `crowd` all agents are one
process, bench/python/crowd.py. The connections have no certificates.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if importlib.util.find_spec("nats") is None:
    environment = Path(__file__).resolve().parent.parent.parent / "tests/fleet/environment"
    os.execv(environment, [str(environment), sys.executable, *sys.argv])

import aioxen
from aioxen import fleet
from fleetly import Broker, guest

WIDTH = 64


async def rounds(call: Any, times: int) -> float:
    """Returns the median time of a call, in microseconds."""
    for _ in range(min(times, 100)):
        await call(0)
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await call(0)
        taken.append(time.perf_counter() - began)
    return round(statistics.median(taken) * 1e6, 1)


async def a_second(f: fleet.Fleet, hosts: list[str], seconds: float) -> float:
    """Returns the number of operations that one program completes in a second, with 64 operations in
    progress."""
    count = 0

    async def caller(number: int) -> None:
        nonlocal count
        host = f[hosts[number % len(hosts)]]
        while time.perf_counter() < end:
            await host.domain_get_info(0)
            count += 1

    end = time.perf_counter() + seconds
    await asyncio.gather(*(caller(i) for i in range(WIDTH)))
    return round(count / seconds)


def memory(pid: int) -> float:
    """Returns the memory of a process in MiB: its own pages, and its share of the others."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise ValueError(pid)


@contextmanager
def process(*arguments: str, told: bool = False) -> Iterator[int]:
    """Runs a Python program until the end of the block, and yields its process id. told: first waits until
    the program prints a line."""
    made = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE)
    try:
        if told:
            assert made.stdout and made.stdout.readline()
        yield made.pid
    finally:
        made.terminate()
        made.wait()


async def local(count: int) -> dict[str, float]:
    async with aioxen.Context() as xen:
        return {"us": await rounds(xen.domain_get_info, count)}


@contextmanager
def agent(folder: Path, url: str) -> Iterator[int]:
    policy = folder / "policy"
    policy.write_text('[[allow]]\ncallers = ["*"]\noperations = ["@admin"]\n')
    service = ["-m", "aioxen.fleet.service", "--host", "h0", "--url", url, "--policy", str(policy)]
    with process(*service, "--audit", "/dev/null", "--state", str(folder)) as pid:
        yield pid


async def trip(folder: Path, broker: Broker, count: int) -> dict[str, float]:
    with agent(folder, broker.url):
        async with fleet.connect(broker.url, patience=60) as f:
            await f.wait_for("h0", timeout=60)
            return {"us": await rounds(f["h0"].domain_get_info, count)}


async def rate(broker: Broker, hosts: int, tenths: int) -> dict[str, float]:
    with crowd_of(broker, hosts):
        async with fleet.connect(broker.url, patience=60) as f:
            names = [f"host{i}" for i in range(hosts)]
            await f.wait_for(*names, timeout=60)
            return {"a_second": await a_second(f, names, tenths / 10)}


def crowd_of(broker: Broker, hosts: int) -> Any:
    return process(str(Path(__file__).with_name("crowd.py")), broker.url, str(hosts), told=True)


async def memories(folder: Path, broker: Broker, domains: int) -> dict[str, float]:
    with agent(folder, broker.url) as pid:
        async with fleet.connect(broker.url, patience=120) as f:
            await f.wait_for("h0", timeout=60)
            await f["h0"].domain_list()
            idle = memory(pid)
            slots = asyncio.Semaphore(WIDTH)

            async def create(number: int) -> None:
                async with slots:
                    await f["h0"].domain_create(guest("b", f"g{number}"))

            await asyncio.gather(*(create(i) for i in range(domains)))
            return {"idle_mib": idle, "domains_mib": memory(pid)}


async def crowd(broker: Broker, hosts: int) -> dict[str, float]:
    began = time.monotonic()
    with crowd_of(broker, hosts) as pid:
        connected, names = time.monotonic(), [f"host{i}" for i in range(hosts)]
        async with fleet.connect(broker.url, patience=120) as f:
            await f.wait_for(*names, timeout=120)
            known = time.monotonic()
            outcomes = await f.map("domain_list", "*", width=WIDTH)
            done = time.monotonic()
            for name in names:
                outcomes[name].result()
            assert broker.process is not None
            return {
                "connected_s": round(connected - began, 2),
                "known_s": round(known - connected, 2),
                "fan_out_s": round(done - known, 2),
                "agents_mib": memory(pid),
                "client_mib": memory(os.getpid()),
                "broker_mib": memory(broker.process.pid),
            }


async def measure(folder: Path, mode: str, *numbers: int) -> dict[str, float]:
    if mode == "local":
        return await local(*numbers)
    broker = Broker(folder)
    broker.start()
    try:
        if mode in ("rate", "crowd"):
            return await {"rate": rate, "crowd": crowd}[mode](broker, *numbers)
        return await {"trip": trip, "memory": memories}[mode](folder, broker, *numbers)
    finally:
        broker.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        mode, *given = sys.argv[1:]
        print(json.dumps(asyncio.run(measure(Path(temporary), mode, *map(int, given)))))
