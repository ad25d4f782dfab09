# SPDX-License-Identifier: LGPL-2.1-or-later
"""Messages of hostile hosts and hostile clients."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nats
import pytest
from aioxen import fleet
from aioxen._fleet_operations import OPERATIONS
from aioxen.errors import InvalidError
from aioxen.fleet import journal as journals
from aioxen.fleet import wire
from aioxen.fleet.agent import Agent
from aioxen.fleet.audit import Audit
from aioxen.fleet.frames import Frame, frame
from aioxen.fleet.journal import Journal
from aioxen.fleet.operation import RemoteOperation
from aioxen.fleet.outgoing import Outgoing
from aioxen.fleet.policy import Policy, Rule
from fleetly import Broker, connect


def beat(host: str) -> bytes:
    numbers = {"number": 0, "calls": 0, "link": 0, "domains": 1}
    texts = {"host": host, "state": "up", "version": "0", "epoch": "1", "passage": ""}
    return wire.dumps(numbers | texts)


def event(host: str) -> bytes:
    head = {"host": host, "epoch": "1", "number": 1, "time": 0}
    return wire.dumps({**head, "kind": "lost", "event": {"count": 7}})


async def test_a_host_cannot_speak_in_the_name_of_another(broker: Broker) -> None:
    sender = await nats.connect(broker.url)
    async with connect(broker.url) as f:
        events, audit = await f.subscribe(), f.audit()
        # The subscription to the audit log begins at some time after this, so the messages are repeated.
        first = anext(audit)

        async def send() -> None:
            for host in ("h1", "h2"):  # h2 names h1 first, and then itself.
                await sender.publish("xen.hb.h2", beat(host))
                await sender.publish("xen.ev.h2.lost", event(host))
                await sender.publish("xen.au.h2", wire.dumps({"host": host}))
            await sender.flush()

        reading = asyncio.ensure_future(first)
        while not reading.done():
            await send()
            await f._link.nc.flush()  # type: ignore[attr-defined]
        assert json.loads(reading.result()) == {"host": "h2"}
        await f.wait_for("h2")
        assert list(f.hosts) == ["h2"]
        assert (await anext(events)).host == "h2"
        await audit.aclose()  # type: ignore[attr-defined]
    await sender.close()


async def test_only_one_agent_has_a_host_s_name(tmp_path: Path) -> None:
    """The first agent that says the name has it, as long as the program runs."""
    connected: list[asyncio.StreamWriter] = []

    async def say_h1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        writer.write(frame(Frame.BEAT, beat("h1")))
        await reader.read()
        writer.close()

    paths = [tmp_path / "honest", tmp_path / "liar"]
    servers = [await asyncio.start_unix_server(say_h1, path) for path in paths]
    async with connect(f"unix://{paths[0]},{paths[1]}") as f:
        await f.wait_for("h1")
        async with asyncio.timeout(60):
            while len(connected) < 3:  # The refused connection is made again.
                await asyncio.sleep(0.01)
        link: Any = f._link
        assert sorted(agent.host for agent in link.agents) == ["", "h1"]
    for server in servers:
        server.close()


async def test_replies_that_wait_have_a_greatest_size() -> None:
    sent: list[bytes] = []
    may_send = asyncio.Event()

    async def send(item: bytes) -> None:
        await may_send.wait()
        sent.append(item)

    outgoing: Outgoing[bytes] = Outgoing(send, 100, 1000, len)
    for size in (2000, 1, 400):  # The first item may be larger, because no other item waits.
        outgoing.put(b"x" * size)
    assert outgoing.dropped == 2
    may_send.set()
    while not outgoing.idle:
        await asyncio.sleep(0)
    may_send.clear()
    for size in (400, 600, 1):
        outgoing.put(b"y" * size)
    assert outgoing.dropped == 3
    may_send.set()
    await outgoing.aclose()
    assert [len(item) for item in sent] == [2000, 400, 600]


class Replies(list[dict[str, Any]]):
    """The replies of an agent."""

    def take(self, message: bytes) -> None:
        self.append(json.loads(message))


def agent_without_xen() -> Agent:
    """Returns an agent that must not start an operation, because it has no context."""
    rule = Rule({"callers": ["*"], "operations": ["@admin"]}, "rule")
    none: Any = None
    return Agent(none, "h1", Policy([rule]), Journal(), Audit("h1"))


def request(**changed: Any) -> dict[str, Any]:
    now = time.time()
    given = {"v": 1, "id": "i" * 22, "caller": "eve", "host": "h1", "call": "domain_list", "issued": now}
    return given | {"timeout": None, "progress": False, "inputs": {}} | changed


HUGE = 10**400
WRONG: dict[str, dict[str, Any]] = {
    "a time that no float holds": request(issued=HUGE),
    "a negative time that no float holds": request(issued=-HUGE),
    "a time limit that no float holds": request(timeout=HUGE),
    "an infinite time": request(issued=float("inf")),
    "no number": request(timeout=float("nan")),
    "a boolean for a time": request(issued=True),
    "a list for inputs": request(inputs=[]),
    "a list for an id": request(id=["i" * 22]),
    "another version": request(v=HUGE),
    "a member that nobody knows": request(more=1),
    "an input that nobody knows": request(inputs={"more": 1}),
    "a list for a call": request(call=["domain_list"]),
    "the outcome of no id": request(call=wire.OUTCOME, inputs={"of": HUGE}),
    "deep inputs": request(inputs=json.loads("[" * 70 + "]" * 70)),
    "large inputs": request(inputs={"more": "x" * wire.MOST_REQUEST}),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_malformed_request_is_refused_and_written_down(wrong: dict[str, Any]) -> None:
    agent, replies = agent_without_xen(), Replies()
    lines: list[dict[str, Any]] = []
    agent.audit.listeners.append(lambda line: lines.append(json.loads(line)))
    agent.accept(json.dumps(wrong).encode(), {}, replies.take, None)
    assert [line["outcome"] for line in lines] == ["refused: malformed"]
    assert all(reply["reason"] == "malformed" for reply in replies)
    assert not agent.calls


VALUES: tuple[Any, ...] = (
    None, True, -1, HUGE, -HUGE, 1e308, "", "x" * 5000, "\ud800", [], {}, [[]], [None], {"": {}},
    {"domid": HUGE, "uuid": "x"}, {"domid": -1, "uuid": None}, {"uuid": []},
)  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_wrong_inputs_are_read_or_refused(name: str) -> None:
    """No input of the wrong type makes the reader of an operation's inputs fail in another way."""
    names = [""]
    try:
        OPERATIONS[name].decode_inputs({})
    except InvalidError as error:
        names.append(str(error).partition(":")[0])
    names += ["domid", "d_config", "name", "path", "disk", "nic", "passage", "options", "flags", "config"]
    refused = 0
    for member in names:
        for value in VALUES:
            try:
                OPERATIONS[name].decode_inputs({member: value})
            except InvalidError:
                refused += 1
    assert refused >= len(VALUES)


