# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps guests paused during a block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import aioxen


@asynccontextmanager
async def quiet(guests: Iterable[aioxen.Domain]) -> AsyncIterator[None]:
    """Pauses the guests during the block. If one cannot be paused, the others run again."""
    async with AsyncExitStack() as paused:
        for guest in guests:
            await guest.pause()
            paused.push_async_callback(guest.unpause)
        yield
