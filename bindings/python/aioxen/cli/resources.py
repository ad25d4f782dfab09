# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands for memory and virtual processors: mem, mem-set, mem-max, vcpu-list, vcpu-set, vcpu-pin."""

from __future__ import annotations

import re

import click

import aioxen
from aioxen.cli.core import Session, command
from aioxen.cli.listing import domains_of
from aioxen.cli.output import Record, record_of
from aioxen.cli.parallel import Done, each
from aioxen.cli.progress import Report
from aioxen.cli.select import domain_argument, domains_argument

UNITS: dict[str, float] = {"b": 1 / 1024, "k": 1, "": 1 << 10, "m": 1 << 10, "g": 1 << 20, "t": 1 << 30}
"""KiB in each unit. As for xl, a number without a unit counts MiB."""

VCPU_HEAD = ("Name", "ID", "VCPU", "CPU", "State", "Time(s)", "Affinity (Hard / Soft)")


class _Memory(click.ParamType):
    """An amount of memory with a unit, as xl reads it. The value is in KiB."""

    name = "memory"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+)([bkmgt]?)", str(value), re.IGNORECASE)
        if not match:
            self.fail(f"{value!r} is not a number with a unit: b, k, m, g, t", param, ctx)
        return int(int(match[1]) * UNITS[match[2].lower()])


@command("mem")
@domains_argument(required=False)
async def mem(session: Session, domains: tuple[str, ...]) -> None:
    """Lists the memory of domains in MiB: present, target, maximum."""
    rows = []
    for info, name in await domains_of(session, domains):
        target = await session.xen.domain_get_memory_target(info.domid, timeout=session.timeout)
        row = (name, info.domid, info.current_memkb >> 10, target >> 10, info.max_memkb >> 10)
        record: Record = {"name": name, "domid": info.domid, "current_memkb": info.current_memkb}
        rows.append((row, {**record, "target_memkb": target, "max_memkb": info.max_memkb}))
    session.out.table("%-40s %5d %8d %8d %8d", ("Name", "ID", "Current", "Target", "Maximum"), rows)


@command("mem-set")
@domain_argument()
@click.argument("memory", type=_Memory())
@click.option("-w", "--wait", is_flag=True, help="Wait until the guest has reached the target.")
async def mem_set(session: Session, domain: str, memory: int, wait: bool) -> None:
    """Sets a domain's memory target: a number of MiB, or with a unit: b, k, m, g, t."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        target = await dom.set_memory(memory, wait=wait, timeout=session.timeout, progress=report)
        return Done(f"the memory target is {target} KiB", {"outcome": "set", "target_memkb": target})

    await each(session, [domain], act, after="; a target that was set stays")


@command("mem-max")
@domain_argument()
@click.argument("memory", type=_Memory())
async def mem_max(session: Session, domain: str, memory: int) -> None:
    """Sets the maximum of a domain's memory: a number of MiB, or with a unit: b, k, m, g, t."""

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.set_max_memory(memory, timeout=session.timeout, progress=report)
        return Done(f"the maximum is {memory} KiB", {"outcome": "set", "max_memkb": memory})

    await each(session, [domain], act)


@command("vcpu-list")
@domains_argument(required=False)
async def vcpu_list(session: Session, domains: tuple[str, ...]) -> None:
    """Lists the virtual processors of domains."""
    rows, cpus = [], range((await session.xen.host_info()).nr_cpus)
    for info, name in await domains_of(session, domains):
        for v in await session.xen.domain_list_vcpus(info.domid):
            flags = (v.running, v.blocked, not v.online)
            state = "".join(letter if flag else "-" for letter, flag in zip("rbp", flags, strict=True))
            affinity = f"{ranges(v.cpumap, cpus)} / {ranges(v.cpumap_soft, cpus)}"
            cpu = v.cpu if v.online else "-"
            row = (name, info.domid, v.vcpuid, cpu, state, v.vcpu_time / 1e9, affinity)
            rows.append((row, {"name": name, "domid": info.domid, **record_of(v)}))
    session.out.table("%-32s %5d %5d %4s   %s  %8.1f  %s", VCPU_HEAD, rows)


@command("vcpu-set")
@domain_argument()
@click.argument("count", type=click.IntRange(1))
@click.option(
    "-i", "--ignore-host", is_flag=True, help="Allow more virtual processors than the host has CPUs."
)
async def vcpu_set(session: Session, domain: str, count: int, ignore_host: bool) -> None:
    """Asks a guest to use this number of virtual processors."""
    if count > (cpus := (await session.xen.host_info()).nr_cpus) and not ignore_host:
        raise aioxen.InvalidError(
            f"the host has {cpus} CPUs; --ignore-host allows {count} virtual processors"
        )

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.set_vcpus_online(set(range(count)), timeout=session.timeout, progress=report)
        return Done(f"asked to use {count} virtual processors", {"outcome": "asked", "vcpus": count})

    await each(session, [domain], act)


@command("vcpu-pin")
@domain_argument()
@click.argument("vcpu")
@click.argument("hard")
@click.argument("soft", default="-")
@click.option("-f", "--force", is_flag=True, help="Override an affinity that the guest has set for itself.")
async def vcpu_pin(session: Session, domain: str, vcpu: str, hard: str, soft: str, force: bool) -> None:
    """Sets on which CPUs a virtual processor may run (HARD) and runs by preference (SOFT).

    VCPU is a number or all. HARD and SOFT are lists such as 0-3,^1, or all, or - for no change.
    """
    host = (await session.xen.host_info()).nr_cpus
    if vcpu != "all" and not vcpu.isdecimal():
        raise click.BadParameter(f"{vcpu!r} is no number and not all", param_hint="VCPU")
    which = {} if vcpu == "all" else {"vcpuid": int(vcpu)}
    sets = {"hard": cpu_set(hard, host), "soft": cpu_set(soft, host)}

    async def act(dom: aioxen.Domain, report: Report) -> Done:
        await dom.set_vcpu_affinity(sets["hard"], sets["soft"], force=force, **which)
        return Done(f"virtual processor {vcpu} pinned", {"outcome": "pinned", "vcpu": vcpu})

    await each(session, [domain], act)


def cpu_set(text: str, host: int) -> set[int] | None:
    """Returns the CPUs of a list such as "0-3,^1" or "all", or None for "-".

    Raises: click.BadParameter.
    """
    if text == "-":
        return None
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\^?)(?:(\d+)(?:-(\d+))?|all)", part.strip())
        if not match:
            raise click.BadParameter(f"{part!r} is no list of CPUs, such as 0-3,^1")
        first = int(match[2] or 0)
        last = int(match[3] or match[2] or host - 1)
        cpus = set(range(first, min(last, 4095) + 1))
        found = found - cpus if match[1] else found | cpus
    if not found:
        raise click.BadParameter(f"{text!r} names no CPU")
    return found


def ranges(cpus: set[int], host: range) -> str:
    """Returns the text of a set of CPUs: all, or a list such as 0-3,5."""
    if cpus.issuperset(host):
        return "all"
    found: list[list[int]] = []
    for cpu in sorted(cpus):
        if found and found[-1][-1] == cpu - 1:
            found[-1][1:] = [cpu]
        else:
            found.append([cpu])
    return ",".join("-".join(map(str, part)) for part in found)
