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
import contextlib
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, registry
from prometheus_client.core import Metric

from aioxen import _convert, errors, hooks
from aioxen import _metric_tables as tables
from aioxen import _values as v
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
REQUEST_SECONDS = 10
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


_scraping: ContextVar[bool] = ContextVar("_scraping", default=False)
"""Whether the task reads metrics. The operations of such a task are not counted."""


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
    """Lets the loop run when a slice of work has taken its time."""

    def __init__(self) -> None:
        self._until = time.monotonic() + SLICE_SECONDS

    async def pause(self) -> None:
        if time.monotonic() > self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + SLICE_SECONDS


class _Snapshot:
    """What one scrape has read."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[bool, float]] = {}  # For each part: whether it was read, and the seconds.
        self.host: list[Any] = []
        self.version: list[Any] = []
        self.domains: list[DomainCounters] = []
        self.names: dict[int, str] = {}
        self.devices: list[tuple[DomainCounters, list[DeviceStatus]]] = []


class Metrics(hooks.Hook):
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
        self._names: dict[tuple[int, bytes], tuple[str, float]] = {}
        self._rendering: asyncio.Task[bytes] | None = None
        self.registry = CollectorRegistry()
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
        _scraping.set(
            True
        )  # This function runs in a task of its own, so the program's tasks are not changed.
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
        slices = _Slices()
        found = await self._xen._start_reporting(_STATISTICS, None, None, self._vcpus, True)
        for i in range(v.count(found.domains, found.num_domains)):
            snapshot.domains.append(_convert.get_DomainCounters(found.domains + i))
            await slices.pause()

    async def _read_names(self, snapshot: _Snapshot) -> None:
        now = time.monotonic()
        known, self._names = self._names, {}
        unknown: list[DomainCounters] = []
        slices = _Slices()
        for domain in snapshot.domains:
            key = (domain.info.domid, domain.info.uuid.bytes)
            name, until = known.get(key, ("", 0.0))
            if now < until:
                self._names[key] = name, until
            else:
                unknown.append(domain)
            await slices.pause()
        for domain, found in await self._each(unknown, self._xen.domain_get_name):
            # The names are not all read again in the same scrape.
            until = now + NAMES_SECONDS + domain.info.domid % NAMES_SECONDS
            self._names[(domain.info.domid, domain.info.uuid.bytes)] = found, until
        snapshot.names = {domid: name for (domid, _), (name, _) in self._names.items()}

    async def _read_devices(self, snapshot: _Snapshot) -> None:
        if self._devices:
            snapshot.devices = await self._each(snapshot.domains, self._xen.devices)

    async def _each(self, domains: list[DomainCounters], start: Any) -> list[tuple[DomainCounters, Any]]:
        """Runs an operation on each domain, some at a time. Leaves out domains for which it fails."""
        found = []
        for first in range(0, len(domains), TOGETHER):
            some = domains[first : first + TOGETHER]
            operations = [start(domain.info.domid) for domain in some]
            results = await asyncio.gather(*operations, return_exceptions=True)
            for domain, result in zip(some, results, strict=True):
                if isinstance(result, (errors.ClosedError, asyncio.CancelledError)):
                    raise result
                if not isinstance(result, BaseException):
                    found.append((domain, result))
        return found

    # Making metrics

    def _make(self, snapshot: _Snapshot) -> Iterator[Metric | None]:
        """Yields the metrics. Yields None where the caller may pause."""
        for part, rows in ((snapshot.host, tables.HOST), (snapshot.version, tables.VERSION)):
            for row in rows if part else ():
                yield from self._of_row(row, part, lambda _: ())
        yield from self._of_domains(snapshot)
        yield from self._of_operations()
        for row in tables.COUNTERS:
            yield from self._of_row(row, [self._xen.counters()], lambda _: ())
        metric = Metric("aioxen_scrape_success", "1 if the part of the metrics could be read.", "gauge")
        seconds = Metric("aioxen_scrape_seconds", "How long the reading of the part took.", "gauge")
        for name, (done, took) in snapshot.parts.items():
            metric.add_sample(metric.name, {"part": name}, float(done))
            seconds.add_sample(seconds.name, {"part": name}, took)
        yield metric
        yield seconds
        for metric in self.registry.collect():
            # The times at which the counting began would be further metrics.
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric

    def _of_row(
        self, row: tables.Row, objects: Iterable[Any], more: Any, labels: tuple[str, ...] = ()
    ) -> Iterator[Metric | None]:
        metric = Metric(row.name, row.text, row.kind)
        sample_name = f"{row.name}_total" if row.kind == "counter" else row.name
        names = (*labels, *row.labels)
        for one in objects:
            shared = more(one)
            for values, value in row.values(one):
                texts = map(printable, (*shared, *values))
                metric.add_sample(sample_name, dict(zip(names, texts, strict=True)), float(value))
            yield None
        yield metric

    def _of_domains(self, snapshot: _Snapshot) -> Iterator[Metric | None]:
        domains, names = snapshot.domains, snapshot.names

        def shared(domain: DomainCounters) -> tuple[str, ...]:
            return str(domain.info.domid), names.get(domain.info.domid, "")

        def described(domain: DomainCounters) -> tables.Values:
            return [((str(domain.info.uuid), domain.info.domain_type.name.lower()), 1)]

        def states(domain: tuple[DomainCounters, list[DeviceStatus]]) -> tables.Values:
            return [((d.kind, str(d.devid)), d.backend_state) for d in domain[1]]

        labels = ("domid", "name")
        about = tables.Row("aioxen_domain_info", "gauge", "A domain.", ("uuid", "type"), described)
        for row in (about, *tables.DOMAIN):
            yield from self._of_row(row, domains, shared, labels)
        if self._devices:
            text = "The state of the device's backend, as in xen/io/xenbus.h: 4 is connected."
            row = tables.Row("aioxen_domain_device_state", "gauge", text, ("kind", "device"), states)
            yield from self._of_row(row, snapshot.devices, lambda domain: shared(domain[0]), labels)

    def _of_operations(self) -> Iterator[Metric | None]:
        metric = Metric("aioxen_operations", "Operations in progress, by phase.", "gauge")
        found: dict[tuple[str, str, str], int] = {}
        for info in self._xen.operations():
            key = (python_name(info.operation) or "", info.phase, info.state.name.lower())
            found[key] = found.get(key, 0) + 1
        for (operation, phase, state), count in found.items():
            labels = {"operation": operation, "phase": phase, "state": state}
            metric.add_sample(metric.name, labels, count)
        yield metric

    async def render(self) -> bytes:
        """Returns all metrics in Prometheus's text format. Calls at the same time share one rendering.

        Raises: ClosedError.
        """
        if self._rendering is None or self._rendering.done():
            self._rendering = asyncio.get_running_loop().create_task(self._render())
        return await asyncio.shield(self._rendering)

    async def _render(self) -> bytes:
        snapshot = await self._read()
        slices, parts = _Slices(), []
        for metric in self._make(snapshot):
            for text in _texts(metric) if metric is not None else ():
                parts.append(text)
                await slices.pause()
            await slices.pause()
        return b"".join(parts)

    # Giving them away

    async def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the metrics to a file, for the textfile collector of node_exporter. The file is replaced at
        once, so no reader sees a part of it. The name should end in .prom. The file's mode is 0644.

        Raises: ClosedError; OSError.
        """
        text = await self.render()
        await asyncio.get_running_loop().run_in_executor(None, _replace, Path(path), text)

    async def write_every(self, path: str | os.PathLike[str], seconds: float = 15) -> None:
        """Writes the file again and again, until the task is cancelled. A failure to write is logged."""
        while True:
            try:
                await self.write(path)
            except OSError as error:
                logger.error("metrics: %s", error, extra={"operation": None, "domid": None})
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def serve(self, path: str | os.PathLike[str], mode: int = 0o660) -> AsyncIterator[None]:
        """Serves the metrics by HTTP on a unix socket during the block. At the end, the socket is removed.

        mode: The permissions of the socket.

        Raises: OSError; if the path exists and is no socket, FileExistsError.
        """
        listening = _listen(Path(path), mode)
        server = await asyncio.start_unix_server(self._answer, sock=listening)
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            status, text = await self._response(head.split(b" ", 2))
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\n"
                f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode()
            )
            if not head.startswith(b"HEAD "):
                writer.write(text)
            async with asyncio.timeout(REQUEST_SECONDS):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # The client is too slow, has gone, or speaks no HTTP.
        finally:
            writer.close()

    async def _response(self, request: list[bytes]) -> tuple[str, bytes]:
        if request[0] not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", b"only GET\n"
        if len(request) < 3 or request[1].partition(b"?")[0] not in (b"/", b"/metrics"):
            return "404 Not Found", b"the metrics are at /metrics\n"
        try:
            return "200 OK", await self.render()
        except errors.Error as error:
            return "503 Service Unavailable", f"{error}\n".encode("utf-8", "replace")


