# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pytest plugin: options that run pytest itself on a simulated or virtual machine, and fixtures."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from typing import NoReturn

import pytest

from aioxen.testing.machine import Machine, Simulator, in_dom0, in_simulator


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("aioxen")
    group.addoption(
        "--xen-sim", action="store_true", help="Run pytest on a simulated Xen machine of its own."
    )
    group.addoption(
        "--xen-vm", action="store_true", help="Run pytest on a real Xen in QEMU (aioxen-vm in PATH)."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "xen_fault(call, *, error=None, delay=None, nth='*', everywhere=False): makes calls fail or wait "
        "during the test, as xen_sim.fault() does. It can be repeated.",
    )


# tryfirst: this function runs before pytest's own, which begins to capture the output.
@pytest.hookimpl(hookwrapper=True, tryfirst=True)  # type: ignore[misc]
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    options = early_config.known_args_namespace
    if options.xen_sim and not in_simulator():
        _run_again(*_simulator())
    if options.xen_vm and not in_dom0():
        _run_again(*_virtual_machine())
    yield


def _simulator() -> list[str]:
    if importlib.util.find_spec("aioxen_sim"):
        return [sys.executable, "-m", "aioxen_sim"]
    if launcher := shutil.which("aioxen-sim"):
        return [launcher]
    raise pytest.UsageError("--xen-sim needs the simulator: apt install aioxen-tools")


def _virtual_machine() -> list[str]:
    if launcher := shutil.which("aioxen-vm"):
        return [launcher]
    raise pytest.UsageError("--xen-vm needs aioxen-vm in PATH: it is in the directory vm of aioxen's source")


def _run_again(*launcher: str) -> NoReturn:
    """Replaces this process by the launcher, which runs this process's own command line on its machine."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(launcher[0], [*launcher, "--", sys.executable, *sys.orig_argv[1:]])


def _as_before(machine: Machine) -> Iterator[None]:
    """Yields once. Afterwards destroys the domains that were made in between. Ends the faults of a simulated
    machine."""
    before = machine.domids()
    try:
        yield
    finally:
        if isinstance(machine, Simulator):
            machine.restore()
        machine.destroy(machine.domids() - before)


@pytest.fixture
def xen_sim(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """The simulated Xen machine on which the test runs. pytest itself runs there, by the option --xen-sim.

    After the test, its domains are destroyed, its faults end, and the daemons run.
    """
    if not in_simulator():
        pytest.fail("xen_sim needs a simulated machine: pytest --xen-sim, also in addopts", pytrace=False)
    machine = Simulator()
    cleaning = _as_before(machine)
    next(cleaning)
    try:
        for mark in request.node.iter_markers("xen_fault"):
            machine.fault(*mark.args, **mark.kwargs)
        yield machine
    finally:
        next(cleaning, None)


@pytest.fixture
def xen_vm() -> Iterator[Machine]:
    """The real Xen machine on which the test runs. The test is skipped elsewhere.

    pytest itself runs there: in a dom0, or by the option --xen-vm. After the test, its domains are destroyed.
    """
    if not in_dom0():
        pytest.skip("needs a real Xen: pytest --xen-vm, or a dom0")
    machine = Machine()
    cleaning = _as_before(machine)
    next(cleaning)
    try:
        yield machine
    finally:
        next(cleaning, None)


@pytest.fixture(autouse=True)
def _xen_fault(request: pytest.FixtureRequest) -> None:
    """Makes a test with the marker xen_fault use xen_sim, also if the test does not name this fixture."""
    if request.node.get_closest_marker("xen_fault"):
        request.getfixturevalue("xen_sim")
