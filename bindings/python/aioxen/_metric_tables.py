# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of metrics. Each metric has one row, with the function that reads its values from a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from aioxen.types import DomainCounters, PhysInfo

Values = Iterable[tuple[tuple[str, ...], float]]  # Pairs of the values of the row's labels and the sample.

PAGE = 4096
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    kind: str  # "gauge" or "counter". Prometheus adds _total to the name of a counter.
    text: str
    labels: tuple[str, ...]
    values: Callable[[Any], Values]


def gauge(name: str, text: str, value: Callable[[Any], Any]) -> Row:
    return Row(name, "gauge", text, (), lambda of: [((), value(of))])


def counter(name: str, text: str, value: Callable[[Any], Any]) -> Row:
    return Row(name, "counter", text, (), lambda of: [((), value(of))])


def _memory_of(host: PhysInfo) -> Values:
    pages = {
        "total": host.total_pages,
        "free": host.free_pages,
        "scrubbing": host.scrub_pages,
        "claimed": host.outstanding_pages,
    }
    return [((state,), count * PAGE) for state, count in pages.items()]


HOST = (
    Row("aioxen_host_memory_bytes", "gauge", "The memory of the host.", ("state",), _memory_of),
    gauge("aioxen_host_cpus", "The physical processors that are online.", lambda host: host.nr_cpus),
    gauge("aioxen_host_numa_nodes", "The NUMA nodes of the host.", lambda host: host.nr_nodes),
    gauge("aioxen_host_cpu_hertz", "The processor frequency.", lambda host: host.cpu_khz * 1000),
)

VERSION = (
    Row(
        "aioxen_xen_info",
        "gauge",
        "The version of the hypervisor.",
        ("version", "changeset"),
        lambda v: [
            ((f"{v.xen_version_major}.{v.xen_version_minor}{v.xen_version_extra}", v.changeset), 1),
        ],
    ),
)


def _state_of(domain: DomainCounters) -> Values:
    info = domain.info
    return [((name,), getattr(info, name)) for name in ("running", "blocked", "paused", "shutdown", "dying")]


def _disk(names: dict[str, str], unit: int = 1) -> Callable[[DomainCounters], Values]:
    """Returns the function that reads a field of each disk for each value of the label `operation`."""
    return lambda domain: [
        ((str(disk.devid), operation), getattr(disk, field) * unit)
        for disk in domain.disks
        for operation, field in names.items()
    ]


def _nic(what: str) -> Callable[[DomainCounters], Values]:
    return lambda domain: [
        ((str(nic.devid), direction), getattr(nic, f"{way}_{what}"))
        for nic in domain.nics
        for direction, way in (("receive", "rx"), ("transmit", "tx"))
    ]


_DISK = ("device", "operation")
_NIC = ("device", "direction")
_SEEN = "network interfaces, seen from the guest."

DOMAIN = (
    Row(
        "aioxen_domain_info",
        "gauge",
        "A domain.",
        ("uuid", "type"),
        lambda domain: [((str(domain.info.uuid), domain.info.domain_type.name.lower()), 1)],
    ),
    Row("aioxen_domain_state", "gauge", "1 if the domain is in the state.", ("state",), _state_of),
    counter("aioxen_domain_cpu_seconds", "Processor time of the domain.", lambda d: d.info.cpu_time / 1e9),
    gauge("aioxen_domain_vcpus", "Virtual processors that are online.", lambda d: d.info.vcpu_online),
    Row(
        "aioxen_domain_vcpu_seconds",
        "counter",
        "Processor time of each virtual processor.",
        ("vcpu",),
        lambda domain: [((str(vcpu.vcpuid),), vcpu.cpu_time / 1e9) for vcpu in domain.vcpus],
    ),
    gauge("aioxen_domain_memory_bytes", "Memory of the domain.", lambda d: d.info.current_memkb * 1024),
    gauge(
        "aioxen_domain_memory_max_bytes",
        "The greatest amount of memory that the domain may have.",
        # Without a limit, Xen reports a number of 1 << 52 KiB or more.
        lambda d: float("inf") if d.info.max_memkb >= 1 << 52 else d.info.max_memkb * 1024,
    ),
    Row(
        "aioxen_domain_disk_requests",
        "counter",
        "Requests to the domain's disks.",
        _DISK,
        _disk(
            {
                "read": "read_requests",
                "write": "write_requests",
                "flush": "flush_requests",
                "discard": "discard_requests",
            }
        ),
    ),
    Row(
        "aioxen_domain_disk_bytes",
        "counter",
        "Octets read from and written to the domain's disks.",
        _DISK,
        _disk({"read": "read_sectors", "write": "write_sectors"}, SECTOR),
    ),
    Row(
        "aioxen_domain_disk_starved",
        "counter",
        "How often the backend of a disk had no free request.",
        ("device",),
        lambda domain: [((str(disk.devid),), disk.starved_requests) for disk in domain.disks],
    ),
    Row("aioxen_domain_network_bytes", "counter", f"Octets of the domain's {_SEEN}", _NIC, _nic("octets")),
    Row(
        "aioxen_domain_network_packets", "counter", f"Packets of the domain's {_SEEN}", _NIC, _nic("packets")
    ),
    Row("aioxen_domain_network_errors", "counter", f"Errors of the domain's {_SEEN}", _NIC, _nic("errors")),
    Row(
        "aioxen_domain_network_dropped",
        "counter",
        f"Dropped packets of the domain's {_SEEN}",
        _NIC,
        _nic("dropped"),
    ),
)

DEVICE = Row(
    "aioxen_domain_device_state",
    "gauge",
    "The state of the device's backend, as in xen/io/xenbus.h: 4 is connected.",
    ("kind", "device"),
    lambda found: [((device.kind, str(device.devid)), device.backend_state) for device in found[1]],
)

COUNTERS = tuple(
    Row(f"aioxen_context_{name}", kind, text, (), lambda c, name=name: [((), getattr(c, name))])  # type: ignore[misc]
    for name, kind, text in (
        ("operations_started", "counter", "Operations that were started."),
        ("operations_completed", "counter", "Operations that have completed, with any result."),
        ("operations_aborted", "counter", "Operations that were cancelled or reached their time limit."),
        ("operations", "gauge", "Operations whose completion has not been delivered."),
        ("events", "gauge", "Queued events."),
        ("timers", "gauge", "Armed timers."),
        ("watches", "gauge", "Registered xenstore watches."),
        ("descriptors", "gauge", "Descriptors that operations and event generators watch."),
        ("jobs", "gauge", "Jobs that wait for a worker or run."),
        ("threads", "gauge", "Worker threads."),
        ("evgens", "gauge", "Enabled event generators."),
    )
)
