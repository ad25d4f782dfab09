# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests with pytest-asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aioxen
import pytest
import pytest_asyncio
from aioxen.testing import Simulator
from quiet_hours import quiet


@pytest_asyncio.fixture
async def guest(xen_sim: Simulator) -> AsyncIterator[aioxen.Domain]:
    async with aioxen.Context() as xen:
        dom = await xen.domain_create(xen_sim.guest(), timeout=30)
        await dom.unpause()
        yield dom


@pytest.mark.asyncio
async def test_quiet(guest: aioxen.Domain) -> None:
    async with quiet([guest]):
        assert (await guest.info()).paused
    assert not (await guest.info()).paused


@pytest.mark.asyncio
@pytest.mark.xen_fault("domctl.pausedomain", error="EBUSY")
async def test_not_quiet(guest: aioxen.Domain) -> None:
    with pytest.raises(aioxen.Error):
        async with quiet([guest]):
            pass
