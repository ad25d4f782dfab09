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
    """Returns a function that runs a program in a dom0 of its own."""

    def start(program: str, *arguments: str, memory: int = 0) -> "subprocess.CompletedProcess[str]":
        more = ("--memory", "1536", "--dom0-memory", str(memory)) if memory else ()
        options = (*more, "--env", f"PYTHONPATH={PROJECT}/build/python", "--")
        command = ("/usr/bin/python3", f"tests/vm/inside/{program}", *arguments)
        done = run(*options, *command, timeout=scaled(600))
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
        assert done.returncode == 0
        return done

    return start


@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_a_guest_uses_its_devices(inside, kind: str) -> None:  # type: ignore[no-untyped-def]
    inside("devices.py", kind, "ours", "ours", "few")


@pytest.mark.parametrize(("kind", "move"), [("pv", "ours-xl"), ("pvh", "xl-ours")])
def test_a_saved_guest_continues(inside, kind: str, move: str) -> None:  # type: ignore[no-untyped-def]
    # dom0 keeps the saved guest's file in its memory. The file is as large as the guest.
    inside("saved.py", kind, move, memory=1024)


# The pairs of the toolstack that makes the guests and the toolstack that works on them.
WHO = [("ours", "ours"), ("ours", "xl"), ("xl", "ours")]


@LONG
@pytest.mark.parametrize(("kind", "maker", "driver"), [(kind, *who) for kind in ("pv", "pvh") for who in WHO])
def test_devices_are_plugged_while_a_guest_works(inside, kind: str, maker: str, driver: str) -> None:  # type: ignore[no-untyped-def]
    inside("devices.py", kind, maker, driver)


# Debian's Xen has no log-dirty mode for PV guests, so a PV guest is not saved while it runs.
MOVES = ["ours-xl", "xl-ours", "ours-ours", "xl-xl"]
LIVE = ["ours-xl-live", "ours-ours-live"]


@LONG
@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_a_guest_is_saved_and_restored_by_both_toolstacks(inside, kind: str) -> None:  # type: ignore[no-untyped-def]
    moves = MOVES if kind == "pv" else MOVES + LIVE
    inside("saved.py", kind, *moves, "verified", memory=1024)


@LONG
@pytest.mark.parametrize(("maker", "driver"), WHO)
def test_a_driver_domain_serves_interfaces(inside, maker: str, driver: str) -> None:  # type: ignore[no-untyped-def]
    inside("driver.py", maker, driver)


@LONG
def test_guests_of_both_toolstacks_ping_each_other(inside) -> None:  # type: ignore[no-untyped-def]
    inside("together.py")


def test_a_kernel_of_debian_boots_by_pygrub(inside) -> None:  # type: ignore[no-untyped-def]
    inside("boot.py", "pv", "pygrub", "ours")


@LONG
@pytest.mark.parametrize(
    ("kind", "source", "maker"),
    [("pv", "file", "ours"), ("pvh", "file", "ours"), ("pvh", "pygrub", "ours"), ("pv", "pygrub", "xl")],
)
def test_kernels_of_debian_boot(inside, kind: str, source: str, maker: str) -> None:  # type: ignore[no-untyped-def]
    inside("boot.py", kind, source, maker)
