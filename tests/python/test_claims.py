# SPDX-License-Identifier: LGPL-2.1-or-later
"""The settings that xl puts into every configuration: claim_mode and run_hotplug_scripts."""

from __future__ import annotations

from collections.abc import Callable

import aioxen
import pytest
from worldly import Configure


@pytest.mark.parametrize("claim", [True, False, None])
async def test_the_memory_is_claimed_if_the_configuration_says_so(
    xen: aioxen.Context, sim: Callable[..., str], guest: Configure, claim: bool | None
) -> None:
    def claims() -> int:
        lines = (line.split() for line in sim("calls", "memory_op.claim_pages").splitlines())
        return sum(int(number) for number, *_ in lines)

    config = guest()
    config.b_info.claim_mode = claim
    before = claims()
    dom = await xen.domain_create(config)
    # libxenguest makes at least one call, which withdraws a claim.
    assert (claims() - before > 1) == bool(claim)
    await dom.destroy()


async def test_hotplug_scripts_that_udev_runs_are_refused(xen: aioxen.Context, guest: Configure) -> None:
    config = guest()
    config.c_info.run_hotplug_scripts = False
    with pytest.raises(aioxen.Error, match=r"c_info\.run_hotplug_scripts"):
        await xen.domain_create(config)