async def test_invented_requests_of_one_caller_do_not_fill_the_journal() -> None:
    agent, replies = agent_without_xen(), Replies()

    def ask(caller: str, number: int, call: str) -> str:
        given = request(caller=caller, id=f"ask-{caller}-{call}-{number:09}", call=call)
        given["inputs"] = {"of": f"invented-{caller}-{number:09}"}
        agent.accept(wire.dumps(given), {}, replies.take, None)
        return str(replies[-1].get("reason", replies[-1]["state"]))

    found = [
        ask("eve", number, wire.CANCEL if number % 2 else wire.OUTCOME)
        for number in range(journals.MOST_UNSEEN + 2)
    ]
    assert found[:2] == ["never", "cancelled"]
    assert found[-3:] == ["cancelled", "overloaded", "overloaded"]
    assert ask("anna", 0, wire.OUTCOME) == "never"
    assert not agent.journal.full
    # A request that is remembered is still answered.
    assert ask("eve", 0, wire.OUTCOME) == "never"


@pytest.mark.parametrize("asks", ["_observes", "_stopping"])
async def test_a_host_that_is_too_busy_to_tell_an_outcome_is_asked_again(asks: str) -> None:
    """OverloadedError says that nothing was done, but the request may still arrive."""
    host: Any = SimpleNamespace(name="h1", _fleet=SimpleNamespace(_forget=lambda operation: None))
    operation: RemoteOperation[Any] = RemoteOperation(host, "domain_pause", "1", {}, None, None)
    setattr(operation, asks, True)
    operation._take({"state": "refused", "reason": "overloaded", "message": "busy"})
    assert not operation.done()
    operation._take({"state": "refused", "reason": "never", "message": "the request has not come"})
    with pytest.raises(fleet.NotDoneError):
        await operation
