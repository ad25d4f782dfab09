# SPDX-License-Identifier: LGPL-2.1-or-later
"""On a machine without a hypervisor, xenstored, permission or memory, the error names the missing thing."""

import os
import subprocess
from pathlib import Path

import pytest
from limits import scaled

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD") or os.environ.get("AIOXEN_BUILD", ROOT / "build"))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--no-hypervisor", "hypervisor's interface, /dev/xen/privcmd: No such file or directory"),
        ("--no-xenstored", "connecting to xenstored, "),
        ("--no-permission", "hypervisor's interface, /dev/xen/privcmd: Permission denied"),
    ],
)
def test_the_message_names_what_is_missing(option: str, words: str) -> None:
    done = subprocess.run(
        [ROOT / "sim/aioxen-sim", option, "--", BUILD / "examples/lifecycle", "events"],
        capture_output=True,
        text=True,
        timeout=scaled(60),
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_each_guest_reports_that_memory_is_short() -> None:
    done = subprocess.run(
        [ROOT / "sim/aioxen-sim", "--memory", "64", "--", BUILD / "examples/lifecycle", "events"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=scaled(60),
    )
    assert done.returncode == 1
    assert "d_config.b_info.target_memkb" in done.stdout
    assert "0 live; domains left: 0" in done.stdout
