# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a test that has failed leaves of the world: the next one finds it as it was."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD") or os.environ.get("AIOXEN_BUILD", ROOT / "build"))
PROGRAM = BUILD / "tests/c/support/broken"


@pytest.mark.parametrize("script", ["$0 it_fails it_works", "$0 it_dies; $0 --clean; $0 it_works"])
def test_a_failure_is_its_own(script: str) -> None:
    done = subprocess.run(
        [ROOT / "sim/aioxen-sim", "--", "sh", "-c", script, PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "[       OK ] it_works" in done.stdout, done.stdout + done.stderr
    assert "OK ] it_fails" not in done.stdout
