# SPDX-License-Identifier: LGPL-2.1-or-later
"""Subscriptions. The tests concern the order of events, past events, the queue's capacity, and the end of
the iteration."""

from __future__ import annotations

import asyncio
import copy
import gc
from typing import Any
from uuid import UUID

import aioxen
import pytest
from aioxen import DomainAppeared, DomainDying, DomainGone, DomainShutdown, ShutdownReason
from aioxen._native import lib
from aioxen._queue import EventsLost, Queue
from worldly import Configure


async def test_the_life_of_one_domain(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("r"))
    events = xen.events(dom)
    await dom.unpause()
    await dom.wait_shutdown()
    await dom.destroy()
    assert [event async for event in events] == [  # The iteration begins after the last event.
        DomainShutdown(dom.domid, dom.uuid, ShutdownReason.REBOOT),
        DomainDying(dom.domid, dom.uuid),
        DomainGone(dom.domid, dom.uuid),
    ]
    assert xen.counters().evgens == 0


async def test_all_domains(xen: aioxen.Context, guest: Configure) -> None:
    events = xen.events()
    first, second = await asyncio.gather(
        xen.domain_create(guest("p", name="first")), xen.domain_create(guest("c", name="second"))
    )
    await first.unpause()
    await second.unpause()
    await asyncio.gather(first.wait_shutdown(), second.wait_shutdown())
    await asyncio.gather(first.destroy(), second.destroy())
    seen: dict[UUID, list[object]] = {first.uuid: [], second.uuid: []}
    async with events:
        while DomainGone(first.domid, first.uuid) not in seen[first.uuid] or len(seen[second.uuid]) < 4:
            event = await asyncio.wait_for(anext(events), 30)
            assert not isinstance(event, EventsLost)
            if event.uuid in seen:
                seen[event.uuid].append(event)
    for dom, reason in (first, ShutdownReason.POWEROFF), (second, ShutdownReason.CRASH):
        assert seen[dom.uuid] == [
            DomainAppeared(dom.domid, dom.uuid),
            DomainShutdown(dom.domid, dom.uuid, reason),
            DomainDying(dom.domid, dom.uuid),
            DomainGone(dom.domid, dom.uuid),
        ]


async def test_only_the_types_that_are_wanted(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    dying = xen.events(dom, types=[DomainDying])
    await dom.destroy()
    assert [type(event) async for event in dying] == [DomainDying]


async def test_past_events_are_delivered(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest("p"))
    await dom.unpause()
    await dom.wait_shutdown()
    async with xen.events(dom) as events:
        assert await anext(events) == DomainShutdown(dom.domid, dom.uuid, ShutdownReason.POWEROFF)
    await dom.destroy()


async def test_no_such_domain(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.DomainNotFoundError):
        xen.events(32000)
    with pytest.raises(ValueError, match="capacity"):
        xen.events(capacity=0)
    assert xen.counters().evgens == 0


async def test_closing_wakes_the_reader(xen: aioxen.Context) -> None:
    events = xen.events()

    async def read() -> list[object]:
        return [event async for event in events]

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task"):
        await anext(events)
    await events.aclose()
    await events.aclose()
    assert await reader == []


async def test_a_cancelled_reader_loses_nothing(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    events = xen.events(dom)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(events), 0.01)
    await dom.destroy()
    assert [type(event) async for event in events] == [DomainDying, DomainGone]


async def test_closing_the_context_ends_the_iteration(hypervisor: None) -> None:
    async with aioxen.Context() as xen:
        events = xen.events()
    assert [event async for event in events] == []


async def test_a_dropped_iterator_ends_the_subscription(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    await dom.destroy()
    dom = await xen.domain_create(guest())
    events = xen.events(dom)
    destroying = dom.destroy()
    async for _ in events:
        break
    del events
    await destroying
    gc.collect()
    assert xen.counters().evgens == 0


async def test_many_subscriptions(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    every = [xen.events(dom) for _ in range(50)]
    await dom.destroy()
    for events in every:
        assert [type(event) async for event in events] == [DomainDying, DomainGone]


# The queue of a subscription


def event(n: int) -> DomainGone:
    return DomainGone(n, UUID(int=n))


def test_dropped_events_are_counted() -> None:
    queue = Queue(2, None)
    for n in range(5):
        queue.put(event(n))
    assert [queue.get() for _ in range(4)] == [event(0), event(1), EventsLost(3), None]
    queue.put(event(5))
    assert [queue.get(), queue.get()] == [event(5), None]


def test_events_lost_takes_the_place_of_the_dropped_events() -> None:
    queue = Queue(2, None)
    for n in range(3):
        queue.put(event(n))
    assert queue.get() == event(0)
    queue.put(event(3))  # The queue is still full, because the EventsLost takes one place.
    assert queue.get() == event(1)
    queue.put(event(4))
    for n in range(5, 7):
        queue.put(event(n))
    assert [queue.get() for _ in range(4)] == [EventsLost(2), event(4), EventsLost(2), None]


@pytest.mark.parametrize("domid", [True, "0", 1.0, -1, 2**32, lib.LIBXL_DOMID_ALL])
async def test_an_invalid_domid_is_refused(xen: aioxen.Context, domid: int) -> None:
    """events() refuses the same values that operations refuse."""
    with pytest.raises((TypeError, ValueError, OverflowError), match="domid: "):
        xen.events(domid)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"types": DomainGone}, "types: "),
        ({"types": 5}, "types: "),
        ({"types": [DomainGone, "DomainDying"]}, r"types\[1\]: .*'DomainDying'"),
        ({"types": [int]}, r"types\[0\]: "),
        ({"capacity": "many"}, "capacity: .*'many'"),
        ({"capacity": 1.5}, "capacity: "),
        ({"capacity": True}, "capacity: "),
    ],
)
async def test_arguments_are_refused_at_the_call(
    xen: aioxen.Context, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeError, match=f"^{words}"):
        xen.events(**wrong)
    assert xen.counters().evgens == 0


async def test_a_subscription_is_not_copied(xen: aioxen.Context, guest: Configure) -> None:
    """Copying raises TypeError. Otherwise the deletion of the copy would end the subscription."""
    dom = await xen.domain_create(guest())
    events = xen.events(dom)
    with pytest.raises(TypeError, match="copied"):
        copy.copy(events)
    await dom.destroy()
    assert DomainGone(dom.domid, dom.uuid) in [event async for event in events]


async def test_overflow(xen: aioxen.Context, guest: Configure) -> None:
    events = xen.events(capacity=1)
    dom = await xen.domain_create(guest())
    await dom.destroy()
    while xen.counters().events:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    await events.aclose()
    assert [type(each) async for each in events] == [DomainAppeared, EventsLost]
