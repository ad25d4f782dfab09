# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts simulated machines ("worlds"), and parses the output of the programs in them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from limits import scaled

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
LAUNCHER = ROOT / "sim/aioxen-sim"
LIMIT_S = scaled(30)

Result = subprocess.CompletedProcess[str]
World = Callable[..., Result]
WriteConfig = Callable[..., Path]


def launch(script: str, *options: str, **env: str) -> subprocess.Popen[str]:
    """Starts a world in which a shell runs `script`. The shell stops at the first failing command."""
    return subprocess.Popen(
        [LAUNCHER, *options, "--", "sh", "-ec", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | env,
    )


def finish(process: subprocess.Popen[str]) -> Result:
    """Waits for the end of a world. Returns the world's output."""
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"the world did not end:\n{out}\n{err}")
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def domains(listing: str) -> dict[str, tuple[int, str]]:
    """Parses `xl list`: domid and state letters of each domain, by name."""
    rows = (line.split() for line in listing.splitlines())
    return {
        row[0]: (int(row[1]), row[4].replace("-", "")) for row in rows if len(row) == 6 and row[1].isdigit()
    }
