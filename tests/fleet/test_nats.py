# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations on several hosts through NATS, while the broker and the agents are killed."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import fleet
from fleetly import (
    Broker,
    accepted,
    connect,
    entered,
    guest,
    heard,
    held_guest,
    names,
    short_patience,
    worlds,
)

HOSTS = ["h1", "h2", "h3"]


async def lives(f: fleet.Fleet, host: str, name: str) -> None:
    """Creates a guest, lets it stop, and destroys it."""
    dom = await f[host].domain_create(guest("l", name), timeout=60)
    await dom.unpause()
    assert await dom.shutdown(timeout=60) is aioxen.ShutdownReason.POWEROFF
    await dom.destroy(timeout=60)


async def delayed(f: fleet.Fleet, host: str, name: str) -> None:
    """Creates a guest that powers off by itself after a second, waits for that, and destroys it."""
    dom = await f[host].domain_create(guest("d10", name), timeout=60)
    await dom.unpause()
    assert await dom.wait_shutdown(timeout=60) is aioxen.ShutdownReason.POWEROFF
    await dom.destroy(timeout=60)


async def collect(events: fleet.FleetEvents, found: list[fleet.FleetEvent], gone: int) -> None:
    """Reads events until this number of domains are gone."""
    async for event in events:
        found.append(event)
        gone -= isinstance(event.event, aioxen.DomainGone)
        if not gone:
            return


