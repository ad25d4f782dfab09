# SPDX-License-Identifier: LGPL-2.1-or-later
"""ends.py N: N guests, one after the other, are unpaused and power off at once.

"ms" is the time from unpausing one until whoever awaits its wait_shutdown() goes on: the median.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time

import aioxen
from guests import guest

SETTLE_S = 0.05


async def end_of_one(xen: aioxen.Context) -> float:
    dom = await xen.domain_create(guest("p"))

    async def until_it_ends() -> float:
        await dom.wait_shutdown()
        return time.perf_counter()

    ended = asyncio.create_task(until_it_ends())
    await asyncio.sleep(SETTLE_S)
    began = time.perf_counter()
    await dom.unpause()
    took = await ended - began
    await dom.destroy()
    return took * 1000


async def main(count: int) -> float:
    async with aioxen.Context() as xen:
        return statistics.median([await end_of_one(xen) for _ in range(count)])


print(json.dumps({"ms": asyncio.run(main(int(sys.argv[1])))}))
