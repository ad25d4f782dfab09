# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest moves from one host of a fleet to another while a process is killed. Afterwards the guest runs on
one host, the program knows this host, and nothing else is left."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aioxen
import pytest
from aioxen import fleet
from aioxen._remote import Passage
from aioxen.fleet.roster import Roster
from fleetly import KERNEL, Broker, World, connect, free_port, names

HOSTS = ("h1", "h2")


@contextmanager
def movers(folder: Path, url: str, *more: str) -> Iterator[dict[str, World]]:
    """Yields two simulated machines by their hosts' names. A guest can move between them: each has an agent
    that listens for the other agent (--passage)."""
    made: dict[str, World] = {}
    try:
        for host in HOSTS:
            arguments = ["--url", url, "--passage", f"tcp://127.0.0.1:{free_port()}"]
            arguments += [one.format(host=host) for one in more]
            made[host] = World(folder, host, arguments)
            if (policy := folder / "fleet/hosts" / host / "policy.toml").exists():
                shutil.copy(policy, made[host].policy)
            made[host].start_agent()
        yield made
    finally:
        for world in made.values():
            world.end()


async def start_guest(f: fleet.Fleet) -> fleet.Domain:
    """Returns a guest that runs on the first host."""
    await f.wait_for(*HOSTS)
    config = aioxen.pvh("traveller", KERNEL, memory="24M", cmdline="l")
    dom = await f["h1"].domain_create(config)
    await dom.unpause()
    return dom


async def runs(dom: fleet.Domain) -> bool:
    info = await dom.info()
    return not (info.paused or info.shutdown or info.dying)


async def places_of(f: fleet.Fleet, uuid: UUID) -> list[tuple[str, str]]:
    """Returns each host that has the guest's domain, with the domain's name on this host. Asserts that the
    guest runs on these hosts, and that no host has an unfinished domain."""
    found = []
    for host in HOSTS:
        assert await f[host].unfinished() == []
        for dom in await f[host].domains():
            if dom.uuid == uuid:
                assert await runs(dom)
                found.append((host, await dom.name()))
    return found


async def test_a_guest_moves_there_and_back(tmp_path: Path, broker: Broker) -> None:
    with movers(tmp_path, broker.url) as world:
        async with connect(broker.url) as f:
            dom = await start_guest(f)
            steps: list[aioxen.Event] = []
            there = await f.migrate(dom, "h2", progress=steps.append)
            assert await places_of(f, dom.uuid) == [("h2", "traveller")]
            assert (there.host, there.uuid) == (f["h2"], dom.uuid)
            phases = {step.phase for step in steps if isinstance(step, aioxen.OperationProgress)}
            assert {"greet", "send", "go", "finish"} <= phases
            with pytest.raises(ValueError, match="already"):
                await f.migrate(there, "h2")
            with pytest.raises(fleet.FleetError, match="--passage"):
                await f.migrate(there, "h9")
            done = [line["call"] for line in world["h2"].audited() if line.get("uuid") == str(dom.uuid)]
            assert "domain_receive_stream" in done
        words = ["-m", "aioxen", "--fleet", broker.url, "migrate", "h2/traveller", "h1"]
        command = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
        output, _ = await command.communicate()
        assert b"h2/traveller: moved to h1 as domain 2" in output
        async with connect(broker.url) as f:
            await f.wait_for(*HOSTS)
            assert await places_of(f, dom.uuid) == [("h1", "traveller")]


async def moved(f: fleet.Fleet, moving: asyncio.Task[fleet.Domain]) -> str:
    """Returns the host on which the guest runs according to the migration's outcome."""
    try:
        return (await moving).host.name
    except fleet.UnknownOutcomeError as error:
        try:
            there: fleet.Domain = await error.resolve()
            return there.host.name
        except aioxen.Error:
            return "h1"
    except (aioxen.Error, asyncio.CancelledError):
        return "h1"