async def test_guests_live_on_three_hosts_and_their_events_arrive(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, HOSTS, broker.url):
        async with connect(broker.url) as f:
            await f.wait_for(*HOSTS)
            events = await f.subscribe()
            found: list[fleet.FleetEvent] = []
            reader = asyncio.create_task(collect(events, found, 9))
            await asyncio.gather(*(lives(f, host, f"g{i}") for host in HOSTS for i in range(3)))
            await reader
            assert Counter(e.host for e in found if isinstance(e.event, aioxen.DomainGone)) == dict.fromkeys(
                HOSTS, 3
            )
            assert not any(isinstance(e.event, aioxen.EventsLost) for e in found)
            # A later reader gets the same events from the broker's stream, also from the middle.
            again: list[fleet.FleetEvent] = []
            await collect(await f.subscribe("all"), again, 9)
            assert [e for e in again if e in found] == found
            half = await f.subscribe("all")
            first = [await anext(half) for _ in range(len(again) // 2)]
            rest: list[fleet.FleetEvent] = []
            gone = 9 - sum(isinstance(e.event, aioxen.DomainGone) for e in first)
            await collect(await f.subscribe(half.position), rest, gone)
            assert first + rest == again


async def test_one_call_for_many_hosts_and_domains(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, HOSTS, broker.url):
        async with connect(broker.url) as f:
            await f.wait_for(*HOSTS)
            made = await f.map(_create, "h1,h2")
            assert {name for name, outcome in made.items() if outcome.error is None} == {"h1", "h2"}
            outcomes = await f.map("domain_list", "h*,h9")
            assert {name: len(o.value) for name, o in outcomes.items() if not o.error} == {
                "h1": 2, "h2": 2, "h3": 1
            }  # fmt: skip
            assert isinstance(outcomes["h9"].error, fleet.HostNotFoundError)
            assert set(await f.map("unpause", "*/on-*")) == {"h1/on-h1", "h2/on-h2"}
            assert await f.map("destroy", "*/*") == dict.fromkeys(("h1/on-h1", "h2/on-h2"), (None, None))
            assert f.hosts["h1"].state == "up"


async def test_a_cancelled_task_stops_the_operation_there(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, ["h1"], broker.url) as world:
        async with connect(broker.url) as f:
            await f.wait_for("h1")
            config, started = held_guest(tmp_path)
            creation = f["h1"].domain_create(config)
            task = asyncio.create_task(_wait(creation))
            await entered(started, creation)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await names(f["h1"]) == []
            dom = await f["h1"].domain_create(guest())
            wait = dom.wait_gone()
            waiting = asyncio.create_task(_wait(wait))
            await accepted(wait)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            last = world["h1"].audited()[-1]
            assert (last["call"], last["outcome"]) == ("domain_wait_gone", "cancelled")
            with pytest.raises(aioxen.TimedOutError):
                await dom.wait_gone(timeout=0.1)
            async with f["h1"].domain_create(guest(name="other")) as other:
                assert await other.name() == "other"
            assert await names(f["h1"]) == ["guest"]


def _create(host: fleet.Host) -> fleet.RemoteOperation[fleet.Domain]:
    return host.domain_create(guest(name=f"on-{host.name}"))


async def _error(operation: Any) -> BaseException:
    with pytest.raises(fleet.FleetError) as error:
        await operation
    return error.value


async def _wait(operation: Any) -> Any:
    return await operation


async def test_the_broker_is_killed_and_nothing_is_lost_or_done_twice(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, HOSTS, broker.url) as world:
        async with connect(broker.url) as f:
            await f.wait_for(*HOSTS)
            found: list[fleet.FleetEvent] = []
            reader = asyncio.create_task(collect(await f.subscribe(), found, 12))
            tasks = [asyncio.create_task(delayed(f, host, f"g{i}")) for host in HOSTS for i in range(4)]
            for _ in range(2):
                await asyncio.sleep(0.15)
                broker.kill()
                await asyncio.sleep(0.1)
                await asyncio.to_thread(broker.start)
            await asyncio.gather(*tasks)
            await reader
            assert not [e for e in found if isinstance(e.event, aioxen.EventsLost)]
            for host in HOSTS:
                done = [(a["call"], a["uuid"]) for a in world[host].audited() if a["outcome"] == "done"]
                once = Counter(one for one in done if one[0] in ("domain_create", "domain_destroy"))
                assert len(once) == 8
                assert set(once.values()) == {1}
                assert await names(f[host]) == []


async def test_a_killed_agent_tells_what_became_of_its_calls(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, ["h1"], broker.url) as world:
        async with connect(broker.url) as f:
            await f.wait_for("h1")
            dom = await f["h1"].domain_create(guest("b"))
            begun = asyncio.Event()
            creation = f["h1"].domain_create(guest("b", "other"), progress=lambda _: begun.set())
            wait = f["h1"].domain_wait_gone(dom)
            await begun.wait()
            epoch = f.hosts["h1"].epoch
            world["h1"].kill_agent()
            world["h1"].start_agent()
            # Either the creation has succeeded and the domain is complete, or nothing is left of the domain.
            try:
                made = await creation
                assert await made.name() == "other"
                await made.destroy()
            except fleet.NotDoneError:
                assert await names(f["h1"]) == ["guest"]
            assert await f["h1"].unfinished() == []
            # The call is in progress in the new agent, too.
            await heard(f, "h1", lambda host: host.epoch != epoch and host.calls > 0)
            await dom.destroy()
            await wait


async def test_the_outcome_is_unknown_until_the_host_is_back(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, ["h1"], broker.url) as world:
        async with connect(broker.url) as f:
            await f.wait_for("h1")
            dom = await f["h1"].domain_create(guest("b"))
            world["h1"].send(signal.SIGSTOP)
            with short_patience(f):
                with pytest.raises(fleet.UnknownOutcomeError) as lost:
                    await dom.destroy()
                assert f.hosts["h1"].state == "lost"
            with pytest.raises(TimeoutError):
                await lost.value.resolve(timeout=0.3)
            world["h1"].send(signal.SIGCONT)
            assert await lost.value.resolve() is None
            assert await names(f["h1"]) == []
            world["h1"].kill_agent()
            with short_patience(f):
                while not isinstance(await _error(f["h1"].domain_list()), fleet.HostNotFoundError):
                    pass  # The broker has not noticed yet that the agent has ended.


async def test_an_agent_that_ends_stops_its_calls(tmp_path: Path, broker: Broker) -> None:
    with worlds(tmp_path, ["h1"], broker.url) as world:
        async with connect(broker.url) as f:
            await f.wait_for("h1")
            dom = await f["h1"].domain_create(guest())
            wait = dom.wait_gone()
            await accepted(wait)
            world["h1"].send(signal.SIGTERM)
            with pytest.raises(aioxen.ClosedError):
                await wait
            while f.hosts["h1"].state != "stopped":
                await asyncio.sleep(0.01)
