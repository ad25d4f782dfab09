# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the Python package share. Run them where there is a hypervisor:

    sim/aioxen-sim -- pytest tests/python
    vm/aioxen-vm --env PYTHONPATH -- pytest tests/python

A test that is a coroutine function runs in an event loop of its own. After every test, everything
must be as it was before: domains, descriptors, threads, and the context's counters.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import inspect
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from limits import scaled
from worldly import ROOT, Configure, descriptors, domids, threads, xenstore

PATIENCE = scaled(100)
"""Seconds after which a test that hangs ends the run, showing where."""


@pytest.hookimpl(tryfirst=True)  # type: ignore[misc]
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run coroutine functions; close the context that they were given before the loop ends."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments: dict[str, Any] = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run() -> None:
        try:
            await pyfuncitem.obj(**arguments)
        finally:
            if "xen" in arguments:
                await arguments["xen"].aclose()

    asyncio.run(run(), debug=True)
    return True


@pytest.fixture(scope="session")
def hypervisor() -> None:
    """A hypervisor to talk to."""
    try:
        asyncio.run(domids())
    except aioxen.Error as error:
        pytest.skip(f"needs sim/aioxen-sim or vm/aioxen-vm: {error}")


@pytest.fixture
def xen(hypervisor: None) -> Iterator[aioxen.Context]:
    """A context, which is closed when the test is over, and must be idle then."""
    context = aioxen.Context()
    yield context
    asyncio.run(context.aclose())  # if the test was skipped
    counters = context.counters()
    assert counters.operations_started == counters.operations_completed
    # Not jobs and threads: a worker may be in its last call. That they end is seen in /proc.
    live = ("operations", "events", "timers", "watches", "descriptors", "evgens")
    assert {name: getattr(counters, name) for name in live} == dict.fromkeys(live, 0)


@pytest.fixture
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing that a test has made is there when it is over."""
    domains, nodes, opened, running = asyncio.run(domids()), xenstore(), descriptors(), threads()
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    gc.collect()
    assert asyncio.run(domids()) == domains
    assert xenstore() ^ nodes == set()
    assert descriptors() ^ opened == set()
    assert threads() == running


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> None:
    if "hypervisor" in request.fixturenames:
        request.getfixturevalue("hypervisor")
        request.getfixturevalue("nothing_left")


@pytest.fixture(scope="session")
def kernel() -> Path:
    path = ROOT / "build" / "guest" / "tiny"
    if not path.exists():
        pytest.skip(f"needs {path}: make guest")
    return path


@pytest.fixture
def guest(kernel: Path, request: pytest.FixtureRequest) -> Configure:
    """Makes a small guest's configuration: guest("l") obeys, guest("b") is deaf, ..."""

    def configure(
        orders: str = "b", *, machine: str = "pv", name: str = "", **more: object
    ) -> aioxen.DomainConfig:
        make = aioxen.pv if machine == "pv" else aioxen.pvh
        return make(name or f"t{os.getpid()}", kernel, **{"memory": "24M", "cmdline": orders, **more})  # type: ignore[arg-type]

    return configure


@pytest.fixture
def xl(hypervisor: None) -> Callable[..., str]:
    """Debian's xl; what it says."""
    if not shutil.which("xl"):
        pytest.skip("needs xl")

    def run(*arguments: str) -> str:
        done = subprocess.run(["xl", *arguments], capture_output=True, text=True, timeout=scaled(60))
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def sim(hypervisor: None) -> Iterator[Callable[..., str]]:
    """What controls the simulated hypervisor; its faults are cleared afterwards."""
    if "libaioxen-sim" not in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("needs sim/aioxen-sim: makes the hypervisor fail or wait")

    def control(*arguments: str) -> str:
        done = subprocess.run(
            ["aioxen-sim-ctl", *arguments], capture_output=True, text=True, timeout=scaled(60)
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield control
    control("fault", "clear")
