# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ctrl-C while completions are handed out: whoever runs the loop again misses none."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

import aioxen
import pytest
from aioxen._base import BaseContext, error_of
from aioxen._call import Call, Result
from aioxen._values import free_string, get_string, take_string
from aioxen.context import Context
from aioxen.operation import Operation
from worldly import Configure

pytestmark = pytest.mark.usefixtures("hypervisor")

HANDING_OUT: set[CodeType] = {
    function.__code__
    for function in (
        Context._tell,
        Context._report,
        BaseContext._event,
        Operation._end,
        Operation._stopped,
        Operation._error,
        Call.value,
        Call.drop,
        Result.value,
        error_of,
        take_string,
        get_string,
        free_string,
    )
}


class Interruption:
    """Raises KeyboardInterrupt before the n-th line of those that hand out completions."""

    def __init__(self, n: int) -> None:
        self.left = n

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code not in HANDING_OUT:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    @contextmanager
    def armed(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self)
        try:
            yield
        finally:
            sys.settrace(before)


async def some(xen: aioxen.Context) -> list[Operation[Any]]:
    """That succeed, with a result, fail, are stopped by their limit, and are cancelled."""
    operations: list[Operation[Any]] = []
    for _ in range(2):
        names = [xen.domain_get_name(domid) for domid in (0, 0, 12345)]
        operations += [*names, xen.domain_wait_shutdown(0, limit=0.001)]
        names[0].cancel()
    return operations


EXPECTED = [asyncio.CancelledError, str, aioxen.DomainNotFoundError, aioxen.TimedOutError] * 2


def interrupted(loop: asyncio.AbstractEventLoop, xen: aioxen.Context, n: int) -> bool:
    """Whether the n-th line was one; every operation ends all the same, and as it should."""

    async def wait(operations: list[Operation[Any]]) -> list[object]:
        return await asyncio.wait_for(asyncio.gather(*operations, return_exceptions=True), 20)

    waiting = loop.create_task(wait(loop.run_until_complete(some(xen))))
    interruption = Interruption(n)
    with interruption.armed():
        while not waiting.done():
            try:
                loop.run_until_complete(waiting)
            except KeyboardInterrupt:
                continue
    assert [type(end) for end in waiting.result()] == EXPECTED
    return interruption.left <= 0


def test_no_completion_is_lost_or_doubled() -> None:
    loop = asyncio.new_event_loop()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    xen = aioxen.Context()
    n = 1
    while interrupted(loop, xen, n):
        n += 1
    loop.run_until_complete(xen.aclose())
    loop.close()
    assert n > 10  # how many lines it takes depends on how many operations end at a time
    assert not problems


def test_a_listener_that_interrupts_is_told_once(guest: Configure) -> None:
    loop = asyncio.new_event_loop()
    xen = aioxen.Context()
    told: list[object] = []

    def listen(event: object) -> None:
        told.append(event)
        raise KeyboardInterrupt

    async def create() -> aioxen.Domain:
        return await xen.domain_create(guest(), progress=listen)

    creation = loop.create_task(create())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(creation)
    dom = loop.run_until_complete(creation)
    loop.run_until_complete(dom.destroy())
    loop.run_until_complete(xen.aclose())
    loop.close()
    assert len(told) == 1
