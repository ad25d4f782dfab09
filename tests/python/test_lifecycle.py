# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of domains from creation to destruction. The tests watch the domains by this library and by xl."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import aioxen
import pytest
from aioxen import DomainType, ShutdownReason
from worldly import Configure

Xl = Callable[..., str]


@pytest.mark.parametrize("machine", ["pv", "pvh"])
async def test_a_guest_from_creation_until_it_is_gone(
    xen: aioxen.Context, guest: Configure, machine: str
) -> None:
    identity = uuid4()
    dom = await xen.domain_create(guest("p", machine=machine, name="alone", uuid=identity))
    assert dom.uuid == identity
    info = await dom.info()
    assert (info.domid, info.uuid) == (dom.domid, identity)
    assert info.paused
    assert not (info.shutdown or info.dying)
    assert info.shutdown_reason is ShutdownReason.UNKNOWN
    assert info.domain_type is (DomainType.PV if machine == "pv" else DomainType.PVH)
    assert 24 << 10 <= info.current_memkb <= 25 << 10
    assert await dom.name() == "alone"
    assert await xen.domain_find("alone") == dom
    assert info in await xen.domain_list()

    await dom.unpause()
    assert await dom.wait_shutdown() is ShutdownReason.POWEROFF
    info = await dom.info()
    assert info.shutdown
    assert info.shutdown_reason is ShutdownReason.POWEROFF

    await dom.destroy()
    await dom.wait_gone()
    with pytest.raises(aioxen.DomainNotFoundError):
        await dom.info()
    with pytest.raises(aioxen.NotFoundError):
        await xen.domain_find("alone")


@pytest.mark.parametrize(
    ("orders", "reason"),
    [("r", ShutdownReason.REBOOT), ("c", ShutdownReason.CRASH), ("d1", ShutdownReason.POWEROFF)],
)
async def test_the_shutdown_reason(
    xen: aioxen.Context, guest: Configure, orders: str, reason: ShutdownReason
) -> None:
    dom = await xen.domain_create(guest(orders))
    waiting = dom.wait_shutdown()
    await dom.unpause()
    assert await waiting is reason
    assert await dom.wait_shutdown() is reason  # A second wait finds that the domain has stopped.
    await dom.destroy()


@pytest.mark.parametrize("machine", ["pv", "pvh"])
async def test_a_guest_obeys_requests(xen: aioxen.Context, guest: Configure, machine: str) -> None:
    asked, restarted = await asyncio.gather(
        xen.domain_create(guest("l", machine=machine, name="asked")),
        xen.domain_create(guest("l", machine=machine, name="restarted")),
    )
    await asyncio.gather(asked.unpause(), restarted.unpause())
    assert await asked.shutdown() is ShutdownReason.POWEROFF
    assert await restarted.reboot() is ShutdownReason.REBOOT
    await asyncio.gather(asked.destroy(), restarted.destroy())


async def test_pauses_are_counted(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.pause()
    await dom.unpause()
    assert (await dom.info()).paused
    await dom.unpause()
    assert not (await dom.info()).paused
    await dom.destroy()


async def test_destroy_overtakes_a_pending_shutdown(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("b"))
    await dom.unpause()
    pending = dom.shutdown()
    await asyncio.sleep(0.05)
    await dom.destroy()
    with pytest.raises(aioxen.DomainDestroyedError) as raised:
        await pending
    assert raised.value.domid == dom.domid


async def test_wait_gone_of_a_domain_that_never_existed(xen: aioxen.Context) -> None:
    await xen.domain_wait_gone(32000)


async def test_a_domain_is_a_number(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("b"))
    assert int(dom) == dom.domid
    assert hex(dom) == hex(dom.domid)
    await xen.domain_unpause(dom)
    await xen.domain_destroy(dom)
    assert dom != aioxen.Domain(xen, dom.domid, UUID(int=0))
    assert len({dom, aioxen.Domain(xen, dom.domid, dom.uuid)}) == 1


async def test_the_host(xen: aioxen.Context) -> None:
    host = await xen.host_info()
    assert host.nr_cpus >= 1
    assert 0 < host.free_pages < host.total_pages
    assert host.cap_pv or host.cap_hvm
    version = await xen.host_version()
    assert version.xen_version_major == 4
    assert version.pagesize == 4096
    assert "xen-3.0-x86_64" in version.capabilities


async def test_many_at_once(xen: aioxen.Context, guest: Configure) -> None:
    domains = await asyncio.gather(*[xen.domain_create(guest("b", name=f"many{i}")) for i in range(6)])
    assert len({dom.domid for dom in domains}) == 6
    names = await asyncio.gather(*[dom.name() for dom in domains])
    assert names == [f"many{i}" for i in range(6)]
    await asyncio.gather(*[dom.destroy() for dom in domains])


async def test_a_context_without_a_with(hypervisor: None) -> None:
    xen = aioxen.Context()
    assert (await xen.domain_list())[0].domid == 0
    await xen.aclose()


# Domains that both this library and xl work on


async def test_xl_shows_the_same(xen: aioxen.Context, guest: Configure, xl: Xl) -> None:
    dom = await xen.domain_create(guest("b", name="seen"))
    lines = [line.split() for line in xl("list").splitlines()[1:]]
    assert [int(line[1]) for line in lines] == [info.domid for info in await xen.domain_list()]
    _, domid, memory, vcpus, state, _ = next(line for line in lines if line[0] == "seen")
    info = await dom.info()
    assert int(domid) == dom.domid
    assert int(memory) == info.current_memkb >> 10
    assert int(vcpus) == info.vcpu_online
    assert state[2] == "p"
    assert xl("domid", "seen").strip() == str(dom.domid)
    assert str(dom.uuid) in xl("list", "-v")
    await dom.destroy()
    assert "seen" not in xl("list")


async def test_xl_operates_on_our_domain(xen: aioxen.Context, guest: Configure, xl: Xl) -> None:
    dom = await xen.domain_create(guest("b", name="ours"))
    xl("unpause", "ours")
    assert not (await dom.info()).paused
    xl("pause", "ours")
    assert (await dom.info()).paused
    gone = dom.wait_gone()
    xl("destroy", "ours")
    await gone


async def test_we_operate_on_a_domain_of_xl(
    xen: aioxen.Context, kernel: Path, xl: Xl, tmp_path: Path
) -> None:
    config = tmp_path / "guest.cfg"
    config.write_text(
        f'name="theirs{os.getpid()}"\nkernel="{kernel}"\nmemory=24\nvcpus=1\nextra="l"\non_poweroff="preserve"\n'
    )
    xl("create", "-q", "-p", str(config))
    dom = await xen.domain_find(f"theirs{os.getpid()}")
    assert (await dom.info()).paused
    await dom.unpause()
    assert await dom.shutdown() is ShutdownReason.POWEROFF
    await dom.destroy()
    assert "theirs" not in xl("list")
