# SPDX-License-Identifier: LGPL-2.1-or-later
"""Metrics for Prometheus of all hosts of a fleet: one endpoint instead of one on each host.

async with fleet.connect("tls://broker.example.org") as f:
    async with FleetMetrics(f).serve("/run/aioxen/fleet.sock"):
        await asyncio.Event().wait()

The metrics are those of aioxen.metrics about hosts and domains, with the label `host`. The program needs the
role of a viewer. This module needs the package prometheus-client. The command `aioxen fleet metrics` prints,
writes and serves the metrics.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from prometheus_client.core import Metric

from aioxen import _metric_tables as tables
from aioxen._metric_endpoint import Endpoint
from aioxen._metric_text import of_row, text_parts
from aioxen.errors import Error
from aioxen.fleet.client import Fleet
from aioxen.fleet.hosts import HostState
from aioxen.types import DomainCounters, PhysInfo, VersionInfo

HOST_SECONDS = 5.0
"""The time limit for the metrics of a host, in seconds. The metrics of a slower host are left out."""
HOSTS = 32
"""The number of hosts that are asked at a time."""
NAMES = 8
"""The number of names of domains that are asked for at a time, on each host."""
NAMES_SECONDS = 60.0
"""How long the name of a domain is kept before it is read again."""


class Found(NamedTuple):
    """The values that one scrape has read from one host."""

    host: str
    info: PhysInfo
    version: VersionInfo
    domains: list[DomainCounters]
    names: dict[UUID, str]


class FleetMetrics(Endpoint):
    """The metrics of the hosts of a fleet that are up, and the state of each host that has sent a
    heartbeat."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        # For each host: the name of each domain, and until when it is kept.
        self._names: dict[str, dict[UUID, tuple[str, float]]] = {}

    async def render(self) -> bytes:
        """Returns the metrics in Prometheus's text format. A host that fails has aioxen_scrape_success 0."""
        states = list(self._fleet.hosts.values())
        up = [state.name for state in states if state.state == "up"]
        slots = asyncio.Semaphore(HOSTS)

        async def one(host: str) -> Found | None:
            async with slots:
                try:
                    async with asyncio.timeout(HOST_SECONDS):
                        return await self._read(host)
                except (Error, TimeoutError):
                    return None

        results = await asyncio.gather(*(one(host) for host in up))
        self._names = {host: kept for host, kept in self._names.items() if host in self._fleet.hosts}
        found = [result for result in results if result is not None]
        texts: list[bytes] = []
        for metric in (*_of_fleet(states, {one.host for one in found}), *_of_hosts(found)):
            for text in text_parts(metric):
                texts.append(text)
                await asyncio.sleep(0)
        return b"".join(texts)

    async def _read(self, name: str) -> Found:
        host = self._fleet[name]
        info, version, domains = await asyncio.gather(
            host.host_info(), host.host_version(), host.domain_statistics(vcpus=False, devices=True)
        )
        now = time.monotonic()
        known = self._names.get(name, {})
        kept = {
            d.info.uuid: known[d.info.uuid] for d in domains if known.get(d.info.uuid, ("", 0.0))[1] > now
        }
        self._names[name] = kept
        slots = asyncio.Semaphore(NAMES)

        async def learn(domain: DomainCounters) -> None:
            async with slots:
                try:
                    found = await host.domain_get_name(domain.info.domid)
                    kept[domain.info.uuid] = found, now + NAMES_SECONDS
                except Error:
                    pass  # The domain has gone meanwhile, or has no name yet.

        await asyncio.gather(*(learn(domain) for domain in domains if domain.info.uuid not in kept))
        return Found(name, info, version, domains, {uuid: text for uuid, (text, _) in kept.items()})


def _of_fleet(states: list[HostState], told: set[str]) -> Iterable[Metric]:
    rows: list[tuple[str, str, Any]] = [
        ("aioxen_fleet_host_up", "1 if the host's agent was heard of lately.", lambda s: s.state == "up"),
        ("aioxen_fleet_host_calls", "The calls that the host's agent carries out.", lambda s: s.calls),
        ("aioxen_fleet_host_domains", "The domains of the host, with domain 0.", lambda s: s.domains),
        ("aioxen_scrape_success", "1 if the metrics of the host could be read.", lambda s: s.name in told),
    ]
    for name, text, value in rows:
        metric = Metric(name, text, "gauge")
        for state in states:
            metric.add_sample(name, {"host": state.name}, float(value(state)))
        yield metric


def _of_hosts(found: list[Found]) -> Iterable[Metric]:
    for rows, part in ((tables.HOST, "info"), (tables.VERSION, "version")):
        for row in rows:
            pairs = [(one.host, getattr(one, part)) for one in found]
            yield of_row(_second(row), pairs, ("host",), lambda pair: (pair[0],))
    domains = [(one, domain) for one in found for domain in one.domains]
    for row in tables.DOMAIN:
        yield of_row(_second(row), domains, ("host", "domid", "name"), _labels)


def _second(row: tables.Row) -> tables.Row:
    """Returns the row with another `values`, which takes pairs and makes samples of their second members."""
    return tables.Row(row.name, row.kind, row.text, row.labels, lambda pair: row.values(pair[1]))


def _labels(pair: tuple[Found, DomainCounters]) -> tuple[str, ...]:
    one, domain = pair
    return one.host, str(domain.info.domid), one.names.get(domain.info.uuid, "")
