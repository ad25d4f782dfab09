# SPDX-License-Identifier: LGPL-2.1-or-later
"""Loops in several threads. The interpreter's lock and the contexts' locks must not cause a deadlock."""

from __future__ import annotations

import asyncio
import gc
import threading

import aioxen
import pytest
from limits import scaled

THREADS, ROUNDS, LIMIT_S = 4, 300, 50

pytestmark = pytest.mark.usefixtures("hypervisor")


async def work(done: list[int]) -> None:
    """Takes both locks in every way. Calls, completions, errors and garbage collection take these locks."""
    async with aioxen.Context() as xen:
        for _ in range(ROUNDS):
            names = await asyncio.gather(*[xen.domain_get_name(0) for _ in range(5)])
            assert set(names) == {"Domain-0"}
            with pytest.raises(aioxen.Error):
                await xen.domain_find("nobody")
            xen.domain_get_name(0).cancel()
            gc.collect(0)
        done.append(ROUNDS)


def test_loops_in_several_threads_do_not_deadlock() -> None:
    done: list[int] = []
    threads = [threading.Thread(target=lambda: asyncio.run(work(done)), daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(LIMIT_S))
    assert done == [ROUNDS] * THREADS
