# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sixteen domains are saved at once. Meanwhile another domain is paused 100 times a second, and the save of
one more guest gets no answer. No save, no pause and no guest is lost. `make bench` measures how long the loop
is held (row 23)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import aioxen
import pytest
from saving import programs, runs, started
from worldly import Configure

pytestmark = pytest.mark.usefixtures("sim")

GUESTS = 16
KEPT = 2
"""The number of guests that are saved to files and restored afterwards. Each file has about 30 MB."""
PAUSE_SECONDS = 0.01


async def pauses(dom: aioxen.Domain, ended: asyncio.Event) -> int:
    """Pauses and unpauses the domain until the event is set. Returns the number of pauses."""
    count = 0
    while not ended.is_set():
        await dom.pause()
        assert (await dom.info()).paused
        await dom.unpause()
        count += 1
        await asyncio.sleep(PAUSE_SECONDS)
    return count


async def test_nothing_is_lost(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    doms = [
        await started(xen, guest("l dirty=20", machine="pvh", memory="20M", name=f"saved{i}"))
        for i in range(GUESTS)
    ]
    mute = await started(xen, guest("b", machine="pvh", name="mute"))
    paused = await started(xen, guest("b", name="paused"))
    ended = asyncio.Event()
    pausing = asyncio.create_task(pauses(paused, ended))
    targets = [tmp_path / f"saved{i}" if i < KEPT else Path(os.devnull) for i in range(GUESTS)]
    saves = [dom.save(target, live=True) for dom, target in zip(doms, targets, strict=True)]
    *results, refused = await asyncio.gather(
        *saves, mute.save(tmp_path / "mute", timeout=1), return_exceptions=True
    )
    ended.set()
    assert results == [None] * GUESTS
    assert isinstance(refused, aioxen.TimedOutError)
    assert await pausing > 1
    assert programs() == []
    assert {info.domid for info in await xen.domain_list()} == {0, mute.domid, paused.domid}
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"saved{i}" for i in range(KEPT)]
    for dom in mute, paused:
        info = await dom.info()
        assert not info.shutdown and not info.paused
        await dom.destroy()
    for number in range(KEPT):
        restored = await xen.restore(targets[number])
        await restored.unpause()
        assert restored.uuid == doms[number].uuid and await runs(restored)
        await restored.destroy()
