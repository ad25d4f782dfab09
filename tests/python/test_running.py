# SPDX-License-Identifier: LGPL-2.1-or-later
"""Virtual processors, schedulers and triggers of domains that run, and the host's processors and nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aioxen
import pytest
from worldly import Configure

UNKNOWN = 0x7000


async def running(xen: aioxen.Context, guest: Configure, **more: object) -> aioxen.Domain:
    dom = await xen.domain_create(guest("b", **more))
    await dom.unpause()
    return dom


async def test_affinity(xen: aioxen.Context, guest: Configure) -> None:
    dom = await running(xen, guest, vcpus=2)
    await dom.set_vcpu_affinity({0}, vcpuid=1)
    await dom.set_vcpu_affinity(soft={0})
    first, second = await dom.list_vcpus()
    assert set(range((await xen.host_info()).nr_cpus)) <= first.cpumap
    assert second.cpumap == {0}
    assert first.cpumap_soft == second.cpumap_soft == {0}
    with pytest.raises(aioxen.InvalidError, match="hard, soft"):
        await dom.set_vcpu_affinity()
    with pytest.raises(aioxen.InvalidError, match="hard: "):
        await dom.set_vcpu_affinity(set())
    await dom.set_node_affinity({0})
    assert 0 in await dom.node_affinity()
    await dom.destroy()


async def test_scheduler(xen: aioxen.Context, guest: Configure) -> None:
    assert await xen.host_scheduler() == aioxen.Scheduler.CREDIT2
    dom = await running(xen, guest)
    await dom.set_sched_params(aioxen.DomainSchedParams(weight=512))
    await dom.set_sched_params(aioxen.DomainSchedParams(cap=50))
    params = await dom.sched_params()
    assert (params.weight, params.cap, params.sched) == (512, 50, aioxen.Scheduler.CREDIT2)
    with pytest.raises(aioxen.InvalidError, match=r"params\.weight"):
        await dom.set_sched_params(aioxen.DomainSchedParams(weight=0))
    with pytest.raises(aioxen.InvalidError, match="no parameters for vcpus"):
        await dom.vcpu_sched_params()
    pool = await xen.sched_get_credit2_params(0)
    await xen.sched_set_credit2_params(0, pool)
    assert await xen.sched_get_credit2_params(0) == pool
    await dom.destroy()


async def test_trigger(xen: aioxen.Context, guest: Configure) -> None:
    pv, pvh = await running(xen, guest), await running(xen, guest, machine="pvh", name="pvh")
    await pv.send_trigger(aioxen.Trigger.NMI)
    await pvh.send_trigger(aioxen.Trigger.POWER)
    with pytest.raises(aioxen.InvalidError, match="trigger: "):
        await pv.send_trigger(aioxen.Trigger.POWER)
    await pv.destroy()
    await pvh.destroy()


async def test_the_host(xen: aioxen.Context) -> None:
    info = await xen.host_info()
    cpus, nodes = await xen.host_cpu_topology(), await xen.host_numa()
    assert len(cpus) == info.max_cpu_id + 1
    assert len(nodes) == info.nr_nodes
    assert nodes[0].dists[0] == 10
    assert 0 < await xen.host_free_memory() <= info.total_pages * 4
    await xen.host_send_debug_keys("h")


@pytest.mark.parametrize(
    ("machine", "memory", "most", "vcpus", "needed"),
    [
        ("pv", 32, 32, 1, 36864),
        ("pv", 694, 1388, 1, 718848),
        ("pvh", 363, 726, 1, 378880),
        ("pvh", 32, 64, 4, 40960),
    ],
)
async def test_memory_needed(
    xen: aioxen.Context, guest: Configure, machine: str, memory: int, most: int, vcpus: int, needed: int
) -> None:
    """libxl 4.17 returns the same numbers."""
    config = guest("b", machine=machine, memory=f"{memory}M", vcpus=vcpus)
    config.b_info.max_memkb = most << 10
    assert await xen.host_memory_needed(config) == needed


async def test_unknown_domains(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.DomainNotFoundError):
        await xen.domain_list_vcpus(UNKNOWN)
    with pytest.raises(aioxen.DomainNotFoundError):
        await xen.domain_get_sched_params(UNKNOWN)


async def test_rename(xen: aioxen.Context, guest: Configure, xl: Callable[..., str]) -> None:
    dom = await running(xen, guest)
    old = await dom.name()
    await dom.rename("renamed", old)
    assert await dom.name() == "renamed"
    assert xl("domid", "renamed").strip() == str(dom.domid)
    with pytest.raises(aioxen.InvalidError, match="old_name: "):
        await dom.rename("again", old)
    with pytest.raises(aioxen.DomainExistsError):
        await dom.rename("Domain-0")
    await dom.destroy()


async def test_memory(xen: aioxen.Context, guest: Configure) -> None:
    dom = await running(xen, guest, memory="32M")
    assert await dom.set_memory(24 << 10, wait=False) == 24 << 10
    assert await dom.set_memory(-1024, relative=True, wait=False) == 23 << 10
    assert await dom.memory_target() == 23 << 10
    assert (await dom.info()).max_memkb == 24 << 10
    with pytest.raises(aioxen.InvalidError, match="target_memkb: "):
        await dom.set_memory(33 << 10)
    await dom.set_max_memory(40 << 10)
    assert (await dom.info()).max_memkb == 41 << 10
    waiting = dom.set_memory(16 << 10)
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await dom.destroy()


async def test_waits_for_memory(xen: aioxen.Context, guest: Configure) -> None:
    """The guest has no balloon driver. Its memory is its first target, and never reaches another one."""
    dom = await running(xen, guest, memory="32M")
    assert await dom.wait_memory() == 32 << 10
    await dom.set_memory(24 << 10, wait=False)
    with pytest.raises(aioxen.GuestTimedOutError, match="its target is 24576 KiB"):
        await dom.wait_memory(idle_ms=200)
    free = await xen.host_free_memory()
    assert await xen.host_wait_free_memory(1 << 10) >= 1 << 10
    with pytest.raises(aioxen.NoMemoryForGuestError, match="memkb: "):
        await xen.host_wait_free_memory(free * 2, limit_ms=200)
    waiting = xen.host_wait_free_memory(free + (16 << 10))
    await dom.destroy()
    assert await waiting >= free + (16 << 10)


async def test_the_wait_for_memory_ends_with_the_domain(xen: aioxen.Context, guest: Configure) -> None:
    dom = await running(xen, guest, memory="32M")
    await dom.set_memory(24 << 10, wait=False)
    waiting = dom.wait_memory()
    await dom.destroy()
    with pytest.raises(aioxen.DomainDestroyedError):
        await waiting


async def test_a_guest_that_obeys(xen: aioxen.Context, guest: Configure, sim: Callable[..., str]) -> None:
    """The real tiny guest has no balloon driver."""
    dom = await xen.domain_create(guest("l", memory="32M", vcpus=2))
    await dom.unpause()
    reports: list[aioxen.OperationProgress] = []
    assert await dom.set_memory(24 << 10, progress=reports.append) == 24 << 10
    assert abs((await dom.info()).current_memkb - (24 << 10)) <= 1024
    assert {report.phase for report in reports} >= {"write", "reach"}
    await dom.set_vcpus_online({0, 1})
    await dom.send_sysrq("h")
    with pytest.raises(aioxen.InvalidError, match="cpumap: "):
        await dom.set_vcpus_online({1})
    await dom.destroy()
