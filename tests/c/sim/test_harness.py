# SPDX-License-Identifier: LGPL-2.1-or-later
"""The harness cleans up after a failed test, so the next test finds the machine in its initial state."""

import os
import subprocess
from pathlib import Path

import pytest
from limits import scaled

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD") or os.environ.get("AIOXEN_BUILD", ROOT / "build"))
PROGRAM = BUILD / "tests/c/support/broken"


@pytest.mark.parametrize(
    "script",
    ["$0 fails_by_assertion runs_after_a_failure", "$0 dies_by_abort; $0 --clean; $0 runs_after_a_failure"],
)
def test_a_failure_does_not_affect_the_next_test(script: str) -> None:
    done = subprocess.run(
        [ROOT / "sim/aioxen-sim", "--", "sh", "-c", script, PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=scaled(60),
    )
    assert "[       OK ] runs_after_a_failure" in done.stdout, done.stdout + done.stderr
    assert "OK ] fails_by_assertion" not in done.stdout


@pytest.mark.parametrize("names", [["no_such"], ["runs_after_a_failure", "no_such"]])
def test_a_name_that_the_program_does_not_have(names: list[str]) -> None:
    done = subprocess.run([PROGRAM, *names], capture_output=True, text=True, timeout=scaled(60))
    assert done.returncode == 1
    assert done.stderr == f"{PROGRAM}: no such test: no_such\n"
    assert done.stdout == ""
