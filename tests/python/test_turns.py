# SPDX-License-Identifier: LGPL-2.1-or-later
"""A task that awaits only instant operations lets other tasks of the loop run."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import aioxen
import pytest
from limits import scaled

Start = Callable[[aioxen.Context], Awaitable[object]]
INSTANT: list[Start] = [
    lambda xen: xen.domain_unpause(0),  # This operation fails, because domain 0 is not paused.
    lambda xen: xen.domain_get_info(0),
    lambda xen: xen.domain_list(),
]


@pytest.mark.parametrize("start", INSTANT)
async def test_other_tasks_run_meanwhile(xen: aioxen.Context, start: Start) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.timeout(scaled(20)):
        counting = asyncio.create_task(count())
        for _ in range(2000):
            with contextlib.suppress(aioxen.Error):
                await start(xen)
        counting.cancel()
    assert 2 <= turns < 1000


async def test_a_time_limit_ends_a_loop_of_instant_operations(xen: aioxen.Context) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            while True:
                await xen.domain_get_info(0)


SPIN = """
import asyncio, aioxen

async def main():
    async with aioxen.Context() as xen:
        print("ready", flush=True)
        while True:
            await xen.domain_get_info(0)

asyncio.run(main())
"""


def test_an_interrupt_ends_a_loop_of_instant_operations() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SPIN], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=scaled(20))
        finally:
            process.kill()
    assert b"KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT
