# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fixtures that run simulated machines ("worlds"), and that write configurations of guests."""

from pathlib import Path

import pytest
from sim_support import BUILD, Result, World, WriteConfig, finish, launch


@pytest.fixture
def world() -> World:
    """Returns a function that runs a shell script in a new world. The test fails unless the script's exit
    status is `status`."""

    def run(script: str, *options: str, status: int = 0, **env: str) -> Result:
        result = finish(launch(script, *options, **env))
        assert result.returncode == status, f"{result.stdout}\n{result.stderr}"
        return result

    return run


@pytest.fixture
def config(tmp_path: Path) -> WriteConfig:
    """Writes a configuration for `xl create`: a tiny guest, PV or PVH, with the command line `does`."""
    kernel = BUILD / "guest/tiny"
    assert kernel.exists(), f"{kernel} is missing: make build/guest/tiny"

    def write(kind: str, does: str = "b", name: str | None = None, **more: str) -> Path:
        name = name or f"{kind}-{does}"
        values = {"name": name, "type": kind, "kernel": str(kernel), "cmdline": does} | more
        # A domain that has stopped is kept, because tests examine it.
        values |= {
            f"on_{event}": "preserve"
            for event in ("poweroff", "reboot", "crash")
            if f"on_{event}" not in more
        }
        path = tmp_path / f"{name}.cfg"
        lines = [f'{key}="{value}"' for key, value in values.items()]
        path.write_text("\n".join([*lines, f"memory={16 if kind == 'pv' else 32}", "vcpus=1", ""]))
        return path

    return write
