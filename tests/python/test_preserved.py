# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain that Debian's xl has preserved can be renamed, and its memory can be set.

xl has given the preserved domain another UUID in xenstore. In the hypervisor it still has its first UUID,
which is also the UUID of the domain that xl has made in its place."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import aioxen
from limits import scaled
from worldly import read_node, remove_node

NAME = "keeps"


def preserved() -> tuple[int, str] | None:
    """Returns the domid and the name of the domain that xl has preserved."""
    found = re.search(
        rf"^({NAME}-\S+) +(\d+) ", subprocess.run(["xl", "list"], capture_output=True, text=True).stdout, re.M
    )
    return (int(found[2]), found[1]) if found else None


async def test_a_domain_that_xl_has_preserved_is_changed(
    xen: aioxen.Context, xl: Callable[..., str], kernel: Path
) -> None:
    settings = [f'name="{NAME}"', 'type="pvh"', f'kernel="{kernel}"', "memory=32", 'extra="l"']
    await asyncio.to_thread(xl, "create", "-q", "/dev/null", *settings, 'on_poweroff="rename-restart"')
    first = (await xen.domain(NAME)).domid
    await asyncio.to_thread(xl, "shutdown", NAME)
    async with asyncio.timeout(scaled(20)):
        while not (found := preserved()) or f"{NAME} " not in await asyncio.to_thread(xl, "list"):
            await asyncio.sleep(0.05)
    domid, name = found
    assert domid == first
    node = read_node(f"/local/domain/{domid}/vm")
    second = await xen.domain(NAME)
    former = read_node(f"/local/domain/{second.domid}/vm")
    assert node and former and node != former
    dom = await xen.domain(domid)
    assert f"/vm/{dom.uuid}" == former
    await dom.rename("kept", old_name=name)
    assert read_node(f"/local/domain/{domid}/name") == read_node(f"{node}/name") == "kept"
    assert read_node(f"{former}/name") == NAME
    await dom.set_memory(24 << 10, wait=False)
    assert read_node(f"/local/domain/{domid}/memory/target") == str(24 << 10)
    assert read_node(f"{node}/memory") == "24"
    await dom.destroy()
    await second.destroy()
    # The library knows only the UUID in the hypervisor, so the nodes of the UUID in xenstore stay.
    remove_node(node)
