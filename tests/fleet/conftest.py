# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fixtures of the fleet's tests. A test that is a coroutine function runs in its own event loop. pytest
itself needs no hypervisor, because each agent runs in its own simulated machine."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleetly import Broker
from limits import scaled


@pytest.hookimpl(tryfirst=True)  # type: ignore[misc]
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments: dict[str, Any] = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run() -> None:
        async with asyncio.timeout(scaled(30)):
            await pyfuncitem.obj(**arguments)

    asyncio.run(run())
    return True


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker without certificates."""
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()
