# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cpupools, and what the library says about the host, compared with what Debian's xl shows."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import aioxen
import pytest
from aioxen import Scheduler
from command_line import aioxen_
from worldly import Configure

pytestmark = pytest.mark.usefixtures("sim")


@contextlib.asynccontextmanager
async def second_pool(xen: aioxen.Context) -> AsyncIterator[int]:
    """Makes a cpupool with the second processor."""
    await xen.host_remove_cpupool_cpus(0, {1})
    poolid = await xen.host_create_cpupool("second", Scheduler.CREDIT, cpumap={1})
    yield poolid
    for found in await xen.host_list_cpupools():
        if found.poolid == poolid:
            await xen.host_destroy_cpupool(poolid)
    await xen.host_add_cpupool_cpus(0, await xen.host_free_cpus())


async def shown(xen: aioxen.Context) -> list[list[str]]:
    """Returns the rows of `xl cpupool-list`."""
    return [
        [p.pool_name, str(len(p.cpumap)), p.sched.name.lower(), "y", str(p.n_dom)]
        for p in (await xen.host_list_cpupools())
    ]


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()[1:]]


async def test_a_cpupool_lives(xen: aioxen.Context, xl: Callable[..., str]) -> None:
    async with second_pool(xen) as pool:
        assert rows(xl("cpupool-list")) == await shown(xen)
        assert (await shown(xen))[-1] == ["second", "1", "credit", "y", "0"]
        await xen.host_rename_cpupool(pool, "other")
        assert rows(xl("cpupool-list")) == await shown(xen)
        await xen.host_remove_cpupool_cpus(pool, {1})
        assert await xen.host_free_cpus() == {1}
        await xen.host_destroy_cpupool(pool)
        assert rows(xl("cpupool-list")) == await shown(xen)
        assert [p.poolid for p in (await xen.host_list_cpupools())] == [0]
        with pytest.raises(aioxen.NotFoundError):
            await xen.store_read(f"/local/pool/{pool}")


async def test_a_cpupool_of_xl(xen: aioxen.Context, xl: Callable[..., str]) -> None:
    xl("cpupool-create", 'name="made"', 'sched="credit2"')
    made = (await xen.host_list_cpupools())[-1]
    assert (made.pool_name, made.sched, made.cpumap) == ("made", Scheduler.CREDIT2, set())
    await xen.host_destroy_cpupool(made.poolid)
    assert [row[0] for row in rows(xl("cpupool-list"))] == ["Pool-0"]


async def test_a_domain_moves(xen: aioxen.Context, guest: Configure, xl: Callable[..., str]) -> None:
    async with second_pool(xen) as pool:
        dom = await xen.domain_create(guest("l"))
        await dom.set_cpupool(pool)
        assert (await dom.info()).cpupool == pool
        assert rows(xl("cpupool-list")) == await shown(xen)
        with pytest.raises(aioxen.BusyError, match=f"cpupool {pool} has 1 domains"):
            await xen.host_destroy_cpupool(pool)
        with pytest.raises(aioxen.BusyError, match="processor 1 is the last one"):
            await xen.host_remove_cpupool_cpus(pool, {1})
        await dom.set_cpupool(0)
        await dom.destroy()


async def test_a_domain_is_created_in_a_cpupool(xen: aioxen.Context, guest: Configure) -> None:
    async with second_pool(xen) as pool:
        for name, found in {"second": pool, "Pool-0": 0, str(pool): pool, "0": 0}.items():
            config = guest("l")
            # The name has precedence over the number.
            config.c_info.pool_name, config.c_info.poolid = name, 66
            dom = await xen.domain_create(config)
            assert (await dom.info()).cpupool == found
            await dom.destroy()
        for name in "nowhere", "", "66", str(pool + (1 << 32)), "-1":
            config = guest("l")
            config.c_info.pool_name = name
            with pytest.raises(
                aioxen.InvalidError, match=f"d_config.c_info.pool_name: there is no cpupool '{name}'"
            ):
                await xen.domain_create(config)
        assert [info.domid for info in await xen.domain_list()] == [0]
        assert await xen.unfinished() == []


