# SPDX-License-Identifier: LGPL-2.1-or-later
"""busy.py end|operation event|callback|nothing N: a C thread ends N operations while Python is busy.

Python works for 2 ms on each completion.

end        times only the end of operations, which were started before the measurement and are aborted
operation  times whole operations, which complete at once, with their hypercalls

event      each completion is an event; Python takes all queued events at once, as the aioxen package does
callback   C calls into Python for each completion
nothing    the floor. With "end", aborts of an operation that does not exist. With "operation", synchronous
           operations.

The C thread sleeps before each operation. "ns": the median time that the thread spends in the call.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
import time
from typing import Any

import aioxen
from guests import guest

BUSY_S = 0.002
BUILD = os.environ["AIOXEN_BENCH_BUILD"]
Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Record(ctypes.Structure):
    """The C structure libxl_event_record, for ctypes."""

    _fields_ = (
        ("for_user", ctypes.c_uint64),
        ("event", ctypes.c_void_p),
        ("type", ctypes.c_uint32),
        ("domid", ctypes.c_uint32),
        ("value", ctypes.c_int32),
        ("domuuid", ctypes.c_uint8 * 16),
    )


def handle() -> None:
    """Simulates an application's work on a completion."""
    end = time.perf_counter() + BUSY_S
    while time.perf_counter() < end:
        pass


async def main(what: str, way: str, count: int) -> float:
    xl = ctypes.CDLL(f"{BUILD}/libaioxen.so", mode=ctypes.RTLD_GLOBAL)
    completer = ctypes.CDLL(f"{BUILD}/bench/shared/busy.so")
    completer.busy_end.restype = ctypes.c_double
    records = (Record * 256)()
    ctx = ctypes.c_void_p()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    seen = 0

    def one(*_: Any) -> None:
        nonlocal seen
        seen += 1
        handle()
        if seen == count:
            ended.set()

    def take() -> None:
        for _ in range(xl.libxl_event_take(ctx, records, len(records))):
            one()

    callback = Callback(lambda *_: loop.call_soon_threadsafe(one) and None)
    async with aioxen.Context() as xen:
        dom = await xen.domain_create(guest("b"))
        assert not xl.libxl_ctx_alloc(ctypes.byref(ctx), 0, 0, None)
        loop.add_reader(xl.libxl_ctx_fd(ctx), take)
        started = completer.busy_start(
            ctx,
            ctypes.c_uint32(dom.domid),
            ctypes.c_long(count),
            what == "operation",
            way != "nothing",
            callback if way == "callback" else None,
        )
        assert not started
        if way == "nothing":
            while completer.busy_done() < count:
                handle()
        else:
            await ended.wait()
        took: float = completer.busy_end()
        loop.remove_reader(xl.libxl_ctx_fd(ctx))
        xl.libxl_ctx_free(ctx)
        await dom.destroy()
    return took


print(json.dumps({"ns": asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))}))
