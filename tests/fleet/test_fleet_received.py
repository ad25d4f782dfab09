# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table [received] of an agent's policy says what the configurations of received guests may name."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aioxen
import pytest
from aioxen.fleet.agent import RECEIVE, Agent
from aioxen.fleet.policy import Policy


def policy_of(folder: Path, text: str) -> Policy:
    (folder / "policy.toml").write_text(text)
    return Policy.read(folder / "policy.toml")


def test_the_table_is_read(tmp_path: Path) -> None:
    assert policy_of(tmp_path, "").received is None
    assert policy_of(tmp_path, "[received]").received == aioxen.ReceivedAllowed()
    text = '[received]\ndisks = ["/dev/vg/*"]\nscripts = []'
    assert policy_of(tmp_path, text).received == aioxen.ReceivedAllowed(disks=["/dev/vg/*"])
    for wrong, path in (
        ("[received]\nnics = []", r"received\.nics: there is no such key"),
        ("[received]\ndisks = '/dev/vg'", r"received\.disks: an array"),
        ("received = 5", r"received: a table"),
    ):
        with pytest.raises(ValueError, match=path):
            policy_of(tmp_path, wrong)


def test_a_guest_is_received_with_the_restriction(tmp_path: Path) -> None:
    given: dict[str, Any] = {}

    async def receive(streams: object, **keywords: Any) -> None:
        given.update(keywords)

    @contextlib.asynccontextmanager
    async def received(passage: object) -> AsyncIterator[None]:
        yield None

    agent: Any = SimpleNamespace(
        xen=SimpleNamespace(receive=receive),
        passages=SimpleNamespace(received=received),
        policy=policy_of(tmp_path, '[received]\nbridges = ["br7"]'),
    )
    call: Any = SimpleNamespace(request=SimpleNamespace(call=RECEIVE))
    passage: Any = None
    asyncio.run(Agent._move(agent, call, {"paused": 1}, passage, None))
    assert given["allowed"] == aioxen.ReceivedAllowed(bridges=["br7"]) and given["paused"] is True
