# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real Xen with an IOMMU, guests use a network card and a USB stick of the host. The tests take minutes.
They run with AIOXEN_GUESTS=all only (`make test-guests`)."""

import os
import subprocess
import sys

import pytest
from launching import PROJECT, Run
from limits import scaled

LONG = pytest.mark.skipif(os.environ.get("AIOXEN_GUESTS") != "all", reason="takes minutes: make test-guests")


@pytest.fixture
def inside(run: Run):  # type: ignore[no-untyped-def]
    """Returns a function that runs a program in a dom0 with devices for guests."""

    def start(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        options = ("--passthrough", "--env", f"PYTHONPATH={PROJECT}/build/python", "--")
        command = ("/usr/bin/python3", f"tests/vm/inside/{program}", *arguments)
        done = run(*options, *command, timeout=scaled(900))
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
        return done

    return start


@LONG
@pytest.mark.parametrize("kind", ["pv", "hvm"])
@pytest.mark.parametrize(("maker", "driver"), [("ours", "ours"), ("ours", "xl"), ("xl", "ours")])
def test_a_guest_uses_a_card(inside, kind: str, maker: str, driver: str) -> None:  # type: ignore[no-untyped-def]
    assert inside("card.py", kind, maker, driver).returncode == 0


@LONG
@pytest.mark.parametrize(
    "arguments", [("ours", "ours"), ("ours", "xl"), ("xl", "ours"), ("ours", "ours", "linux")]
)
def test_a_guest_gets_a_stick(inside, arguments: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    assert inside("stick.py", *arguments).returncode == 0
