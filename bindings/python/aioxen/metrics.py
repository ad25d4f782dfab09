# SPDX-License-Identifier: LGPL-2.1-or-later
"""Metrics for Prometheus: of the host, its domains and their devices, and of the operations of a context.

async with aioxen.Context() as xen, aioxen.metrics.Metrics(xen) as metrics:
    async with metrics.serve("/run/aioxen/metrics.sock"):  # curl --unix-socket ... http://localhost/metrics
        await metrics.write_every("/var/lib/prometheus/node-exporter/aioxen.prom", seconds=15)

This module needs the package prometheus-client. The command `aioxen metrics` prints, writes and serves the
metrics of the host and its domains.

Everything is read and rendered in slices of about a millisecond, so the loop runs on while the metrics of a
thousand domains are made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, overload

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector as BaseCollector

from aioxen import _convert, errors, hooks
from aioxen import _metric_tables as tables
from aioxen import _values as v
from aioxen._metric_endpoint import REQUEST_SECONDS, Endpoint
from aioxen._metric_text import of_row, text_parts
from aioxen._native import ffi, lib
from aioxen._spec import CffiSpec, Result
from aioxen.context import Context
from aioxen.log import logger, python_name
from aioxen.types import DeviceStatus, DomainCounters

__all__ = ["Collector", "Metrics"]

SLICE_SECONDS = 0.001
NAMES_SECONDS = 60
"""How long the name of a domain is kept before it is read again."""
TOGETHER = 8
"""The number of domains whose names or devices are asked for at a time."""
BUCKETS = (0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


_scraping: ContextVar[bool] = ContextVar("_scraping", default=False)
"""Whether the current task reads metrics. The operations of such a task are not counted."""


class _RawStatistics(CffiSpec):
    """The operation domain_statistics, whose result stays in C. It is converted in slices."""

    __slots__ = ()

    def new_results(self) -> tuple[v.CData, ...]:
        made = ffi.new("libxl_domain_counters_list *")
        return (ffi.gc(made, lib.libxl_domain_counters_list_dispose),)


_STATISTICS = _RawStatistics(
    "domain_statistics",
    lib.libxl_domain_statistics,
    inputs=("vcpus", "devices"),
    results=(Result("libxl_domain_counters_list *", lambda c: c),),
)


class _Slices:
    """Lets the loop run each time a slice of work has taken SLICE_SECONDS."""

    def __init__(self) -> None:
        self._until = time.monotonic() + SLICE_SECONDS

    async def pause(self) -> None:
        if time.monotonic() > self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + SLICE_SECONDS


class _RawDomains(Sequence[DomainCounters]):
    """The result of domain_statistics, which stays in C. Reading an item makes its Python objects."""

    def __init__(self, c: v.CData) -> None:
        self._c = c

    def __len__(self) -> int:
        return v.count(self._c.domains, self._c.num_domains)

    @overload
    def __getitem__(self, i: int) -> DomainCounters: ...
    @overload
    def __getitem__(self, i: slice) -> list[DomainCounters]: ...
    def __getitem__(self, i: int | slice) -> DomainCounters | list[DomainCounters]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        if i >= len(self):
            raise IndexError(i)
        return _convert.get_DomainCounters(self._c.domains + i)


class _Snapshot:
    """The values that one scrape has read."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[bool, float]] = {}  # For each part: whether it was read, and the seconds.
        self.host: list[Any] = []
        self.version: list[Any] = []
        self.domains: Sequence[DomainCounters] = []
        self.domids: list[int] = []
        self.names: dict[int, str] = {}
        self.devices: list[tuple[int, list[DeviceStatus]]] = []


