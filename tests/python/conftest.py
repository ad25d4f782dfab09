# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fixtures of the Python package's tests. The tests need a hypervisor:

    sim/aioxen-sim -- pytest tests/python
    vm/aioxen-vm --env PYTHONPATH -- pytest tests/python

A test that is a coroutine function runs in its own event loop. After each test, the domains, xenstore nodes,
descriptors and threads must be those that existed before the test. The context must be idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import inspect
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aioxen
import pytest
from limits import scaled
from worldly import ROOT, Configure, descriptors, domids, threads, xenstore

HANG_SECONDS = scaled(100)
"""The time limit of a test, in seconds. A test that takes longer ends the run with a traceback of all
threads."""


@pytest.hookimpl(tryfirst=True)  # type: ignore[misc]
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Runs each coroutine function in an event loop. Closes the fixture `xen` before the loop ends."""
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
    """Skips the test if there is no hypervisor."""
    try:
        asyncio.run(domids())
    except aioxen.Error as error:
        pytest.skip(f"needs sim/aioxen-sim or vm/aioxen-vm: {error}")


@pytest.fixture
def xen(hypervisor: None) -> Iterator[aioxen.Context]:
    """Yields a context. The context must be idle after the test. The fixture then closes the context."""
    context = aioxen.Context()
    yield context
    asyncio.run(context.aclose())  # This call closes the context if the test was skipped.
    counters = context.counters()
    assert counters.operations_started == counters.operations_completed
    # Jobs and threads are not in this list, because a worker may still be returning from its last call. The
    # fixture nothing_left checks the number of threads.
    live = ("operations", "events", "timers", "watches", "descriptors", "evgens")
    assert {name: getattr(counters, name) for name in live} == dict.fromkeys(live, 0)


async def destroy(domains: list[int]) -> None:
    async with aioxen.Context() as context:
        for domid in domains:
            with contextlib.suppress(aioxen.DomainNotFoundError):
                await context.domain_destroy(domid)


@pytest.fixture
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Asserts that the test leaves no domain, xenstore node, descriptor or thread. Destroys the domains that
    are left, so that the next tests do not fail because of them."""
    domains, nodes, opened, running = asyncio.run(domids()), xenstore(), descriptors(), threads()
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    gc.collect()
    left = asyncio.run(domids())
    asyncio.run(destroy(sorted(set(left) - set(domains))))
    assert left == domains
    assert xenstore() ^ nodes == set()
    assert descriptors() ^ opened == set()
    # Python's join() returns before the kernel ends the thread.
    end = time.monotonic() + scaled(5)
    while threads() != running and time.monotonic() < end:
        time.sleep(0.001)
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
    """Makes the configuration of a small guest: guest("l") obeys requests, guest("b") ignores them."""

    def configure(
        command: str = "b", *, machine: str = "pv", name: str = "", **more: object
    ) -> aioxen.DomainConfig:
        make = aioxen.pv if machine == "pv" else aioxen.pvh
        return make(name or f"t{os.getpid()}", kernel, **{"memory": "24M", "cmdline": command, **more})  # type: ignore[arg-type]

    return configure


@pytest.fixture
def xl(hypervisor: None) -> Callable[..., str]:
    """Runs Debian's xl and returns its output."""
    if not shutil.which("xl"):
        pytest.skip("needs xl")

    def run(*arguments: str) -> str:
        done = subprocess.run(["xl", *arguments], capture_output=True, text=True, timeout=scaled(60))
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def sim(hypervisor: None) -> Iterator[Callable[..., str]]:
    """Controls the simulated hypervisor. Injected faults are cleared after the test."""
    if "libaioxen-sim" not in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("needs sim/aioxen-sim, to inject faults")

    def control(*arguments: str) -> str:
        done = subprocess.run(
            ["aioxen-sim-ctl", *arguments], capture_output=True, text=True, timeout=scaled(60)
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield control
    control("fault", "clear")


@pytest.fixture
def hvm_files(tmp_path: Path) -> dict[str, str]:
    """Makes files for the disks and drives of HVM guests. Returns the paths of the files, by name."""
    paths = {name: tmp_path / name for name in ("image", "cd", "table")}
    for path in paths.values():
        path.write_bytes(bytes(1 << 16))
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture
def hvm(hvm_files: dict[str, str]) -> aioxen.DomainConfig:
    """Makes the configuration of an HVM guest with a disk, a CD drive and an emulated card."""
    config = aioxen.DomainConfig()
    config.c_info.type = config.b_info.type = aioxen.DomainType.HVM
    config.c_info.name = "hvm"
    config.b_info.max_memkb = config.b_info.target_memkb = 64 << 10
    config.b_info.u = aioxen.DomainBuildInfoHvm(serial="pty")
    config.disks = [
        aioxen.DeviceDisk(vdev="hda", pdev_path=hvm_files["image"], readwrite=1),
        aioxen.DeviceDisk(vdev="hdc", is_cdrom=1, removable=1),
    ]
    config.nics = [aioxen.DeviceNic(mac=bytes([0, 0x16, 0x3E, 0, 0, 1]))]
    return config
