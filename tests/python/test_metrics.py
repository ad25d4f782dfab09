# SPDX-License-Identifier: LGPL-2.1-or-later
"""The metrics for Prometheus: their values, their text, and the ways to read them."""

from __future__ import annotations

import asyncio
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aioxen
import prometheus_client
import pytest
from aioxen import _metric_text
from aioxen import metrics as module
from aioxen.metrics import Collector, Metrics
from prometheus_client.parser import text_string_to_metric_families
from worldly import Configure

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: bytes) -> Samples:
    """Returns the samples. A sample must not occur twice."""
    found: Samples = {}
    families: Any = text_string_to_metric_families
    for family in families(text.decode()):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


def get(samples: Samples, name: str, /, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


async def test_values(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest(name="measured"))
    async with Metrics(xen) as metrics:
        await dom.unpause()
        with pytest.raises(aioxen.DomainNotFoundError):
            await xen.domain_pause(31_999)
        waiting = dom.wait_shutdown()
        samples = parse(await metrics.render())
        host, version = await xen.host_info(), await xen.host_version()
        info = await dom.info()
        waiting.cancel()
    about = {"domid": str(dom.domid), "name": "measured"}
    assert get(samples, "aioxen_host_memory_bytes", state="total") == host.total_pages * 4096
    assert get(samples, "aioxen_host_cpus") == host.nr_cpus
    text = f"{version.xen_version_major}.{version.xen_version_minor}{version.xen_version_extra}"
    assert get(samples, "aioxen_xen_info", version=text, changeset=version.changeset) == 1
    assert get(samples, "aioxen_domain_info", **about, uuid=str(dom.uuid), type="pv") == 1
    assert get(samples, "aioxen_domain_state", **about, state="paused") == 0
    assert get(samples, "aioxen_domain_memory_bytes", **about) == info.current_memkb * 1024
    assert get(samples, "aioxen_domain_cpu_seconds_total", **about) <= info.cpu_time / 1e9
    assert get(samples, "aioxen_domain_vcpu_seconds_total", **about, vcpu="0") <= info.cpu_time / 1e9
    labels = {"operation": "domain_wait_shutdown", "phase": "stopped", "state": "running"}
    assert get(samples, "aioxen_operations", **labels) == 1
    counted = {"operation": "domain_unpause", "outcome": "success"}
    assert get(samples, "aioxen_operation_seconds_count", **counted) == 1
    failed = {"operation": "domain_pause", "error": "DomainNotFoundError"}
    assert get(samples, "aioxen_operation_errors_total", **failed) == 1
    # The operations that read the metrics are not counted.
    operations = {dict(labels)["operation"] for name, labels in samples if "operation_seconds" in name}
    assert operations == {"domain_unpause", "domain_pause"}
    assert get(samples, "aioxen_context_operations_started_total") >= 2
    for part in "host", "domains", "names", "devices":
        assert get(samples, "aioxen_scrape_success", part=part) == 1
    await asyncio.gather(waiting, return_exceptions=True)
    await dom.destroy()


async def test_counters_of_disks_and_interfaces(xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that the simulator does not count."""
    (first, *_) = await xen.domain_statistics()
    first.disks = [aioxen.DiskCounters(51712, 1, 2, 3, 4, 5, 6, 7)]
    first.nics = [aioxen.NicCounters(0, 10, 11, 12, 13, 20, 21, 22, 23)]
    first.info.max_memkb = (1 << 64) - 1

    async def read(self: Metrics, snapshot: Any) -> None:
        snapshot.domains = [first]

    monkeypatch.setattr(Metrics, "_read_domains", read)
    samples = parse(await Metrics(xen).render())
    about = {"domid": "0", "name": "Domain-0"}
    disk, nic = {**about, "device": "51712"}, {**about, "device": "0"}
    for operation, count in {"read": 1, "write": 2, "flush": 3, "discard": 4}.items():
        assert get(samples, "aioxen_domain_disk_requests_total", **disk, operation=operation) == count
    assert get(samples, "aioxen_domain_disk_starved_total", **disk) == 5
    assert get(samples, "aioxen_domain_disk_bytes_total", **disk, operation="read") == 6 * 512
    assert get(samples, "aioxen_domain_disk_bytes_total", **disk, operation="write") == 7 * 512
    for i, what in enumerate(("bytes", "packets", "errors", "dropped")):
        name = f"aioxen_domain_network_{what}_total"
        assert get(samples, name, **nic, direction="receive") == 10 + i
        assert get(samples, name, **nic, direction="transmit") == 20 + i
    assert get(samples, "aioxen_domain_memory_max_bytes", **about) == float("inf")


@pytest.mark.parametrize("name", ['a"b\\c\nd', "\udcff\udcfe"], ids=["special", "octets"])
async def test_names_are_escaped(xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def named(self: Metrics, snapshot: Any) -> None:
        snapshot.names = {0: name}

    monkeypatch.setattr(Metrics, "_read_names", named)
    samples = parse(await Metrics(xen).render())
    shown = {dict(labels)["name"] for sample, labels in samples if sample == "aioxen_domain_vcpus"}
    # Domains of other tests may still be dying. They have no name.
    assert shown - {""} == {"��" if name == "\udcff\udcfe" else name}


async def test_many_domains_are_rendered_in_slices(
    xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each turn of the loop, only a few samples are made or rendered."""
    statistics = await xen.domain_statistics()
    made = 0

    async def read(self: Metrics, snapshot: Any) -> None:
        snapshot.domains = statistics[:1] * 200

    def count(metric: Any) -> bytes:
        nonlocal made
        (one,) = metric.collect()
        made += len(one.samples)
        return prometheus_client.generate_latest(metric)

    monkeypatch.setattr(Metrics, "_read_domains", read)
    monkeypatch.setattr(_metric_text, "generate_latest", count)
    monkeypatch.setattr(module, "SLICE_SECONDS", -1)  # With this limit, each slice ends at once.
    rendering = asyncio.create_task(Metrics(xen).render())
    largest = turns = 0
    while not rendering.done():
        before, turns = made, turns + 1
        await asyncio.sleep(0)
        largest = max(largest, made - before)
    assert rendering.result().count(b"aioxen_domain_vcpus{") == 200
    assert rendering.result().count(b"# TYPE aioxen_domain_vcpus gauge") == 1
    assert largest <= _metric_text.SAMPLES
    assert turns > 200 / module.DOMAINS * 10  # The loop runs after each metric of a few domains.


async def test_calls_at_the_same_time_share_one_reading(
    xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, reads = Metrics(xen), 0
    read_host = Metrics._read_host

    async def read(self: Metrics, snapshot: Any) -> None:
        nonlocal reads
        reads += 1
        await read_host(self, snapshot)

    monkeypatch.setattr(Metrics, "_read_host", read)
    first, second = await asyncio.gather(metrics.render(), metrics.render())
    assert first is second
    assert reads == 1
    await metrics.render()
    assert reads == 2


async def test_a_part_that_fails_is_left_out(
    xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise aioxen.FailedError("no answer", "host_version")

    monkeypatch.setattr(xen, "host_version", fail)
    samples = parse(await Metrics(xen).render())
    assert get(samples, "aioxen_scrape_success", part="host") == 0
    assert get(samples, "aioxen_scrape_success", part="domains") == 1
    assert not any(name == "aioxen_xen_info" for name, _ in samples)
    assert "metrics: host: host_version: no answer" in caplog.text


async def test_the_text_file_is_replaced_at_once(xen: aioxen.Context, tmp_path: Path) -> None:
    path = tmp_path / "aioxen.prom"
    path.write_text("old")
    old = path.open()
    await Metrics(xen).write(path)
    assert old.read() == "old"  # The old file has not been changed.
    old.close()
    assert get(parse(path.read_bytes()), "aioxen_host_cpus") > 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["aioxen.prom"]
    with pytest.raises(FileNotFoundError):
        await Metrics(xen).write(tmp_path / "missing" / "aioxen.prom")


async def ask(path: Path, request: bytes) -> tuple[bytes, bytes]:
    """Returns the head and the body of an answer."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head, body


async def test_the_socket(xen: aioxen.Context, tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    for _ in range(2):
        async with Metrics(xen).serve(path, 0o600):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            head, body = await ask(path, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
            assert f"Content-Length: {len(body)}\r\n".encode() in head
            assert get(parse(body), "aioxen_host_cpus") > 0
            assert (await ask(path, b"HEAD / HTTP/1.1\r\n\r\n"))[1] == b""
            assert (await ask(path, b"GET /other HTTP/1.1\r\n\r\n"))[0].startswith(b"HTTP/1.1 404")
            assert (await ask(path, b"POST / HTTP/1.1\r\n\r\n"))[0].startswith(b"HTTP/1.1 405")
            assert await ask(path, b"x" * 100_000) == (b"", b"")  # The connection is closed.
        assert not path.exists()
    path.write_text("a file")
    with pytest.raises(FileExistsError):
        async with Metrics(xen).serve(path):
            pass
    assert path.read_text() == "a file"


async def test_a_closed_context(hypervisor: None, tmp_path: Path) -> None:
    async with aioxen.Context() as xen:
        metrics = Metrics(xen)
    with pytest.raises(aioxen.ClosedError):
        await metrics.render()
    async with metrics.serve(tmp_path / "socket"):
        head, _ = await ask(tmp_path / "socket", b"GET /metrics HTTP/1.1\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")


async def test_the_collector_of_a_registry(xen: aioxen.Context) -> None:
    registry = prometheus_client.CollectorRegistry()
    collector = Collector(Metrics(xen))
    registry.register(collector)
    with ThreadPoolExecutor(1) as executor:
        scrape = asyncio.get_running_loop().run_in_executor(
            executor, prometheus_client.generate_latest, registry
        )
        text = await scrape
    cpus = get(parse(text), "aioxen_host_cpus")
    assert cpus > 0
    # In the loop's thread, a scrape returns the values of the scrape before it.
    assert get(parse(prometheus_client.generate_latest(registry)), "aioxen_host_cpus") == cpus


async def test_devices(xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of a device, without a driver that connects it."""

    async def devices(domid: int) -> list[aioxen.DeviceStatus]:
        return [aioxen.DeviceStatus("vbd", 51712, 0, "backend", "frontend", 4, 3, -1, -1, -1)]

    monkeypatch.setattr(xen, "devices", devices)
    samples = parse(await Metrics(xen, devices=True).render())
    labels = {"domid": "0", "name": "Domain-0", "kind": "vbd", "device": "51712"}
    assert get(samples, "aioxen_domain_device_state", **labels) == 4