class Collector(registry.Collector):
    """A collector for a registry of prometheus_client, for a program that serves other metrics already:

    prometheus_client.REGISTRY.register(aioxen.metrics.Collector(metrics))

    It must be created in the loop's thread. A scrape in another thread waits until the loop has read the
    values. A scrape in the loop's thread gets what the last scrape has read, because it cannot wait.
    """

    def __init__(self, metrics: Metrics, *, seconds: float = REQUEST_SECONDS) -> None:
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._last = _Snapshot()

    def describe(self) -> list[Metric]:
        """Registering the collector reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics. Raises: TimeoutError; ClosedError."""
        if asyncio._get_running_loop() is not self._loop:
            reading = asyncio.run_coroutine_threadsafe(self._metrics._read(), self._loop)
            try:
                self._last = reading.result(self._seconds)
            finally:
                reading.cancel()
        return (metric for metric in self._metrics._make(self._last) if metric is not None)


class _One:
    """A registry with one metric, for generate_latest()."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> list[Metric]:
        return [self._metric]


SAMPLES = 100
"""The number of samples that are rendered without a pause."""


def _texts(metric: Metric) -> Iterator[bytes]:
    """Renders a metric in parts. Only the first part begins with the two lines that describe the metric."""
    samples = metric.samples
    for first in range(0, max(len(samples), 1), SAMPLES):
        part = Metric(metric.name, metric.documentation, metric.type)
        part.samples = samples[first : first + SAMPLES]
        text = generate_latest(_One(part))  # type: ignore[arg-type]
        yield text if first == 0 else text.split(b"\n", 2)[2]


def printable(text: str) -> str:
    """Replaces what is not valid UTF-8. A name in xenstore consists of octets."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _replace(path: Path, text: bytes) -> None:
    """Writes a file that takes the place of `path` when it is complete."""
    fd, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            os.fchmod(fd, 0o644)
            file.flush()
            os.fsync(fd)
        os.replace(made, path)
    except BaseException:
        os.unlink(made)
        raise


def _listen(path: Path, mode: int) -> socket.socket:
    """Returns a socket that is bound to `path`. Removes the socket of a server that has ended."""
    if path.is_socket():
        path.unlink()
    elif path.exists():
        raise FileExistsError(f"{path}: exists and is no socket")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.bind(str(path))
        os.chmod(path, mode)  # Nobody can connect before the socket listens.
    except BaseException:
        listening.close()
        raise
    return listening