async def test_what_is_refused(xen: aioxen.Context) -> None:
    async with second_pool(xen) as pool:
        with pytest.raises(aioxen.InvalidError, match="poolid: there is no cpupool 66"):
            await xen.host_destroy_cpupool(66)
        with pytest.raises(aioxen.InvalidError, match="poolid: there is no cpupool 66"):
            await xen.host_rename_cpupool(66, "x")
        with pytest.raises(aioxen.InvalidError, match=f"poolid: there is a cpupool {pool} already"):
            await xen.host_create_cpupool("x", Scheduler.UNKNOWN, wanted=pool)
        with pytest.raises(aioxen.InvalidError, match="cpumap: processor 1 is not free"):
            await xen.host_create_cpupool("x", Scheduler.UNKNOWN, cpumap={1})
        with pytest.raises(aioxen.InvalidError, match="cpumap: processor 0 is not in the cpupool"):
            await xen.host_remove_cpupool_cpus(pool, {0})
        with pytest.raises(aioxen.InvalidError, match="name: "):
            await xen.host_rename_cpupool(pool, "a/b")
        with pytest.raises(aioxen.InvalidError):
            await xen.domain_set_cpupool(0, pool)
        assert [p.poolid for p in (await xen.host_list_cpupools())] == [0, pool]


async def test_xl_info(xen: aioxen.Context, xl: Callable[..., str]) -> None:
    text, info, version = xl("info", "-n"), await xen.host_info(), await xen.host_version()
    said = dict(re.findall(r"^(\w+) +: (.*)$", text, re.MULTILINE))
    assert said["hw_caps"].replace(":", "") == "".join(
        f"{int.from_bytes(info.hw_cap[i : i + 4], 'little'):08x}" for i in range(0, 32, 4)
    )
    caps = said["virt_caps"].split()
    for word, there in {
        "hvm": info.cap_hvm,
        "pv": info.cap_pv,
        "hap": info.cap_hap,
        "shadow": info.cap_shadow,
        "hvm_directio": info.cap_hvm_directio,
        "gnttab-v1": info.cap_gnttab_v1,
    }.items():
        assert (word in caps) == there, word
    assert int(said["sharing_freed_memory"]) == info.sharing_freed_pages // 256
    assert int(said["virt_start"], 0) if "virt_start" in said else version.virt_start
    assert said["cc_compile_by"] == version.compile_by
    assert said["build_id"] == version.build_id
    devices = re.findall(r"^([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})\.(\d) +(\d+)$", text, re.MULTILINE)
    found = await xen.host_pci_topology()
    assert {(int(s, 16), int(b, 16), int(d, 16) << 3 | int(f), int(n)) for s, b, d, f, n in devices} == {
        (d.seg, d.bus, d.devfn, d.node) for d in found if d.node != 0xFFFFFFFF
    }


def test_the_commands(xl: Callable[..., str]) -> None:
    assert aioxen_("cpupool", "remove", "Pool-0", "1").code == 0
    assert aioxen_("cpupool", "create", "b", "--sched", "credit", "--cpus", "1").code == 0
    assert aioxen_("cpupool", "list").out == xl("cpupool-list")
    assert aioxen_("cpupool", "list", "-c").out == xl("cpupool-list", "-c")
    aioxen_("cpupool", "rename", "b", "c")
    aioxen_("cpupool", "destroy", "b", code=4)
    aioxen_("cpupool", "remove", "c", "1")
    aioxen_("cpupool", "destroy", "c")
    aioxen_("cpupool", "add", "0", "1")
    aioxen_("cpupool", "move", "0", "0", code=3)
    assert aioxen_("cpupool", "list").out == xl("cpupool-list")
    assert aioxen_("dmesg").out == xl("dmesg")


async def test_a_host_without_the_features(xen: aioxen.Context) -> None:
    assert (await xen.host_console_ring()).startswith(b"(XEN) ")
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: xen.host_flask_enforcing(),
        lambda: xen.host_flask_set_enforcing(True),
        lambda: xen.host_flask_load(b"policy"),
        lambda: xen.host_flask_label(1),
        lambda: xen.host_flask_number("label"),
        lambda: xen.host_set_parameters("a=1"),
        lambda: xen.host_psr_cmt(),
        lambda: xen.host_psr_cache_size(0),
        lambda: xen.host_psr_hw_info(aioxen.PsrFeatType.CAT),
        lambda: xen.domain_psr_attach(0),
        lambda: xen.domain_psr_detach(0),
        lambda: xen.domain_psr_get(0, aioxen.PsrCbmType.L3_CBM, 0),
        lambda: xen.domain_psr_set(0, aioxen.PsrCbmType.L3_CBM, {0}, 1),
    ]
    for call in calls:
        with pytest.raises(aioxen.NotSupportedError):
            await call()
    with pytest.raises(aioxen.InvalidError, match="socket: socket 9 has no processor online"):
        await xen.host_psr_cache_size(9)
