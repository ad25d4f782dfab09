# SPDX-License-Identifier: LGPL-2.1-or-later
"""Operations through the sockets of agents, without a broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aioxen
import pytest
from fleetly import connect, entered, guest, held_guest, names, worlds


async def test_a_guest_lives_on_another_host(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/{{host}}.sock"
    with worlds(tmp_path, ["h1"], url):
        async with connect(url.format(host="h1")) as f:
            await f.wait_for("h1")
            steps: list[aioxen.Event] = []
            dom = await f["h1"].domain_create(guest("l"), timeout=20, progress=steps.append)
            assert await names(f["h1"]) == ["guest"]
            assert (await dom.info()).paused
            assert {"make", "unmark"} <= {s.phase for s in steps if isinstance(s, aioxen.OperationProgress)}
            await dom.unpause()
            assert await dom.shutdown(timeout=20) is aioxen.ShutdownReason.POWEROFF
            await dom.destroy(timeout=20)
            with pytest.raises(aioxen.DomainNotFoundError):
                await dom.info()
            assert await names(f["h1"]) == []


async def test_a_cancelled_creation_leaves_nothing(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/{{host}}.sock"
    with worlds(tmp_path, ["h1"], url) as world:
        async with connect(url.format(host="h1")) as f:
            await f.wait_for("h1")
            config, started = held_guest(tmp_path)
            creation = f["h1"].domain_create(config)
            await entered(started, creation)
            creation.cancel()
            with pytest.raises(asyncio.CancelledError):
                await creation
            assert await names(f["h1"]) == []
            assert await f["h1"].unfinished() == []
            assert world["h1"].audited()[-3]["outcome"] == "cancelled"