async def until_phase(f: fleet.Fleet, dom: fleet.Domain, phase: str) -> asyncio.Task[fleet.Domain]:
    """Begins a migration, and waits until the migration has entered the phase `phase`."""
    entered = asyncio.Event()

    def report(event: Any) -> None:
        if isinstance(event, aioxen.OperationProgress) and event.phase == phase:
            entered.set()

    policy = aioxen.SavePolicy(bandwidth_kib=40960)
    moving = asyncio.create_task(f.migrate(dom, "h2", progress=report, policy=policy))
    moving.add_done_callback(lambda _: entered.set())
    await entered.wait()
    return moving


@pytest.mark.parametrize("killed", [*HOSTS, "broker", "task"])
@pytest.mark.parametrize("phase", ["send", "go"])
async def test_the_guest_runs_on_one_host_whatever_is_killed(
    tmp_path: Path, broker: Broker, killed: str, phase: str
) -> None:
    with movers(tmp_path, broker.url) as world:
        async with connect(broker.url) as f:
            dom = await start_guest(f)
            moving = await until_phase(f, dom, phase)
            if killed == "broker":
                broker.kill()
                await asyncio.to_thread(broker.start)
            elif killed == "task":
                moving.cancel()
            else:
                world[killed].kill_agent()
                world[killed].start_agent()
            told = await moved(f, moving)
            if killed == "task":  # The outcome of a cancelled task does not show on which host the guest is.
                ((told, _),) = await places_of(f, dom.uuid)
            assert await places_of(f, dom.uuid) == [(told, "traveller")]
            if killed == "broker":
                assert told == "h2"
            dom = await f[told].domain("traveller")
            assert await dom.shutdown() is aioxen.ShutdownReason.POWEROFF  # The guest still runs.
            await dom.destroy()
            assert [await names(f[host]) for host in HOSTS] == [[], []]


async def test_only_the_hosts_that_are_named_are_connected(tmp_path: Path) -> None:
    roster = Roster(tmp_path / "fleet")
    roster.add(HOSTS, {"anna": "admin", "otto": "operator"}, ("127.0.0.1",))
    roster.write(str(tmp_path / "store"))
    broker = Broker(tmp_path, tmp_path / "fleet/broker/nats.conf")
    broker.start()
    clients = tmp_path / "fleet/clients"
    try:
        with movers(tmp_path, broker.url, "--identity", f"{tmp_path}/fleet/hosts/{{host}}"):
            async with connect(broker.url, identity=clients / "anna") as f:
                dom = await start_guest(f)
                # In each case one side expects a wrong host: the host that the sender expects, and the host
                # that the receiver expects.
                for peers in (("h1", "h1"), ("h2", "h2")):
                    with pytest.raises(aioxen.FailedError, match="no connection"):
                        await connection(f, dom, *peers)
                assert await places_of(f, dom.uuid) == [("h1", "traveller")]
                async with connect(broker.url, identity=clients / "otto") as other:
                    await other.wait_for(*HOSTS)
                    with pytest.raises(fleet.NotAllowedError):
                        await other.migrate(await other["h1"].domain("traveller"), "h2")
                there = await f.migrate(dom, "h2")
                assert await places_of(f, dom.uuid) == [("h2", "traveller")]
                await there.destroy()
    finally:
        broker.kill()


async def connection(f: fleet.Fleet, dom: fleet.Domain, sees: str, awaits: str) -> None:
    """Makes the sender on h1 connect to the receiver on h2. sees: the host whose certificate the sender
    expects. awaits: the host whose certificate the receiver expects."""
    ticket = "t" * 20
    end = Passage(ticket, awaits, "", dom.uuid)
    receiving = f["h2"]._call("domain_receive_stream", None, None, paused=0, passage=end)
    await receiving.accepted()
    end = Passage(ticket, sees, f.hosts["h2"].passage, dom.uuid)
    try:
        await f["h1"]._call("domain_migrate_stream", None, None, domid=dom, policy=None, flags=2, passage=end)
    finally:
        receiving.cancel()
        await receiving.ended()
