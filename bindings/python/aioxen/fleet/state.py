# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the web page shows of a host: the domains, and the calls in progress.

An agent sends its state only while a page asks for it, so a fleet without an open page causes no traffic.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aioxen
from aioxen.domains import state_of
from aioxen.fleet import wire
from aioxen.fleet.agent import Agent

EVERY = 2.0
"""The time between two messages, in seconds."""
WATCHED = 10.0
"""The time for which the agent sends the state after a page has asked for it, in seconds."""
MOST_DOMAINS = 1000
MOST_CALLS = 200
NAMED = 60.0
"""How long the name of a domain is remembered, in seconds."""


class Teller:
    """Sends the state of one agent's host."""

    def __init__(self, agent: Agent, send: Callable[[bytes], None]) -> None:
        self._agent = agent
        self._send = send
        self._until: float = 0
        self._task: asyncio.Task[None] | None = None
        self._names: dict[tuple[int, bytes], tuple[float, str]] = {}

    def look(self) -> None:
        """Sends the state from now on, for WATCHED seconds."""
        self._until = time.monotonic() + WATCHED
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _tell(self) -> None:
        while time.monotonic() < self._until and not self._agent.xen.closed:
            self._send(await self.message())
            await asyncio.sleep(EVERY)

    async def message(self) -> bytes:
        """Returns the message: `time`; `domains` with `domid`, `name`, `state`, `memory_mib` and
        `cpu_seconds`; and `calls` with `call`, `caller`, `domid` and `seconds`."""
        now = time.monotonic()
        infos = [info for info in await self._agent.xen.domain_list() if info.domid][:MOST_DOMAINS]
        names = await asyncio.gather(*(self._name(info, now) for info in infos))
        self._names = {(i.domid, i.uuid.bytes): known for i, known in zip(infos, names, strict=True)}
        domains = [
            {
                "domid": info.domid,
                "name": name,
                "state": str(state_of(info)),
                "memory_mib": info.current_memkb >> 10,
                "cpu_seconds": round(info.cpu_time / 1e9, 3),
            }
            for info, (_, name) in zip(infos, names, strict=True)
        ]
        calls = [
            {
                "call": call.request.call,
                "caller": call.request.caller,
                "domid": call.domid,
                "seconds": round(now - call.began, 1),
            }
            for call in list(self._agent.calls.values())[:MOST_CALLS]
        ]
        return wire.dumps({"time": time.time(), "domains": domains, "calls": calls})

    async def _name(self, info: aioxen.DomInfo, now: float) -> tuple[float, str]:
        """Returns when the name of the domain was read, and the name."""
        then, name = self._names.get((info.domid, info.uuid.bytes), (0.0, ""))
        if name and now - then < NAMED:
            return then, name
        try:
            return now, await self._agent.xen.domain_get_name(info.domid)
        except aioxen.Error:  # The domain has no name yet, or is gone.
            return now, ""
