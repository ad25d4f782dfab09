# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a machine without Xen, without xenstored or without permission, Context() raises a specific error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from limits import scaled
from worldly import ROOT

PROGRAM = """
import aioxen
try:
    aioxen.Context()
except aioxen.Error as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("--no-hypervisor", "NoHypervisorError"),
        ("--no-xenstored", "NoXenstoreError"),
        ("--no-permission", "NoPermissionError"),
    ],
)
def test_the_error_of_a_machine_without(option: str, error: str) -> None:
    done = on_a_machine(option, "-c", PROGRAM)
    assert done.stdout.split()[:1] == [error], done
    assert len(done.stdout.split()) > 3  # The message consists of several words.


@pytest.mark.parametrize(
    ("option", "status"), [("--no-hypervisor", 7), ("--no-xenstored", 7), ("--no-permission", 6)]
)
def test_the_command_line_of_a_machine_without(option: str, status: int) -> None:
    done = on_a_machine(option, "-m", "aioxen", "list")
    assert done.returncode == status, done
    assert done.stderr.startswith("aioxen: ")
    assert len(done.stderr.splitlines()) == 1


def on_a_machine(option: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python on a simulated machine that lacks something."""
    if Path("/proc/xen/capabilities").exists():
        pytest.skip("starts its own simulated machines")
    outside = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run(
        [str(ROOT / "sim" / "aioxen-sim"), option, "--", sys.executable, *arguments],
        env=outside,
        capture_output=True,
        text=True,
        timeout=scaled(60),
    )
