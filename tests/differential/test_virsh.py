# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's libvirtd does the same on Debian's libxl and on this library, on simulated machines."""

from __future__ import annotations

import pytest
from comparing import HERE, Runs, Scripts

SCRIPTS = Scripts(
    HERE / "virsh", HERE / "virsh_differences.toml", shared=HERE / "xl_differences.toml", libvirt=True
)
LEAST_COMMANDS = 80


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return SCRIPTS.run_all(tmp_path_factory.mktemp("virsh"))


@pytest.mark.parametrize("script", SCRIPTS.names)
def test_virsh_does_the_same(script: str, runs: Runs) -> None:
    wrong = SCRIPTS.unlisted(runs, script)
    assert not wrong, "\n".join(wrong)


def test_every_row_of_the_table_is_a_difference(runs: Runs) -> None:
    assert all(row["reason"] for row in SCRIPTS.table)
    assert SCRIPTS.unused(runs) == []


def test_the_list_is_long_enough(runs: Runs) -> None:
    commands = [r["command"] for script in SCRIPTS.names for r in runs[script, "aioxen"]]
    assert len([command for command in commands if "virsh" in command]) >= LEAST_COMMANDS
