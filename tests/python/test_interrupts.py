# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signal handlers that raise exceptions. They interrupt each line of the code that starts operations and
delivers events.

After the interrupt the loop runs again. No completion and no event is lost or delivered twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Coroutine, Iterator
from types import CodeType, FrameType
from typing import Any
from uuid import UUID

import aioxen
import pytest
from aioxen._base import BaseContext, error_of
from aioxen._queue import EventsLost, Queue
from aioxen._spec import CffiSpec, Result
from aioxen._values import free_string, get_string, take_string
from aioxen.context import Context
from aioxen.events import Events
from aioxen.operation import Operation
from worldly import Configure

pytestmark = pytest.mark.usefixtures("hypervisor")

DELIVERING_EVENTS: set[CodeType] = {
    function.__code__
    for function in (
        Context._deliver,
        BaseContext._make_event,
        Events._put,
        Events._wake,
        Events._finish,
        Queue.put,
    )
}

DELIVERING: set[CodeType] = DELIVERING_EVENTS | {
    function.__code__
    for function in (
        Context._deliver_progress,
        Operation._finish,
        Operation._finish_stopped,
        Operation._error,
        CffiSpec.read_results,
        CffiSpec.free_results,
        Result.value,
        error_of,
        take_string,
        get_string,
        free_string,
    )
}

STARTING: set[CodeType] = {CffiSpec.new_results.__code__, CffiSpec.call.__code__}


class Interruption:
    """A trace function that raises an exception at the n-th line or return of some functions."""

    def __init__(self, n: int, where: set[CodeType], what: type[BaseException] = KeyboardInterrupt) -> None:
        self.left = n
        self.where = where
        self.what = what

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code not in self.where:
            return None
        if event in ("line", "return"):
            self.left -= 1
            if self.left == 0:
                raise self.what
        return self

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self)
        try:
            yield
        finally:
            sys.settrace(before)


async def some(xen: aioxen.Context) -> list[Operation[Any]]:
    """Starts operations that succeed, fail, reach their limit, and are cancelled. Returns
    these operations."""
    operations: list[Operation[Any]] = []
    for _ in range(2):
        names = [xen.domain_get_name(domid) for domid in (0, 0, 12345)]
        operations += [*names, xen.domain_wait_shutdown(0, timeout=0.001)]
        names[0].cancel()
    return operations


EXPECTED = [asyncio.CancelledError, str, aioxen.DomainNotFoundError, aioxen.TimedOutError] * 2


def interrupted(loop: asyncio.AbstractEventLoop, xen: aioxen.Context, n: int) -> bool:
    """Raises an exception at the n-th line. Returns whether n lines were run. All operations must
    end as expected."""

    async def wait(operations: list[Operation[Any]]) -> list[object]:
        return await asyncio.wait_for(asyncio.gather(*operations, return_exceptions=True), 20)

    waiting = loop.create_task(wait(loop.run_until_complete(some(xen))))
    interruption = Interruption(n, DELIVERING)
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
    assert n > 10  # The number of lines depends on how many operations complete together.
    assert not problems


