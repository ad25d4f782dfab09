# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests in which xenstored does not answer, ends, or is restarted. The event loop must never block."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable, Iterator

import aioxen
import pytest
from worldly import Configure

LIMIT_S = 20


@contextlib.contextmanager
def full_backlog() -> Iterator[None]:
    """Connects to xenstored until xenstored accepts no more connections."""
    with contextlib.ExitStack() as stack:
        while True:
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.setblocking(False)
            if one.connect_ex("/run/xenstored/socket"):
                break
        yield


@contextlib.contextmanager
def turning() -> Iterator[itertools.count[int]]:
    """Counts the iterations of the event loop."""
    turns = itertools.count()

    async def turn() -> None:
        while True:
            next(turns)
            await asyncio.sleep(0.01)

    task = asyncio.get_running_loop().create_task(turn())
    yield turns
    task.cancel()


@pytest.mark.parametrize("full", [False, True])
async def test_opening_does_not_stop_the_loop(full: bool, sim: Callable[..., str]) -> None:
    """xenstored never answers. If its backlog is full, connect(2) would block."""
    sim("xenstored", "stop")
    try:
        with full_backlog() if full else contextlib.nullcontext(), turning() as turns:
            async with aioxen.Context() as xen:
                assert (await xen.domain_list())[0].domid == 0  # This operation needs only the hypervisor.
                with pytest.raises(aioxen.NoXenstoreError):
                    await xen.domain_find("Domain-0")
            assert next(turns) > 10
    finally:
        sim("xenstored", "cont")


async def test_an_operation_waits_for_the_connection(sim: Callable[..., str]) -> None:
    """The operation is started before xenstored answers."""
    sim("xenstored", "stop")
    async with aioxen.Context() as xen:
        finding = xen.domain_find("Domain-0")
        await asyncio.sleep(0.05)
        sim("xenstored", "cont")
        assert (await finding).domid == 0


async def test_a_context_connects_again(sim: Callable[..., str], guest: Configure) -> None:
    """When xenstored ends, the pending operation fails. When xenstored runs again, the reader of events
    gets EventsLost."""
    async with aioxen.Context() as xen, asyncio.timeout(LIMIT_S):
        events = xen.events()
        dom = await xen.domain_create(guest("b"))
        request = xen.domain_shutdown(dom)
        assert await dom.name()  # xenstored answers this operation after it has written the request.
        sim("xenstored", "kill")
        sim("xenconsoled", "kill")
        try:
            with pytest.raises(aioxen.NoXenstoreError, match="lost"):
                await request
            with pytest.raises(aioxen.NoXenstoreError):
                await dom.destroy()
            assert len(await xen.domain_list()) == 1
        finally:
            sim("xenstored", "start")
        async for event in events:
            if event == aioxen.EventsLost(0):
                break
        again = await xen.domain_create(guest("b"))
        await again.destroy()
        gone = aioxen.DomainGone(again.domid, again.uuid)
        told = [await anext(events)]
        while told[-1] != gone:
            told.append(await anext(events))
        # The list may show the domain before its end, and while it is being destroyed.
        assert {type(event) for event in told[:-1]} <= {aioxen.DomainAppeared, aioxen.DomainDying}


async def test_closing_does_not_stop_the_loop(sim: Callable[..., str], guest: Configure) -> None:
    """A destruction continues in the background while the context is closed."""
    xen = aioxen.Context()
    dom = await xen.domain_create(guest("b"))
    sim("xenstored", "stop")
    try:
        with pytest.raises(TimeoutError):
            await dom.destroy(timeout=0.1)
        with turning() as turns:
            await xen.aclose()
            count = next(turns)
    finally:
        # A new xenstored has no nodes. So the nodes of the destroyed domain are gone.
        sim("xenstored", "kill")
        sim("xenconsoled", "kill")
        sim("xenstored", "start")
    assert count > 10
    async with aioxen.Context() as other, asyncio.timeout(LIMIT_S):
        await other.domain_wait_gone(dom)
