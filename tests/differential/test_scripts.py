# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's xl and libvirtd do the same on Debian's libxl and on this library, on simulated machines.

One script of xl also runs on a real Xen, in the virtual machine."""

from __future__ import annotations

import functools
import re
import tempfile
from pathlib import Path

import pytest
from comparing import BUILD, HERE, ROOT, Runs, Scripts

XL = HERE / "xl_differences.toml"
LISTS = {
    "xl": Scripts(HERE / "xl", XL),
    "virsh": Scripts(HERE / "virsh", HERE / "virsh_differences.toml", shared=XL, libvirt=True),
    "vm": Scripts(HERE / "vm", shared=XL, configurations=HERE / "xl", real=True),
}
PROGRAMS = {"xl": "xl", "virsh": "virsh", "vm": "xl"}
LEAST_COMMANDS = {"xl": 440, "virsh": 200, "vm": 20}
EACH_LIST = pytest.mark.parametrize("name", LISTS)


@functools.cache
def runs(name: str) -> Runs:
    """Returns the effects of the scripts of a list. The scripts run in a folder of the project, because the
    virtual machine sees only the project's files."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        return LISTS[name].run_all(Path(folder))


@pytest.mark.parametrize(
    ("name", "script"), [(name, script) for name, scripts in LISTS.items() for script in scripts.names]
)
def test_a_script_does_the_same(name: str, script: str) -> None:
    wrong = LISTS[name].unlisted(runs(name), script)
    assert not wrong, "\n".join(wrong)


@EACH_LIST
def test_every_row_of_the_table_is_a_difference(name: str) -> None:
    assert all(row["reason"] for row in LISTS[name].table)
    assert LISTS[name].unused(runs(name)) == []


@EACH_LIST
def test_the_list_is_long_enough(name: str) -> None:
    commands = [r["command"] for script in LISTS[name].names for r in runs(name)[script, "aioxen"]]
    assert len([command for command in commands if PROGRAMS[name] in command]) >= LEAST_COMMANDS[name]


def test_the_document_has_these_numbers() -> None:
    text = (ROOT / "docs/libxl.md").read_text()
    found = {program: int(number) for number, program in re.findall(r"over (\d+) .*?of .*?`(\w+)`", text)}
    assert found == {name: LEAST_COMMANDS[name] for name in ("xl", "virsh")}
