# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the creation and the destruction of guests by two classes with the same methods: `Ours` uses this
library, and `Xl` Debian's xl. Both take a file of xl. The guests stay paused."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from pathlib import Path

import aioxen


async def run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    if await process.wait():
        raise RuntimeError(" ".join(command))


class Ours:
    def __init__(self, xen: aioxen.Context) -> None:
        self._xen = xen

    async def create(self, config: Path) -> None:
        self._dom = await self._xen.domain_create(aioxen.load(config))

    async def destroy(self) -> None:
        await self._dom.destroy()


class Xl:
    def __init__(self, name: str) -> None:
        self._name = name

    async def create(self, config: Path) -> None:
        await run("xl", "create", "-p", "-q", str(config))

    async def destroy(self) -> None:
        await run("xl", "destroy", self._name)


async def lives(tool: Ours | Xl, config: Path, count: int) -> tuple[float, float]:
    """Returns the median times of a creation and of a destruction, in ms."""
    created, destroyed = [], []
    for _ in range(count):
        begin = time.monotonic()
        await tool.create(config)
        middle = time.monotonic()
        await tool.destroy()
        created.append(middle - begin)
        destroyed.append(time.monotonic() - middle)
    return statistics.median(created) * 1000, statistics.median(destroyed) * 1000
