# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real Xen, Linux guests that this library makes from xl files use their devices.

The tests run programs of the folder `inside` in dom0; these have the assertions.
"""

import subprocess
import sys

import pytest
from launching import PROJECT, Run

KINDS = pytest.mark.parametrize("kind", ["pv", "pvh"])


@pytest.fixture
def inside(run: Run):  # type: ignore[no-untyped-def]
    """Runs a program in a dom0 of its own."""

    def start(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        options = ("--env", f"PYTHONPATH={PROJECT}/build/python", "--")
        done = run(*options, "/usr/bin/python3", f"tests/vm/inside/{program}", *arguments, timeout=600)
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
        assert done.returncode == 0
        return done

    return start


@KINDS
def test_a_guest_uses_its_devices_while_others_are_plugged(inside, kind: str) -> None:  # type: ignore[no-untyped-def]
    inside("devices.py", kind)


def test_two_guests_ping_each_other(inside) -> None:  # type: ignore[no-untyped-def]
    inside("together.py")


@pytest.mark.parametrize("whose", ["ours", "xls"])
def test_xl_works_on_our_guests_and_we_on_its(inside, whose: str) -> None:  # type: ignore[no-untyped-def]
    inside("with_xl.py", whose)


@KINDS
def test_kernels_of_debian_boot_from_a_file_and_by_pygrub(inside, kind: str) -> None:  # type: ignore[no-untyped-def]
    inside("boot.py", kind)
