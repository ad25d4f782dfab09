# SPDX-License-Identifier: LGPL-2.1-or-later
"""reads.py aioxen|loop|executor|wire N: reads a domain's name from xenstore N times; "ns" is the time of one
read.

aioxen      N times domain_get_name, awaited together
loop        libxenstore's xs_read, one after the other
executor    xs_read by run_in_executor, N calls awaited together
wire        the floor: N requests written to xenstored's socket at once, then N replies read
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys
import time

import aioxen
import wire

PATH = b"/local/domain/0/name"
WARM_UP = 10

_xs = ctypes.CDLL("libxenstore.so.4")
_xs.xs_open.restype = _xs.xs_read.restype = ctypes.c_void_p
_xs.xs_read.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_void_p]
_free = ctypes.CDLL(None).free
_free.argtypes = [ctypes.c_void_p]


def read(handle: int) -> None:
    value = _xs.xs_read(handle, 0, PATH, ctypes.byref(ctypes.c_uint()))
    assert ctypes.string_at(value) == b"Domain-0"
    _free(value)


async def with_aioxen(count: int) -> float:
    async with aioxen.Context() as xen:
        await asyncio.gather(*[xen.domain_get_name(0) for _ in range(WARM_UP)])
        began = time.perf_counter_ns()
        names = await asyncio.gather(*[xen.domain_get_name(0) for _ in range(count)])
        took = time.perf_counter_ns() - began
        assert set(names) == {"Domain-0"}
        return took


async def with_loop(count: int) -> float:
    handle = _xs.xs_open(0)
    read(handle)
    began = time.perf_counter_ns()
    for _ in range(count):
        read(handle)
    return time.perf_counter_ns() - began


async def with_executor(count: int) -> float:
    handle, loop = _xs.xs_open(0), asyncio.get_running_loop()
    await asyncio.gather(*[loop.run_in_executor(None, read, handle) for _ in range(WARM_UP)])
    began = time.perf_counter_ns()
    await asyncio.gather(*[loop.run_in_executor(None, read, handle) for _ in range(count)])
    return time.perf_counter_ns() - began


async def with_wire(count: int) -> float:
    reply = wire.HEADER + len(b"Domain-0")
    with wire.connected() as xenstored:
        began = time.perf_counter_ns()
        xenstored.sendall(wire.message(wire.READ, PATH) * count)
        left = reply * count
        while left:
            left -= len(xenstored.recv(min(left, 1 << 16)))
        return time.perf_counter_ns() - began


WAYS = {"aioxen": with_aioxen, "loop": with_loop, "executor": with_executor, "wire": with_wire}
times = int(sys.argv[2])
print(json.dumps({"ns": asyncio.run(WAYS[sys.argv[1]](times)) / times}))
