# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's xl and libvirtd do the same on Debian's libxl and on this library, on simulated machines."""

from __future__ import annotations

import re

import pytest
from comparing import HERE, ROOT, Runs, Scripts

XL = HERE / "xl_differences.toml"
LISTS = {
    "xl": Scripts(HERE / "xl", XL),
    "virsh": Scripts(HERE / "virsh", HERE / "virsh_differences.toml", shared=XL, libvirt=True),
}
LEAST_COMMANDS = {"xl": 440, "virsh": 200}


@pytest.fixture(scope="module", params=LISTS)
def program(request: pytest.FixtureRequest) -> str:
    """The program whose scripts a test compares."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def runs(program: str, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return LISTS[program].run_all(tmp_path_factory.mktemp(program))


@pytest.mark.parametrize(
    ("program", "script"),
    [(program, script) for program, scripts in LISTS.items() for script in scripts.names],
    indirect=["program"],
)
def test_a_script_does_the_same(program: str, script: str, runs: Runs) -> None:
    wrong = LISTS[program].unlisted(runs, script)
    assert not wrong, "\n".join(wrong)


def test_every_row_of_the_table_is_a_difference(program: str, runs: Runs) -> None:
    assert all(row["reason"] for row in LISTS[program].table)
    assert LISTS[program].unused(runs) == []


def test_the_list_is_long_enough(program: str, runs: Runs) -> None:
    commands = [r["command"] for script in LISTS[program].names for r in runs[script, "aioxen"]]
    assert len([command for command in commands if program in command]) >= LEAST_COMMANDS[program]


def test_the_document_has_these_numbers() -> None:
    found = re.findall(
        r"over (\d+) (?:commands )?of (?:Debian's )?`(\w+)`", (ROOT / "docs/libxl.md").read_text()
    )
    assert {program: int(number) for number, program in found} == LEAST_COMMANDS
