# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands about the host: cpupool list, create, destroy, rename, add, remove and move, and dmesg."""

from __future__ import annotations

import sys

import click

import aioxen
from aioxen.cli.core import Session, command, group
from aioxen.cli.output import record_of
from aioxen.cli.resources import cpu_set
from aioxen.cli.select import domain_argument
from aioxen.types import Cpupoolinfo, Scheduler

SCHEDULERS = [each.name.lower() for each in Scheduler if each is not Scheduler.UNKNOWN]

cpupool: click.Group = group("cpupool", "Divides the host's processors among pools of domains.")


async def _find(session: Session, text: str) -> Cpupoolinfo:
    """Returns the cpupool with this number or name. Digits are a number, as for xl."""
    for pool in await session.xen.host_list_cpupools(timeout=session.timeout):
        if text == (str(pool.poolid) if text.isdecimal() else pool.pool_name):
            return pool
    raise aioxen.NotFoundError(f"there is no cpupool {text!r}")


async def _cpus(session: Session, text: str) -> set[int]:
    found = cpu_set(text, (await session.xen.host_info()).max_cpu_id + 1)
    return set() if found is None else found


@command("list", cpupool)
@click.option("-c", "--cpus", is_flag=True, help="Print the numbers of the processors.")
async def list_pools(session: Session, cpus: bool) -> None:
    """Lists the cpupools."""
    pools = await session.xen.host_list_cpupools(timeout=session.timeout)
    if cpus:
        rows = [((p.pool_name, ",".join(map(str, sorted(p.cpumap)))), record_of(p)) for p in pools]
        session.out.table("%-19s%s", ("Name", "CPU list"), rows)
        return
    more = [((_row(p),), record_of(p)) for p in pools]
    session.out.table("%s", ("Name               CPUs   Sched     Active   Domain count",), more)


def _row(pool: Cpupoolinfo) -> str:
    """Returns the row that xl prints. As in xl's output, its columns are not aligned with the head."""
    count, sched = len(pool.cpumap), pool.sched.name.lower()
    return f"{pool.pool_name:<19}{count:3}{sched:>10}       y{pool.n_dom:11}"


@command("create", cpupool)
@click.argument("name")
@click.option("--sched", type=click.Choice(SCHEDULERS), help="The scheduler.")
@click.option("--cpus", default="-", help="The processors: a list such as 0-3,^1. They must be free.")
async def create(session: Session, name: str, sched: str | None, cpus: str) -> None:
    """Creates a cpupool."""
    poolid = await session.xen.host_create_cpupool(
        name,
        Scheduler[sched.upper()] if sched else Scheduler.UNKNOWN,
        cpumap=await _cpus(session, cpus),
        timeout=session.timeout,
    )
    session.out.result(f"cpupool {poolid} created", {"outcome": "created", "poolid": poolid})


@command("destroy", cpupool)
@click.argument("pool")
async def destroy(session: Session, pool: str) -> None:
    """Destroys a cpupool without domains. Its processors are free afterwards."""
    poolid = (await _find(session, pool)).poolid
    await session.xen.host_destroy_cpupool(poolid, timeout=session.timeout)
    session.out.result(f"cpupool {poolid} destroyed", {"outcome": "destroyed", "poolid": poolid})


@command("rename", cpupool)
@click.argument("pool")
@click.argument("name")
async def rename(session: Session, pool: str, name: str) -> None:
    """Gives a cpupool another name."""
    poolid = (await _find(session, pool)).poolid
    await session.xen.host_rename_cpupool(poolid, name, timeout=session.timeout)
    session.out.result(f"cpupool {poolid} renamed", {"outcome": "renamed", "poolid": poolid})


@command("add", cpupool)
@click.argument("pool")
@click.argument("cpus")
async def add(session: Session, pool: str, cpus: str) -> None:
    """Adds free processors to a cpupool. CPUS is a list such as 0-3,^1."""
    poolid, chosen = (await _find(session, pool)).poolid, await _cpus(session, cpus)
    await session.xen.host_add_cpupool_cpus(poolid, chosen)
    session.out.result(f"processors added to cpupool {poolid}", {"outcome": "added", "cpus": sorted(chosen)})


@command("remove", cpupool)
@click.argument("pool")
@click.argument("cpus")
async def remove(session: Session, pool: str, cpus: str) -> None:
    """Removes processors from a cpupool. CPUS is a list such as 0-3,^1. They are free afterwards."""
    poolid, chosen = (await _find(session, pool)).poolid, await _cpus(session, cpus)
    await session.xen.host_remove_cpupool_cpus(poolid, chosen)
    text = f"processors removed from cpupool {poolid}"
    session.out.result(text, {"outcome": "removed", "cpus": sorted(chosen)})


@command("move", cpupool)
@domain_argument()
@click.argument("pool")
async def move(session: Session, domain: str, pool: str) -> None:
    """Moves a domain to a cpupool."""
    dom, found = await session.find(domain), await _find(session, pool)
    await dom.set_cpupool(found.poolid)
    record = {"outcome": "moved", "domid": dom.domid, "poolid": found.poolid}
    session.out.result(f"domain {dom.domid} moved to cpupool {found.pool_name}", record)


@command("dmesg")
@click.option("-c", "--clear", is_flag=True, help="Make the hypervisor forget the messages.")
async def dmesg(session: Session, clear: bool) -> None:
    """Prints the hypervisor's messages."""
    messages = await session.xen.host_console_ring(clear=clear)
    for line in messages.decode("utf-8", "replace").splitlines():
        session.out.answer(line, {"message": line})
    sys.stdout.flush()
