# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests with anyio's plugin, on asyncio."""

from __future__ import annotations

import aioxen
import pytest
from aioxen.testing import Simulator
from quiet_hours import quiet

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_quiet(xen_sim: Simulator) -> None:
    async with aioxen.Context() as xen:
        dom = await xen.domain_create(xen_sim.guest("b"), timeout=30)
        await dom.unpause()
        async with quiet([dom]):
            assert (await dom.info()).paused
        assert not (await dom.info()).paused
