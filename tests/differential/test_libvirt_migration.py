# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's libvirtd moves a running guest to a libvirtd on another simulated machine.

Each of them runs on Debian's libxl or on this library. libvirt's driver calls libxl with the two ends of a
TCP connection, which do not block."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from comparing import BUILD, HERE, KERNEL, SIMULATED
from limits import scaled

DROPIN = {"libxl": "", "aioxen": str(BUILD / "dropin")}


@pytest.mark.parametrize(
    ("sender", "receiver"),
    [("libxl", "libxl"), ("aioxen", "aioxen"), ("aioxen", "libxl"), ("libxl", "aioxen")],
)
def test_libvirt_moves_a_guest(sender: str, receiver: str, tmp_path: Path) -> None:
    def machine(name: str, library: str) -> subprocess.Popen[str]:
        program = [HERE / "machine.sh", name, DROPIN[library], BUILD / "libvirt", KERNEL]
        command = [*SIMULATED, "--", *program]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )

    machines = [machine("far", receiver), machine("near", sender)]
    try:
        (far, _), (near, errors) = (one.communicate(timeout=scaled(100)) for one in machines)
    finally:
        (tmp_path / "stop").touch()
        for one in machines:
            one.kill()
    assert "status 0\nnear: Domain-0\nfar: Domain-0 v\n" in near, near + errors
    assert "runs v" not in near
    assert far == "far runs v: 1\n"
