# SPDX-License-Identifier: LGPL-2.1-or-later
"""The blocks of docs/fleet.md work as they are typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from documents import MARK, blocks, commands, matches
from fleetly import KERNEL, ROOT, SERVER, SIM, free_port
from limits import scaled

PROGRAMS = {
    "aioxen": f"exec {sys.executable} -m aioxen",
    "aioxen-agent": f"exec {sys.executable} -m aioxen.fleet.service",
    "aioxen-sim": f"exec {SIM}",
    "nats-server": f"exec {SERVER} -a 127.0.0.1",
    "python3": f"exec {sys.executable}",
}


def test_the_tutorial_works(tmp_path: Path) -> None:
    """Runs the commands in one shell. The broker's port is one that is free."""
    port = str(free_port())
    (tmp_path / "bin").mkdir()
    for name, command in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    shutil.copy(KERNEL, tmp_path / "kernel")
    script = [f"cd {tmp_path}", "trap 'kill $(jobs -p)' EXIT"]
    expected: list[tuple[str, str]] = []
    for block in blocks(ROOT / "docs/fleet.md"):
        text = block.text.replace("4222", port)
        if block.language == "python":
            (tmp_path / "program.py").write_text(text)
            continue
        for command, output in commands(text):
            expected.append((command, output))
            script.append(f"{command}\necho '{MARK}'")
    assert len(expected) >= 9
    done = subprocess.run(
        ["bash", "-e"], input="\n".join(script), capture_output=True, text=True, timeout=scaled(60),
        env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
    )  # fmt: skip
    outputs = done.stdout.split(f"{MARK}\n")
    for (command, wanted), found in zip(expected, outputs, strict=False):
        assert matches(found, wanted), f"{command}\n{found}{done.stderr}"
    assert done.returncode == 0, done.stderr
    assert "does not allow vera to call domain_destroy" in done.stderr
