# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a real Xen, HVM guests boot from a disk and from a CD, are shown by VNC, and are powered off by ACPI.
AIOXEN_GUESTS=all adds the guests of Debian's xl (`make test-guests`)."""

import os
import sys

import pytest
from launching import PROJECT, Run
from limits import scaled

LONG = pytest.mark.skipif(os.environ.get("AIOXEN_GUESTS") != "all", reason="takes minutes: make test-guests")


# OVMF does not boot in an emulated machine (docs/limits.md).
@pytest.mark.parametrize(
    ("maker", "driver", "medium"),
    [
        ("ours", "ours", "cd"),
        pytest.param("ours", "xl", "disk", marks=LONG),
        pytest.param("xl", "ours", "disk", marks=LONG),
    ],
)
def test_a_guest_boots_and_is_powered_off(run: Run, maker: str, driver: str, medium: str) -> None:
    options = ("--env", f"PYTHONPATH={PROJECT}/build/python", "--timeout", str(scaled(100)), "--")
    program = ("/usr/bin/python3", "tests/vm/inside/hvm.py")
    done = run(*options, *program, maker, driver, "seabios", medium, timeout=scaled(120))
    print(done.stdout)
    print(done.stderr, file=sys.stderr)
    assert done.returncode == 0
