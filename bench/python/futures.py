# SPDX-License-Identifier: LGPL-2.1-or-later
"""futures.py LOOP WAY TASKS N: the cost of awaiting.

TASKS tasks await N objects in all. Before this, the tasks await N / 10 objects as a warm-up. "ns" is the
processor time of one object. WAY:

future      a plain future that loop.call_soon completes: the floor
operation   an operation that completes later: start, queued event, take, completed future
instant     an operation that completes inside its initiator
done        a completed future, returned by a C function
executor    the synchronous call of the operation, in a thread, by run_in_executor

The operation is domain_wait_gone for a domain that does not exist, so it does not wait. The time is that of
one hypercall and of the path from the initiator to the task that continues.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aioxen
import uvloop
from guests import guest

NEVER_WAS = 32_751  # The highest domid. For this domid the simulated hypervisor need not search.
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

Initiator = Callable[[], Awaitable[None]]
Pair = tuple[Initiator, Initiator]  # Two initiators, which the tasks call alternately.


@contextlib.asynccontextmanager
async def future() -> AsyncIterator[Pair]:
    loop = asyncio.get_running_loop()

    def one() -> Awaitable[None]:
        made = loop.create_future()
        loop.call_soon(made.set_result, None)
        return made

    yield one, one


@contextlib.asynccontextmanager
async def operation() -> AsyncIterator[Pair]:
    async with aioxen.Context() as xen:
        one = functools.partial(xen.domain_wait_gone, NEVER_WAS)
        yield one, one


@contextlib.asynccontextmanager
async def instant() -> AsyncIterator[Pair]:
    async with aioxen.Context() as xen:
        dom = await xen.domain_create(guest("b"))
        yield functools.partial(xen.domain_pause, dom.domid), functools.partial(xen.domain_unpause, dom.domid)
        await dom.destroy()


@contextlib.asynccontextmanager
async def done() -> AsyncIterator[Pair]:
    made = asyncio.get_running_loop().create_future()
    made.set_result(None)
    one = functools.partial(next, itertools.repeat(made))
    yield one, one


@contextlib.asynccontextmanager
async def executor() -> AsyncIterator[Pair]:
    loop, xl = asyncio.get_running_loop(), ctypes.CDLL(f"{os.environ['AIOXEN_BENCH_BUILD']}/libaioxen.so")
    ctx = ctypes.c_void_p()
    assert not xl.libxl_ctx_alloc(ctypes.byref(ctx), 0, 0, None)

    def one() -> Awaitable[None]:
        return loop.run_in_executor(None, xl.libxl_domain_wait_gone, ctx, NEVER_WAS, None)

    yield one, one
    xl.libxl_ctx_free(ctx)


WAYS = {"future": future, "operation": operation, "instant": instant, "done": done, "executor": executor}


async def measure(way: str, tasks: int, count: int) -> float:
    turns = max(1, count // tasks // 2)

    async def work(one: Initiator, other: Initiator, turns: int) -> None:
        for _ in range(turns):
            await one()
            await other()

    async with WAYS[way]() as pair:
        await asyncio.gather(*[work(*pair, 1 + turns // 10) for _ in range(tasks)])  # warm-up
        began = time.process_time_ns()
        await asyncio.gather(*[work(*pair, turns) for _ in range(tasks)])
        return (time.process_time_ns() - began) / (turns * tasks * 2)


def main(loop: str, way: str, tasks: str, count: str) -> None:
    # An executor is 20 times slower, so it gets fewer calls.
    number = int(count) // (20 if way == "executor" else 1)
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        print(json.dumps({"ns": runner.run(measure(way, int(tasks), number))}))


main(*sys.argv[1:])
