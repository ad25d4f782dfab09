# SPDX-License-Identifier: LGPL-2.1-or-later
"""saves.py aioxen|idle N: N guests are saved at once, while another guest is paused 100 times a second.

The guests write into their memory and are saved while they run. One more guest does not answer the request to
suspend itself, and its save ends at its time limit. With "idle" the loop has no work for IDLE_S seconds,
which gives the floor. All numbers are in ms; creates.py describes them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import aioxen
from creates import IDLE_S, Watched
from guests import guest

PAUSE_S = 0.01
MUTE_S = 1.0


async def pauses(dom: aioxen.Domain, ended: asyncio.Event) -> None:
    while not ended.is_set():
        await dom.pause()
        await dom.unpause()
        await asyncio.sleep(PAUSE_S)


async def started(xen: aioxen.Context, config: aioxen.DomainConfig) -> aioxen.Domain:
    dom = await xen.domain_create(config)
    await dom.unpause()
    return dom


async def mute(dom: aioxen.Domain) -> None:
    try:
        await dom.save(os.devnull, timeout=MUTE_S)
    except aioxen.TimedOutError:
        return
    raise RuntimeError("a mute guest was saved")


async def main(way: str, count: int) -> None:
    async with aioxen.Context() as xen:
        if way == "idle":
            watched = Watched()
            await asyncio.sleep(IDLE_S)
        else:
            doms = [await started(xen, guest("l dirty=20", 20, pvh=True)) for _ in range(count)]
            silent, paused = [await started(xen, guest("b", 20, pvh=True)) for _ in range(2)]
            watched, ended = Watched(), asyncio.Event()
            pausing = asyncio.create_task(pauses(paused, ended))
            await asyncio.gather(mute(silent), *[dom.save(os.devnull, live=True) for dom in doms])
            ended.set()
            await pausing
            left = {info.domid for info in await xen.domain_list()} & {dom.domid for dom in doms}
            if left:
                raise RuntimeError(f"the saved domains {left} are still there")
            await asyncio.gather(silent.destroy(), paused.destroy())
        result = {name: value * 1000 for name, value in vars(watched).items()}
    print(json.dumps(result))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
