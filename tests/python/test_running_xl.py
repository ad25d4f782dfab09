# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's xl changes one domain, and this package changes another domain in the same way. After the
change the two domains have the same nodes."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import aioxen
import pytest
from worldly import Configure

Change = Callable[[aioxen.Domain], Awaitable[Any]]

CHANGES: dict[str, tuple[list[str], Change]] = {
    "mem-set": (["mem-set", "DOMAIN", "24"], lambda dom: dom.set_memory(24 << 10, wait=False)),
    "mem-max": (["mem-max", "DOMAIN", "40"], lambda dom: dom.set_max_memory(40 << 10)),
    "vcpu-set": (["vcpu-set", "DOMAIN", "1"], lambda dom: dom.set_vcpus_online({0})),
    "vcpu-pin": (["vcpu-pin", "DOMAIN", "1", "0"], lambda dom: dom.set_vcpu_affinity({0}, vcpuid=1)),
    "vcpu-pin soft": (["vcpu-pin", "DOMAIN", "all", "-", "0"], lambda dom: dom.set_vcpu_affinity(soft={0})),
    "weight": (
        ["sched-credit2", "-d", "DOMAIN", "-w", "512"],
        lambda dom: dom.set_sched_params(aioxen.DomainSchedParams(weight=512)),
    ),
    "cap": (
        ["sched-credit2", "-d", "DOMAIN", "-c", "50"],
        lambda dom: dom.set_sched_params(aioxen.DomainSchedParams(cap=50)),
    ),
    "sysrq": (["sysrq", "DOMAIN", "h"], lambda dom: dom.send_sysrq("h", wait=False)),
    "nmi": (["trigger", "DOMAIN", "nmi"], lambda dom: dom.send_trigger(aioxen.Trigger.NMI)),
    "rename": (["rename", "DOMAIN", "new-DOMAIN"], lambda dom: dom.rename(f"new-{dom.domid}")),
}


def tree(dom: aioxen.Domain, uuid: str) -> list[str]:
    """Returns the nodes of a domain. Nodes whose value is a number of this domain alone are left out."""
    found = ""
    for path in f"/local/domain/{dom.domid}", f"/vm/{uuid}":
        found += subprocess.check_output(["xenstore-ls", "-f", path], text=True).replace(path, "")
    skipped = ("console", "store/", "/vm =", "/domid", "uuid", "start_time")
    return [
        line.replace(f"new-{dom.domid}", "new").replace(f"guest-{dom.domid}", "old")
        for line in found.splitlines()
        if not any(text in line for text in skipped)
    ]


async def state(dom: aioxen.Domain) -> dict[str, object]:
    info, params = await dom.info(), await dom.sched_params()
    return {
        "tree": tree(dom, str(info.uuid)),
        "memory": (info.current_memkb, info.max_memkb),
        "vcpus": [(vcpu.cpumap, vcpu.cpumap_soft) for vcpu in await dom.list_vcpus()],
        "shares": (params.weight, params.cap),
        "target": await dom.memory_target(),
    }


@pytest.mark.parametrize("change", CHANGES)
async def test_both_leave_the_same(
    xen: aioxen.Context, guest: Configure, xl: Callable[..., str], change: str
) -> None:
    arguments, ours = CHANGES[change]
    domains = []
    for name in "theirs", "ours":
        dom = await xen.domain_create(guest("b", name=name, memory="32M", vcpus=2))
        await dom.unpause()
        await dom.rename(f"guest-{dom.domid}")
        domains.append(dom)
    before = [await state(dom) for dom in domains]
    assert before[0] == before[1]
    xl(*(word.replace("DOMAIN", str(domains[0].domid)) for word in arguments))
    await ours(domains[1])
    theirs, mine = [await state(dom) for dom in domains]
    assert mine == theirs
    unchanged = change == "nmi" or ("pin" in change and (await xen.host_info()).nr_cpus == 1)
    assert unchanged or theirs != before[0]
    for dom in domains:
        await dom.destroy()
