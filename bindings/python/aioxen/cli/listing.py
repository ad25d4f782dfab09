# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands that list domains and describe the host: list, vm-list, uptime, domid, domname, show and
info."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import click

import aioxen
from aioxen.cli import parallel
from aioxen.cli.core import Session, command
from aioxen.cli.output import Record, record_of
from aioxen.cli.select import domain_argument, domains_argument, name_of

LIST = "%-40s %5d %5d %5d     %s  %8.1f"
LIST_HEAD = ("Name", "ID", "Mem", "VCPUs", "State", "Time(s)")


async def domains_of(session: Session, texts: Iterable[str]) -> list[tuple[aioxen.DomInfo, str]]:
    """Returns the named domains, or all domains if none is named, with their names."""
    texts = tuple(texts) or (("*/*",) if session.fleet else ())
    if texts:
        texts = await session.expand(texts)
        found = await parallel.gather(session.find(text) for text in texts)
        infos = await parallel.gather(dom.info() for dom in found)
    else:
        infos = await session.xen.domain_list()
        found = [aioxen.Domain(session.xen, info.domid, info.uuid) for info in infos]
    names = await parallel.gather(name_of(dom, session.timeout) for dom in found)
    if session.fleet:
        names = [f"{text.partition('/')[0]}/{name}" for text, name in zip(texts, names, strict=True)]
    return list(zip(infos, names, strict=True))


def state_letters(info: aioxen.DomInfo) -> str:
    """Returns a domain's state in the six letters of xl."""
    crashed = info.shutdown and info.shutdown_reason == aioxen.ShutdownReason.CRASH
    flags = (info.running, info.blocked, info.paused, info.shutdown, crashed, info.dying)
    return "".join(letter if flag else "-" for letter, flag in zip("rbpscd", flags, strict=True))


def mebibytes(info: aioxen.DomInfo) -> int:
    """Returns a domain's memory in MiB, as xl counts it."""
    return (info.current_memkb + info.outstanding_memkb) >> 10


@command("list")
@domains_argument(required=False)
@click.option("-l", "--long", is_flag=True, help="Print the configurations, as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Also print the UUIDs and the reasons of stops.")
@click.option("-c", "--cpupool", is_flag=True, help="Also print the numbers of the cpupools.")
@click.option("-n", "--numa", is_flag=True, help="Also print the NUMA nodes.")
async def list_domains(
    session: Session, domains: tuple[str, ...], long: bool, verbose: bool, cpupool: bool, numa: bool
) -> None:
    """Lists the named domains. Without names, lists all domains."""
    found = await domains_of(session, domains)
    if long:
        return await _print_configurations(session, [info for info, _ in found])
    form = LIST
    head: tuple[str, ...] = LIST_HEAD
    if verbose:
        form, head = form + " %-36s %11s", (*head, "UUID", "Reason-Code")
    if cpupool:
        form, head = form + " %8s", (*head, "Cpupool")
    if numa:
        form, head = form + " %s", (*head, "NODE Affinity")
    rows = []
    for info, name in found:
        row: list[object] = [name, info.domid, mebibytes(info), info.vcpu_online]
        row += [state_letters(info), info.cpu_time / 1e9]
        if verbose:
            row += [info.uuid, int(info.shutdown_reason) if info.shutdown else "-"]
        if cpupool:
            row.append(info.cpupool)
        if numa:
            nodes = await session.xen.domain_get_node_affinity(info.domid)
            row.append(",".join(map(str, sorted(nodes))) or "any node")
        rows.append((row, {"name": name, **record_of(info)}))
    session.out.table(form, head, rows)


async def _print_configurations(session: Session, infos: list[aioxen.DomInfo]) -> None:
    records = await parallel.gather(_configuration(session, info) for info in infos)
    if session.out.json:
        for record in records:
            session.out.answer("", record)
    else:
        session.out.line(json.dumps(records, indent=4))


async def _configuration(session: Session, info: aioxen.DomInfo) -> Record:
    """Returns a domain's configuration. Domain 0 has none; xl prints its name and its memory instead."""
    dom = aioxen.Domain(session.xen, info.domid, info.uuid)
    try:
        config = record_of(await dom.configuration(timeout=session.timeout), all=False)
    except aioxen.NotFoundError:
        config = {
            "c_info": {"type": str(info.domain_type), "name": await name_of(dom, session.timeout)},
            "b_info": {"max_memkb": info.max_memkb, "target_memkb": info.current_memkb},
        }
    return {"domid": info.domid, "config": config}


@command("vm-list")
async def vm_list(session: Session) -> None:
    """Lists the UUIDs, domids and names of all domains."""
    found = await domains_of(session, ())
    rows = [((i.uuid, i.domid, name), {"name": name, **record_of(i)}) for i, name in found]
    session.out.table("%-36s  %-5d %-30s", ("UUID", "ID", "name"), rows)


@command("domid")
@domain_argument()
async def domid(session: Session, domain: str) -> None:
    """Prints the domid of the domain with this name or UUID."""
    dom = await session.find(domain)
    session.out.answer(str(dom.domid), {"domain": domain, "domid": dom.domid})


@command("domname")
@domain_argument()
async def domname(session: Session, domain: str) -> None:
    """Prints the name of a domain."""
    dom = await session.find(domain)
    name = await dom.name(timeout=session.timeout)
    session.out.answer(name, {"domid": dom.domid, "name": name})


