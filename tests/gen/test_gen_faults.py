# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults of libxl's own generator and of the code it generates, which this one does not have.

gen/README.md lists them, each with its test; some of the tests are elsewhere.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gen_support import ROOT, generate

from gen import attributes
from gen.load import load
from gen.model import Mistake

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


def test_what_is_looked_up_in_vain_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    idl = written(
        tmp_path / "a.idl",
        'e = Enumeration("e", [(0, "A")])\n\nStruct("s", [\n    ("u", KeyedUnion(None, e, "k", [\n'
        '        ("b", None),\n    ])),\n])\n',
    )
    with pytest.raises(Mistake, match=r":5: KeyedUnion k\.b: e has no such value$"):
        load([idl])
    assert (
        load([written(tmp_path / "b.idl", 'Enumeration("e", [(0, "A")])')]).enumerations[0].find("B") is None
    )


def test_attributes_are_values_and_not_text(tmp_path: Path) -> None:
    """They come as they were written: no quotes to mind, nothing evaluated twice."""
    idl = written(
        tmp_path / "a.idl",
        "about = {'init_val': '\"it\\'s\"', 'const': True}\nStruct('s', [('name', string, about)])\n",
    )
    field = load([idl]).structs[0].fields[0]
    assert (field.init_val, field.const) == ('"it\'s"', True)


def test_a_wrong_type_of_field_has_its_line(tmp_path: Path) -> None:
    idl = written(tmp_path / "a.idl", 'Struct("s", [\n    ("a", uint8),\n    ("b", "uint8"),\n])\n')
    done = generate(tmp_path / "out", idl)
    assert done.stderr == f"{idl}:3: Struct s.b: a type is expected, not 'uint8'\n"


def test_a_comment_stands_above_the_type(tmp_path: Path) -> None:
    idl = written(tmp_path / "a.idl", 'Struct("s", [("a", uint8)], comment="What libxl says of it.")\n')
    assert generate(tmp_path / "out", idl).returncode == 0
    header = (tmp_path / "out/include/_libxl_types.h").read_text()
    assert "/* What libxl says of it. */\ntypedef struct s {" in header


def test_every_fault_in_the_readme_has_its_test() -> None:
    table = README.split("\n## Faults that libxl's generator has\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:4] for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 10
    for _fault, _here, test in rows:
        for name, part in re.findall(r"`([\w./]+)(?:::(\w+))?`", test):
            path = ROOT / "tests" / name
            assert path.exists(), name
            assert not part or re.search(rf"(def|void) {part}\(", path.read_text()), part


def test_the_counts_are_about_right(tmp_path: Path) -> None:
    number = r"([\d,]+)"
    words = (
        f"{number} lines of IDL become about {number} lines: {number} of C, {number} of Python, {number} of"
    )
    said = re.search(words, " ".join(README.split()))
    assert said
    assert generate(tmp_path, options=()).returncode == 0

    def lines(*folders: str) -> int:
        files = [f for d in folders for f in (tmp_path / d).rglob("*") if f.is_file()]
        return sum(len(f.read_text().splitlines()) for f in files)

    idl = sum(len(f.read_text().splitlines()) for f in (ROOT / "idl").glob("*.idl"))
    now = [idl, lines("."), lines("include", "src"), lines("python"), lines("doc", "man", "manual")]
    told = [int(group.replace(",", "")) for group in said.groups()]
    for then, counted in zip(told, now, strict=True):
        assert 0.7 < then / counted < 1.4, (then, counted)
