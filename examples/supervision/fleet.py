# SPDX-License-Identifier: LGPL-2.1-or-later
"""The class Fleet: all guests of the supervisor, a task for each, and what they report."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import aioxen
import click

from supervision.guest import Guest, Rules, State
from supervision.memory import Balancer

KEPT_LINES = 1000
"""How many of the last reports the fleet keeps."""


class Fleet:
    """All guests. Use it as `async with Fleet(...) as fleet:`. The end of the block stops all guests."""

    def __init__(
        self, xen: aioxen.Context, configs: Iterable[aioxen.DomainConfig], rules: Rules, budget: int | None
    ) -> None:
        """Raises click.UsageError, if two guests have the same name."""
        self.xen = xen
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.balancer = Balancer(xen, budget, self.report)
        self.guests: dict[str, Guest] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # The tasks that were cancelled. A second cancellation would interrupt the orderly end of the guest.
        self._stopping: set[asyncio.Task[None]] = set()
        for config in configs:
            guest = Guest(xen, config, rules, self.balancer, self.report)
            if guest.name in self.guests:
                raise click.UsageError(f"two guests have the name {guest.name!r}")
            self.guests[guest.name] = guest

    def report(self, name: str, text: str) -> None:
        """Prints what has happened to a guest, and keeps the line for the socket."""
        line = f"{datetime.now():%H:%M:%S} {name}: {text}"
        self.lines.append(line)
        click.echo(line)

    async def __aenter__(self) -> Fleet:
        self._helpers = [
            asyncio.create_task(self.balancer.run()),
            asyncio.create_task(self._follow_devices()),
        ]
        for name in self.guests:
            self.start(name)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(self.stop(name) for name in self.guests))
        for helper in self._helpers:
            helper.cancel()

    def start(self, name: str) -> bool:
        """Starts a guest, unless it has been started already. Returns whether it was started. Raises
        KeyError."""
        guest = self.guests[name]
        if name in self._tasks:
            return False
        task = self._tasks[name] = asyncio.create_task(guest.run())
        task.add_done_callback(lambda _: self._tasks.pop(name))
        task.add_done_callback(self._stopping.discard)
        return True

    async def stop(self, name: str) -> bool:
        """Stops a guest and waits until it is gone. Returns whether it had been started. Raises KeyError."""
        self.guests[name]
        if (task := self._tasks.get(name)) is None:
            return False
        if task not in self._stopping:
            self._stopping.add(task)
            task.cancel()
        await asyncio.wait([task])
        return True

    async def wait(self) -> None:
        """Waits until all guests have ended."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    @property
    def failed(self) -> bool:
        """Whether a guest has failed."""
        return any(guest.state is State.FAILED for guest in self.guests.values())

    def describe(self, name: str) -> dict[str, Any]:
        """Returns the JSON object that describes a guest. Raises KeyError."""
        guest = self.guests[name]
        share = self.balancer.guests.get(name)
        return {
            "name": name,
            "state": str(guest.state),
            "domid": guest.dom.domid if guest.dom else None,
            "lives": guest.lives,
            "reason": None if guest.reason is None else str(guest.reason),
            "error": None if guest.error is None else str(guest.error),
            "memory_kib": share.target if share else None,
            "wanted_kib": share.wanted if share else None,
        }

    async def _follow_devices(self) -> None:
        """Reports which devices do not work, and the reasons."""
        async for event in self.xen.device_events(types=[aioxen.DeviceFailed]):
            if isinstance(event, aioxen.DeviceFailed):
                domids = {guest.dom.domid: name for name, guest in self.guests.items() if guest.dom}
                name = domids.get(event.domid, f"domain {event.domid}")
                self.report(name, f"{event.kind} {event.devid}: {event.message}")
