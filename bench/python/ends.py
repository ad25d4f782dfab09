# SPDX-License-Identifier: LGPL-2.1-or-later
"""ends.py aioxen|plain N: stops N idle guests, one after the other.

"ms": the median time from the hypercall by which a guest powers off until the task that awaits it continues.

aioxen      wait_shutdown()
plain       the floor: a future that completes with the first event on xenstored's socket
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import statistics
import sys
import time

import aioxen
import wire
from guests import guest

SETTLE_S = 0.05

stopper = ctypes.CDLL(f"{os.environ['AIOXEN_BENCH_BUILD']}/bench/shared/stopper.so")
stopper.stopper_end.restype = ctypes.c_double


async def with_aioxen(dom: aioxen.Domain) -> int:
    """Stops the guest and awaits its end. Returns the time at which the task continued (monotonic clock,
    ns)."""
    stopper.stopper_begin(dom.domid)
    await dom.wait_shutdown()
    return time.monotonic_ns()


async def plainly(domid: int) -> int:
    """Does the same as with_aioxen(), but with a plain socket. No context is open, because xenstored would
    serve the context first."""
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()
    with wire.connected() as xenstored:

        def told() -> None:
            xenstored.recv(4096)
            if not stopped.done():
                stopped.set_result(None)

        xenstored.sendall(wire.message(wire.WATCH, b"@releaseDomain", b"bench"))
        await asyncio.sleep(SETTLE_S)
        xenstored.recv(4096)  # This call reads the reply, and the first event of the watch.
        loop.add_reader(xenstored, told)
        stopper.stopper_begin(domid)
        await stopped
        ended = time.monotonic_ns()  # The time does not include closing the connection.
        loop.remove_reader(xenstored)
    return ended


async def end_of_one(way: str) -> float:
    async with aioxen.Context() as xen:
        dom = await xen.domain_create(guest("b"))
        await dom.unpause()
        if way == "aioxen":
            ended = await with_aioxen(dom)
    if way == "plain":
        ended = await plainly(dom.domid)
    took = ended - stopper.stopper_end()
    async with aioxen.Context() as xen:
        await xen.domain_destroy(dom.domid)
    return float(took) / 1e6


async def main(way: str, count: int) -> float:
    return statistics.median([await end_of_one(way) for _ in range(count)])


print(json.dumps({"ms": asyncio.run(main(sys.argv[1], int(sys.argv[2])))}))