class Metrics(Endpoint, hooks.Hook):
    """The metrics of one context, and of the host that it controls. Use it as `async with Metrics(xen)`.

    The operations of the context are observed between the beginning and the end of the block.

    vcpus: Whether each virtual processor has metrics.

    devices: Whether the state of each device is read from xenstore, which costs several requests for each
    device. The counters of disks and network interfaces are read in any case.
    """

    def __init__(self, xen: Context, *, vcpus: bool = True, devices: bool = False) -> None:
        self._xen = xen
        self._vcpus = vcpus
        self._devices = devices
        # For each domid: the name, the UUID of the domain, and until when the name is kept.
        self._names: dict[int, tuple[str, bytes, float]] = {}
        self._rendering: asyncio.Task[bytes] | None = None
        self.registry: CollectorRegistry = CollectorRegistry()
        """The registry of the metrics that this object counts itself. A program may add its own."""
        self._seconds = Histogram(
            "aioxen_operation_seconds",
            "How long operations took.",
            ("operation", "outcome"),
            registry=self.registry,
            buckets=BUCKETS,
        )
        self._errors = Counter(
            "aioxen_operation_errors",
            "Operations that have failed, by the class of the exception.",
            ("operation", "error"),
            registry=self.registry,
        )

    async def __aenter__(self) -> Self:
        hooks.add(self, self._xen)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        hooks.remove(self)

    # The hook

    def start(self, op: hooks.ObservedOperation) -> None:
        op.data[self] = not _scraping.get()

    def end(self, op: hooks.ObservedOperation) -> None:
        if op.data[self]:
            self._seconds.labels(op.name, op.outcome).observe(op.seconds)

    def error(self, op: hooks.ObservedOperation, error: BaseException) -> None:
        if op.data[self]:
            self._errors.labels(op.name, type(error).__name__).inc()

    # Reading

    async def _read(self) -> _Snapshot:
        """Reads everything. A part that fails is left out and logged. Raises ClosedError."""
        snapshot = _Snapshot()
        # This function runs in a task of its own, so the change does not affect the program's tasks.
        _scraping.set(True)
        for name, read in (
            ("host", self._read_host),
            ("domains", self._read_domains),
            ("names", self._read_names),
            ("devices", self._read_devices),
        ):
            began = time.monotonic()
            try:
                await read(snapshot)
                done = True
            except errors.ClosedError:
                raise
            except errors.Error as error:
                logger.warning("metrics: %s: %s", name, error, extra={"operation": None, "domid": None})
                done = False
            snapshot.parts[name] = (done, time.monotonic() - began)
        return snapshot

    async def _read_host(self, snapshot: _Snapshot) -> None:
        snapshot.host = [await self._xen.host_info()]
        snapshot.version = [await self._xen.host_version()]

    async def _read_domains(self, snapshot: _Snapshot) -> None:
        found = await self._xen._start_reporting(_STATISTICS, None, None, self._vcpus, True)
        snapshot.domains = _RawDomains(found)

    async def _read_names(self, snapshot: _Snapshot) -> None:
        now = time.monotonic()
        known, self._names = self._names, {}
        unknown: dict[int, bytes] = {}  # The UUIDs of the domains whose names are to be read, by domid.
        slices = _Slices()
        for domain in snapshot.domains:
            domid, uuid = domain.info.domid, domain.info.uuid.bytes
            snapshot.domids.append(domid)
            name, kept_uuid, until = known.get(domid, ("", b"", 0.0))
            if kept_uuid == uuid and now < until:
                self._names[domid] = name, uuid, until
            else:
                unknown[domid] = uuid
            await slices.pause()
        for domid, found in await self._each(list(unknown), self._xen.domain_get_name):
            # The times differ, so that not all names are read again in the same scrape.
            until = now + NAMES_SECONDS + domid % NAMES_SECONDS
            self._names[domid] = found, unknown[domid], until
        snapshot.names = {domid: name for domid, (name, _, _) in self._names.items()}

    async def _read_devices(self, snapshot: _Snapshot) -> None:
        if self._devices:
            snapshot.devices = await self._each(snapshot.domids, self._xen.devices)

    async def _each(self, domids: list[int], start: Any) -> list[tuple[int, Any]]:
        """Runs an operation on each domain, some at a time. Leaves out domains for which it fails."""
        found = []
        for first in range(0, len(domids), TOGETHER):
            some = domids[first : first + TOGETHER]
            results = await asyncio.gather(*[start(domid) for domid in some], return_exceptions=True)
            for domid, result in zip(some, results, strict=True):
                if isinstance(result, (errors.ClosedError, asyncio.CancelledError)):
                    raise result
                if not isinstance(result, BaseException):
                    found.append((domid, result))
        return found

    # Making metrics

    def _of_host(self, snapshot: _Snapshot) -> Iterator[Metric]:
        for part, rows in ((snapshot.host, tables.HOST), (snapshot.version, tables.VERSION)):
            for row in rows if part else ():
                yield of_row(row, part)

    def _of_context(self, snapshot: _Snapshot) -> Iterator[Metric]:
        yield self._of_operations()
        for row in tables.COUNTERS:
            yield of_row(row, [self._xen.counters()])
        metric = Metric("aioxen_scrape_success", "1 if the part of the metrics could be read.", "gauge")
        seconds = Metric("aioxen_scrape_seconds", "How long the reading of the part took.", "gauge")
        for name, (done, took) in snapshot.parts.items():
            metric.add_sample(metric.name, {"part": name}, float(done))
            seconds.add_sample(seconds.name, {"part": name}, took)
        yield metric
        yield seconds
        for metric in self.registry.collect():
            # Samples with the time when the counting began are left out.
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric

    def _of_domains(self, snapshot: _Snapshot, domains: Sequence[DomainCounters]) -> Iterator[Metric]:
        names = snapshot.names

        def shared(domain: DomainCounters) -> tuple[str, ...]:
            return str(domain.info.domid), names.get(domain.info.domid, "")

        for row in tables.DOMAIN:
            yield of_row(row, domains, ("domid", "name"), shared)

    def _of_devices(self, snapshot: _Snapshot) -> Iterator[Metric]:
        if self._devices:
            names = snapshot.names
            yield of_row(
                tables.DEVICE,
                snapshot.devices,
                ("domid", "name"),
                lambda found: (str(found[0]), names.get(found[0], "")),
            )

    def _of_operations(self) -> Metric:
        metric = Metric("aioxen_operations", "Operations in progress, by phase.", "gauge")
        found: dict[tuple[str, str, str], int] = {}
        for info in self._xen.operations():
            key = (python_name(info.operation) or "", info.phase, info.state.name.lower())
            found[key] = found.get(key, 0) + 1
        for (operation, phase, state), count in found.items():
            labels = {"operation": operation, "phase": phase, "state": state}
            metric.add_sample(metric.name, labels, count)
        return metric

    async def render(self) -> bytes:
        """Returns all metrics in Prometheus's text format. Calls at the same time share one rendering.

        Raises: ClosedError.
        """
        if self._rendering is None or self._rendering.done():
            self._rendering = asyncio.get_running_loop().create_task(self._render())
        return await asyncio.shield(self._rendering)

    async def _render(self) -> bytes:
        snapshot = await self._read()
        slices, texts = _Slices(), list[bytes]()

        async def add(metrics: Iterable[Metric]) -> None:
            for metric in metrics:
                for text in text_parts(metric):
                    texts.append(text)
                    await slices.pause()

        await add(self._of_host(snapshot))
        # Only a few domains are converted and rendered at a time. With more objects, Python's garbage
        # collector would visit all objects of the program.
        rows: list[list[bytes]] = [[] for _ in tables.DOMAIN]
        for first in range(0, len(snapshot.domains), DOMAINS):
            some = list(snapshot.domains[first : first + DOMAINS])
            await slices.pause()
            for row, metric in zip(rows, self._of_domains(snapshot, some), strict=True):
                row += text_parts(metric, described=not first)
                await slices.pause()
        for row in rows:
            texts += row
        await add(self._of_devices(snapshot))
        await add(self._of_context(snapshot))
        return b"".join(texts)


class Collector(BaseCollector):
    """A collector for a registry of prometheus_client, for a program that serves other metrics already:

    prometheus_client.REGISTRY.register(aioxen.metrics.Collector(metrics))

    It must be created in the loop's thread. A scrape in another thread waits until the loop has read the
    values. A scrape in the loop's thread cannot wait, so it gets the values of the last scrape.
    """

    def __init__(self, metrics: Metrics, *, seconds: float = REQUEST_SECONDS) -> None:
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._last = _Snapshot()

    def describe(self) -> list[Metric]:
        """Returns an empty list. If this method were missing, prometheus-client would call collect() when the
        collector is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics. Raises: TimeoutError; ClosedError."""
        if asyncio._get_running_loop() is not self._loop:
            reading = asyncio.run_coroutine_threadsafe(self._metrics._read(), self._loop)
            try:
                self._last = reading.result(self._seconds)
            finally:
                reading.cancel()
        metrics, last = self._metrics, self._last
        yield from metrics._of_host(last)
        yield from metrics._of_domains(last, list(last.domains))
        yield from metrics._of_devices(last)
        yield from metrics._of_context(last)


DOMAINS = 16
"""The number of domains that are converted and rendered at a time."""
