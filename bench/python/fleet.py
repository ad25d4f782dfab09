# SPDX-License-Identifier: LGPL-2.1-or-later
"""fleet.py: measures operations through a broker. Run it with tests/fleet/environment and sim/aioxen-sim:

    tests/fleet/environment sim/aioxen-sim -- /usr/bin/python3 bench/python/fleet.py

The broker, the agents and the program run in one simulated machine. Prints one object in JSON.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aioxen
from aioxen import fleet
from fleetly import Broker, guest

TIMES = 2000
WIDTH = 64


async def rounds(call: Any) -> float:
    """Returns the median time of a call, in microseconds."""
    for _ in range(100):
        await call(0)
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        await call(0)
        times.append(time.perf_counter() - began)
    return round(statistics.median(times) * 1e6, 1)


async def a_second(f: fleet.Fleet, hosts: list[str]) -> float:
    """Returns how many operations a second one program completes, with 64 in progress."""
    count = 0

    async def caller(number: int) -> None:
        nonlocal count
        host = f[hosts[number % len(hosts)]]
        while time.perf_counter() < end:
            await host.domain_get_info(0)
            count += 1

    end = time.perf_counter() + 5
    await asyncio.gather(*(caller(i) for i in range(WIDTH)))
    return round(count / 5)


def memory(pid: int) -> int:
    """Returns the memory of a process in KiB: its own pages, and its share of the others."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise ValueError(pid)


async def agent(host: str, url: str, folder: Path) -> asyncio.subprocess.Process:
    policy = folder / "policy"
    policy.write_text('[[allow]]\ncallers = ["*"]\noperations = ["@admin"]\n')
    command = ["/usr/bin/python3", "-m", "aioxen.fleet.service", "--host", host, "--url", url]
    return await asyncio.create_subprocess_exec(
        *command, "--policy", str(policy), "--audit", "/dev/null", "--state", str(folder / host)
    )


async def measure(folder: Path) -> dict[str, Any]:
    broker = Broker(folder)
    broker.start()
    found: dict[str, Any] = {}
    hosts = [f"h{i}" for i in range(10)]
    agents = []
    try:
        async with aioxen.Context() as xen:
            found["local, us"] = await rounds(xen.domain_get_info)
        for host in hosts:
            (folder / host).mkdir()
            agents.append(await agent(host, broker.url, folder))
        async with fleet.connect(broker.url) as f:
            await f.wait_for(*hosts, timeout=120)
            found["through NATS, us"] = await rounds(f["h0"].domain_get_info)
            for count in (1, 10):
                found[f"operations a second, {count} hosts"] = await a_second(f, hosts[:count])
            found["agent, idle, KiB"] = memory(agents[0].pid)
            config = [guest("b", f"g{i}") for i in range(200)]
            await f.map(_creator(config), "h0", timeout=300)
            found["agent, 200 domains, KiB"] = memory(agents[0].pid)
    finally:
        for one in agents:
            one.terminate()
            await one.wait()
        broker.kill()
    return found


def _creator(configs: list[aioxen.DomainConfig]) -> Any:
    async def create(host: fleet.Host, timeout: float) -> None:  # noqa: ASYNC109
        await asyncio.gather(*(host.domain_create(config, timeout=timeout) for config in configs))

    return create


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(asyncio.run(measure(Path(temporary))), indent=1))
