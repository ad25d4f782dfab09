# SPDX-License-Identifier: LGPL-2.1-or-later
"""crowd.py URL COUNT [DIR]: serves COUNT hosts, host0, host1 and so on, from this one process, until it is
ended. The agents share one context, so each serves the domains of this simulated machine. They share nothing
else. DIR: the directory of `aioxen fleet init`, for certificates. Prints a line when all are connected."""

from __future__ import annotations

import asyncio
import io
import resource
import sys
from pathlib import Path

import aioxen
from aioxen.fleet.agent import Agent
from aioxen.fleet.audit import Audit
from aioxen.fleet.identity import Identity, Verifier
from aioxen.fleet.journal import Journal
from aioxen.fleet.policy import Policy, Rule
from aioxen.fleet.sequence import Sequence
from aioxen.fleet.serve_nats import NatsService

AT_ONCE = 50
"""The number of agents that connect at the same time."""


async def serve(url: str, count: int, folder: Path | None) -> None:
    policy = Policy([Rule({"callers": ["*"], "operations": ["@admin"]}, "policy")])
    with io.StringIO() as log:  # The log is in memory. It stays small, because a measured call adds one line.
        async with aioxen.Context() as xen, asyncio.TaskGroup() as group:
            slots = asyncio.Semaphore(AT_ONCE)

            async def one(host: str) -> None:
                await slots.acquire()
                agent, sequence = (
                    Agent(xen, host, policy, Journal(), Audit(host, log)),
                    Sequence(xen, host),
                )
                identity = None
                if folder is not None:
                    identity = Identity(folder / "hosts" / host)
                    agent.verifier = Verifier(folder / "hosts" / host / "ca.pem")
                group.create_task(sequence.follow())
                await NatsService(agent, sequence, url, identity).run(lambda: ready(slots))

            connected = 0

            def ready(slots: asyncio.Semaphore) -> None:
                nonlocal connected
                connected += 1
                slots.release()
                if connected == count:
                    print(f"{count} agents are connected", flush=True)

            for number in range(count):
                group.create_task(one(f"host{number}"))


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # Each agent has a connection.
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None))
