# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the soak test for a short time on the simulated hypervisor. `make soak` runs it for a long time on
the real Xen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from limits import scaled

SOAK = Path(__file__).with_name("soak.py")


@pytest.mark.skipif("AIOXEN_SIM_DIR" not in os.environ, reason="needs sim/aioxen-sim")
def test_random_lives_leave_the_host_as_it_was() -> None:
    done = subprocess.run(
        [sys.executable, SOAK, "--seconds", "6"], capture_output=True, text=True, timeout=scaled(60)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 faults\n" in done.stdout
