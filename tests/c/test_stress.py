# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the stress program for a short time. `make stress` runs it for a long time."""

import os
import subprocess
from pathlib import Path

from limits import scaled

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD") or os.environ.get("AIOXEN_BUILD", ROOT / "build"))


def stress(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"AIOXEN_TEST_KERNEL": str(ROOT / "build/guest/tiny")}
    return subprocess.run(
        [BUILD / "tests/c/stress", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=scaled(120),
    )


def test_every_operation_of_many_threads_completes_once() -> None:
    done = stress("30000", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("0 faults\n"), done.stdout


def test_stress_prints_its_usage() -> None:
    assert stress("none").returncode == 2
