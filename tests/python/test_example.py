# SPDX-License-Identifier: LGPL-2.1-or-later
"""The example prints the expected output. It leaves no domain behind, not even after Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from limits import scaled
from worldly import ROOT

pytestmark = pytest.mark.usefixtures("hypervisor", "kernel")

EXAMPLE = [sys.executable, str(ROOT / "examples" / "lifecycle.py")]


def test_eight_guests() -> None:
    done = subprocess.run(EXAMPLE, capture_output=True, text=True, timeout=scaled(100))
    assert done.returncode == 0, done.stderr
    for words in (
        "has stopped: poweroff", "has stopped: reboot", "has stopped: crash", "time limit",
        "then cancelled", "no domain is left", "0 live; domains left: 0",
    ):  # fmt: skip
        assert words in done.stdout
    assert done.stdout.count("DomainGone") >= 7


def test_ctrl_c_leaves_no_domain() -> None:
    with subprocess.Popen(EXAMPLE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as example:
        assert example.stdout is not None
        assert any("created as domain" in line for line in example.stdout)
        example.send_signal(signal.SIGINT)
        output, _ = example.communicate(timeout=scaled(100))
    assert example.returncode == 1
    assert "0 live; domains left: 0" in output


def test_a_bad_kernel_is_reported_in_a_line(tmp_path: Path, sim: object) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_text("no kernel\n")
    done = subprocess.run([*EXAMPLE, str(kernel)], capture_output=True, text=True, timeout=scaled(100))
    assert done.returncode == 1
    assert f"{kernel}: " in done.stderr
    assert "Traceback" not in done.stderr
