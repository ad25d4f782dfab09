# SPDX-License-Identifier: LGPL-2.1-or-later
"""Extensions: only what is theirs is written, under their own name; what they may not do is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from gen_support import ROOT, generate

LIBRARY = str(ROOT / "idl")
OPERATION = (
    'Operation("op", doc="Do it.", inputs=[("domid", domid, "Which.")], results=[("info", dominfo, "It.")],\n'
    '    errors=["FAIL"], abort="Nothing is left.", speed="slow", since="1.0")\n'
)
STRUCT = 'Struct("thing", [("kind", domain_type, "Which.")], doc="A thing.", since="1.0")\n'


def extend(out: Path, text: str, *more: str) -> tuple[int, str, Path]:
    idl = out / "mine.idl"
    idl.write_text(text)
    done = generate(out / "out", idl, options=("--extends", LIBRARY, *more))
    return done.returncode, done.stderr, idl


def test_only_its_own_is_written(tmp_path: Path) -> None:
    assert extend(tmp_path, f'namespace("mine_")\n{STRUCT}{OPERATION}')[:2] == (0, "")
    files = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    named = [f for f in files if f.startswith(("include/", "src/"))]
    assert named
    assert all("mine" in f for f in named)
    text = "".join((tmp_path / "out" / f).read_text() for f in named)
    assert "int mine_op(libxl_ctx *ctx, libxl_domid domid, libxl_dominfo *info," in text
    assert "int mine__op_body(libxl__ao *ao, mine__op_args *args);" in text
    assert "libxl_domain_create_new" not in text
    assert "python/mine/__init__.py" in files
    assert "python/mine/errors.py" not in files


@pytest.mark.parametrize("text", [OPERATION, STRUCT])
def test_operations_alone_and_types_alone(tmp_path: Path, text: str) -> None:
    assert extend(tmp_path, f'namespace("mine_")\n{text}')[:2] == (0, "")
    header = (tmp_path / "out/include/mine.h").read_text()
    for part in "types", "operations":
        included = f"#include <_mine_{part}.h>" in header
        assert included == (tmp_path / f"out/include/_mine_{part}.h").exists()


def test_a_name_of_its_own(tmp_path: Path) -> None:
    assert extend(tmp_path, f'namespace("mine_")\n{OPERATION}', "--name", "other")[0] == 0
    assert (tmp_path / "out/include/other.h").exists()
    assert (tmp_path / "out/python/other/_operations.py").exists()


WRONG = [
    (
        f'namespace("libxl_")\n{OPERATION}',
        "2: Operation op: an extension has a namespace of its own, not 'libxl_'",
    ),
    (OPERATION, "1: Operation op: an extension has a namespace of its own, not ''"),
    ('Errors([(-200, "NEW", "New.")])\n', "1: error NEW: an extension uses the library's errors"),
    ("Events([])\n", "1: Events: declared once already"),
    ('namespace("mine_")\nStruct("s", [("a", nothing)])\n', "2: name 'nothing' is not defined"),
    (
        f'namespace("a_")\n{OPERATION}namespace("b_")\n{OPERATION.replace("op", "other", 1)}',
        "5: namespace b_: an extension's operations have one namespace",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong(tmp_path: Path, text: str, message: str) -> None:
    code, said, idl = extend(tmp_path, text)
    assert (code, said) == (1, f"{idl}:{message}\n")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_library(tmp_path: Path) -> None:
    (tmp_path / "mine.idl").write_text("")
    done = generate(tmp_path / "out", tmp_path / "mine.idl", options=("--extends", str(tmp_path / "no")))
    assert (done.returncode, done.stderr) == (1, f"{tmp_path}/no:1: no *.idl here\n")


def test_a_name_that_is_none(tmp_path: Path) -> None:
    code, said, _ = extend(tmp_path, f'namespace("mine_")\n{OPERATION}', "--name", "my-own")
    assert (code, said) == (1, "my-own:1: an extension's name is one for a Python package and a C header\n")