@pytest.mark.parametrize(
    ("what", "where"), [(KeyboardInterrupt, DELIVERING), (TimeoutError, DELIVERING_EVENTS)]
)
def test_no_event_is_lost_or_doubled(
    guest: Configure, what: type[BaseException], where: set[CodeType]
) -> None:
    """A signal handler may raise any exception. In the functions of DELIVERING the test raises only
    KeyboardInterrupt, because any other exception there would be the error of an operation."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # The handler receives all exceptions except interrupts.
    xen = aioxen.Context()

    async def subscribe() -> tuple[aioxen.Domain, Events[aioxen.Event], Events[aioxen.Event]]:
        dom = await xen.domain_create(guest("p"))
        return dom, xen.events(dom), xen.events(dom, capacity=1)

    async def live(dom: aioxen.Domain, events: Events[aioxen.Event]) -> list[type]:
        await dom.unpause()
        await dom.wait_shutdown()
        await dom.destroy()
        return [type(event) async for event in events]

    def was_interrupted(n: int) -> bool:
        """Raises an exception at the n-th line. Returns whether n lines were run. Each event must be
        delivered once."""
        dom, events, few = loop.run_until_complete(subscribe())
        living = loop.create_task(asyncio.wait_for(live(dom, events), 20))
        interruption = Interruption(n, where, what)
        with interruption.armed():
            while not living.done():
                with contextlib.suppress(KeyboardInterrupt):
                    loop.run_until_complete(living)
        assert living.result() == [aioxen.DomainShutdown, aioxen.DomainDying, aioxen.DomainGone]
        assert list(few._queue.waiting)[1:] == [EventsLost(2)]
        return interruption.left <= 0

    n = 1
    while was_interrupted(n):
        n += 1
    assert xen.counters().evgens == 0
    loop.run_until_complete(xen.aclose())
    loop.close()
    assert n > 10


@pytest.fixture
def alarm() -> Iterator[None]:
    """Makes SIGALRM raise KeyboardInterrupt during the test."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.signal(signal.SIGALRM, before)


def interruptible(reading: Coroutine[Any, Any, None]) -> None:
    """Runs the coroutine until it waits, or until a signal interrupts it after a few microseconds."""
    with contextlib.suppress(KeyboardInterrupt):
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 2e-5))
            reading.send(None)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    reading.close()


async def test_an_interrupted_reader_loses_no_event(xen: aioxen.Context, alarm: None) -> None:
    events = xen.events(types=[aioxen.DomainGone])
    read: list[object] = []

    async def reader() -> None:
        async for event in events:
            read.append(event)

    for _ in range(1000):
        told = [aioxen.DomainGone(domid, UUID(int=0)) for domid in range(20)]
        for event in told:
            events._put(event)
        read.clear()
        while events._queue.waiting:
            interruptible(reader())
        assert read == told
    await events.aclose()


def test_a_receiver_that_raises_an_interrupt_is_called_once_per_event(guest: Configure) -> None:
    loop = asyncio.new_event_loop()
    xen = aioxen.Context()
    received: list[object] = []

    def listen(event: object) -> None:
        received.append(event)
        raise KeyboardInterrupt

    async def create() -> aioxen.Domain:
        return await xen.domain_create(guest(), progress=listen)

    creation = loop.create_task(create())
    while not creation.done():
        with contextlib.suppress(KeyboardInterrupt):
            loop.run_until_complete(creation)
    dom = creation.result()
    loop.run_until_complete(dom.destroy())
    loop.run_until_complete(xen.aclose())
    loop.close()
    assert received
    assert len({id(event) for event in received}) == len(received)
    assert len([e for e in received if isinstance(e, aioxen.DomainCreateConsoleAvailable)]) == 1


@pytest.mark.parametrize("raised", [KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize("what", ["domain_get_name", "domain_list", "host_info", "domain_create"])
def test_an_interrupted_start_leaves_no_live_operation(
    what: str, raised: type[BaseException], guest: Configure
) -> None:
    """A call starts an operation, and an interrupt ends the call. The operation is cancelled, because the
    call does not return it."""
    inputs: dict[str, list[Any]] = {"domain_get_name": [0], "domain_create": [guest()]}
    xen = aioxen.Context()

    async def was_interrupted(n: int) -> bool:
        interruption = Interruption(n, STARTING, raised)
        with interruption.armed(), contextlib.suppress(raised):
            getattr(xen, what)(*inputs.get(what, [])).cancel()
        counters = xen.counters()
        assert len(xen._live_operations()) == counters.operations + counters.events
        while xen._live_operations():
            await asyncio.sleep(0.001)
        return interruption.left <= 0

    async def at_each_line() -> int:
        n = 1
        async with xen:
            while await asyncio.wait_for(was_interrupted(n), 20):
                n += 1
            assert xen.counters().operations == 0
        return n

    assert asyncio.run(at_each_line()) > 5
