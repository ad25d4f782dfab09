# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions and constants that the generator's tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GOLDEN = HERE / "golden"
RUNTIME = HERE / "runtime"
WRONG = HERE / "wrong"
FIXTURE = sorted((HERE / "fixture").glob("*.idl"))
# The options that select the outputs under test. "python" is left out, because the fixture has types that the
# Python output does not support. The Python output has its own fixture.
ONLY = ("--only", "c", "--only", "doc", "--only", "man", "--only", "schema")


def generate(
    out: Path, *files: Path, cwd: Path = ROOT, options: tuple[str, ...] = ONLY
) -> subprocess.CompletedProcess[str]:
    """Runs the generator as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "gen", *map(str, files), "--out", str(out), *options],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
