# SPDX-License-Identifier: LGPL-2.1-or-later
"""Losses and delays of messages: a slow reader, events that are lost on the way, and a host that is cut off
from the broker. The program must notice each loss."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import fleet
from aioxen.fleet.events import FleetEvents
from aioxen.fleet.link import Events
from fleetly import Broker, Partition, connect, guest, names, short_patience, worlds


class Source(Events):
    """A subscription. The test decides whether caught_up() succeeds, that is, whether all events so far have
    come."""

    def __init__(self) -> None:
        self.complete = True

    async def caught_up(self) -> None:
        if not self.complete:
            raise ConnectionError("the connection is lost")

    async def aclose(self) -> None:
        pass


def event(number: int, epoch: str = "1") -> bytes:
    head = {"host": "h1", "epoch": epoch, "number": number, "time": 0}
    return json.dumps(head | {"kind": "lost", "event": {"count": 7}}).encode()


async def waiting(events: FleetEvents) -> list[tuple[str, int, int]]:
    """Reads all events that can be read now. Returns the epoch, the number and the count of each loss."""
    found: list[tuple[str, int, int]] = []

    async def read() -> None:
        async for one in events:
            assert isinstance(one.event, aioxen.EventsLost)
            found.append((one.epoch, one.number, one.event.count))

    reader = asyncio.create_task(read())
    for _ in range(100):  # Nothing waits for events from outside the loop, so 100 turns suffice.
        await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    return found


async def test_a_heartbeat_tells_that_the_last_events_were_lost() -> None:
    source, events = Source(), FleetEvents(10, [])
    events._open(source)
    events._put("h1", "1", event(1))
    events._on_beat("h1", "1", 1)
    assert await waiting(events) == [("1", 1, 7)]
    source.complete = False
    events._on_beat("h1", "1", 3)
    assert await waiting(events) == []
    events._put("h1", "2", event(2))
    source.complete = True
    events._on_beat("h1", "1", 3)
    assert await waiting(events) == [("1", 2, 7), ("1", 3, 1)]
    assert events.position == "2"
    events._put("h1", "3", event(3))  # This event was reported as lost.
    events._put("h1", "4", event(4))
    events._on_beat("h1", "1", 2)
    assert await waiting(events) == [("1", 4, 7)]
    events._on_beat("h1", "2", 0)
    assert await waiting(events) == [("2", 0, 0)]
    events._put("h1", "5", event(1, "2"))
    events._put("h1", "6", event(5, "1"))
    assert await waiting(events) == [("2", 1, 7)]
    await events.aclose()


async def up_to(events: FleetEvents, number: int) -> list[fleet.FleetEvent]:
    """Reads events up to the event with this number."""
    found: list[fleet.FleetEvent] = []
    while not found or found[-1].number < number:
        found.append(await anext(events))
    return found


async def until_gone(events: FleetEvents, host: str) -> list[fleet.FleetEvent]:
    found: list[fleet.FleetEvent] = []
    async for one in events:
        found.append(one)
        if one.host == host and isinstance(one.event, aioxen.DomainGone):
            break
    return found


def losses(found: list[fleet.FleetEvent]) -> list[int]:
    return [one.event.count for one in found if isinstance(one.event, aioxen.EventsLost)]


@pytest.mark.parametrize("brokered", [True, False], ids=["broker", "socket"])
async def test_a_slow_reader_is_told_how_much_it_has_missed(
    tmp_path: Path, broker: Broker, brokered: bool
) -> None:
    url = broker.url if brokered else f"unix://{tmp_path}/{{host}}.sock"
    with worlds(tmp_path, ["h1"], url):
        async with connect(url.format(host="h1")) as f:
            await f.wait_for("h1")
            slow, fast = await f.subscribe(capacity=2), await f.subscribe()
            dom = await f["h1"].domain_create(guest())
            await dom.destroy()
            complete = await until_gone(fast, "h1")
            assert losses(complete) == []
            assert slow._source is not None
            await slow._source.caught_up()  # The events may come later on this subscription.
            first, last = complete[0].number, complete[-1].number
            found = await up_to(slow, last)
            assert found[:2] == complete[:2]
            # A heartbeat in between may show a part of the loss.
            assert all(isinstance(one.event, aioxen.EventsLost) for one in found[2:])
            assert sum(losses(found)) == found[-1].number - first - 1
            # After the loss, the subscription gets the next events.
            await (await f["h1"].domain_create(guest())).destroy()
            assert losses([await anext(slow), await anext(slow)]) == []


async def unknown(operation: Any) -> fleet.UnknownOutcomeError:
    with pytest.raises(fleet.UnknownOutcomeError) as lost:
        await operation
    return lost.value


@pytest.mark.parametrize("reset", [False, True], ids=["late", "reset"])
async def test_a_host_that_is_cut_off_comes_back(tmp_path: Path, broker: Broker, reset: bool) -> None:
    async with Partition(broker) as cut:
        with worlds(tmp_path, ["h1"], cut.url) as world, worlds(tmp_path, ["h2"], broker.url):
            async with connect(broker.url) as f:
                await f.wait_for("h1", "h2")
                events = await f.subscribe()
                dom, other = [await f[host].domain_create(guest()) for host in ("h1", "h2")]
                cut.begin()
                with short_patience(f):
                    destruction, creation = await asyncio.gather(
                        unknown(dom.destroy()), unknown(f["h1"].domain_create(guest(name="second")))
                    )
                    assert f.hosts["h1"].state == "lost"
                await other.destroy()
                assert losses(await until_gone(events, "h2")) == []
                cut.end(reset)
                # Each call has either arrived late, or the host has not done it and will not do it.
                try:
                    assert await destruction.resolve() is None
                except fleet.NotDoneError:
                    assert reset
                    await dom.destroy()
                try:
                    second = await creation.resolve()
                    assert await names(f["h1"]) == ["second"]
                    await second.destroy()
                except fleet.NotDoneError:
                    assert reset
                assert await names(f["h1"]) == []
                assert losses(await until_gone(events, "h1")) == []
                done = [(a["call"], a.get("uuid")) for a in world["h1"].audited() if a["outcome"] == "done"]
                changes = [one for one in done if one[0] in ("domain_create", "domain_destroy")]
                assert len(changes) == len(set(changes))
                assert ("domain_destroy", str(dom.uuid)) in changes