@command("uptime")
@domains_argument(required=False)
async def uptime(session: Session, domains: tuple[str, ...]) -> None:
    """Prints how long domains have existed."""
    rows = []
    for info, name in await domains_of(session, domains):
        began = await _start_time(session, info)
        if began is not None:
            row = (name, info.domid, timedelta(seconds=int(time.time() - began)))
            rows.append((row, {"name": name, "domid": info.domid, "start_time": began}))
    session.out.table("%-33s %4d %s", ("Name", "ID", "Uptime"), rows)


async def _start_time(session: Session, info: aioxen.DomInfo) -> float | None:
    """Returns when a domain was created, in seconds since 1970, or None if the toolstack has not stored this
    time."""
    if info.domid == 0:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    text = await session.xen.store.get(f"/vm/{info.uuid}/start_time", timeout=session.timeout)
    return float(text) if text else None


@command("show")
@domains_argument()
async def show(session: Session, domains: tuple[str, ...]) -> None:
    """Prints the state, the memory, the processors, the devices and the configuration of domains."""
    for dom in await parallel.gather(session.find(text) for text in domains):
        info, name, vcpus, devices, target = (
            await dom.info(),
            await name_of(dom, session.timeout),
            await dom.list_vcpus(),
            await dom.devices(timeout=session.timeout),
            await dom.memory_target(timeout=session.timeout),
        )
        record = {"name": name, **record_of(info), "memory_target": target}
        record["vcpus"] = [record_of(vcpu) for vcpu in vcpus]
        record["devices"] = [record_of(device) for device in devices]
        text = [
            f"{name} (domain {dom.domid}, {dom.uuid})",
            f"  {parallel.words_of(info)}; {info.domain_type}; {info.cpu_time / 1e9:.1f} s of processor time",
            f"  memory in KiB: {info.current_memkb}; target: {target}; maximum: {info.max_memkb}",
            f"  virtual processors: {info.vcpu_online} of {info.vcpu_max_id + 1} online",
        ]
        for device in devices:
            states = f"backend {device.backend_state}, frontend {device.frontend_state}"
            text.append(f"  {device.kind} {device.devid}: {states} (by domain {device.backend_domid})")
        session.out.answer("\n".join(text), record)


@command("info")
@click.option("-n", "--numa", is_flag=True, help="Also print the NUMA nodes and the processors.")
async def info(session: Session, numa: bool) -> None:
    """Describes the host and its hypervisor."""
    xen = session.xen
    host, version, scheduler = await xen.host_info(), await xen.host_version(), await xen.host_scheduler()
    if session.out.json:
        record: dict[str, Any] = {**record_of(host), **record_of(version), "scheduler": str(scheduler)}
        if numa:
            record["nodes"] = [record_of(node) for node in await xen.host_numa()]
            record["cpus"] = [record_of(cpu) for cpu in await xen.host_cpu_topology()]
        return session.out.answer("", record)
    for name, value in _host_lines(host, version, str(scheduler)):
        session.out.line(f"{name:<22} : {value}")
    if numa:
        cpus, nodes = await xen.host_cpu_topology(), await xen.host_numa()
        rows = [((n, cpu.core, cpu.socket, cpu.node), record_of(cpu)) for n, cpu in enumerate(cpus)]
        session.out.table("%6d:    %4d     %4d     %4d", ("cpu", "core", "socket", "node"), rows)
        sizes = [((n, node.size >> 20, node.free >> 20), record_of(node)) for n, node in enumerate(nodes)]
        session.out.table("%4d:    %6d     %6d", ("node", "memsize", "memfree"), sizes)


def _host_lines(
    host: aioxen.PhysInfo, version: aioxen.VersionInfo, scheduler: str
) -> Iterable[tuple[str, object]]:
    """Returns the lines of xl info that this library knows, in the order of xl."""
    system = os.uname()
    mebi = version.pagesize / (1 << 20)
    caps = {"pv": host.cap_pv, "hvm": host.cap_hvm, "hap": host.cap_hap, "shadow": host.cap_shadow}
    number = f"{version.xen_version_major}.{version.xen_version_minor}{version.xen_version_extra}"
    return (
        ("host", system.nodename),
        ("release", system.release),
        ("version", system.version),
        ("machine", system.machine),
        ("nr_cpus", host.nr_cpus),
        ("max_cpu_id", host.max_cpu_id),
        ("nr_nodes", host.nr_nodes),
        ("cores_per_socket", host.cores_per_socket),
        ("threads_per_core", host.threads_per_core),
        ("cpu_mhz", f"{host.cpu_khz / 1000:.3f}"),
        ("virt_caps", " ".join(name for name, has in caps.items() if has)),
        ("total_memory", int(host.total_pages * mebi)),
        ("free_memory", int((host.free_pages - host.outstanding_pages) * mebi)),
        ("outstanding_claims", int(host.outstanding_pages * mebi)),
        ("xen_major", version.xen_version_major),
        ("xen_minor", version.xen_version_minor),
        ("xen_extra", version.xen_version_extra),
        ("xen_version", number),
        ("xen_caps", version.capabilities),
        ("xen_scheduler", scheduler),
        ("xen_pagesize", version.pagesize),
        ("xen_changeset", version.changeset),
        ("xen_commandline", version.commandline),
        ("cc_compiler", version.compiler),
        ("cc_compile_date", version.compile_date),
    )
