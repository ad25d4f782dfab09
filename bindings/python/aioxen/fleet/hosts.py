# SPDX-License-Identifier: LGPL-2.1-or-later
"""The states of the hosts of a fleet, which come from the heartbeats of their agents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from aioxen.errors import InvalidError
from aioxen.fleet import wire
from aioxen.fleet.events import EPOCH

SILENT = 3.0
"""The time without a heartbeat after which a host counts as silent, in seconds."""
MOST_BEAT = 4096
MOST_HOSTS = 100_000


class HostState(NamedTuple):
    """The state of a host."""

    name: str
    state: str
    """"up"; "silent": no heartbeat for 3 s; "lost": no heartbeat for `patience`; "stopped": the agent has
    sent its last heartbeat."""
    calls: int
    """The number of calls that its agent carries out."""
    domains: int
    """The number of its domains, including domain 0."""
    version: str
    """The version of aioxen."""
    epoch: str
    """Identifies the run of the agent."""
    link: int
    """How often the agent has connected to the broker again."""
    heard: float
    """When the last heartbeat of the host came, by the clock time.monotonic()."""
    passage: str
    """The address at which its agent receives guests of other hosts. Empty: it receives no guests."""


class Hosts(Mapping[str, HostState]):
    """The hosts that have sent a heartbeat, by name. The mapping changes with each heartbeat."""

    def __init__(self, patience: float) -> None:
        self._beats: dict[str, HostState] = {}
        self._patience = patience
        self.changed: asyncio.Event = asyncio.Event()
        """Set when a heartbeat comes."""

    def __getitem__(self, name: str) -> HostState:
        beat = self._beats[name]
        silence = time.monotonic() - beat.heard
        if beat.state == "up" and silence > min(SILENT, self._patience):
            return beat._replace(state="lost" if silence > self._patience else "silent")
        return beat

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._beats))

    def __len__(self) -> int:
        return len(self._beats)

    def put(self, host: HostState) -> HostState | None:
        """Stores a heartbeat, and returns the host's state before it. A new host beyond MOST_HOSTS is not
        stored."""
        before = self._beats.get(host.name)
        if before is not None or len(self) < MOST_HOSTS:
            self._beats[host.name] = host
            self.changed.set()
        return before


class Beat(NamedTuple):
    """The contents of a heartbeat, which an agent sends to the clients."""

    host: HostState
    number: int
    """The number of the last event that was sent."""


def read_beat(message: bytes) -> Beat:
    """Reads a heartbeat that has just come. Raises InvalidError."""
    given = wire.loads(message, MOST_BEAT)
    name, state = wire.member(given, "host", str), wire.member(given, "state", str)
    calls, domains, link, number = (
        wire.member(given, key, int) for key in ("calls", "domains", "link", "number")
    )
    version, epoch, passage = (wire.member(given, key, str) for key in ("version", "epoch", "passage"))
    if not wire.NAME.fullmatch(name) or state not in ("up", "bye"):
        raise InvalidError("host, state: wrong")
    if not EPOCH.fullmatch(epoch):
        raise InvalidError("epoch: wrong")
    word = "up" if state == "up" else "stopped"
    host = HostState(name, word, calls, domains, version, epoch, link, time.monotonic(), passage)
    return Beat(host, number)
