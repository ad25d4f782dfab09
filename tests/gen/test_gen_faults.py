# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults of libxl's own generator and of the code that it generates. The tests check that this generator does
not have these faults.

gen/README.md lists the faults, each with its test. Some of the tests are in other files.
"""

from __future__ import annotations

import re
from pathlib import Path

from gen_support import ROOT

from gen import attributes
from gen.load import load

README = (ROOT / "gen/README.md").read_text()


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_attributes_of_a_key_lose_their_prefix_and_nothing_else(tmp_path: Path) -> None:
    given = {"keyvar_enumname": "e", "keyvar_init_val": "v", "keyvar_key": 1, "private": True}
    about, rest = attributes.split(given, "keyvar_")
    assert about == {"enumname": "e", "init_val": "v", "key": 1}
    assert rest == {"private": True}
    model = load([
        written(
            tmp_path / "a.idl",
            'e = Enumeration("e", [(0, "A")])\n'
            'Struct("s", [("u", KeyedUnion(None, e, "k", [("a", None)], keyvar_enumname="e"))])\n',
        )
    ])  # fmt: skip
    assert model.structs[0].fields[0].kind.keyvar.enumname == "e"  # type: ignore[attr-defined]


def test_attributes_are_values_and_not_text(tmp_path: Path) -> None:
    """Attributes keep their values: quotes are preserved, and no value is evaluated a second time."""
    idl = written(
        tmp_path / "a.idl",
        "about = {'init_val': '\"it\\'s\"', 'const': True}\nStruct('s', [('name', string, about)])\n",
    )
    field = load([idl]).structs[0].fields[0]
    assert (field.init_val, field.const) == ('"it\'s"', True)


def test_every_fault_in_the_readme_has_its_test() -> None:
    table = README.split("\n## Faults of libxl's generator\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 10
    for _fault, _here, test in rows:
        for name, part in re.findall(r"`([\w./]+)(?:::(\w+))?`", test):
            path = ROOT / "tests" / name
            assert path.exists(), name
            assert not part or re.search(rf"(def|void) {part}\(", path.read_text()), part
