# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real Xen, Linux guests that this library makes from xl files use their devices.

The tests run programs of the folder `inside` in dom0. The programs contain the assertions. AIOXEN_GUESTS=all
adds the tests that take minutes (`make test-guests`).
"""

import os
import subprocess
import sys

import pytest
from launching import PROJECT, Run
from limits import scaled

LONG = pytest.mark.skipif(os.environ.get("AIOXEN_GUESTS") != "all", reason="takes minutes: make test-guests")


@pytest.fixture
def inside(run: Run):  # type: ignore[no-untyped-def]
    """Runs a program in a dom0 of its own."""

    def start(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        options = ("--env", f"PYTHONPATH={PROJECT}/build/python", "--")
        command = ("/usr/bin/python3", f"tests/vm/inside/{program}", *arguments)
        done = run(*options, *command, timeout=scaled(300))
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
        assert done.returncode == 0
        return done

    return start


def test_a_pv_guest_uses_its_devices_while_others_are_plugged(inside) -> None:  # type: ignore[no-untyped-def]
    inside("devices.py", "pv", "plug")


def test_a_pvh_guest_uses_its_devices(inside) -> None:  # type: ignore[no-untyped-def]
    inside("devices.py", "pvh")


@LONG
def test_devices_are_plugged_while_a_pvh_guest_works(inside) -> None:  # type: ignore[no-untyped-def]
    inside("devices.py", "pvh", "plug")


@LONG
def test_two_guests_ping_each_other(inside) -> None:  # type: ignore[no-untyped-def]
    inside("together.py")


@LONG
@pytest.mark.parametrize("whose", ["ours", "xls"])
def test_xl_works_on_our_guests_and_we_on_its(inside, whose: str) -> None:  # type: ignore[no-untyped-def]
    inside("with_xl.py", whose)


def test_a_kernel_of_debian_boots_by_pygrub(inside) -> None:  # type: ignore[no-untyped-def]
    inside("boot.py", "pv", "pygrub")


@LONG
@pytest.mark.parametrize(("kind", "source"), [("pv", "file"), ("pvh", "file"), ("pvh", "pygrub")])
def test_kernels_of_debian_boot(inside, kind: str, source: str) -> None:  # type: ignore[no-untyped-def]
    inside("boot.py", kind, source)
